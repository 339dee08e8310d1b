"""What a bound does to a fit that ends at it: how hard it holds, and the fit without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from isoflop.fitting.objective import Array, Problem
from isoflop.fitting.result import BindingBound
from isoflop.fitting.solve import Coordinates, minimise
from isoflop.laws.law import Law

STEP = 0.01
"""Relative step beyond the bound by which its gradient is told."""

N_ENDS = 8
"""Ends of the search that the fit without a bound also starts from."""

AWAY = (1.1, 1.5, 2.0, 4.0)
"""Factors, and steps in the parameter's own size, that it starts beyond the bound by."""


def binding_bounds(
    law: Law, problem: Problem, coordinates: Coordinates, theta: Array, ends: Array
) -> tuple[BindingBound, ...]:
    """Return the bounds that an optimum lies at, each with the fit without it.

    Parameters
    ----------
    theta : ndarray, shape (n_params,)
        The optimum, natural units.
    ends : ndarray, shape (n_ends, n_params)
        Where starts of the search ended, the lowest first.
    """
    found = []
    lower, upper = coordinates.lower, coordinates.upper
    for j, param in enumerate(law.params):
        at_upper = np.isfinite(upper[j]) and theta[j] >= upper[j] - _slack(upper[j])
        at_lower = np.isfinite(lower[j]) and theta[j] <= lower[j] + _slack(lower[j])
        is_open = coordinates.is_log[j] and lower[j] == 0  # a logarithm never gets to zero
        if at_upper or (at_lower and not is_open):
            end = float(upper[j] if at_upper else lower[j])
            bound = _bound(problem, coordinates, theta, ends, j, end, bool(at_upper))
            found.append(replace(bound, name=param.name))
    return tuple(found)


def _slack(end: float) -> float:
    return 1e-9 * max(abs(float(end)), 1e-3)


def _bound(
    problem: Problem,
    coordinates: Coordinates,
    theta: Array,
    ends: Array,
    j: int,
    end: float,
    is_upper: bool,
) -> BindingBound:
    point = problem.evaluate(theta[None])
    value = max(float(point.value[0]), problem.rounding)
    outward = 1.0 if is_upper else -1.0
    step = STEP * (abs(end) if end else _size(problem, theta, j))
    fall = -outward * float(point.gradient[0, j]) * step / value
    freed, best = _without(problem, coordinates, theta, ends, j, outward * step / STEP)
    return BindingBound(
        name="",
        end=end,
        is_upper=is_upper,
        step=step,
        fall=fall,
        value_without=None if freed is None else float(freed[j]),
        objective_ratio=None if freed is None else value / max(best, problem.rounding),
    )


def _size(problem: Problem, theta: Array, j: int) -> float:
    """Return the change of a parameter that moves the predictions by their own size."""
    jacobian, _, _ = problem.linearise(theta)
    size = 1.0 if problem.is_log else float(np.sqrt(np.mean(problem.target**2)))
    slope = float(np.sqrt(np.mean(jacobian[:, j] ** 2)))
    return size / slope if slope > 0 else 1.0


def _without(
    problem: Problem, coordinates: Coordinates, theta: Array, ends: Array, j: int, reach: float
) -> tuple[Array | None, float]:
    """Return the best fit without the bounds of one parameter, and its objective."""
    free = replace(
        coordinates,
        lower=_changed(coordinates.lower, j, 0.0 if coordinates.is_log[j] else -np.inf),
        upper=_changed(coordinates.upper, j, np.inf),
    )
    starts: Sequence[Array] = [theta, *ends[:N_ENDS]]
    for factor in AWAY:
        moved = theta.copy()
        is_log = coordinates.is_log[j]
        moved[j] = (
            theta[j] * factor ** np.sign(reach) if is_log else theta[j] + (factor - 1) * reach
        )
        starts = [*starts, moved]
    solution = minimise(problem, free, np.stack(starts), max_iterations=200)
    if not np.isfinite(solution.value).any():
        return None, float("inf")
    best = int(np.argmin(np.where(np.isfinite(solution.value), solution.value, np.inf)))
    return solution.theta[best], float(solution.value[best])


def _changed(values: Array, j: int, value: float) -> Array:
    result = values.copy()
    result[j] = value
    return result
