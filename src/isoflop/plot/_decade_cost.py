"""Errors on held-out runs of public tables by how far they were extrapolated to."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from isoflop.language import gettext as _
from isoflop.lessons import DecadeCost
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.lines import shaded
from isoflop.plot.theme import LIGHT, Theme, Trace, escaped

HEIGHT_PX = 420
AROUND = 0.12
"""Decades on each side of the distance looked at that are shaded."""


def decade_cost(cost: DecadeCost, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw each table's mean error over the distance, with the medians of errors and bands.

    Parameters
    ----------
    cost : DecadeCost
        From `isoflop.lessons.decade_cost`.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    rows = cost.rows
    median = rows.groupby("decades")[["mean_error", "half_width"]].median()
    distances = median.index.to_numpy(np.float64)
    facts = cost.facts
    return assemble(
        [
            *_tables(cost),
            _median(
                distances, median["mean_error"].to_numpy(), _("Median error"), theme.ink, "solid"
            ),
            _median(
                distances,
                median["half_width"].to_numpy(),
                _("Median half-width of the 90% band"),
                look.ACCENT,
                "dash",
            ),
        ],
        theme=theme,
        height_px=HEIGHT_PX,
        layout={
            "xaxis": look.axis(_("Decades of compute beyond the fitted runs"), "linear")
            | {"tickvals": distances.tolist(), "range": [0.3, 1.7]},
            "yaxis": look.axis(_("Error of the predicted loss (%)"), "linear")
            | {"rangemode": "tozero"},
            "shapes": [shaded(cost.decades - AROUND, cost.decades + AROUND)],
        },
        alt=_(
            "Errors of predictions on {n_tables} public tables, {decades} "
            "decades beyond the data: {median} in the median, {worst} at worst.",
            n_tables=facts["n_tables"],
            decades=facts["decades"],
            median=facts["median"],
            worst=facts["worst"],
        ),
    )


def _tables(cost: DecadeCost) -> list[Trace]:
    """Draw a line a table; one of them says what they are."""
    found: list[Trace] = []
    for name, rows in cost.rows.groupby("name", sort=False):
        found.append(
            {
                "type": "scatter",
                "x": rows["decades"].to_numpy(np.float64),
                "y": 100 * rows["mean_error"].to_numpy(np.float64),
                "mode": "lines+markers",
                "name": _("A public table each"),
                "legendgroup": "tables",
                "showlegend": not found,
                "line": {"color": look.MUTED, "width": 1},
                "marker": {"color": look.FAMILIES[0], "size": 7, "opacity": 0.7},
                "hovertemplate": f"{escaped(str(name))}: %{{y:.2f}}%<extra></extra>",
            }
        )
    return found


def _median(x: np.ndarray, share: np.ndarray, name: str, colour: str, dash: str) -> Trace:
    return {
        "type": "scatter",
        "x": x,
        "y": 100 * share,
        "mode": "lines+markers",
        "name": name,
        "line": {"color": colour, "width": 2.5, "dash": dash},
        "marker": {"color": colour, "size": 10, "symbol": "diamond"},
        "hovertemplate": "%{y:.2f}%<extra>" + name + "</extra>",
    }
