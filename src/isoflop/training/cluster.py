"""A ladder on a Slurm cluster through submitit: one array job a ladder, one task a run.

A task that Slurm preempts or that reaches its time limit puts its checkpoint away and is queued
again. The folder of runs must lie on a file system that the nodes share.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from isoflop.errors import TrainingError
from isoflop.training.config import RunConfig
from isoflop.training.ladder import PRESETS
from isoflop.training.processes import ProcessId
from isoflop.training.runs import Run, default_root, find_run
from isoflop.training.worker import StopSignal, work


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """What the cluster is asked for.

    Parameters
    ----------
    executor : str
        ``"slurm"``, or ``"local"`` for processes on this machine.
    partition, account : str
        Empty for the cluster's default.
    n_parallel : int
        Tasks of the array that run at once.
    time_min : int
        Wall-clock limit of a task in minutes.
    cpus_per_task, gpus_per_task, memory_gb : int
    """

    executor: Literal["slurm", "local"] = "slurm"
    partition: str = ""
    account: str = ""
    n_parallel: int = 16
    time_min: int = 60
    cpus_per_task: int = 1
    gpus_per_task: int = 0
    memory_gb: int = 8

    def parameters(self) -> dict[str, Any]:
        """Return them under submitit's names."""
        found: dict[str, Any] = {
            "timeout_min": self.time_min,
            "cpus_per_task": self.cpus_per_task,
            "mem_gb": self.memory_gb,
            "name": "isoflop-ladder",
        }
        if self.gpus_per_task:
            found["gpus_per_node"] = self.gpus_per_task
        if self.executor == "slurm":
            found["slurm_array_parallelism"] = self.n_parallel
            # Warn the task two minutes before the end, so that it can put its checkpoint away.
            found["slurm_signal_delay_s"] = 120
            found |= {"slurm_partition": self.partition} if self.partition else {}
            found |= {"slurm_account": self.account} if self.account else {}
        return found


class ClusterTask:
    """One run as submitit calls it; ``checkpoint`` is what it calls before a task is taken away.

    Parameters
    ----------
    root, run_id : str
    """

    def __init__(self, root: str, run_id: str) -> None:
        self.root, self.run_id = root, run_id

    def __call__(self) -> str:
        """Train the run; return its status."""
        run = find_run(self.run_id, root=Path(self.root))
        stop_signal = StopSignal(listens=False)  # submitit has the signals
        with run.held():
            run.write_state("running", process=ProcessId.current())
            work(run, root=Path(self.root), stop_signal=stop_signal)
        return run.state().status

    def checkpoint(self, *_: object) -> Any:
        """Ask for the same run again; it goes on from its latest checkpoint."""
        import submitit

        find_run(self.run_id, root=Path(self.root)).write_state("submitted")
        return submitit.helpers.DelayedSubmission(ClusterTask(self.root, self.run_id))


def submit_to_cluster(
    root: Path, configs: Sequence[RunConfig], settings: ClusterSettings
) -> list[tuple[Run, Any]]:
    """Create runs and submit them as one array job.

    Returns
    -------
    list of (Run, submitit.Job)

    Raises
    ------
    TrainingError
        If submitit is not installed, or the cluster refuses.
    """
    try:
        import submitit
    except ImportError:
        raise TrainingError(
            "Training on a cluster needs submitit.",
            hint='Install it with: pip install "isoflop[cluster]"',
        ) from None
    logs = root / "cluster"
    try:
        executor = submitit.AutoExecutor(folder=logs, cluster=settings.executor)
        executor.update_parameters(**settings.parameters())
    except RuntimeError as error:
        raise TrainingError(
            f"The cluster's {settings.executor} is not there.", detail=str(error)
        ) from None
    runs = [Run.create(root, config, status="submitted") for config in configs]
    with executor.batch():
        jobs = [executor.submit(ClusterTask(str(root), run.id)) for run in runs]
    return list(zip(runs, jobs, strict=True))


def main(arguments: list[str] | None = None) -> None:
    """Submit a preset ladder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=default_root())
    parser.add_argument("--preset", choices=sorted(PRESETS), default="standard")
    parser.add_argument("--executor", choices=("slurm", "local"), default="slurm")
    parser.add_argument("--partition", default="")
    parser.add_argument("--account", default="")
    for name in ("n-parallel", "time-min", "cpus-per-task", "gpus-per-task", "memory-gb"):
        default = getattr(ClusterSettings(), name.replace("-", "_"))
        parser.add_argument(f"--{name}", type=int, default=default)
    options = vars(parser.parse_args(arguments))
    root, preset = options.pop("root"), options.pop("preset")
    submitted = submit_to_cluster(root, PRESETS[preset].grid.configs(), ClusterSettings(**options))
    for run, job in submitted:
        print(job.job_id, run.id)


if __name__ == "__main__":
    main()
