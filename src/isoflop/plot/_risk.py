"""What a plan may come to: loss and money against probability."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from isoflop.language import gettext as _
from isoflop.planning.risk import Risk
from isoflop.plot import axes
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.theme import LIGHT, Theme, Trace
from isoflop.tables.schema import said_response

HEIGHT_PX = 380
GAP = 0.14


def risk(found: Risk, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw the loss within the budget, and the money for the target, against probability.

    Parameters
    ----------
    found : Risk
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    percent = 100 * found.probability
    loss: Trace = {
        "type": "scatter",
        "x": found.loss,
        "y": percent,
        "mode": "lines",
        "name": _("Loss within the budget"),
        "line": {"color": look.colour(0), "width": 2},
        "hovertemplate": _(
            "%{{y:.0f}}%: {response} of %{{x:.4f}} or less<extra></extra>",
            response=said_response(found.response),
        ),
    }
    traces = [loss]
    chance = {"type": "linear", "title": {"text": _("Probability (%)")}, "range": [0, 100]}
    width = 1.0 if found.usd is None else (1 - GAP) / 2
    layout = {
        "xaxis": {
            "title": {"text": axes.outcome_title(found.response, found.loss_unit)},
            "domain": [0, width],
        },
        "yaxis": chance,
        "shapes": [_target(found)],
        "showlegend": False,
    }
    if found.usd is not None:
        known = np.isfinite(found.usd)
        traces.append(
            {
                "type": "scatter",
                "x": np.where(known, found.usd, np.nan),
                "y": percent,
                "xaxis": "x2",
                "yaxis": "y2",
                "mode": "lines",
                "name": _("Money for the target"),
                "line": {"color": look.colour(1), "width": 2},
                "hovertemplate": _("%{{y:.0f}}%: $%{{x:.3s}} suffice<extra></extra>"),
            }
        )
        layout |= {
            "xaxis2": {
                "type": "log",
                "title": {
                    "text": _(
                        "Money for {response} {target_loss:.4g} (US dollars)",
                        response=said_response(found.response),
                        target_loss=found.target_loss,
                    )
                },
                "domain": [width + GAP, 1],
                "anchor": "y2",
            },
            "yaxis2": {**chance, "title": {"text": ""}, "anchor": "x2"},
        }
    return assemble(
        traces,
        theme=theme,
        height_px=HEIGHT_PX,
        layout=layout,
        alt=found.summary(),
        notes=[
            _(
                "Dotted: the target, reached with {chance:.0%}. Of the spread of the "
                "loss {loss_share:.0%} is the prediction, {speed_share:.0%} the "
                "speed.",
                chance=found.chance,
                loss_share=found.loss_share,
                speed_share=found.speed_share,
            )
        ],
    )


def _target(found: Risk) -> dict[str, object]:
    return {
        "type": "line", "xref": "x", "yref": "y", "x0": found.target_loss, "x1": found.target_loss,
        "y0": 0, "y1": 100, "line": {"color": look.ACCENT, "width": 1.5, "dash": "dot"},
    }  # fmt: skip
