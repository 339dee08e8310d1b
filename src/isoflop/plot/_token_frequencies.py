"""How often each token of a corpus occurs."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from isoflop.language import gettext as _
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.theme import LIGHT, Theme, Trace, escaped
from isoflop.training.token_counts import TokenCounts, readable

HEIGHT_PX = 300
MAX_POINTS = 600


def token_frequencies(counted: TokenCounts, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw frequency against rank on logarithmic axes.

    Parameters
    ----------
    counted : TokenCounts
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
        At most 600 tokens, evenly taken by the logarithm of their rank.
    """
    counts = counted.counts
    order = np.argsort(-counts)[: np.count_nonzero(counts)]
    if len(order) > MAX_POINTS:
        order = order[np.unique(np.geomspace(1, len(order), MAX_POINTS).astype(int)) - 1]
    rank = 1 + np.arange(len(order))
    shares = counts[order] / counts.sum()
    dots: Trace = {
        "type": "scatter",
        "x": rank,
        "y": shares,
        "mode": "markers",
        "marker": {"color": look.colour(0), "size": 5},
        "text": [escaped(readable(counted.pieces[index])) for index in order],
        "hovertemplate": _("%{{text}}<br>rank %{{x}}<br>%{{y:.2%}} of all<extra></extra>"),
    }
    layout = {
        "xaxis": look.axis(_("Rank of the token"), span=rank),
        "yaxis": look.axis(_("Share of the text"), is_power=True, span=shares),
        "showlegend": False,
    }
    alt = _("Share of the text against the rank of each of {counts} tokens.", counts=len(counts))
    return assemble([dots], theme=theme, height_px=HEIGHT_PX, layout=layout, alt=alt)
