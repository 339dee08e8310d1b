"""Saved scenarios side by side: loss against money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Theme

HEIGHT_PX = 380


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One scenario: its name, what it is drawn over, and its loss with interval."""

    name: str
    x: float
    loss: float
    lower: float | None
    upper: float | None
    text: str


def figure(
    points: Sequence[Point], *, x_title: str, loss_title: str, theme: Theme = APP
) -> go.Figure:
    """Draw each scenario's loss, with its interval, over money or time.

    Parameters
    ----------
    points : sequence of Point
    x_title, loss_title : str
        With units.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    traces = [
        go.Scatter(
            x=np.array([point.x]),
            y=np.array([point.loss]),
            mode="markers+text",
            name=point.name,
            text=[f"  {point.name}"],
            textposition="middle right",
            customdata=[point.text],
            error_y=None
            if point.lower is None or point.upper is None
            else {
                "type": "data",
                "symmetric": False,
                "array": [point.upper - point.loss],
                "arrayminus": [point.loss - point.lower],
                "thickness": 1.5,
            },
            marker={
                "color": look.colour(index),
                "symbol": look.symbol(index),
                "size": 12,
                "line": look.OUTLINE,
            },
            hovertemplate="%{customdata}<extra>%{fullData.name}</extra>",
            showlegend=False,
        )
        for index, point in enumerate(points)
    ]
    xs = np.array([point.x for point in points])
    edges = [v for p in points for v in (p.loss, p.lower, p.upper) if v is not None]
    layout = {
        "xaxis": look.axis(x_title, span=xs) | _room(xs),
        "yaxis": look.loss_axis(loss_title, np.array(edges)),
    }
    return look.figure(traces, theme=theme, height_px=HEIGHT_PX, layout=layout)


def _room(values: np.ndarray) -> dict[str, object]:
    """Return a range with room beside the outermost points for their names."""
    low, high = np.log10(values.min()), np.log10(values.max())
    margin = max(0.2 * (high - low), 0.15)
    return {"range": [float(low - margin), float(high + margin)]}


def alt(points: Sequence[Point]) -> str:
    """Say in one sentence what the figure shows."""
    return "Saved scenarios: " + "; ".join(f"{p.name}: loss {p.loss:.3f}" for p in points)
