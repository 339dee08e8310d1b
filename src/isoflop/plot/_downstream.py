"""A downstream metric against compute, predicted through the loss."""

from __future__ import annotations

import plotly.graph_objects as go

from isoflop.fitting.downstream import Downstream
from isoflop.language import gettext as _
from isoflop.planning.downstream import downstream_curve
from isoflop.plot import metric, rows
from isoflop.plot.axes import AXES
from isoflop.plot.theme import LIGHT, Theme, escaped


def downstream(found: Downstream, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw the metric of the runs, and of the best run at each compute with its band.

    Parameters
    ----------
    found : Downstream
        From `isoflop.fitting.downstream.fit_downstream`.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    return metric.draw(_prepare(found), theme)


def _prepare(found: Downstream) -> metric.Picture:
    along = downstream_curve(found)
    band = along.band.metric
    runs = metric.Models(
        name=_("Runs"),
        x=found.table.values("compute_flop"),
        metric=found.table.values(found.metric),
        labels=rows.row_labels(found.table.included()),
    )
    curve = metric.Curve(
        name=_("Both steps, {models}", models=along.models) if along.models else _("Both steps"),
        x=along.compute_flop,
        metric=band.centre,
        lower=band.lower,
        upper=band.upper,
        level=band.level,
    )
    return metric.Picture(
        models=(runs,),
        curves=(curve,),
        x_title=AXES["compute_flop"].title,
        y_title=escaped(found.name),
        is_compute=True,
    )
