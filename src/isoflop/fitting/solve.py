"""Minimising many copies of one problem at once: damped Newton with exact Hessians.

All starts of a fit, or all resamples of a bootstrap, are one batch. Each problem keeps its own
damping and leaves the batch when it is done. Where the exact Hessian is not positive definite,
the reweighted Gauss-Newton matrix stands in. Bounds are met by projection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from isoflop.fitting.objective import Array, Evaluation, Problem

MAX_STRETCH = 64.0

SMALLEST_PIVOT = 1e-13
SMALLEST_SIZE = 1e-30
"""Below it a parameter that is searched by the logarithm of its size is near zero as it is."""

FLAT = 1e-6
"""Scaled gradient below which an end from which no step leads down is a minimum."""

SAME_END = 1e-7
LAGGING, LAGGING_AFTER = 3.0, 90
"""After so many iterations a start is given up if its value is so many times the best, or if most
of its rivals agree on an end."""

_MAX_DAMPING = 1e14


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordinates:
    """The solver's own parameters: logarithms of positive ones, the others as they are.

    Parameters
    ----------
    is_log : ndarray of bool, shape (n_params,)
    lower, upper : ndarray, shape (n_params,)
        Bounds in natural units.
    is_signed_log : ndarray of bool, shape (n_params,), optional
        Parameters that keep their sign, and are searched by the logarithm of their size.
    """

    is_log: Array
    lower: Array
    upper: Array
    is_signed_log: Array | None = None

    def inward(self, theta: Array) -> Array:
        """Turn natural parameters into internal ones."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            inner = np.where(self.is_log, np.log(theta), theta)
            if self.is_signed_log is not None:
                inner = np.where(self.is_signed_log, np.arcsinh(theta / SMALLEST_SIZE), inner)
            return inner

    def outward(self, internal: Array) -> Array:
        """Turn internal parameters into natural ones."""
        with np.errstate(over="ignore"):
            theta = np.where(self.is_log, np.exp(np.where(self.is_log, internal, 0.0)), internal)
            if self.is_signed_log is not None:
                size = np.sinh(np.where(self.is_signed_log, internal, 0.0))
                theta = np.where(self.is_signed_log, SMALLEST_SIZE * size, theta)
            return theta

    def project(self, internal: Array) -> Array:
        """Move what is out of bounds to the bound."""
        return np.clip(internal, self.inward(self.lower), self.inward(self.upper))

    def pull_back(self, theta: Array, natural: Evaluation) -> Evaluation:
        """Turn derivatives by natural parameters into derivatives by internal ones."""
        is_bent = self.is_log
        scale = np.where(self.is_log, theta, 1.0)
        diagonal = np.arange(theta.shape[1])
        with np.errstate(all="ignore"):  # runaway steps overflow here and are rejected after
            if self.is_signed_log is not None:
                is_bent = is_bent | self.is_signed_log
                scale = np.where(self.is_signed_log, np.hypot(theta, SMALLEST_SIZE), scale)
            outer = scale[:, :, None] * scale[:, None, :]
            hessian = natural.hessian * outer
            hessian[:, diagonal, diagonal] += np.where(is_bent, natural.gradient * theta, 0.0)
            return Evaluation(
                natural.value, natural.gradient * scale, hessian, natural.gauss_newton * outer
            )


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
    n_evaluations : int
        Of the objective with its derivatives, over all problems.
    """

    theta: Array
    value: Array
    is_converged: Array
    n_iterations: int
    n_evaluations: int

    def lower_of(self, other: Solution) -> Solution:
        """Return the lower end of each problem."""
        is_lower = (other.value < self.value) | ~np.isfinite(self.value)
        return Solution(
            theta=np.where(is_lower[:, None], other.theta, self.theta),
            value=np.where(is_lower, other.value, self.value),
            is_converged=np.where(is_lower, other.is_converged, self.is_converged),
            n_iterations=max(self.n_iterations, other.n_iterations),
            n_evaluations=self.n_evaluations + other.n_evaluations,
        )

    def joined(self, other: Solution) -> Solution:
        """Return the ends of both."""
        return Solution(
            theta=np.concatenate([self.theta, other.theta]),
            value=np.concatenate([self.value, other.value]),
            is_converged=np.concatenate([self.is_converged, other.is_converged]),
            n_iterations=max(self.n_iterations, other.n_iterations),
            n_evaluations=self.n_evaluations + other.n_evaluations,
        )


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
        problem,
        coordinates,
        start,
        projector=projector,
        max_iterations=max_iterations,
        are_rivals=True,
    )
    finite = np.isfinite(solution.value)
    if not finite.any() or not np.isfinite(problem.delta):
        return solution
    typical = problem.typical_residual(solution.theta[int(np.argmin(solution.value))])
    stages = int(np.ceil(np.log10(max(typical / problem.delta, 1e-300))))
    if stages < 3:
        return solution
    staged = descend(problem, coordinates, start, stages, max_iterations=max_iterations)
    return solution.lower_of(staged)


def descend(
    problem: Problem,
    coordinates: Coordinates,
    start: Array,
    n_stages: int = 3,
    *,
    max_iterations: int = 400,
) -> Solution:
    """Minimise with a quadratic part that narrows tenfold each stage, down to the problem's own.

    Parameters
    ----------
    n_stages : int
        Stages before the last; none where the objective is quadratic throughout.
    """
    theta, n_before = start, 0
    for power in range(n_stages if np.isfinite(problem.delta) else 0, 0, -1):
        stage = problem.with_delta(problem.delta * 10.0**power)
        wide = minimise(stage, coordinates, theta, are_rivals=True)
        theta, n_before = wide.theta, n_before + wide.n_evaluations
    last = minimise(problem, coordinates, theta, max_iterations=max_iterations, are_rivals=True)
    return replace(last, n_evaluations=last.n_evaluations + n_before)


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
    are_rivals: bool = False,
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
    are_rivals : bool
        Whether all are starts of one problem, of which the lowest end counts: those about to reach
        it stop there, and after many iterations those are given up that are far above it, or left
        over when most have reached it.
    """
    internal = coordinates.project(coordinates.inward(start))
    theta = coordinates.outward(internal)
    point = coordinates.pull_back(theta, problem.evaluate(theta, weights, shift))
    lower, upper = coordinates.inward(coordinates.lower), coordinates.inward(coordinates.upper)
    factor = np.full(len(start), float(damping))
    stretch = np.ones(len(start))
    is_converged = np.zeros(len(start), dtype=bool)
    active = np.flatnonzero(np.isfinite(point.value))
    iteration, n_evaluations = 0, len(start)
    while len(active) and iteration < max_iterations:
        iteration += 1
        here, current = point.rows(active), internal[active]
        is_held = ((current <= lower) & (here.gradient > 0)) | (
            (current >= upper) & (here.gradient < 0)
        )
        step, predicted = newton_step(here, factor[active], ~is_held)
        is_done, is_over = _ended(here, predicted, factor[active], ~is_held, tolerance)
        if are_rivals:
            is_done |= _has_joined(here.value, predicted, point.value[is_converged])
            is_over |= is_done
            if iteration > LAGGING_AFTER:
                is_over |= _lags(here.value, point.value, point.value[is_converged])
        is_converged[active[is_done]] = True
        going = ~is_over
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
        n_evaluations += len(active)
        is_better = (there.value < here.value) & np.isfinite(there.gradient).all(axis=1)
        better = active[is_better]
        internal[better] = moved[is_better]
        point.put(better, there.rows(is_better))
        with np.errstate(over="ignore"):  # a step that predicts next to nothing
            gain = (here.value - there.value) / np.maximum(predicted, 1e-300)
        # The damping answers to plain steps alone.
        factor[active] *= np.where(reach == 1.0, _damping_change(gain, is_better), 1.0)
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
        n_evaluations=n_evaluations,
    )


def _ended(
    here: Evaluation, predicted: Array, damping: Array, is_free: Array, tolerance: float
) -> tuple[Array, Array]:
    """Say which problems are at a minimum, and which are over, there or at a wall."""
    # A small predicted decrease under little damping is convergence; under much it is a wall.
    small = predicted <= tolerance * np.maximum(np.abs(here.value), 1e-300)
    is_done = small & (damping < 1.0)
    is_stuck = damping > _MAX_DAMPING
    if is_stuck.any():
        is_done |= is_stuck & (scaled_gradient(here, is_free) < FLAT)
    return is_done, is_done | is_stuck


def _damping_change(gain: Array, is_better: Array) -> Array:
    """Return the factor for the damping, by how much of what a step predicted came true."""
    change = np.where(gain > 0.75, 0.1, np.where(gain > 0.25, 0.5, 2.0))
    return np.where(is_better, change, 8.0)


def _lags(value: Array, values: Array, ends: Array) -> Array:
    """Say which problems are far above the best, or all of them where most rivals agree."""
    best = float(np.min(values))
    if 2 * int(np.sum(ends <= best * (1 + SAME_END))) > len(values):
        return np.ones(len(value), dtype=bool)
    return np.asarray(value > LAGGING * best)


def scaled_gradient(point: Evaluation, is_free: Array) -> Array:
    """Return the largest component of each gradient, in units of the objective's own spread.

    Returns
    -------
    ndarray, shape (n_batch,)
        NaN where a component is not a number.
    """
    with np.errstate(all="ignore"):
        spread = np.sqrt(np.maximum(np.diagonal(point.gauss_newton, axis1=1, axis2=2), 1e-300))
        share = np.abs(point.gradient) / spread / np.sqrt(np.maximum(point.value, 1e-300))[:, None]
    return np.asarray(np.max(np.where(is_free, share, 0.0), axis=1, initial=0.0))


def _has_joined(value: Array, predicted: Array, ends: Array) -> Array:
    """Say which problems are about to end where the lowest of their rivals has ended."""
    if not len(ends):
        return np.zeros(len(value), dtype=bool)
    best = float(np.min(ends))
    near = SAME_END * max(abs(best), 1e-300)
    return np.asarray((np.abs(value - best) <= near) & (predicted <= near))
