"""Live training: loss against tokens, one line a run, with the budgets reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Theme
from isoflop.units import counted

HEIGHT_PX = 400
BINS_PER_DECADE = 24
"""Loss of single steps is noisy; averaged over bins of equal ratio it shows its trend."""
FEWEST_STEPS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCurve:
    """One run.

    Parameters
    ----------
    label : str
    colour_index : int
        Runs of one family share it where there are several families.
    tokens, loss : ndarray, shape (n,)
        Training loss in nats per byte; NaN between trunk and branches.
    point_tokens, point_loss : ndarray, shape (m,)
        Held-out loss in nats per byte at each budget reached.
    """

    label: str
    colour_index: int
    tokens: NDArray[np.float64]
    loss: NDArray[np.float64]
    point_tokens: NDArray[np.float64]
    point_loss: NDArray[np.float64]


def figure(
    curves: Sequence[RunCurve], *, y_title: str, is_log: bool = True, theme: Theme = APP
) -> go.Figure:
    """Draw the runs on logarithmic axes.

    Parameters
    ----------
    curves : sequence of RunCurve
    y_title : str
        With unit.
    is_log : bool
        Of the loss axis.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    traces = [trace for curve in curves for trace in _traces(curve)]
    shown = [curve.loss[_is_settled(curve)] for curve in curves]
    shown += [curve.point_loss for curve in curves]
    losses = np.concatenate([*shown, np.empty(0)])
    tokens = np.concatenate([*(curve.tokens for curve in curves), np.empty(0)])
    layout = {
        "xaxis": look.axis("Training tokens", span=tokens),
        "yaxis": look.loss_axis(y_title, losses, "log" if is_log else "linear"),
    }
    return look.figure(traces, theme=theme, height_px=HEIGHT_PX, layout=layout)


def alt(curves: Sequence[RunCurve]) -> str:
    """Say in one sentence what the figure shows, for those who do not see it."""
    n_points = sum(len(curve.point_loss) for curve in curves)
    losses = [float(curve.point_loss.min()) for curve in curves if len(curve.point_loss)]
    best = f"; the lowest held-out loss is {min(losses):.3f}" if losses else ""
    return (
        f"Training loss of {counted(len(curves), 'run')} against tokens, {n_points} budgets "
        f"reached{best}."
    )


def thinned(
    tokens: NDArray[np.float64], loss: NDArray[np.float64], n_steps: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average a line in bins of equal ratio of tokens, so that few points tell the whole.

    Parameters
    ----------
    tokens, loss : ndarray, shape (n,)
        Ascending in tokens.
    n_steps : ndarray, shape (n,)
        Steps that each loss is the mean of; a bin of fewer than ``FEWEST_STEPS`` joins the next.
    """
    if not len(tokens):
        return tokens, loss
    starts = np.flatnonzero(np.diff(np.floor(BINS_PER_DECADE * np.log10(tokens)), prepend=-1))
    before = np.append(0, np.cumsum(n_steps))
    kept = [0]
    for start in starts[1:]:
        if before[start] - before[kept[-1]] >= FEWEST_STEPS:
            kept.append(int(start))
    weight = np.add.reduceat(n_steps, kept)
    return (
        np.add.reduceat(n_steps * tokens, kept) / weight,
        np.add.reduceat(n_steps * loss, kept) / weight,
    )


def _traces(curve: RunCurve) -> list[go.Scatter]:
    colour = look.colour(curve.colour_index)
    line = go.Scatter(
        x=curve.tokens,
        y=curve.loss,
        mode="lines",
        name=curve.label,
        legendgroup=curve.label,
        line={"color": colour, "width": 1.5},
        opacity=0.75,
        connectgaps=False,
        hovertemplate="%{x:.3s} tokens<br>training loss %{y:.3f}<extra>%{fullData.name}</extra>",
    )
    points = go.Scatter(
        x=curve.point_tokens,
        y=curve.point_loss,
        mode="markers",
        name=curve.label,
        legendgroup=curve.label,
        showlegend=False,
        marker={
            "color": colour,
            "symbol": look.symbol(curve.colour_index),
            "size": 10,
            "line": look.OUTLINE,
        },
        hovertemplate="%{x:.3s} tokens<br>held-out loss %{y:.4f}<extra>%{fullData.name}</extra>",
    )
    return [line, points]


def _is_settled(curve: RunCurve) -> NDArray[np.bool_]:
    """Leave the steep first stretch of training out of the axis's range."""
    is_known = np.isfinite(curve.loss)
    if not is_known.any():
        return is_known
    return np.asarray(is_known & (curve.tokens > 0.02 * curve.tokens[is_known].max()))
