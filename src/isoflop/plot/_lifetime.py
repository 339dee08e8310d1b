"""The model of one loss and least lifetime compute, over the tokens it will process."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.language import gettext as _
from isoflop.planning import Plan
from isoflop.planning.longer import Lifetime
from isoflop.plot import bars
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.theme import LIGHT, Theme, Trace

HEIGHT_PX = 380


def lifetime(found: Lifetime, *, plan: Plan | None = None, theme: Theme = LIGHT) -> go.Figure:
    """Draw size and training tokens of the model of least lifetime compute over inference tokens.

    Parameters
    ----------
    found : Lifetime
    plan : Plan, optional
        Its own inference tokens are marked.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    chosen = 0.0 if plan is None else plan.budget.lifetime_inference_tokens
    return _draw(found, chosen, theme)


def _draw(found: Lifetime, chosen_tokens: float, theme: Theme) -> go.Figure:
    demand = found.inference_tokens
    traces = [
        _line(demand, found.params, _("Parameters N"), 0),
        _line(demand, found.tokens, _("Training tokens D"), 1),
    ]
    line = {"color": look.ACCENT, "width": 1.5, "dash": "dot"}
    layout = {
        "xaxis": look.axis(_("Lifetime inference (tokens)"), span=demand),
        "yaxis": look.axis(
            _("Parameters, training tokens"), span=np.concatenate([found.params, found.tokens])
        ),
        "shapes": [bars.vertical(chosen_tokens, line)] if chosen_tokens > 0 else [],
    }
    alt = _(
        "Size and training tokens of the model of least lifetime compute, over inference tokens."
    )
    return assemble(traces, theme=theme, height_px=HEIGHT_PX, layout=layout, alt=alt)


def _line(x: NDArray[np.float64], y: NDArray[np.float64], name: str, index: int) -> Trace:
    return {
        "type": "scatter",
        "x": x,
        "y": np.where(np.isfinite(y), y, np.nan),
        "mode": "lines",
        "name": name,
        "line": {"color": look.colour(index), "width": 2},
        "hovertemplate": f"%{{x:.3s}}: %{{y:.3s}}<extra>{name}</extra>",
    }
