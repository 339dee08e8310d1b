"""Held-out scale: fit the lower part of compute, predict the upper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError, NonFinite, NotIdentified, TooFewRows
from isoflop.fitting.compare.score import Errors, prediction_errors
from isoflop.fitting.fit import fit
from isoflop.fitting.options import FitOptions
from isoflop.fitting.predict import band, predict
from isoflop.fitting.result import Fit
from isoflop.fitting.rows import usable_rows
from isoflop.language import lazy_gettext as _
from isoflop.language import sentences
from isoflop.laws import Law
from isoflop.tables.schema import LossTable
from isoflop.units import format_number, format_quantity

Array = NDArray[np.float64]

LEVEL = 0.9
SCALES: Mapping[str, str] = {
    "compute_flop": _("compute"),
    "tokens": _("tokens"),
    "params_active": _("active parameters"),
    "params": _("parameters"),
}
"""What the scale of a row is, the first that the table has, and what a person calls it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A table cut by scale.

    Parameters
    ----------
    lower, upper : LossTable
        Rows up to and above the cut.
    column : str
        What the scale is.
    cut : float
        Largest scale of the lower part.
    """

    lower: LossTable
    upper: LossTable
    column: str
    cut: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """What a law fitted to the lower part predicts of the upper.

    Parameters
    ----------
    fit : Fit
        To the lower part.
    observed, predicted, scale : ndarray, shape (n,)
        Rows of the upper part.
    lower, upper : ndarray, shape (n,), or None
        Prediction interval of each row at ``level``; None where there is none.
    errors : Errors
    level : float
    reason : str
        Why there is no interval; empty otherwise.
    """

    fit: Fit
    observed: Array
    predicted: Array
    scale: Array
    lower: Array | None
    upper: Array | None
    errors: Errors
    level: float
    reason: str = ""

    @property
    def coverage(self) -> float:
        """Share of held-out rows inside their prediction interval; NaN without one."""
        if self.lower is None or self.upper is None:
            return float("nan")
        return float(np.mean((self.observed >= self.lower) & (self.observed <= self.upper)))


def scale_column(table: LossTable) -> str:
    """Return the column that says how large a run is.

    Raises
    ------
    FitError
        If the table has neither compute, tokens nor parameters.
    """
    frame = table.included()
    for column in SCALES:
        if column in frame and np.isfinite(frame[column].to_numpy(np.float64)).any():
            return column
    raise FitError(
        _("The table {id} has no column for the scale of a run.", id=table.id),
        detail=_("Looked for {scales}.", scales=", ".join(SCALES)),
        hint=_("Map a column to one of them."),
    )


def write_scale(value: float, column: str) -> str:
    """Write a scale for a sentence.

    Examples
    --------
    >>> write_scale(2.2e21, "compute_flop")
    '2.2e21 FLOP'
    >>> write_scale(57.4e6, "params_active")
    '57M active parameters'
    """
    if column == "compute_flop":
        return format_quantity(value, "flop", 2)
    return _("{scale} {column}", scale=format_number(value, 2), column=SCALES.get(column, column))


def subset(table: LossTable, mask: NDArray[np.bool_]) -> LossTable:
    """Return some of the included rows as a table of their own.

    Parameters
    ----------
    table : LossTable
    mask : ndarray of bool, shape (n_included,)
    """
    return table.with_frame(table.included()[mask])


def split_by_scale(table: LossTable, decades: float = 1.0, column: str = "") -> Split:
    """Cut off the largest part of a table.

    Parameters
    ----------
    table : LossTable
    decades : float
        How far the upper part reaches down from the largest scale, in powers of ten.
    column : str
        What the scale is; by default compute, else tokens, else parameters.

    Raises
    ------
    TooFewRows
        If either part is empty.
    FitError
        If ``decades`` is not positive, or there is no scale.
    """
    if not decades > 0:
        raise FitError(
            _("The part held out must reach over more than {decades:g} decades.", decades=decades)
        )
    column = column or scale_column(table)
    scale = table.values(column)
    is_known = np.isfinite(scale) & (scale > 0)
    top = float(scale[is_known].max(initial=0.0))
    is_lower = is_known & (scale <= top / 10**decades * (1 + 1e-9))
    if not is_lower.any():
        low = float(scale[is_known].min(initial=np.inf))
        raise TooFewRows(
            _(
                "No rows are left below the largest {decades:g} decades of {column}.",
                decades=decades,
                column=column,
            ),
            detail=_("The table reaches from {low:.3g} to {top:.3g}.", low=low, top=top),
            hint=_("Hold out less."),
        )
    return Split(
        lower=subset(table, is_lower),
        upper=subset(table, is_known & ~is_lower),
        column=column,
        cut=float(scale[is_lower].max()),
    )


def predict_held_out(
    law: Law, split: Split, options: FitOptions | None = None, level: float = LEVEL
) -> HeldOut:
    """Fit a law to the lower part and predict the upper.

    Parameters
    ----------
    law : Law
    split : Split
    options : FitOptions, optional
        With draws, prediction intervals come from them, otherwise from the covariance.
    level : float

    Raises
    ------
    IsoflopError
        If the law cannot be fitted to the lower part.
    """
    found = fit_with_draws_if_it_can(law, split.lower, options or FitOptions())
    # One parameter vector fits no row of the upper part: only their values are needed.
    rows = usable_rows(replace(law, params=()), split.upper)
    inputs = dict(zip(law.symbols, rows.inputs, strict=True))
    predicted = predict(found, inputs)
    lower = upper = None
    reason = ""
    try:
        interval = band(found, inputs, level=level, kind="prediction")
        lower, upper = interval.lower, interval.upper
    except FitError as problem:
        reason = sentences((problem.summary, problem.detail))
    scale = split.upper.included().loc[rows.index, split.column].to_numpy(np.float64)
    return HeldOut(
        fit=found,
        observed=rows.target,
        predicted=predicted,
        scale=scale,
        lower=lower,
        upper=upper,
        errors=prediction_errors(predicted, rows.target, rows.clusters),
        level=level,
        reason=reason,
    )


def fit_with_draws_if_it_can(law: Law, table: LossTable, options: FitOptions) -> Fit:
    """Fit with draws, or without where so few rows are left that most resamples lack some."""
    try:
        return fit(law, table, options)
    except (TooFewRows, NotIdentified, NonFinite):
        raise
    except FitError:
        return fit(law, table, replace(options, n_bootstrap=0))
