"""Live training: how often each token of a corpus occurs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Theme

HEIGHT_PX = 300
MAX_POINTS = 600


def figure(counts: NDArray[np.int64], labels: Sequence[str], *, theme: Theme = APP) -> go.Figure:
    """Draw frequency against rank on logarithmic axes.

    Parameters
    ----------
    counts : ndarray of int, shape (vocab_size,)
        Occurrences of each token.
    labels : sequence of str
        Tokens as a person reads them.
    theme : Theme
    """
    order = np.argsort(-counts)[: np.count_nonzero(counts)]
    if len(order) > MAX_POINTS:
        order = order[np.unique(np.geomspace(1, len(order), MAX_POINTS).astype(int)) - 1]
    rank = 1 + np.arange(len(order))
    shares = counts[order] / counts.sum()
    dots = go.Scatter(
        x=rank,
        y=shares,
        mode="markers",
        marker={"color": look.colour(0), "size": 5},
        text=[labels[index] for index in order],
        hovertemplate="%{text}<br>rank %{x}<br>%{y:.2%} of all<extra></extra>",
    )
    layout = {
        "xaxis": look.axis("Rank of the token", span=rank),
        "yaxis": look.axis("Share of the text", is_power=True, span=shares),
        "showlegend": False,
    }
    return look.figure([dots], theme=theme, height_px=HEIGHT_PX, layout=layout)
