"""Evidence that a fit is the global optimum: how its starts ended and how bent it is there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from isoflop.fitting.objective import Array, Evaluation, Problem
from isoflop.fitting.result import Certificate
from isoflop.fitting.seeds import Surface, thin
from isoflop.fitting.solve import Coordinates, Solution, scaled_gradient
from isoflop.laws.law import Law

SAME_OBJECTIVE, SAME_PREDICTIONS = 1e-3, 0.05
"""Two ends are one minimum if their objectives differ by less than this share, and their
predictions on the rows by less than this share of a typical residual. So ends with signs flipped,
with terms swapped or along a ridge are one, whatever their parameters are."""

STEP = 1e-3
"""Steps to either side that check a minimum, in units of each parameter's effect."""

NO_INFLUENCE = 1e-8
"""Change of the loss by an e-fold of a parameter below which that parameter is out of play."""


def certify(
    problem: Problem,
    coordinates: Coordinates,
    theta: Array,
    solution: Solution,
    surface: Surface,
    law: Law,
) -> Certificate:
    """Gather the evidence that one parameter vector is the global optimum.

    Parameters
    ----------
    theta : ndarray, shape (n_params,)
        Natural units.
    solution : Solution
        Where every start ended.
    surface : Surface
        Where the starts came from.
    """
    point = coordinates.pull_back(theta[None], problem.evaluate(theta[None]))
    best = float(point.value[0])
    minima = find_minima(problem, theta, best, solution)
    gaps = [float(solution.value[i] - best) / max(abs(best), 1e-300) for i in minima.others]
    is_held = _at_bound(coordinates, theta, point.gauss_newton[0], problem.n_rows)
    free = np.flatnonzero(~is_held)
    is_free = np.ones((1, len(theta)), dtype=bool)
    is_free[0, is_held] = False
    return Certificate(
        n_starts=len(solution.value),
        share_at_optimum=float(minima.is_best.mean()),
        n_minima=1 + len(gaps),
        gap_to_second=gaps[0] if gaps else None,
        gradient_norm=max(
            gradient_size(problem, point, is_free),
            _way_down(problem, coordinates, theta, point, is_free[0]),
        ),
        condition_number=_condition(point.gauss_newton[0][np.ix_(free, free)]),
        at_bound=tuple(law.params[j].name for j in np.flatnonzero(is_held)),
        n_grid=len(surface.points),
    )


@dataclass(frozen=True, slots=True)
class Minima:
    """Which minima starts ended at.

    Parameters
    ----------
    is_best : ndarray of bool, shape (n_starts,)
        Whether a start ended at the reported optimum.
    others : list of int
        One start that ended at each other minimum, lowest first.
    """

    is_best: Array
    others: list[int]


def find_minima(problem: Problem, theta: Array, best: float, solution: Solution) -> Minima:
    """Tell the minima apart that starts ended at.

    Parameters
    ----------
    theta : ndarray, shape (n_params,)
        The reported optimum.
    best : float
        Its value.
    """
    rows = thin(problem)
    # As residuals, so that differences are on the scale of the fit.
    with np.errstate(all="ignore"):
        residuals = rows.residual(rows.predictions(np.concatenate([theta[None], solution.theta])))
    scale = 1.0 if problem.is_log else float(np.mean(np.abs(problem.target)))
    width = SAME_PREDICTIONS * float(np.median(np.abs(residuals[0]))) + 1e-6 * scale

    def is_like(residual: Array, value: float) -> Array:
        # A perfect fit has a value of rounding size, on which relative gaps mean nothing.
        with np.errstate(invalid="ignore", over="ignore"):
            gap = solution.value - value
            near = gap <= SAME_OBJECTIVE * abs(value) + 1e8 * problem.rounding
            apart = np.sqrt(np.mean((residuals[1:] - residual) ** 2, axis=1))
            return np.asarray(near & (apart <= width))

    is_best = is_like(residuals[0], best)
    left = ~is_best & solution.is_converged & np.isfinite(solution.value)
    others = []
    while left.any():
        first = int(np.argmin(np.where(left, solution.value, np.inf)))
        others.append(first)
        left &= ~is_like(residuals[1 + first], float(solution.value[first]))
        left[first] = False
    return Minima(is_best=is_best, others=others)


def gradient_size(problem: Problem, point: Evaluation, is_free: Array) -> float:
    """Return the largest gradient component, in units of the objective's own spread.

    NaN where a component is not a number.
    """
    value = np.maximum(point.value, problem.rounding)
    return float(scaled_gradient(replace(point, value=value), is_free)[0])


def _way_down(
    problem: Problem, coordinates: Coordinates, theta: Array, point: Evaluation, is_free: Array
) -> float:
    """Return the scaled gradient that values beside a minimum bear witness to, 0 for none lower.

    Derivatives say nothing of a kink, of a jump, or of themselves.
    """
    with np.errstate(all="ignore"):
        spread = np.sqrt(np.diagonal(point.gauss_newton[0]))
        reach = np.where(is_free, STEP * np.sqrt(point.value[0]) / spread, 0.0)
    reach = np.where(np.isfinite(reach), reach, 0.0)
    steps = np.concatenate([np.diag(reach), -np.diag(reach)])
    near = coordinates.outward(coordinates.project(coordinates.inward(theta) + steps))
    drop = float(point.value[0] - np.min(problem.value(near)))
    if drop <= 1e-12 * point.value[0] + problem.rounding:
        return 0.0
    return float(np.sqrt(2 * drop / point.value[0]))


def _at_bound(coordinates: Coordinates, theta: Array, gauss_newton: Array, n_rows: int) -> Array:
    """Return which parameters are at a bound, or ran off to where they change nothing.

    A positive parameter that the rows want to be zero (or infinite) drifts in its logarithm until
    the predictions no longer feel it.
    """
    low, high = coordinates.lower, coordinates.upper
    reach = np.where(np.isfinite(high - low), high - low, 1.0)
    near = (theta - low <= 1e-9 * reach) | (high - theta <= 1e-9 * reach)
    influence = np.sqrt(np.diagonal(gauss_newton) / n_rows)
    ran_off = coordinates.is_log & (influence < NO_INFLUENCE)
    return np.asarray(np.where(coordinates.is_log & (low == 0), ran_off, near | ran_off))


def _condition(matrix: Array) -> float:
    """Return the condition number of a matrix scaled to a unit diagonal."""
    if not len(matrix):
        return 1.0
    scale = np.sqrt(np.maximum(np.diagonal(matrix), 1e-300))
    with np.errstate(all="ignore"):
        scaled = matrix / scale / scale[:, None]
    if not np.isfinite(scaled).all():  # a parameter that ran off
        return float("inf")
    eigenvalues = np.linalg.eigvalsh(scaled)
    return float(eigenvalues[-1] / max(eigenvalues[0], 1e-17))
