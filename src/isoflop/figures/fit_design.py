"""Where the next runs lie among the rows, and how much doubt so many runs leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.figures.contours import Path, Runs
from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Theme, Trace

HEIGHT_PX = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """Runs to train, shape (n,) each; ``count`` of each kind."""

    params: NDArray[np.float64]
    tokens: NDArray[np.float64]
    count: NDArray[np.int64]
    labels: tuple[str, ...]


def figure(
    runs: Sequence[Runs],
    proposed: Proposed,
    frontier: Path,
    target: tuple[float, float],
    *,
    theme: Theme = APP,
) -> go.Figure:
    """Draw the rows, the proposed runs, the compute-optimal path and the target.

    Parameters
    ----------
    runs : sequence of Runs
        The rows of each family.
    proposed : Proposed
    frontier : Path
        Compute-optimal models up to the target.
    target : (float, float)
        Its size and tokens.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    traces = [_rows(group, index) for index, group in enumerate(runs)]
    traces.append(
        {
            "type": "scatter",
            "x": frontier.params,
            "y": frontier.tokens,
            "mode": "lines",
            "name": "Compute-optimal",
            "line": {"color": theme.ink, "width": 1.5, "dash": "dash"},
            "hoverinfo": "skip",
        }
    )
    edge = {"width": 1.5, "color": theme.ink}
    traces.append(_proposed(proposed, edge))
    traces.append(
        {
            "type": "scatter",
            "x": np.array([target[0]]),
            "y": np.array([target[1]]),
            "mode": "markers",
            "name": "Target",
            "marker": {"color": look.ACCENT, "symbol": "star-diamond", "size": 17, "line": edge},
            "hovertemplate": "%{x:.3s} parameters, %{y:.3s} tokens<extra>Target</extra>",
        }
    )
    params = np.concatenate([proposed.params, *(group.params for group in runs)])
    tokens = np.concatenate([proposed.tokens, *(group.tokens for group in runs)])
    layout = {
        "xaxis": look.axis("Model size N (parameters)", span=params),
        "yaxis": look.axis("Training data D (tokens)", span=tokens),
    }
    return look.figure(traces, theme=theme, height_px=HEIGHT_PX, layout=layout)


def _rows(group: Runs, index: int) -> Trace:
    return {
        "type": look.marker_type(len(group.params)),
        "x": group.params,
        "y": group.tokens,
        "mode": "markers",
        "name": group.family,
        "marker": {
            "color": look.colour(index),
            "symbol": look.symbol(index),
            "size": 7,
            "opacity": 0.7,
            "line": look.OUTLINE,
        },
        "text": group.labels,
        "hovertemplate": "%{text}<extra>%{fullData.name}</extra>",
    }


def _proposed(proposed: Proposed, edge: dict[str, object]) -> Trace:
    return {
        "type": "scatter",
        "x": proposed.params,
        "y": proposed.tokens,
        "mode": "markers+text",
        "name": "Proposed runs",
        "marker": {"color": look.ACCENT, "symbol": "diamond", "size": 14, "line": edge},
        "text": [f"×{count}" if count > 1 else "" for count in proposed.count],
        "textposition": "top center",
        "customdata": proposed.labels,
        "hovertemplate": "%{customdata}<extra>Proposed</extra>",
    }


def alt(proposed: Proposed) -> str:
    """Say in one sentence what the figure shows, for those who do not see it."""
    return f"Proposed runs among the rows: {'; '.join(proposed.labels)}.".replace("<br>", ", ")


def widths(
    counts: Sequence[int],
    left: NDArray[np.float64],
    single: float,
    chosen: int,
    *,
    theme: Theme = APP,
) -> go.Figure:
    """Draw how much of the band's width the best set of so many runs leaves.

    Parameters
    ----------
    counts : sequence of int
    left : ndarray, shape (n_counts,)
        Shares of the width now.
    single : float
        What one compute-optimal run of the whole budget leaves.
    chosen : int
        Number of runs proposed.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    traces: list[Trace] = [
        {
            "type": "bar",
            "x": [str(count) for count in counts],
            "y": 100 * left,
            "marker": {"color": [look.ACCENT if c == chosen else look.FAMILIES[0] for c in counts]},
            "name": "Best set of so many runs",
            "showlegend": False,
            "hovertemplate": "%{x} runs leave %{y:.0f}% of the width<extra></extra>",
        },
        {
            "type": "scatter",
            "x": [str(count) for count in counts],
            "y": np.full(len(counts), 100 * single),
            "mode": "lines",
            "name": "One compute-optimal run of the whole budget",
            "line": {"color": theme.ink, "width": 1.5, "dash": "dash"},
            "hovertemplate": "%{y:.0f}%<extra></extra>",
        },
    ]
    layout = {
        "xaxis": {"type": "category", "title": {"text": "Number of runs"}},
        "yaxis": look.axis("Width of the interval left (%)", "linear") | {"rangemode": "tozero"},
        "bargap": 0.4,
    }
    return look.figure(traces, theme=theme, height_px=HEIGHT_PX, layout=layout)


def widths_alt(counts: Sequence[int], left: NDArray[np.float64]) -> str:
    """Say in one sentence what the bars show, for those who do not see it."""
    parts = ", ".join(
        f"{count}: {share:.0%}" for count, share in zip(counts, left.tolist(), strict=True)
    )
    return f"Share of the interval's width that the best set of so many runs leaves: {parts}."
