"""A downstream metric against the loss: the second of the two steps."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from isoflop.fitting.downstream import Downstream
from isoflop.language import gettext as _
from isoflop.plot import metric, rows
from isoflop.plot.axes import loss_title
from isoflop.plot.theme import LIGHT, Theme, escaped

N_POINTS = 80
BELOW, ABOVE = 0.85, 1.02
"""How far the curve goes on, as factors of the least and the largest loss."""
LEVEL = 0.9


def metric_of_loss(found: Downstream, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw the runs and the fitted sigmoid in the loss with its band.

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
    loss = np.linspace(found.losses.min() * BELOW, found.losses.max() * ABOVE, N_POINTS)
    law = found.metric_fit.law
    (symbol,) = law.symbols
    drawn = law.loss(found.metric_draws, {symbol: loss})
    lower, upper = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    curve = metric.Curve(
        name=_("Sigmoid in the loss"),
        x=loss,
        metric=law.loss(found.metric_fit.theta, {symbol: loss}),
        lower=lower,
        upper=upper,
        level=LEVEL,
    )
    runs = metric.Models(
        name=_("Runs"),
        x=found.losses,
        metric=found.values,
        labels=rows.row_labels(found.table.included()),
    )
    return metric.Picture(
        models=(runs,),
        curves=(curve,),
        x_title=loss_title(found.loss_fit.loss_unit),
        y_title=escaped(found.name),
    )
