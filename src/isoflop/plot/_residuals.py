"""Residuals of a fit: what the law leaves unexplained, row by row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.fitting import Fit, diagnose
from isoflop.fitting.diagnose import Trend, diagnostics
from isoflop.language import gettext as _
from isoflop.language import ngettext as n_
from isoflop.plot import rows
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.axes import Axis, axis_of, law_axes
from isoflop.plot.marks import horizontal
from isoflop.plot.theme import LIGHT, Theme, Trace
from isoflop.tables import LossTable
from isoflop.tables.schema import said_response

HEIGHT_PX = 320
FITTED = "fitted"
"""Stands for the fitted value where it is drawn along the chart."""


def residuals(
    fit: Fit,
    *,
    x: str | None = None,
    table: LossTable | None = None,
    has_trend: bool = False,
    clip: float = float("inf"),
    theme: Theme = LIGHT,
) -> go.Figure:
    """Draw the residuals against an input, with the range that two standard deviations span.

    Parameters
    ----------
    fit : Fit
    x : str, optional
        Table column along the chart, or ``"fitted"`` for the fitted value; by default the first of
        compute, model size and tokens that the table has.
    table : LossTable, optional
        The rows; by default those that the fit still holds.
    has_trend : bool
        Draw running medians, which show what the law misses, and the robust standard deviation.
    clip : float
        Robust standard deviations beyond which a row is drawn at the edge, as a triangle.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    FitError
        If the fit was loaded without its rows and none are given.
    """
    return _draw(_prepare(fit, x, table or fit.table, clip, has_trend=has_trend), theme)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """The residuals of the fitted rows.

    Parameters
    ----------
    axis : Axis
    y_title : str
    groups : tuple of Group
        By family, in the order of their colours.
    x, residuals : ndarray, shape (n_rows,)
    spread : float
        Standard deviation, of which two are marked.
    trend : Trend or None
    limit : float
        Residuals further out are drawn at the edge.
    note : str
        What the dotted lines are.
    """

    axis: Axis
    y_title: str
    groups: tuple[rows.Group, ...]
    x: NDArray[np.float64]
    residuals: NDArray[np.float64]
    spread: float
    trend: Trend | None
    limit: float
    note: str


def _prepare(
    fit: Fit, x: str | None, table: LossTable | None, clip: float, *, has_trend: bool
) -> _Picture:
    if table is None:
        raise FitError(
            _("The rows of this fit are not at hand."),
            hint=_("Give them: residuals(fit, table=...)."),
        )
    column = x or next(iter(law_axes(fit, table)))
    fitted = rows.fitted_rows(fit, table)
    spread, limit = fit.residual_std, float("inf")
    if has_trend or column == FITTED or np.isfinite(clip):
        found = diagnose.residuals(diagnostics(fit, table))
        spread = found.scale if has_trend else spread
        limit = clip * found.scale if found.scale > 0 else limit
    along = found.fitted if column == FITTED else fitted.frame[column].to_numpy(np.float64)
    kind = (
        _("robust standard deviations") if has_trend else _("standard deviations of the residuals")
    )
    return _Picture(
        axis=_axis(fit, column),
        y_title=residual_title(fit),
        groups=rows.groups(fitted),
        x=along,
        residuals=fit.residuals,
        spread=spread,
        trend=diagnose.trend(along, fit.residuals) if has_trend else None,
        limit=limit,
        note=_("Dotted: two {kind}.", kind=kind) if np.isfinite(spread) else "",
    )


def _axis(fit: Fit, column: str) -> Axis:
    if column == FITTED:
        return Axis(
            column=FITTED,
            name=_("Fitted value"),
            title=_("Fitted {response}", response=said_response(fit.law.response)),
        )
    return axis_of(column)


def residual_title(fit: Fit) -> str:
    """Return what an axis of a fit's residuals says, with their unit."""
    return _("Observed minus fitted ({unit})", unit=_("log loss") if fit.is_log else fit.loss_unit)


def _draw(picture: _Picture, theme: Theme) -> go.Figure:
    is_far = np.abs(picture.residuals) > picture.limit
    traces = [_rows(picture, index, is_far) for index in range(len(picture.groups))]
    if picture.trend is not None:
        traces.append(_trend(picture.trend, theme))
    y_axis = look.axis(picture.y_title, "linear")
    if is_far.any():
        traces.append(_edge(picture, is_far))
        y_axis |= {"range": [-1.12 * picture.limit, 1.12 * picture.limit]}
    shapes = [horizontal(0.0, theme.ink, "solid")]
    if np.isfinite(picture.spread):
        shapes += [horizontal(side * 2 * picture.spread, look.MUTED, "dot") for side in (-1, 1)]
    is_log = picture.axis.column != FITTED and bool((picture.x > 0).all())
    layout = {
        "xaxis": look.axis(
            picture.axis.title,
            "log" if is_log else "linear",
            is_power=picture.axis.is_compute,
            span=picture.x,
        ),
        "yaxis": y_axis,
        "shapes": shapes,
    }
    return assemble(
        traces,
        theme=theme,
        height_px=HEIGHT_PX,
        layout=layout,
        alt=_alt(picture),
        notes=[picture.note] if picture.note else [],
    )


def _alt(picture: _Picture) -> str:
    n_rows = len(picture.residuals)
    largest = float(np.max(np.abs(picture.residuals), initial=0.0))
    return _(
        "Residuals of {rows} against {title}; the largest is {largest:.3g}.",
        rows=n_("{n:,} row", "{n:,} rows", n_rows),
        title=picture.axis.title,
        largest=largest,
    )


def _rows(picture: _Picture, index: int, is_far: NDArray[np.bool_]) -> Trace:
    group = picture.groups[index]
    near = ~is_far[group.position]
    shown = group.position[near]
    return {
        "type": look.marker_type(len(shown)),
        "x": picture.x[shown],
        "y": picture.residuals[shown],
        "mode": "markers",
        "name": group.family,
        "marker": {"color": look.colour(index), "symbol": look.symbol(index), "size": 8},
        "text": [group.labels[i] for i in np.flatnonzero(near)],
        "hovertemplate": "%{text}<extra>%{fullData.name}</extra>",
    }


def _trend(trend: Trend, theme: Theme) -> Trace:
    return {
        "type": "scatter",
        "x": trend.x,
        "y": trend.median,
        "mode": "lines+markers",
        "name": _("Running median, 95% interval"),
        "line": {"color": theme.ink, "width": 1.5},
        "marker": {"size": 5, "color": theme.ink},
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": trend.upper - trend.median,
            "arrayminus": trend.median - trend.lower,
            "thickness": 1,
            "width": 3,
            "color": theme.ink,
        },
        "hoverinfo": "skip",
    }


def _edge(picture: _Picture, is_far: NDArray[np.bool_]) -> Trace:
    """Mark, at the edge of the chart, the residuals that lie beyond it."""
    position = np.concatenate([group.position for group in picture.groups])
    labels = [label for group in picture.groups for label in group.labels]
    far = np.flatnonzero(is_far[position])
    residual = picture.residuals[position[far]]
    return {
        "type": "scatter",
        "x": picture.x[position[far]],
        "y": picture.limit * np.sign(residual),
        "mode": "markers",
        "name": _("{far} further out", far=len(far)),
        "marker": {
            "color": look.ACCENT,
            "symbol": ["triangle-up" if value > 0 else "triangle-down" for value in residual],
            "size": 11,
            "line": look.OUTLINE,
        },
        "text": [
            _("{labels}<br>residual {value:.3g}", labels=labels[i], value=value)
            for i, value in zip(far, residual, strict=True)
        ],
        "hovertemplate": "%{text}<extra></extra>",
    }
