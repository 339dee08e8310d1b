"""What fills the fullest accelerator, as laid out and under other layouts."""

from __future__ import annotations

import plotly.graph_objects as go

from isoflop.language import gettext as _
from isoflop.planning.memory_advice import MemoryReport
from isoflop.plot.bars import Stacks, draw_stacks
from isoflop.plot.theme import LIGHT, Theme
from isoflop.units.said import format_quantity


def memory(report: MemoryReport, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw the memory of the fullest accelerator by component, against what the card holds.

    Parameters
    ----------
    report : MemoryReport
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    card, usable = report.capacity_bytes, report.usable_bytes
    note = _(
        "Solid line: the card, {card}. Dotted: what the headroom leaves, {usable}.",
        card=format_quantity(card, "bytes"),
        usable=format_quantity(usable, "bytes"),
    )
    return draw_stacks(_prepare(report), theme, notes=[note])


def _prepare(report: MemoryReport) -> Stacks:
    return Stacks(
        title=_("Memory of the fullest accelerator"),
        rows={_("As laid out"): report.memory.by_component}
        | {label: other.by_component for label, other in report.alternatives.items()},
        lines=((report.capacity_bytes, "solid"), (report.usable_bytes, "dot")),
    )
