"""The comparison of two families in words, and what to be careful about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from isoflop.fitting.comparable import Group
from isoflop.fitting.compare.exponents import Difference, SharedTest
from isoflop.fitting.compare.families import Multiplier
from isoflop.fitting.compare.held_out import SCALES, write_scale
from isoflop.language import joined, listed
from isoflop.language import lazy_gettext as _
from isoflop.language import lazy_ngettext as n_
from isoflop.notices import Notice
from isoflop.units import format_number

SIGNIFICANT = 0.05
PATH_SLOPE = 0.3
"""Difference in how tokens grow with size (log D on log N) that makes two recipes unlike."""
PATH_WIDTH = 0.2
"""Scatter about such growth, in log D, up to which a family follows a recipe at all."""
UNEQUAL_SPREAD = 3.0


def multiplier_summary(found: Multiplier, one: str, other: str) -> str:
    """Say how much more compute, or data, one family needs, in the middle and from end to end.

    Parameters
    ----------
    found : Multiplier
    one, other : str
        Labels.
    """
    inside = np.flatnonzero(~found.is_extrapolation)
    shown = inside if len(inside) else np.arange(len(found.scale))
    middle = int(shown[len(shown) // 2])
    text = _(
        "For what {one} reaches with {scale}, {other} needs {found} the {column}",
        one=one,
        scale=write_scale(found.scale[middle], found.column),
        other=other,
        found=_factor(found, middle),
        column=SCALES.get(found.column, found.column),
    )
    if not len(inside):
        text += _(", though nowhere do both have rows at the same loss")
    elif len(inside) > 1:
        first, last = int(inside[0]), int(inside[-1])
        start, end = found.centre[first], found.centre[last]
        if abs(np.log(end / start)) > np.log(1.1):
            verb = _("falls") if end < start else _("rises")
            ends = [write_scale(found.scale[i], found.column) for i in (first, last)]
            text += _(
                "; that {verb} from {start:.2g} at {from_scale} to {end:.2g} at {to_scale}",
                verb=verb,
                start=start,
                from_scale=ends[0],
                end=end,
                to_scale=ends[1],
            )
    return _("{sentence}.", sentence=text)


def _factor(found: Multiplier, i: int) -> str:
    return _(
        "{centre} times ({lower} to {upper} at {level:.0%})",
        centre=_times(found.centre[i]),
        lower=_times(found.lower[i]),
        upper=_times(found.upper[i]),
        level=found.level,
    )


def _times(value: float) -> str:
    if np.isinf(value):
        return _("more than 10,000")
    return _("less than 1/10,000") if value == 0 else format_number(value, 2)


def exponents_summary(found: SharedTest) -> str:
    """Say whether the families share the tested parameters, and how surely."""
    names = n_(
        "the exponent {shared}",
        "the exponents {shared}",
        len(found.shared),
        shared=listed(found.shared),
    )
    differences = "; ".join(_difference(difference) for difference in found.differences)
    p_value, why = _p_value(found)
    if np.isnan(p_value):
        return _(
            "Too few rows are left to test {names}. {differences}.",
            names=names,
            differences=differences,
        )
    if p_value < SIGNIFICANT and _all_hold_zero(found.differences):
        return _(
            "It stays open whether the families share {names}: the F test says "
            "no ({why}), but zero lies inside the bootstrap intervals. "
            "{differences}.",
            names=names,
            why=why,
            differences=differences,
        )
    if p_value < SIGNIFICANT:
        text = _(
            "The families do not share {names} ({why}): {differences}.",
            names=names,
            why=why,
            differences=differences,
        )
        return text + _(" So no single multiplier holds at every scale.")
    return _(
        "The rows do not tell {names} of the families apart ({why}): "
        "{differences}. That is no proof that they are equal: the interval "
        "says how much they may differ.",
        names=names,
        why=why,
        differences=differences,
    )


def _all_hold_zero(differences: Sequence[Difference]) -> bool:
    return all(difference.lower <= 0 <= difference.upper for difference in differences)


def _p_value(found: SharedTest) -> tuple[float, str]:
    """Return the p-value that may be trusted, and how it was had."""
    if found.has_clusters:
        known = [d.p_value for d in found.differences if np.isfinite(d.p_value)]
        smallest = min(known) * len(known) if known else float("nan")
        return min(smallest, 1.0), _("bootstrap, {smallest}", smallest=_written(min(smallest, 1.0)))
    first, second = found.freedom
    return found.p_value, f"F({first}, {second}) = {found.statistic:.2f}, {_written(found.p_value)}"


def _written(p_value: float) -> str:
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"


def _difference(difference: Difference) -> str:
    one, other = difference.values
    text = _(
        "{name} is {one:.3f} for {labels}, {other:.3f} for ",
        name=difference.name,
        one=one,
        labels=difference.labels[0],
        other=other,
    )
    text += difference.labels[1]
    if np.isfinite(difference.lower):
        text += _(
            ", the difference {lower:.3f} to {upper:.3f} at 90%",
            lower=difference.lower,
            upper=difference.upper,
        )
    return text


def family_notices(
    groups: Sequence[Group], test: SharedTest | None, multiplier: Multiplier | None
) -> Iterator[Notice]:
    """Yield what to be careful about when two families are compared."""
    slopes = [_path_slope(group) for group in groups]
    if np.ptp(slopes) > PATH_SLOPE:
        named = joined(
            "; ",
            (
                _(
                    "{label}: D grows as N to the {slope:.1f}",
                    label=group.label,
                    slope=abs(slope) if abs(slope) < 0.05 else slope,
                )
                for group, slope in zip(groups, slopes, strict=True)
            ),
        )
        yield Notice(
            code="recipes-differ",
            severity="serious",
            text=_("The families were scaled by different recipes ({named}).", named=named),
            remedy=_(
                "Against compute alone, what differs may be how data grew with size, "
                "not the models; compare them by a law of N and D if the rows allow "
                "it."
            ),
        )
    if test is not None and test.has_clusters:
        yield Notice(
            code="clustered-rows",
            severity="warning",
            text=_("Several rows come from one run, so the F test overstates the evidence."),
            remedy=_("The verdict rests on the bootstrap instead; resample whole runs."),
        )
    if test is not None and test.spread_ratio > UNEQUAL_SPREAD:
        yield Notice(
            code="unequal-noise",
            severity="warning",
            text=_(
                "Residuals of one family are {spread_ratio:.1f} times as wide as "
                "those of another; the F test assumes that they are equal.",
                spread_ratio=test.spread_ratio,
            ),
            remedy=_("Trust the bootstrap interval of the difference more than the p-value."),
        )
    if multiplier is not None and multiplier.is_extrapolation.all():
        yield Notice(
            code="no-common-loss",
            severity="serious",
            text=_(
                "Nowhere do both families have rows at the same loss: every "
                "multiplier is an extrapolation."
            ),
            remedy=_("Compare them where their losses overlap, or add runs."),
        )


def _path_slope(group: Group) -> float:
    """Return how tokens grow with size along a family, as a power; NaN if by no one rule."""
    frame = group.table.included()
    if not {"params", "tokens"} <= set(frame):
        return float("nan")
    x, y = (np.log(frame[name].to_numpy(np.float64)) for name in ("params", "tokens"))
    known = np.isfinite(x) & np.isfinite(y)
    if known.sum() < 3 or np.ptp(x[known]) == 0:
        return float("nan")
    slope, intercept = np.polyfit(x[known], y[known], 1)
    scatter = np.std(y[known] - intercept - slope * x[known])
    return float(slope) if scatter < PATH_WIDTH else float("nan")
