"""From a fit to a run: accelerators, budget, optimal model and data size, time and money."""

from isoflop.planning.acquisition import Acquisition
from isoflop.planning.budget import compute_flop
from isoflop.planning.constraints import Setting
from isoflop.planning.cost import Site, cost
from isoflop.planning.failures import Failures, Interruptions, interruptions
from isoflop.planning.frontier import compute_optimal, frontier
from isoflop.planning.hardware import (
    DEFAULT_ACCELERATOR,
    find_accelerator,
    load_accelerators,
)
from isoflop.planning.inverse import least_compute
from isoflop.planning.layout import Layout
from isoflop.planning.options import PlanOptions
from isoflop.planning.plan import plan, plan_within
from isoflop.planning.rule import ComputeRule
from isoflop.planning.schedule import Schedule
from isoflop.planning.serving import Requests
from isoflop.planning.step_time import StepTime, step_time
from isoflop.planning.step_work import Cluster, TrainingStep
from isoflop.planning.storage import CheckpointPolicy
from isoflop.planning.surface import loss_surface
from isoflop.planning.types import (
    Accelerator,
    Budget,
    Cost,
    Frontier,
    Interval,
    Optimum,
    Plan,
)

__all__ = [
    "DEFAULT_ACCELERATOR",
    "Accelerator",
    "Acquisition",
    "Budget",
    "CheckpointPolicy",
    "Cluster",
    "ComputeRule",
    "Cost",
    "Failures",
    "Frontier",
    "Interruptions",
    "Interval",
    "Layout",
    "Optimum",
    "Plan",
    "PlanOptions",
    "Requests",
    "Schedule",
    "Setting",
    "Site",
    "StepTime",
    "TrainingStep",
    "compute_flop",
    "compute_optimal",
    "cost",
    "find_accelerator",
    "frontier",
    "interruptions",
    "least_compute",
    "load_accelerators",
    "loss_surface",
    "plan",
    "plan_within",
    "step_time",
]
