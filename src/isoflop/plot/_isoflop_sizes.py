"""The best model size against compute by envelope, isoFLOP profiles and parametric fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.fitting.isoflop import LEVEL, Approach, Approaches
from isoflop.language import gettext as _
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.axes import AXES
from isoflop.plot.lines import note_at, shaded
from isoflop.plot.theme import LIGHT, Theme, Trace
from isoflop.units import format_number

HEIGHT_PX = 430
N_POINTS = 60
BELOW, BEYOND = 3.0, 300.0
"""How far before and beyond the rows the lines are drawn, as factors of compute."""
_DASHES = ("dot", "dash", "solid")
_NONE: NDArray[np.float64] = np.array([])


def isoflop_sizes(approaches: Approaches, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw the best size against compute by every approach that gives one, with its band.

    Parameters
    ----------
    approaches : Approaches
        From `isoflop.fitting.isoflop.compare_approaches`.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    FitError
        If no approach can be used on the table.
    """
    return _draw(_prepare(approaches), theme)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """What one approach says.

    Parameters
    ----------
    name : str
    place : int
        Which approach, from 0; settles its colour.
    compute_flop, params : ndarray, shape (n,)
    lower, upper : ndarray, shape (n,), or None
    point_flop, point_params : ndarray, shape (m,)
        What the line goes through; empty for none.
    """

    name: str
    place: int
    compute_flop: NDArray[np.float64]
    params: NDArray[np.float64]
    lower: NDArray[np.float64] | None
    upper: NDArray[np.float64] | None
    point_flop: NDArray[np.float64]
    point_params: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """The lines, and the compute of the rows."""

    lines: tuple[_Line, ...]
    compute_range: tuple[float, float]


def _prepare(approaches: Approaches) -> _Picture:
    low, high = approaches.compute_range
    flop = np.geomspace(low / BELOW, high * BEYOND, N_POINTS)
    lines = []
    for place, one in enumerate(approaches.approaches):
        if one.params_line is None:
            continue
        lower = upper = None
        if not one.params_line.reason:
            lower, upper = one.params_line.interval_at(flop, LEVEL)
        point_flop, point_params = _points(one, approaches)
        lines.append(
            _Line(
                name=one.label,
                place=place,
                compute_flop=flop,
                params=one.params_line.at(flop),
                lower=lower,
                upper=upper,
                point_flop=point_flop,
                point_params=point_params,
            )
        )
    if not lines:
        raise FitError(approaches.verdict())
    return _Picture(lines=tuple(lines), compute_range=approaches.compute_range)


def _points(
    one: Approach, approaches: Approaches
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return compute and size of what an approach's line goes through."""
    if one.key == "envelope":
        corners = approaches.corners
        return corners.compute_flop[corners.is_used], corners.params[corners.is_used]
    if one.key == "parametric":
        return _NONE, _NONE
    accepted = [profile for profile in approaches.profiles if not profile.refusal]
    return (
        np.array([profile.compute_flop for profile in accepted]),
        np.array([profile.optimal_params for profile in accepted]),
    )


def _draw(picture: _Picture, theme: Theme) -> go.Figure:
    traces = [trace for line in picture.lines for trace in _traces(line)]
    x = np.concatenate([line.compute_flop for line in picture.lines])
    y = np.concatenate([line.params for line in picture.lines])
    low, high = picture.compute_range
    layout = {
        "xaxis": look.axis(AXES["compute_flop"].title, is_power=True, span=x),
        "yaxis": look.narrow_log_axis(_("Best model size (parameters)"), y),
        "shapes": [shaded(low, high)],
        "annotations": [note_at(low, "rows")],
    }
    return assemble(traces, theme=theme, height_px=HEIGHT_PX, layout=layout, alt=_alt(picture))


def _alt(picture: _Picture) -> str:
    ends = ", ".join(
        _(
            "{name} {params} parameters",
            name=line.name,
            params=format_number(float(line.params[-1])),
        )
        for line in picture.lines
    )
    return _("Best model size against compute; at the largest compute drawn: {ends}.", ends=ends)


def _traces(line: _Line) -> list[Trace]:
    colour = look.colour(line.place)
    traces: list[Trace] = []
    if line.lower is not None and line.upper is not None:
        traces.append(
            {
                "type": "scatter",
                "x": np.concatenate([line.compute_flop, line.compute_flop[::-1]]),
                "y": np.concatenate([line.upper, line.lower[::-1]]),
                "fill": "toself",
                "mode": "lines",
                "line": {"width": 0},
                "fillcolor": look.translucent(colour, 0.16),
                "name": line.name,
                "legendgroup": line.name,
                "showlegend": False,
                "hoverinfo": "skip",
            }
        )
    traces.append(
        {
            "type": "scatter",
            "x": line.compute_flop,
            "y": line.params,
            "mode": "lines",
            "name": line.name,
            "legendgroup": line.name,
            "line": {"color": colour, "width": 2.4, "dash": _DASHES[line.place % len(_DASHES)]},
            "hovertemplate": _("%{{x:.2g}} FLOP: %{{y:.3s}} parameters<extra>")
            + line.name
            + "</extra>",
        }
    )
    if len(line.point_flop):
        traces.append(
            {
                "type": "scatter",
                "x": line.point_flop,
                "y": line.point_params,
                "mode": "markers",
                "name": line.name,
                "legendgroup": line.name,
                "showlegend": False,
                "marker": {"color": colour, "symbol": look.symbol(line.place), "size": 8,
                           "line": look.OUTLINE},
                "hovertemplate": _("%{{x:.2g}} FLOP: %{{y:.3s}} parameters<extra></extra>"),
            }
        )  # fmt: skip
    return traces
