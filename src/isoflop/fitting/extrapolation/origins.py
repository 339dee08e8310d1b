"""Rolling origin: what each law would have said of a table's own largest runs, before they ran.

References
----------
Tashman 2000, Out-of-sample tests of forecasting accuracy, International Journal of Forecasting 16.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting.extrapolation.members import FEWEST_ROWS, Member, Members
from isoflop.fitting.fit import law_coordinates
from isoflop.fitting.solve import minimise

Array = NDArray[np.float64]

N_STARTS = 6
LEAST_ERROR = 1e-9
"""Errors of log loss below this are rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """How the laws of a table did at each cut.

    Parameters
    ----------
    error : ndarray, shape (n_laws, n_cuts)
        Mean size of the error of log loss above the cut; NaN where the rows below are too few.
    """

    error: Array

    @property
    def n_cuts(self) -> int:
        """Cuts at which any law could be judged."""
        return int(np.isfinite(self.error).any(axis=0).sum())

    @property
    def past_error(self) -> Array:
        """Mean over a law's cuts, shape (n_laws,); NaN without any."""
        return _row_means(self.error)

    @property
    def score(self) -> Array:
        """Geometric mean of a law's error over the median law's, shape (n_laws,)."""
        known = self.error[:, np.isfinite(self.error).any(axis=0)]
        if not known.shape[1]:
            return np.full(len(self.error), np.nan)
        relative = np.log(np.maximum(known, LEAST_ERROR))
        relative = relative - np.nanmedian(relative, axis=0)
        return np.asarray(np.exp(_row_means(relative)))

    def weights(self, power: float) -> Array:
        """Return weights that sum to 1; equal where no law could be judged."""
        score = self.score
        raw = np.where(np.isfinite(score), np.nan_to_num(score, nan=1.0) ** -power, 0.0)
        raw = raw if raw.any() else np.ones(len(score))
        return np.asarray(raw / raw.sum())


def _row_means(values: Array) -> Array:
    """Return the mean of each row's finite values; NaN where there is none."""
    n = np.isfinite(values).sum(axis=1)
    total = np.nan_to_num(values).sum(axis=1)
    return np.asarray(np.divide(total, n, out=np.full(len(n), np.nan), where=n > 0))


def rolling_origin(found: Members, cuts_decades: tuple[float, ...]) -> Record:
    """Fit every law below each cut and see how far it is off above.

    Parameters
    ----------
    found : Members
    cuts_decades : tuple of float
        Decades held out below the largest run; cuts with fewer than four rows below, or none
        above, are left out, and so are cuts that hold out the same rows as another.
    """
    scale = found.table.values(found.scale)
    below = {
        tuple(scale <= scale.max() / 10**decades * (1 + 1e-9)) for decades in sorted(cuts_decades)
    }
    usable = np.array(sorted(mask for mask in below if FEWEST_ROWS <= sum(mask) < len(mask)))
    if not len(usable):
        return Record(error=np.empty((len(found.found), 0)))
    return Record(error=np.stack([_errors(member, usable) for member in found.found]))


def _errors(member: Member, below: NDArray[np.bool_]) -> Array:
    """Return a law's mean error above each cut, all cuts as one batch of weighted problems."""
    law, problem = member.fit.law, member.problem
    error = np.full(len(below), np.nan)
    is_enough = below.sum(axis=1) >= len(law.params)
    if not is_enough.any():
        return error
    weights = below[is_enough].astype(np.float64)
    starts = _starts(member, weights)
    solution = minimise(
        problem,
        law_coordinates(law),
        starts.reshape(-1, starts.shape[2]),
        np.repeat(weights, starts.shape[1], axis=0),
        tolerance=1e-8,
        damping=1e-4,
    )
    value = np.where(np.isfinite(solution.value), solution.value, np.inf).reshape(starts.shape[:2])
    best = solution.theta.reshape(starts.shape)[np.arange(len(value)), np.argmin(value, axis=1)]
    off = np.abs(problem.residual(problem.predictions(best)))
    found = np.where(weights == 0, off, 0.0).sum(axis=1) / (weights == 0).sum(axis=1)
    is_known = np.isfinite(value).any(axis=1) & np.isfinite(found)
    error[np.flatnonzero(is_enough)[is_known]] = found[is_known]
    return error


def _starts(member: Member, weights: Array) -> Array:
    """Return where each cut's fit starts: the fit to all rows, and the draws that suit it best."""
    theta, draws = member.fit.theta, member.fit.draws
    if draws is None:
        return np.repeat(theta[None, None], len(weights), axis=0)
    penalties = member.problem.penalties(draws)
    values = weights @ np.where(np.isfinite(penalties), penalties, np.inf).T
    values = np.where(np.isnan(values), np.inf, values)
    near = draws[np.argsort(values, axis=1)[:, : N_STARTS - 1]]
    own = np.broadcast_to(theta, (len(weights), 1, len(theta)))
    return np.asarray(np.concatenate([own, near], axis=1))
