"""Where the time of a planned run goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from isoflop.language import gettext as _
from isoflop.language import translated
from isoflop.planning import Plan
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.bars import LABELS, LEGEND_PX, height_px
from isoflop.plot.theme import LIGHT, Theme, Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """Share of the run's time by component, a row a layout; the utilisation of each."""

    rows: Mapping[str, Mapping[str, float]]
    note: str


def time_shares(plan: Plan, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw the time of a run by component, and beside it that of the fastest layout.

    Parameters
    ----------
    plan : Plan
        With a layout.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    return _draw(_prepare(plan), theme)


def _prepare(plan: Plan) -> _Picture:
    training = plan.training
    rows = {f"MFU {training.mfu:.1%}": training.time_shares}
    if training.best_mfu is not None:
        rows[_("Fastest, {best_mfu:.1%}", best_mfu=training.best_mfu)] = training.best_time_shares
    note = _(
        "Of the time between saves and failures. Messages count where "
        "computation does not hide them."
    )
    if training.realised < 1:
        note += _(
            " Whole run: what published runs took longer than tuned steps, by "
            "evaluation, slower software and repairs."
        )
    return _Picture(rows=rows, note=note)


def _draw(picture: _Picture, theme: Theme) -> go.Figure:
    names = list(dict.fromkeys(name for row in picture.rows.values() for name in row))
    traces: list[Trace] = [
        {
            "type": "bar",
            "x": np.array([100 * row.get(name, 0.0) for row in picture.rows.values()]),
            "y": list(picture.rows),
            "orientation": "h",
            "name": translated(name).capitalize(),
            "marker": {"color": look.colour(index)},
            "hovertemplate": f"%{{y}}<br>{name}: %{{x:.1f}}%<extra></extra>",
        }
        for index, name in enumerate(names)
    ]
    first = next(iter(picture.rows.values()))
    said = ", ".join(f"{name} {share:.1%}" for name, share in first.items())
    return assemble(
        traces,
        theme=theme,
        height_px=height_px(len(picture.rows)) + LEGEND_PX,
        layout={
            "barmode": "stack",
            "bargap": 0.35,
            "xaxis": {"title": {"text": _("Share of the time (%)")}, "rangemode": "tozero"},
            "yaxis": LABELS,
        },
        alt=_("Where the time goes: {said}.", said=said),
        notes=[picture.note],
    )
