"""Read a workbook in a process of its own: ``python sheet_reader.py MEMORY OUTPUT < file.xlsx``.

A workbook of a kilobyte may ask for more memory than any machine has (one cell in the last row of
the last column is enough), and a failed allocation ends the process that reads it. So this one is
another than the server's, bounded in memory and time; `spreadsheets` starts it. It imports nothing
of the package, so that it starts at once.

It writes one line of JSON for each sheet, ``{"sheet": name}``, and one for each row of it.
"""

from __future__ import annotations

import io
import json
import sys
from typing import Any

DAMAGED, TOO_LARGE = 2, 3
_CPU_SECONDS = 120
_MAX_CELL_CHARACTERS = 32_767  # Excel's own limit


def main() -> int:
    """Read standard input and write its sheets; return the exit status."""
    memory_bytes, output_bytes = map(int, sys.argv[1:])
    _bound(memory_bytes)
    from python_calamine import CalamineWorkbook

    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read()))
        for name in workbook.sheet_names:
            for line in _lines(workbook, name):
                output_bytes -= len(line)
                if output_bytes < 0:
                    return TOO_LARGE
                sys.stdout.write(line + "\n")
    except MemoryError:
        return TOO_LARGE
    # The Rust code reports a malformed workbook by a panic, which is a BaseException.
    except BaseException as error:
        sys.stderr.write(str(error)[:200])
        return DAMAGED
    return 0


def _bound(memory_bytes: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _lines(workbook: Any, name: str) -> Any:
    sheet = workbook.get_sheet_by_name(name)
    rows = sheet.to_python()
    _fill_merged(rows, sheet)
    yield json.dumps({"sheet": name})
    for row in rows:
        if any(cell != "" for cell in row):
            yield json.dumps([_plain(cell) for cell in row])


def _fill_merged(rows: list[list[Any]], sheet: Any) -> None:
    """Write what stands in cells merged down a column into each: a name beside several rows.

    A title that is merged across columns stays where it is.
    """
    first_row, first_column = sheet.start or (0, 0)
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or ():
        start, column = top - first_row, left - first_column
        if left != right or start < 0 or start >= len(rows) or not 0 <= column < len(rows[start]):
            continue
        for row in rows[start + 1 : bottom - first_row + 1]:
            row[column] = rows[start][column]


def _plain(cell: Any) -> Any:
    if isinstance(cell, str):
        return cell[:_MAX_CELL_CHARACTERS]
    return cell if isinstance(cell, int | float) else str(cell)


if __name__ == "__main__":
    sys.exit(main())
