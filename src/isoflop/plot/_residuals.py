"""Residuals of a fit: what the law leaves unexplained, row by row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.fitting import Fit
from isoflop.plot import rows
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.axes import Axis, axis_of, law_axes
from isoflop.plot.theme import LIGHT, Theme, Trace
from isoflop.tables import LossTable
from isoflop.units import counted

HEIGHT_PX = 320


def residuals(
    fit: Fit, *, x: str | None = None, table: LossTable | None = None, theme: Theme = LIGHT
) -> go.Figure:
    """Draw the residuals against an input, with the range that two standard deviations span.

    Parameters
    ----------
    fit : Fit
    x : str, optional
        Table column along the chart; by default the first of compute, model size and tokens that
        the table has.
    table : LossTable, optional
        The rows; by default those that the fit still holds.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    FitError
        If the fit was loaded without its rows and none are given.
    """
    return _draw(_prepare(fit, x, table or fit.table), theme)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """The residuals of the fitted rows by family, in the order of their colours."""

    axis: Axis
    y_title: str
    groups: tuple[rows.Group, ...]
    residuals: NDArray[np.float64]
    residual_std: float


def _prepare(fit: Fit, x: str | None, table: LossTable | None) -> _Picture:
    if table is None:
        raise FitError(
            "The rows of this fit are not at hand.", hint="Give them: residuals(fit, table=...)."
        )
    return _Picture(
        axis=axis_of(x or next(iter(law_axes(fit, table)))),
        y_title=residual_title(fit),
        groups=rows.groups(fitted_rows(fit, table)),
        residuals=fit.residuals,
        residual_std=fit.residual_std,
    )


def residual_title(fit: Fit) -> str:
    """Return what an axis of a fit's residuals says, with their unit."""
    return f"Observed minus fitted ({'log loss' if fit.is_log else fit.loss_unit})"


def fitted_rows(fit: Fit, table: LossTable) -> LossTable:
    """Return the rows that were fitted, in the fit's order."""
    return table.with_frame(table.frame.loc[fit.row_index])


def _draw(picture: _Picture, theme: Theme) -> go.Figure:
    column = picture.axis.column
    x = np.concatenate([group.values(column) for group in picture.groups])
    traces: list[Trace] = [
        {
            "type": look.marker_type(len(group.frame)),
            "x": group.values(column),
            "y": picture.residuals[group.position],
            "mode": "markers",
            "name": group.family,
            "marker": {"color": look.colour(index), "symbol": look.symbol(index), "size": 8},
            "text": group.labels,
            "hovertemplate": "%{text}<extra>%{fullData.name}</extra>",
        }
        for index, group in enumerate(picture.groups)
    ]
    shapes = [_horizontal(0.0, theme.ink, "solid")]
    notes = []
    if np.isfinite(picture.residual_std):
        shapes += [
            _horizontal(side * 2 * picture.residual_std, look.MUTED, "dot") for side in (-1, 1)
        ]
        notes = ["Dotted: two standard deviations of the residuals."]
    layout = {
        "xaxis": look.axis(picture.axis.title, is_power=picture.axis.is_compute, span=x),
        "yaxis": look.axis(picture.y_title, "linear"),
        "shapes": shapes,
    }
    return assemble(
        traces, theme=theme, height_px=HEIGHT_PX, layout=layout, alt=_alt(picture), notes=notes
    )


def _alt(picture: _Picture) -> str:
    n_rows = len(picture.residuals)
    largest = float(np.max(np.abs(picture.residuals), initial=0.0))
    return (
        f"Residuals of {counted(n_rows, 'row')} against {picture.axis.title}; the largest is "
        f"{largest:.3g}."
    )


def _horizontal(y: float, colour: str, dash: str) -> dict[str, object]:
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": y,
        "y1": y,
        "line": {"color": colour, "width": 1, "dash": dash},
        "layer": "below",
    }
