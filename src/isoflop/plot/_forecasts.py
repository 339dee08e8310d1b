"""Every forecast's band and what came of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from isoflop.language import gettext, lazy_gettext
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.theme import LIGHT, Theme, Trace
from isoflop.training.forecasts import Forecast, score

HEIGHT_PX = 320
FEWEST = 12
"""Places drawn at least, so that a first forecast is a bar and not a wall."""

INSIDE = (lazy_gettext("Inside its band"), "#009E73", "circle")
OUTSIDE = (lazy_gettext("Outside its band"), look.ACCENT, "x")


def forecasts(made: Sequence[Forecast], *, theme: Theme = LIGHT) -> go.Figure:
    """Draw each forecast's band as a bar and its outcome on it, told apart by shape too.

    Parameters
    ----------
    made : sequence of Forecast
        In the order to be drawn.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
        Everything relative to its prediction, in percent.
    """
    x = np.arange(1, len(made) + 1)
    centre = np.array([one.prediction.loss for one in made])
    lower = 100 * (np.array([one.prediction.lower for one in made]) / centre - 1)
    upper = 100 * (np.array([one.prediction.upper for one in made]) / centre - 1)
    labels = [one.label for one in made]
    level = made[0].prediction.level if made else 0.9
    bands: Trace = {
        "type": "bar",
        "x": x,
        "y": upper - lower,
        "base": lower,
        "width": 0.6,
        "name": gettext("{level:.0%} band", level=level),
        "marker": {"color": look.BAND},
        "text": labels,
        "textposition": "none",
        "hovertemplate": gettext(
            "%{{text}}<br>band %{{base:.2f}}% wide %{{y:.2f}}%<extra></extra>"
        ),
    }
    traces = [bands, _outcomes(made, True, *INSIDE), _outcomes(made, False, *OUTSIDE)]
    layout = {
        "xaxis": look.axis(gettext("Forecast"), "linear")
        | {"dtick": max(1, len(made) // 20), "range": [0.4, max(FEWEST, len(made)) + 0.6]},
        "yaxis": look.axis(gettext("Loss against the prediction (%)"), "linear")
        | {"zeroline": True},
    }
    board = score(made)
    alt = gettext(
        "{made} forecasts: {n_settled} decided, {n_inside} of them within their band.",
        made=len(made),
        n_settled=board.n_settled,
        n_inside=board.n_inside,
    )
    return assemble(traces, theme=theme, height_px=HEIGHT_PX, layout=layout, alt=alt)


def _outcomes(
    made: Sequence[Forecast], is_inside: bool, name: str, colour: str, shape: str
) -> Trace:
    """Return the outcomes inside their bands, or those outside."""
    chosen = [
        (place, one.label, one.relative_error)
        for place, one in enumerate(made, start=1)
        if one.is_inside is is_inside and one.relative_error is not None
    ]
    return {
        "type": "scatter",
        "x": np.array([place for place, _, _ in chosen]),
        "y": np.array([100 * error for _, _, error in chosen]),
        "mode": "markers",
        "name": name,
        "marker": {"color": colour, "symbol": shape, "size": 11, "line": look.OUTLINE},
        "text": [label for _, label, _ in chosen],
        "hovertemplate": "%{text}<br>%{y:+.2f}%<extra>%{fullData.name}</extra>",
    }
