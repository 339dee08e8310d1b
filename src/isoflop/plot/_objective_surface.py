"""The certificate as a picture: the objective, every start of the search, every minimum."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.fitting import Fit, diagnose
from isoflop.fitting.diagnose import Extent, ObjectiveSurface, diagnostics
from isoflop.language import gettext as _
from isoflop.language import listed
from isoflop.language import ngettext as n_
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.theme import LIGHT, Theme, Trace
from isoflop.tables import LossTable

HEIGHT_PX = 470
SMALLEST = 1e-4
"""Relative excess below which the picture shows no difference."""

_ALPHAS = (0.95, 0.72, 0.52, 0.36, 0.2, 0.06)
_SCALE = [
    [share, f"rgba(31, 132, 201, {alpha})"]
    for share, alpha in zip(np.linspace(0, 1, len(_ALPHAS)).tolist(), _ALPHAS, strict=True)
]

TICKS = {-4: "+0.01%", -3: "+0.1%", -2: "+1%", -1: "+10%", 0: "×2", 1: "×11", 2: "×100"}


def objective_surface(
    fit: Fit,
    *,
    over: tuple[str, ...] | None = None,
    extent: Extent = "search",
    surface: ObjectiveSurface | None = None,
    table: LossTable | None = None,
    theme: Theme = LIGHT,
) -> go.Figure:
    """Draw the objective over one or two parameters, with the whole search for its minimum.

    Parameters
    ----------
    fit : Fit
    over : tuple of str, optional
        One parameter or two; by default the two that tell most.
    extent : {"search", "near"}
        Over everything that was searched, or a few standard errors around the optimum.
    surface : ObjectiveSurface, optional
        Where it was computed before; it takes seconds, and settles the two above.
    table : LossTable, optional
        The rows; by default those that the fit still holds.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    FitError
        If the law has no such parameters, or the rows are not at hand.
    """
    if surface is None:
        surface = diagnose.objective_surface(diagnostics(fit, table), over, extent=extent)
    notes = []
    if surface.n_rows < fit.n_rows:
        notes = [
            _(
                "The surface is computed on {used} of {n_rows:,} rows.",
                used=surface.n_rows,
                n_rows=fit.n_rows,
            )
        ]
    return _draw(surface, notes, theme)


def _draw(surface: ObjectiveSurface, notes: list[str], theme: Theme) -> go.Figure:
    traces, layout = (_map if len(surface.names) == 2 else _curve)(surface, theme)
    return assemble(
        traces, theme=theme, height_px=HEIGHT_PX, layout=layout, alt=_alt(surface), notes=notes
    )


def _alt(surface: ObjectiveSurface) -> str:
    n_other = len(surface.search.minima) - 1
    others = (
        n_("{n:,} other minimum", "{n:,} other minima", n_other)
        if n_other
        else _("no other minimum")
    )
    n_same = int(np.sum(surface.search.is_best))
    return _(
        "The objective over {names} with {starts} starts; {n_same} of them "
        "end at the reported optimum; {others} found.",
        names=listed(surface.names),
        starts=len(surface.starts),
        n_same=n_same,
        others=others,
    )


def _map(surface: ObjectiveSurface, theme: Theme) -> tuple[list[Trace], dict[str, Any]]:
    level = np.log10(np.maximum(surface.excess, SMALLEST))
    low, high = float(np.nanmin(level)), float(np.nanquantile(level, 0.98))
    shown = {at: text for at, text in TICKS.items() if low - 0.5 <= at <= high + 0.2}
    first, second = surface.names
    contours: Trace = {
        "type": "contour",
        "x": surface.axes[0],
        "y": surface.axes[1],
        "z": level.astype(np.float32),
        "customdata": (100 * surface.excess).astype(np.float32),
        "colorscale": _SCALE,
        "contours": {"start": low, "end": high, "size": (high - low) / 14, "coloring": "heatmap"},
        "line": {"width": 0.6, "color": look.MUTED},
        "zmin": low,
        "zmax": high,
        "colorbar": {
            "title": {"text": _("Objective"), "side": "top"},
            "tickvals": list(shown),
            "ticktext": list(shown.values()),
            "thickness": 12,
            "outlinewidth": 0,
            "len": 0.9,
        },
        "name": _("Objective"),
        "hovertemplate": _(
            "{first} %{{x:.4g}}, {second} %{{y:.4g}}<br>objective "
            "%{{customdata:.3g}}% above the minimum<extra></extra>",
            first=first,
            second=second,
        ),
    }
    layout = {
        "xaxis": _axis(surface, 0),
        "yaxis": _axis(surface, 1),
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
    }
    return [contours, *_search(surface, surface.starts[:, 1], surface.ends[:, 1], theme)], layout


def _curve(surface: ObjectiveSurface, theme: Theme) -> tuple[list[Trace], dict[str, Any]]:
    percent = 100 * np.maximum(surface.excess, SMALLEST)
    curve: Trace = {
        "type": "scatter",
        "x": surface.axes[0],
        "y": percent,
        "mode": "lines",
        "name": _("Objective"),
        "line": {"color": theme.ink, "width": 2},
        "hovertemplate": _(
            "{names} %{{x:.4g}}<br>%{{y:.3g}}% above the minimum<extra></extra>",
            names=surface.names[0],
        ),
    }
    known = np.isfinite(percent)
    at_starts = np.interp(surface.starts[:, 0], surface.axes[0][known], percent[known])
    at_ends = 100 * np.maximum(surface.search.excess, SMALLEST)
    layout = {
        "xaxis": _axis(surface, 0),
        "yaxis": look.axis(_("Objective above its minimum (%)"), "log"),
    }
    return [curve, *_search(surface, at_starts, at_ends, theme)], layout


def _axis(surface: ObjectiveSurface, position: int) -> dict[str, Any]:
    values, is_log = surface.axes[position], surface.is_log[position]
    ends = values[[0, -1]]
    settings = look.axis(surface.names[position], "log" if is_log else "linear", span=values)
    return settings | {
        "range": (np.log10(ends) if is_log else ends).tolist(),
        "showgrid": False,
    }


def _search(
    surface: ObjectiveSurface,
    start_y: NDArray[np.float64],
    end_y: NDArray[np.float64],
    theme: Theme,
) -> list[Trace]:
    """Draw each start, its path to its end, and the minima."""
    traces = _paths(surface, start_y, end_y, theme)
    best, others = surface.search.minima[:1], surface.search.minima[1:]
    traces.append(
        _minima(surface, end_y, best, _("Reported optimum"))
        | {
            "marker": {
                "symbol": "star",
                "size": 18,
                "color": look.ACCENT,
                "line": {"width": 1, "color": "white"},
            },
            "hovertemplate": _("reported optimum<extra></extra>"),
        }
    )
    if len(others):
        traces.append(
            _minima(surface, end_y, others, _("Other minima"))
            | {
                "marker": {
                    "symbol": "x",
                    "size": 11,
                    "color": look.FAMILIES[1],
                    "line": {"width": 1, "color": theme.ink},
                },
                "hovertemplate": _(
                    "minimum, %{{customdata:.3g}}% above the reported one<extra></extra>"
                ),
            }
        )
    return traces


def _paths(
    surface: ObjectiveSurface,
    start_y: NDArray[np.float64],
    end_y: NDArray[np.float64],
    theme: Theme,
) -> list[Trace]:
    """Draw the starts, each with a line to its end."""
    n_starts = len(surface.starts)
    gap = np.full(n_starts, np.nan)
    return [
        {
            "type": "scatter",
            "x": np.stack([surface.starts[:, 0], surface.ends[:, 0], gap], axis=1).ravel(),
            "y": np.stack([start_y, end_y, gap], axis=1).ravel(),
            "mode": "lines",
            "name": _("From start to end"),
            "line": {"color": theme.ink, "width": 0.7, "dash": "dot"},
            "opacity": 0.6,
            "hoverinfo": "skip",
        },
        {
            "type": "scatter",
            "x": surface.starts[:, 0],
            "y": start_y,
            "mode": "markers",
            "name": _("{n_starts} starts", n_starts=n_starts),
            "marker": {
                "symbol": "circle-open",
                "size": 9,
                "color": theme.ink,
                "line": {"width": 1.5},
            },
            "customdata": 100 * surface.search.excess,
            "hovertemplate": _("start; ends %{{customdata:.3g}}% above the minimum<extra></extra>"),
        },
    ]


def _minima(
    surface: ObjectiveSurface, end_y: NDArray[np.float64], which: NDArray[np.intp], name: str
) -> Trace:
    return {
        "type": "scatter",
        "x": surface.ends[which, 0],
        "y": end_y[which],
        "mode": "markers",
        "name": name,
        "customdata": 100 * surface.search.excess[which],
    }
