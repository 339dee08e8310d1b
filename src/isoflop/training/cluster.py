"""A ladder on a Slurm cluster through submitit: one array job a ladder, one task a run.

A task that Slurm preempts or that reaches its time limit puts its checkpoint away and is queued
again. The folder of runs must lie on a file system that the nodes share.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isoflop.errors import TrainingError
from isoflop.language import lazy_gettext
from isoflop.training.cluster_settings import ClusterSettings
from isoflop.training.config import RunConfig
from isoflop.training.elsewhere import ElsewhereJob, remember_job
from isoflop.training.ladders import Ladder, keep_ladder
from isoflop.training.processes import ProcessId
from isoflop.training.queue import RunQueue
from isoflop.training.runs import find_run
from isoflop.training.worker import StopSignal, output_to, work

KILL_WAIT_S = 1800.0
"""How long a task that got SIGTERM waits to be killed: one that ends by itself counts as complete
and is not queued again, though it was preempted."""
N_RESTARTS = 100
"""Times that a task may reach its time limit: each goes on from where the one before was."""


class ClusterTask:
    """One run as submitit calls it.

    Parameters
    ----------
    root, run_id : str
    """

    def __init__(self, root: str, run_id: str) -> None:
        self.root, self.run_id = root, run_id

    def __call__(self) -> str:
        """Train the run; return its status.

        Signals are taken from submitit: the run puts its checkpoint away between two steps, and
        only then is submitit told, which asks for the task again.
        """
        requeue = (signal.SIGUSR1, signal.SIGUSR2)
        asks_again = signal.getsignal(_warning_signal())
        run = find_run(self.run_id, root=Path(self.root))
        stop_signal = StopSignal((*requeue, signal.SIGTERM), leaves="submitted")
        with output_to(run.log_path), run.held():
            run.write_state("running", process=ProcessId.current())
            work(run, root=Path(self.root), stop_signal=stop_signal)
        if run.state().status == "submitted":
            if stop_signal.number in requeue and callable(asks_again):
                try:
                    asks_again(stop_signal.number, None)  # leaves the process
                except Exception as refusal:
                    run.write_state("stopped", message=str(refusal))
                    raise
            elif "SLURM_JOB_ID" in os.environ:
                time.sleep(KILL_WAIT_S)
        return run.state().status

    def checkpoint(self, *_: object) -> Any:
        """Tell submitit what to queue again: the same run, which has its checkpoint."""
        import submitit

        return submitit.helpers.DelayedSubmission(ClusterTask(self.root, self.run_id))


def _warning_signal() -> signal.Signals:
    """Return the signal by which submitit has a task warned."""
    from submitit.core.job_environment import JobEnvironment

    return signal.Signals[f"SIG{JobEnvironment.USR_SIG}"]


def submit_to_cluster(
    root: Path,
    configs: Sequence[RunConfig],
    settings: ClusterSettings,
    *,
    title: str = lazy_gettext("Cluster"),
) -> tuple[Ladder, list[Any]]:
    """Submit a ladder as one array job; what was trained before is not trained again.

    Returns
    -------
    tuple of (Ladder, list of submitit.Job)
        One job for each run that is now to be trained.

    Raises
    ------
    TrainingError
        If submitit is not installed, or the cluster refuses.
    """
    executor = _executor(root / "cluster", settings)
    runs, started = RunQueue(root).take_up(configs, status="submitted")
    ladder = keep_ladder(root, runs, title=title)
    if not started:
        return ladder, []
    jobs: list[Any] = []
    try:
        with executor.batch():
            jobs += [executor.submit(ClusterTask(str(root), run.id)) for run in started]
    except Exception as refusal:
        for run in started:
            run.write_state(
                "failed", message=lazy_gettext("The cluster refused it."), detail=str(refusal)
            )
        raise TrainingError(
            lazy_gettext("The cluster refuses the job."), detail=str(refusal)
        ) from refusal
    for run, job in zip(started, jobs, strict=True):
        process = ProcessId.of(int(job.job_id)) if settings.executor == "local" else None
        remember_job(
            run,
            ElsewhereJob(
                executor=settings.executor,
                job_id=job.job_id,
                folder=str(root / "cluster"),
                process=process,
            ),
        )
    return ladder, jobs


def _executor(folder: Path, settings: ClusterSettings) -> Any:
    try:
        import submitit
    except ImportError:
        raise TrainingError(
            lazy_gettext("Training on a cluster needs submitit."),
            hint=lazy_gettext('Install it with: pip install "isoflop[cluster]"'),
        ) from None
    try:
        executor = submitit.AutoExecutor(
            folder=folder, cluster=settings.executor, slurm_max_num_timeout=N_RESTARTS
        )
        executor.update_parameters(**settings.parameters())
    except RuntimeError as error:
        raise TrainingError(
            lazy_gettext("The cluster's {executor} is not there.", executor=settings.executor),
            detail=str(error),
        ) from None
    return executor
