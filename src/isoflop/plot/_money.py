"""What the money of a planned run goes into, by each way to pay for its accelerators."""

from __future__ import annotations

import plotly.graph_objects as go

from isoflop.language import gettext as _
from isoflop.planning.money import Money
from isoflop.plot.bars import Stacks, draw_stacks
from isoflop.plot.theme import LIGHT, Theme


def money(found: Money, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw the money of a run by what it is for, a bar a way to pay, against the limit.

    Parameters
    ----------
    found : Money
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    return draw_stacks(_prepare(found), theme)


def _prepare(found: Money) -> Stacks:
    names = list(dict.fromkeys(name for parts in found.by_way.values() for name in parts))
    return Stacks(
        title=_("Money"),
        dimension="usd",
        rows={
            way: {name: parts.get(name, 0.0) for name in names}
            for way, parts in found.by_way.items()
        },
        lines=() if found.limit_usd is None else ((found.limit_usd, "solid"),),
    )
