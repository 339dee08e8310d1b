"""Several curves over the same rows: laws fitted below a cut, or families side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.figures import Figure
from isoflop.figures.loss_curve import Points
from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Scale, Theme, Trace
from isoflop.units import counted

HEIGHT_PX = 430
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One curve.

    Parameters
    ----------
    name : str
    x, loss : ndarray, shape (n,)
    lower, upper : ndarray, shape (n,), or None
        Edges of a band.
    colour : int
        Place in the palette of families.
    is_beyond : ndarray of bool, shape (n,), or None
        Where the curve lies beyond what it rests on, and is drawn faint.
    """

    name: str
    x: NDArray[np.float64]
    loss: NDArray[np.float64]
    lower: NDArray[np.float64] | None = None
    upper: NDArray[np.float64] | None = None
    colour: int = 0
    is_beyond: NDArray[np.bool_] | None = None


def figure(
    points: Sequence[Points],
    lines: Sequence[Line],
    *,
    x_title: str,
    y_title: str,
    x_is_compute: bool = True,
    cut: float | None = None,
    y_scale: Scale = "log",
    is_one_group: bool = True,
    theme: Theme = APP,
) -> Figure:
    """Draw rows and curves; what lies above the cut is shaded as held out.

    Parameters
    ----------
    points : sequence of Points
    lines : sequence of Line
    x_title, y_title : str
        With units.
    x_is_compute : bool
        Whether ticks are powers of ten (FLOP) or 1M, 1B, 1T.
    cut : float, optional
        Above which rows were held out.
    y_scale : {"log", "linear"}
    is_one_group : bool
        Whether the rows are drawn alike, curves by colour; else rows as the curve of their place.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    traces: list[Trace] = [t for line in lines for t in _band(line)]
    traces += [_rows(group, i, is_one_group, theme) for i, group in enumerate(points)]
    traces += [trace for i, line in enumerate(lines) for trace in _curve(line, i)]
    observed = np.concatenate([group.loss for group in points])
    x = np.concatenate([group.x for group in points] + [line.x for line in lines])
    layout: dict[str, object] = {
        "xaxis": look.axis(x_title, is_power=x_is_compute, span=x),
        # A law that is far off must not squeeze the rows into a line.
        "yaxis": look.loss_axis(y_title, observed, y_scale) | _room(observed, y_scale),
    }
    if cut is not None:
        layout["shapes"] = [
            {
                "type": "rect",
                "xref": "x",
                "x0": cut,
                "x1": float(x.max()),
                "yref": "paper",
                "y0": 0,
                "y1": 1,
                "fillcolor": look.MUTED,
                "opacity": 0.18,
                "line": {"width": 0},
                "layer": "below",
            }
        ]
        layout["annotations"] = [
            {
                "xref": "x",
                "x": float(np.log10(cut)),
                "yref": "paper",
                "y": 1,
                "xanchor": "left",
                "yanchor": "top",
                "text": " held out",
                "showarrow": False,
            }
        ]
    return look.figure(traces, theme=theme, height_px=HEIGHT_PX, layout=layout)


def alt(points: Sequence[Points], lines: Sequence[Line], *, x_title: str) -> str:
    """Say in one sentence what the figure shows, for those who do not see it."""
    rows = sum(len(group.x) for group in points)
    names = ", ".join(line.name for line in lines)
    return (
        f"Loss against {x_title}: {counted(rows, 'row')} and {counted(len(lines), 'curve')} "
        f"({names})."
    )


def _room(observed: NDArray[np.float64], scale: Scale) -> dict[str, object]:
    """Return a range that holds the rows, and a fifth more below for curves that go on."""
    low, high = float(np.nanmin(observed)), float(np.nanmax(observed))
    if scale == "linear" or low <= 0:
        span = high - low
        return {"range": [low - 0.2 * span, high + 0.08 * span]}
    span = np.log10(high / low)
    ends = [np.log10(low) - 0.2 * span, np.log10(high) + 0.08 * span]
    return {"range": ends, "tickvals": look.round_ticks(*10.0 ** np.array(ends))}


def _band(line: Line) -> list[Trace]:
    if line.lower is None or line.upper is None:
        return []
    return [
        {
            "type": "scatter",
            "x": np.concatenate([line.x, line.x[::-1]]),
            "y": np.concatenate([line.upper, line.lower[::-1]]),
            "fill": "toself",
            "mode": "lines",
            "line": {"width": 0},
            "fillcolor": look.translucent(look.colour(line.colour), 0.18),
            "name": line.name,
            "legendgroup": line.name,
            "showlegend": False,
            "hoverinfo": "skip",
        }
    ]


def _curve(line: Line, index: int) -> list[Trace]:
    trace = {
        "type": "scatter",
        "x": line.x,
        "y": line.loss,
        "mode": "lines",
        "name": line.name,
        "legendgroup": line.name,
        "line": {
            "color": look.colour(line.colour),
            "width": 2.2,
            "dash": _DASHES[index % len(_DASHES)],
        },
        "hovertemplate": "%{x:.3g}: %{y:.4g}<extra>" + line.name + "</extra>",
    }
    if line.is_beyond is None or not line.is_beyond.any():
        return [trace]
    faint = {"line": {"color": look.translucent(look.colour(line.colour), 0.5), "width": 1,
                      "dash": "dot"}, "showlegend": bool(line.is_beyond.all())}  # fmt: skip
    within = {"y": np.where(line.is_beyond, np.nan, line.loss)}
    return [trace | faint, trace | within]


def _rows(group: Points, index: int, is_one_group: bool, theme: Theme) -> Trace:
    return {
        "type": look.marker_type(len(group.x)),
        "x": group.x,
        "y": group.loss,
        "mode": "markers",
        "name": group.family,
        "marker": {
            "color": theme.ink if is_one_group else look.colour(index),
            "symbol": look.symbol(index),
            "size": 8 if len(group.x) < 100 else 5,
            "opacity": 0.55 if is_one_group else 0.9,
            "line": look.OUTLINE,
        },
        "text": group.labels,
        "hovertemplate": "%{text}<extra>%{fullData.name}</extra>",
    }
