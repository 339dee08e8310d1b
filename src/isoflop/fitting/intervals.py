"""The one way from draws to an interval, of a parameter or of anything derived from a fit.

Percentiles of draws alone are too narrow where rows or runs are few, and draws that lack the
quantity, such as a compute-optimal size, are evidence too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from isoflop.fitting.objective import Array
from isoflop.fitting.options import BY_ROW
from isoflop.fitting.quantiles import normal_quantile, t_quantile

if TYPE_CHECKING:
    from isoflop.fitting.result import Fit


def interval(
    centre: ArrayLike, draws: Array, level: float, *, factor: float = 1.0, is_positive: bool = True
) -> tuple[Array, Array]:
    """Return the symmetric percentile interval around an estimate.

    It reaches as far as the share ``level`` of the draws lies from the estimate, times a factor;
    its error in coverage is smaller than that of one percentile on each side (Hall 1988). Draws
    without the quantity (NaN) count as infinitely far: where they are more than the rest of the
    level, there is no interval.

    Parameters
    ----------
    centre : array_like, shape (...)
        Estimate of the fit itself.
    draws : ndarray, shape (..., n_draws)
    level : float
        Nominal coverage, 0 to 1.
    factor : float
        Of `small_sample`.
    is_positive : bool
        Whether distances are ratios.

    Returns
    -------
    lower, upper : ndarray, shape (...)
        NaN where there is none.

    References
    ----------
    Hall 1988, On symmetric bootstrap confidence intervals, Journal of the Royal Statistical
    Society B 50.
    """
    middle = np.asarray(centre, dtype=np.float64)
    with np.errstate(all="ignore"):
        off = np.log(draws / middle[..., None]) if is_positive else draws - middle[..., None]
        off = np.where(np.isfinite(off), np.abs(off), np.inf)
        reach = factor * np.quantile(off, level, axis=-1, method="higher")
        reach = np.where(np.isfinite(reach), reach, np.nan)
        if is_positive:
            return middle * np.exp(-reach), middle * np.exp(reach)
    return middle - reach, middle + reach


def parameter_interval(fit: Fit, level: float) -> tuple[Array, Array, Array]:
    """Return standard error and ends of the interval of each parameter of a fit.

    From the draws, else from the covariance with Student's t; NaN where there is neither. Those
    searched by their logarithm have intervals in the logarithm, and none goes beyond its bounds.

    Returns
    -------
    error, lower, upper : ndarray, shape (n_params,)
    """
    theta, params = fit.theta, fit.law.params
    is_log = np.array([param.scale == "log" for param in params])
    if fit.draws is not None:
        error = np.std(fit.draws, axis=0, ddof=1)
        factor = small_sample(fit, level)
        ends = [
            interval(theta, fit.draws.T, level, factor=factor, is_positive=positive)
            for positive in (True, False)
        ]
    elif fit.covariance is not None:
        error = np.sqrt(np.diagonal(fit.covariance))
        reach = error * t_quantile(fit.n_rows - len(theta), 0.5 + level / 2)
        with np.errstate(all="ignore"):
            ratio = np.exp(reach / theta)
        ends = [(theta / ratio, theta * ratio), (theta - reach, theta + reach)]
    else:
        error = np.full(len(theta), np.nan)
        ends = [(error, error), (error, error)]
    lower, upper = (np.where(is_log, ends[0][side], ends[1][side]) for side in (0, 1))
    least = np.array([param.lower for param in params])
    most = np.array([param.upper for param in params])
    return error, np.clip(lower, least, most), np.clip(upper, least, most)


def small_sample(fit: Fit, level: float) -> float:
    """Return how much wider an interval by resampling must be where units or rows are few.

    Resampled runs are as few as they are: Student's quantile with one less than their number. Rows
    under a smooth objective lose the degrees of freedom that the fit used, and those that pull the
    fit leave too small a residual: both as the jackknife has it where all rows pull alike. Under a
    Huber penalty much narrower than the residuals resampled fits scatter more than samples do, by
    about as much (Hall and Martin 1988, for the median), so that no correction is right there:
    ``benchmarks/coverage`` measures it.

    References
    ----------
    Cameron and Miller 2015, A practitioner's guide to cluster-robust inference, Journal of Human
    Resources 50, section VI; MacKinnon and White 1985, Journal of Econometrics 29, for the
    jackknife; Hall and Martin 1988, Exact convergence rate of bootstrap quantile variance
    estimator, Probability Theory and Related Fields 80.
    """
    if fit.options.bootstrap not in BY_ROW:
        freedom, shrinkage = fit.n_clusters - 1, 1.0
    elif is_smooth(fit):
        freedom = fit.n_rows - len(fit.law.params)
        shrinkage = fit.n_rows / max(freedom, 1)
    else:
        return 1.0
    if freedom < 1:
        return 1.0
    upper = 0.5 + level / 2
    return float(shrinkage * t_quantile(freedom, upper) / normal_quantile(upper))


def is_smooth(fit: Fit) -> bool:
    """Say whether a fit's penalty is quadratic at most residuals."""
    if fit.options.objective in ("huber", "huber_log"):
        return bool(np.mean(np.abs(fit.residuals) <= fit.options.huber_delta) > 0.5)
    return fit.options.objective != "asymmetric_mae"
