"""The objective with some parameters held and all others at their best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isoflop.fitting.objective import Array, Evaluation, Problem
from isoflop.fitting.solve import Coordinates, Solution, minimise

TOLERANCE = 1e-8


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditional(Problem):
    """A problem whose held parameters stay where each start puts them.

    Without slope or curvature along them, the solver leaves them alone.

    Parameters
    ----------
    held : tuple of int
        Positions in the parameter vector.
    """

    held: tuple[int, ...]

    def evaluate(
        self, theta: Array, weights: Array | None = None, shift: Array | None = None
    ) -> Evaluation:
        """Evaluate as `Problem.evaluate`, flat along the held parameters."""
        point = Problem.evaluate(self, theta, weights, shift)
        held = list(self.held)
        point.gradient[:, held] = 0.0
        for matrix in (point.hessian, point.gauss_newton):
            matrix[:, held, :] = 0.0
            matrix[:, :, held] = 0.0
        return point


def hold(problem: Problem, *held: int) -> Conditional:
    """Return a problem with some parameters held."""
    return Conditional(
        derived=problem.derived,
        inputs=problem.inputs,
        target=problem.target,
        is_log=problem.is_log,
        delta=problem.delta,
        below=problem.below,
        row_weights=problem.row_weights,
        held=held,
    )


def minimise_held(
    problem: Problem,
    coordinates: Coordinates,
    start: Array,
    *held: int,
    tolerance: float = TOLERANCE,
    max_iterations: int = 60,
) -> Solution:
    """Minimise over all parameters but the held ones, from every start.

    Parameters
    ----------
    start : ndarray, shape (n_batch, n_params)
        Natural units.
    held : int
        Positions in the parameter vector.
    tolerance, max_iterations
        As `minimise`.
    """
    with np.errstate(all="ignore"):  # far from the optimum laws overflow; such ends are infinite
        return minimise(
            hold(problem, *held),
            coordinates,
            start,
            tolerance=tolerance,
            max_iterations=max_iterations,
        )


def response_of_others(hessian: Array, held: int) -> Array:
    """Return how the best values of the other parameters move with a held one, at the optimum.

    Parameters
    ----------
    hessian : ndarray, shape (n_params, n_params)

    Returns
    -------
    ndarray, shape (n_params,)
        1 for the held parameter itself.
    """
    others = [j for j in range(len(hessian)) if j != held]
    slope = np.ones(len(hessian))
    if others:
        scale = 1.0 / np.sqrt(np.maximum(np.abs(np.diagonal(hessian)[others]), 1e-300))
        block = hessian[np.ix_(others, others)] * np.outer(scale, scale)
        found, *_ = np.linalg.lstsq(block, -hessian[others, held] * scale, rcond=1e-12)
        slope[others] = found * scale
    return slope
