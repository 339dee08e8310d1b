"""Conditions on rows, as a person writes them; read by a whitelist, never run as Python."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.errors import TableError
from isoflop.language import lazy_gettext
from isoflop.syntax import syntax_tree
from isoflop.tables.reading.columns import COLUMNS
from isoflop.units import parse_number, parse_quantity

MAX_CHARACTERS = 1000
MAX_NODES = 200

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_HINT = lazy_gettext(
    "Compare columns with numbers, quantities or texts, such as: tokens "
    "> 1e9, params <= '7B', family == 'Pythia'; join comparisons by and, "
    "or, not."
)


def fulfils(frame: pd.DataFrame, condition: str) -> NDArray[np.bool_]:
    """Return which rows of a frame fulfil a condition; a missing value fulfils no comparison.

    Parameters
    ----------
    frame : pandas.DataFrame
    condition : str
        Such as ``"tokens > 1e9 and family == 'Pythia'"``.

    Returns
    -------
    ndarray of bool, shape (n_rows,)

    Raises
    ------
    TableError
        If it is anything but comparisons of columns, numbers and texts.

    Examples
    --------
    >>> frame = pd.DataFrame({"params": [1e9, 7e9, np.nan], "family": ["a", "b", "b"]})
    >>> fulfils(frame, "params > '2B' or not family == 'b'").tolist()
    [True, True, False]
    """
    tree = _parsed(condition)
    with np.errstate(all="ignore"):
        found = _truth(tree, frame, condition)
    return np.broadcast_to(found, (len(frame),)).copy()


def _parsed(condition: str) -> ast.expr:
    if len(condition) > MAX_CHARACTERS:
        raise _refused(
            condition[:40],
            lazy_gettext(
                "It is longer than {max_characters} characters.", max_characters=MAX_CHARACTERS
            ),
        )
    try:
        tree = syntax_tree(condition.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _refused(condition, lazy_gettext("It cannot be read.")) from None
    if sum(1 for _ in ast.walk(tree)) > MAX_NODES:
        raise _refused(condition, lazy_gettext("It is too long."))
    assert isinstance(tree, ast.Expression)
    return tree.body


def _truth(node: ast.expr, frame: pd.DataFrame, condition: str) -> NDArray[np.bool_]:
    """Return where a condition, or a part of one, is true."""
    match node:
        case ast.BoolOp(op=joint, values=values):
            join = np.logical_and if isinstance(joint, ast.And) else np.logical_or
            return np.asarray(join.reduce([_truth(value, frame, condition) for value in values]))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return np.logical_not(_truth(operand, frame, condition))
        case ast.Compare(left=left, ops=ops, comparators=others):
            sides = [left, *others]
            found = np.ones(len(frame), dtype=bool)
            for one, op, other in zip(sides, ops, others, strict=False):
                found &= _compared(one, op, other, frame, condition)
            return found
        case ast.Name(id=name) if name in frame and frame[name].dtype.kind == "b":
            return frame[name].to_numpy(dtype=bool)
    raise _refused(condition, lazy_gettext("{node} is no comparison.", node=ast.unparse(node)[:80]))


def _compared(
    one: ast.expr, op: ast.cmpop, other: ast.expr, frame: pd.DataFrame, condition: str
) -> NDArray[np.bool_]:
    compare = _COMPARE.get(type(op))
    if compare is None:
        raise _refused(condition, "Only <, <=, >, >=, == and != compare.")
    texts = [_text(side) for side in (one, other)]
    first = _quantity(texts[0], other, frame) if texts[0] is not None else None
    second = _quantity(texts[1], one, frame) if texts[1] is not None else None
    left = _value(one, frame, condition) if first is None else first
    right = _value(other, frame, condition) if second is None else second
    if isinstance(left, np.ndarray) != isinstance(right, np.ndarray):
        raise _refused(condition, lazy_gettext("It compares a text with a number."))
    if not isinstance(left, np.ndarray) and not isinstance(right, np.ndarray):
        if not isinstance(op, ast.Eq | ast.NotEq):
            raise _refused(condition, lazy_gettext("Texts are compared by == and != alone."))
        return np.asarray(compare(left, right), dtype=bool) & _is_known(left) & _is_known(right)
    is_known = np.isfinite(left) & np.isfinite(right)
    return np.asarray(compare(left, right), dtype=bool) & is_known


def _is_known(side: str | pd.Series) -> NDArray[np.bool_]:
    known = True if isinstance(side, str) else side.notna().to_numpy()
    return np.asarray(known, dtype=bool)


def _text(node: ast.expr) -> str | None:
    match node:
        case ast.Constant(value=str() as text):
            return text
    return None


def _quantity(text: str, other: ast.expr, frame: pd.DataFrame) -> NDArray[np.float64] | str:
    """Return a text as the quantity it is beside a column of numbers, else as it stands."""
    if not (isinstance(other, ast.Name) and other.id in frame):
        return text
    if frame[other.id].dtype.kind not in "fiu":
        return text
    column = COLUMNS.get(other.id)
    dimension = None if column is None else column.dimension
    return np.asarray(parse_quantity(text, dimension) if dimension else parse_number(text))


def _value(
    node: ast.expr, frame: pd.DataFrame, condition: str
) -> NDArray[np.float64] | pd.Series | str:
    """Return a side of a comparison: numbers, or a column of texts."""
    match node:
        case ast.Name(id=name):
            if name not in frame:
                columns = ", ".join(map(str, frame.columns))
                raise _refused(
                    condition,
                    lazy_gettext(
                        "There is no column {name}. Columns: {columns}.", name=name, columns=columns
                    ),
                )
            column = frame[name]
            is_number = column.dtype.kind in "fiu"
            return column.to_numpy(dtype=np.float64) if is_number else column.astype("str")
        case ast.Constant(value=bool() | str() | None):
            pass
        case ast.Constant(value=int() | float() as number):
            try:
                return np.asarray(float(number))
            except OverflowError:
                return np.asarray(np.inf)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return np.asarray(-_number(operand, frame, condition))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            sides = (_number(side, frame, condition) for side in (left, right))
            return np.asarray(_ARITHMETIC[type(op)](*sides), dtype=np.float64)
    raise _refused(
        condition,
        lazy_gettext("{node} is neither a column nor a number.", node=ast.unparse(node)[:80]),
    )


def _number(node: ast.expr, frame: pd.DataFrame, condition: str) -> NDArray[np.float64]:
    value = _value(node, frame, condition)
    if isinstance(value, str | pd.Series):
        raise _refused(condition, lazy_gettext("{node} is no number.", node=ast.unparse(node)[:80]))
    return value


def _refused(condition: str, detail: str) -> TableError:
    return TableError(
        lazy_gettext("The condition {condition!r} cannot be applied.", condition=condition[:80]),
        detail=detail,
        hint=_HINT,
    )
