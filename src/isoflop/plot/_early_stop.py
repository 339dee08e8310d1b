"""What a search says that is ended early, beside the optimum."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from isoflop.language import gettext as _
from isoflop.lessons import EarlyStop
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.axes import AXES, loss_title
from isoflop.plot.lines import note_at, shaded
from isoflop.plot.theme import LIGHT, Theme, Trace

HEIGHT_PX = 400
MARGIN = 1.03


def early_stop(stopped: EarlyStop, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw the runs, the curve of the step looked at, and that of the optimum.

    Parameters
    ----------
    stopped : EarlyStop
        From `isoflop.lessons.early_stop`.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    flop = stopped.compute_flop
    seen = float(stopped.rows_flop.max())
    low = float(stopped.best_loss.min()) * 0.8
    ends = np.log10([low, float(stopped.rows_loss.max()) * MARGIN])
    title = loss_title("nats/token")
    return assemble(
        [_rows(stopped, theme), *_curves(stopped)],
        theme=theme,
        height_px=HEIGHT_PX,
        layout={
            "xaxis": look.axis(AXES["compute_flop"].title, is_power=True, span=flop),
            "yaxis": look.axis(title)
            | {"range": ends.tolist(), "tickvals": look.round_ticks(*10.0**ends)},
            "shapes": [shaded(seen, float(flop[-1]))],
            "annotations": [note_at(seen, _("beyond the runs"))],
        },
        alt=_(
            "Loss over compute at 20 tokens per parameter: after {steps} steps "
            "the fit says {loss:.2f} at the end, the optimum {best_loss:.2f}.",
            steps=stopped.steps,
            loss=stopped.loss[-1],
            best_loss=stopped.best_loss[-1],
        ),
    )


def _rows(stopped: EarlyStop, theme: Theme) -> Trace:
    return {
        "type": "scatter",
        "x": stopped.rows_flop,
        "y": stopped.rows_loss,
        "mode": "markers",
        "name": _("Simulated runs"),
        "marker": {"color": theme.ink, "size": 6, "opacity": 0.45, "line": look.OUTLINE},
        "hovertemplate": "%{x:.2g} FLOP: %{y:.3f}<extra></extra>",
    }


def _curves(stopped: EarlyStop) -> list[Trace]:
    looks: tuple[tuple[str, Any, dict[str, Any]], ...] = (
        (_("The optimum"), stopped.best_loss, {"color": look.FAMILIES[0], "width": 2.5}),
        (
            _("The fit as the search ended"),
            stopped.loss,
            {"color": look.ACCENT, "width": 2.2, "dash": "dash"},
        ),
    )
    return [
        {
            "type": "scatter",
            "x": stopped.compute_flop,
            "y": y,
            "mode": "lines",
            "name": name,
            "line": line,
            "hovertemplate": "%{x:.2g} FLOP: %{y:.3f}<extra>" + name + "</extra>",
        }
        for name, y, line in looks
    ]
