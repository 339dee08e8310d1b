"""A loss that falls towards a floor, and the straight line through its first decades."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from isoflop.language import gettext as _
from isoflop.lessons import FloorCurve
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.axes import AXES, loss_title
from isoflop.plot.lines import note_at, shaded
from isoflop.plot.marks import horizontal
from isoflop.plot.theme import LIGHT, Theme, Trace

HEIGHT_PX = 400
LOSSES = (0.05, 5.0)
"""Shown whatever the floor, so that it is seen to move."""


def floor(curve: FloorCurve, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw the law, its reducible part, and the line that its first decades suggest.

    Parameters
    ----------
    curve : FloorCurve
        From `isoflop.lessons.floor_curve`.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    title = AXES["compute_flop"].title
    traces = [
        _line(curve, curve.loss, _("Loss"), {"color": look.FAMILIES[0], "width": 2.5}),
        _line(
            curve,
            curve.line,
            _("Straight line through what is seen"),
            {"color": look.ACCENT, "width": 2, "dash": "dash"},
        ),
        _line(
            curve,
            curve.loss - curve.floor,
            _("Loss less the floor"),
            {"color": look.FAMILIES[2], "width": 1.5, "dash": "dot"},
        ),
    ]
    end, seen = float(curve.compute_flop[-1]), curve.seen_flop
    shapes = [shaded(seen, end)]
    if curve.floor > 0:
        shapes.append(horizontal(curve.floor, look.MUTED, "dash"))
    facts = curve.facts
    return assemble(
        traces,
        theme=theme,
        height_px=HEIGHT_PX,
        layout={
            "xaxis": look.axis(title, is_power=True, span=curve.compute_flop),
            "yaxis": look.axis(loss_title("nats/token"), span=np.array(LOSSES))
            | {"range": [float(value) for value in np.log10(LOSSES)]},
            "shapes": shapes,
            "annotations": [note_at(seen, _("not seen"))],
        },
        alt=_(
            "Loss over compute with a floor of {floor}: at the end the law says "
            "{law_end}, the line through its first {seen} decades {line_end}.",
            floor=facts["floor"],
            law_end=facts["law_end"],
            seen=facts["seen"],
            line_end=facts["line_end"],
        ),
    )


def _line(curve: FloorCurve, y: np.ndarray, name: str, line: dict[str, object]) -> Trace:
    return {
        "type": "scatter",
        "x": curve.compute_flop,
        "y": y,
        "mode": "lines",
        "name": name,
        "line": line,
        "hovertemplate": "%{x:.2g} FLOP: %{y:.3g}<extra>" + name + "</extra>",
    }
