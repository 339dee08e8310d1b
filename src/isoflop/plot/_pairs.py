"""Pair plot of bootstrap draws: how the parameters vary together."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.fitting import Fit
from isoflop.language import gettext as _
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.grid import cells
from isoflop.plot.theme import LIGHT, Theme, Trace

CELL_PX = 125
MAX_SHOWN = 600
"""Draws shown as markers; the histograms take all."""

N_BINS = 28
TRIM = 0.002
"""Share of the draws left outside the axes on each side: a few may have run off."""


def pairs(fit: Fit, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw the bootstrap draws of each pair of parameters, each alone, and their correlations.

    Parameters
    ----------
    fit : Fit
        With bootstrap draws, of a law of two parameters or more.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    FitError
        If there are no draws, or only one parameter.
    """
    return _draw(_prepare(fit), theme)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """One parameter's draws.

    Parameters
    ----------
    name : str
    values : ndarray, shape (n_draws,)
    estimate : float
        Of all rows.
    is_log : bool
        Whether its axis is logarithmic.
    """

    name: str
    values: NDArray[np.float64]
    estimate: float
    is_log: bool


def _prepare(fit: Fit) -> tuple[_Column, ...]:
    if fit.draws is None:
        raise FitError(
            _("There are no bootstrap draws."),
            hint=_("Fit with a number of bootstrap resamples."),
        )
    if len(fit.law.params) < 2:
        raise FitError(_("A law of one parameter has no pairs to draw."))
    return tuple(
        _Column(
            name=param.name,
            values=fit.draws[:, j],
            estimate=fit.values[param.name],
            is_log=param.scale == "log" and bool(np.all(fit.draws[:, j] > 0)),
        )
        for j, param in enumerate(fit.law.params)
    )


def _draw(columns: tuple[_Column, ...], theme: Theme) -> go.Figure:
    count = len(columns)
    step = max(1, len(columns[0].values) // MAX_SHOWN)
    traces: list[Trace] = []
    axes: dict[str, Any] = {}
    for i, (row, line) in enumerate(
        zip(columns, cells(count, count, x_gap=0.012, y_gap=0.014), strict=True)
    ):
        for j, (column, cell) in enumerate(zip(columns, line, strict=True)):
            if j > i:
                shown = [_correlation(row, column, theme)]
                axes |= cell.axes({"visible": False}, {"visible": False})
            else:
                shown = _histogram(column) if i == j else _cloud(row, column, step, theme)
                height = {"visible": False, "rangemode": "tozero"}
                axes |= cell.axes(
                    _axis(column, is_labelled=i == count - 1),
                    height if i == j else _axis(row, is_labelled=j == 0),
                )
            traces += [cell.trace(trace) for trace in shown]
    return assemble(
        traces,
        theme=theme,
        height_px=CELL_PX * count + 60,
        layout=axes | {"showlegend": False},
        alt=_alt(columns),
        notes=[_("Above the diagonal: correlations. The cross marks the fit to all rows.")],
    )


def _alt(columns: tuple[_Column, ...]) -> str:
    names = [column.name for column in columns]
    found = {
        (first.name, second.name): _coefficient(first, second)
        for first, second in combinations(columns, 2)
    }
    first, second = max(found, key=lambda pair: abs(found[pair]))
    return _(
        "Pair plot of {values} bootstrap draws of {names}; most correlated "
        "are {first} and {second} ({found:.2f}).",
        values=len(columns[0].values),
        names=", ".join(names),
        first=first,
        second=second,
        found=found[first, second],
    )


def _coefficient(first: _Column, second: _Column) -> float:
    """Return the correlation of two parameters' draws; 0 where one does not vary."""
    scaled = _scaled(first), _scaled(second)
    if any(float(np.std(values)) == 0 for values in scaled):
        return 0.0
    return float(np.corrcoef(*scaled)[0, 1])


def _scaled(column: _Column) -> NDArray[np.float64]:
    """Return draws as their axis spaces them."""
    if not column.is_log:
        return column.values
    return np.log10(np.maximum(column.values, 1e-300))


def _axis(column: _Column, *, is_labelled: bool) -> dict[str, object]:
    scaled = _scaled(column)
    low, high = np.quantile(scaled, [TRIM, 1 - TRIM])
    margin = 0.06 * (high - low) or 0.5
    ends = [float(low - margin), float(high + margin)]
    title = column.name if is_labelled else ""
    settings: dict[str, object] = look.axis(title, "linear")
    if column.is_log:
        settings = look.narrow_log_axis(title, 10.0 ** np.array(ends), count=3)
    return settings | {
        "range": ends,
        "showticklabels": is_labelled,
        "nticks": 4,
        "tickangle": 0,
        "tickfont": {"size": 10},
        "showgrid": False,
    }


def _cloud(row: _Column, column: _Column, step: int, theme: Theme) -> list[Trace]:
    return [
        {
            "type": "scattergl",
            "x": column.values[::step],
            "y": row.values[::step],
            "mode": "markers",
            "marker": {"color": look.FAMILIES[0], "size": 3, "opacity": 0.35},
            "hovertemplate": f"{column.name} %{{x:.4g}}<br>{row.name} %{{y:.4g}}<extra></extra>",
        },
        {
            "type": "scattergl",
            "x": np.array([column.estimate]),
            "y": np.array([row.estimate]),
            "mode": "markers",
            "marker": {
                "symbol": "cross-thin",
                "size": 13,
                "line": {"width": 2, "color": theme.ink},
            },
            "hovertemplate": "estimate<extra></extra>",
        },
    ]


def _histogram(column: _Column) -> list[Trace]:
    scaled = _scaled(column)
    low, high = np.quantile(scaled, [TRIM, 1 - TRIM])
    if not high > low:
        low, high = low - 0.5, high + 0.5
    counts, edges = np.histogram(scaled, bins=N_BINS, range=(low, high))
    outward = 10.0**edges if column.is_log else edges
    return [
        {
            "type": "scatter",
            "x": np.repeat(outward, 2),
            "y": np.concatenate([[0], np.repeat(counts, 2), [0]]),
            "mode": "lines",
            "fill": "tozeroy",
            "line": {"color": look.FAMILIES[0], "width": 1},
            "fillcolor": look.BAND,
            "hovertemplate": _(
                "{name} %{{x:.4g}}<br>%{{y}} draws<extra></extra>", name=column.name
            ),
        }
    ]


def _correlation(row: _Column, column: _Column, theme: Theme) -> Trace:
    value = _coefficient(row, column)
    return {
        "type": "scatter",
        "x": np.array([0.0]),
        "y": np.array([0.0]),
        "mode": "text",
        "text": [f"{value:+.2f}"],
        "textfont": {"size": 11 + round(7 * abs(value)), "color": theme.ink},
        "hoverinfo": "skip",
    }
