"""Leverage against residual, a marker's size showing what leaving the row out changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.fitting import Fit, diagnose
from isoflop.fitting.diagnose import diagnostics
from isoflop.language import gettext as _
from isoflop.language import ngettext as n_
from isoflop.planning import sensitivity
from isoflop.planning.sensitivity import Influence, target_of
from isoflop.plot import rows
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot._influence import chosen_quantity
from isoflop.plot.marks import horizontal, upright
from isoflop.plot.theme import LIGHT, Theme, Trace
from isoflop.tables import LossTable

HEIGHT_PX = 430
SMALLEST_PX, LARGEST_PX = 6.0, 30.0
LEAST_LEVERAGE = 1e-6
"""Drawn for a row that has next to none: the axis is logarithmic."""


def leverage(
    fit: Fit,
    *,
    quantity: str | None = None,
    left_out: Collection[int] = (),
    compute_flop: float | None = None,
    fixed: Mapping[str, float] | None = None,
    found: Influence | None = None,
    table: LossTable | None = None,
    theme: Theme = LIGHT,
) -> go.Figure:
    """Draw each row's leverage against its residual, larger the more it changes a quantity.

    Parameters
    ----------
    fit : Fit
    quantity : str, optional
        ``"N*"`` for the compute-optimal size, ``"a"`` for its exponent, or a parameter; by default
        the first that the law has.
    left_out : collection of int
        Index of rows in the table that are drawn hollow.
    compute_flop : float, optional
        Budget of the optimum; by default where a curve of the fit ends.
    fixed : mapping of str to float, optional
        Values of the law's other inputs, by table column.
    found : Influence, optional
        Of each row, where it was computed before; it takes seconds, and settles the two above.
    table : LossTable, optional
        The rows; by default those that the fit still holds.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
        A click on a marker gives the row's index as ``customdata``.

    Raises
    ------
    FitError
        If the rows are not at hand.
    """
    if found is None:
        target = target_of(fit, compute_flop, fixed=fixed, table=table)
        found = sensitivity.influence(diagnostics(fit, table), target)
    return _draw(_prepare(found, quantity, left_out), theme)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """The fitted rows.

    Parameters
    ----------
    groups : tuple of Group
        By family, in the order of their colours.
    leverage, residual : ndarray, shape (n_rows,)
        Residuals in their own robust standard deviations.
    weight : ndarray, shape (n_rows,)
        0 to 1: how much the row changes what is looked at.
    index : ndarray of int, shape (n_rows,)
        Of the row in its table.
    is_left_out : ndarray of bool, shape (n_rows,)
    labels : tuple of str
    n_params : int
    """

    groups: tuple[rows.Group, ...]
    leverage: NDArray[np.float64]
    residual: NDArray[np.float64]
    weight: NDArray[np.float64]
    index: NDArray[np.int64]
    is_left_out: NDArray[np.bool_]
    labels: tuple[str, ...]
    n_params: int


def _prepare(found: Influence, name: str | None, left_out: Collection[int]) -> _Picture:
    setup, quantity = found.setup, chosen_quantity(found, name)
    fit, rest = setup.fit, diagnose.residuals(setup)
    size = np.abs(quantity.change)
    # Without the row nothing is determined: it changes no less than any other.
    size = np.nan_to_num(size, nan=np.nanmax(size, initial=0.0))
    labels = zip(rows.fitted_labels(fit, setup.table), quantity.without, strict=True)
    return _Picture(
        groups=rows.groups(rows.fitted_rows(fit, setup.table)),
        leverage=np.maximum(rest.leverage, LEAST_LEVERAGE),
        residual=rest.standardised,
        weight=size / max(float(size.max()), 1e-300),
        index=fit.row_index,
        is_left_out=np.isin(fit.row_index, list(left_out)),
        labels=tuple(
            _(
                "{label}<br>{name} without it {value}",
                label=label,
                name=quantity.name,
                value=quantity.write(float(value)),
            )
            for label, value in labels
        ),
        n_params=setup.n_params,
    )


def _draw(picture: _Picture, theme: Theme) -> go.Figure:
    n_rows = len(picture.index)
    layout = {
        "xaxis": look.narrow_log_axis(
            _("Leverage (weight of a row in its own fitted value)"),
            np.array([picture.leverage.min() / 1.1, picture.leverage.max() * 1.2]),
        ),
        "yaxis": look.axis(_("Residual (robust standard deviations)"), "linear"),
        "shapes": [
            horizontal(0.0, theme.ink, "solid"),
            upright(picture.n_params / max(n_rows, 1), look.MUTED),
        ],
        "clickmode": "event+select",
    }
    return assemble(
        [_rows(picture, index, theme) for index in range(len(picture.groups))],
        theme=theme,
        height_px=HEIGHT_PX,
        layout=layout,
        alt=_alt(picture),
        notes=[_("Dotted: the mean leverage, parameters over rows.")],
    )


def _rows(picture: _Picture, index: int, theme: Theme) -> Trace:
    group = picture.groups[index]
    at, symbol = group.position, look.symbol(index)
    return {
        "type": look.marker_type(len(at)),
        "x": picture.leverage[at],
        "y": picture.residual[at],
        "mode": "markers",
        "name": group.family,
        "marker": {
            "color": look.colour(index),
            "symbol": np.where(picture.is_left_out[at], f"{symbol}-open", symbol).tolist(),
            "size": SMALLEST_PX + (LARGEST_PX - SMALLEST_PX) * picture.weight[at],
            "opacity": 0.85,
            "line": {"width": 1, "color": theme.ink},
        },
        "customdata": picture.index[at],
        "text": [picture.labels[i] for i in at],
        "hovertemplate": "%{text}<extra>%{fullData.name}</extra>",
    }


def _alt(picture: _Picture) -> str:
    n_rows, n_left_out = len(picture.index), int(picture.is_left_out.sum())
    heaviest = picture.index[int(np.argmax(picture.weight))]
    return _(
        "Leverage against residual of {rows}, {n_left_out} of them left out; "
        "row {heaviest} has the largest influence.",
        rows=n_("{n:,} row", "{n:,} rows", n_rows),
        n_left_out=n_left_out,
        heaviest=heaviest,
    )
