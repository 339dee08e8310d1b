"""A file as it was read: headers and cells, nothing yet understood."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from isoflop.language import lazy_gettext as _
from isoflop.tables.mapping import Question
from isoflop.tables.problems import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class RawTable:
    """A file's headers and cells.

    Parameters
    ----------
    name : str
        File name.
    format : str
        Such as ``"CSV"``.
    frame : pandas.DataFrame
        Unique text headers; cells are text, numbers or missing. The index is the data row,
        counted from 1.
    decimal : {".", ","}
        Decimal mark of numbers in text cells.
    notes : tuple of str
        What was detected, for a person.
    problems : tuple of Problem
        Lines that could not be taken into the frame.
    duplicate_headers : tuple of str
        Headers that occur more than once; the second is called ``"name (2)"`` in the frame.
    questions : tuple of Question
        What must be said of the file as a whole.
    concluded : tuple of str
        Those notes that numbers follow from, such as what else says of a run; shown as notices.
    files : tuple of str
        Names of the files that it was made of, where these are several.
    """

    name: str
    format: str
    frame: pd.DataFrame
    decimal: str = "."
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    duplicate_headers: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()
    concluded: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def headers(self) -> tuple[str, ...]:
        """Headers in the file's order."""
        return tuple(str(header) for header in self.frame.columns)


def unique_headers(headers: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """Return headers made unique and non-empty, and those that occurred more than once.

    Examples
    --------
    >>> unique_headers(["N", "", "N"])
    (['N', 'column 2', 'N (2)'], ('N',))
    """
    names: dict[str, None] = {}
    repeated: dict[str, None] = {}
    for position, header in enumerate(headers, start=1):
        base = " ".join(header.split()) or _("column {position}", position=position)
        name, count = base, 1
        while name in names:
            repeated[base] = None
            count += 1
            name = f"{base} ({count})"
        names[name] = None
    return list(names), tuple(repeated)
