"""A bounded metric against the loss or compute: runs, sigmoid, band."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.language import gettext as _
from isoflop.language import ngettext as n_
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.theme import Theme, Trace

HEIGHT_PX = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """Runs or models of one family.

    Parameters
    ----------
    name : str
    x, metric : ndarray, shape (n,)
    labels : tuple of str
        One a model, for the hover box.
    """

    name: str
    x: NDArray[np.float64]
    metric: NDArray[np.float64]
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A fitted curve with its band.

    Parameters
    ----------
    name : str
    x, metric : ndarray, shape (n,)
    lower, upper : ndarray, shape (n,), or None
    level : float
    place : int or None
        In the palette; None for the ink of other lines.
    """

    name: str
    x: NDArray[np.float64]
    metric: NDArray[np.float64]
    lower: NDArray[np.float64] | None = None
    upper: NDArray[np.float64] | None = None
    level: float = 0.9
    place: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Models and curves.

    Parameters
    ----------
    models : tuple of Models
    curves : tuple of Curve
    x_title, y_title : str
        With units.
    is_compute : bool
        Whether x is compute on a logarithmic axis; else a loss on a reversed one.
    """

    models: tuple[Models, ...]
    curves: tuple[Curve, ...]
    x_title: str
    y_title: str
    is_compute: bool = False


def draw(picture: Picture, theme: Theme) -> go.Figure:
    """Draw models, curves and bands; a loss runs from high to low, as training does."""
    traces = [trace for curve in picture.curves for trace in _curve(curve, theme)]
    traces += [_markers(group, index) for index, group in enumerate(picture.models)]
    x = np.concatenate([c.x for c in picture.curves] + [group.x for group in picture.models])
    x_axis = (
        look.axis(picture.x_title, is_power=True, span=x)
        if picture.is_compute
        else look.axis(picture.x_title, "linear") | {"autorange": "reversed"}
    )
    layout = {
        "xaxis": x_axis,
        "yaxis": look.axis(picture.y_title, "linear")
        | {"rangemode": "tozero", "tickformat": ".0%"},
    }
    count = sum(len(group.x) for group in picture.models)
    alt = _(
        "{y_title} against {x_title}: {models} and {fitted}.",
        y_title=picture.y_title,
        x_title=picture.x_title,
        models=n_("{n:,} model", "{n:,} models", count),
        fitted=n_("{n:,} fitted curve", "{n:,} fitted curves", len(picture.curves)),
    )
    return assemble(traces, theme=theme, height_px=HEIGHT_PX, layout=layout, alt=alt)


def _curve(curve: Curve, theme: Theme) -> list[Trace]:
    colour = theme.ink if curve.place is None else look.colour(curve.place)
    traces: list[Trace] = []
    if curve.lower is not None and curve.upper is not None:
        fill = look.BAND if curve.place is None else look.translucent(colour, 0.18)
        traces.append(
            {
                "type": "scatter",
                "x": np.concatenate([curve.x, curve.x[::-1]]),
                "y": np.concatenate([curve.upper, curve.lower[::-1]]),
                "fill": "toself",
                "mode": "lines",
                "line": {"width": 0},
                "fillcolor": fill,
                "name": _("{level:.0%} band", level=curve.level),
                "showlegend": curve.place is None,
                "hoverinfo": "skip",
            }
        )
    traces.append(
        {
            "type": "scatter",
            "x": curve.x,
            "y": curve.metric,
            "mode": "lines",
            "name": curve.name,
            "showlegend": curve.place is None,
            "line": {"color": colour, "width": 2},
            "hovertemplate": "%{x:.4g}: %{y:.1%}<extra>" + curve.name + "</extra>",
        }
    )
    return traces


def _markers(group: Models, index: int) -> Trace:
    return {
        "type": look.marker_type(len(group.x)),
        "x": group.x,
        "y": group.metric,
        "mode": "markers",
        "name": group.name,
        "marker": {
            "color": look.colour(index),
            "symbol": look.symbol(index),
            "size": 9,
            "line": look.OUTLINE,
        },
        "text": group.labels,
        "hovertemplate": "%{text}<br>%{y:.1%}<extra>" + group.name + "</extra>",
    }
