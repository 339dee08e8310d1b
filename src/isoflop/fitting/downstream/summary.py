"""What to be careful about when a metric is predicted through the loss."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from isoflop.fitting.downstream.families import FamilyCurves
from isoflop.fitting.downstream.measured import Downstream, MetricBand
from isoflop.language import lazy_gettext as _
from isoflop.language import lazy_ngettext as n_
from isoflop.notices import Notice

LITTLE_EXPLAINED = 0.5
WIDE_TOP = 0.3
LARGEST_SHARE = 2.0
"""How many times as wide one step's interval must be to be named the main source of error."""


def downstream_notices(found: Downstream) -> Iterator[Notice]:
    """Yield what to know of two steps fitted to measured losses."""
    if found.r_squared < LITTLE_EXPLAINED:
        yield Notice(
            code="metric-hardly-moves",
            severity="serious",
            text=_(
                "The loss explains {r_squared:.0%} of the variance of {name}: these "
                "runs may all be at chance.",
                r_squared=max(found.r_squared, 0.0),
                name=found.name,
            ),
            remedy=_(
                "It cannot be predicted from these runs; choose a metric that "
                "varies, or add larger runs."
            ),
        )
    names = found.metric_fit.law.param_names
    low, high = np.percentile(found.metric_draws[:, names.index("top")], [5, 95])
    is_at_bound = "top" in found.metric_fit.certificate.at_bound
    if is_at_bound or high - low > WIDE_TOP:
        where = _("it lies between {low:.0%} and {high:.0%} at 90%", low=low, high=high)
        if is_at_bound:
            where = _("the fit puts it at 100%, the most that a share can be")
        yield Notice(
            code="top-not-identified",
            severity="warning",
            text=_(
                "Where {name} levels off is hardly determined: {where}, while the "
                "best run reaches {max:.0%}.",
                name=found.name,
                where=where,
                max=found.values.max(),
            ),
            remedy=_("Trust predictions a little above the best run, not those near the top."),
        )


def family_curve_notices(found: FamilyCurves) -> Iterator[Notice]:
    """Yield what to know of curves by family against a reference loss."""
    yield Notice(
        code="loss-not-measured",
        severity="warning",
        text=_(
            "No loss was measured for these {models}: it is what {label}, fitted "
            "to {table_id}, predicts from size and tokens.",
            models=n_("{n:,} model", "{n:,} models", len(found.table.frame)),
            label=found.reference.law.label,
            table_id=found.reference.table_id,
        ),
        remedy=_(
            "Read it as a common scale of effort, and compare within a family; "
            "across families it also reflects data, tokenizer and recipe."
        ),
    )
    undetermined = [name for name in found.families if not found.has_offset(name)]
    if undetermined:
        yield Notice(
            code="family-at-chance",
            severity="info",
            text=_(
                "{undetermined}: too close to chance on {metric} to have an offset.",
                undetermined=", ".join(undetermined),
                metric=found.metric,
            ),
            remedy=_("Their curves are not drawn beyond their models."),
        )


def error_source(band: MetricBand, i: int = 0) -> str:
    """Say which of the two steps most of the interval at a point comes from.

    Parameters
    ----------
    band : MetricBand
    i : int
        Which point.
    """
    first = float(band.from_loss[1][i] - band.from_loss[0][i])
    second = float(band.from_metric[1][i] - band.from_metric[0][i])
    if first > LARGEST_SHARE * second:
        return _("Most of the interval comes from the first step: how large the loss will be.")
    if second > LARGEST_SHARE * first:
        return _(
            "Most of the interval comes from the second step: what the metric makes of a loss."
        )
    return _("Both steps add to the interval alike.")
