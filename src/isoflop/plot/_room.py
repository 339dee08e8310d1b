"""What somebody keeps on a server, against what they may."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from isoflop.language import gettext as _
from isoflop.plot.bars import Stacks, draw_stacks
from isoflop.plot.theme import LIGHT, Theme

if TYPE_CHECKING:  # SQLAlchemy is not needed to draw
    from isoflop.store import Room


def room(kept: Room, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw what is stored on a server by what it is, against what may be stored.

    Parameters
    ----------
    kept : Room
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    return draw_stacks(_prepare(kept), theme)


def _prepare(kept: Room) -> Stacks:
    allowed = kept.allowed_bytes
    return Stacks(
        title=_("Stored"),
        rows={_("You"): kept.used_bytes},
        lines=() if allowed is None else ((allowed, "solid"),),
    )
