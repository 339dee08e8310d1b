"""Smaller models trained longer to one loss: what they cost in tokens and in compute."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.language import gettext as _
from isoflop.planning.longer import SmallerModel, SmallerModels
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.axes import AXES
from isoflop.plot.theme import LIGHT, Theme, Trace
from isoflop.units import format_number

HEIGHT_PX = 380


def smaller_models(found: SmallerModels, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw tokens and training compute of smaller models of equal loss, over those of the largest.

    Parameters
    ----------
    found : SmallerModels
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    return _draw(found.reachable, theme)


def _draw(models: tuple[SmallerModel, ...], theme: Theme) -> go.Figure:
    params = np.array([model.params for model in models])
    tokens = np.array([model.tokens_ratio for model in models])
    flop = np.array([model.compute_ratio for model in models])
    labels = [_label(model) for model in models]
    traces = [
        _line(params, tokens, _("Tokens"), 0, labels),
        _line(params, flop, _("Training compute"), 1, labels),
    ]
    layout = {
        "xaxis": look.axis(AXES["params"].title, span=params),
        "yaxis": look.axis(_("Times that of the plan"), span=tokens),
    }
    alt = _("Tokens and compute of smaller models of equal loss: ") + "; ".join(labels)
    return assemble(traces, theme=theme, height_px=HEIGHT_PX, layout=layout, alt=alt)


def _label(model: SmallerModel) -> str:
    return _(
        "{params} parameters on {tokens} tokens: {compute_ratio:.2f} times the compute",
        params=format_number(model.params),
        tokens=format_number(model.tokens),
        compute_ratio=model.compute_ratio,
    )


def _line(
    x: NDArray[np.float64], y: NDArray[np.float64], name: str, index: int, labels: list[str]
) -> Trace:
    return {
        "type": "scatter",
        "x": x,
        "y": y,
        "mode": "lines",
        "name": name,
        "line": {"color": look.colour(index), "width": 2},
        "text": labels,
        "hovertemplate": f"%{{text}}<extra>{name}</extra>",
    }
