"""A ladder's points with the fitted law drawn through each model size, and a run forecast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.fitting import Fit, predict
from isoflop.language import gettext as _
from isoflop.planning.inputs import inputs_at
from isoflop.planning.rule import SIX_ND
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.axes import AXES, loss_title
from isoflop.plot.theme import LIGHT, Theme, Trace
from isoflop.tables import LossTable
from isoflop.training.forecasts import Forecast
from isoflop.units import format_number

HEIGHT_PX = 420
N_POINTS = 60
REACH = 4.0
"""How far beyond the largest budget the curves are drawn."""


def ladder(
    table: LossTable,
    *,
    fit: Fit | None = None,
    forecast: Forecast | None = None,
    theme: Theme = LIGHT,
) -> go.Figure:
    """Draw loss against tokens, one curve a model size, and the run that a forecast is of.

    Parameters
    ----------
    table : LossTable
        Points of one family: model sizes, each at some budgets of tokens.
    fit : Fit, optional
        Of a law of parameters and tokens.
    forecast : Forecast, optional
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    return _draw(_prepare(table, fit), forecast, loss_title(table.loss_unit), theme)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Size:
    """The points of one model size and the law at that size.

    Parameters
    ----------
    label : str
    tokens, loss : ndarray, shape (n,)
        Budgets reached.
    curve_tokens, curve_loss : ndarray, shape (m,)
        The fitted law; empty before there is one.
    """

    label: str
    tokens: NDArray[np.float64]
    loss: NDArray[np.float64]
    curve_tokens: NDArray[np.float64]
    curve_loss: NDArray[np.float64]


def _prepare(table: LossTable, fit: Fit | None) -> tuple[_Size, ...]:
    """Return points and fitted curve, if there is one, of every model size, the smallest first."""
    params, tokens, loss = (table.values(name) for name in ("params", "tokens", "loss"))
    reach = np.geomspace(tokens.min(), REACH * tokens.max(), N_POINTS)
    along = np.empty(0) if fit is None else reach
    found = []
    for size in np.unique(params):
        is_size = params == size
        curve = along
        if fit is not None:
            curve = predict(fit, inputs_at(fit.law, np.full(len(along), size), along, rule=SIX_ND))
        found.append(
            _Size(
                label=_("{size} parameters", size=format_number(float(size))),
                tokens=tokens[is_size],
                loss=loss[is_size],
                curve_tokens=along,
                curve_loss=curve,
            )
        )
    return tuple(found)


def _draw(
    sizes: Sequence[_Size], forecast: Forecast | None, y_title: str, theme: Theme
) -> go.Figure:
    traces = [trace for index, size in enumerate(sizes) for trace in _traces(size, index)]
    losses = [values for size in sizes for values in (size.loss, size.curve_loss)]
    tokens = [values for size in sizes for values in (size.tokens, size.curve_tokens)]
    if forecast is not None:
        traces += _forecast(forecast, theme)
        made = forecast.prediction
        known = (made.loss, made.lower, made.upper, forecast.outcome_loss)
        losses.append(np.array([value for value in known if value is not None]))
        tokens.append(np.array([made.tokens]))
    layout = {
        "xaxis": look.axis(AXES["tokens"].title, span=np.concatenate(tokens)),
        "yaxis": look.loss_axis(y_title, np.concatenate(losses)),
    }
    alt = _alt(sizes, forecast)
    return assemble(traces, theme=theme, height_px=HEIGHT_PX, layout=layout, alt=alt)


def _alt(sizes: Sequence[_Size], forecast: Forecast | None) -> str:
    n_points = sum(len(size.loss) for size in sizes)
    text = _(
        "Loss against tokens: {n_points} points of {sizes} sizes",
        n_points=n_points,
        sizes=len(sizes),
    )
    if any(len(size.curve_loss) for size in sizes):
        text += _(" and the fitted law")
    if forecast is not None:
        made = forecast.prediction
        text += _("; {label} predicted at {loss:.3f}", label=forecast.label, loss=made.loss)
        text += _(" ({lower:.3f} to {upper:.3f})", lower=made.lower, upper=made.upper)
    return _("{sentence}.", sentence=text)


def _traces(size: _Size, index: int) -> list[Trace]:
    colour = look.colour(index)
    return [
        {
            "type": "scatter",
            "x": size.curve_tokens,
            "y": size.curve_loss,
            "mode": "lines",
            "name": size.label,
            "legendgroup": size.label,
            "showlegend": False,
            "line": {"color": colour, "width": 1.5},
            "hoverinfo": "skip",
        },
        {
            "type": "scatter",
            "x": size.tokens,
            "y": size.loss,
            "mode": "markers",
            "name": size.label,
            "legendgroup": size.label,
            "marker": {
                "color": colour,
                "symbol": look.symbol(index),
                "size": 9,
                "line": look.OUTLINE,
            },
            "hovertemplate": _(
                "%{{x:.3s}} tokens<br>loss %{{y:.4f}}<extra>%{{fullData.name}}</extra>"
            ),
        },
    ]


def _forecast(forecast: Forecast, theme: Theme) -> list[Trace]:
    made = forecast.prediction
    prediction: Trace = {
        "type": "scatter",
        "x": np.array([made.tokens]),
        "y": np.array([made.loss]),
        "mode": "markers",
        "name": _("Forecast"),
        "marker": {"color": look.ACCENT, "symbol": "line-ew-open", "size": 16},
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": np.array([made.upper - made.loss]),
            "arrayminus": np.array([made.loss - made.lower]),
            "color": look.ACCENT,
            "thickness": 3,
            "width": 8,
        },
        "text": [forecast.label],
        "hovertemplate": _("%{{text}}<br>predicted %{{y:.4f}}<extra></extra>"),
    }
    if forecast.outcome_loss is None:
        return [prediction]
    outcome: Trace = {
        "type": "scatter",
        "x": np.array([made.tokens]),
        "y": np.array([forecast.outcome_loss]),
        "mode": "markers",
        "name": _("Outcome"),
        "marker": {
            "color": theme.ink,
            "symbol": "star-diamond",
            "size": 14,
            "line": {"width": 1.5, "color": look.ACCENT},
        },
        "hovertemplate": _("reached %{{y:.4f}}<extra></extra>"),
    }
    return [prediction, outcome]
