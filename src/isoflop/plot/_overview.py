"""A small picture of what a loss table holds: how large, how long, how good."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.language import gettext as _
from isoflop.language import kept_by_language
from isoflop.language import ngettext as n_
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.axes import Axis, axis_of
from isoflop.plot.theme import LIGHT, Theme, Trace
from isoflop.tables import LossTable

HEIGHT_PX = 240
MAX_POINTS = 1500
SCALES = ("tokens", "params", "params_active", "compute_flop")
LOW_TO_HIGH = ((0.0, "#0072B2"), (0.5, "#56B4E9"), (1.0, "#E69F00"))
"""Colours of losses, low to high, apart for colour-blind readers too."""


def overview(table: LossTable, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw size against data coloured by loss, or the nearest to it that a table offers.

    Parameters
    ----------
    table : LossTable
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
        At most 1,500 points, evenly taken.
    """
    return _draw(_prepare(table), theme)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """What is drawn: two scales, shape (n,) each, and the loss or score of each row."""

    x_axis: Axis
    y_axis: Axis
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    value: NDArray[np.float64]
    value_title: str
    n_rows: int


@kept_by_language(max_entries=16)
def _prepare(table: LossTable) -> _Picture:
    frame = table.included()
    response = "loss" if "loss" in frame else "accuracy"
    scales = [name for name in SCALES if name in frame]
    x, y = scales[0], next(iter(scales[1:]), response)
    drawn = frame.iloc[:: max(1, -(-len(frame) // MAX_POINTS))]
    return _Picture(
        x_axis=axis_of(x),
        y_axis=axis_of(y),
        x=drawn[x].to_numpy(np.float64),
        y=drawn[y].to_numpy(np.float64),
        value=drawn[response].to_numpy(np.float64),
        value_title=_("Loss") if response == "loss" else _("Score"),
        n_rows=len(frame),
    )


def _draw(picture: _Picture, theme: Theme) -> go.Figure:
    trace: Trace = {
        "type": "scatter",
        "x": picture.x,
        "y": picture.y,
        "mode": "markers",
        "hoverinfo": "skip",
        "marker": {
            "color": picture.value,
            "colorscale": [list(stop) for stop in LOW_TO_HIGH],
            "size": 6,
            "line": look.OUTLINE,
            "showscale": True,
            "colorbar": {
                "title": {"text": picture.value_title, "side": "right"},
                "thickness": 10,
                "outlinewidth": 0,
            },
        },
        "showlegend": False,
    }
    layout = {
        "xaxis": look.axis(
            picture.x_axis.title, is_power=picture.x_axis.is_compute, span=picture.x
        ),
        "yaxis": look.axis(picture.y_axis.title, span=picture.y),
    }
    alt = _(
        "{rows}: {upwards} against {across}, coloured by {value_title}.",
        rows=n_("{n:,} row", "{n:,} rows", picture.n_rows),
        upwards=picture.y_axis.title,
        across=picture.x_axis.title,
        value_title=picture.value_title.lower(),
    )
    return assemble([trace], theme=theme, height_px=HEIGHT_PX, layout=layout, alt=alt)
