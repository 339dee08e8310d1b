"""What a budget buys under a fit, whether or not the law has a best size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from isoflop.fitting import Fit
from isoflop.planning import Accelerator, Budget, Plan, PlanOptions, compute_flop, plan
from isoflop.planning.trajectory import TOKENS_PER_PARAM, assumed_params, optimal_models

Basis = Literal["compute-optimal", "chosen", "assumed"]

LEVEL = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a budget buys under a fit.

    Parameters
    ----------
    plan : Plan
    basis : {"compute-optimal", "chosen", "assumed"}
        Where the plan's size comes from; assumed where the law has no optimum.
    assumption : str
        What an assumed size rests on; empty otherwise.
    """

    plan: Plan
    basis: Basis
    assumption: str = ""


def answer(
    fit: Fit,
    budget: Budget,
    accelerator: Accelerator,
    *,
    params: float | None,
    fixed: Mapping[str, float],
) -> Answer:
    """Plan the run that a budget buys, at the chosen size or else the best one.

    Raises
    ------
    PlanError
        If the budget buys no run.
    """
    flop = compute_flop(budget, accelerator)
    basis: Basis = "chosen"
    assumption = ""
    if params is None:
        basis = "compute-optimal"
        if optimal_models(fit, np.array([flop]), fixed) is None:
            basis = "assumed"
            params = float(assumed_params(np.array([flop]))[0])
            assumption = (
                f"{fit.law.label} says nothing of the best size: {TOKENS_PER_PARAM:g} tokens per "
                "parameter are assumed."
            )
    result = plan(fit, budget, accelerator, PlanOptions(params=params, level=LEVEL), fixed=fixed)
    return Answer(plan=result, basis=basis, assumption=assumption)
