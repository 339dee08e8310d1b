"""Live training: bars of what the next token may be, and of where the parameters are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Theme

ROW_PX = 28

PARTS = {
    "token_embedding": ("Embedding", 0),
    "lm_head": ("Output (tied)", 0),
    "recurrent": ("Recurrent layers", 1),
    "mlp": ("Feed-forward", 2),
    "attention": ("Attention", 3),
    "attention_scores": ("Attention scores", 4),
    "projection": ("Projection", 5),
    "norm": ("Norms", 7),
}
"""Label and colour of each component, the same in every figure, in the order of stacking."""


def next_token(
    labels: Sequence[str], shares: Sequence[float], *, chosen: int | None, theme: Theme = APP
) -> go.Figure:
    """Draw the likeliest next tokens, the likeliest on top.

    Parameters
    ----------
    labels : sequence of str
        Tokens as a person reads them.
    shares : sequence of float
        Probabilities, descending.
    chosen : int or None
        Which one was drawn.
    theme : Theme
    """
    colours = [look.ACCENT if index == chosen else look.colour(0) for index in range(len(labels))]
    bars = go.Bar(
        x=np.asarray(shares),
        y=list(range(len(labels))),
        orientation="h",
        marker={"color": colours},
        text=[f"{share:.1%}" for share in shares],
        textposition="outside",
        cliponaxis=False,
        hoverinfo="skip",
    )
    layout = {
        "xaxis": look.axis("Probability", "linear") | {"range": [0, 1.12], "tickformat": ".0%"},
        "yaxis": {
            "autorange": "reversed",
            "tickmode": "array",
            "tickvals": list(range(len(labels))),
            "ticktext": list(labels),
            "tickfont": {"family": "monospace"},
        },
        "showlegend": False,
    }
    height_px = 70 + ROW_PX * max(3, len(labels))
    return look.figure([bars], theme=theme, height_px=height_px, layout=layout)


def components(
    models: Mapping[str, Mapping[str, float]], *, x_title: str, theme: Theme = APP
) -> go.Figure:
    """Draw stacked bars, one a model, of the parts that make it up.

    Parameters
    ----------
    models : mapping of str to mapping of str to float
        Part (of ``PARTS``) to size, by model.
    x_title : str
        With unit.
    theme : Theme
    """
    present = {part for sizes in models.values() for part in sizes}
    bars = [
        go.Bar(
            x=np.array([sizes.get(part, 0.0) for sizes in models.values()]),
            y=list(models),
            orientation="h",
            name=label,
            marker={"color": look.colour(index)},
            hovertemplate="%{x:,.0f}<extra>%{fullData.name}</extra>",
        )
        for part, (label, index) in PARTS.items()
        if part in present
    ]
    layout = {
        "barmode": "stack",
        "xaxis": look.axis(x_title, "linear"),
        "yaxis": {"autorange": "reversed"},
    }
    height_px = 110 + ROW_PX * max(2, len(models))
    made = look.figure(bars, theme=theme, height_px=height_px, layout=layout)
    return made.update_layout(legend={"traceorder": "normal"})
