"""Smaller models trained longer: what they cost, and where inference pays for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Theme

HEIGHT_PX = 380


@dataclass(frozen=True, slots=True, kw_only=True)
class Smaller:
    """Models of equal loss.

    Parameters
    ----------
    params, compute_ratio, tokens_ratio : ndarray, shape (n,)
        Size, and compute and tokens over those of the plan.
    labels : tuple of str
        One model each, for a person.
    """

    params: NDArray[np.float64]
    compute_ratio: NDArray[np.float64]
    tokens_ratio: NDArray[np.float64]
    labels: tuple[str, ...]


def smaller(models: Smaller, *, theme: Theme = APP) -> go.Figure:
    """Draw what smaller models of equal loss cost in tokens and in compute.

    Parameters
    ----------
    models : Smaller
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    traces = [
        _line(models.params, values, name, index, models.labels)
        for index, (name, values) in enumerate(
            {"Tokens": models.tokens_ratio, "Training compute": models.compute_ratio}.items()
        )
    ]
    layout = {
        "xaxis": look.axis("Model size N (parameters)", span=models.params),
        "yaxis": look.axis("Times that of the plan", span=models.tokens_ratio),
    }
    return look.figure(traces, theme=theme, height_px=HEIGHT_PX, layout=layout)


def smaller_alt(models: Smaller) -> str:
    """Say in one sentence what the figure shows."""
    return "Tokens and compute of smaller models of equal loss: " + "; ".join(models.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """Cheapest models of equal loss over inference demand; shape (n,) each."""

    inference_tokens: NDArray[np.float64]
    params: NDArray[np.float64]
    tokens: NDArray[np.float64]


def lifetime(models: Lifetime, *, chosen_tokens: float, theme: Theme = APP) -> go.Figure:
    """Draw the model of least lifetime compute over the tokens it will process.

    Parameters
    ----------
    models : Lifetime
    chosen_tokens : float
        Inference tokens of the plan; 0 for none.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    demand = models.inference_tokens
    traces = [
        _line(demand, models.params, "Parameters N", 0, ()),
        _line(demand, models.tokens, "Training tokens D", 1, ()),
    ]
    shapes = [
        {
            "type": "line", "xref": "x", "yref": "paper", "x0": chosen_tokens,
            "x1": chosen_tokens, "y0": 0, "y1": 1,
            "line": {"color": look.ACCENT, "width": 1.5, "dash": "dot"},
        }
    ] if chosen_tokens > 0 else []  # fmt: skip
    both = np.concatenate([models.params, models.tokens])
    layout = {
        "xaxis": look.axis("Lifetime inference (tokens)", span=demand),
        "yaxis": look.axis("Parameters, training tokens", span=both),
        "shapes": shapes,
    }
    return look.figure(traces, theme=theme, height_px=HEIGHT_PX, layout=layout)


def lifetime_alt() -> str:
    """Say in one sentence what the figure shows."""
    return "Size and training tokens of the model of least lifetime compute, over inference tokens."


def _line(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    name: str,
    index: int,
    labels: tuple[str, ...],
) -> go.Scatter:
    return go.Scatter(
        x=x,
        y=np.where(np.isfinite(y), y, np.nan),
        mode="lines",
        name=name,
        line={"color": look.colour(index), "width": 2},
        text=list(labels) or None,
        hovertemplate=("%{text}" if labels else "%{x:.3s}: %{y:.3s}")
        + "<extra>"
        + name
        + "</extra>",
    )
