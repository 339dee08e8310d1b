"""Loss against compute, model size or tokens: the rows, the fitted curve, its band, the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.figures import Figure
from isoflop.figures import theme as look
from isoflop.figures.theme import APP, Scale, Theme, Trace
from isoflop.units import counted

HEIGHT_PX = 410


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """The rows of one family.

    Parameters
    ----------
    family : str
    x, loss : ndarray, shape (n,)
    labels : tuple of str
        One a row, with units, for the hover box.
    """

    family: str
    x: NDArray[np.float64]
    loss: NDArray[np.float64]
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A fitted curve with its band.

    Parameters
    ----------
    x, loss : ndarray, shape (n,)
        Ascending in ``x``, at most 200 points.
    lower, upper : ndarray, shape (n,), or None
        Edges of the band; None where there is none, never a band of no width.
    level : float
        Nominal coverage of the band.
    is_extrapolation : ndarray of bool, shape (n,)
        Whether a point lies beyond the fitted rows in any input.
    labels : tuple of str
        One a point, with units, for the hover box.
    name : str
    """

    x: NDArray[np.float64]
    loss: NDArray[np.float64]
    lower: NDArray[np.float64] | None
    upper: NDArray[np.float64] | None
    level: float
    is_extrapolation: NDArray[np.bool_]
    labels: tuple[str, ...] = ()
    name: str = "Fitted law"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """Where the budget lands.

    Parameters
    ----------
    x, loss : float
    lower, upper : float or None
        Ends of the interval of the loss.
    label : str
        A few words, with units.
    """

    x: float
    loss: float
    lower: float | None = None
    upper: float | None = None
    label: str


def figure(
    points: Sequence[Points],
    curve: Curve,
    marker: Marker | None,
    *,
    x_title: str,
    y_title: str,
    x_is_compute: bool = True,
    y_scale: Scale = "log",
    slice_curve: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    theme: Theme = APP,
) -> Figure:
    """Draw the rows, the curve within and beyond them, and the budget.

    Parameters
    ----------
    points : sequence of Points
        One for each family, coloured in this order.
    curve : Curve
    marker : Marker or None
    x_title, y_title : str
        With units.
    x_is_compute : bool
        Whether ticks are powers of ten (FLOP) or 1M, 1B, 1T.
    y_scale : {"log", "linear"}
    slice_curve : (ndarray, ndarray), optional
        x and loss of other models at the same budget.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    traces: list[Trace] = []
    if curve.lower is not None and curve.upper is not None:
        traces += _bands(curve, curve.lower, curve.upper)
    if slice_curve is not None:
        traces.append(
            {
                "type": "scatter",
                "x": slice_curve[0],
                "y": slice_curve[1],
                "mode": "lines",
                "name": "Same budget, other sizes",
                "legendrank": 1030,
                "line": {"color": look.ACCENT, "width": 1.5, "dash": "dot"},
                "hoverinfo": "skip",
            }
        )
    traces += _lines(curve, theme)
    traces += [_markers(group, index) for index, group in enumerate(points)]
    if marker is not None:
        traces.append(_budget(marker, theme))
    layout = {
        "xaxis": look.axis(x_title, is_power=x_is_compute, span=curve.x),
        "yaxis": look.loss_axis(y_title, _shown_losses(points, curve, marker), y_scale),
    }
    return look.figure(traces, theme=theme, height_px=HEIGHT_PX, layout=layout)


def alt(points: Sequence[Points], curve: Curve, marker: Marker | None, *, x_title: str) -> str:
    """Say in one sentence what the figure shows, for those who do not see it."""
    rows = sum(len(group.x) for group in points)
    families = ", ".join(group.family for group in points)
    band = f" with a {curve.level:.0%} band" if curve.lower is not None else ""
    budget = f"; {marker.label}" if marker is not None else ""
    return (
        f"Loss against {x_title}: {counted(rows, 'row')} ({families}) and the fitted "
        f"law{band}{budget}."
    )


def _shown_losses(
    points: Sequence[Points], curve: Curve, marker: Marker | None
) -> NDArray[np.float64]:
    """Return every loss that must be on the chart; the band may reach beyond it."""
    ends = [] if marker is None else [marker.loss, marker.lower, marker.upper]
    known = np.array([value for value in ends if value is not None])
    return np.concatenate([curve.loss, known, *(group.loss for group in points)])


def _segments(is_extrapolation: NDArray[np.bool_]) -> list[tuple[slice, bool]]:
    """Split into runs within and beyond the rows, each sharing its first point with the last."""
    edges = np.flatnonzero(np.diff(is_extrapolation)) + 1
    starts, stops = [0, *edges.tolist()], [*edges.tolist(), len(is_extrapolation)]
    return [
        (slice(start if start == 0 else start - 1, stop), bool(is_extrapolation[start]))
        for start, stop in zip(starts, stops, strict=True)
    ]


def _bands(curve: Curve, lower: NDArray[np.float64], upper: NDArray[np.float64]) -> list[Trace]:
    """Fill the band: solid within the rows, hatched beyond them."""
    traces, named = [], set()
    for part, is_beyond in _segments(curve.is_extrapolation):
        fill = (
            {"fillcolor": look.CLEAR, "fillpattern": _HATCH}
            if is_beyond
            else {"fillcolor": look.BAND}
        )
        name = "beyond the data" if is_beyond else f"{curve.level:.0%} band"
        traces.append(
            {
                "type": "scatter",
                "x": np.concatenate([curve.x[part], curve.x[part][::-1]]),
                "y": np.concatenate([upper[part], lower[part][::-1]]),
                "fill": "toself",
                "mode": "lines",
                "line": {"width": 0},
                "name": name,
                "legendgroup": name,
                "legendrank": 1020,
                "showlegend": name not in named,
                "hoverinfo": "skip",
                **fill,
            }
        )
        named.add(name)
    return traces


_HATCH = {
    "shape": "/",
    "fgcolor": look.BAND_BEYOND,
    "bgcolor": look.CLEAR,
    "size": 6,
    "solidity": 0.25,
}


def _lines(curve: Curve, theme: Theme) -> list[Trace]:
    """Draw the curve: solid within the rows, dashed beyond them."""
    traces = []
    segments = _segments(curve.is_extrapolation)
    named = next((i for i, (_, is_beyond) in enumerate(segments) if not is_beyond), 0)
    for index, (part, is_beyond) in enumerate(segments):
        traces.append(
            {
                "type": "scatter",
                "x": curve.x[part],
                "y": curve.loss[part],
                "mode": "lines",
                "name": curve.name,
                "legendgroup": "curve",
                "legendrank": 1010,
                "showlegend": index == named,
                "line": {"color": theme.ink, "width": 2, "dash": "dash" if is_beyond else "solid"},
                "text": curve.labels[part] or None,
                "hovertemplate": "%{text}<extra>" + curve.name + "</extra>",
            }
        )
    return traces


def _markers(group: Points, index: int) -> Trace:
    return {
        "type": look.marker_type(len(group.x)),
        "x": group.x,
        "y": group.loss,
        "mode": "markers",
        "name": group.family,
        "marker": {
            "color": look.colour(index),
            "symbol": look.symbol(index),
            "size": 9 if len(group.x) < 100 else 6,
            "line": look.OUTLINE,
            "opacity": 0.9,
        },
        "text": group.labels,
        "hovertemplate": "%{text}<extra>%{fullData.name}</extra>",
    }


def _budget(marker: Marker, theme: Theme) -> Trace:
    """Mark where the budget lands, with the interval of its loss."""
    error = None
    if marker.lower is not None and marker.upper is not None:
        error = {
            "type": "data",
            "symmetric": False,
            "array": np.array([marker.upper - marker.loss]),
            "arrayminus": np.array([marker.loss - marker.lower]),
            "color": look.ACCENT,
            "thickness": 2,
            "width": 6,
        }
    return {
        "type": "scatter",
        "x": np.array([marker.x]),
        "y": np.array([marker.loss]),
        "mode": "markers",
        "name": "You are here",
        "legendrank": 1005,
        "marker": {
            "color": look.ACCENT,
            "symbol": "star-diamond",
            "size": 17,
            "line": {"width": 1.5, "color": theme.ink},
        },
        "error_y": error,
        "text": [marker.label],
        "hovertemplate": "%{text}<extra>You are here</extra>",
    }
