"""Residuals on one scale, how normal they are, and how far each row can pull the fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import betaincinv, ndtri

from isoflop.fitting.diagnose.refit import Diagnostics
from isoflop.fitting.objective import Array
from isoflop.once import once

TO_SIGMA = 1.4826
"""Median absolute deviation of a normal distribution, to its standard deviation."""

N_WINDOWS = 12
MIN_PER_WINDOW = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Residuals:
    """What the law leaves unexplained, row by row.

    Parameters
    ----------
    frame : pandas.DataFrame
        The fitted rows of the table, in the fit's order.
    response : str
        Column that was fitted.
    fitted : ndarray, shape (n_rows,)
        Loss that the law gives.
    residual : ndarray, shape (n_rows,)
        Observed minus fitted, in log loss for log objectives and in loss otherwise.
    weighted : ndarray, shape (n_rows,)
        Residuals in units of those of a row of weight 1.
    leverage : ndarray, shape (n_rows,)
        Weight of each row in its own fitted value under least squares, 0 to 1; its mean is the
        number of parameters over that of rows.
    standardised : ndarray, shape (n_rows,)
        Residuals over their own robust standard deviation.
    scale : float
        Robust standard deviation of the weighted residuals; 0 where most are zero.
    """

    frame: pd.DataFrame
    response: str
    fitted: Array
    residual: Array
    weighted: Array
    leverage: Array
    standardised: Array
    scale: float

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each fitted one, by its index in the table, with its run if known."""
        columns: dict[str, object] = {}
        if "run_id" in self.frame:
            columns["run_id"] = self.frame["run_id"]
        columns |= {
            "observed": self.frame[self.response],
            "fitted": self.fitted,
            "residual": self.residual,
            "standardised": self.standardised,
            "leverage": self.leverage,
        }
        return pd.DataFrame(columns, index=self.frame.index)

    def furthest(self, count: int) -> pd.DataFrame:
        """Return the rows furthest from the curve, the furthest first, as `to_frame` has them."""
        order = np.argsort(-np.abs(self.standardised), kind="stable")[:count]
        return self.to_frame().iloc[order]

    def are_far(self, n_sigma: float) -> bool:
        """Say whether a row lies more than so many robust standard deviations off the curve."""
        return self.scale > 0 and float(np.max(np.abs(self.weighted))) > n_sigma * self.scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """Residuals in order against those of a normal distribution.

    Parameters
    ----------
    order : ndarray of int, shape (n_rows,)
        Position of the row at each place.
    normal : ndarray, shape (n_rows,)
        Median of each place in a normal sample.
    observed : ndarray, shape (n_rows,)
        Standardised residuals, ascending.
    lower, upper : ndarray, shape (n_rows,)
        Range of each place by itself in a normal sample, at ``level``.
    level : float
    """

    order: Array
    normal: Array
    observed: Array
    lower: Array
    upper: Array
    level: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """Medians of the residuals in windows along a quantity; shape (n_windows,) each.

    Parameters
    ----------
    x, median : ndarray
    lower, upper : ndarray
        About 95% confidence of each median, from the order statistics of its window.
    """

    x: Array
    median: Array
    lower: Array
    upper: Array


@once(max_entries=16)
def residuals(setup: Diagnostics) -> Residuals:
    """Return residuals, fitted values and leverages of a fit."""
    jacobian, _, _ = setup.problem.linearise(setup.fit.theta)
    at_bound = setup.fit.certificate.at_bound
    free = [j for j, name in enumerate(setup.fit.law.param_names) if name not in at_bound]
    leverage = _leverage(jacobian[:, free])
    residual = setup.fit.residuals
    weighted = setup.problem.standardised(residual)
    scale = TO_SIGMA * float(np.median(np.abs(weighted)))
    own = scale * np.sqrt(np.maximum(1 - leverage, 1e-6))
    return Residuals(
        frame=setup.table.frame.loc[setup.fit.row_index],
        response=setup.fit.law.response,
        fitted=setup.fit.law.loss(setup.fit.theta, setup.inputs),
        residual=residual,
        weighted=weighted,
        leverage=leverage,
        standardised=np.divide(weighted, own, out=np.zeros_like(residual), where=own > 0),
        scale=scale,
    )


def _leverage(jacobian: Array) -> Array:
    """Return the diagonal of the projection onto the columns of a matrix."""
    size = np.sqrt(np.sum(jacobian**2, axis=0))
    scaled = jacobian[:, size > 0] / size[size > 0]
    left, singular, _ = np.linalg.svd(scaled, full_matrices=False)
    kept = singular > 1e-11 * singular[0] if len(singular) else np.zeros(0, dtype=bool)
    return np.asarray(np.sum(left[:, kept] ** 2, axis=1))


def normal_quantiles(standardised: Array, *, level: float = 0.95) -> Quantiles:
    """Set residuals in order against a normal sample of the same size.

    Parameters
    ----------
    standardised : ndarray, shape (n_rows,)
    level : float
        Of the range of each place; about 1 - level of the places of a normal sample lie outside.
    """
    n_rows = len(standardised)
    order = np.argsort(standardised, kind="stable")
    place = np.arange(1, n_rows + 1)
    lower, normal, upper = (
        ndtri(betaincinv(place, n_rows + 1 - place, share))
        for share in ((1 - level) / 2, 0.5, (1 + level) / 2)
    )
    return Quantiles(
        order=order,
        normal=normal,
        observed=standardised[order],
        lower=lower,
        upper=upper,
        level=level,
    )


def trend(x: Array, residual: Array) -> Trend | None:
    """Return medians of the residuals along a quantity; None where there are too few rows.

    Windows hold equally many rows; rows of one value stay together.
    """
    n_windows = min(N_WINDOWS, len(x) // MIN_PER_WINDOW)
    if n_windows < 2:
        return None
    order = np.argsort(x, kind="stable")
    sorted_x = x[order]
    cuts = np.unique(np.searchsorted(sorted_x, sorted_x[_even_cuts(len(x), n_windows)]))
    windows = [part for part in np.split(order, cuts[cuts > 0]) if len(part) >= 3]
    if len(windows) < 2:
        return None
    edges = np.array([_median_interval(np.sort(residual[part])) for part in windows])
    return Trend(
        x=np.array([float(np.median(x[part])) for part in windows]),
        median=edges[:, 1],
        lower=edges[:, 0],
        upper=edges[:, 2],
    )


def _even_cuts(n_rows: int, n_windows: int) -> Array:
    return np.asarray((np.arange(1, n_windows) * n_rows / n_windows).astype(int))


def _median_interval(ascending: Array) -> tuple[float, float, float]:
    """Return a distribution-free interval of the median and the median itself."""
    count = len(ascending)
    reach = 0.98 * np.sqrt(count)  # normal approximation of the binomial, 95%
    low = max(int(np.floor(count / 2 - reach)), 0)
    return float(ascending[low]), float(np.median(ascending)), float(ascending[count - 1 - low])
