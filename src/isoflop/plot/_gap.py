"""What the held-out loss is above the training loss, as the budgets are reached."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from isoflop.language import gettext as _
from isoflop.language import lazy_gettext
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.theme import LIGHT, Theme, Trace
from isoflop.training.following import RunCurve

HEIGHT_PX = 300
NOTE = lazy_gettext(
    "Training loss: the mean of each budget's last steps, on text that the model had not yet seen "
)
NOTE += lazy_gettext(
    "in its first pass over the corpus. A growing gap means that the model memorises its text."
)


def gap(curves: Sequence[RunCurve], *, theme: Theme = LIGHT) -> go.Figure:
    """Draw held-out less training loss against training tokens, a line a run.

    Parameters
    ----------
    curves : sequence of RunCurve
        At least one with a budget reached.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    drawn = [curve for curve in curves if len(curve.gap)]
    traces: list[Trace] = [
        {
            "type": "scatter",
            "x": curve.point_tokens,
            "y": curve.gap,
            "mode": "lines+markers",
            "name": curve.label,
            "line": {"color": look.shaded(curve.group, curve.shade), "width": 1.5},
            "marker": {"symbol": look.symbol(curve.group), "size": 8, "line": look.OUTLINE},
            "hovertemplate": _("%{{x:.3s}} tokens<br>%{{y:+.4f}}<extra>%{{fullData.name}}</extra>"),
        }
        for curve in drawn
    ]
    tokens = np.concatenate([curve.point_tokens for curve in drawn])
    unit = drawn[0].loss_unit
    layout = {
        "xaxis": look.axis(_("Training tokens"), span=tokens),
        "yaxis": {
            "title": {"text": _("Held-out less training loss ({unit})", unit=unit)},
            "zeroline": True,
        },
    }
    last = np.array([curve.gap[-1] for curve in drawn])
    alt = _(
        "The gap between held-out and training loss of {drawn} runs; at "
        "their largest budgets {min:+.3f} to {max:+.3f}.",
        drawn=len(drawn),
        min=last.min(),
        max=last.max(),
    )
    return assemble(traces, theme=theme, height_px=HEIGHT_PX, layout=layout, alt=alt, notes=[NOTE])
