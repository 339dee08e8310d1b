"""How much each row counts in a fit: a column of weights, or of standard errors."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.language import lazy_gettext as _
from isoflop.tables.schema import LossTable

if TYPE_CHECKING:
    from isoflop.fitting.options import FitOptions

Array = NDArray[np.float64]

WeightKind = Literal["auto", "weight", "standard_error"]
WEIGHT_KINDS: Mapping[WeightKind, str] = {
    "auto": _("By the column's name"),
    "weight": _("Weight"),
    "standard_error": _("Standard error (1 / se²)"),
}

GIVEN = "row_weight"
"""Column that weights given in Python are put into."""

_SPREADS = frozenset(
    ("std", "stddev", "stdev", "stderr", "sem", "se", "sd", "error", "err", "sigma", "uncertainty")
)


def is_spread(column: str) -> bool:
    """Say whether a column is a standard error by its name, such as ``loss_std``."""
    return not _SPREADS.isdisjoint(re.split(r"[^a-z]+", column.lower()))


def weight_kind(options: FitOptions) -> WeightKind:
    """Return what the column of weights holds: what is said, or what its name says."""
    if not options.weights or options.weight_kind != "auto":
        return options.weight_kind
    return "standard_error" if is_spread(options.weights) else "weight"


def spread_columns(table: LossTable) -> tuple[str, ...]:
    """Return the columns of a table that hold standard errors of its losses, by their names."""
    numeric = table.included().select_dtypes("number").columns
    return tuple(
        str(name)
        for name in numeric
        if str(name).startswith("loss") and is_spread(str(name)) and (table.frame[name] > 0).any()
    )


def column_weights(table: LossTable, options: FitOptions, *, is_log: bool) -> Array:
    """Return the weight of each included row; NaN where the column is empty.

    A standard error of s is a weight of 1 / s**2; under an objective on log loss that of the
    logarithm, s / loss, counts. Weights from standard errors have a mean of 1, so that the
    objective, and a Huber delta, mean what they do without.

    Raises
    ------
    FitError
        If a weight is negative, or a standard error is not positive.
    TableError
        If the table has no such column.
    """
    assert options.weights is not None
    values = table.values(options.weights)
    is_error = weight_kind(options) == "standard_error"
    wrong = (values <= 0) if is_error else (values < 0)
    if wrong.any() or np.isinf(values).any():
        row = table.included().index[int(np.argmax(wrong | np.isinf(values)))]
        raise FitError(
            _("{weights} cannot weigh the rows.", weights=options.weights),
            detail=_(
                "Row {row} has {included:g}.",
                row=row,
                included=table.included()[options.weights][row],
            ),
            hint=_(
                "A standard error is above zero, and a weight is not below it; leave "
                "the row out, or say which of the two the column holds."
            ),
        )
    if not is_error:
        return values
    error = values / np.abs(table.values("loss")) if is_log else values
    error = error * _of_mean(table, options.weights)
    return np.asarray(1.0 / error**2)


def _of_mean(table: LossTable, column: str) -> Array | float:
    """Return what turns the spread of single seeds into the standard error of their mean."""
    frame = table.included()
    if column != "loss_std" or "n_seeds" not in frame:
        return 1.0
    return np.asarray(1.0 / np.sqrt(frame["n_seeds"].to_numpy(np.float64)))


def scaled(weights: Array, options: FitOptions) -> Array:
    """Return weights of the fitted rows as the objective takes them."""
    if not (weights > 0).any():
        raise FitError(_("No row has a weight above zero in {weights}.", weights=options.weights))
    if weight_kind(options) == "standard_error":
        return np.asarray(weights / weights.mean())
    return weights


def with_weights(table: LossTable, weights: Sequence[float] | Array | pd.Series) -> LossTable:
    """Return a table with a column of weights, ``row_weight``, one a row.

    Parameters
    ----------
    table : LossTable
    weights : sequence or Series
        As many as the table has rows, or as it has rows that are not excluded; a Series goes by
        its index.

    Raises
    ------
    FitError
        If there are as many as neither.
    """
    frame, included = table.frame, table.included()
    if isinstance(weights, pd.Series):
        column = pd.to_numeric(weights).reindex(frame.index)
    else:
        values = np.asarray(weights, dtype=np.float64)
        rows = next((f for f in (frame, included) if values.shape == (len(f),)), None)
        if rows is None:
            raise FitError(
                _(
                    "There are {size} weights for {included} rows.",
                    size=values.size,
                    included=len(included),
                ),
                hint=_("Give one weight a row, or the name of a column."),
            )
        column = pd.Series(values, index=rows.index).reindex(frame.index)
    return table.with_frame(
        frame.assign(**{GIVEN: column}), derived={GIVEN: _("weights given with the fit")}
    )


def effective_rows(weights: Array) -> float:
    """Return how many rows of one weight would say as much (Kish's effective sample size).

    References
    ----------
    Kish 1965, Survey sampling, section 11.7.
    """
    return float(weights.sum() ** 2 / (weights @ weights))
