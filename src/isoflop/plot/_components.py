"""Where a model's parameters are, and its FLOP go: bars stacked by component."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from isoflop.accounting.counts import FlopCount, ParameterCount
from isoflop.language import gettext as _
from isoflop.language import lazy_gettext
from isoflop.language import ngettext as n_
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.theme import LIGHT, Theme, Trace

ROW_PX = 28
BACKWARD_AND_FORWARD = 3
"""Training passes for one forward pass: the backward one costs twice as much."""

PARTS = {
    "token_embedding": (lazy_gettext("Embedding"), 0),
    "lm_head": (lazy_gettext("Output (tied)"), 0),
    "recurrent": (lazy_gettext("Recurrent layers"), 1),
    "mlp": (lazy_gettext("Feed-forward"), 2),
    "attention": (lazy_gettext("Attention"), 3),
    "attention_scores": (lazy_gettext("Attention scores"), 4),
    "projection": (lazy_gettext("Projection"), 5),
    "norm": (lazy_gettext("Norms"), 7),
}
"""Label and colour of each component, the same in every figure, in the order of stacking."""


def components(
    models: Mapping[str, ParameterCount] | Mapping[str, FlopCount], *, theme: Theme = LIGHT
) -> go.Figure:
    """Draw stacked bars, one a model, of the components that make it up.

    Parameters
    ----------
    models : mapping of str to ParameterCount or FlopCount
        By the model's name; FLOP are those of training.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    sizes = {name: _sizes(count) for name, count in models.items()}
    is_flop = any(isinstance(count, FlopCount) for count in models.values())
    present = {part for parts in sizes.values() for part in parts}
    bars: list[Trace] = [
        {
            "type": "bar",
            "x": np.array([parts.get(part, 0.0) for parts in sizes.values()]),
            "y": list(sizes),
            "orientation": "h",
            "name": label,
            "marker": {"color": look.colour(index)},
            "hovertemplate": "%{x:,.0f}<extra>%{fullData.name}</extra>",
        }
        for part, (label, index) in PARTS.items()
        if part in present
    ]
    title = _("FLOP per trained token") if is_flop else _("Parameters")
    layout = {
        "barmode": "stack",
        "xaxis": look.axis(title, "linear"),
        "yaxis": {"autorange": "reversed"},
    }
    made = assemble(
        bars,
        theme=theme,
        height_px=110 + ROW_PX * max(2, len(models)),
        layout=layout,
        alt=_(
            "{title} of {models}, stacked by component.",
            title=title,
            models=n_("{n:,} model", "{n:,} models", len(models)),
        ),
    )
    return made.update_layout(legend={"traceorder": "normal"})


def _sizes(count: ParameterCount | FlopCount) -> Mapping[str, float]:
    if isinstance(count, ParameterCount):
        return count.by_component
    parts = count.forward_by_component_flop
    return {name: BACKWARD_AND_FORWARD * flop for name, flop in parts.items()}
