"""What would have been said before each of a table's largest runs, and what came."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from isoflop.fitting.extrapolation.history import History, Said
from isoflop.language import gettext as _
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.axes import axis_of
from isoflop.plot.theme import LIGHT, Theme, Trace

HEIGHT_PX = 380


def rolling_origin(found: History, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw the error of each prediction at each cut, with its band, over the size of the run.

    Parameters
    ----------
    found : History
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    return _draw(_prepare(found), theme)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """Cuts in their order, and the axis that runs are laid out on."""

    cuts: tuple[Said, ...]
    column: str
    words: str


def _prepare(found: History) -> _Picture:
    return _Picture(cuts=found.cuts, column=found.scale, words=found.summary())


def _draw(picture: _Picture, theme: Theme) -> go.Figure:
    traces = [_cut(said, index) for index, said in enumerate(picture.cuts)]
    scales = np.concatenate([said.scale for said in picture.cuts])
    axis = axis_of(picture.column)
    layout = {
        "xaxis": look.axis(axis.title, is_power=axis.is_compute, span=scales),
        "yaxis": {
            "title": {"text": _("Observed over predicted loss")},
            "tickformat": "+.1%",
            "zeroline": True,
            "zerolinecolor": look.MUTED,
        },
    }
    return assemble(
        traces,
        theme=theme,
        height_px=HEIGHT_PX,
        layout=layout,
        alt=_(
            "Predictions of a table's own largest runs before they ran. {coverage}",
            coverage=picture.words,
        ),
        notes=[
            _(
                "Each point is a run that the laws had not seen, with the 90% band "
                "that was predicted for it: a bar that misses the line missed the "
                "run."
            )
        ],
    )


def _cut(said: Said, index: int) -> Trace:
    off = said.observed / said.centre - 1
    return {
        "type": "scatter",
        "x": said.scale,
        "y": off,
        "mode": "markers",
        "name": _(
            "{decades:g} decades held out: {coverage:.0%} held",
            decades=said.decades,
            coverage=said.coverage,
        ),
        "marker": {
            "color": look.colour(index),
            "symbol": look.symbol(index),
            "size": 7,
            "line": look.OUTLINE,
        },
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": 1 - said.lower / said.centre,
            "arrayminus": said.upper / said.centre - 1,
            "color": look.colour(index),
            "thickness": 1,
            "width": 0,
        },
        "customdata": np.stack([said.observed, said.centre, said.lower, said.upper], axis=1),
        "hovertemplate": _(
            "observed %{{customdata[0]:.4g}}, predicted %{{customdata[1]:.4g}} "
            "(%{{customdata[2]:.4g}} to "
            "%{{customdata[3]:.4g}})<extra>%{{fullData.name}}</extra>"
        ),
    }
