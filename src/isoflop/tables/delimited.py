"""Delimited text (CSV, TSV and their kin): delimiter, decimal mark and header line are detected."""

from __future__ import annotations

import csv
import io
import re
import statistics
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from isoflop.errors import TableError
from isoflop.language import joined, lazy_gettext, listed
from isoflop.tables.header_rows import count_known, find_header
from isoflop.tables.problems import Problem, shorten
from isoflop.tables.raw import RawTable, unique_headers
from isoflop.tables.reading.cells import plain_numbers
from isoflop.tables.reading.header import is_column, meanings
from isoflop.tables.source import Content, Progress, as_utf8, refuse_many_cells

_SAMPLE_BYTES = 1 << 16
_BLOCK_BYTES = 1 << 17
_HEADER_SEARCH_ROWS = 20
_DELIMITERS = {
    ",": lazy_gettext("a comma"),
    "\t": lazy_gettext("a tab"),
    ";": lazy_gettext("a semicolon"),
    "|": lazy_gettext("a bar"),
}
_SPACE = " "
_NUMBER = re.compile(r"\s*[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?\s*")
# What a cell says of the decimal mark; a unit may follow. "1,234" alone says nothing.
_UNIT = r"([eE][+-]?\d+)?(\s*[A-Za-z%][A-Za-z%/ -]*)?\s*"
_DECIMAL_COMMA = re.compile(
    rf"\s*[+-]?(\d+,(\d{{1,2}}|\d{{4,}})|0,\d+|\d{{4,}},\d+|\d{{1,3}}(\.\d{{3}})+,\d+){_UNIT}"
    rf"|\s*[+-]?\d{{1,3}}(\.\d{{3}}){{2,}}{_UNIT}"
)
_DECIMAL_POINT = re.compile(
    rf"\s*[+-]?(\d*|\d{{1,3}}(,\d{{3}})+)\.\d+{_UNIT}|\s*[+-]?\d{{1,3}}(,\d{{3}}){{2,}}{_UNIT}"
)
_LONGEST_NUMBER = 60  # characters; longer cells say nothing of the decimal mark
_COMMA_AND_THREE = re.compile(rf"\s*[+-]?\d{{1,3}},\d{{3}}{_UNIT}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a delimited file is written.

    Parameters
    ----------
    delimiter : str
    decimal : {".", ","}
    skipped_lines, skipped_bytes : int
        What stands before the header line (comments, titles, ``sep=``), and that line too where it
        is not one that a reader of CSV takes.
    headers : tuple of str
        As they stand; made up where the file has no header line.
    has_header : bool
        Whether the file names its columns.
    is_header_left : bool
        Whether the first line that is not skipped does.
    is_even : bool
        Whether no row of the sample has more fields than there are headers.
    is_spaced : bool
        Whether spaces follow delimiters.
    """

    delimiter: str
    decimal: str
    skipped_lines: int
    skipped_bytes: int
    headers: tuple[str, ...]
    has_header: bool
    is_header_left: bool
    is_even: bool
    is_spaced: bool


def read_delimited(content: Content, progress: Progress | None = None) -> RawTable:
    """Read delimited text of any delimiter, encoding and decimal mark.

    Raises
    ------
    TableError
        If it is not text, has no rows, or is one column that no delimiter divides.
    """
    data, notes = as_utf8(content)
    dialect = detect_dialect(data, content.name)
    data = data[dialect.skipped_bytes :]
    names, repeated = unique_headers(list(dialect.headers))
    problems: tuple[Problem, ...] = ()
    frame = _read_regular(data, dialect, names, progress) if dialect.is_even else None
    if frame is None:
        frame, problems = _read_irregular(data, dialect, names, content.name)
    if frame.empty:
        raise TableError(
            lazy_gettext("The file {name} has a header but no usable rows.", name=content.name),
            detail=joined("\n", [str(problem) for problem in problems[:5]]),
            hint=lazy_gettext("Add a row for each training run."),
        )
    return RawTable(
        name=content.name,
        format="TSV" if dialect.delimiter == "\t" else "CSV",
        frame=frame,
        decimal=dialect.decimal,
        notes=(*content.notes, *notes, *_describe(dialect)),
        problems=problems,
        duplicate_headers=repeated if dialect.has_header else (),
    )


def _describe(dialect: Dialect) -> list[str]:
    notes = []
    if dialect.delimiter != ",":
        by = _DELIMITERS.get(dialect.delimiter, lazy_gettext("spaces"))
        notes.append(lazy_gettext("Fields are divided by {by}.", by=by))
    if dialect.decimal == ",":
        notes.append(lazy_gettext("The decimal mark is a comma."))
    if not dialect.has_header:
        notes.append(
            lazy_gettext("The first line holds numbers, so columns are named by position.")
        )
    n_above = dialect.skipped_lines - (dialect.has_header and not dialect.is_header_left)
    if n_above:
        notes.append(lazy_gettext("Lines skipped before the header: {n_above}.", n_above=n_above))
    return notes


# --- Detection, on the head of the file alone ---


def detect_dialect(data: bytes, name: str = lazy_gettext("the file")) -> Dialect:
    """Detect how UTF-8 text is delimited from its first 64 KiB.

    Raises
    ------
    TableError
        If it holds nothing, or one line of text that no delimiter divides.
    """
    size = max(_SAMPLE_BYTES, _end_of_line(data, 2))
    lines = data[:size].decode(errors="ignore").splitlines(keepends=True)
    if len(data) > size and len(lines) > 1:
        lines = lines[:-1]  # the last one is cut
    skipped, forced = _preamble(lines)
    whole, first = lines, skipped
    lines = [line.rstrip("\r\n") for line in lines[skipped:] if line.strip()][:200]
    if not lines:
        raise TableError(
            lazy_gettext("The file {name} is empty.", name=name),
            hint=lazy_gettext("Choose a file with a header and rows."),
        )
    delimiter = forced or max(_DELIMITERS, key=lambda mark: _score(lines, mark))
    if not forced and _is_spaced_table(lines, delimiter):
        delimiter = _SPACE
    rows = _split(lines, delimiter)
    header, n_lines = _header(rows, lines, delimiter)
    rows = rows[max(n_lines - 1, 0) :]
    if n_lines:
        skipped = _after_lines(whole, first, n_lines)
    preamble = "".join(whole[:skipped]).encode()
    has_header = not all(_NUMBER.fullmatch(cell) for cell in header if cell.strip())
    if len(header) == 1 and has_header and not is_column(header[0]):
        raise TableError(
            lazy_gettext(
                "The file {name} has one column only, named {header!r}.",
                name=name,
                header=shorten(header[0]),
            ),
            detail=lazy_gettext("Delimiters tried: {values}.", values=listed(_DELIMITERS.values())),
            hint=lazy_gettext("Save the table as CSV, with a comma between columns."),
        )
    refuse_many_cells(name, _count_lines(data), len(header))
    headers = header if has_header else [""] * statistics.mode(len(row) for row in rows)
    return Dialect(
        delimiter=delimiter,
        decimal=_decimal(rows, delimiter),
        skipped_lines=skipped,
        skipped_bytes=len(preamble),
        headers=tuple(headers),
        has_header=has_header,
        is_header_left=has_header and not n_lines,
        is_even=all(len(row) <= len(headers) for row in rows[1 if n_lines else 0 :]),
        is_spaced=any(f"{delimiter} " in line for line in lines),
    )


def _header(rows: list[list[str]], lines: list[str], delimiter: str) -> tuple[list[str], int]:
    """Return the names of columns, and how many lines to skip for them; 0 for a plain header."""
    if len(rows) != len(lines):  # quoted line breaks: no line can be told from another
        return rows[0], 0
    found = find_header(rows)
    names, n_lines = list(found.names), found.position + 1
    width = len(rows[found.position])
    if names[0].startswith("#"):  # as numpy.savetxt writes it
        first = names[0].removeprefix("#").strip()
        names = [first, *names[1:]] if first else names[1:]
    names = _with_row_names(names, rows[n_lines:])
    is_plain = found.position == 0 and len(names) == width
    return names, 0 if is_plain else n_lines


def _with_row_names(names: list[str], rows: list[list[str]]) -> list[str]:
    """Return names with an empty one before them, where rows have names that the header lacks.

    So does R write tables. A first cell that may be a value of the first column is no name.
    """
    if not rows or any(len(row) != len(names) + 1 for row in rows):
        return names
    firsts = [row[0].strip() for row in rows]
    is_text = not any(_NUMBER.fullmatch(cell) or not cell for cell in firsts)
    start = firsts[0] if firsts[0] in {"0", "1"} else ""
    counts = [str(int(start) + i) for i in range(len(firsts))] if start else []
    is_named = is_text or (len(firsts) > 1 and firsts == counts)
    has_more = any(row[-1].strip() for row in rows)
    return ["", *names] if is_named and has_more else names


def _after_lines(lines: list[str], first: int, count: int) -> int:
    """Return how many lines end with so many lines that are not blank, from one of them on."""
    filled = [number for number, line in enumerate(lines) if number >= first and line.strip()]
    return filled[count - 1] + 1


def _count_lines(data: bytes) -> int:
    """Return how many lines there are at most; several times faster than ``bytes.count``."""
    mark = b"\n" if b"\r" not in data else b"\r"
    codes = np.frombuffer(data, np.uint8)
    counted = sum(  # by blocks that stay in the processor's cache
        int(np.count_nonzero(codes[start : start + _BLOCK_BYTES] == ord(mark)))
        for start in range(0, len(codes), _BLOCK_BYTES)
    )
    return max(counted, data.count(b"\n") if mark == b"\r" else 0)


def _end_of_line(data: bytes, count: int) -> int:
    """Return where line number ``count`` ends, however long its lines are."""
    end = 0
    for _ in range(count):
        found = data.find(b"\n", end)
        if found < 0:
            return len(data)
        end = found + 1
    return end


def _preamble(lines: list[str]) -> tuple[int, str]:
    """Return how many comment lines stand before the header, and a delimiter that one declares."""
    skipped, delimiter = 0, ""
    for line in lines:
        declared = re.fullmatch(r"\s*\"?sep=(.)\"?\s*", line)
        if declared and declared[1] in _DELIMITERS:
            delimiter = declared[1]
        elif line.strip() and not line.lstrip().startswith("#"):
            break
        skipped += 1
    last = lines[skipped - 1] if 0 < skipped < len(lines) else ""
    if (
        last.lstrip().startswith("#")
        and _names_columns(last)
        and not _names_columns(lines[skipped])
    ):
        skipped -= 1  # a header that is written as a comment
    return skipped, delimiter


def _names_columns(line: str) -> bool:
    text = line.strip().lstrip("#").strip()
    return any(count_known(_split([text], mark)[0]) > 1 for mark in (*_DELIMITERS, _SPACE))


def _split(lines: list[str], delimiter: str) -> list[list[str]]:
    if delimiter == _SPACE:
        return [line.split() for line in lines]
    try:
        return list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True))
    except csv.Error:
        return [line.split(delimiter) for line in lines]


def _score(lines: list[str], delimiter: str) -> tuple[float, ...]:
    """Rate a delimiter: known headers first, then even rows, then many columns."""
    rows = _split(lines, delimiter)
    width = statistics.mode(len(row) for row in rows)
    if width < 2:
        return (0.0, 0.0, 0.0)
    even = sum(len(row) == width for row in rows) / len(rows)
    known = max(map(count_known, rows[:_HEADER_SEARCH_ROWS]))
    return (float(known), even, float(width))


def _is_spaced_table(lines: list[str], delimiter: str) -> bool:
    """Return whether no delimiter divides the lines, but spaces do, evenly, and names are known."""
    if _score(lines, delimiter)[2]:
        return False
    rows = [line.lstrip("# ") for line in lines[:1]] + lines[1:]
    known, even, _ = _score(rows, _SPACE)
    return known >= 2 and even == 1.0


def _decimal(rows: list[list[str]], delimiter: str) -> str:
    """Tell the decimal mark from the cells: that which more of them are written with."""
    if delimiter == "," and not any('"' in cell or "," in cell for row in rows for cell in row):
        return "."
    is_loss = [any(reading.column == "loss" for reading in meanings(name)) for name in rows[0]]
    commas = points = unclear = 0
    for row in rows[1:]:
        for cell, holds_losses in zip(row, is_loss, strict=False):
            if len(cell) > _LONGEST_NUMBER:
                continue
            if _DECIMAL_POINT.fullmatch(cell):
                points += 1
            elif _DECIMAL_COMMA.fullmatch(cell):
                commas += 1
            elif _COMMA_AND_THREE.fullmatch(cell):  # no loss is in the thousands
                commas, unclear = commas + holds_losses, unclear + (not holds_losses)
    if delimiter == ";":  # usual where numbers have commas; a program may still write 1.5e9
        return "," if commas or (unclear and not points) else "."
    return "," if commas > points else "."


# --- Reading ---


class _Reporting(io.BytesIO):
    """Bytes that report how far they have been read."""

    def __init__(self, data: bytes, progress: Progress) -> None:
        super().__init__(data)
        self._size = max(len(data), 1)
        self._progress = progress

    def read(self, size: int | None = -1, /) -> bytes:
        block = super().read(size)
        self._progress(min(self.tell() / self._size, 1.0), lazy_gettext("Reading the file"))
        return block


def _read_regular(
    data: bytes, dialect: Dialect, names: list[str], progress: Progress | None
) -> pd.DataFrame | None:
    """Read with pandas' C parser; return None where rows are uneven or a quotation never ends."""

    def parse(columns: dict[str, type[str]]) -> pd.DataFrame:
        return pd.read_csv(
            _Reporting(data, progress) if progress else io.BytesIO(data),
            sep=r"\s+" if dialect.delimiter == _SPACE else dialect.delimiter,
            decimal=dialect.decimal,
            # pandas has a fast path, which skipping rows or spaces would leave.
            header=0 if dialect.is_header_left else None,
            names=names,
            index_col=False,
            skipinitialspace=dialect.is_spaced,
            dtype=columns,
            low_memory=len(data) > _SAMPLE_BYTES,
            on_bad_lines="error",
        )

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pd.errors.DtypeWarning)
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = parse({})
        # pandas reads in blocks and may have taken numbers and text of one column differently;
        # an identifier such as "007" would have lost its zeros. Read such columns as text.
        mixed = [name for name in names if frame[name].dtype == object]
        if mixed:
            frame = parse(dict.fromkeys(mixed, str))
    except pd.errors.EmptyDataError:
        return pd.DataFrame(columns=names)
    except (pd.errors.ParserError, pd.errors.ParserWarning):
        return None
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    return frame


def _read_irregular(
    data: bytes, dialect: Dialect, names: list[str], file_name: str
) -> tuple[pd.DataFrame, tuple[Problem, ...]]:
    """Read line by line, leaving out the lines that have too many fields, and list those."""
    text = io.StringIO(data.decode(errors="replace"), newline="")
    reader = csv.reader(text, delimiter=dialect.delimiter, skipinitialspace=True, strict=True)
    rows: dict[int, list[str]] = {}
    problems = []
    try:
        if dialect.is_header_left:
            next(reader, None)
        for number, row in enumerate((row for row in reader if row), start=1):
            if len(row) > len(names) and any(cell.strip() for cell in row[len(names) :]):
                reason = lazy_gettext(
                    "has {row} fields where the header has {names}", row=len(row), names=len(names)
                )
                problems.append(
                    Problem(row=number, column="", value=shorten(",".join(row)), reason=reason)
                )
            else:
                rows[number] = [*row, *[""] * (len(names) - len(row))][: len(names)]
    except csv.Error as error:
        raise TableError(
            lazy_gettext("The file {file_name} is not well-formed CSV.", file_name=file_name),
            detail=lazy_gettext(
                "Line {line_num}: {error}.",
                line_num=reader.line_num + dialect.skipped_lines,
                error=error,
            ),
            hint=lazy_gettext("Look for a quotation mark that is never closed."),
        ) from None
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=names)
    return frame.apply(plain_numbers), tuple(problems)
