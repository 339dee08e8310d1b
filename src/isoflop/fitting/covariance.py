"""The covariance of estimates from the residuals, without resampling."""

from __future__ import annotations

import numpy as np

from isoflop.fitting.objective import Array, Problem
from isoflop.language import lazy_gettext as _
from isoflop.language import lazy_ngettext as n_

FEWEST_INSIDE = 8
"""Residuals inside the Huber delta, beyond one a parameter, that a standard error needs."""


def residual_covariance(problem: Problem, theta: Array, is_held: Array) -> tuple[Array | None, str]:
    """Return the covariance of an M-estimate.

    For least squares it is ``s**2 inv(J'J)``; for the Huber penalty Huber's first proposal, which
    scales that by the mean squared slope and the share of residuals inside the quadratic part.

    Parameters
    ----------
    problem : Problem
    theta : ndarray, shape (n_params,)
    is_held : ndarray of bool, shape (n_params,)
        Parameters at a bound; their rows and columns are NaN.

    Returns
    -------
    covariance : ndarray, shape (n_params, n_params), or None
    reason : str
        Why there is none; empty otherwise.

    References
    ----------
    Huber 1981, Robust Statistics, section 7.6.
    """
    free = np.flatnonzero(~is_held)
    freedom = problem.n_rows - len(free)
    if freedom <= 0:
        return (
            None,
            _(
                "{rows} nothing to judge {free} parameters by.",
                rows=n_("{n:,} row leaves", "{n:,} rows leave", problem.n_rows),
                free=len(free),
            ),
        )
    jacobian, slope, inside = problem.linearise(theta)
    jacobian = jacobian[:, free]
    if problem.below != 1.0:
        return None, _("The asymmetric objective has no standard error; use the bootstrap.")
    share = 1.0
    if np.isfinite(problem.delta):
        # The curve passes through about as many rows as it has parameters; those say nothing of
        # how dense the residuals are around zero.
        n_inside = int(inside.sum()) - len(free)
        if n_inside < FEWEST_INSIDE:
            return None, (
                _(
                    "Only {sum} of {n_rows} residuals lie inside the Huber delta, too "
                    "few for a residual-based standard error; use the bootstrap.",
                    sum=int(inside.sum()),
                    n_rows=problem.n_rows,
                )
            )
        share = n_inside / freedom
    correction = 1 + len(free) / problem.n_rows * (1 - share) / share
    variance = correction**2 * float(slope @ slope) / freedom / share**2
    scale = np.sqrt(np.sum(jacobian**2, axis=0))
    if not np.all(scale > 0):
        return None, _("A parameter has no influence on the fitted rows.")
    triangle = np.linalg.qr(jacobian / scale, mode="r")
    if np.min(np.abs(np.diagonal(triangle))) < 1e-11:
        return None, _("The rows cannot tell the parameters apart.")
    inverse = np.linalg.inv(triangle) / scale[:, None]
    covariance = np.full((len(theta), len(theta)), np.nan)
    with np.errstate(over="ignore"):
        covariance[np.ix_(free, free)] = variance * (inverse @ inverse.T)
    if not np.isfinite(covariance[np.ix_(free, free)]).all():
        return None, _("The rows hardly determine some parameter: its standard error is too large.")
    return covariance, ""
