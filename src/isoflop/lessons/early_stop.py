"""A search for a fit that stops early: what it would have told, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from isoflop.fitting import FitOptions, fit
from isoflop.fitting.fit import law_coordinates
from isoflop.fitting.rows import problem_on, usable_rows
from isoflop.language import lazy_gettext as _
from isoflop.laws import Law, law_for_role
from isoflop.once import once
from isoflop.options import Option
from isoflop.planning.rule import SIX_ND
from isoflop.tables import LossTable
from isoflop.tables.simulated import simulated_table

Array = NDArray[np.float64]

START: Mapping[str, float] = {"E": 1.0, "A": 148.0, "B": 148.0, "alpha": 0.5, "beta": 0.5}
"""A corner of the grid of starts in Hoffmann et al. 2022, appendix D.2: e = 0, a = b = 5."""
N_STEPS, N_MEMORY = 80, 10
TARGET_FLOP = 1e26
CURVE_FLOP = (1e18, TARGET_FLOP)
N_POINTS = 60
TOKENS_PER_PARAM = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """After how many steps the search ends.

    Parameters
    ----------
    steps : int
    """

    steps: Annotated[
        int,
        Option(
            label=_("Steps of the search"),
            help=_("After how many steps the search for the best parameters is ended."),
            ge=0,
            le=N_STEPS,
            term="early_stopping_fit",
        ),
    ] = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyStop:
    """The fit at one step of a search, beside the optimum.

    Parameters
    ----------
    steps, own_steps : int
        Where it is looked at, and where the optimiser's usual tolerances end it.
    rows_flop, rows_loss : ndarray, shape (n_rows,)
    compute_flop, loss, best_loss : ndarray, shape (n,)
        At 20 tokens per parameter, by the parameters of that step and by the best.
    typical_residual, best_residual : float
        Median size of the residuals of log loss.
    floor, best_floor : float
        E.
    """

    steps: int
    own_steps: int
    rows_flop: Array
    rows_loss: Array
    compute_flop: Array
    loss: Array
    best_loss: Array
    typical_residual: float
    best_residual: float
    floor: float
    best_floor: float

    @property
    def facts(self) -> Mapping[str, str]:
        """What the sentences say, by name."""
        miss = self.loss[-1] / self.best_loss[-1] - 1
        return {
            "steps": f"{self.steps}",
            "own_steps": f"{self.own_steps}",
            "residual": f"{self.typical_residual:.2%}",
            "best_residual": f"{self.best_residual:.2%}",
            "floor": f"{self.floor:.2f}",
            "best_floor": f"{self.best_floor:.2f}",
            "miss": f"{miss:+.1%}".replace("-", "−"),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Path:
    """The parameters after each step of a search, and at the optimum."""

    law: Law
    table: LossTable
    theta: Array
    residual: Array
    own_steps: int
    best: Array
    best_residual: float


@once(max_entries=8)
def _path() -> _Path:
    """Search as papers do: L-BFGS on the mean Huber loss of log loss, from one start.

    References
    ----------
    Besiroglu et al. 2024, arXiv 2404.10102, section 3: the mean in place of the sum lets the
    optimiser's usual tolerances end the search before it has converged.
    """
    law, table = law_for_role("default"), simulated_table()
    problem = problem_on(law, usable_rows(law, table), FitOptions())
    coordinates = law_coordinates(law)

    def mean(inner: Array) -> tuple[float, Array]:
        theta = coordinates.outward(inner)[None]
        found = coordinates.pull_back(theta, problem.evaluate(theta))
        return float(found.value[0]) / problem.n_rows, found.gradient[0] / problem.n_rows

    start = coordinates.inward(np.array([START[name] for name in law.param_names]))
    visited = [start]
    usual = minimize(mean, start, jac=True, method="L-BFGS-B")
    minimize(
        mean,
        start,
        jac=True,
        method="L-BFGS-B",
        callback=lambda intermediate_result: visited.append(intermediate_result.x.copy()),
        options={"maxiter": N_STEPS, "ftol": 0.0, "gtol": 0.0},
    )
    theta = coordinates.outward(np.array(visited))
    best = fit(law, table)
    return _Path(
        law=law,
        table=table,
        theta=theta,
        residual=np.array([problem.typical_residual(one) for one in theta]),
        own_steps=int(usual.nit),
        best=best.theta,
        best_residual=problem.typical_residual(best.theta),
    )


def early_stop(at: Steps) -> EarlyStop:
    """Return what a search for Chinchilla's law on simulated runs says when it is ended."""
    path = _path()
    step = min(at.steps, len(path.theta) - 1)
    flop = np.geomspace(*CURVE_FLOP, N_POINTS)
    params = np.sqrt(flop / SIX_ND.flop_per_param_token / TOKENS_PER_PARAM)
    at_flop = {"N": params, "D": TOKENS_PER_PARAM * params}
    floor = path.law.param_names.index("E")
    return EarlyStop(
        steps=step,
        own_steps=path.own_steps,
        rows_flop=path.table.values("compute_flop"),
        rows_loss=path.table.values("loss"),
        compute_flop=flop,
        loss=path.law.loss(path.theta[step], at_flop),
        best_loss=path.law.loss(path.best, at_flop),
        typical_residual=float(path.residual[step]),
        best_residual=path.best_residual,
        floor=float(path.theta[step][floor]),
        best_floor=float(path.best[floor]),
    )
