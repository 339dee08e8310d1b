"""Bars of a plan: what it uses of each limit, what fills the memory, what each assumption moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Theme

BAR_PX, FRAME_PX = 44, 90
GIGA = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit: its name, the share used, whether it binds, and words for a person."""

    label: str
    share: float
    is_binding: bool
    text: str


def limits(bars: Sequence[Limit], *, theme: Theme = APP) -> go.Figure:
    """Draw what a plan uses of each limit, the binding ones in the colour of choice.

    Parameters
    ----------
    bars : sequence of Limit
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    trace = go.Bar(
        x=np.array([100 * bar.share for bar in bars]),
        y=[bar.label for bar in bars],
        orientation="h",
        marker={"color": [look.ACCENT if bar.is_binding else look.MUTED for bar in bars]},
        text=[bar.text for bar in bars],
        textposition="auto",
        insidetextanchor="start",
        insidetextfont={"color": ["#FFFFFF" if bar.is_binding else theme.ink for bar in bars]},
        hovertemplate="%{y}: %{x:.1f}% used<br>%{text}<extra></extra>",
        showlegend=False,
    )
    layout = {
        "xaxis": {"title": {"text": "Used of the limit (%)"}, "range": [0, 104]},
        "yaxis": {"autorange": "reversed", "showgrid": False},
        "bargap": 0.35,
    }
    return look.figure([trace], theme=theme, height_px=_height(len(bars)), layout=layout)


def limits_alt(bars: Sequence[Limit]) -> str:
    """Say in one sentence what the figure shows."""
    used = ", ".join(f"{bar.label} {bar.share:.0%}" for bar in bars)
    binding = ", ".join(bar.label for bar in bars if bar.is_binding) or "none"
    return f"Share used of each limit: {used}. Binding: {binding}."


def stacks(
    rows: Mapping[str, Mapping[str, float]],
    *,
    capacity_bytes: float | None,
    usable_bytes: float | None,
    title: str,
    theme: Theme = APP,
) -> go.Figure:
    """Draw bytes by component, stacked, one bar a row, against a capacity.

    Parameters
    ----------
    rows : mapping of str to mapping of str to float
        Bytes of each component by the row's label.
    capacity_bytes, usable_bytes : float or None
        Drawn as lines, where given.
    title : str
        Of the axis, without unit.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    components = list(next(iter(rows.values())))
    unit, name = _unit(max(sum(row.values()) for row in rows.values()))
    traces = [
        go.Bar(
            x=np.array([row[component] / unit for row in rows.values()]),
            y=list(rows),
            orientation="h",
            name=component.capitalize(),
            marker={"color": look.colour(index)},
            hovertemplate=f"%{{y}}<br>{component}: %{{x:.3g}} {name}<extra></extra>",
        )
        for index, component in enumerate(components)
        if any(row[component] > 0 for row in rows.values())
    ]
    lines = [("card", capacity_bytes, "solid"), ("usable", usable_bytes, "dot")]
    shapes = [
        {
            "type": "line", "xref": "x", "yref": "paper", "x0": value / unit, "x1": value / unit,
            "y0": 0, "y1": 1, "line": {"color": look.ACCENT, "width": 2, "dash": dash},
        }
        for _, value, dash in lines
        if value is not None
    ]  # fmt: skip
    layout = {
        "barmode": "stack",
        "bargap": 0.35,
        "shapes": shapes,
        "xaxis": {"title": {"text": f"{title} ({name})"}, "rangemode": "tozero"},
        "yaxis": {"autorange": "reversed", "showgrid": False},
    }
    return look.figure(traces, theme=theme, height_px=_height(len(rows)) + 40, layout=layout)


def stacks_alt(rows: Mapping[str, Mapping[str, float]], title: str) -> str:
    """Say in one sentence what the figure shows."""
    totals = ", ".join(
        f"{label}: {sum(row.values()) / GIGA:,.1f} GB" for label, row in rows.items()
    )
    return f"{title} by component. {totals}."


def _unit(largest_bytes: float) -> tuple[float, str]:
    """Return the unit that suits the largest bar, in bytes, and its name."""
    for unit, name in ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if largest_bytes >= unit:
            return unit, name
    return 1.0, "bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Swing:
    """One assumption: the outcome with it lowered and raised, and both values in words."""

    label: str
    low: float
    high: float
    low_text: str
    high_text: str


def tornado(swings: Sequence[Swing], centre: float, *, title: str, theme: Theme = APP) -> go.Figure:
    """Draw how far an outcome moves with each assumption, both ways from the plan.

    Parameters
    ----------
    swings : sequence of Swing
        From top to bottom.
    centre : float
        The plan's outcome.
    title : str
        Of the axis, with unit.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    labels = [swing.label for swing in swings]
    traces = [
        go.Bar(
            base=centre,
            x=np.array([getattr(swing, end) - centre for swing in swings]),
            y=labels,
            orientation="h",
            name=name,
            marker={"color": look.colour(index)},
            text=[getattr(swing, f"{end}_text") for swing in swings],
            textposition="auto",
            textangle=0,
            customdata=np.array([getattr(swing, end) for swing in swings]),
            hovertemplate="%{y} at %{text}<br>%{customdata:.4g}<extra></extra>",
        )
        for index, (end, name) in enumerate((("low", "Lowered"), ("high", "Raised")))
    ]
    layout = {
        "barmode": "overlay",
        "bargap": 0.3,
        "xaxis": {"title": {"text": title}},
        "yaxis": {"autorange": "reversed", "showgrid": False},
        "shapes": [
            {
                "type": "line", "xref": "x", "yref": "paper", "x0": centre, "x1": centre,
                "y0": 0, "y1": 1, "line": {"color": theme.ink, "width": 1},
            }
        ],
    }  # fmt: skip
    return look.figure(traces, theme=theme, height_px=_height(len(swings)) + 40, layout=layout)


def tornado_alt(swings: Sequence[Swing], title: str) -> str:
    """Say in one sentence what the figure shows."""
    moved = "; ".join(f"{swing.label} {swing.low:.4g} to {swing.high:.4g}" for swing in swings)
    return f"{title} when each assumption is lowered and raised by a fifth: {moved}."


def _height(n_bars: int) -> int:
    return FRAME_PX + BAR_PX * max(n_bars, 1)
