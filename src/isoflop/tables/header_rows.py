"""Which row of a table names its columns: not a title above it, nor a row of groups over them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from isoflop.tables.reading.header import is_column

_SEARCHED_ROWS = 20
_MOST_CELLS = 200
_NUMBER = re.compile(r"\s*[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderRow:
    """Where the names of columns stand, and what they are.

    Parameters
    ----------
    position : int
        Of the row, from 0.
    names : tuple of str
        With the names of groups, where a row of them stands above.
    """

    position: int
    names: tuple[str, ...]


def find_header(rows: Sequence[Sequence[object]]) -> HeaderRow:
    """Find the row that names columns: the first, unless one near the top has more known names.

    Parameters
    ----------
    rows : sequence of sequence
        The first rows of a table.

    Examples
    --------
    >>> find_header([["Our runs", "", ""], ["params", "tokens", "loss"], ["1e8", "2e9", "3"]])
    HeaderRow(position=1, names=('params', 'tokens', 'loss'))
    >>> find_header([["Model", "", "Loss", ""], ["name", "params", "train", "val"]]).names
    ('Model name', 'Model params', 'Loss train', 'Loss val')
    """
    head = [_texts(row) for row in rows[:_SEARCHED_ROWS]]
    counts = [0 if _holds_numbers(row) else count_known(row) for row in head]
    best = max(range(len(head)), key=lambda position: (counts[position], -position))
    if best == 0 or counts[best] < 2 or counts[best] <= count_known(head[0]):
        return HeaderRow(position=0, names=tuple(head[0]))
    names = head[best]
    groups = _filled(head[best - 1], len(names))
    if groups is not None:
        names = [_of_group(group, name) for group, name in zip(groups, names, strict=True)]
    return HeaderRow(position=best, names=tuple(names))


def count_known(row: Sequence[object]) -> int:
    """Return how many cells of a row are names that certainly mean a column."""
    return sum(isinstance(cell, str) and is_column(cell) for cell in row[:_MOST_CELLS])


def _texts(row: Sequence[object]) -> list[str]:
    return ["" if cell is None else str(cell).strip() for cell in row]


def _holds_numbers(row: Sequence[str]) -> bool:
    """Return whether a row has cells that are numbers, as rows of data have and names are not."""
    return any(_NUMBER.fullmatch(cell) for cell in row if cell)


def _filled(row: Sequence[str], width: int) -> list[str] | None:
    """Return the group of every column, from names above the first of each; None for a title."""
    if len(row) > width or sum(map(bool, row)) < 2 or _holds_numbers(row):
        return None
    filled: list[str] = []
    for cell in [*row, *[""] * (width - len(row))]:
        filled.append(cell or (filled[-1] if filled else ""))
    return filled


def _of_group(group: str, name: str) -> str:
    """Return a column's name with its group: no word of it may be dropped, as of a teacher's N."""
    if not group or not name or group.casefold() == name.casefold():
        return name or group
    ways = (f"{group} {name}", f"{group}/{name}")
    return next((way for way in ways if is_column(way)), ways[1])
