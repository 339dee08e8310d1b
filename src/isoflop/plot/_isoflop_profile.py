"""One isoFLOP profile among those of other budgets, as a law has them."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from isoflop.language import gettext as _
from isoflop.lessons import Profile
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.axes import AXES, loss_title
from isoflop.plot.theme import LIGHT, Theme, Trace
from isoflop.units.said import format_quantity

HEIGHT_PX = 420


def isoflop_profile(found: Profile, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw the valley of a budget, its lowest point, and the valleys of other budgets.

    Parameters
    ----------
    found : Profile
        From `isoflop.lessons.profile`.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    chosen = found.chosen
    name = format_quantity(chosen.compute_flop, "flop", 2)
    losses = np.concatenate([valley.loss for valley in found.others])
    sizes = np.concatenate([valley.params for valley in found.others])
    facts = found.facts
    return assemble(
        [
            *_others(found),
            {
                "type": "scatter",
                "x": chosen.params,
                "y": chosen.loss,
                "mode": "lines",
                "name": name,
                "line": {"color": look.FAMILIES[0], "width": 3},
                "hovertemplate": _("%{{x:.3s}} parameters: %{{y:.3f}}<extra>") + name + "</extra>",
            },
            {
                "type": "scatter",
                "x": np.array([chosen.best_params]),
                "y": np.array([chosen.best_loss]),
                "mode": "markers",
                "name": _("Compute-optimal"),
                "marker": look.star(theme),
                "hovertemplate": _("best: %{{x:.3s}} parameters<extra></extra>"),
            },
        ],
        theme=theme,
        height_px=HEIGHT_PX,
        layout={
            "xaxis": look.axis(AXES["params"].title, span=sizes),
            "yaxis": look.loss_axis(loss_title("nats/token"), losses),
        },
        alt=_(
            "Loss against model size at {budget}: least at {best} parameters, "
            "higher on both sides.",
            budget=facts["budget"],
            best=facts["best"],
        ),
    )


def _others(found: Profile) -> list[Trace]:
    line = {"color": look.MUTED, "width": 1.2}
    valleys: list[Trace] = [
        {
            "type": "scatter",
            "x": valley.params,
            "y": valley.loss,
            "mode": "lines",
            "line": line,
            "showlegend": False,
            "hovertemplate": _("%{{x:.3s}} parameters: %{{y:.3f}}<extra>")
            + format_quantity(valley.compute_flop, "flop", 2)
            + "</extra>",
        }
        for valley in found.others
    ]
    best: Trace = {
        "type": "scatter",
        "x": np.array([valley.best_params for valley in found.others]),
        "y": np.array([valley.best_loss for valley in found.others]),
        "mode": "lines+markers",
        "name": _("Best sizes of other budgets"),
        "line": {"color": look.ACCENT, "width": 1.5, "dash": "dot"},
        "marker": {"color": look.ACCENT, "size": 7},
        "hovertemplate": _("best: %{{x:.3s}} parameters<extra></extra>"),
    }
    return [*valleys, best]
