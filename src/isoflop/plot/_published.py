"""Published fits over the rows of a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.errors import FitError, PlanError
from isoflop.fitting import Fit, predict
from isoflop.fitting.compare import PublishedComparison, PublishedScore, scale_column
from isoflop.language import gettext as _
from isoflop.planning.inputs import extrapolation_decades
from isoflop.planning.trajectory import curve_through, optimal_models
from isoflop.plot import lines, rows
from isoflop.plot.axes import axis_of, loss_title
from isoflop.plot.theme import LIGHT, Theme, escaped

N_POINTS = 80
N_FIRST = 4
"""Fits drawn unless named: those whose shape comes closest."""
BEYOND = 3.0
"""How far curves go on beyond the rows, as a factor."""


def published(
    comparison: PublishedComparison,
    *,
    fits: Sequence[str] = (),
    x: str | None = None,
    theme: Theme = LIGHT,
) -> go.Figure:
    """Draw the rows and the loss under published fits, dotted beyond the range of each.

    Curves are of the best size at each compute where the law trades size for data. A fit that
    gives no curve along the chart is left out.

    Parameters
    ----------
    comparison : PublishedComparison
    fits : sequence of str, optional
        Their keys; by default those of the closest shape.
    x : str, optional
        Table column along the chart; by default the scale of the rows.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    FitError
        If none of the fits gives a curve along that column.
    """
    return lines.draw(_prepare(comparison, fits, x), theme)


def drawn_fits(
    comparison: PublishedComparison, fits: Sequence[str] = ()
) -> tuple[PublishedScore, ...]:
    """Return the fits of given keys, by default those of the closest shape."""
    known = comparison.evaluated
    asked = [key for key in fits if key in known]
    return tuple(known[key] for key in asked or (comparison.closest or tuple(known))[:N_FIRST])


def _prepare(comparison: PublishedComparison, fits: Sequence[str], x: str | None) -> lines.Picture:
    table = comparison.table
    column = x or scale_column(table)
    low, high = table.span(column)
    grid = np.geomspace(low, high * BEYOND, N_POINTS)
    found = tuple(_lines(drawn_fits(comparison, fits), column, grid))
    if not found:
        raise FitError(
            _("None of these fits gives a curve over {name}.", name=axis_of(column).name.lower())
        )
    return lines.Picture(
        axis=axis_of(column),
        y_title=loss_title(table.loss_unit),
        response="loss",
        groups=rows.groups(table),
        lines=found,
    )


def _lines(
    drawn: Sequence[PublishedScore], column: str, grid: NDArray[np.float64]
) -> Iterator[lines.Line]:
    for place, score in enumerate(drawn):
        found = None if score.fit is None else _curve(score.fit, column, grid)
        if found is not None:
            along, loss, is_beyond = found
            yield lines.Line(
                name=escaped(score.published.label),
                x=along,
                y=loss,
                colour=place,
                is_beyond=is_beyond,
            )


def _curve(
    fit: Fit, column: str, grid: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]] | None:
    """Return a column, the loss along it and where that is extrapolated; None if there is none."""
    if [item.column for item in fit.law.inputs] == [column]:
        (symbol,) = fit.law.symbols
        decades = extrapolation_decades(fit, {symbol: grid})[symbol]
        return grid, predict(fit, {symbol: grid}), decades != 0
    if column != "compute_flop":
        return None
    try:
        best = optimal_models(fit, grid)
    except PlanError:  # it needs more than a size and tokens
        return None
    if best is None:
        return None
    flop, params, tokens = best
    along = curve_through(fit, params, tokens)
    return flop, along.loss, along.is_extrapolation
