"""How many times the compute, or data, of one family another needs for the same loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.figures import Figure
from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Theme, Trace

HEIGHT_PX = 430


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiplier:
    """The multiplier over a range of scale.

    Parameters
    ----------
    name, unit : str
        Of the scale, such as ``"Compute"`` and ``"FLOP"``.
    scale, centre, lower, upper : ndarray, shape (n,)
        Infinite and zero values are not drawn.
    is_extrapolation : ndarray of bool, shape (n,)
    level : float
    """

    name: str
    unit: str
    scale: NDArray[np.float64]
    centre: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    is_extrapolation: NDArray[np.bool_]
    level: float


def figure(found: Multiplier, *, one: str, other: str, theme: Theme = APP) -> Figure:
    """Draw the multiplier with its band, dashed where either family has no rows.

    Parameters
    ----------
    found : Multiplier
    one, other : str
        Names: the multiplier is the scale of ``other`` over that of ``one``.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    x = found.scale
    shown = np.isfinite(found.centre) & (found.centre > 0)
    low, high = (float(f(found.centre[shown], initial=1.0)) for f in (np.min, np.max))
    edges = [np.clip(e, low / 30, high * 30) for e in (found.lower, found.upper)]
    inside = np.where(shown & ~found.is_extrapolation, found.centre, np.nan)
    traces: list[Trace] = [
        {
            "type": "scatter",
            "x": np.concatenate([x, x[::-1]]),
            "y": np.concatenate([edges[1], edges[0][::-1]]),
            "fill": "toself",
            "mode": "lines",
            "line": {"width": 0},
            "fillcolor": look.BAND,
            "name": f"{found.level:.0%} band",
            "hoverinfo": "skip",
        },
        {
            "type": "scatter",
            "x": x,
            "y": np.where(shown, found.centre, np.nan),
            "mode": "lines",
            "name": "beyond rows of either",
            "line": {"color": theme.ink, "width": 2, "dash": "dash"},
            "hovertemplate": "%{x:.2g} " + found.unit + ": %{y:.3g} times<extra></extra>",
        },
        {
            "type": "scatter",
            "x": x,
            "y": inside,
            "mode": "lines",
            "name": "within rows of both",
            "line": {"color": theme.ink, "width": 3},
            "hovertemplate": "%{x:.2g} " + found.unit + ": %{y:.3g} times<extra></extra>",
        },
    ]
    layout = {
        "xaxis": look.axis(
            f"{found.name} of {one} ({found.unit})", is_power=found.unit == "FLOP", span=x
        ),
        "yaxis": look.narrow_log_axis(
            "Times as much for the same loss", np.concatenate([*edges, found.centre[shown], [1.0]])
        ),
        "shapes": [
            {
                "type": "line",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": 1,
                "y1": 1,
                "line": {"color": look.MUTED, "width": 1.5, "dash": "dot"},
                "layer": "below",
            }
        ],
    }
    return look.figure(traces, theme=theme, height_px=HEIGHT_PX, layout=layout)


def alt(found: Multiplier, *, one: str, other: str) -> str:
    """Say in one sentence what the figure shows, for those who do not see it."""
    first, last = (
        f"{found.centre[i]:.3g} times at {found.scale[i]:.2g} {found.unit}" for i in (0, -1)
    )
    return (
        f"{found.name} that {other} needs over that of {one} for the same loss, from {first} to "
        f"{last}."
    )
