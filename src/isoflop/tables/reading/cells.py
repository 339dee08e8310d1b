"""Cells to float64 in canonical units; what cannot be converted is listed, never guessed."""

from __future__ import annotations

import re
import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.errors import UnitError
from isoflop.tables.reading.header import Transform
from isoflop.units import Dimension, parse_quantity, with_decimal_point

_GROUPED = re.compile(r"\s*[+-]?\d{1,3}(,\d{3})+(\.\d+)?\s*")
_MISSING = {"", "na", "n/a", "nan", "none", "null", "-", "--", "?", "—"}
_LONGEST_NUMBER = 400  # characters: the largest float, digit by digit, and a unit
_BASES: dict[str, float] = {"log10": 10.0, "log2": 2.0, "ln": np.e}


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """A converted column.

    Parameters
    ----------
    values : ndarray of float64, shape (n_rows,)
        NaN where a cell is missing or could not be converted.
    unreadable : ndarray of int, shape (n_bad,)
        Positions of the cells that hold text which is no number.
    """

    values: NDArray[np.float64]
    unreadable: NDArray[np.intp]


def to_numbers(
    column: pd.Series,
    *,
    factor: float = 1.0,
    transform: Transform = "",
    dimension: Dimension | None = None,
    decimal: str = ".",
) -> Numbers:
    """Convert a column to float64.

    Parameters
    ----------
    column : pandas.Series
        Numbers, or text such as ``"1.3B"`` or ``"300B tokens"``.
    factor : float
        Canonical units in one unit of a bare number.
    transform : str
        Bare numbers are logarithms of this base, or an index that counts from 0.
    dimension : Dimension or None
        Allows cells to carry a suffix or unit of their own, which wins over ``factor``.
    decimal : {".", ","}
        Decimal mark in text cells.
    """
    if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_numeric_dtype(column.dtype):
        plain = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return Numbers(values=_scale(plain, factor, transform), unreadable=np.array([], np.intp))
    codes, uniques = pd.factorize(column)
    converted = np.full(len(uniques) + 1, np.nan)  # code -1, a missing cell, reads the last one
    is_bad = np.zeros(len(uniques) + 1, bool)
    for position, cell in enumerate(uniques):
        try:
            converted[position] = _convert(cell, factor, transform, dimension, decimal)
        except (UnitError, ValueError, TypeError, OverflowError):
            is_bad[position] = True
    return Numbers(values=converted[codes], unreadable=np.flatnonzero(is_bad[codes]))


def _convert(
    cell: object, factor: float, transform: Transform, dimension: Dimension | None, decimal: str
) -> float:
    text = str(cell).strip()
    if text.lower() in _MISSING:
        return float("nan")
    if len(text) > _LONGEST_NUMBER:
        raise ValueError("too long for a number")
    bare = _bare_number(text, decimal)
    if bare is not None:
        return float(_scale(np.array([bare]), factor, transform)[0])
    if dimension is None:
        raise ValueError(text)
    return parse_quantity(text, dimension, decimal=decimal)


def _bare_number(text: str, decimal: str) -> float | None:
    if decimal == ",":
        text = with_decimal_point(text)
    elif _GROUPED.fullmatch(text):
        text = text.replace(",", "")
    if "_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _scale(values: NDArray[np.float64], factor: float, transform: Transform) -> NDArray[np.float64]:
    if transform == "index":
        values = values + 1.0
    elif transform:
        with np.errstate(over="ignore"):
            values = _BASES[transform] ** values
    return values if factor == 1.0 else values * factor


_NUMERIC_SHARE = 0.8
_SAMPLE = 2000
_SAMPLE_OF_TEXT = 200
_MANY = 50_000
"""Rows from which on equal cells that follow each other are looked at once."""


def own_dimension(column: pd.Series, *, decimal: str = ".") -> Dimension | None:
    """Return what the numbers of a column of unknown meaning are: a count or a fraction.

    Parameters
    ----------
    column : pandas.Series
    decimal : {".", ","}

    Returns
    -------
    Dimension or None
        ``"fraction"`` where cells are percentages, ``"count"`` for other numbers, such as ``1.3B``;
        None for text. Some cells may be none of these.
    """
    if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_numeric_dtype(column.dtype):
        return "count"
    distinct = column.head(10 * _SAMPLE).dropna().head(_SAMPLE).unique()
    texts = [str(cell).strip() for cell in distinct]
    present = [text for text in texts if text.lower() not in _MISSING]
    if _mostly(present, lambda text: _bare_number(text, decimal) is not None):
        return "count"
    some = present[:_SAMPLE_OF_TEXT]
    if _mostly(some, lambda text: text.endswith("%") and _is_quantity(text, "fraction", decimal)):
        return "fraction"
    return "count" if _mostly(some, lambda text: _is_quantity(text, "count", decimal)) else None


def _mostly(texts: Sequence[str], passes: Callable[[str], bool]) -> bool:
    return bool(texts) and sum(map(passes, texts)) >= _NUMERIC_SHARE * len(texts)


def _is_quantity(text: str, dimension: Dimension, decimal: str) -> bool:
    if len(text) > _LONGEST_NUMBER:
        return False
    try:
        parse_quantity(text, dimension, decimal=decimal)
    except UnitError:
        return False
    return True


def plain_numbers(column: pd.Series) -> pd.Series:
    """Return a column as numbers where every cell is one, as it is elsewhere; blanks go missing."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column
    filled = column.where(column.map(lambda cell: not isinstance(cell, str) or bool(cell.strip())))
    try:
        return pd.to_numeric(filled)
    except (ValueError, TypeError):
        return filled


def run_starts(column: pd.Series) -> NDArray[np.intp]:
    """Return where runs of equal cells start: rows of one run mostly follow each other.

    A missing cell starts a run of its own.
    """
    if not len(column):
        return np.array([], np.intp)
    dtype = column.dtype
    if isinstance(dtype, pd.StringDtype) and dtype.storage == "pyarrow":
        return _arrow_run_starts(column.array.__arrow_array__())
    changed = column.ne(column.shift()).to_numpy(dtype=bool, na_value=True)[1:]
    return np.flatnonzero(np.concatenate([[True], changed]))


# A column of text is asked for its runs at several places on its way to a table, and takes as long
# each time as all that is done with them.
_starts_of: OrderedDict[int, tuple[weakref.ref[Any], NDArray[np.intp]]] = OrderedDict()
_MOST_KEPT = 8


def _arrow_run_starts(cells: Any) -> NDArray[np.intp]:
    import pyarrow.compute as pc

    known = _starts_of.get(id(cells))
    if known is not None and known[0]() is cells:
        return known[1]
    # Slices of Arrow's arrays share their memory; pandas would shift a copy.
    differs = pc.fill_null(pc.not_equal(cells[1:], cells[:-1]), True)
    starts = np.flatnonzero(np.concatenate([[True], np.asarray(differs, dtype=bool)]))
    starts.flags.writeable = False
    if len(cells) > _MANY:
        _starts_of[id(cells)] = (weakref.ref(cells), starts)
        while len(_starts_of) > _MOST_KEPT:
            _starts_of.popitem(last=False)
    return starts


def distinct(column: pd.Series) -> Sequence[object]:
    """Return the distinct cells of a column, in the order in which they come."""
    if len(column) > _MANY:
        column = column.iloc[run_starts(column)]
    return tuple(column.unique())


def to_text(column: pd.Series) -> pd.Series:
    """Return a column as text, whole numbers without a point; missing and blank cells are missing.

    Space around a cell is not part of its text: ``"GPT "`` is the family ``"GPT"``.
    """
    if isinstance(column.dtype, pd.StringDtype):
        texts = distinct(column) if len(column) > _MANY else ()
        if len(texts) and all(not isinstance(t, str) or (t and t == t.strip()) for t in texts):
            return column
        stripped = column.str.strip()
        return stripped.where(stripped != "")
    codes, uniques = pd.factorize(column)
    names = np.array([_as_text(value) for value in uniques] + [None], dtype=object)
    return pd.Series(names[codes], index=column.index, dtype="str")


def _as_text(value: object) -> str:
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def to_flags(column: pd.Series) -> NDArray[np.bool_]:
    """Return whether each cell says yes: true, yes, y, x or a number other than 0."""
    if pd.api.types.is_bool_dtype(column.dtype) and not isinstance(column.dtype, pd.BooleanDtype):
        return column.to_numpy(dtype=bool)
    numbers = pd.to_numeric(column, errors="coerce")
    words = column.astype("str").str.strip().str.lower().isin(("true", "yes", "y", "x", "t"))
    return (numbers.fillna(0).ne(0) | words.fillna(False)).to_numpy(dtype=bool)
