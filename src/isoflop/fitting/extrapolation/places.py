"""Where a prediction is asked for: values of the columns that the laws of a table need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.errors import TableError
from isoflop.fitting.extrapolation.members import Members
from isoflop.fitting.points import read_input, spread
from isoflop.language import lazy_gettext as _
from isoflop.laws.law import Input, Law
from isoflop.laws.names import INPUT_COLUMNS

Array = NDArray[np.float64]
_PRODUCT = ("params", "tokens", "compute_flop")


def places(
    found: Members, at: Mapping[str, Any] | pd.DataFrame | None, named: Mapping[str, Any]
) -> dict[str, Array]:
    """Return the value of every column that is given, or follows from those given.

    Of model size, tokens and compute any two give the third, by the median compute a parameter and
    token of the table's own runs.

    Parameters
    ----------
    found : Members
    at : mapping, DataFrame or None
        By symbol or column; a frame may have other columns as well.
    named : mapping of str to value

    Returns
    -------
    dict of str to ndarray, shape (n,)
        By column, in canonical units.

    Raises
    ------
    TableError
        If a name is unknown or given twice, the values differ in number, or scale is missing.
    UnitError
        If a value cannot be read.
    """
    inputs = _inputs(found)
    given = _given(inputs, at, named)
    values = spread({item.column: read_input(item, cells) for item, cells in given.items()})
    values = _completed(found, values)
    if found.scale not in values:
        symbols = {column: symbol for symbol, column in INPUT_COLUMNS.items()}
        columns = dict.fromkeys(item.column for item in inputs.values())
        wanted = [f"{symbols.get(column, column)}=..." for column in columns]
        raise TableError(
            _("A prediction beyond {id} needs to know how large the run is.", id=found.table.id),
            detail=_("Given: {values}.", values=", ".join(values) or _("nothing")),
            hint=_("Give {wanted}.", wanted=", ".join(wanted)),
        )
    bad = [name for name, value in values.items() if not (np.isfinite(value) & (value >= 0)).all()]
    if bad or not (values[found.scale] > 0).all():
        raise TableError(
            _("{bad} must be a positive number at every point.", bad=", ".join(bad) or found.scale)
        )
    return values


def _inputs(found: Members) -> dict[str, Input]:
    """Return the inputs of the laws, by each name that they go by."""
    named: dict[str, Input] = {}
    laws = [member.fit.law for member in found.found]
    for item in sorted(
        (item for law in laws for item in law.inputs), key=lambda i: i.symbol == "x"
    ):
        known = named.setdefault(item.column, item)
        named.setdefault(item.symbol, known)
    named.setdefault(found.scale, Input(symbol=found.scale, column=found.scale))
    for symbol, column in INPUT_COLUMNS.items():
        if column in named:
            named.setdefault(symbol, named[column])
    return named


def _given(
    inputs: Mapping[str, Input],
    at: Mapping[str, Any] | pd.DataFrame | None,
    named: Mapping[str, Any],
) -> dict[Input, Any]:
    cells: dict[str, Any] = {}
    if isinstance(at, pd.DataFrame):
        cells = {str(name): at[name] for name in at if str(name) in inputs}
    elif at is not None:
        cells = {str(name): value for name, value in at.items()}
    if twice := set(cells) & set(named):
        raise TableError(_("{twice} is given twice.", twice=", ".join(sorted(twice))))
    cells |= dict(named)
    if unknown := [name for name in cells if name not in inputs]:
        raise TableError(
            _("No law of this table takes {unknown}.", unknown=", ".join(unknown)),
            hint=_("Known here: {inputs}.", inputs=", ".join(inputs)),
        )
    found: dict[Input, Any] = {}
    for name, value in cells.items():
        if inputs[name] in found:
            raise TableError(
                _("{name} is given twice, by its symbol and by its column.", name=name)
            )
        found[inputs[name]] = value
    return found


def _completed(found: Members, values: dict[str, Array]) -> dict[str, Array]:
    missing = [name for name in _PRODUCT if name not in values]
    columns = set(found.table.included())
    if len(missing) != 1 or not set(_PRODUCT) <= columns:
        return values
    params, tokens, flop = (found.table.values(name) for name in _PRODUCT)
    ratio = float(np.nanmedian(flop / (params * tokens)))
    if missing[0] == "compute_flop":
        third = ratio * values["params"] * values["tokens"]
    else:
        known = values["params" if missing[0] == "tokens" else "tokens"]
        third = values["compute_flop"] / (ratio * known)
    return {**values, missing[0]: third}


def outside(found: Members, values: Mapping[str, Array]) -> tuple[Array, Array]:
    """Return how far points lie outside the rows, in decades: of the scale, and of any input.

    Parameters
    ----------
    found : Members
    values : mapping of str to ndarray, shape (n,)
        By column.
    """
    laws = [member.fit.law for member in found.found]
    columns = dict.fromkeys(item.column for law in laws for item in law.inputs)
    known = [found.scale, *(name for name in columns if name in values and name != found.scale)]
    far = np.stack([_decades(found.table.values(name), values[name]) for name in known])
    return far[0], far.max(axis=0)


def _decades(rows: Array, asked: Array) -> Array:
    low, high = rows.min(), rows.max()
    if not low > 0 or not (asked > 0).all():
        return np.zeros(len(asked))
    beyond = np.maximum(np.log10(asked / high), np.log10(low / asked))
    return np.asarray(np.maximum(beyond, 0.0))


def of_law(law: Law, values: Mapping[str, Array]) -> dict[str, Array] | None:
    """Return the inputs of one law by symbol; None where one of them was not given."""
    if not {item.column for item in law.inputs} <= set(values):
        return None
    return {item.symbol: values[item.column] for item in law.inputs}
