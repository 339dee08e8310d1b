"""How every figure is put together: common layout, and what it says in words."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from isoflop.plot.theme import Theme, Trace

COMMON: Mapping[str, Any] = {
    "margin": {"l": 8, "r": 12, "t": 8, "b": 8},
    "legend": {
        "orientation": "h",
        "yref": "container",
        "yanchor": "bottom",
        "y": 0,
        "xanchor": "left",
        "x": 0,
    },
    "hovermode": "closest",
}
"""Legend below, tight margins."""


def assemble(
    traces: Sequence[Trace],
    *,
    theme: Theme,
    height_px: int,
    layout: Mapping[str, Any],
    alt: str,
    notes: Sequence[str] = (),
) -> go.Figure:
    """Return a figure with the common layout, an explicit template and its words.

    Parameters
    ----------
    traces : sequence of dict
    theme : Theme
    height_px : int
    layout : mapping
        Added to the common one.
    alt : str
        What the figure shows, in one sentence, for those who do not see it.
    notes : sequence of str
        What a reader must know of it, such as why it has no band.
    """
    # To validate is the dearest part of a drawing, so that only the tests do it.
    return go.Figure(
        data=list(traces),
        layout={
            **COMMON,
            "template": theme.template,
            "height": height_px,
            "meta": {"alt": _plain(alt), "notes": list(notes)},
            **layout,
        },
        _validate=False,
    )


def _plain(text: str) -> str:
    """Return what a hover box writes in several lines and in bold as one line of text."""
    return html.unescape(re.sub(r"</?b>", "", text.replace("<br>", ", ")))
