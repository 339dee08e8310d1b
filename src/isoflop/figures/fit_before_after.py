"""The loss along the compute-optimal path, before a change and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Theme, Trace

HEIGHT_PX = 360
_FILLS = (look.BAND, "rgba(213, 94, 0, 0.2)")
_LINES = (look.FAMILIES[0], look.ACCENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A curve with its band, shape (n,) each; the ends None where there is no band."""

    name: str
    loss: NDArray[np.float64]
    lower: NDArray[np.float64] | None
    upper: NDArray[np.float64] | None


def figure(
    compute_flop: NDArray[np.float64],
    states: Sequence[State],
    *,
    target_flop: float,
    y_title: str,
    level: float,
    theme: Theme = APP,
) -> go.Figure:
    """Draw both states over compute, and the target.

    Parameters
    ----------
    compute_flop : ndarray, shape (n,)
    states : sequence of State
        Before and after.
    target_flop : float
    y_title : str
        With unit.
    level : float
        Nominal coverage of the bands.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    traces: list[Trace] = []
    for state, fill, colour in zip(states, _FILLS, _LINES, strict=False):
        if state.lower is not None and state.upper is not None:
            traces.append(
                {
                    "type": "scatter",
                    "x": np.concatenate([compute_flop, compute_flop[::-1]]),
                    "y": np.concatenate([state.upper, state.lower[::-1]]),
                    "fill": "toself",
                    "mode": "lines",
                    "line": {"width": 0.8, "color": colour},
                    "fillcolor": fill,
                    "name": f"{state.name}, {level:.0%} band",
                    "hoverinfo": "skip",
                }
            )
    for state, colour, dash in zip(states, _LINES, ("solid", "dash"), strict=False):
        traces.append(
            {
                "type": "scatter",
                "x": compute_flop,
                "y": state.loss,
                "mode": "lines",
                "name": state.name,
                "line": {"color": colour, "width": 2, "dash": dash},
                "hovertemplate": f"%{{x:.3s}} FLOP<br>loss %{{y:.4g}}<extra>{state.name}</extra>",
            }
        )
    ends = [part for state in states for part in (state.loss, state.lower, state.upper)]
    losses = np.concatenate([part for part in ends if part is not None])
    layout = {
        "xaxis": look.axis("Training compute C (FLOP)", is_power=True, span=compute_flop),
        "yaxis": look.loss_axis(y_title, losses),
        "shapes": [
            {
                "type": "line",
                "yref": "paper",
                "y0": 0,
                "y1": 1,
                "x0": target_flop,
                "x1": target_flop,
                "line": {"color": theme.ink, "width": 1, "dash": "dot"},
            }
        ],
        "annotations": [
            {
                "x": float(np.log10(target_flop)),
                "y": 1,
                "yref": "paper",
                "yanchor": "bottom",
                "text": "budget",
                "showarrow": False,
            }
        ],
        "margin": {"l": 8, "r": 12, "t": 24, "b": 8},
    }
    return look.figure(traces, theme=theme, height_px=HEIGHT_PX, layout=layout)


def alt(states: Sequence[State]) -> str:
    """Say in one sentence what the figure shows, for those who do not see it."""
    names = " and ".join(state.name.lower() for state in states)
    return f"Loss along the compute-optimal path over compute: {names}."
