"""Live training: held-out loss against the learning rate, one line a family and width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Theme

HEIGHT_PX = 320


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Runs that differ in their learning rate alone.

    Parameters
    ----------
    label : str
    rates, loss : ndarray, shape (n,)
        Ascending in the rate; loss in nats per byte.
    default : float
        The family's own rate.
    """

    label: str
    rates: NDArray[np.float64]
    loss: NDArray[np.float64]
    default: float


def figure(sweeps: Sequence[Sweep], *, theme: Theme = APP) -> go.Figure:
    """Draw each sweep, its best rate ringed and the family's own rate dotted."""
    traces: list[go.Scatter] = []
    for index, sweep in enumerate(sweeps):
        best = int(np.argmin(sweep.loss))
        sizes = np.full(len(sweep.rates), 9)
        sizes[best] = 15
        traces.append(
            go.Scatter(
                x=sweep.rates,
                y=sweep.loss,
                mode="lines+markers",
                name=sweep.label,
                line={"color": look.colour(index), "width": 1.5},
                marker={"symbol": look.symbol(index), "size": sizes, "line": look.OUTLINE},
                hovertemplate="rate %{x:.3g}<br>loss %{y:.4f}<extra>%{fullData.name}</extra>",
            )
        )
    losses = np.concatenate([*(sweep.loss for sweep in sweeps), np.empty(0)])
    rates = np.concatenate([*(sweep.rates for sweep in sweeps), np.empty(0)])
    layout = {
        "xaxis": look.axis("Peak learning rate at width 32", span=rates),
        "yaxis": look.loss_axis("Held-out loss (nats/byte)", losses),
    }
    made = look.figure(traces, theme=theme, height_px=HEIGHT_PX, layout=layout)
    for index, sweep in enumerate(sweeps):
        made.add_vline(
            x=sweep.default, line={"color": look.colour(index), "dash": "dot", "width": 1}
        )
    return made
