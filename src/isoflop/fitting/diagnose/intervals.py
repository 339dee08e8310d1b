"""Intervals of the parameters by every method that a fit allows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from isoflop.fitting.diagnose.profile import Profile
from isoflop.fitting.result import Fit
from isoflop.language import lazy_gettext as _

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
        By the draws.
    covariance : (float, float) or None
        By the standard error and Student's t, in the logarithm where that is searched.
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
    resampled = {} if fit.draws is None else _ends(fit, level)
    smooth = {} if fit.covariance is None else _ends(replace(fit, draws=None), level)
    return tuple(
        ParameterIntervals(
            name=param.name,
            help=param.help,
            estimate=fit.values[param.name],
            profile=by_name.get(param.name),
            bootstrap=resampled.get(param.name),
            covariance=smooth.get(param.name),
        )
        for param in fit.law.params
    )


def bootstrap_interval(fit: Fit, name: str, *, level: float = 0.9) -> Interval | None:
    """Return the interval of a parameter by the draws; None without."""
    return None if fit.draws is None else _ends(fit, level).get(name)


def _ends(fit: Fit, level: float) -> dict[str, Interval]:
    """Return the interval of each parameter that has one, by name."""
    found = fit.params(level)[["lower", "upper"]].dropna()
    return {str(name): (float(low), float(high)) for name, low, high in found.itertuples()}


def write_interval(lower: float | None, upper: float | None) -> str:
    """Write an interval, either end of which may be open."""
    if lower is None and upper is None:
        return _("open on both sides")
    if lower is None:
        return _("up to {upper:.4g}", upper=upper)
    if upper is None:
        return f"from {lower:.4g}"
    return _("{lower:.4g} to {upper:.4g}", lower=lower, upper=upper)
