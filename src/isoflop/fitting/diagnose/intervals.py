"""Intervals of the parameters by every method that a fit allows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from isoflop.fitting.diagnose.profile import Profile
from isoflop.fitting.objective import Array
from isoflop.fitting.result import Fit

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterIntervals:
    """One parameter's intervals at one level, each None where its method has none.

    Parameters
    ----------
    name, help : str
    estimate : float
    profile : Profile or None
        Whose interval may be open.
    bootstrap : (float, float) or None
        Percentiles of the draws.
    covariance : (float, float) or None
        Estimate plus and minus Student's t times the standard error.
    """

    name: str
    help: str
    estimate: float
    profile: Profile | None
    bootstrap: Interval | None
    covariance: Interval | None


def parameter_intervals(
    fit: Fit, profiles: Iterable[Profile] = (), *, level: float = 0.9
) -> tuple[ParameterIntervals, ...]:
    """Return the intervals of every parameter by profile, bootstrap and covariance.

    Parameters
    ----------
    fit : Fit
    profiles : iterable of Profile
        At the same level.
    level : float
        Nominal coverage.
    """
    by_name = {profile.name: profile for profile in profiles}
    reach = _reach(fit, level)
    return tuple(
        ParameterIntervals(
            name=param.name,
            help=param.help,
            estimate=fit.values[param.name],
            profile=by_name.get(param.name),
            bootstrap=bootstrap_interval(fit, param.name, level=level),
            covariance=_around(fit.values[param.name], float(half)),
        )
        for param, half in zip(fit.law.params, reach, strict=True)
    )


def bootstrap_interval(fit: Fit, name: str, *, level: float = 0.9) -> Interval | None:
    """Return the percentile interval of a parameter; None without draws."""
    if fit.draws is None:
        return None
    return percentile_interval(fit.draws[:, fit.law.param_names.index(name)], level=level)


def percentile_interval(draws: Array, *, level: float = 0.9) -> Interval | None:
    """Return the percentile interval of draws, shape (n,); None where most are missing."""
    known = draws[np.isfinite(draws)]
    if 2 * len(known) < len(draws):
        return None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _reach(fit: Fit, level: float) -> Array:
    """Return half the width of each parameter's covariance interval; NaN where there is none."""
    n_params = len(fit.law.params)
    if fit.covariance is None:
        return np.full(n_params, np.nan)
    quantile = float(stdtrit(fit.n_rows - n_params, 0.5 + level / 2))
    return np.asarray(quantile * np.sqrt(np.diagonal(fit.covariance)))


def _around(centre: float, half: float) -> Interval | None:
    return (centre - half, centre + half) if np.isfinite(half) else None


def write_interval(lower: float | None, upper: float | None) -> str:
    """Write an interval, either end of which may be open."""
    if lower is None and upper is None:
        return "open on both sides"
    if lower is None:
        return f"up to {upper:.4g}"
    if upper is None:
        return f"from {lower:.4g}"
    return f"{lower:.4g} to {upper:.4g}"
