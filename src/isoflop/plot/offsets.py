"""How far rows lie off laws: a marker for each row and law, hollow where it is an exception."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.language import gettext as _
from isoflop.language import ngettext as n_
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.axes import Axis
from isoflop.plot.theme import Theme, Trace

HEIGHT_PX = 430
RARE, ROOM = 0.05, 0.5
"""Share of rows at each end that may lie beyond the axis, and its room as a share of the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offsets:
    """The rows against one law.

    Parameters
    ----------
    name : str
    x, offset : ndarray, shape (n,)
        The offset is a share, such as observed over predicted loss, minus 1.
    is_filled : ndarray of bool, shape (n,)
        Whether the row is as it should be: in the law's range, or inside its interval.
    labels : tuple of str
        One a row, with units, for the hover box.
    """

    name: str
    x: NDArray[np.float64]
    offset: NDArray[np.float64]
    is_filled: NDArray[np.bool_]
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Rows against laws along one axis.

    Parameters
    ----------
    axis : Axis
    y_title : str
        In per cent.
    groups : tuple of Offsets
    exception : str
        What a hollow marker means, such as ``"beyond its range"``.
    """

    axis: Axis
    y_title: str
    groups: tuple[Offsets, ...]
    exception: str


def draw(picture: Picture, theme: Theme) -> go.Figure:
    """Draw a marker a row and law."""
    traces = [
        _markers(group, index, is_plain, picture.exception)
        for index, group in enumerate(picture.groups)
        for is_plain in (True, False)
        if (group.is_filled == is_plain).any()
    ]
    x = np.concatenate([group.x for group in picture.groups] or [np.array([])])
    shown, n_beyond = _room(picture.groups)
    note = _("hollow: {exception}", exception=picture.exception)
    if n_beyond:
        note = _(
            "{n_beyond} further off: double-click to see them; {note}", n_beyond=n_beyond, note=note
        )
    layout = {
        "xaxis": look.axis(picture.axis.title, is_power=picture.axis.is_compute, span=x),
        "yaxis": look.axis(picture.y_title, "linear")
        | {"zeroline": True, "zerolinecolor": look.MUTED}
        | ({"range": list(shown)} if shown else {}),
        "annotations": [
            {
                "xref": "paper",
                "x": 1,
                "yref": "paper",
                "y": 1,
                "xanchor": "right",
                "yanchor": "bottom",
                "text": note,
                "showarrow": False,
            }
        ],
        "margin": {"l": 8, "r": 12, "t": 26, "b": 8},
    }
    return assemble(traces, theme=theme, height_px=HEIGHT_PX, layout=layout, alt=_alt(picture))


def _markers(group: Offsets, index: int, is_plain: bool, exception: str) -> Trace:
    rows = group.is_filled == is_plain
    return {
        "type": look.marker_type(int(rows.sum())),
        "x": group.x[rows],
        "y": 100 * group.offset[rows],
        "mode": "markers",
        "name": group.name,
        "legendgroup": group.name,
        "showlegend": is_plain or not group.is_filled.any(),
        "marker": {
            "color": look.colour(index) if is_plain else look.CLEAR,
            "symbol": look.symbol(index),
            "size": 8,
            "line": {"width": 1.4, "color": look.colour(index)},
            "opacity": 0.85,
        },
        "text": [label for label, row in zip(group.labels, rows, strict=True) if row],
        "hovertemplate": "%{text}<br>%{y:+.1f}%<extra>"
        + (group.name if is_plain else f"{group.name}, {exception}")
        + "</extra>",
    }


def _room(groups: tuple[Offsets, ...]) -> tuple[tuple[float, float] | None, int]:
    """Return a range in per cent that a few wild rows do not squeeze, and how many lie beyond it.

    None where all rows can be shown.
    """
    if not groups:
        return None, 0
    offsets = 100 * np.concatenate([group.offset for group in groups])
    offsets = offsets[np.isfinite(offsets)]
    low, high = np.percentile(offsets, [100 * RARE, 100 * (1 - RARE)])
    reach = high - low
    if offsets.min() > low - reach and offsets.max() < high + reach:
        return None, 0
    room = (float(low - ROOM * reach), float(high + ROOM * reach))
    return room, int(np.sum((offsets < room[0]) | (offsets > room[1])))


def _alt(picture: Picture) -> str:
    parts = [f"{group.name} {np.nanmedian(group.offset):+.1%}" for group in picture.groups]
    return _(
        "{y_title} against {title} for {laws}; medians: {parts}.",
        y_title=picture.y_title,
        title=picture.axis.title,
        laws=n_("{n:,} law", "{n:,} laws", len(parts)),
        parts=", ".join(parts) or _("none"),
    )
