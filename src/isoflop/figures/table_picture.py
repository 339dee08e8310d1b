"""A small picture of what a loss table holds: how large, how long, how good."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isoflop.figures import Figure
from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Theme, Trace
from isoflop.units import counted

HEIGHT_PX = 240
MAX_POINTS = 1500
LOW_TO_HIGH = ((0.0, "#0072B2"), (0.5, "#56B4E9"), (1.0, "#E69F00"))
"""Colours of losses, low to high, apart for colour-blind readers too."""


def figure(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    value: NDArray[np.float64],
    *,
    x_title: str,
    y_title: str,
    value_title: str,
    x_is_compute: bool = False,
    y_is_positive: bool = True,
    theme: Theme = APP,
) -> Figure:
    """Draw rows as points whose colour is their loss or score.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
    value : ndarray, shape (n,)
        Loss or score.
    x_title, y_title, value_title : str
        With units.
    x_is_compute : bool
        Whether ticks of x are powers of ten.
    y_is_positive : bool
        Whether y is logarithmic.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
        At most 1,500 points, evenly taken.
    """
    every = max(1, -(-len(x) // MAX_POINTS))
    trace: Trace = {
        "type": "scatter",
        "x": x[::every],
        "y": y[::every],
        "mode": "markers",
        "hoverinfo": "skip",
        "marker": {
            "color": value[::every],
            "colorscale": [list(stop) for stop in LOW_TO_HIGH],
            "size": 6,
            "line": look.OUTLINE,
            "showscale": True,
            "colorbar": {
                "title": {"text": value_title, "side": "right"},
                "thickness": 10,
                "outlinewidth": 0,
            },
        },
        "showlegend": False,
    }
    layout = {
        "xaxis": look.axis(x_title, is_power=x_is_compute, span=x),
        "yaxis": look.axis(y_title, "log" if y_is_positive else "linear", span=y),
    }
    return look.figure([trace], theme=theme, height_px=HEIGHT_PX, layout=layout)


def alt(n_rows: int, *, x_title: str, y_title: str, value_title: str) -> str:
    """Say in one sentence what the figure shows, for those who do not see it."""
    return f"{counted(n_rows, 'row')}: {y_title} against {x_title}, coloured by {value_title}."
