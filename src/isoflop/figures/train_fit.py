"""Live training: a ladder's points with the fitted law drawn through each model size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Theme

HEIGHT_PX = 420


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The points of one model size and the law at that size.

    Parameters
    ----------
    label : str
    tokens, loss : ndarray, shape (n,)
        Budgets reached.
    curve_tokens, curve_loss : ndarray, shape (m,)
        The fitted law; empty before there is one.
    """

    label: str
    tokens: NDArray[np.float64]
    loss: NDArray[np.float64]
    curve_tokens: NDArray[np.float64]
    curve_loss: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A run that a bet is on.

    Parameters
    ----------
    label : str
    tokens, loss, lower, upper : float
        The prediction and the ends of its band.
    outcome : float or None
        What the run reached, once it has.
    """

    label: str
    tokens: float
    loss: float
    lower: float
    upper: float
    outcome: float | None = None


def figure(sizes: Sequence[Size], target: Target | None = None, *, theme: Theme = APP) -> go.Figure:
    """Draw loss against tokens, one curve a model size, and the run that a bet is on."""
    traces = [trace for index, size in enumerate(sizes) for trace in _traces(size, index)]
    shown = [values for size in sizes for values in (size.loss, size.curve_loss)]
    tokens = [values for size in sizes for values in (size.tokens, size.curve_tokens)]
    if target is not None:
        traces += _target(target, theme)
        known = (target.loss, target.lower, target.upper, target.outcome)
        shown.append(np.array([value for value in known if value is not None]))
        tokens.append(np.array([target.tokens]))
    layout = {
        "xaxis": look.axis("Training tokens D", span=np.concatenate([*tokens, np.empty(0)])),
        "yaxis": look.loss_axis("Held-out loss (nats/byte)", np.concatenate([*shown, np.empty(0)])),
    }
    return look.figure(traces, theme=theme, height_px=HEIGHT_PX, layout=layout)


def alt(sizes: Sequence[Size], target: Target | None = None) -> str:
    """Say in one sentence what the figure shows, for those who do not see it."""
    n_points = sum(len(size.loss) for size in sizes)
    text = f"Loss against tokens: {n_points} points of {len(sizes)} sizes"
    if any(len(size.curve_loss) for size in sizes):
        text += " and the fitted law"
    if target is not None:
        text += f"; {target.label} predicted at {target.loss:.3f}"
        text += f" ({target.lower:.3f} to {target.upper:.3f})"
    return f"{text}."


def _traces(size: Size, index: int) -> list[go.Scatter]:
    colour = look.colour(index)
    return [
        go.Scatter(
            x=size.curve_tokens,
            y=size.curve_loss,
            mode="lines",
            name=size.label,
            legendgroup=size.label,
            showlegend=False,
            line={"color": colour, "width": 1.5},
            hoverinfo="skip",
        ),
        go.Scatter(
            x=size.tokens,
            y=size.loss,
            mode="markers",
            name=size.label,
            legendgroup=size.label,
            marker={
                "color": colour,
                "symbol": look.symbol(index),
                "size": 9,
                "line": look.OUTLINE,
            },
            hovertemplate="%{x:.3s} tokens<br>loss %{y:.4f}<extra>%{fullData.name}</extra>",
        ),
    ]


def _target(target: Target, theme: Theme) -> list[go.Scatter]:
    prediction = go.Scatter(
        x=np.array([target.tokens]),
        y=np.array([target.loss]),
        mode="markers",
        name="Bet",
        marker={"color": look.ACCENT, "symbol": "line-ew-open", "size": 16},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": np.array([target.upper - target.loss]),
            "arrayminus": np.array([target.loss - target.lower]),
            "color": look.ACCENT,
            "thickness": 3,
            "width": 8,
        },
        text=[target.label],
        hovertemplate="%{text}<br>predicted %{y:.4f}<extra></extra>",
    )
    if target.outcome is None:
        return [prediction]
    outcome = go.Scatter(
        x=np.array([target.tokens]),
        y=np.array([target.outcome]),
        mode="markers",
        name="Outcome",
        marker={
            "color": theme.ink,
            "symbol": "star-diamond",
            "size": 14,
            "line": {"width": 1.5, "color": look.ACCENT},
        },
        hovertemplate="reached %{y:.4f}<extra></extra>",
    )
    return [prediction, outcome]
