"""Residuals along a quantity with their running median, and against a normal distribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.figures import residuals
from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Scale, Theme, Trace
from isoflop.units import counted

HEIGHT_PX = 320


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """Medians of the residuals in windows, with their intervals; shape (n_windows,) each."""

    x: NDArray[np.float64]
    median: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """Residuals in order against a normal sample; shape (n_rows,) each.

    Parameters
    ----------
    normal, observed, lower, upper : ndarray
    labels : tuple of str
        One a row, in the same order.
    """

    normal: NDArray[np.float64]
    observed: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    labels: tuple[str, ...]


def along(
    groups: Sequence[residuals.Residuals],
    trend: Trend | None,
    *,
    x_title: str,
    y_title: str,
    x_scale: Scale = "log",
    x_is_compute: bool = False,
    scale: float = float("nan"),
    limit: float = float("inf"),
    theme: Theme = APP,
) -> go.Figure:
    """Draw residuals along a quantity, with medians that show what the law misses.

    Parameters
    ----------
    groups : sequence of Residuals
        One for each family, coloured in this order.
    trend : Trend or None
    x_title, y_title : str
        With units.
    x_scale : {"log", "linear"}
    x_is_compute : bool
    scale : float
        Standard deviation, of which two are marked.
    limit : float
        Residuals further out are drawn at the edge, as triangles.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    drawn = residuals.figure(
        [_within(group, limit) for group in groups],
        x_title=x_title,
        y_title=y_title,
        x_is_compute=x_is_compute,
        residual_std=scale,
        theme=theme,
    )
    if x_scale == "linear":
        drawn.update_xaxes(look.axis(x_title, "linear"), overwrite=True)
    if trend is not None:
        drawn.add_trace(
            {
                "type": "scatter",
                "x": trend.x,
                "y": trend.median,
                "mode": "lines+markers",
                "name": "Running median",
                "line": {"color": theme.ink, "width": 1.5},
                "marker": {"size": 5, "color": theme.ink},
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": trend.upper - trend.median,
                    "arrayminus": trend.median - trend.lower,
                    "thickness": 1,
                    "width": 3,
                    "color": theme.ink,
                },
                "hoverinfo": "skip",
            }
        )
    far = [_beyond(group, limit) for group in groups]
    if any(len(group.x) for group in far):
        drawn.add_trace(_edge(far, limit))
        drawn.update_yaxes(range=[-1.12 * limit, 1.12 * limit])
    return drawn.update_layout(height=HEIGHT_PX)


def _within(group: residuals.Residuals, limit: float) -> residuals.Residuals:
    return _part(group, np.abs(group.residual) <= limit)


def _beyond(group: residuals.Residuals, limit: float) -> residuals.Residuals:
    return _part(group, np.abs(group.residual) > limit)


def _part(group: residuals.Residuals, kept: NDArray[np.bool_]) -> residuals.Residuals:
    return residuals.Residuals(
        family=group.family,
        x=group.x[kept],
        residual=group.residual[kept],
        labels=tuple(label for label, is_kept in zip(group.labels, kept, strict=True) if is_kept),
    )


def _edge(far: Sequence[residuals.Residuals], limit: float) -> Trace:
    """Mark, at the edge of the chart, the residuals that lie beyond it."""
    x = np.concatenate([group.x for group in far])
    residual = np.concatenate([group.residual for group in far])
    labels = [label for group in far for label in group.labels]
    return {
        "type": "scatter",
        "x": x,
        "y": limit * np.sign(residual),
        "mode": "markers",
        "name": f"{len(x)} further out",
        "marker": {
            "color": look.ACCENT,
            "symbol": ["triangle-up" if value > 0 else "triangle-down" for value in residual],
            "size": 11,
            "line": look.OUTLINE,
        },
        "text": [
            f"{label}<br>residual {value:.3g}"
            for label, value in zip(labels, residual, strict=True)
        ],
        "hovertemplate": "%{text}<extra></extra>",
    }


def quantiles(
    ordered: Quantiles, *, level: float, limit: float = float("inf"), theme: Theme = APP
) -> go.Figure:
    """Draw standardised residuals against those of a normal sample.

    Parameters
    ----------
    ordered : Quantiles
    level : float
        Of the range that each place keeps to in a normal sample.
    limit : float
        Residuals further out are drawn at the edge.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    is_outside = (ordered.observed < ordered.lower) | (ordered.observed > ordered.upper)
    ends = ordered.normal[[0, -1]]
    traces: list[Trace] = [
        {
            "type": "scatter",
            "x": np.concatenate([ordered.normal, ordered.normal[::-1]]),
            "y": np.concatenate([ordered.upper, ordered.lower[::-1]]),
            "fill": "toself",
            "mode": "lines",
            "line": {"width": 0},
            "fillcolor": look.BAND,
            "name": f"Normal, {level:.0%} of each place",
            "hoverinfo": "skip",
        },
        {
            "type": "scatter",
            "x": ends,
            "y": ends,
            "mode": "lines",
            "name": "Normal",
            "showlegend": False,
            "line": {"color": theme.ink, "width": 1},
            "hoverinfo": "skip",
        },
    ]
    for name, part, colour in (
        ("Rows inside", ~is_outside, look.FAMILIES[0]),
        ("Rows outside", is_outside, look.ACCENT),
    ):
        chosen = np.flatnonzero(part)
        traces.append(
            {
                "type": look.marker_type(len(chosen)),
                "x": ordered.normal[chosen],
                "y": np.clip(ordered.observed[chosen], -limit, limit),
                "mode": "markers",
                "name": name,
                "marker": {
                    "color": colour,
                    "size": 7,
                    "line": look.OUTLINE,
                    "symbol": [
                        "circle" if abs(value) <= limit else "triangle-up"
                        for value in ordered.observed[chosen]
                    ],
                },
                "text": [ordered.labels[i] for i in chosen],
                "hovertemplate": "%{text}<extra></extra>",
            }
        )
    layout = {
        "xaxis": look.axis("Normal quantile", "linear"),
        "yaxis": look.axis("Residual (robust standard deviations)", "linear"),
    }
    return look.figure(traces, theme=theme, height_px=HEIGHT_PX, layout=layout)


def quantiles_alt(ordered: Quantiles) -> str:
    """Say in one sentence what the quantile plot shows, for those who do not see it."""
    outside = (ordered.observed < ordered.lower) | (ordered.observed > ordered.upper)
    return (
        f"Residuals of {counted(len(ordered.observed), 'row')} against a normal distribution; "
        f"{int(outside.sum())} lie outside the range of their place."
    )
