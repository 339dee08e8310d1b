"""Live training: loss against tokens, one line a run, with the budgets reached."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.language import gettext as _
from isoflop.language import lazy_gettext, listed
from isoflop.language import ngettext as n_
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.axes import loss_title
from isoflop.plot.theme import LIGHT, Theme, Trace
from isoflop.training.following import RunCurve

HEIGHT_PX = 400
BRANCHED = lazy_gettext(" of the trunk and of the branch that decays to each budget")
LEGEND = lazy_gettext("Lines: training loss{{}}. Dots: held-out loss at the budgets.")
SETTLED_SHARE = 0.02
"""Of the tokens: the steep first stretch of training is left out of the axis's range."""


def training(curves: Sequence[RunCurve], *, theme: Theme = LIGHT) -> go.Figure:
    """Draw the losses of runs on logarithmic axes, while they train or later.

    Parameters
    ----------
    curves : sequence of RunCurve
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    traces = [trace for curve in curves for trace in _traces(curve)]
    shown = [curve.loss[_is_settled(curve)] for curve in curves]
    shown += [curve.point_loss for curve in curves]
    losses = np.concatenate([*shown, np.empty(0)])
    tokens = np.concatenate([*(curve.tokens for curve in curves), np.empty(0)])
    units = {curve.loss_unit for curve in curves}
    legend = LEGEND.format(BRANCHED if any(curve.is_branched for curve in curves) else "")
    layout = {
        "xaxis": look.axis(_("Training tokens"), span=tokens),
        "yaxis": look.loss_axis(
            loss_title(listed(sorted(units) or ["nats/byte"], last="or")), losses
        ),
    }
    return assemble(
        traces, theme=theme, height_px=HEIGHT_PX, layout=layout, alt=_alt(curves), notes=[legend]
    )


def _alt(curves: Sequence[RunCurve]) -> str:
    n_points = sum(len(curve.point_loss) for curve in curves)
    losses = [float(curve.point_loss.min()) for curve in curves if len(curve.point_loss)]
    best = _("; the lowest held-out loss is {losses:.3f}", losses=min(losses)) if losses else ""
    return _(
        "Training loss of {runs} against tokens, {n_points} budgets reached{best}.",
        runs=n_("{n:,} run", "{n:,} runs", len(curves)),
        n_points=n_points,
        best=best,
    )


def _traces(curve: RunCurve) -> list[Trace]:
    colour = look.shaded(curve.group, curve.shade)
    line: Trace = {
        "type": "scatter",
        "x": curve.tokens,
        "y": curve.loss,
        "mode": "lines",
        "name": curve.label,
        "legendgroup": curve.label,
        "line": {"color": colour, "width": 1 + curve.shade},
        "opacity": 0.75,
        "connectgaps": False,
        "hovertemplate": _(
            "%{{x:.3s}} tokens<br>training loss %{{y:.3f}}<extra>%{{fullData.name}}</extra>"
        ),
    }
    points: Trace = {
        "type": "scatter",
        "x": curve.point_tokens,
        "y": curve.point_loss,
        "mode": "markers",
        "name": curve.label,
        "legendgroup": curve.label,
        "showlegend": False,
        "marker": {
            "color": colour,
            "symbol": look.symbol(curve.group),
            "size": 6 + 4 * curve.shade,
            "line": look.OUTLINE,
        },
        "hovertemplate": _(
            "%{{x:.3s}} tokens<br>held-out loss %{{y:.4f}}<extra>%{{fullData.name}}</extra>"
        ),
    }
    return [line, points]


def _is_settled(curve: RunCurve) -> NDArray[np.bool_]:
    is_known = np.isfinite(curve.loss)
    if not is_known.any():
        return is_known
    return np.asarray(is_known & (curve.tokens > SETTLED_SHARE * curve.tokens[is_known].max()))
