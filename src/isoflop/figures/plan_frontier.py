"""The compute-optimal model and data size over compute, with bands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Theme

HEIGHT_PX = 460


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One quantity along the frontier.

    Parameters
    ----------
    title : str
        With unit.
    values : ndarray, shape (n,)
    lower, upper : ndarray, shape (n,), or None
        Edges of the band.
    chosen : float
        The plan's.
    """

    title: str
    values: NDArray[np.float64]
    lower: NDArray[np.float64] | None
    upper: NDArray[np.float64] | None
    chosen: float


def figure(
    compute_flop: NDArray[np.float64],
    lines: tuple[Line, ...],
    *,
    chosen_flop: float,
    is_extrapolation: NDArray[np.bool_],
    level: float,
    theme: Theme = APP,
) -> go.Figure:
    """Draw each quantity in a panel of its own, above one axis of compute.

    Parameters
    ----------
    compute_flop : ndarray, shape (n,)
    lines : tuple of Line
        From top to bottom.
    chosen_flop : float
        Compute of the plan.
    is_extrapolation : ndarray of bool, shape (n,)
        Drawn dashed.
    level : float
        Of the bands.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    traces: list[go.Scatter] = []
    layout: dict[str, object] = {}
    height = (1 - 0.06 * (len(lines) - 1)) / len(lines)
    for index, line in enumerate(lines):
        suffix = "" if index == 0 else str(index + 1)
        top = 1 - index * (height + 0.06)
        span = [edge for edge in (line.values, line.lower, line.upper) if edge is not None]
        layout[f"yaxis{suffix}"] = look.axis(line.title, span=np.concatenate(span)) | {
            "domain": [top - height, top]
        }
        traces += _panel(
            compute_flop,
            line,
            chosen_flop,
            is_extrapolation,
            f"y{suffix}",
            level,
            theme,
            index == 0,
        )
    layout["xaxis"] = look.axis("Training compute C (FLOP)", is_power=True, span=compute_flop) | {
        "anchor": f"y{len(lines)}" if len(lines) > 1 else "y"
    }
    return look.figure(traces, theme=theme, height_px=HEIGHT_PX, layout=layout)


def alt(lines: tuple[Line, ...]) -> str:
    """Say in one sentence what the figure shows."""
    names = " and ".join(line.title for line in lines)
    return f"{names} of compute-optimal models over training compute, with bands and the plan."


def _panel(
    compute_flop: NDArray[np.float64],
    line: Line,
    chosen_flop: float,
    is_extrapolation: NDArray[np.bool_],
    axis: str,
    level: float,
    theme: Theme,
    is_first: bool,
) -> list[go.Scatter]:
    traces = []
    if line.lower is not None and line.upper is not None:
        traces.append(
            go.Scatter(
                x=np.concatenate([compute_flop, compute_flop[::-1]]),
                y=np.concatenate([line.upper, line.lower[::-1]]),
                yaxis=axis,
                fill="toself",
                fillcolor=look.BAND,
                line={"width": 0},
                mode="lines",
                hoverinfo="skip",
                name=f"{level:.0%} band",
                showlegend=is_first,
            )
        )
    for is_beyond in (False, True):
        shown = _with_neighbours(is_extrapolation == is_beyond)
        if not shown.any():
            continue
        traces.append(
            go.Scatter(
                x=compute_flop,
                y=np.where(shown, line.values, np.nan),
                yaxis=axis,
                mode="lines",
                line={"color": theme.ink, "width": 2, "dash": "dash" if is_beyond else "solid"},
                name="Beyond the data" if is_beyond else "Within the data",
                showlegend=is_first,
                hovertemplate="%{x:.3g} FLOP<br>%{y:.3s}<extra></extra>",
            )
        )
    traces.append(
        go.Scatter(
            x=np.array([chosen_flop]),
            y=np.array([line.chosen]),
            yaxis=axis,
            mode="markers",
            marker={
                "color": look.ACCENT,
                "symbol": "star-diamond",
                "size": 15,
                "line": {"width": 1.5, "color": theme.ink},
            },
            name="Your plan",
            showlegend=is_first,
            hovertemplate="%{x:.3g} FLOP<br>%{y:.3s}<extra>Your plan</extra>",
        )
    )
    return traces


def _with_neighbours(shown: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Reach to the next point of the other kind, so that the line has no gap."""
    return np.asarray(shown | np.append(shown[1:], False), dtype=np.bool_)
