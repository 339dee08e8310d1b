"""A bounded number of jobs at once, each in a thread that waits for where it really runs."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from concurrent import futures
from concurrent.futures import CancelledError, Future
from typing import Any, Generic, Protocol, TypeVar

from isoflop.errors import WorkError
from isoflop.language import lazy_gettext as _
from isoflop.people import LOCAL
from isoflop.work.fair import FairQueue

Result = TypeVar("Result")

MAX_WAITING = 100
"""Jobs that wait for a place; more are refused, as nobody would see their end."""


class Job(Future[Result], Generic[Result]):
    """Work that was asked for: a future that also says how far it is, and that can be ended.

    Attributes
    ----------
    owner : str
        Whose turn it takes; jobs of one owner wait for each other before they delay others.
    share : float
        Part of the work done, 0 to 1.
    doing : str
        What is being done, where the function says so.
    """

    def __init__(
        self, function: Callable[..., Result], args: Any, kwargs: Mapping[str, Any], owner: str
    ) -> None:
        super().__init__()
        self.function, self.args, self.kwargs, self.owner = function, args, kwargs, owner
        self.share, self.doing = 0.0, ""
        self.is_stopped = threading.Event()
        self._listeners: list[Callable[[Job[Any]], object]] = []
        self._executor: Executor | None = None

    @property
    def place(self) -> int | None:
        """Place in the queue, 1 for the next; None once it runs or has ended."""
        return self._executor.place(self) if self._executor else None

    def report(self, share: float, doing: str = "") -> None:
        """Take how far the work is."""
        self.share, self.doing = min(max(share, 0.0), 1.0), doing

    def cancel(self) -> bool:
        """End the work, also where it is already running; say whether that was still possible."""
        if not super().cancel():
            if self.done():
                return False
            self.is_stopped.set()
        if self._executor is not None:
            self._executor.end(self)
        return True

    def cancelled(self) -> bool:
        """Say whether the work was ended on request."""
        return super().cancelled() or self.is_stopped.is_set()


class Backend(Protocol):
    """Where jobs run."""

    n_slots: int

    def run(self, job: Job[Any]) -> object:
        """Run a job to its end and return its result, or raise what it raised."""
        ...

    def end(self, job: Job[Any]) -> None:
        """End a job that `run` is waiting for."""
        ...

    def close(self) -> None:
        """Give back what running jobs needs."""
        ...


class Executor(futures.Executor):
    """Takes jobs, lets them wait in a fair queue and runs a bounded number of them.

    Parameters
    ----------
    backend : Backend
    max_waiting : int
    most_each : float
        Jobs at once of one owner; those of this machine's own person, and of nobody, have no limit.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        max_waiting: int = MAX_WAITING,
        most_each: float = math.inf,
    ) -> None:
        self._backend = backend
        self._most_each = most_each
        self._max_waiting = max_waiting
        self._queue: FairQueue[Job[Any]] = FairQueue()
        self._running: set[Job[Any]] = set()
        self._lock = threading.Lock()
        self._is_closed = False

    def submit(  # type: ignore[override]  # it returns the kind of future that it has
        self, function: Callable[..., Result], /, *args: Any, owner: str = "", **kwargs: Any
    ) -> Job[Result]:
        """Ask for ``function(*args, **kwargs)``, to be run when it is its owner's turn.

        Parameters
        ----------
        function : callable
            Of a module, so that another process finds it by name. Where it has a parameter
            ``progress`` and none is given, it gets a function to report the share done to.
        owner : str
            Whose work it is, such as a session.

        Raises
        ------
        WorkError
            If too much waits already.
        RuntimeError
            After `shutdown`, as every executor does.
        """
        job = Job(function, args, kwargs, owner)
        job._executor = self
        with self._lock:
            if self._is_closed:
                raise RuntimeError("cannot schedule new jobs after shutdown")
            if len(self._queue) >= self._max_waiting:
                raise WorkError(
                    _("{queue} jobs wait already, so no more are taken.", queue=len(self._queue)),
                    hint=_("Try again in a few minutes."),
                )
            self._queue.put(job, owner)
        self._start_waiting()
        return job

    def place(self, job: Job[Any]) -> int | None:
        """Return a job's place in the queue; None if it does not wait."""
        with self._lock:
            return self._queue.place(job)

    def end(self, job: Job[Any]) -> None:
        """Take a cancelled job out of the queue, or end it where it runs."""
        with self._lock:
            is_waiting = self._queue.remove(job)
        if is_waiting:
            job.set_running_or_notify_cancel()  # who waits for it is told that it is over
        else:
            self._backend.end(job)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more jobs; wait for those there are, or cancel them."""
        with self._lock:
            self._is_closed = True
            jobs = [*self._queue.order(), *self._running]
        for job in jobs if cancel_futures else ():
            job.cancel()
        if wait or cancel_futures:
            futures.wait(jobs)
            self._backend.close()

    def _start_waiting(self) -> None:
        while True:
            with self._lock:
                if len(self._running) >= self._backend.n_slots:
                    return
                job = self._queue.take(self._most)
                if job is None:
                    return
                self._running.add(job)
            name = f"job-{getattr(job.function, '__name__', 'work')}"
            threading.Thread(target=self._run, args=(job,), name=name, daemon=True).start()

    def _most(self, owner: str) -> float:
        return math.inf if owner in ("", LOCAL.id) else self._most_each

    def _run(self, job: Job[Any]) -> None:
        outcome: Any = None
        failure: BaseException | None = None
        if job.set_running_or_notify_cancel():
            try:
                outcome = self._backend.run(job)
            except BaseException as error:
                failure = error
        with self._lock:
            self._running.discard(job)
            self._queue.ended(job.owner)
        self._start_waiting()
        if futures.Future.cancelled(job):
            return
        if job.is_stopped.is_set():
            job.set_exception(CancelledError())
        elif failure is not None:
            job.set_exception(failure)
        else:
            job.report(1.0)
            job.set_result(outcome)
