"""Live training: every bet's band and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Theme

HEIGHT_PX = 320
FEWEST = 12
"""Places drawn at least, so that a first bet is a bar and not a wall."""
MISS = look.ACCENT
HIT = "#009E73"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One bet, everything relative to its prediction.

    Parameters
    ----------
    label : str
    lower, upper : float
        Ends of the band over the prediction, less one.
    error : float or None
        Outcome over the prediction, less one; None while the bet is open.
    """

    label: str
    lower: float
    upper: float
    error: float | None


def figure(outcomes: Sequence[Outcome], *, level: float, theme: Theme = APP) -> go.Figure:
    """Draw the bands as bars and the outcomes on them, hits and misses told apart by shape too.

    Parameters
    ----------
    outcomes : sequence of Outcome
        In the order to be drawn.
    level : float
        Nominal coverage of the bands.
    theme : Theme
    """
    x = np.arange(1, len(outcomes) + 1)
    lower = 100 * np.array([one.lower for one in outcomes])
    upper = 100 * np.array([one.upper for one in outcomes])
    labels = [one.label for one in outcomes]
    bands = go.Bar(
        x=x,
        y=upper - lower,
        base=lower,
        width=0.6,
        name=f"{level:.0%} band",
        marker={"color": look.BAND},
        text=labels,
        textposition="none",
        hovertemplate="%{text}<br>band %{base:.2f}% wide %{y:.2f}%<extra></extra>",
    )
    traces: list[go.Bar | go.Scatter] = [bands]
    for is_hit, name, colour, shape in ((True, "Hit", HIT, "circle"), (False, "Miss", MISS, "x")):
        chosen = [
            index
            for index, one in enumerate(outcomes)
            if one.error is not None and (one.lower <= one.error <= one.upper) == is_hit
        ]
        traces.append(
            go.Scatter(
                x=x[chosen],
                y=np.array([100 * (outcomes[index].error or 0.0) for index in chosen]),
                mode="markers",
                name=name,
                marker={"color": colour, "symbol": shape, "size": 11, "line": look.OUTLINE},
                text=[labels[index] for index in chosen],
                hovertemplate="%{text}<br>%{y:+.2f}%<extra>%{fullData.name}</extra>",
            )
        )
    layout = {
        "xaxis": look.axis("Bet", "linear")
        | {"dtick": max(1, len(outcomes) // 20), "range": [0.4, max(FEWEST, len(outcomes)) + 0.6]},
        "yaxis": look.axis("Loss against the prediction (%)", "linear") | {"zeroline": True},
    }
    return look.figure(traces, theme=theme, height_px=HEIGHT_PX, layout=layout)


def alt(outcomes: Sequence[Outcome]) -> str:
    """Say in one sentence what the figure shows, for those who do not see it."""
    errors = [one for one in outcomes if one.error is not None]
    hits = sum(one.lower <= (one.error or 0.0) <= one.upper for one in errors)
    return f"{len(outcomes)} bets: {len(errors)} decided, {hits} of them within their band."
