"""JSON and JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pandas as pd

from isoflop.errors import TableError
from isoflop.tables.problems import Problem, shorten
from isoflop.tables.raw import RawTable, unique_headers
from isoflop.tables.source import Content, Progress, as_utf8

_MAX_DEPTH = 4
_REPORT_EVERY = 5000


def looks_like_json(content: Content) -> bool:
    """Return whether text starts as a JSON object or array does."""
    return content.data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in {b"{", b"["}


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
    if isinstance(document, dict) and not _is_table(document):
        document = [document]  # one line of JSON Lines
    frame = _tabulate(document, content.name)
    return _raw(content, "JSON", frame, notes, ())


def _read_lines(
    content: Content,
    text: str,
    notes: tuple[str, ...],
    whole_error: Exception,
    progress: Progress | None,
) -> RawTable:
    """Read one object a line, listing the lines that are none (a crash may cut the last)."""
    rows: dict[int, dict[str, object]] = {}
    problems = []
    lines = [line for line in text.splitlines() if line.strip()]
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
            if not isinstance(entry, dict):
                raise ValueError("not an object")
            rows[number] = dict(_flatten(entry))
        except (ValueError, RecursionError):
            problems.append(
                Problem(row=number, column="", value=shorten(line), reason="is not a JSON object")
            )
        if progress and number % _REPORT_EVERY == 0:
            progress(number / len(lines), "Reading the file")
    if len(problems) >= max(len(rows), 1):
        raise TableError(
            f"The file {content.name} is not valid JSON.",
            detail=shorten(whole_error, 200),
            hint="Give one object a line, or an array of objects.",
        )
    frame = pd.DataFrame.from_dict(rows, orient="index")
    return _raw(content, "JSON Lines", frame, notes, tuple(problems))


def _is_table(document: dict[str, object]) -> bool:
    return any(isinstance(value, list | dict) for value in document.values())


def _tabulate(document: object, name: str) -> pd.DataFrame:
    if isinstance(document, dict):
        document = _rows_of(document)
    if isinstance(document, list) and document and all(isinstance(row, dict) for row in document):
        frame = pd.DataFrame([dict(_flatten(row)) for row in document])
        frame.index = pd.RangeIndex(1, len(frame) + 1)
        return frame
    raise TableError(
        f"The file {name} holds JSON, but no table.",
        hint='Give an array of objects, one a run, such as [{"params": 1e9, "loss": 2.1}].',
    )


def _rows_of(document: dict[str, object]) -> object:
    """Return the rows of an object that holds a table."""
    headers, data = document.get("columns"), document.get("data")
    if isinstance(headers, list) and isinstance(data, list):  # pandas "split", W&B tables
        names, _ = unique_headers([str(header) for header in headers])
        if all(isinstance(row, list) and len(row) == len(names) for row in data):
            return [dict(zip(names, row, strict=True)) for row in data]
    values = list(document.values())
    lists = [value for value in values if isinstance(value, list)]
    if lists and len(lists) == len(values) and len({len(value) for value in lists}) == 1:
        return [dict(zip(document, row, strict=True)) for row in zip(*lists, strict=True)]
    rows = [value for value in lists if value and all(isinstance(row, dict) for row in value)]
    if len(rows) == 1:  # {"runs": [...]}
        return rows[0]
    if values and all(isinstance(value, dict) for value in values):  # {"run a": {...}}
        return [{"run_id": key, **value} for key, value in document.items()]  # type: ignore[dict-item]  # checked above
    return [document]


def _flatten(
    entry: dict[str, object], prefix: str = "", depth: int = 0
) -> Iterator[tuple[str, object]]:
    for key, value in entry.items():
        name = f"{prefix}{_encodable(key)}"
        if isinstance(value, dict) and depth < _MAX_DEPTH:
            yield from _flatten(value, f"{name}/", depth + 1)
        elif isinstance(value, list | dict):
            yield name, json.dumps(value)[:200]
        else:
            yield name, value if not isinstance(value, str) else _encodable(value)


def _encodable(text: str) -> str:
    """Replace what JSON may escape but no file can hold: halves of surrogate pairs."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def _raw(
    content: Content,
    format: str,
    frame: pd.DataFrame,
    notes: tuple[str, ...],
    problems: tuple[Problem, ...],
) -> RawTable:
    if frame.empty:
        raise TableError(f"The file {content.name} has no rows.")
    frame.columns = pd.Index(unique_headers([str(name) for name in frame.columns])[0])
    return RawTable(
        name=content.name,
        format=format,
        frame=frame,
        notes=(*content.notes, *notes),
        problems=problems,
    )
