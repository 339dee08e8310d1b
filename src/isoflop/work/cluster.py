"""Jobs on a Dask cluster, for work that outgrows one machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from isoflop.errors import WorkError
from isoflop.language import lazy_gettext as _
from isoflop.work.call import call, portable, raised
from isoflop.work.executor import Job
from isoflop.work.settings import Limits

CONNECT_TIMEOUT_S = 10
POLL_S = 0.1


class DaskCluster:
    """Runs each job as a task of a Dask scheduler, whose workers have Isoflop installed.

    Memory is limited by the workers' own setting, which ends a worker over its limit. A job that is
    ended stops where it next reports its progress; the number of jobs at once is the workers'
    threads.

    Parameters
    ----------
    address : str
        Host and port of the scheduler.
    limits : Limits

    Raises
    ------
    WorkError
        If ``distributed`` is not installed, or nothing answers at the address.
    """

    def __init__(self, address: str, limits: Limits) -> None:
        try:
            import distributed
        except ImportError:
            raise WorkError(
                _("Work on a Dask cluster needs the package distributed, which is not installed."),
                hint=_('Install it: pip install "isoflop[dask]".'),
            ) from None
        try:
            self._client = distributed.Client(f"tcp://{address}", timeout=CONNECT_TIMEOUT_S)
        except (OSError, TimeoutError) as failure:
            raise WorkError(
                _("No Dask scheduler answers at {address}.", address=address),
                detail=str(failure),
                hint=_("Start one (dask scheduler), or correct the setting ISOFLOP_EXECUTOR."),
            ) from None
        self._limits = limits
        self.n_slots = max(1, sum(self._client.nthreads().values()))

    def run(self, job: Job[Any]) -> object:
        """Run a job on some worker.

        Raises
        ------
        WorkError
            If it takes longer than allowed, or its workers end.
        BaseException
            Whatever the function raised.
        """
        from distributed import Event
        from distributed.scheduler import KilledWorker

        topic = f"isoflop-{uuid4().hex}"
        self._client.subscribe_topic(topic, lambda event: job.report(*event[1]))
        is_ended = Event(topic, client=self._client)
        end_s = time.monotonic() + self._limits.deadline_s
        task = self._client.submit(
            _on_worker, topic, job.function, job.args, dict(job.kwargs), pure=False, retries=0
        )
        try:
            while not task.done():
                if job.is_stopped.is_set() or time.monotonic() > end_s:
                    is_ended.set()
                    task.cancel(force=True)
                    raise WorkError(
                        _(
                            "This work took longer than {deadline_s:,.0f} s, so it was ended.",
                            deadline_s=self._limits.deadline_s,
                        ),
                        hint=_(
                            "Fit fewer rows or resamples, or let the server's owner raise "
                            "ISOFLOP_JOB_DEADLINE_S."
                        ),
                    )
                time.sleep(POLL_S)
            kind, content = task.result()
        except KilledWorker as failure:
            raise WorkError(
                _("The workers of this work ended by themselves."),
                detail=str(failure),
                hint=_("They may have run out of memory: give them more, or ask for less."),
            ) from None
        finally:
            self._client.unsubscribe_topic(topic)
        if kind == "error":
            raise raised(*content)
        return content

    def end(self, job: Job[Any]) -> None:
        """Leave the ending to `run`, which looks at the job."""

    def close(self) -> None:
        """Leave the cluster."""
        self._client.close()


class _Ended(Exception):
    """Raised in a task that nobody waits for."""


def _on_worker(
    topic: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[str, Any]:
    """Run a job's function on a worker; errors come back whole, as results."""
    from distributed import Event, get_worker

    worker = get_worker()
    is_ended = Event(topic)

    def report(share: float, doing: str) -> None:
        worker.log_event(topic, (share, doing))
        if is_ended.is_set():
            raise _Ended

    try:
        return "result", call(function, args, kwargs, report)
    except Exception as error:
        return "error", portable(error)
