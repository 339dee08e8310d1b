"""Leverage against residual, and what each row moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Theme, Trace
from isoflop.units import counted

HEIGHT_PX = 430
BAR_PX = 24
SMALLEST_PX, LARGEST_PX = 6.0, 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows of one family, some of them left out.

    Parameters
    ----------
    family : str
    leverage, residual : ndarray, shape (n,)
        Residuals in their own standard deviations.
    weight : ndarray, shape (n,)
        0 to 1: how much the row moves what is looked at.
    index : ndarray of int, shape (n,)
        Of the row in its table; what a click on it gives.
    is_dropped : ndarray of bool, shape (n,)
    labels : tuple of str
        One a row, for the hover box.
    """

    family: str
    leverage: NDArray[np.float64]
    residual: NDArray[np.float64]
    weight: NDArray[np.float64]
    index: NDArray[np.int64]
    is_dropped: NDArray[np.bool_]
    labels: tuple[str, ...]


def figure(groups: Sequence[Rows], *, n_params: int, theme: Theme = APP) -> go.Figure:
    """Draw leverage against residual, the size of a marker showing what the row moves.

    Parameters
    ----------
    groups : sequence of Rows
        One for each family, coloured in this order.
    n_params : int
        For the mean leverage, which is marked.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    traces: list[Trace] = [
        {
            "type": look.marker_type(len(group.leverage)),
            "x": group.leverage,
            "y": group.residual,
            "mode": "markers",
            "name": group.family,
            "marker": {
                "color": look.colour(index),
                "symbol": [
                    look.symbol(index) + ("-open" if is_dropped else "")
                    for is_dropped in group.is_dropped
                ],
                "size": SMALLEST_PX + (LARGEST_PX - SMALLEST_PX) * group.weight,
                "opacity": 0.85,
                "line": {"width": 1, "color": theme.ink},
            },
            "customdata": group.index,
            "text": group.labels,
            "hovertemplate": "%{text}<extra>%{fullData.name}</extra>",
        }
        for index, group in enumerate(groups)
    ]
    n_rows = sum(len(group.leverage) for group in groups)
    shapes = [
        _line("y", 0.0, theme.ink, "solid"),
        _line("x", n_params / max(n_rows, 1), look.MUTED, "dot"),
    ]
    everything = np.concatenate([group.leverage for group in groups])
    layout = {
        "xaxis": look.narrow_log_axis(
            "Leverage (weight of a row in its own fitted value)",
            np.array([everything.min() / 1.1, everything.max() * 1.2]),
        ),
        "yaxis": look.axis("Residual (robust standard deviations)", "linear"),
        "shapes": shapes,
        "clickmode": "event+select",
    }
    return look.figure(traces, theme=theme, height_px=HEIGHT_PX, layout=layout)


def alt(groups: Sequence[Rows]) -> str:
    """Say in one sentence what the figure shows, for those who do not see it."""
    n_rows = sum(len(group.leverage) for group in groups)
    n_dropped = sum(int(group.is_dropped.sum()) for group in groups)
    heaviest = max(
        (
            (weight, row)
            for group in groups
            for weight, row in zip(group.weight, group.index, strict=True)
        ),
        default=(0.0, 0),
    )
    return (
        f"Leverage against residual of {counted(n_rows, 'row')}, {n_dropped} of them left out; row "
        f"{int(heaviest[1])} moves the fit most."
    )


def bars(
    names: Sequence[str],
    change: NDArray[np.float64],
    *,
    x_title: str,
    labels: Sequence[str],
    theme: Theme = APP,
) -> go.Figure:
    """Draw by how much a quantity moves without each of some rows, the furthest first.

    Parameters
    ----------
    names : sequence of str
        Of the rows or runs.
    change : ndarray, shape (n,)
    x_title : str
        With unit.
    labels : sequence of str
        For the hover boxes.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    trace: Trace = {
        "type": "bar",
        "orientation": "h",
        "x": change,
        "y": list(names),
        "marker": {"color": [look.FAMILIES[0] if value >= 0 else look.ACCENT for value in change]},
        "text": labels,
        "textposition": "none",
        "hovertemplate": "%{text}<extra></extra>",
    }
    layout = {
        "xaxis": look.axis(x_title, "linear") | {"zeroline": True, "zerolinecolor": theme.ink},
        "yaxis": {"type": "category", "autorange": "reversed", "showgrid": False, "ticks": ""},
        "bargap": 0.3,
    }
    return look.figure([trace], theme=theme, height_px=BAR_PX * len(names) + 70, layout=layout)


def bars_alt(names: Sequence[str], change: NDArray[np.float64], *, x_title: str) -> str:
    """Say in one sentence what the bars show, for those who do not see it."""
    return f"{x_title}: most without {names[0]}, {change[0]:+.3g}."


def _line(axis: str, at: float, colour: str, dash: str) -> dict[str, object]:
    along, across = ("x", "y") if axis == "y" else ("y", "x")
    return {
        "type": "line",
        f"{along}ref": "paper",
        f"{along}0": 0,
        f"{along}1": 1,
        f"{across}0": at,
        f"{across}1": at,
        "line": {"color": colour, "width": 1, "dash": dash},
        "layer": "below",
    }
