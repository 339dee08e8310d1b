"""Several curves over the rows of a table: laws fitted below a cut, families, published fits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.language import gettext as _
from isoflop.language import ngettext as n_
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.axes import Axis
from isoflop.plot.rows import Group
from isoflop.plot.theme import Theme, Trace

HEIGHT_PX = 430
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One curve.

    Parameters
    ----------
    name : str
        Safe to stand in a figure, which reads markup.
    x, y : ndarray, shape (n,)
    lower, upper : ndarray, shape (n,), or None
        Edges of a band.
    colour : int
        Place in the palette of families.
    is_beyond : ndarray of bool, shape (n,), or None
        Where the curve lies beyond what it rests on, and is drawn faint.
    """

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    lower: NDArray[np.float64] | None = None
    upper: NDArray[np.float64] | None = None
    colour: int = 0
    is_beyond: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Rows and curves along one axis.

    Parameters
    ----------
    axis : Axis
    y_title : str
        With unit.
    response : str
        Column of the rows that is drawn.
    groups : tuple of Group
    lines : tuple of Line
    cut : float or None
        Above which rows were held out.
    is_one_group : bool
        Whether the rows are drawn alike, curves by colour; else rows as the curve of their place.
    """

    axis: Axis
    y_title: str
    response: str
    groups: tuple[Group, ...]
    lines: tuple[Line, ...]
    cut: float | None = None
    is_one_group: bool = True


def draw(picture: Picture, theme: Theme) -> go.Figure:
    """Draw rows and curves; what lies above the cut is shaded as held out."""
    column = picture.axis.column
    traces: list[Trace] = [trace for line in picture.lines for trace in band_of(line)]
    traces += [_rows(picture, index, theme) for index in range(len(picture.groups))]
    traces += [trace for i, line in enumerate(picture.lines) for trace in _curve(line, i)]
    observed = np.concatenate([group.values(picture.response) for group in picture.groups])
    places = [group.values(column) for group in picture.groups]
    x = np.concatenate([*places, *(line.x for line in picture.lines)])
    layout: dict[str, object] = {
        "xaxis": look.axis(picture.axis.title, is_power=picture.axis.is_compute, span=x),
        # A law that is far off must not squeeze the rows into a line.
        "yaxis": look.loss_axis(picture.y_title, observed) | _room(observed),
    }
    if picture.cut is not None:
        layout |= _held_out(picture.cut, float(np.nanmax(x)))
    return assemble(traces, theme=theme, height_px=HEIGHT_PX, layout=layout, alt=_alt(picture))


def _alt(picture: Picture) -> str:
    n_rows = sum(len(group.frame) for group in picture.groups)
    names = ", ".join(line.name for line in picture.lines)
    return _(
        "{y_title} against {title}: {rows} and {curves} ({names}).",
        y_title=picture.y_title,
        title=picture.axis.title,
        rows=n_("{n:,} row", "{n:,} rows", n_rows),
        curves=n_("{n:,} curve", "{n:,} curves", len(picture.lines)),
        names=names,
    )


def _held_out(cut: float, end: float) -> dict[str, object]:
    return {
        "shapes": [shaded(cut, end)],
        "annotations": [note_at(cut, _("held out"))],
    }


def shaded(low: float, high: float) -> dict[str, object]:
    """Return a grey ground behind a range of x."""
    return {
        "type": "rect",
        "xref": "x",
        "x0": low,
        "x1": high,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "fillcolor": look.MUTED,
        "opacity": 0.16,
        "line": {"width": 0},
        "layer": "below",
    }


def note_at(x: float, text: str) -> dict[str, object]:
    """Return a few words at the top of a place on a logarithmic x axis."""
    return {
        "xref": "x",
        "x": float(np.log10(x)),
        "yref": "paper",
        "y": 1,
        "xanchor": "left",
        "yanchor": "top",
        "text": f" {text}",
        "showarrow": False,
    }


def _room(observed: NDArray[np.float64]) -> dict[str, object]:
    """Return a range that holds the rows, and a fifth more below for curves that go on."""
    low, high = float(np.nanmin(observed)), float(np.nanmax(observed))
    if low <= 0:
        span = high - low
        return {"range": [low - 0.2 * span, high + 0.08 * span], "type": "linear"}
    span = np.log10(high / low)
    ends = [np.log10(low) - 0.2 * span, np.log10(high) + 0.08 * span]
    return {"range": ends, "tickvals": look.round_ticks(*10.0 ** np.array(ends))}


def band_of(line: Line) -> list[Trace]:
    """Return the filled band of a curve; none where it has no edges."""
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
        "y": line.y,
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
    within = {"y": np.where(line.is_beyond, np.nan, line.y)}
    return [trace | faint, trace | within]


def _rows(picture: Picture, index: int, theme: Theme) -> Trace:
    group, is_alike = picture.groups[index], picture.is_one_group
    n_rows = len(group.frame)
    return {
        "type": look.marker_type(n_rows),
        "x": group.values(picture.axis.column),
        "y": group.values(picture.response),
        "mode": "markers",
        "name": group.family,
        "marker": {
            "color": theme.ink if is_alike else look.colour(index),
            "symbol": look.symbol(index),
            "size": 8 if n_rows < 100 else 5,
            "opacity": 0.55 if is_alike else 0.9,
            "line": look.OUTLINE,
        },
        "text": group.labels,
        "hovertemplate": "%{text}<extra>%{fullData.name}</extra>",
    }
