"""Parquet files and spreadsheets."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

import pandas as pd

from isoflop.errors import TableError
from isoflop.tables.headers import readings
from isoflop.tables.raw import RawTable, unique_headers
from isoflop.tables.source import Content, Progress, max_upload_bytes, too_large

_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HEADER_SEARCH_ROWS = 20


# --- Parquet ---


def is_parquet(content: Content) -> bool:
    """Return whether a file starts and ends as Parquet does."""
    return content.data[:4] == b"PAR1" == content.data[-4:]


def read_parquet(content: Content, progress: Progress | None = None) -> RawTable:
    """Read a Parquet file.

    Raises
    ------
    TableError
        If it is damaged or too large once decoded.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(content.data))
        _refuse_large(file, content.name)
        frame = file.read().to_pandas(ignore_metadata=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise TableError(
            f"The file {content.name} is a damaged Parquet file.",
            detail=str(error)[:200],
            hint="Write it again, or save the table as CSV.",
        ) from None
    frame.columns = pd.Index([str(column) for column in frame.columns])
    return _raw(content, "Parquet", _only_cells(frame), ())


def _refuse_large(file: object, name: str) -> None:
    """Refuse by the sizes in the footer, before anything is decoded."""
    metadata = file.metadata  # type: ignore[attr-defined]  # pyarrow has no stubs
    cells = metadata.num_rows * metadata.num_columns
    decoded = sum(
        metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups)
    )
    if max(decoded, 4 * cells) > 4 * max_upload_bytes():
        raise too_large(name, None, " once decoded")


def _only_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Write cells that hold lists or records as short text."""
    for name in frame.columns:
        column = frame[name]
        if column.dtype == object and column.map(_is_nested).any():
            frame[name] = column.map(lambda cell: str(cell)[:200], na_action="ignore")
    return frame


def _is_nested(cell: object) -> bool:
    return hasattr(cell, "__iter__") and not isinstance(cell, str | bytes)


# --- Spreadsheets ---


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
    from python_calamine import CalamineError, CalamineWorkbook

    _refuse_bomb(content)
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content.data))
        sheets = {name: _rows(workbook, name) for name in workbook.sheet_names}
    # Its Rust code reports a malformed workbook by a panic, which is a BaseException.
    except (CalamineError, OSError, ValueError, zipfile.BadZipFile, MemoryError) as error:
        raise _damaged(content.name, error) from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise _damaged(content.name, error) from None
    tables = {name: _from_header(rows) for name, rows in sheets.items()}
    found = {name: rows for name, rows in tables.items() if len(rows) > 1}
    if not found:
        raise TableError(
            f"The file {content.name} has no sheet with a header and rows.",
            detail=f"Sheets: {', '.join(list(sheets)[:10]) or 'none'}.",
        )
    best = max(found, key=lambda name: _known(found[name][0]))
    notes = [f"Sheet {best!r} was read."]
    others = [name for name in sheets if name != best]
    if others:
        notes.append(f"Other sheets, not read: {', '.join(map(repr, others[:10]))}.")
    header, *body = found[best]
    names, repeated = unique_headers([str(cell) for cell in header])
    cells = [[None if cell == "" else cell for cell in row] for row in body]
    frame = pd.DataFrame(cells, columns=names).infer_objects()
    return _raw(content, "spreadsheet", frame, tuple(notes), repeated)


def _rows(workbook: object, sheet: str) -> list[list[object]]:
    rows = workbook.get_sheet_by_name(sheet).to_python()  # type: ignore[attr-defined]  # typed as object
    return [list(row) for row in rows if any(cell != "" for cell in row)]


def _from_header(rows: list[list[object]]) -> list[list[object]]:
    """Drop what stands above the header: the row, near the top, with most known names."""
    head = rows[:_HEADER_SEARCH_ROWS]
    if not head:
        return []
    best = max(range(len(head)), key=lambda position: (_known(head[position]), -position))
    return rows[best if _known(head[best]) else 0 :]


def _known(row: Sequence[object]) -> int:
    return sum(bool(readings(cell)) for cell in row if isinstance(cell, str))


def _refuse_bomb(content: Content) -> None:
    if content.data[:4] != b"PK\x03\x04":
        return
    try:
        with zipfile.ZipFile(io.BytesIO(content.data)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise _damaged(content.name, error) from None
    if size > max_upload_bytes():
        raise too_large(content.name, size, " once decompressed")


def _damaged(name: str, error: BaseException) -> TableError:
    return TableError(
        f"The file {name} is a damaged spreadsheet.",
        detail=str(error)[:200],
        hint="Save it again, or save the sheet as CSV.",
    )


def _raw(
    content: Content,
    format: str,
    frame: pd.DataFrame,
    notes: tuple[str, ...],
    repeated: tuple[str, ...] = (),
) -> RawTable:
    if frame.empty:
        raise TableError(f"The file {content.name} has no rows.")
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    return RawTable(
        name=content.name,
        format=format,
        frame=frame,
        notes=(*content.notes, *notes),
        duplicate_headers=repeated,
    )
