"""The rows of a table, to be looked at and picked: included ones by family, left-out ones apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.figures import Figure
from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Scale, Theme, Trace
from isoflop.units import counted

HEIGHT_PX = 440
MAX_FAMILIES = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows drawn alike.

    Parameters
    ----------
    name : str
        Family; inert in a browser.
    x, y : ndarray, shape (n,)
    labels : tuple of str
        One a row, for the hover box; inert in a browser.
    numbers : ndarray of int, shape (n,)
        Row numbers, which come back with a selection.
    """

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    labels: tuple[str, ...]
    numbers: NDArray[np.int64]


def figure(
    included: Sequence[Rows],
    excluded: Rows | None,
    *,
    x_title: str,
    y_title: str,
    x_is_compute: bool,
    y_is_loss: bool,
    theme: Theme = APP,
) -> Figure:
    """Draw rows so that points can be picked by click, box or lasso.

    Parameters
    ----------
    included : sequence of Rows
        One for each family, coloured in this order.
    excluded : Rows or None
        Those left out, drawn as crosses.
    x_title, y_title : str
        With units.
    x_is_compute : bool
        Whether ticks are powers of ten (FLOP) or 1M, 1B, 1T.
    y_is_loss : bool
        Whether y is a loss (logarithmic, round ticks) or a score (linear).
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    n_points = sum(len(group.x) for group in included)
    traces = [_trace(group, index, n_points) for index, group in enumerate(included)]
    if excluded is not None and len(excluded.x):
        crosses: Trace = {
            "symbol": "x-thin",
            "size": 9,
            "line": {"width": 1.5, "color": look.MUTED},
        }
        traces.append(_trace(excluded, 0, n_points) | {"marker": crosses})
    groups = [*included, *([excluded] if excluded is not None else [])]
    x = np.concatenate([group.x for group in groups]) if groups else np.array([])
    y = np.concatenate([group.y for group in groups]) if groups else np.array([])
    layout = {
        "xaxis": look.axis(x_title, _scale(x), is_power=x_is_compute, span=x),
        "yaxis": look.loss_axis(y_title, y) if y_is_loss else look.axis(y_title, "linear"),
        "dragmode": "lasso",
        "clickmode": "event+select",
    }
    return look.figure(traces, theme=theme, height_px=HEIGHT_PX, layout=layout)


def _scale(values: NDArray[np.float64]) -> Scale:
    finite = values[np.isfinite(values)]
    return "log" if len(finite) and finite.min() > 0 else "linear"


def _trace(group: Rows, index: int, n_points: int) -> Trace:
    return {
        "type": look.marker_type(n_points),
        "x": group.x,
        "y": group.y,
        "mode": "markers",
        "name": group.name,
        "customdata": group.numbers,
        "text": group.labels,
        "hovertemplate": "%{text}<extra>%{fullData.name}</extra>",
        "marker": {
            "color": look.colour(index),
            "symbol": look.symbol(index),
            "size": 8 if n_points <= look.MANY_POINTS else 5,
            "line": look.OUTLINE,
        },
        "selected": {"marker": {"color": look.ACCENT, "size": 11}},
        "unselected": {"marker": {"opacity": 0.35}},
    }


def alt(included: Sequence[Rows], excluded: Rows | None, *, x_title: str, y_title: str) -> str:
    """Say in one sentence what the figure shows, for those who do not see it."""
    n_in = sum(len(group.x) for group in included)
    n_out = 0 if excluded is None else len(excluded.x)
    left_out = f"; {n_out} left out are crosses" if n_out else ""
    families = counted(len(included), "family", "families")
    return f"{y_title} of {counted(n_in, 'row')} against {x_title}, in {families}{left_out}."
