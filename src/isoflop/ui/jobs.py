"""Heavy results of a page: made by jobs, once for all sessions, and waited for where they belong.

A page calls a function that `KeptByJob` made as any other. Where its result is not there yet, the
place says so, with the share done, the place in the queue and a button to cancel; the page looks
again now and then, and goes on when the result is there. A job ends when nobody waits for it: its
sessions closed, or show something else.

What an address asks for is started without a person's click only where it is cheap.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, ParamSpec, TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from isoflop import work
from isoflop.errors import IsoflopError, WorkError
from isoflop.identity import content_key
from isoflop.language import gettext, ngettext
from isoflop.ui import messages, visitor
from isoflop.ui.caching import MAX_LONG, kept
from isoflop.ui.messages import Unfinished

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Effort = Callable[..., float]
"""CPU seconds that a call takes, about, from its arguments."""

CHEAP_S = 2.0
"""CPU seconds that an address may cost before anyone has clicked."""
PATIENCE_S = 0.8
"""How long a page waits on the spot before it says that something is being made."""
POLL_S = 1.0
GRACE_S = 15.0
"""How long a session that lost its connection may take to come back."""
MAX_FAILURES = 64
_VISIT = "jobs"


@dataclass(slots=True)
class _Task:
    """A job on its way, and the sessions that wait for it."""

    job: work.Job[Any]
    keep: Callable[[Any], Any]
    watchers: set[str] = field(default_factory=set)
    kept: Any = None


@dataclass(slots=True)
class _Visit:
    """What one session wants, and what it was asked for.

    Parameters
    ----------
    n_runs : int
        How often a person made a page run: 1 is the address itself.
    is_polled : bool
        Whether the next run is due to a job that ended, not to a person.
    wanted : set of str
        Keys that the page showed in its last run.
    unasked, asked, stopped : set of str
        Keys that the address alone asked for, that a person started, that a person cancelled.
    """

    n_runs: int = 0
    is_polled: bool = False
    wanted: set[str] = field(default_factory=set)
    unasked: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    stopped: set[str] = field(default_factory=set)

    def ask(self, key: str) -> None:
        """Take a person's click on the button of a key."""
        self.asked.add(key)
        self.stopped.discard(key)
        with _lock:
            _failures.pop(key, None)

    def may_start(self, key: str, effort_s: float, *, has_acted: bool) -> bool:
        """Say whether a key's job may start without another click."""
        if key in self.asked:
            return True
        if key in self.stopped or key in self.unasked:
            return False
        if effort_s > CHEAP_S and not has_acted:
            self.unasked.add(key)
            return False
        return True


_lock = threading.RLock()
_tasks: dict[str, _Task] = {}
_failures: OrderedDict[str, BaseException] = OrderedDict()
_present: set[str] = set()


# --- Sessions -------------------------------------------------------------------------------------


def open_page() -> None:
    """Note that a page begins to run."""
    visit = _visit()
    visit.n_runs += not visit.is_polled
    visit.is_polled = False
    visit.wanted.clear()


def leave_unwanted() -> None:
    """Stop waiting for what the page that has just run does not show."""
    context = get_script_run_ctx(suppress_warning=True)
    if context is not None:
        _leave(context.session_id, {key for key in _tasks if key not in _visit().wanted})


def _visit() -> _Visit:
    visit: _Visit = st.session_state.setdefault(_VISIT, _Visit())
    return visit


def _leave(session: str, keys: set[str]) -> None:
    """Stop waiting for keys; a job that nobody waits for is cancelled."""
    with _lock:
        lonely = []
        for key in keys & set(_tasks):
            watchers = _tasks[key].watchers
            if session in watchers:
                watchers.discard(session)
                if not watchers:
                    lonely.append(_tasks.pop(key).job)
    for job in lonely:
        job.cancel()


def _gone(session: str) -> None:
    """Let a session that lost its connection go, unless it comes back soon."""
    _present.discard(session)

    def leave() -> None:
        if session not in _present:
            _leave(session, set(_tasks))

    timer = threading.Timer(GRACE_S, leave)
    timer.daemon = True
    timer.start()


@st.cache_resource(scope="session", on_release=_gone, show_spinner=False)
def _presence(session: str) -> str:
    """Note that a session is here; Streamlit releases it when the session's connection ends."""
    _present.add(session)
    return session


# --- Results --------------------------------------------------------------------------------------


class KeptByJob(Generic[Arguments, Result]):
    """A function that is computed by a job, once for equal arguments, for all sessions.

    Parameters
    ----------
    function : callable
        Of the package, with arguments and a result that can travel between processes. It may take
        ``progress``, a function to report the share done to.
    doing : str
        What is going on, for a person.
    effort : callable
        From the arguments, about how many CPU seconds the work takes.
    finish : callable, optional
        From the result and the arguments, the result with what it left behind on its way.
    max_entries : int
        Results that are kept, those used last.
    """

    def __init__(
        self,
        function: Callable[Arguments, Result],
        doing: str,
        *,
        effort: Effort,
        finish: Callable[..., Result] | None = None,
        max_entries: int = MAX_LONG,
    ) -> None:
        self._function, self._doing, self._effort = function, doing, effort
        self._finish, self._max_entries = finish, max_entries
        self._name = f"{function.__module__}.{function.__qualname__}"
        self._results: OrderedDict[str, Result] = OrderedDict()

    def __call__(self, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        """Return the result.

        Raises
        ------
        Unfinished
            While it is being made; the page shows that.
        IsoflopError
            If it cannot be made.
        """
        key = self._key(args, kwargs)

        def start(owner: str) -> _Task:
            job = work.submit(self._function, *args, owner=visitor.turns() or owner, **kwargs)
            return _Task(job=job, keep=lambda made: self._keep(key, made, args, kwargs))

        with _lock:
            if key in self._results:
                self._results.move_to_end(key)
                return self._results[key]
        made: Result = _bring(key, self._doing, lambda: self._effort(*args, **kwargs), start)
        return made

    def made(self, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result | None:
        """Return the result where it is there, and None elsewhere: nothing is started.

        Raises
        ------
        IsoflopError
            If it could not be made.
        """
        key = self._key(args, kwargs)
        with _lock:
            if key in self._results:
                self._results.move_to_end(key)
                return self._results[key]
            failure = _failures.get(key)
        if isinstance(failure, IsoflopError):
            raise failure.with_traceback(None)
        return None

    def at_once(self, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        """Return the result; where it is not there, it is made here and now, once for all.

        For what a page is empty without: a job may have to wait for others.

        Raises
        ------
        IsoflopError
            If it cannot be made.
        """
        made = self.made(*args, **kwargs)
        if made is not None:
            return made
        key = self._key(args, kwargs)
        try:
            made = self._here(*args, **kwargs)
        except IsoflopError as failure:
            _note_failure(key, failure)
            raise
        with _lock:
            return self._keep(key, made, args, kwargs)

    def is_settled(self, *args: Arguments.args, **kwargs: Arguments.kwargs) -> bool:
        """Say whether the result is there, or cannot be made however often it is tried."""
        key = self._key(args, kwargs)
        with _lock:
            return key in self._results or _is_final(_failures.get(key))

    @cached_property
    def _here(self) -> Callable[Arguments, Result]:
        return kept(self._function, max_entries=self._max_entries, spinner=self._doing)

    def _key(self, args: Any, kwargs: Any) -> str:
        return content_key((self._name, self._doing, args, kwargs))

    def _keep(self, key: str, made: Result, args: Any, kwargs: Any) -> Result:
        if key not in self._results:
            self._results[key] = self._finish(made, *args, **kwargs) if self._finish else made
            if len(self._results) > self._max_entries:
                self._results.popitem(last=False)
        return self._results[key]


def _bring(key: str, doing: str, effort: Callable[[], float], start: Callable[[str], _Task]) -> Any:
    """Have a key's result made and kept, and return it.

    Raises
    ------
    Unfinished
        If it is not there yet; what is going on has been drawn.
    IsoflopError
        If it cannot be made.
    """
    context = get_script_run_ctx(suppress_warning=True)
    if context is None:  # no page: whoever calls waits
        task = start("")
        futures.wait([task.job])
        return _settle(key, task)
    visit = _visit()
    visit.wanted.add(key)
    _raise_failure(key)
    if key in visit.stopped or key not in _tasks:  # to wait with others is free
        has_acted = visit.n_runs > 1 or bool(context.fragment_ids_this_run)
        seconds = effort()
        if not visit.may_start(key, seconds, has_acted=has_acted):
            said = (
                gettext("{doing} was cancelled.", doing=doing)
                if key in visit.stopped
                else gettext("{doing} takes about {seconds}.", doing=doing, seconds=_about(seconds))
            )
            _offer(visit, key, said, gettext("Compute"))
            raise Unfinished
    task = _join(key, _presence(context.session_id), start)
    futures.wait([task.job], timeout=PATIENCE_S)
    if task.job.done() and not task.job.cancelled():
        return _settle(key, task)
    _watch(key, doing)  # asks anew for a job that was left meanwhile
    raise Unfinished


def _join(key: str, session: str, start: Callable[[str], _Task]) -> _Task:
    """Wait for a key's job with the other sessions, or start it."""
    with _lock:
        task = _tasks.get(key)
        if task is not None:
            task.watchers.add(session)
            return task
        task = _tasks[key] = start(session)
        task.watchers.add(session)
    task.job.add_done_callback(lambda _: _note(key, task))
    return task


def _settle(key: str, task: _Task) -> Any:
    """Return what a job that has ended, and was not cancelled, made, or raise its failure."""
    _note(key, task)
    _raise_failure(key)
    return task.kept


def _note(key: str, task: _Task) -> None:
    """Keep what became of a job; the job is forgotten."""
    with _lock:
        if _tasks.get(key) is task:
            del _tasks[key]
        if task.job.cancelled():
            return
        failure = task.job.exception()
        if failure is None:
            task.kept = task.keep(task.job.result())
        else:
            _note_failure(key, failure)


def _note_failure(key: str, failure: BaseException) -> None:
    with _lock:
        _failures[key] = failure
        if len(_failures) > MAX_FAILURES:
            _failures.popitem(last=False)


def _is_final(failure: BaseException | None) -> bool:
    """Say whether a job ended with what it would end with again."""
    return isinstance(failure, IsoflopError) and not isinstance(failure, WorkError)


def _raise_failure(key: str) -> None:
    """Raise what a key's job ended with; one that had no room or time can be tried again."""
    failure = _failures.get(key)
    if failure is None:
        return
    if not _is_final(failure):
        if isinstance(failure, IsoflopError):
            messages.show(failure)
        else:
            messages.show_unexpected(failure)
        _offer(_visit(), key, "", gettext("Try again"))
        raise Unfinished
    raise failure.with_traceback(None)


# --- What a page shows of them --------------------------------------------------------------------


def _offer(visit: _Visit, key: str, text: str, label: str) -> None:
    """Draw a button that starts a job."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if text:
            st.markdown(messages.plain(text), width="content")
        st.button(label, key=f"job.start.{key[:16]}", on_click=visit.ask, args=(key,))


@st.fragment(run_every=POLL_S)
def _watch(key: str, doing: str) -> None:
    """Draw how far a job is, and run the page again when it has ended."""
    task = _tasks.get(key)
    if task is None or task.job.done():
        _visit().is_polled = True
        st.rerun()
    place = task.job.place
    text = (
        gettext("{doing}: place {place} in the queue", doing=doing, place=place) if place else doing
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(task.job.share, text=messages.plain(text), width="stretch")
        if st.button(gettext("Cancel"), key=f"job.cancel.{key[:16]}", icon=":material/close:"):
            context = get_script_run_ctx()
            assert context is not None  # a fragment runs in a session
            visit = _visit()
            visit.asked.discard(key)
            visit.stopped.add(key)
            _leave(context.session_id, {key})
            st.rerun()


def _about(seconds: float) -> str:
    if seconds < 90:
        return ngettext("{n:,} second", "{n:,} seconds", max(5, round(seconds / 5) * 5))
    return ngettext("{n:,} minute", "{n:,} minutes", round(seconds / 60))
