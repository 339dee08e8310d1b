"""Horizontal bars with a label each, as figures of a plan draw them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from isoflop.language import gettext as _
from isoflop.language import lazy_gettext, translated
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.theme import Theme, Trace
from isoflop.units import Dimension
from isoflop.units.said import format_quantity

BAR_PX, FRAME_PX, LEGEND_PX = 44, 90, 40

LABELS: dict[str, Any] = {"autorange": "reversed", "showgrid": False}
"""The axis of the labels, the first at the top."""

_UNITS: dict[Dimension, Sequence[tuple[float, str]]] = {
    "bytes": ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1.0, "bytes")),
    "usd": ((1e9, lazy_gettext("billion US dollars")), (1e6, lazy_gettext("million US dollars")),
            (1e3, lazy_gettext("thousand US dollars")), (0.0, lazy_gettext("US dollars"))),
}  # fmt: skip


def height_px(n_bars: int) -> int:
    """Return the height of a figure of so many bars."""
    return FRAME_PX + BAR_PX * max(n_bars, 1)


def vertical(x: float, line: Mapping[str, object]) -> dict[str, object]:
    """Return a line across the bars."""
    return {
        "type": "line", "xref": "x", "yref": "paper", "x0": x, "x1": x, "y0": 0, "y1": 1,
        "line": dict(line),
    }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Stacks:
    """Bytes or money by component, a bar a row, against limits.

    Parameters
    ----------
    title : str
        Of the axis, without unit.
    rows : mapping of str to mapping of str to float
        Of each component by the row's label.
    lines : sequence of (float, str)
        Limits, each with the dash of its line.
    dimension : {"bytes", "usd"}
    """

    title: str
    rows: Mapping[str, Mapping[str, float]]
    lines: Sequence[tuple[float, str]] = ()
    dimension: Dimension = "bytes"


def draw_stacks(picture: Stacks, theme: Theme, *, notes: Sequence[str] = ()) -> go.Figure:
    """Draw components, stacked, one bar a row."""
    rows = picture.rows
    unit, name = _unit(max(sum(row.values()) for row in rows.values()), picture.dimension)
    components = list(next(iter(rows.values())))
    traces: list[Trace] = [
        {
            "type": "bar",
            "x": np.array([row[component] / unit for row in rows.values()]),
            "y": list(rows),
            "orientation": "h",
            "name": translated(component).capitalize(),
            "marker": {"color": look.colour(index)},
            "hovertemplate": f"%{{y}}<br>{translated(component)}: %{{x:.3g}} {name}<extra></extra>",
        }
        for index, component in enumerate(components)
        if any(row[component] > 0 for row in rows.values())
    ]
    layout = {
        "barmode": "stack",
        "bargap": 0.35,
        "shapes": [
            vertical(value / unit, {"color": look.ACCENT, "width": 2, "dash": dash})
            for value, dash in picture.lines
        ],
        "xaxis": {
            "title": {"text": _("{title} ({unit})", title=picture.title, unit=name)},
            "rangemode": "tozero",
        },
        "yaxis": LABELS,
    }
    totals = ", ".join(
        f"{label}: {format_quantity(sum(row.values()), picture.dimension)}"
        for label, row in rows.items()
    )
    return assemble(
        traces,
        theme=theme,
        height_px=height_px(len(rows)) + LEGEND_PX,
        layout=layout,
        alt=_("{title} by component. {totals}.", title=picture.title, totals=totals),
        notes=notes,
    )


def _unit(largest: float, dimension: Dimension) -> tuple[float, str]:
    """Return the unit that suits the largest bar, and its name."""
    unit, name = next(
        (one for one in _UNITS[dimension] if largest >= one[0]), _UNITS[dimension][-1]
    )
    return unit or 1.0, translated(name)
