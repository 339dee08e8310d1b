"""The best model size against compute by each of the three approaches, with bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.figures import Figure
from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Theme, Trace

HEIGHT_PX = 430
_DASHES = ("dot", "dash", "solid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one approach says.

    Parameters
    ----------
    name : str
    place : int
        Which approach, from 0; settles its colour.
    compute_flop, params : ndarray, shape (n,)
    lower, upper : ndarray, shape (n,), or None
    point_flop, point_params : ndarray, shape (m,)
        What the line goes through; empty for none.
    """

    name: str
    place: int
    compute_flop: NDArray[np.float64]
    params: NDArray[np.float64]
    lower: NDArray[np.float64] | None
    upper: NDArray[np.float64] | None
    point_flop: NDArray[np.float64]
    point_params: NDArray[np.float64]


def figure(
    lines: Sequence[Line], *, compute_range: tuple[float, float], theme: Theme = APP
) -> Figure:
    """Draw the lines with their bands; the range of the rows is shaded.

    Parameters
    ----------
    lines : sequence of Line
    compute_range : (float, float)
        Of the rows.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    traces: list[Trace] = []
    for line in lines:
        traces += _line(line)
    x = np.concatenate([line.compute_flop for line in lines])
    y = np.concatenate([line.params for line in lines])
    layout = {
        "xaxis": look.axis("Training compute C (FLOP)", is_power=True, span=x),
        "yaxis": look.narrow_log_axis("Best model size (parameters)", y),
        "shapes": [
            {
                "type": "rect",
                "x0": compute_range[0],
                "x1": compute_range[1],
                "yref": "paper",
                "y0": 0,
                "y1": 1,
                "fillcolor": look.MUTED,
                "opacity": 0.14,
                "line": {"width": 0},
                "layer": "below",
            }
        ],
        "annotations": [
            {
                "xref": "x",
                "x": float(np.log10(compute_range[0])),
                "yref": "paper",
                "y": 1,
                "xanchor": "left",
                "yanchor": "top",
                "text": " rows",
                "showarrow": False,
            }
        ],
    }
    return look.figure(traces, theme=theme, height_px=HEIGHT_PX, layout=layout)


def alt(lines: Sequence[Line]) -> str:
    """Say in one sentence what the figure shows, for those who do not see it."""
    ends = ", ".join(f"{line.name} {line.params[-1]:.3g} parameters" for line in lines)
    return f"Best model size against compute; at the largest compute drawn: {ends}."


def _line(line: Line) -> list[Trace]:
    colour = look.colour(line.place)
    traces: list[Trace] = []
    if line.lower is not None and line.upper is not None:
        traces.append(
            {
                "type": "scatter",
                "x": np.concatenate([line.compute_flop, line.compute_flop[::-1]]),
                "y": np.concatenate([line.upper, line.lower[::-1]]),
                "fill": "toself",
                "mode": "lines",
                "line": {"width": 0},
                "fillcolor": look.translucent(colour, 0.16),
                "name": line.name,
                "legendgroup": line.name,
                "showlegend": False,
                "hoverinfo": "skip",
            }
        )
    traces.append(
        {
            "type": "scatter",
            "x": line.compute_flop,
            "y": line.params,
            "mode": "lines",
            "name": line.name,
            "legendgroup": line.name,
            "line": {"color": colour, "width": 2.4, "dash": _DASHES[line.place % len(_DASHES)]},
            "hovertemplate": "%{x:.2g} FLOP: %{y:.3s} parameters<extra>" + line.name + "</extra>",
        }
    )
    if len(line.point_flop):
        traces.append(
            {
                "type": "scatter",
                "x": line.point_flop,
                "y": line.point_params,
                "mode": "markers",
                "name": line.name,
                "legendgroup": line.name,
                "showlegend": False,
                "marker": {"color": colour, "symbol": look.symbol(line.place), "size": 8,
                           "line": look.OUTLINE},
                "hovertemplate": "%{x:.2g} FLOP: %{y:.3s} parameters<extra></extra>",
            }
        )  # fmt: skip
    return traces
