"""What a plan uses of each limit, and what a tenth more of it would buy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from isoflop.language import gettext as _
from isoflop.planning import Plan
from isoflop.planning.summary import SMALLEST_GAIN
from isoflop.planning.types import LimitUse
from isoflop.plot import bars
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.theme import LIGHT, Theme, Trace
from isoflop.tables.schema import said_response
from isoflop.units.said import format_quantity


def limits(plan: Plan, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw what a plan uses of each limit, the binding ones in the colour of choice.

    Parameters
    ----------
    plan : Plan
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    return _draw(_prepare(plan), theme)


ROOM = 0.4
"""Share of a limit from which on its words stand in the bar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bar:
    """One limit: its name, the share used, whether it binds, and words for a person."""

    label: str
    share: float
    is_binding: bool
    text: str


def _prepare(plan: Plan) -> tuple[_Bar, ...]:
    return tuple(_bar(limit, plan.response) for limit in plan.limits)


def _bar(limit: LimitUse, response: str) -> _Bar:
    used, most = (format_quantity(value, limit.dimension) for value in (limit.used, limit.limit))
    gain = (
        _("; 10% more: {response} {gain:+.4f}", response=said_response(response), gain=-limit.gain)
        if limit.gain >= SMALLEST_GAIN
        else ""
    )
    return _Bar(
        label=limit.label,
        share=min(limit.used / limit.limit, 1.0),
        is_binding=limit.is_binding or limit.is_exceeded,
        text=_("{used} of {most}{gain}", used=used, most=most, gain=gain),
    )


def _draw(picture: tuple[_Bar, ...], theme: Theme) -> go.Figure:
    trace: Trace = {
        "type": "bar",
        "x": np.array([100 * bar.share for bar in picture]),
        "y": [bar.label for bar in picture],
        "orientation": "h",
        "marker": {"color": [look.ACCENT if bar.is_binding else look.MUTED for bar in picture]},
        "text": [bar.text for bar in picture],
        # Inside where there is room for most of it: outside a long bar it would be cut off.
        "textposition": ["inside" if bar.share > ROOM else "outside" for bar in picture],
        "textangle": 0,
        "insidetextanchor": "start",
        "insidetextfont": {
            "color": ["#FFFFFF" if bar.is_binding else theme.ink for bar in picture]
        },
        "hovertemplate": _("%{{y}}: %{{x:.1f}}% used<br>%{{text}}<extra></extra>"),
        "showlegend": False,
    }
    layout = {
        "xaxis": {"title": {"text": _("Used of the limit (%)")}, "range": [0, 104]},
        "yaxis": bars.LABELS,
        "bargap": 0.35,
    }
    used = ", ".join(f"{bar.label} {bar.share:.0%}" for bar in picture)
    binding = ", ".join(bar.label for bar in picture if bar.is_binding) or _("none")
    return assemble(
        [trace],
        theme=theme,
        height_px=bars.height_px(len(picture)),
        layout=layout,
        alt=_("Share used of each limit: {used}. Binding: {binding}.", used=used, binding=binding),
    )
