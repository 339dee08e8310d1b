"""The lower envelope of learning curves: checkpoints, the hull below them, its corners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.fitting.isoflop import Approaches, Corners
from isoflop.fitting.isoflop.budgets import checkpoints
from isoflop.language import gettext as _
from isoflop.language import ngettext as n_
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.axes import AXES, loss_title
from isoflop.plot.theme import LIGHT, Theme, Trace

HEIGHT_PX = 430


def envelope(approaches: Approaches, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw learning curves and the envelope below them.

    Parameters
    ----------
    approaches : Approaches
        From `isoflop.fitting.isoflop.compare_approaches`.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    return _draw(_prepare(approaches), theme)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """Learning curves and the corners of the envelope.

    Parameters
    ----------
    compute_flop, loss : ndarray, shape (n,)
        Of every checkpoint, run by run and by ascending compute.
    run : ndarray of int, shape (n,)
        Ascending.
    corners : Corners
    y_title : str
    """

    compute_flop: NDArray[np.float64]
    loss: NDArray[np.float64]
    run: NDArray[np.intp]
    corners: Corners
    y_title: str


def _prepare(approaches: Approaches) -> _Picture:
    found = checkpoints(approaches.table)
    order = np.lexsort((found.compute_flop, found.run))
    return _Picture(
        compute_flop=found.compute_flop[order],
        loss=found.loss[order],
        run=found.run[order],
        corners=approaches.corners,
        y_title=loss_title(approaches.table.loss_unit),
    )


def _draw(picture: _Picture, theme: Theme) -> go.Figure:
    corners = picture.corners
    starts = np.flatnonzero(np.diff(picture.run)) + 1
    # A gap between two runs ends the line of the first.
    x, y = (np.insert(values, starts, np.nan) for values in (picture.compute_flop, picture.loss))
    n_runs = len(starts) + 1
    has_lines = n_runs < len(picture.run)
    traces: list[Trace] = [
        {
            "type": look.marker_type(len(x)),
            "x": x,
            "y": y,
            "mode": "lines+markers" if has_lines else "markers",
            "name": _("Learning curves") if has_lines else _("Final losses"),
            "line": {"color": look.MUTED, "width": 1},
            "marker": {"color": look.MUTED, "size": 4},
            "hovertemplate": "%{x:.2g} FLOP: %{y:.4g}<extra></extra>",
        },
        {
            "type": "scatter",
            "x": corners.compute_flop,
            "y": corners.loss,
            "mode": "lines",
            "name": _("Envelope"),
            "line": {"color": theme.ink, "width": 2},
            "hoverinfo": "skip",
        },
    ]
    for is_used, name in (
        (True, _("Corners used")),
        (False, _("Smallest or largest size: not used")),
    ):
        rows = corners.is_used == is_used
        if rows.any():
            traces.append(_markers(corners, rows, name, is_used))
    layout = {
        "xaxis": look.axis(AXES["compute_flop"].title, is_power=True, span=x),
        "yaxis": look.loss_axis(picture.y_title, y),
    }
    alt = _(
        "{runs} and the envelope below them with {corners}, of which {sum} are used.",
        runs=n_("{n:,} run", "{n:,} runs", n_runs),
        corners=n_("{n:,} corner", "{n:,} corners", len(corners.loss)),
        sum=int(corners.is_used.sum()),
    )
    return assemble(traces, theme=theme, height_px=HEIGHT_PX, layout=layout, alt=alt)


def _markers(corners: Corners, rows: NDArray[np.bool_], name: str, is_used: bool) -> Trace:
    return {
        "type": "scatter",
        "x": corners.compute_flop[rows],
        "y": corners.loss[rows],
        "mode": "markers",
        "name": name,
        "marker": {
            "color": look.ACCENT if is_used else look.CLEAR,
            "symbol": "circle",
            "size": 9,
            "line": {"width": 1.5, "color": look.ACCENT},
        },
        "customdata": corners.params[rows],
        "hovertemplate": _("%{{customdata:.3s}} parameters at %{{x:.2g}} FLOP<extra>")
        + name
        + "</extra>",
    }
