"""A power law through optima: how the best size or number of tokens grows with compute."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.errors import FitError, TooFewRows
from isoflop.fitting.quantiles import t_quantile
from isoflop.language import lazy_gettext as _


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerLine:
    """A straight line on log-log axes: ``10**intercept * C**exponent``.

    Parameters
    ----------
    exponent, intercept : float
        The intercept is the decimal logarithm of the value at C = 1 FLOP.
    draws : ndarray, shape (n_draws, 2), or None
        Exponent and intercept of each resample, where the interval comes from resampling.
    covariance : ndarray, shape (2, 2), or None
        Of exponent and intercept, where the interval comes from the scatter about the line.
    freedom : int
        Degrees of freedom of that scatter.
    reason : str
        Why there is no interval; empty otherwise.
    """

    exponent: float
    intercept: float
    draws: NDArray[np.float64] | None = None
    covariance: NDArray[np.float64] | None = None
    freedom: int = 0
    reason: str = ""

    def at(self, compute_flop: ArrayLike) -> NDArray[np.float64]:
        """Return the value at each compute, shape (n,)."""
        flop = np.asarray(compute_flop, dtype=np.float64)
        return np.asarray(10.0 ** (self.intercept + self.exponent * np.log10(flop)))

    def interval_at(
        self, compute_flop: ArrayLike, level: float = 0.9
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the ends of the confidence interval of the value at each compute.

        Raises
        ------
        FitError
            If there is no interval, with the reason.
        """
        flop = np.atleast_1d(np.asarray(compute_flop, dtype=np.float64))
        design = np.stack([np.log10(flop), np.ones(len(flop))], axis=1)
        lower, upper = self._interval(design, level)
        return 10.0**lower, 10.0**upper

    def exponent_interval(self, level: float = 0.9) -> tuple[float, float]:
        """Return the confidence interval of the exponent.

        Raises
        ------
        FitError
            If there is no interval, with the reason.
        """
        lower, upper = self._interval(np.array([[1.0, 0.0]]), level)
        return float(lower[0]), float(upper[0])

    def _interval(
        self, design: NDArray[np.float64], level: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the interval of linear combinations of exponent and intercept."""
        if self.draws is not None:
            tails = [50 * (1 - level), 50 * (1 + level)]
            lower, upper = np.percentile(design @ self.draws.T, tails, axis=1)
            return lower, upper
        if self.covariance is None:
            raise FitError(_("This line has no interval."), detail=self.reason)
        centre = design @ np.array([self.exponent, self.intercept])
        variance = np.einsum("nj,jk,nk->n", design, self.covariance, design)
        reach = t_quantile(self.freedom, 0.5 + level / 2) * np.sqrt(np.maximum(variance, 0.0))
        return centre - reach, centre + reach


Lines = tuple[PowerLine, PowerLine]
"""Of the best size and of the best number of tokens."""


def less(line: PowerLine, other: PowerLine) -> PowerLine:
    """Return the line divided by another that is known exactly."""
    shift = np.array([other.exponent, other.intercept])
    return replace(
        line,
        exponent=line.exponent - other.exponent,
        intercept=line.intercept - other.intercept,
        draws=None if line.draws is None else line.draws - shift,
    )


def line_through(compute_flop: NDArray[np.float64], value: NDArray[np.float64]) -> PowerLine:
    """Fit a power law by least squares on the logarithms.

    Its interval comes from the scatter about the line; two points leave none.

    Parameters
    ----------
    compute_flop, value : ndarray, shape (n,)

    Raises
    ------
    TooFewRows
        If there are fewer than two different budgets.
    """
    x, y = np.log10(compute_flop), np.log10(value)
    if len(np.unique(x)) < 2:
        raise TooFewRows(
            _("A line through optima needs at least two budgets."),
            detail=_("There are optima at {x}.", x=len(np.unique(x))),
        )
    centre = float(x.mean())
    spread = float(np.sum((x - centre) ** 2))
    exponent = float(np.sum((x - centre) * y) / spread)
    intercept = float(y.mean()) - exponent * centre
    freedom = len(x) - 2
    if freedom < 1:
        return PowerLine(
            exponent=exponent,
            intercept=intercept,
            reason=_("Two budgets leave no scatter to judge the line by."),
        )
    variance = float(np.sum((y - intercept - exponent * x) ** 2)) / freedom
    covariance = variance * np.array(
        [[1 / spread, -centre / spread], [-centre / spread, 1 / len(x) + centre**2 / spread]]
    )
    return PowerLine(exponent=exponent, intercept=intercept, covariance=covariance, freedom=freedom)
