"""The loss over numbers of accelerators and times, with the plan on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Theme

HEIGHT_PX = 400
N_LEVELS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The best loss at each number of accelerators and time.

    Parameters
    ----------
    accelerators : ndarray, shape (n,)
    days : ndarray, shape (m,)
    loss, params, tokens : ndarray, shape (m, n)
        NaN where nothing can be trained.
    loss_label : str
        With unit.
    """

    accelerators: NDArray[np.float64]
    days: NDArray[np.float64]
    loss: NDArray[np.float64]
    params: NDArray[np.float64]
    tokens: NDArray[np.float64]
    loss_label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Where the plan lies on the grid."""

    accelerators: float
    days: float
    label: str


def figure(grid: Grid, chosen: Chosen, *, theme: Theme = APP) -> go.Figure:
    """Draw the surface as shades and lines of equal loss, and the plan as a star.

    Parameters
    ----------
    grid : Grid
    chosen : Chosen
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    traces = [_surface(grid, theme), _same_hours(grid, chosen), _star(chosen, theme)]
    layout = {
        "xaxis": look.axis("Accelerators S", span=grid.accelerators) | _ends(grid.accelerators),
        "yaxis": look.axis("Time R (days)", span=grid.days) | _ends(grid.days),
    }
    return look.figure(traces, theme=theme, height_px=HEIGHT_PX, layout=layout)


def alt(grid: Grid, chosen: Chosen) -> str:
    """Say in one sentence what the figure shows."""
    known = grid.loss[np.isfinite(grid.loss)]
    span = f" from {known.max():.3f} to {known.min():.3f}" if len(known) else ""
    return f"Predicted loss over accelerators and days{span}, and the plan: {chosen.label}"


def _ends(values: NDArray[np.float64]) -> dict[str, object]:
    return {"range": np.log10(values[[0, -1]]).tolist(), "showgrid": False}


def _surface(grid: Grid, theme: Theme) -> go.Contour:
    known = grid.loss[np.isfinite(grid.loss)]
    contours: dict[str, object] = {"coloring": "heatmap", "showlabels": True}
    if len(known) and known.max() > known.min():
        low, high = np.quantile(known, [0.0, 0.97])
        levels = look.round_ticks(float(low), float(high), N_LEVELS)
        if len(levels) > 1:
            step = float(levels[1] - levels[0])
            contours |= {"start": float(levels[0]), "end": float(levels[-1]), "size": step}
    contours["labelfont"] = {"size": 11, "color": theme.ink}
    return go.Contour(
        x=grid.accelerators,
        y=grid.days,
        z=grid.loss.astype(np.float32),
        customdata=np.stack([grid.params, grid.tokens], axis=-1),
        colorscale=[
            [share, tint]
            for share, tint in zip(
                np.linspace(0, 1, len(look.SEQUENTIAL)).tolist(), look.SEQUENTIAL, strict=True
            )
        ],
        contours=contours,
        connectgaps=False,
        line={"width": 0.75, "color": look.MUTED},
        showscale=False,
        name=grid.loss_label,
        hovertemplate="%{x:.0f} accelerators for %{y:.3g} days<br>"
        + grid.loss_label
        + " %{z:.3f}<br>%{customdata[0]:.3s} parameters, %{customdata[1]:.3s} tokens"
        + "<extra></extra>",
    )


def _same_hours(grid: Grid, chosen: Chosen) -> go.Scatter:
    return go.Scatter(
        x=grid.accelerators,
        y=chosen.accelerators * chosen.days / grid.accelerators,
        mode="lines",
        name="Same accelerator-hours",
        line={"color": look.ACCENT, "width": 1.5, "dash": "dot"},
        hoverinfo="skip",
    )


def _star(chosen: Chosen, theme: Theme) -> go.Scatter:
    return go.Scatter(
        x=np.array([chosen.accelerators]),
        y=np.array([chosen.days]),
        mode="markers",
        name="Your plan",
        marker={
            "color": look.ACCENT,
            "symbol": "star-diamond",
            "size": 17,
            "line": {"width": 1.5, "color": theme.ink},
        },
        text=[chosen.label],
        hovertemplate="%{text}<extra>Your plan</extra>",
    )
