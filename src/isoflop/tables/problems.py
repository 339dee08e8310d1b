"""What is wrong with a file's cells: collected all at once, never one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from isoflop.language import joined
from isoflop.language import lazy_gettext as _


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One cell or line that could not be used as it stands.

    Parameters
    ----------
    row : int
        Data row in the source, counted from 1; the header and blank lines are not counted.
    column : str
        Header in the file; empty if the whole row is at fault.
    value : str
        The cell as it stands, shortened.
    reason : str
        Such as ``"is not a number"``; reads on from the value.
    excludes_row : bool
        Whether the row is left out of fits; otherwise only the cell is treated as missing.
    """

    row: int
    column: str
    value: str
    reason: str
    excludes_row: bool = True

    def __str__(self) -> str:
        where = _("row {row}", row=self.row) + (f", {self.column}" if self.column else "")
        what = f'"{self.value}"' if self.value else _("the cell")
        return f"{where}: {what} {self.reason}"


def shorten(value: object, limit: int = 60) -> str:
    """Return a value as one short line."""
    text = " ".join(str(value).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def listing(problems: Sequence[Problem], limit: int = 10) -> str:
    """Return the first problems, one a line, and how many more there are."""
    lines = [str(problem) for problem in problems[:limit]]
    if len(problems) > limit:
        lines.append(_("and {problems:,} more", problems=len(problems) - limit))
    return joined("\n", lines)
