"""The compute-optimal size against what a fit rests on: each row, the tail, the Huber delta.

Every curve is made of exact refits in one batch, warm-started from the fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.errors import PlanError
from isoflop.fitting.diagnose import Diagnostics, LeaveOut, Unit, leave_out, weights_without
from isoflop.fitting.solve import anneal, minimise
from isoflop.planning.frontier import compute_optimal
from isoflop.planning.rule import SIX_ND, ComputeRule

SLOPE_STEP = 0.1
"""Step in log compute for the slope of N*."""

MAX_DROPPED_SHARE, MAX_DROPPED = 0.1, 40
DELTAS = np.geomspace(1e-5, 1.0, 36)

Ranking = Literal["loss", "residual"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the optimum is looked for.

    Parameters
    ----------
    compute_flop : float
    rule : ComputeRule
    fixed : mapping of str to float, optional
        Values of the law's other inputs, by table column.
    """

    compute_flop: float
    rule: ComputeRule = SIX_ND
    fixed: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Optima:
    """The optimum at one budget under many parameter vectors; shape (...) each.

    Parameters
    ----------
    params : ndarray
        N*; NaN where there is none.
    exponent : ndarray
        Slope of log N* along log C at the budget: a in N* ~ C**a.
    """

    params: NDArray[np.float64]
    exponent: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Influence:
    """What each row, or run, does to the fit and to the optimum.

    Parameters
    ----------
    left_out : LeaveOut
    with_all : Optima
        Of the fit itself, shape () each.
    without : Optima
        Of the fit without each unit, shape (n_units,) each.
    """

    left_out: LeaveOut
    with_all: Optima
    without: Optima


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The optimum along one choice.

    Parameters
    ----------
    x : ndarray, shape (n,)
        Rows dropped, or the Huber delta; infinite for least squares.
    optima : Optima
        Shape (n,) each.
    theta : ndarray, shape (n, n_params)
    here : float
        Of ``x``, where the fit itself stands.
    """

    x: NDArray[np.float64]
    optima: Optima
    theta: NDArray[np.float64]
    here: float


def optima(setup: Diagnostics, theta: ArrayLike, target: Target) -> Optima:
    """Return the optimum and the exponent of its size under many parameter vectors.

    Parameters
    ----------
    theta : array_like, shape (..., n_params)
        NaN gives NaN.
    """
    vectors = np.asarray(theta, dtype=np.float64)
    is_fitted = np.all(np.isfinite(vectors), axis=-1)
    known = np.where(is_fitted[..., None], vectors, setup.fit.theta)
    steps = np.exp(SLOPE_STEP * np.array([-1.0, 0.0, 1.0]))
    try:
        found = compute_optimal(
            setup.fit.law,
            known[..., None, :],
            target.compute_flop * steps,
            rule=target.rule,
            fixed=target.fixed,
        )
    except PlanError:  # a law without model size or tokens
        nothing = np.full(is_fitted.shape, np.nan)
        return Optima(params=nothing, exponent=nothing)
    logs = np.log(np.where(found.is_interior & is_fitted[..., None], found.params, np.nan))
    return Optima(
        params=np.exp(logs[..., 1]), exponent=(logs[..., 2] - logs[..., 0]) / (2 * SLOPE_STEP)
    )


def influence(setup: Diagnostics, target: Target, *, unit: Unit = "rows") -> Influence:
    """Leave out each row, or each run, in turn."""
    left_out = leave_out(setup, unit=unit)
    return Influence(
        left_out=left_out,
        with_all=optima(setup, setup.fit.theta, target),
        without=optima(setup, left_out.theta, target),
    )


def leave_out_curve(setup: Diagnostics, target: Target, *, by: Ranking = "loss") -> Curve:
    """Return the optimum against the number of rows dropped, the most suspect first.

    Parameters
    ----------
    by : {"loss", "residual"}
        The highest losses first, or the rows furthest from the curve of all rows.
    """
    n_rows = setup.problem.n_rows
    size = setup.rows.target if by == "loss" else np.abs(setup.fit.residuals)
    order = np.argsort(-size, kind="stable")
    most = min(int(np.ceil(MAX_DROPPED_SHARE * n_rows)), MAX_DROPPED)
    most = max(most, min(3, n_rows - setup.n_params - 1), 0)
    counts = np.arange(most + 1)
    theta = setup.refit(weights_without([order[:count] for count in counts], n_rows))
    return Curve(
        x=counts.astype(np.float64), optima=optima(setup, theta, target), theta=theta, here=0.0
    )


def delta_curve(setup: Diagnostics, target: Target) -> Curve | None:
    """Return the optimum against the Huber delta, from absolute values to least squares.

    Parameters
    ----------
    setup : Diagnostics
    target : Target

    Returns
    -------
    Curve or None
        In the unit of the fit's residuals; None for the asymmetric objective, which has no delta.
    """
    if setup.problem.below != 1.0:
        return None
    own = setup.problem.delta
    widest = anneal(setup.problem.with_delta(np.inf), setup.coordinates, setup.fit.theta[None])
    furthest = float(np.max(np.abs(setup.residuals(widest.theta[0]))))
    # Wider than the furthest residual, the objective is least squares.
    deltas = np.unique(np.concatenate([DELTAS[furthest > DELTAS], [own, np.inf]]))
    theta = np.tile(setup.fit.theta, (len(deltas), 1))
    value = np.full(len(deltas), np.inf)
    is_own = deltas == own
    for order in (range(len(deltas))[::-1], range(len(deltas))):
        previous = widest.theta[0]
        for i in order:
            problem = setup.problem.with_delta(float(deltas[i]))
            start = np.stack([previous, setup.fit.theta, theta[i]])
            found = minimise(problem, setup.coordinates, start, max_iterations=200)
            best = int(np.argmin(found.value))
            if found.value[best] < value[i]:
                theta[i], value[i] = found.theta[best], found.value[best]
            previous = theta[i]
    theta[is_own] = setup.fit.theta
    return Curve(x=deltas, optima=optima(setup, theta, target), theta=theta, here=float(own))
