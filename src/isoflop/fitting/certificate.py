"""Evidence that a fit is the global optimum: how its starts ended and how bent it is there."""

from __future__ import annotations

import numpy as np

from isoflop.fitting.objective import Array, Evaluation, Problem
from isoflop.fitting.result import Certificate
from isoflop.fitting.seeds import Surface
from isoflop.fitting.solve import Coordinates, Solution
from isoflop.laws.law import Law

SAME_OPTIMUM = 1e-6
"""Relative difference of the objective within which two ends are one optimum."""

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
    is_finished = np.isfinite(solution.value)
    gaps = (solution.value[is_finished] - best) / max(best, 1e-300)
    # A perfect fit has a value of rounding size, on which relative gaps mean nothing.
    is_same = (gaps <= SAME_OPTIMUM) | (solution.value[is_finished] <= 1e8 * problem.rounding)
    others = np.sort(gaps[~is_same & solution.is_converged[is_finished]])
    distinct = others[np.diff(others, prepend=-np.inf) > 1e-4 * (1 + others)]
    is_held = _at_bound(coordinates, theta, point.gauss_newton[0], problem.n_rows)
    free = np.flatnonzero(~is_held)
    is_free = np.ones((1, len(theta)), dtype=bool)
    is_free[0, is_held] = False
    return Certificate(
        n_starts=len(solution.value),
        share_at_optimum=float(is_same.sum() / len(solution.value)),
        n_minima=1 + len(distinct),
        gap_to_second=float(distinct[0]) if len(distinct) else None,
        gradient_norm=gradient_size(problem, point, is_free),
        condition_number=_condition(point.gauss_newton[0][np.ix_(free, free)]),
        at_bound=tuple(law.params[j].name for j in np.flatnonzero(is_held)),
        n_grid=len(surface.points),
    )


def gradient_size(problem: Problem, point: Evaluation, is_free: Array) -> float:
    """Return the largest gradient component, in units of the objective's own spread."""
    spread = np.sqrt(np.maximum(np.diagonal(point.gauss_newton[0]), 1e-300))
    value = max(float(point.value[0]), problem.rounding)
    share = np.abs(point.gradient[0]) / spread / np.sqrt(value)
    return float(np.max(np.where(is_free[0], share, 0.0), initial=0.0))


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
