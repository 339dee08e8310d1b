"""Where jobs run, by one setting: processes of this machine, on the spot, or a cluster."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from isoflop.errors import WorkError
from isoflop.language import lazy_gettext as _
from isoflop.work.call import call
from isoflop.work.executor import Executor, Job
from isoflop.work.settings import EXECUTOR_SETTING, Limits, limits

Result = TypeVar("Result")
PROCESSES, INLINE, DASK = "processes", "inline", "dask://"


class InlineExecutor(futures.Executor):
    """Runs a job on the spot, in the thread of who asks: for tests, and where there is no fork."""

    def submit(  # type: ignore[override]  # it returns the kind of future that it has
        self, function: Callable[..., Result], /, *args: Any, owner: str = "", **kwargs: Any
    ) -> Job[Result]:
        """Run ``function(*args, **kwargs)`` and return its future, which is done."""
        job = Job(function, args, kwargs, owner)
        job.set_running_or_notify_cancel()
        try:
            result = call(function, args, kwargs, job.report)
        except Exception as error:
            job.set_exception(error)
            return job
        if job.is_stopped.is_set():
            job.set_exception(CancelledError())
        else:
            job.report(1.0)
            job.set_result(result)
        return job


_held: dict[tuple[str, Limits], Executor | InlineExecutor] = {}
_lock = threading.Lock()


def executor() -> Executor | InlineExecutor:
    """Return the executor that the settings ask for; one for the whole process.

    Raises
    ------
    WorkError
        If a setting cannot be read, or the cluster not be reached.
    """
    place = os.environ.get(EXECUTOR_SETTING, "").strip() or PROCESSES
    wanted = (place, limits())
    with _lock:
        if wanted not in _held:
            _held[wanted] = _make(*wanted)
        return _held[wanted]


def submit(
    function: Callable[..., Result], /, *args: Any, owner: str = "", **kwargs: Any
) -> Job[Result]:
    """Ask for ``function(*args, **kwargs)`` where the settings say; see `Executor.submit`."""
    return executor().submit(function, *args, owner=owner, **kwargs)


def prepare() -> None:
    """Have the place where jobs run get ready, before there is one."""
    submit(_nothing)


def _nothing() -> None:
    """Do nothing: a job's process has the engine imported then."""


def chosen() -> Executor | InlineExecutor | None:
    """Return the executor that a setting names; None where none says anything."""
    return executor() if os.environ.get(EXECUTOR_SETTING, "").strip() else None


def shutdown() -> None:
    """End every job and leave every place; the next job opens its place again."""
    with _lock:
        made = list(_held.values())
        _held.clear()
    for one in made:
        one.shutdown(cancel_futures=True)


def _make(place: str, limits: Limits) -> Executor | InlineExecutor:
    if place == INLINE or (place == PROCESSES and not hasattr(os, "fork")):
        return InlineExecutor()
    if place == PROCESSES:
        from isoflop.work.processes import Processes

        return Executor(Processes(limits), most_each=limits.n_each)
    if place.startswith(DASK):
        from isoflop.work.cluster import DaskCluster

        return Executor(DaskCluster(place.removeprefix(DASK), limits), most_each=limits.n_each)
    raise WorkError(
        _(
            "The setting {executor_setting} is {place!r}, which is no place for work.",
            executor_setting=EXECUTOR_SETTING,
            place=place,
        ),
        hint=_(
            "Say {processes}, {inline}, or {dask}HOST:PORT for a Dask scheduler.",
            processes=PROCESSES,
            inline=INLINE,
            dask=DASK,
        ),
    )
