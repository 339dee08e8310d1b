"""What fills the disk of a planned run."""

from __future__ import annotations

import plotly.graph_objects as go

from isoflop.language import gettext as _
from isoflop.planning import Plan
from isoflop.plot.bars import Stacks, draw_stacks
from isoflop.plot.theme import LIGHT, Theme


def disk(plan: Plan, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw the disk that a run takes by component, against the budget's limit.

    Parameters
    ----------
    plan : Plan
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    return draw_stacks(_prepare(plan), theme)


def _prepare(plan: Plan) -> Stacks:
    limit = plan.budget.storage_bytes
    return Stacks(
        title=_("Disk"),
        rows={_("This run"): plan.storage.by_component},
        lines=() if limit is None else ((limit, "solid"),),
    )
