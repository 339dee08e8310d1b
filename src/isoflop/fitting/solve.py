"""Minimising many copies of one problem at once: damped Newton with exact Hessians.

All starts of a fit, or all resamples of a bootstrap, are one batch. Each problem keeps its own
damping and leaves the batch when it is done. Where the exact Hessian is not positive definite,
the reweighted Gauss-Newton matrix stands in. Bounds are met by projection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from isoflop.fitting.objective import Array, Evaluation, Problem

MAX_STRETCH = 64.0

SMALLEST_PIVOT = 1e-13

_MAX_DAMPING = 1e14


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordinates:
    """The solver's own parameters: logarithms of positive ones, the others as they are.

    Parameters
    ----------
    is_log : ndarray of bool, shape (n_params,)
    lower, upper : ndarray, shape (n_params,)
        Bounds in natural units.
    """

    is_log: Array
    lower: Array
    upper: Array

    def inward(self, theta: Array) -> Array:
        """Turn natural parameters into internal ones."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.is_log, np.log(theta), theta)

    def outward(self, internal: Array) -> Array:
        """Turn internal parameters into natural ones."""
        with np.errstate(over="ignore"):
            return np.where(self.is_log, np.exp(np.where(self.is_log, internal, 0.0)), internal)

    def project(self, internal: Array) -> Array:
        """Move what is out of bounds to the bound."""
        return np.clip(internal, self.inward(self.lower), self.inward(self.upper))

    def pull_back(self, theta: Array, natural: Evaluation) -> Evaluation:
        """Turn derivatives by natural parameters into derivatives by internal ones."""
        scale = np.where(self.is_log, theta, 1.0)
        diagonal = np.arange(theta.shape[1])
        with np.errstate(all="ignore"):  # runaway steps overflow here and are rejected after
            gradient = natural.gradient * scale
            outer = scale[:, :, None] * scale[:, None, :]
            hessian = natural.hessian * outer
            hessian[:, diagonal, diagonal] += np.where(self.is_log, gradient, 0.0)
            return Evaluation(natural.value, gradient, hessian, natural.gauss_newton * outer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """Where each problem of a batch ended.

    Parameters
    ----------
    theta : ndarray, shape (n_batch, n_params)
        Natural units.
    value : ndarray, shape (n_batch,)
    is_converged : ndarray of bool, shape (n_batch,)
    n_iterations : int
    """

    theta: Array
    value: Array
    is_converged: Array
    n_iterations: int


def solve_definite(matrix: Array, vector: Array) -> tuple[Array, Array]:
    """Solve a batch of small symmetric systems.

    Parameters
    ----------
    matrix : ndarray, shape (n_batch, n, n)
        With a unit diagonal or so; pivots are compared with ``SMALLEST_PIVOT``.
    vector : ndarray, shape (n_batch, n)

    Returns
    -------
    solution : ndarray, shape (n_batch, n)
    is_definite : ndarray of bool, shape (n_batch,)
        Where it is False the solution is meaningless.
    """
    n = vector.shape[1]
    work = np.empty((n, n + 1, len(vector)))  # elimination, one number of every system at a time
    work[:, :n] = matrix.transpose(1, 2, 0)
    work[:, n] = vector.T
    is_definite = np.ones(len(vector), dtype=bool)
    for j in range(n):
        is_good = work[j, j] > SMALLEST_PIVOT
        is_definite &= is_good
        row = work[j, j + 1 :] / np.where(is_good, work[j, j], 1.0)
        if j + 1 < n:  # the column below the pivot is, by symmetry, the row beside it
            work[j + 1 :, j + 1 :] -= work[j, j + 1 : n, None] * row
        work[j, j + 1 :] = row
    solution = work[:, n]
    for j in range(n - 1, 0, -1):
        solution[:j] -= work[:j, j] * solution[j]
    return np.ascontiguousarray(solution.T), is_definite


def newton_step(point: Evaluation, damping: Array, is_free: Array) -> tuple[Array, Array]:
    """Return the damped step of each problem and the decrease it predicts.

    Parameters
    ----------
    point : Evaluation
        In internal coordinates.
    damping : ndarray, shape (n_batch,)
    is_free : ndarray of bool, shape (n_batch, n_params)
        Parameters held at a bound do not move.
    """
    n = point.gradient.shape[1]
    diagonal = np.arange(n)
    spread = point.gauss_newton[:, diagonal, diagonal]
    # A parameter without any influence on the rows does not move.
    is_free = is_free & (spread > 1e-290)
    scale = np.where(is_free, 1.0 / np.sqrt(np.where(is_free, spread, 1.0)), 0.0)
    outer = scale[:, :, None] * scale[:, None, :]
    gradient = point.gradient * scale
    shift = np.where(is_free, damping[:, None], 1.0)

    def solve(matrix: Array) -> tuple[Array, Array]:
        with np.errstate(invalid="ignore"):  # a held parameter may be infinite; its row is not used
            scaled = np.where(outer > 0, matrix * outer, 0.0)
        scaled[:, diagonal, diagonal] += shift
        return solve_definite(scaled, -gradient)

    with np.errstate(invalid="ignore", over="ignore"):  # an infinite matrix is not definite
        step, is_definite = solve(point.hessian)
    if not is_definite.all():
        other = ~is_definite
        shift = np.where(is_free[other], np.maximum(damping[other], 1e-10)[:, None], 1.0)
        outer, gradient = outer[other], gradient[other]
        with np.errstate(invalid="ignore", over="ignore"):  # its step leads nowhere and is rejected
            step[other], _ = solve(point.gauss_newton[other])
    predicted = -np.einsum("bj,bj->b", point.gradient * scale, step) / 2
    return step * scale, predicted


Projector = Callable[[Array], Array]
"""Replaces the linear parameters of each vector of a batch by their best values."""


def anneal(
    problem: Problem,
    coordinates: Coordinates,
    start: Array,
    *,
    projector: Projector | None = None,
    max_iterations: int = 400,
) -> Solution:
    """Minimise with a quadratic part that narrows step by step to the problem's own.

    A penalty whose quadratic part is far narrower than the residuals is nearly an absolute value,
    whose kinks stop Newton steps; each stage starts where the wider one ended.
    """
    solution = minimise(
        problem, coordinates, start, projector=projector, max_iterations=max_iterations
    )
    finite = np.isfinite(solution.value)
    if not finite.any() or not np.isfinite(problem.delta):
        return solution
    typical = problem.typical_residual(solution.theta[int(np.argmin(solution.value))])
    stages = int(np.ceil(np.log10(max(typical / problem.delta, 1e-300))))
    if stages < 3:
        return solution
    theta = start
    for power in range(stages, -1, -1):
        stage = problem.with_delta(problem.delta * 10.0**power)
        solution = minimise(stage, coordinates, theta, max_iterations=max_iterations)
        theta = solution.theta
    return solution


def minimise(
    problem: Problem,
    coordinates: Coordinates,
    start: Array,
    weights: Array | None = None,
    shift: Array | None = None,
    *,
    projector: Projector | None = None,
    tolerance: float = 1e-12,
    max_iterations: int = 100,
    damping: float = 1e-3,
) -> Solution:
    """Minimise a problem from every start.

    Parameters
    ----------
    problem : Problem
    coordinates : Coordinates
    start : ndarray, shape (n_batch, n_params)
        Natural units; invalid starts stay where they are with an infinite value.
    weights : ndarray, shape (n_rows,) or (n_batch, n_rows), optional
        Row weights.
    shift : ndarray, shape (n_batch, n_rows), optional
        Added to the residuals, as if the observed losses were others.
    tolerance : float
        Done when the decrease that a step predicts falls below this share of the value.
    projector : callable, optional
        For objectives on which the linear parameters have a closed form: applied after each step,
        which turns the search into one over the nonlinear parameters.
    max_iterations : int
    damping : float
        At the start, relative to the Gauss-Newton diagonal.
    """
    internal = coordinates.project(coordinates.inward(start))
    theta = coordinates.outward(internal)
    point = coordinates.pull_back(theta, problem.evaluate(theta, weights, shift))
    lower, upper = coordinates.inward(coordinates.lower), coordinates.inward(coordinates.upper)
    factor = np.full(len(start), float(damping))
    stretch = np.ones(len(start))
    is_converged = np.zeros(len(start), dtype=bool)
    active = np.flatnonzero(np.isfinite(point.value))
    iteration = 0
    while len(active) and iteration < max_iterations:
        iteration += 1
        here, current = point.rows(active), internal[active]
        is_held = ((current <= lower) & (here.gradient > 0)) | (
            (current >= upper) & (here.gradient < 0)
        )
        step, predicted = newton_step(here, factor[active], ~is_held)
        # A small predicted decrease under little damping is convergence; under much it is a wall.
        small = predicted <= tolerance * np.maximum(np.abs(here.value), 1e-300)
        is_done = small & (factor[active] < 1.0)
        is_stuck = factor[active] > _MAX_DAMPING
        is_converged[active[is_done | (is_stuck & small)]] = True
        going = ~(is_done | is_stuck)
        active, here, predicted = active[going], here.rows(going), predicted[going]
        if not len(active):
            break
        reach = stretch[active]
        moved = coordinates.project(current[going] + reach[:, None] * step[going])
        theta = coordinates.outward(moved)
        if projector is not None:
            theta = projector(theta)
            moved = coordinates.project(coordinates.inward(theta))
            theta = coordinates.outward(moved)
        part = weights if weights is None or weights.ndim == 1 else weights[active]
        moves = shift if shift is None else shift[active]
        there = coordinates.pull_back(theta, problem.evaluate(theta, part, moves))
        is_better = (there.value < here.value) & np.isfinite(there.gradient).all(axis=1)
        better = active[is_better]
        internal[better] = moved[is_better]
        point.put(better, there.rows(is_better))
        with np.errstate(over="ignore"):  # a step that predicts next to nothing
            gain = (here.value - there.value) / np.maximum(predicted, 1e-300)
        is_plain = reach == 1.0
        shrink = np.where(gain > 0.75, 0.1, np.where(gain > 0.25, 0.5, 2.0))
        shrink = np.where(is_better, shrink, 8.0)
        factor[active] = np.where(is_plain, factor[active] * shrink, factor[active])
        factor[active] = np.maximum(factor[active], 1e-12)
        # Far from its kinks the Huber penalty is linear and gains twice what its bowl predicts:
        # go further each time until it does not pay.
        pays = is_better & (gain > 1.5 * reach)
        stretch[active] = np.where(pays, np.minimum(2 * reach, MAX_STRETCH), 1.0)
    return Solution(
        theta=coordinates.outward(internal),
        value=point.value,
        is_converged=is_converged,
        n_iterations=iteration,
    )
