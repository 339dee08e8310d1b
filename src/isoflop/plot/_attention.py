"""Attention of a trained model: how much each token draws on each one before it."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from isoflop.language import gettext as _
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.theme import LIGHT, Theme, Trace, escaped
from isoflop.training.attention import AttentionWeights
from isoflop.training.token_counts import readable

ROW_PX = 15
SMALLEST_PX = 320
SCALE = [[0, look.translucent(look.colour(0), 0)], [1, look.colour(0)]]


def attention(
    weights: AttentionWeights, *, layer: int = 0, head: int = 0, theme: Theme = LIGHT
) -> go.Figure:
    """Draw the attention weights of one head as shades, a row a token.

    Parameters
    ----------
    weights : AttentionWeights
    layer, head : int
        From 0.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    shares = weights.weights[layer, head]
    places = list(range(len(weights.pieces)))
    labels = [escaped(readable(piece)) for piece in weights.pieces]
    later = np.triu(np.ones_like(shares, dtype=bool), 1)
    shades: Trace = {
        "type": "heatmap",
        "z": np.where(later, np.nan, shares),
        "zmin": 0,
        "zmax": 1,
        "colorscale": SCALE,
        "colorbar": {"tickformat": ".0%", "thickness": 10, "outlinewidth": 0},
        "customdata": [
            [
                _("{token} draws on {earlier}", token=labels[row], earlier=labels[column])
                for column in places
            ]
            for row in places
        ],
        "hovertemplate": "%{customdata}: %{z:.1%}<extra></extra>",
        "xgap": 1,
        "ygap": 1,
    }
    ticks = {
        "tickmode": "array",
        "tickvals": places,
        "ticktext": labels,
        "showgrid": False,
        "tickfont": {"family": "monospace", "size": 11},
        "zeroline": False,
    }
    layout = {
        "xaxis": {"title": {"text": _("Token drawn on")}, "tickangle": 0} | ticks,
        "yaxis": {"title": {"text": _("Token")}, "autorange": "reversed"} | ticks,
    }
    return assemble(
        [shades],
        theme=theme,
        height_px=max(SMALLEST_PX, 110 + ROW_PX * len(places)),
        layout=layout,
        alt=_alt(weights, layer, head),
    )


def _alt(weights: AttentionWeights, layer: int, head: int) -> str:
    shares = weights.weights[layer, head]
    self_share = float(np.mean(np.diagonal(shares)))
    before = float(np.mean(np.diagonal(shares, -1))) if len(shares) > 1 else 0.0
    return _(
        "Attention of layer {layer}, head {head} over {shares} tokens: on "
        "average {self_share:.0%} on the token itself and {before:.0%} on "
        "the one before.",
        layer=layer + 1,
        head=head + 1,
        shares=len(shares),
        self_share=self_share,
        before=before,
    )
