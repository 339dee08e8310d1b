"""The lower envelope of learning curves: checkpoints, the hull below them, its corners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.figures import Figure
from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Theme, Trace
from isoflop.units import counted

HEIGHT_PX = 430


@dataclass(frozen=True, slots=True, kw_only=True)
class Corners:
    """Corners of the envelope, by ascending compute.

    Parameters
    ----------
    compute_flop, loss, params : ndarray, shape (n,)
    is_used : ndarray of bool, shape (n,)
        Whether a corner counts for the best size.
    """

    compute_flop: NDArray[np.float64]
    loss: NDArray[np.float64]
    params: NDArray[np.float64]
    is_used: NDArray[np.bool_]


def figure(
    curves: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
    corners: Corners,
    *,
    y_title: str,
    theme: Theme = APP,
) -> Figure:
    """Draw learning curves and the envelope below them.

    Parameters
    ----------
    curves : sequence of (ndarray, ndarray)
        Compute and loss of each run, by ascending compute.
    corners : Corners
    y_title : str
        With unit.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    gap = np.array([np.nan])
    x = np.concatenate([part for flop, _ in curves for part in (flop, gap)])
    y = np.concatenate([part for _, loss in curves for part in (loss, gap)])
    has_lines = any(len(flop) > 1 for flop, _ in curves)
    traces: list[Trace] = [
        {
            "type": look.marker_type(len(x)),
            "x": x,
            "y": y,
            "mode": "lines+markers" if has_lines else "markers",
            "name": "Learning curves" if has_lines else "Final losses",
            "line": {"color": look.MUTED, "width": 1},
            "marker": {"color": look.MUTED, "size": 4},
            "hovertemplate": "%{x:.2g} FLOP: %{y:.4g}<extra></extra>",
        },
        {
            "type": "scatter",
            "x": corners.compute_flop,
            "y": corners.loss,
            "mode": "lines",
            "name": "Envelope",
            "line": {"color": theme.ink, "width": 2},
            "hoverinfo": "skip",
        },
    ]
    for is_used, name in ((True, "Corners used"), (False, "Smallest or largest size: not used")):
        rows = corners.is_used == is_used
        if rows.any():
            traces.append(_markers(corners, rows, name, is_used))
    layout = {
        "xaxis": look.axis("Training compute C (FLOP)", is_power=True, span=x),
        "yaxis": look.loss_axis(y_title, y),
    }
    return look.figure(traces, theme=theme, height_px=HEIGHT_PX, layout=layout)


def alt(n_curves: int, corners: Corners) -> str:
    """Say in one sentence what the figure shows, for those who do not see it."""
    return (
        f"{counted(n_curves, 'run')} and the envelope below them with {len(corners.loss)} "
        f"corners, of which "
        f"{int(corners.is_used.sum())} are used."
    )


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
        "hovertemplate": "%{customdata:.3s} parameters at %{x:.2g} FLOP<extra>" + name + "</extra>",
    }
