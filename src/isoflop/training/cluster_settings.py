"""What a cluster is asked for: one description for submitit and for the command line."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from isoflop.errors import TrainingError
from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.options import Option, problems

Executor = Literal["slurm", "local"]

GRACE_S = 120
"""How long before the end Slurm warns a task, so that it can put its checkpoint away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """What the cluster is asked for.

    Parameters
    ----------
    executor : {"slurm", "local"}
        Slurm, or processes on this machine, one a run, all at once.
    partition, account : str or None
        None for the cluster's default.
    n_parallel : int
        Tasks of the array that run at once.
    time_s : float
        Wall-clock limit of a task; one that reaches it is queued again.
    cpus_per_task, gpus_per_task : int
    memory_bytes : int
    """

    executor: Annotated[
        Executor, Option(label=_("Executor"), help=_("Slurm, or processes of this machine."))
    ] = "slurm"
    partition: Annotated[
        str | None,
        Option(label=_("Partition"), help=_("Where to run; else the cluster's default.")),
    ] = None
    account: Annotated[
        str | None,
        Option(label=_("Account"), help=_("Whom to charge; else the cluster's default.")),
    ] = None
    n_parallel: Annotated[
        int, Option(label=_("Tasks at once"), help=_("Of the array."), flag="parallel", ge=1)
    ] = 16
    time_s: Annotated[
        float,
        Option(
            label=_("Time of a task"),
            help=_("Wall-clock limit; a task that reaches it is queued again and goes on."),
            dimension="seconds",
            flag="task-time",
            ge=300.0,
        ),
    ] = 3600.0
    cpus_per_task: Annotated[
        int, Option(label=_("Cores a task"), help=_("One computes."), flag="cpus", ge=1)
    ] = 1
    gpus_per_task: Annotated[
        int, Option(label=_("GPUs a task"), help=_("One is used."), flag="gpus", ge=0)
    ] = 0
    memory_bytes: Annotated[
        float,
        Option(
            label=_("Memory a task"),
            help=_("That the cluster reserves."),
            dimension="bytes",
            flag="task-memory",
            gt=0.0,
        ),
    ] = 8e9

    def __post_init__(self) -> None:
        if wrong := problems(self):
            raise TrainingError(
                _("A cluster cannot be asked for this."), detail=joined("\n", wrong)
            )

    def parameters(self) -> dict[str, Any]:
        """Return them under submitit's names."""
        found: dict[str, Any] = {
            "timeout_min": math.ceil(self.time_s / 60),
            "cpus_per_task": self.cpus_per_task,
            "mem_gb": math.ceil(self.memory_bytes / 1e9),
            "name": "isoflop-ladder",
        }
        if self.gpus_per_task:
            found["gpus_per_node"] = self.gpus_per_task
        if self.executor == "slurm":
            found["slurm_array_parallelism"] = self.n_parallel
            found["slurm_signal_delay_s"] = GRACE_S
            found |= {"slurm_partition": self.partition} if self.partition else {}
            found |= {"slurm_account": self.account} if self.account else {}
        return found
