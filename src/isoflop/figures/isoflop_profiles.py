"""IsoFLOP profiles: loss against model size at each compute budget, with the lowest points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.figures import Figure
from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Theme, Trace

HEIGHT_PX = 430


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The runs of one budget.

    Parameters
    ----------
    name : str
        The budget, with unit.
    params, loss : ndarray, shape (n,)
    curve_params, curve_loss : ndarray, shape (m,)
        The fitted curve; empty where there is none.
    optimal_params, optimal_loss : float
        NaN where the profile is refused.
    refusal : str
        Why; empty otherwise.
    """

    name: str
    params: NDArray[np.float64]
    loss: NDArray[np.float64]
    curve_params: NDArray[np.float64]
    curve_loss: NDArray[np.float64]
    optimal_params: float
    optimal_loss: float
    refusal: str


def figure(profiles: Sequence[Profile], *, y_title: str, theme: Theme = APP) -> Figure:
    """Draw every profile: accepted ones in colour with their minimum, refused ones in grey.

    Parameters
    ----------
    profiles : sequence of Profile
        By ascending compute.
    y_title : str
        With unit.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    traces: list[Trace] = []
    accepted = [profile for profile in profiles if not profile.refusal]
    for index, profile in enumerate(accepted):
        colour = look.colour(index)
        traces += [
            {
                "type": "scatter",
                "x": profile.params,
                "y": profile.loss,
                "mode": "markers",
                "name": profile.name,
                "legendgroup": profile.name,
                "marker": {"color": colour, "symbol": look.symbol(index), "size": 7},
                "hovertemplate": "%{x:.3s} parameters: %{y:.4g}<extra>" + profile.name
                + "</extra>",
            },
            {
                "type": "scatter",
                "x": profile.curve_params,
                "y": profile.curve_loss,
                "mode": "lines",
                "name": profile.name,
                "legendgroup": profile.name,
                "showlegend": False,
                "line": {"color": colour, "width": 1.6},
                "hoverinfo": "skip",
            },
        ]  # fmt: skip
    if accepted:
        traces.append(_minima(accepted, theme))
    refused = [profile for profile in profiles if profile.refusal]
    if refused:
        traces.append(_refused(refused, is_alone=not accepted))
    sizes = np.concatenate([profile.params for profile in profiles])
    losses = np.concatenate([profile.loss for profile in accepted or profiles])
    layout = {
        "xaxis": look.axis("Model size N (parameters)", span=sizes),
        "yaxis": look.loss_axis(y_title, losses),
    }
    return look.figure(traces, theme=theme, height_px=HEIGHT_PX, layout=layout)


def alt(profiles: Sequence[Profile]) -> str:
    """Say in one sentence what the figure shows, for those who do not see it."""
    accepted = sum(not profile.refusal for profile in profiles)
    return f"Loss against model size at {len(profiles)} budgets; {accepted} enclose a minimum."


def _minima(accepted: Sequence[Profile], theme: Theme) -> Trace:
    return {
        "type": "scatter",
        "x": np.array([profile.optimal_params for profile in accepted]),
        "y": np.array([profile.optimal_loss for profile in accepted]),
        "mode": "lines+markers",
        "name": "Lowest points",
        "line": {"color": theme.ink, "width": 1, "dash": "dot"},
        "marker": {"color": look.ACCENT, "symbol": "star", "size": 13,
                   "line": {"width": 1, "color": theme.ink}},
        "text": [profile.name for profile in accepted],
        "hovertemplate": "best at %{text}: %{x:.3s} parameters<extra></extra>",
    }  # fmt: skip


def _refused(refused: Sequence[Profile], *, is_alone: bool) -> Trace:
    """Draw refused budgets in grey, their runs joined where nothing else is drawn."""
    gap = np.array([np.nan])
    return {
        "type": "scatter",
        "x": np.concatenate([part for p in refused for part in (p.params, gap)]),
        "y": np.concatenate([part for p in refused for part in (p.loss, gap)]),
        "mode": "lines+markers" if is_alone else "markers",
        "name": "Refused",
        "line": {"color": look.MUTED, "width": 1},
        "marker": {"color": look.MUTED, "symbol": "circle-open", "size": 5},
        "text": [f"{p.name}<br>{p.refusal}" for p in refused for _ in (*p.params, None)],
        "hovertemplate": "%{text}<extra>Refused</extra>",
    }
