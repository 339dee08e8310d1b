"""JSON and JSON Lines."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pandas as pd

from isoflop.errors import TableError
from isoflop.language import lazy_gettext as _
from isoflop.tables.logs import looks_like_log, read_log
from isoflop.tables.nested import Row, rows_of_document, rows_of_entry, with_leading_values
from isoflop.tables.problems import Problem, shorten
from isoflop.tables.raw import RawTable, unique_headers
from isoflop.tables.source import Content, Progress, as_utf8, refuse_many_cells

_REPORT_EVERY = 5000
_START = re.compile(
    rb"[\xef\xbb\xbf\s]*(?:\{\s*(?:[\"}]|$)"
    rb"|\[\s*(?:[\[{\"\]]|null|true|false|NaN|-?Infinity|-?[\d.eE+-]+\s*[,\]]|$))"
)


def looks_like_json(content: Content) -> bool:
    """Return whether text starts as a JSON object or array does, and not as a line of a log."""
    return _START.match(content.data[:4096]) is not None


def read_json(content: Content, progress: Progress | None = None) -> RawTable:
    """Read JSON Lines, or a document of runs, curves or columns.

    Raises
    ------
    TableError
        If it is no table, or one that cannot be told.
    """
    data, notes = as_utf8(content)
    text = data.decode()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        return _read_lines(content, text, notes, error, progress)
    found, note, concluded = rows_of_document(document, content.name)
    raw = _raw(content, "JSON", dict(enumerate(found, start=1)), (*notes, *note), ())
    return replace(raw, concluded=concluded)


def _read_lines(
    content: Content,
    text: str,
    notes: tuple[str, ...],
    whole_error: Exception,
    progress: Progress | None,
) -> RawTable:
    """Read one object a line, listing the lines that are none (a crash may cut the last)."""
    rows: dict[int, Row] = {}
    problems: list[Problem] = []
    lines = [line for line in text.splitlines() if line.strip()]
    for position, line in enumerate(lines):
        number = len(rows) + len(problems) + 1
        try:
            entry = json.loads(line)
            if not isinstance(entry, dict):
                raise ValueError("not an object")
            rows |= dict(enumerate(rows_of_entry(entry, content.name), start=number))
        except (ValueError, RecursionError):
            problems.append(
                Problem(
                    row=number, column="", value=shorten(line), reason=_("is not a JSON object")
                )
            )
        if progress and position % _REPORT_EVERY == 0:
            progress(position / len(lines), _("Reading the file"))
    if len(problems) >= max(len(rows), 1):
        if looks_like_log(content):  # text below a first line of JSON, or JSON among text
            return read_log(content, progress)
        raise TableError(
            _("The file {name} is not valid JSON.", name=content.name),
            detail=shorten(whole_error, 200),
            hint=_("Give one object a line, or an array of objects."),
        )
    if (found := with_leading_values(list(rows.values()), content.name)) and len(found) < len(rows):
        rows = dict(zip(list(rows)[-len(found) :], found, strict=True))
        notes = (*notes, _("The first line holds the run's own values."))
    return _raw(content, _("JSON Lines"), rows, notes, tuple(problems))


def _raw(
    content: Content,
    format: str,
    rows: dict[int, Row],
    notes: tuple[str, ...],
    problems: tuple[Problem, ...],
) -> RawTable:
    headers = dict.fromkeys(name for row in rows.values() for name in row)
    if not headers:
        raise TableError(_("The file {name} has no rows.", name=content.name))
    refuse_many_cells(content.name, len(rows), len(headers))
    columns = {name: [row.get(name) for row in rows.values()] for name in headers}
    frame = pd.DataFrame(columns, index=list(rows)).infer_objects()
    frame.columns = pd.Index(unique_headers(list(headers))[0])
    return RawTable(
        name=content.name,
        format=format,
        frame=frame,
        notes=(*content.notes, *notes),
        problems=problems,
    )
