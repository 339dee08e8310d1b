"""Runs that another program queues and starts: which job each has, whether it is over, its end."""

from __future__ import annotations

import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from isoflop.files import read_json, write_json
from isoflop.language import lazy_gettext as _
from isoflop.training.cluster_settings import Executor
from isoflop.training.processes import ProcessId
from isoflop.training.runs import Run

OVER = frozenset(
    {"CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE"}
)
"""What Slurm says of a job that will not start again. (One that is complete wrote its own end.)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ElsewhereJob:
    """Who trains a run.

    Parameters
    ----------
    executor : {"slurm", "local"}
        Slurm, or a process of this machine.
    job_id : str
        Slurm's, such as ``"4711_3"`` for a task of an array.
    folder : str
        Where submitit keeps its files; empty where it has none.
    process : ProcessId or None
        The one that leads a local job.
    """

    executor: Executor
    job_id: str
    folder: str = ""
    process: ProcessId | None = None


def remember_job(run: Run, job: ElsewhereJob) -> None:
    """Write down which job has a run."""
    write_json(_path(run), asdict(job))


def job_of(run: Run) -> ElsewhereJob | None:
    """Return the job that a run was given to; None if there was none, or its file is damaged."""
    try:
        fields = read_json(_path(run))
        process = fields.pop("process")
        return ElsewhereJob(**fields, process=ProcessId(**process) if process else None)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def verdict(run: Run) -> str:
    """Say what became of the job of a run; empty while it may still start, or nobody can tell."""
    job = job_of(run)
    if job is None:
        return ""
    if job.process is not None:
        is_over = job.process.is_here and not job.process.is_alive()
        return _("Its process ended.") if is_over else ""
    state = _slurm_state(job)
    return (
        _("The cluster says {state}.", state=state.lower().replace("_", " "))
        if state in OVER
        else ""
    )


def cancel_job(run: Run) -> None:
    """Take a run out of its cluster's queue, or end its process; it puts a checkpoint away."""
    job = job_of(run)
    if job is None:
        return
    if job.process is not None:
        job.process.terminate()
    elif (slurm := _slurm_job(job)) is not None:
        slurm.cancel(check=False)


def _slurm_state(job: ElsewhereJob) -> str:
    slurm = _slurm_job(job)
    if slurm is None:
        return ""
    try:
        # Asked of Slurm at most once a minute, for all jobs together.
        return str(slurm.state).split(" ")[0].rstrip("+")
    except (OSError, subprocess.SubprocessError):  # no Slurm here
        return ""


def _slurm_job(job: ElsewhereJob) -> Any:
    try:
        import submitit
    except ImportError:
        return None
    return submitit.SlurmJob(folder=job.folder, job_id=job.job_id)


def _path(run: Run) -> Path:
    return run.folder / "job.json"
