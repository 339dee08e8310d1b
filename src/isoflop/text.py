"""Results as text for a terminal and as HTML for a notebook; in HTML everything is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from isoflop.notices import Notice


def aligned(rows: Sequence[Sequence[str]], header: Sequence[str] = ()) -> str:
    """Return rows of cells as aligned columns.

    Examples
    --------
    >>> print(aligned([("E", "1.82"), ("alpha", "0.347")], header=("parameter", "value")))
    parameter  value
    E          1.82
    alpha      0.347
    """
    lines = [*([header] if header else []), *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One table for a reader.

    Parameters
    ----------
    title : str
    columns : mapping of str to sequence of str
        Cells by header, one a row; a header may be empty.
    lead : str
        What stands above it.
    notes : tuple of str
        What stands below it.
    """

    title: str
    columns: Mapping[str, Sequence[str]]
    lead: str = ""
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """Return the cells as they are written."""
        return pd.DataFrame(dict(self.columns))

    def table(self) -> str:
        """Return the cells as aligned columns, under their headers if they have any."""
        header = tuple(self.columns)
        cells = list(zip(*self.columns.values(), strict=True))
        return aligned(cells, header if any(map(str.strip, header)) else ()) if cells else ""

    def summary(self) -> str:
        """Return the table as text, with its title and what is said around it."""
        parts = (self.title, self.lead, self.table(), *self.notes)
        return "\n".join(part for part in parts if part)


def notice_lines(notices: Iterable[Notice]) -> list[str]:
    """Return each notice as one line: how much it matters, what it says, what to do, its code."""
    return [f"{n.severity}: {n.text} {n.remedy} [{n.code}]" for n in notices]


def with_notices(text: str, notices: Iterable[Notice]) -> str:
    """Return a text with notices below it."""
    lines = notice_lines(notices)
    return "\n".join([text, "", *lines]) if lines else text


def as_html(title: str, *parts: str | pd.DataFrame, notices: Iterable[Notice] = ()) -> str:
    """Return a result for a notebook: a title, paragraphs and tables, then its notices."""
    shown = [f"<strong>{html.escape(title)}</strong>"]
    for part in parts:
        if isinstance(part, pd.DataFrame):
            shown.append(frame_html(part))
        elif part:
            shown.append(f"<p>{html.escape(part)}</p>")
    lines = "".join(f"<li>{html.escape(line)}</li>" for line in notice_lines(notices))
    return "<div>" + "".join(shown) + (f"<ul>{lines}</ul>" if lines else "") + "</div>"


def frame_html(frame: pd.DataFrame) -> str:
    """Return a frame as an HTML table, every cell and header escaped."""
    return str(
        frame.to_html(
            border=0,
            escape=True,
            index_names=False,
            na_rep="",
            float_format=lambda value: f"{value:.6g}",
        )
    )
