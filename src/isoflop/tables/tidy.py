"""What stands between a file's header and its rows: a line of units, a rule of dashes."""

from __future__ import annotations

import re
from dataclasses import replace

from isoflop.language import lazy_gettext as _
from isoflop.tables.raw import RawTable
from isoflop.tables.reading.cells import own_dimension, plain_numbers
from isoflop.tables.reading.header import meanings

_RULE = re.compile(r":?[-=]{2,}:?")
_BRACKETED = re.compile(r"[(\[{](.*)[)\]}]")
_NOTHING = {"", "-", "–", "—"}


def tidy(raw: RawTable) -> RawTable:
    """Return a table without lines of dashes and units below its header.

    The units go into the headers, where they are understood.

    Parameters
    ----------
    raw : RawTable
    """
    raw = _without_rule(_without_edges(raw))
    units = _units(raw)
    if not units:
        return raw
    headers = {name: f"{name} [{unit}]" for name, unit in units.items()}
    note = _("The line below the header names units, which were put into the headers.")
    return _without_first(raw, note, headers)


def _without_edges(raw: RawTable) -> RawTable:
    """Drop nameless empty columns at the edges, as bars around a row of Markdown make."""
    edges = (raw.headers[0], raw.headers[-1])
    empty = [
        name
        for name in dict.fromkeys(edges)
        if re.fullmatch(r"column \d+", name) and raw.frame[name].isna().all()
    ]
    if not empty or len(empty) == len(raw.headers):
        return raw
    return replace(raw, frame=raw.frame.drop(columns=empty))


def _without_rule(raw: RawTable) -> RawTable:
    """Drop a first row of dashes, as Markdown has."""
    cells = [text for text in _first_cells(raw).values() if text not in _NOTHING]
    if not cells or not all(_RULE.fullmatch(text) for text in cells):
        return raw
    return _without_first(raw, _("The line below the header is a rule."), {})


def _first_cells(raw: RawTable) -> dict[str, str]:
    """Return the first row's cells as text; nothing if it is the only one or holds a number."""
    if len(raw.frame) < 2:
        return {}
    row = raw.frame.iloc[0].dropna()
    if not all(isinstance(cell, str) for cell in row):
        return {}
    return {str(name): cell.strip() for name, cell in row.items()}


def _units(raw: RawTable) -> dict[str, str]:
    """Return the unit that the first row names for each column; empty if it is a row like others.

    Every cell of it must be a unit of its column, or stand in brackets, or hold nothing.
    """
    found: dict[str, str] = {}
    for name, text in _first_cells(raw).items():
        bracketed = _BRACKETED.fullmatch(text)
        unit = bracketed[1].strip() if bracketed else text
        is_unit = any(r.unit == unit for r in meanings(f"{name} [{unit}]"))
        if is_unit and own_dimension(raw.frame[name].iloc[1:], decimal=raw.decimal) is not None:
            found[name] = unit
        elif text not in _NOTHING and bracketed is None:
            return {}
    return found


def _without_first(raw: RawTable, note: str, headers: dict[str, str]) -> RawTable:
    frame = raw.frame.iloc[1:]
    frame = frame.set_axis(frame.index - 1).apply(plain_numbers)
    return replace(
        raw,
        frame=frame.rename(columns=headers),
        notes=(*raw.notes, note),
        problems=tuple(replace(problem, row=problem.row - 1) for problem in raw.problems),
        duplicate_headers=tuple(headers.get(name, name) for name in raw.duplicate_headers),
    )
