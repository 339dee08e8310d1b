"""A downstream metric of held-out runs: predicted against measured, a marker with its interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.fitting.downstream import LargestHeldOut, MetricHeldOut, metric_name
from isoflop.language import gettext as _
from isoflop.language import ngettext as n_
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.theme import LIGHT, Theme, Trace, escaped

HEIGHT_PX = 400


def metric_held_out(held: MetricHeldOut | LargestHeldOut, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw predicted over measured values; on the diagonal the two are equal.

    Parameters
    ----------
    held : MetricHeldOut or LargestHeldOut
        From `isoflop.fitting.downstream`: the largest runs, or the largest model of each family.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    return _draw(_prepare(held), theme)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """Runs that were held out.

    Parameters
    ----------
    name : str
        Of the metric.
    observed, predicted, lower, upper : ndarray, shape (n,)
        Shares between 0 and 1.
    labels : tuple of str
        One a run, for the hover box.
    one_step : ndarray, shape (n,), or None
        Predictions from the scale alone; NaN where it has none.
    one_step_name : str
    """

    name: str
    observed: NDArray[np.float64]
    predicted: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    labels: tuple[str, ...]
    one_step: NDArray[np.float64] | None = None
    one_step_name: str = ""


def _prepare(held: MetricHeldOut | LargestHeldOut) -> _Picture:
    labels = held.labels if isinstance(held, MetricHeldOut) else held.families
    return _Picture(
        name=escaped(metric_name(held.metric)),
        observed=held.observed,
        predicted=held.predicted,
        lower=held.lower,
        upper=held.upper,
        labels=tuple(escaped(label) for label in labels),
        one_step=held.one_step if isinstance(held, MetricHeldOut) else None,
        one_step_name=held.one_step_name if isinstance(held, MetricHeldOut) else "",
    )


def _draw(picture: _Picture, theme: Theme) -> go.Figure:
    is_inside = (picture.observed >= picture.lower) & (picture.observed <= picture.upper)
    ends = _ends(picture)
    traces: list[Trace] = [
        {
            "type": "scatter",
            "x": ends,
            "y": ends,
            "mode": "lines",
            "name": _("predicted as measured"),
            "line": {"color": look.MUTED, "width": 1.5, "dash": "dot"},
            "hoverinfo": "skip",
        }
    ]
    for rows, what in ((is_inside, _("inside the interval")), (~is_inside, _("outside it"))):
        if rows.any():
            traces.append(_markers(picture, rows, what))
    if picture.one_step is not None and np.isfinite(picture.one_step).any():
        traces.append(
            {
                "type": "scatter",
                "x": picture.observed,
                "y": picture.one_step,
                "mode": "markers",
                "name": picture.one_step_name,
                "marker": {"color": look.MUTED, "symbol": "x", "size": 8},
                "text": picture.labels,
                "hovertemplate": "%{text}<br>%{y:.1%}<extra>" + picture.one_step_name + "</extra>",
            }
        )
    layout = {
        "xaxis": look.axis(_("{name}, measured", name=picture.name), "linear")
        | {"tickformat": ".0%"},
        "yaxis": look.axis(_("{name}, predicted", name=picture.name), "linear")
        | {"tickformat": ".0%"},
    }
    return assemble(traces, theme=theme, height_px=HEIGHT_PX, layout=layout, alt=_alt(picture))


def _alt(picture: _Picture) -> str:
    off = float(np.mean(np.abs(picture.predicted - picture.observed)))
    return _(
        "{name} predicted against measured for {held}: off by {off:.1f} points on average.",
        name=picture.name,
        held=n_("{n:,} held-out run", "{n:,} held-out runs", len(picture.observed)),
        off=100 * off,
    )


def _ends(picture: _Picture) -> NDArray[np.float64]:
    parts = [picture.observed, picture.lower, picture.upper]
    if picture.one_step is not None:
        parts.append(picture.one_step)
    values = np.concatenate(parts)
    return np.array([np.nanmin(values), np.nanmax(values)])


def _markers(picture: _Picture, rows: NDArray[np.bool_], what: str) -> Trace:
    is_hollow = what.startswith("outside")
    return {
        "type": "scatter",
        "x": picture.observed[rows],
        "y": picture.predicted[rows],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": (picture.upper - picture.predicted)[rows],
            "arrayminus": (picture.predicted - picture.lower)[rows],
            "thickness": 1.2,
            "width": 3,
            "color": look.colour(0),
        },
        "mode": "markers",
        "name": _("predicted, {what}", what=what),
        "marker": {
            "color": look.CLEAR if is_hollow else look.colour(0),
            "size": 9,
            "line": {"width": 1.5, "color": look.colour(0)},
        },
        "text": [label for label, row in zip(picture.labels, rows, strict=True) if row],
        "hovertemplate": _("%{{text}}<br>%{{y:.1%}}, measured %{{x:.1%}}<extra></extra>"),
    }
