"""Workbooks of Excel and OpenDocument."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from isoflop.errors import TableError
from isoflop.language import lazy_gettext as _
from isoflop.tables import sheet_reader
from isoflop.tables.header_rows import find_header
from isoflop.tables.problems import shorten
from isoflop.tables.raw import RawTable, unique_headers
from isoflop.tables.reading.header import meanings
from isoflop.tables.source import Content, Progress, max_upload_bytes, refuse_many_cells, too_large

_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HEADER_SEARCH_ROWS = 20
_READER = Path(sheet_reader.__file__)
# What the reader needs beside the cells, and how long it may take.
_MEMORY_BYTES = 1 << 30
_TIMEOUT_S = 180


def is_spreadsheet(content: Content) -> bool:
    """Return whether a file is an Excel or OpenDocument workbook."""
    if content.data[:8] == _OLD_OFFICE:
        return True
    if content.data[:4] != b"PK\x03\x04":
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(content.data)) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, OSError):
        return content.name.lower().endswith((".xlsx", ".xlsm", ".xlsb", ".ods"))
    return bool(names & {"xl/workbook.xml", "xl/workbook.bin", "content.xml"})


def read_spreadsheet(content: Content, progress: Progress | None = None) -> RawTable:
    """Read the sheet of a workbook whose headers are known best, from its header row on.

    Raises
    ------
    TableError
        If it is damaged, too large once decompressed, or has no table.
    """
    _refuse_bomb(content)
    sheets = _sheets(content)
    tables = {name: _from_header(rows) for name, rows in sheets.items()}
    found = {name: rows for name, rows in tables.items() if len(rows) > 1}
    if not found:
        raise TableError(
            _("The file {name} has no sheet with a header and rows.", name=content.name),
            detail=_("Sheets: {sheets}.", sheets=", ".join(list(sheets)[:10]) or _("none")),
        )
    best = max(found, key=lambda name: _known(found[name][0]))
    notes = [_("Sheet {best!r} was read.", best=best)]
    others = [name for name in sheets if name != best]
    if others:
        notes.append(
            _("Other sheets, not read: {others}.", others=", ".join(map(repr, others[:10])))
        )
    header, *body = found[best]
    refuse_many_cells(content.name, len(body), len(header))
    names, repeated = unique_headers([str(cell) for cell in header])
    cells = [[None if cell == "" else cell for cell in row] for row in body]
    frame = pd.DataFrame(cells, columns=names).infer_objects()
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    return RawTable(
        name=content.name,
        format="spreadsheet",
        frame=frame,
        notes=(*content.notes, *notes),
        duplicate_headers=repeated,
    )


def _sheets(content: Content) -> dict[str, list[list[object]]]:
    """Return the rows of every sheet, read by a process whose memory is bounded."""
    limit = max_upload_bytes()
    command = [sys.executable, "-P", str(_READER), str(_MEMORY_BYTES + 10 * limit), str(4 * limit)]
    try:
        done = subprocess.run(
            command, input=content.data, capture_output=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _damaged(content.name, str(error)) from None
    if done.returncode == sheet_reader.DAMAGED:
        raise _damaged(content.name, done.stderr.decode(errors="replace"))
    if done.returncode:  # also one that a failed allocation ended
        raise too_large(content.name, None, _(" once opened"))
    sheets: dict[str, list[list[object]]] = {}
    rows: list[list[object]] = []
    for line in done.stdout.splitlines():
        entry = json.loads(line)
        if isinstance(entry, dict):
            rows = sheets.setdefault(entry["sheet"], [])
        else:
            rows.append(entry)
    return sheets


def _from_header(rows: list[list[object]]) -> list[list[object]]:
    """Drop what stands above the header: the row, near the top, with most known names."""
    head = rows[:_HEADER_SEARCH_ROWS]
    if not head:
        return []
    found = find_header(head)
    if found.position:
        return [list(found.names), *rows[found.position + 1 :]]
    best = max(range(len(head)), key=lambda position: (_known(head[position]), -position))
    return rows[best if _known(head[best]) else 0 :]


def _known(row: Sequence[object]) -> int:
    return sum(bool(meanings(cell)) for cell in row if isinstance(cell, str))


def _refuse_bomb(content: Content) -> None:
    if content.data[:4] != b"PK\x03\x04":
        return
    try:
        with zipfile.ZipFile(io.BytesIO(content.data)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise _damaged(content.name, str(error)) from None
    if size > max_upload_bytes():
        raise too_large(content.name, size, _(" once decompressed"))


def _damaged(name: str, reason: str) -> TableError:
    return TableError(
        _("The file {name} is a damaged spreadsheet.", name=name),
        detail=shorten(reason, 200),
        hint=_("Save it again, or save the sheet as CSV."),
    )
