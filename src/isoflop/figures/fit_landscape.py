"""The certificate as a picture: the objective, every start of the search, every minimum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Theme, Trace
from isoflop.units import counted

HEIGHT_PX = 470
SMALLEST = 1e-4
"""Relative excess below which the picture shows no difference."""

_ALPHAS = (0.95, 0.72, 0.52, 0.36, 0.2, 0.06)
_SCALE = [
    [share, f"rgba(31, 132, 201, {alpha})"]
    for share, alpha in zip(np.linspace(0, 1, len(_ALPHAS)).tolist(), _ALPHAS, strict=True)
]

TICKS = {-4: "+0.01%", -3: "+0.1%", -2: "+1%", -1: "+10%", 0: "×2", 1: "×11", 2: "×100"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Relief:
    """The objective over one or two parameters, and the search that went over it.

    Parameters
    ----------
    names : tuple of str
        One parameter or two.
    axes : tuple of ndarray
        Values of each, ascending.
    is_log : tuple of bool
    excess : ndarray, shape (n,) or (n_second, n_first)
        Of the objective over its minimum, relative.
    starts, ends : ndarray, shape (n_starts, 1 or 2)
    end_excess : ndarray, shape (n_starts,)
    minima : ndarray of int
        Positions among the ends, the reported optimum first.
    """

    names: tuple[str, ...]
    axes: tuple[NDArray[np.float64], ...]
    is_log: tuple[bool, ...]
    excess: NDArray[np.float64]
    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    end_excess: NDArray[np.float64]
    minima: NDArray[np.intp]


def figure(relief: Relief, *, theme: Theme = APP) -> go.Figure:
    """Draw the objective as a map, or as a curve where it is over one parameter.

    Parameters
    ----------
    relief : Relief
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    return _map(relief, theme) if len(relief.names) == 2 else _curve(relief, theme)


def alt(relief: Relief) -> str:
    """Say in one sentence what the figure shows, for those who do not see it."""
    n_other = len(relief.minima) - 1
    others = counted(n_other, "other minimum", "other minima") if n_other else "no other minimum"
    n_same = int(np.sum(relief.end_excess <= 1e-6))
    return (
        f"The objective over {' and '.join(relief.names)} with {len(relief.starts)} starts; "
        f"{n_same} of them end at the reported optimum; {others} found."
    )


def _map(relief: Relief, theme: Theme) -> go.Figure:
    level = np.log10(np.maximum(relief.excess, SMALLEST))
    low, high = float(np.nanmin(level)), float(np.nanquantile(level, 0.98))
    shown = {at: text for at, text in TICKS.items() if low - 0.5 <= at <= high + 0.2}
    first, second = relief.names
    surface: Trace = {
        "type": "contour",
        "x": relief.axes[0],
        "y": relief.axes[1],
        "z": level.astype(np.float32),
        "customdata": (100 * relief.excess).astype(np.float32),
        "colorscale": _SCALE,
        "contours": {"start": low, "end": high, "size": (high - low) / 14, "coloring": "heatmap"},
        "line": {"width": 0.6, "color": look.MUTED},
        "zmin": low,
        "zmax": high,
        "colorbar": {
            "title": {"text": "Objective", "side": "top"},
            "tickvals": list(shown),
            "ticktext": list(shown.values()),
            "thickness": 12,
            "outlinewidth": 0,
            "len": 0.9,
        },
        "name": "Objective",
        "hovertemplate": f"{first} %{{x:.4g}}, {second} %{{y:.4g}}<br>objective "
        "%{customdata:.3g}% above the minimum<extra></extra>",
    }
    layout = {
        "xaxis": _axis(relief, 0),
        "yaxis": _axis(relief, 1),
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
    }
    traces = [surface, *_search(relief, relief.starts[:, 1], relief.ends[:, 1], theme)]
    return look.figure(traces, theme=theme, height_px=HEIGHT_PX, layout=layout)


def _curve(relief: Relief, theme: Theme) -> go.Figure:
    percent = 100 * np.maximum(relief.excess, SMALLEST)
    curve: Trace = {
        "type": "scatter",
        "x": relief.axes[0],
        "y": percent,
        "mode": "lines",
        "name": "Objective",
        "line": {"color": theme.ink, "width": 2},
        "hovertemplate": f"{relief.names[0]} %{{x:.4g}}<br>%{{y:.3g}}% above the minimum"
        "<extra></extra>",
    }
    known = np.isfinite(percent)
    order = np.argsort(relief.axes[0][known])
    at_starts = np.interp(relief.starts[:, 0], relief.axes[0][known][order], percent[known][order])
    at_ends = 100 * np.maximum(relief.end_excess, SMALLEST)
    layout = {
        "xaxis": _axis(relief, 0),
        "yaxis": look.axis("Objective above its minimum (%)", "log"),
    }
    traces = [curve, *_search(relief, at_starts, at_ends, theme)]
    return look.figure(traces, theme=theme, height_px=HEIGHT_PX, layout=layout)


def _axis(relief: Relief, position: int) -> dict[str, Any]:
    values, is_log = relief.axes[position], relief.is_log[position]
    ends = values[[0, -1]]
    settings = look.axis(relief.names[position], "log" if is_log else "linear", span=values)
    return settings | {
        "range": (np.log10(ends) if is_log else ends).tolist(),
        "showgrid": False,
    }


def _search(
    relief: Relief, start_y: NDArray[np.float64], end_y: NDArray[np.float64], theme: Theme
) -> list[Trace]:
    """Draw each start, the way from it to its end, and the minima."""
    traces = _ways(relief, start_y, end_y, theme)
    best, others = relief.minima[:1], relief.minima[1:]
    traces.append(
        _minima(relief, end_y, best, "Reported optimum")
        | {
            "marker": {
                "symbol": "star",
                "size": 18,
                "color": look.ACCENT,
                "line": {"width": 1, "color": "white"},
            },
            "hovertemplate": "reported optimum<extra></extra>",
        }
    )
    if len(others):
        traces.append(
            _minima(relief, end_y, others, "Other minima")
            | {
                "marker": {
                    "symbol": "x",
                    "size": 11,
                    "color": look.FAMILIES[1],
                    "line": {"width": 1, "color": theme.ink},
                },
                "hovertemplate": "minimum, %{customdata:.3g}% above the reported one"
                "<extra></extra>",
            }
        )
    return traces


def _ways(
    relief: Relief, start_y: NDArray[np.float64], end_y: NDArray[np.float64], theme: Theme
) -> list[Trace]:
    """Draw the starts, each with a line to its end."""
    n_starts = len(relief.starts)
    gap = np.full(n_starts, np.nan)
    return [
        {
            "type": "scatter",
            "x": np.stack([relief.starts[:, 0], relief.ends[:, 0], gap], axis=1).ravel(),
            "y": np.stack([start_y, end_y, gap], axis=1).ravel(),
            "mode": "lines",
            "name": "Way of a start",
            "line": {"color": theme.ink, "width": 0.7, "dash": "dot"},
            "opacity": 0.6,
            "hoverinfo": "skip",
        },
        {
            "type": "scatter",
            "x": relief.starts[:, 0],
            "y": start_y,
            "mode": "markers",
            "name": f"{n_starts} starts",
            "marker": {
                "symbol": "circle-open",
                "size": 9,
                "color": theme.ink,
                "line": {"width": 1.5},
            },
            "customdata": 100 * relief.end_excess,
            "hovertemplate": "start; ends %{customdata:.3g}% above the minimum<extra></extra>",
        },
    ]


def _minima(
    relief: Relief, end_y: NDArray[np.float64], which: NDArray[np.intp], name: str
) -> Trace:
    return {
        "type": "scatter",
        "x": relief.ends[which, 0],
        "y": end_y[which],
        "mode": "markers",
        "name": name,
        "customdata": 100 * relief.end_excess[which],
    }
