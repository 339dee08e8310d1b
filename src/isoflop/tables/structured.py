"""JSON and JSON Lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pandas as pd

from isoflop.errors import TableError
from isoflop.tables.headers import readings
from isoflop.tables.logs import looks_like_log, read_log
from isoflop.tables.problems import Problem, shorten
from isoflop.tables.raw import RawTable, unique_headers
from isoflop.tables.source import Content, Progress, as_utf8, refuse_many_cells

_Row = dict[str, object]

_MAX_DEPTH = 4
_REPORT_EVERY = 5000
_START = re.compile(
    rb"[\xef\xbb\xbf\s]*(?:\{\s*(?:[\"}]|$)"
    rb"|\[\s*(?:[\[{\"\]]|null|true|false|NaN|-?Infinity|-?[\d.eE+-]+\s*[,\]]|$))"
)


def looks_like_json(content: Content) -> bool:
    """Return whether text starts as a JSON object or array does, and not as a line of a log."""
    return _START.match(content.data[:4096]) is not None


def read_json(content: Content, progress: Progress | None = None) -> RawTable:
    """Read JSON Lines, an array of objects, an object of columns, or ``{"columns", "data"}``.

    Raises
    ------
    TableError
        If it is none of these.
    """
    data, notes = as_utf8(content)
    text = data.decode()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        return _read_lines(content, text, notes, error, progress)
    entries, note = _entries(document, content.name)
    rows = dict(enumerate((row for entry in entries for row in _rows_of(entry)), start=1))
    return _raw(content, "JSON", rows, (*notes, *note), ())


def _read_lines(
    content: Content,
    text: str,
    notes: tuple[str, ...],
    whole_error: Exception,
    progress: Progress | None,
) -> RawTable:
    """Read one object a line, listing the lines that are none (a crash may cut the last)."""
    rows: dict[int, _Row] = {}
    problems: list[Problem] = []
    lines = [line for line in text.splitlines() if line.strip()]
    for position, line in enumerate(lines):
        number = len(rows) + len(problems) + 1
        try:
            entry = json.loads(line)
            if not isinstance(entry, dict):
                raise ValueError("not an object")
            rows |= dict(enumerate(_rows_of(entry), start=number))
        except (ValueError, RecursionError):
            problems.append(
                Problem(row=number, column="", value=shorten(line), reason="is not a JSON object")
            )
        if progress and position % _REPORT_EVERY == 0:
            progress(position / len(lines), "Reading the file")
    if len(problems) >= max(len(rows), 1):
        if looks_like_log(content):  # text below a first line of JSON, or JSON among text
            return read_log(content, progress)
        raise TableError(
            f"The file {content.name} is not valid JSON.",
            detail=shorten(whole_error, 200),
            hint="Give one object a line, or an array of objects.",
        )
    return _raw(content, "JSON Lines", rows, notes, tuple(problems))


def _entries(document: object, name: str) -> tuple[list[_Row], tuple[str, ...]]:
    """Return the objects of a document that are rows, or learning curves, and a note on the choice.

    Raises
    ------
    TableError
        If it holds none.
    """
    note: tuple[str, ...] = ()
    if isinstance(document, dict):
        document, note = _entries_of_object(document)
    if isinstance(document, list) and document and all(isinstance(row, dict) for row in document):
        return document, note
    raise TableError(
        f"The file {name} holds JSON, but no table.",
        hint='Give an array of objects, one a run, such as [{"params": 1e9, "loss": 2.1}].',
    )


def _entries_of_object(document: _Row) -> tuple[object, tuple[str, ...]]:
    """Return the rows of an object that holds a table, and a note where parts were left out."""
    headers, data = document.get("columns"), document.get("data")
    if isinstance(headers, list) and isinstance(data, list):  # pandas "split", W&B tables
        names, _ = unique_headers([str(header) for header in headers])
        if all(isinstance(row, list) and len(row) == len(names) for row in data):
            return [dict(zip(names, row, strict=True)) for row in data], ()
    lists = {
        key: value
        for key, value in document.items()
        if isinstance(value, list) and value and all(isinstance(row, dict) for row in value)
    }
    if len(lists) == 1:  # {"runs": [...]}, {"log_history": [...], "global_step": 300}
        ((key, rows),) = lists.items()
        others = [shorten(other) for other in document if other != key]
        left = f"; beside it, and not read: {', '.join(others[:20])}" if others else ""
        return rows, (f"The list {shorten(key)} was read{left}.",)
    objects = {key: value for key, value in document.items() if isinstance(value, dict)}
    if len(objects) == len(document) > 1:
        return _by_key(objects), ()
    return [document], ()


def _by_key(objects: dict[str, _Row]) -> list[_Row]:
    """Return the rows of objects by run, ``{"run a": {"loss": 2}}``, or by column as pandas has."""
    inner = dict.fromkeys(key for value in objects.values() for key in value)
    if sum(bool(readings(key)) for key in objects) > sum(bool(readings(key)) for key in inner):
        rows: dict[str, _Row] = {key: {} for key in inner}
        for column, cells in objects.items():
            for key, cell in cells.items():
                rows[key][column] = cell
        return list(rows.values())
    return [{"run_id": key, **value} for key, value in objects.items()]


def _rows_of(entry: _Row) -> Iterator[_Row]:
    """Yield one row, or one for each position of its lists: a learning curve in columns."""
    flat = dict(_flatten(entry))
    lists = {name: value for name, value in flat.items() if isinstance(value, list)}
    lengths = {len(value) for value in lists.values()}
    if len(lengths) == 1 and lengths != {0}:
        rest = {name: value for name, value in flat.items() if name not in lists}
        for cells in zip(*lists.values(), strict=True):
            yield {**rest, **dict(zip(lists, cells, strict=True))}
    else:
        yield flat


def _flatten(entry: _Row, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, object]]:
    for key, value in entry.items():
        name = f"{prefix}{_encodable(key)}"
        if isinstance(value, dict) and depth < _MAX_DEPTH:
            yield from _flatten(value, f"{name}/", depth + 1)
        else:
            yield name, _encodable(value) if isinstance(value, str) else value


def _encodable(text: str) -> str:
    """Replace what JSON may escape but no file can hold: halves of surrogate pairs."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def _cell(value: object) -> object:
    """Return a cell; a list or object in it as short text."""
    return json.dumps(value)[:200] if isinstance(value, list | dict) else value


def _raw(
    content: Content,
    format: str,
    rows: dict[int, _Row],
    notes: tuple[str, ...],
    problems: tuple[Problem, ...],
) -> RawTable:
    headers = dict.fromkeys(name for row in rows.values() for name in row)
    if not headers:
        raise TableError(f"The file {content.name} has no rows.")
    refuse_many_cells(content.name, len(rows), len(headers))
    columns = {name: [_cell(row.get(name)) for row in rows.values()] for name in headers}
    frame = pd.DataFrame(columns, index=list(rows)).infer_objects()
    frame.columns = pd.Index(unique_headers(list(headers))[0])
    return RawTable(
        name=content.name,
        format=format,
        frame=frame,
        notes=(*content.notes, *notes),
        problems=problems,
    )
