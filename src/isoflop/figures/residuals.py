"""Residuals of a fit: what the law leaves unexplained, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.figures import Figure
from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Theme, Trace
from isoflop.units import counted

HEIGHT_PX = 320


@dataclass(frozen=True, slots=True, kw_only=True)
class Residuals:
    """The residuals of one family.

    Parameters
    ----------
    family : str
    x, residual : ndarray, shape (n,)
        Residuals are observed minus fitted.
    labels : tuple of str
        One a row, with units, for the hover box.
    """

    family: str
    x: NDArray[np.float64]
    residual: NDArray[np.float64]
    labels: tuple[str, ...]


def figure(
    groups: Sequence[Residuals],
    *,
    x_title: str,
    y_title: str,
    x_is_compute: bool,
    residual_std: float,
    theme: Theme = APP,
) -> Figure:
    """Draw residuals against an input, with the range that two standard deviations span.

    Parameters
    ----------
    groups : sequence of Residuals
        One for each family, coloured in this order.
    x_title, y_title : str
        With units.
    x_is_compute : bool
        Whether ticks are powers of ten (FLOP) or 1M, 1B, 1T.
    residual_std : float
        Of the residuals; NaN where it is not known.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    traces: list[Trace] = [
        {
            "type": look.marker_type(len(group.x)),
            "x": group.x,
            "y": group.residual,
            "mode": "markers",
            "name": group.family,
            "marker": {"color": look.colour(index), "symbol": look.symbol(index), "size": 8},
            "text": group.labels,
            "hovertemplate": "%{text}<extra>%{fullData.name}</extra>",
        }
        for index, group in enumerate(groups)
    ]
    shapes: list[dict[str, object]] = [_horizontal(0.0, theme.ink, "solid")]
    if np.isfinite(residual_std):
        shapes += [_horizontal(side * 2 * residual_std, look.MUTED, "dot") for side in (-1, 1)]
    layout = {
        "xaxis": look.axis(
            x_title, is_power=x_is_compute, span=np.concatenate([group.x for group in groups])
        ),
        "yaxis": look.axis(y_title, "linear"),
        "shapes": shapes,
    }
    return look.figure(traces, theme=theme, height_px=HEIGHT_PX, layout=layout)


def alt(groups: Sequence[Residuals], *, x_title: str) -> str:
    """Say in one sentence what the figure shows, for those who do not see it."""
    rows = sum(len(group.x) for group in groups)
    largest = max((float(np.max(np.abs(group.residual))) for group in groups), default=0.0)
    return f"Residuals of {counted(rows, 'row')} against {x_title}; the largest is {largest:.3g}."


def _horizontal(y: float, colour: str, dash: str) -> dict[str, object]:
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": y,
        "y1": y,
        "line": {"color": colour, "width": 1, "dash": dash},
        "layer": "below",
    }
