"""New runs against the bands of a fit that has not seen them."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from isoflop.fitting import Band
from isoflop.language import gettext as _
from isoflop.lessons import NewRuns
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.axes import AXES, loss_title
from isoflop.plot.theme import LIGHT, Theme, Trace

HEIGHT_PX = 420
_FILLS = {"prediction": "rgba(230, 159, 0, 0.22)", "confidence": look.BAND}


def new_runs(found: NewRuns, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw both bands, the fitted runs, and new ones by whether the prediction band holds them.

    Parameters
    ----------
    found : NewRuns
        From `isoflop.lessons.new_runs`.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    facts = found.facts
    held, missed = found.is_held, ~found.is_held
    inside: dict[str, Any] = {"color": look.FAMILIES[2], "size": 6, "opacity": 0.75}
    outside: dict[str, Any] = {"color": look.ACCENT, "size": 8, "symbol": "x"}
    losses = np.concatenate([found.prediction.lower, found.prediction.upper, found.new_loss])
    return assemble(
        [
            _band(found, found.prediction, _("{level} prediction band", level=facts["level"])),
            _band(found, found.confidence, _("{level} confidence band", level=facts["level"])),
            _points(found.new_flop[held], found.new_loss[held], _("New runs, held"), inside),
            _points(found.new_flop[missed], found.new_loss[missed], _("New runs, missed"), outside),
            _points(
                found.rows_flop,
                found.rows_loss,
                _("Fitted runs"),
                {"color": theme.ink, "size": 9, "symbol": "diamond", "line": look.OUTLINE},
            ),
        ],
        theme=theme,
        height_px=HEIGHT_PX,
        layout={
            "xaxis": look.axis(AXES["compute_flop"].title, is_power=True, span=found.compute_flop),
            "yaxis": look.loss_axis(loss_title("nats/token"), losses),
        },
        alt=_(
            "The {level} prediction band holds {held} of {n_new} new runs, the "
            "confidence band {in_mean}.",
            level=facts["level"],
            held=facts["held"],
            n_new=facts["n_new"],
            in_mean=facts["in_mean"],
        ),
    )


def _band(found: NewRuns, band: Band, name: str) -> Trace:
    return {
        "type": "scatter",
        "x": np.concatenate([found.compute_flop, found.compute_flop[::-1]]),
        "y": np.concatenate([band.upper, band.lower[::-1]]),
        "fill": "toself",
        "mode": "lines",
        "line": {"width": 0},
        "fillcolor": _FILLS[band.kind],
        "name": name,
        "hoverinfo": "skip",
    }


def _points(x: Any, y: Any, name: str, marker: dict[str, Any]) -> Trace:
    return {
        "type": "scatter",
        "x": x,
        "y": y,
        "mode": "markers",
        "name": name,
        "marker": marker,
        "hovertemplate": "%{x:.2g} FLOP: %{y:.3f}<extra>" + name + "</extra>",
    }
