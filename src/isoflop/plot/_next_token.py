"""How likely each next token was, and which one was drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from isoflop.language import gettext
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.theme import LIGHT, Theme, Trace, escaped
from isoflop.training.token_counts import readable

ROW_PX = 28


def next_token(
    candidates: Sequence[tuple[bytes, float]], *, drawn: bytes | None = None, theme: Theme = LIGHT
) -> go.Figure:
    """Draw the likeliest next tokens, the likeliest on top.

    Parameters
    ----------
    candidates : sequence of (bytes, float)
        Tokens and their probabilities, descending.
    drawn : bytes, optional
        The token that was drawn; it may be none of them.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    labels = [escaped(readable(piece)) for piece, _ in candidates]
    colours = [look.ACCENT if piece == drawn else look.colour(0) for piece, _ in candidates]
    bars: Trace = {
        "type": "bar",
        "x": np.array([share for _, share in candidates]),
        "y": list(range(len(labels))),
        "orientation": "h",
        "marker": {"color": colours},
        "text": [f"{share:.1%}" for _, share in candidates],
        "textposition": "outside",
        "cliponaxis": False,
        "hoverinfo": "skip",
    }
    layout = {
        "xaxis": look.axis(gettext("Probability"), "linear")
        | {"range": [0, 1.12], "tickformat": ".0%"},
        "yaxis": {
            "autorange": "reversed",
            "tickmode": "array",
            "tickvals": list(range(len(labels))),
            "ticktext": labels,
            "tickfont": {"family": "monospace"},
        },
        "showlegend": False,
    }
    return assemble(
        [bars],
        theme=theme,
        height_px=70 + ROW_PX * max(3, len(labels)),
        layout=layout,
        alt=gettext(
            "The {count} likeliest tokens; {first} leads.", count=len(labels), first=labels[0]
        ),
    )
