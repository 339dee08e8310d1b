"""How many runs are worth training: what the best set of so many leaves of an interval."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from isoflop.language import gettext as _
from isoflop.planning.design import Design
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.theme import LIGHT, Theme, Trace

HEIGHT_PX = 400


def run_counts(design: Design, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw how much of the interval's width the best set of so many runs leaves.

    Parameters
    ----------
    design : Design
        Of which several numbers of runs were tried.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    counts, chosen = design.counts, len(design.runs.params)
    names = [str(count) for count in counts]
    traces: list[Trace] = [
        {
            "type": "bar",
            "x": names,
            "y": 100 * design.left,
            "marker": {"color": [look.ACCENT if c == chosen else look.FAMILIES[0] for c in counts]},
            "name": _("Best set of so many runs"),
            "showlegend": False,
            "hovertemplate": _("%{{x}} runs leave %{{y:.0f}}% of the width<extra></extra>"),
        },
        {
            "type": "scatter",
            "x": names,
            "y": np.full(len(counts), 100 * design.left_single),
            "mode": "lines",
            "name": _("One compute-optimal run of the whole budget"),
            "line": {"color": theme.ink, "width": 1.5, "dash": "dash"},
            "hovertemplate": "%{y:.0f}%<extra></extra>",
        },
    ]
    layout = {
        "xaxis": {"type": "category", "title": {"text": _("Number of runs")}},
        "yaxis": look.axis(_("Width of the interval left (%)"), "linear") | {"rangemode": "tozero"},
        "bargap": 0.4,
    }
    return assemble(traces, theme=theme, height_px=HEIGHT_PX, layout=layout, alt=_alt(design))


def _alt(design: Design) -> str:
    parts = ", ".join(
        f"{count}: {share:.0%}"
        for count, share in zip(design.counts, design.left.tolist(), strict=True)
    )
    return _(
        "Share of the interval's width that the best set of so many runs leaves: {parts}.",
        parts=parts,
    )
