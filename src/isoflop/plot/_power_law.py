"""A power law on linear or on logarithmic axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from isoflop.language import gettext as _
from isoflop.lessons import PowerCurve
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.marks import upright
from isoflop.plot.theme import LIGHT, Scale, Theme

HEIGHT_PX = 260
LOG_Y = (1e-4, 1e4)
"""Fixed, so that the line is seen to turn and to rise."""
MARGIN = 0.03


def power_law(curve: PowerCurve, *, scale: Scale = "log", theme: Theme = LIGHT) -> go.Figure:
    """Draw a power law, the value at x = 1 marked.

    Parameters
    ----------
    curve : PowerCurve
        From `isoflop.lessons.power_curve`.
    scale : {"log", "linear"}
        Of both axes.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    traces = [
        {
            "type": "scatter",
            "x": curve.x,
            "y": curve.y,
            "mode": "lines",
            "line": {"color": look.FAMILIES[0], "width": 2.5},
            "hovertemplate": "x %{x:.3g}: y %{y:.3g}<extra></extra>",
            "showlegend": False,
        },
        {
            "type": "scatter",
            "x": curve.x[:1],
            "y": curve.y[:1],
            "mode": "markers",
            "marker": look.star(theme),
            "hovertemplate": _("y = k = %{{y:.3g}} at x = 1<extra></extra>"),
            "showlegend": False,
        },
    ]
    facts = curve.facts
    axes = _("logarithmic axes") if scale == "log" else _("linear axes")
    return assemble(
        traces,
        theme=theme,
        height_px=HEIGHT_PX,
        layout=_axes(curve, scale),
        alt=_(
            "y = {k} x^{a} on {axes}, from {k} at x = 1 to {end} at x = 1000.",
            k=facts["k"],
            a=facts["a"],
            axes=axes,
            end=facts["end"],
        ),
    )


def _axes(curve: PowerCurve, scale: Scale) -> dict[str, Any]:
    if scale == "linear":
        span = curve.x
        return {
            "xaxis": look.axis(_("x, linear"), "linear")
            | {"range": [-MARGIN * float(span[-1]), float(span[-1])]},
            "yaxis": look.axis(_("y, linear"), "linear") | {"rangemode": "tozero"},
            "shapes": [],
        }
    return {
        "xaxis": look.axis(_("x, logarithmic"), span=curve.x),
        "yaxis": look.axis(_("y, logarithmic"), span=np.array(LOG_Y))
        | {"range": [float(value) for value in np.log10(LOG_Y)]},
        "shapes": [upright(1.0, look.MUTED)],
    }
