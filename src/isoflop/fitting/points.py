"""Where a law is asked for a loss, from what a person gives: numbers, quantities, a frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.errors import TableError, UnitError
from isoflop.language import lazy_gettext as _
from isoflop.language import listed
from isoflop.laws.law import Input, Law
from isoflop.tables.reading.columns import COLUMNS
from isoflop.units import parse_number, parse_quantity

Array = NDArray[np.float64]


def points_of(
    law: Law, inputs: Mapping[str, Any] | pd.DataFrame | None, named: Mapping[str, Any]
) -> dict[str, Array]:
    """Return the value of every input of a law at n points.

    Parameters
    ----------
    law : Law
    inputs : mapping, DataFrame or None
        Values by the law's symbols or by column; a frame may have other columns as well.
    named : mapping of str to value
        As ``inputs``, in its place or beside it.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        By symbol, in canonical units.

    Raises
    ------
    TableError
        If an input is missing, given twice or unknown, or the values differ in number.
    UnitError
        If a value cannot be read.
    """
    given: dict[str, Any] = {}
    if isinstance(inputs, pd.DataFrame):
        known = {name for item in law.inputs for name in (item.symbol, item.column)}
        given = {str(name): inputs[name] for name in inputs if name in known}
    elif inputs is not None:
        given = {str(name): value for name, value in inputs.items()}
    if twice := set(given) & set(named):
        raise TableError(_("{twice} is given twice.", twice=_list(sorted(twice))))
    values = {item.symbol: _value(law, item, given | dict(named)) for item in law.inputs}
    _refuse_unknown(law, given | dict(named))
    return spread(values)


def spread(values: Mapping[str, Array]) -> dict[str, Array]:
    """Return values of the same number for each name: one value stands for all points.

    Raises
    ------
    TableError
        If they differ in number.
    """
    try:
        shared = np.broadcast_arrays(*values.values())
    except ValueError:
        sizes = ", ".join(f"{symbol}: {len(value)}" for symbol, value in values.items())
        raise TableError(
            _("The inputs have different numbers of values."),
            detail=sizes,
            hint=_("Give one value for all points, or one for each."),
        ) from None
    return dict(zip(values, (np.ascontiguousarray(value) for value in shared), strict=True))


def _value(law: Law, item: Input, given: Mapping[str, Any]) -> Array:
    """Return the values of one input, found by its symbol or its column."""
    names = [name for name in dict.fromkeys((item.symbol, item.column)) if name in given]
    if len(names) > 1:
        raise TableError(
            _(
                "{names} are the same input of {label}: give one.",
                names=listed(names),
                label=law.label,
            )
        )
    if not names:
        raise _incomplete(law, given)
    return read_input(item, given[names[0]])


def read_input(item: Input, values: Any) -> Array:
    """Return the values of an input, numbers or quantities as text, in its canonical unit.

    Raises
    ------
    TableError
        If they have several dimensions.
    UnitError
        If one cannot be read.
    """
    if isinstance(values, pd.Series):
        values = values.tolist()
    shape = np.shape(values)
    if len(shape) > 1:
        raise TableError(
            _(
                "{symbol} is an array of {shape} dimensions; give one.",
                symbol=item.symbol,
                shape=len(shape),
            )
        )
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiu":
        return np.atleast_1d(values.astype(np.float64))
    return np.array([_number(item, cell) for cell in (values if shape else [values])])


def _number(item: Input, cell: Any) -> float:
    """Return one value in the canonical unit of its input's column."""
    if isinstance(cell, str):
        column = COLUMNS.get(item.column)
        if column is None or column.dimension is None:
            return parse_number(cell)
        return parse_quantity(cell, column.dimension)
    try:
        return float(cell)
    except (TypeError, ValueError):
        raise UnitError(
            _("{cell!r} is no value of {symbol}.", cell=cell, symbol=item.symbol),
            hint=_('Give a number, or a quantity as text, such as "7B".'),
        ) from None


def _refuse_unknown(law: Law, given: Iterable[str]) -> None:
    known = {name for item in law.inputs for name in (item.symbol, item.column)}
    if not set(given) <= known:
        raise _incomplete(law, given)


def _incomplete(law: Law, given: Iterable[str]) -> TableError:
    return TableError(
        _(
            "{label} takes a value of {symbols} for each run.",
            label=law.label,
            symbols=listed(law.symbols),
        ),
        detail=_("Given: {given}.", given=_list(list(given)) or _("nothing")),
        hint=_("Give {symbols}.", symbols=", ".join(f"{symbol}=..." for symbol in law.symbols)),
    )


def _list(names: list[str]) -> str:
    return ", ".join(names)
