"""How many times the compute, or data, of one family another needs for the same loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from isoflop.fitting.compare import Multiplier
from isoflop.language import gettext as _
from isoflop.planning.families import FamilyComparison
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.axes import AXES, column_name
from isoflop.plot.theme import LIGHT, Theme, Trace, escaped
from isoflop.tables import COLUMNS

HEIGHT_PX = 430
WIDEST = 30.0
"""How far a band is drawn beyond the multipliers, as a factor."""


def compute_multiplier(comparison: FamilyComparison, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw the multiplier with its band, dashed where either family has no rows.

    Parameters
    ----------
    comparison : FamilyComparison
        From `isoflop.planning.families.compare_families`.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    return _draw(_prepare(comparison), theme)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """The multiplier: the scale of ``other`` over that of ``one``.

    Parameters
    ----------
    found : Multiplier
        Infinite and zero values are not drawn.
    name, unit : str
        Of the scale, such as ``"Compute"`` and ``"FLOP"``.
    one, other : str
    """

    found: Multiplier
    name: str
    unit: str
    one: str
    other: str


def _prepare(comparison: FamilyComparison) -> _Picture:
    one, other = map(escaped, comparison.labels)
    return _Picture(
        found=comparison.multiplier,
        name=column_name(comparison.column),
        unit=COLUMNS[comparison.column].unit,
        one=one,
        other=other,
    )


def _draw(picture: _Picture, theme: Theme) -> go.Figure:
    found, x = picture.found, picture.found.scale
    shown = np.isfinite(found.centre) & (found.centre > 0)
    low, high = (float(f(found.centre[shown], initial=1.0)) for f in (np.min, np.max))
    edges = [np.clip(e, low / WIDEST, high * WIDEST) for e in (found.lower, found.upper)]
    inside = np.where(shown & ~found.is_extrapolation, found.centre, np.nan)
    hover = "%{x:.2g} " + picture.unit + _(": %{{y:.3g}} times<extra></extra>")
    traces: list[Trace] = [
        {
            "type": "scatter",
            "x": np.concatenate([x, x[::-1]]),
            "y": np.concatenate([edges[1], edges[0][::-1]]),
            "fill": "toself",
            "mode": "lines",
            "line": {"width": 0},
            "fillcolor": look.BAND,
            "name": _("{level:.0%} band", level=found.level),
            "hoverinfo": "skip",
        },
        {
            "type": "scatter",
            "x": x,
            "y": np.where(shown, found.centre, np.nan),
            "mode": "lines",
            "name": _("beyond rows of either"),
            "line": {"color": theme.ink, "width": 2, "dash": "dash"},
            "hovertemplate": hover,
        },
        {
            "type": "scatter",
            "x": x,
            "y": inside,
            "mode": "lines",
            "name": _("within rows of both"),
            "line": {"color": theme.ink, "width": 3},
            "hovertemplate": hover,
        },
    ]
    is_compute = found.column in AXES and AXES[found.column].is_compute
    layout = {
        "xaxis": look.axis(
            _("{name} of {one} ({unit})", name=picture.name, one=picture.one, unit=picture.unit),
            is_power=is_compute,
            span=x,
        ),
        "yaxis": look.narrow_log_axis(
            _("Times as much for the same loss"),
            np.concatenate([*edges, found.centre[shown], [1.0]]),
        ),
        "shapes": [_equal()],
    }
    return assemble(traces, theme=theme, height_px=HEIGHT_PX, layout=layout, alt=_alt(picture))


def _equal() -> dict[str, object]:
    """Return the line at which both need the same."""
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": 1,
        "y1": 1,
        "line": {"color": look.MUTED, "width": 1.5, "dash": "dot"},
        "layer": "below",
    }


def _alt(picture: _Picture) -> str:
    found = picture.found
    first, last = (
        _(
            "{centre:.3g} times at {scale:.2g} {unit}",
            centre=found.centre[i],
            scale=found.scale[i],
            unit=picture.unit,
        )
        for i in (0, -1)
    )
    return _(
        "{name} that {other} needs over that of {one} for the same loss, from {first} to {last}.",
        name=picture.name,
        other=picture.other,
        one=picture.one,
        first=first,
        last=last,
    )
