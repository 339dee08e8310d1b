"""Several files of one kind as one raw table: a file a run, or a log cut in pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from isoflop.errors import TableError
from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.tables.problems import shorten
from isoflop.tables.raw import RawTable
from isoflop.tables.reading.header import meanings
from isoflop.tables.source import refuse_many_cells


def combine(tables: Sequence[RawTable], names: Sequence[str] = ()) -> RawTable:
    """Return the rows of all files below each other.

    Columns are matched by header. Where no column names runs, the files' names do. Row numbers run
    on from file to file.

    Parameters
    ----------
    tables : sequence of RawTable
    names : sequence of str
        Of the runs that have none in their table; those of the files unless given.

    Raises
    ------
    TableError
        If there are none, or they share no column.
    """
    if not tables:
        raise TableError(_("There is no file."), hint=_("Choose one or more files."))
    if len(tables) == 1:
        return tables[0]
    shared = set.intersection(*(set(table.headers) for table in tables))
    if not shared:
        first = tables[0]
        raise TableError(
            _("The files have no column in common."),
            detail=joined(
                "\n",
                [
                    f"{table.name}: {', '.join(map(shorten, table.headers[:8]))}"
                    for table in tables[:5]
                ],
            ),
            hint=_("Choose files like {name}, or read them one by one.", name=first.name),
        )
    every = set().union(*(table.headers for table in tables))
    refuse_many_cells(tables[0].name, sum(len(table.frame) for table in tables), len(every))
    names_runs = any(_names_runs(header) for header in shared)
    frames = []
    problems = []
    start = 0
    for table, name in zip(tables, names or [table.name for table in tables], strict=True):
        frame = table.frame.set_axis(table.frame.index + start)
        own = next((header for header in table.headers if _names_runs(header)), "")
        if own and not names_runs:
            frame = frame.rename(columns={own: "run_id"})
        elif not names_runs:
            frame.insert(0, "run_id", name)
        problems += [replace(problem, row=problem.row + start) for problem in table.problems]
        last = [int(frame.index[-1]), *(problem.row + start for problem in table.problems)]
        start = max(last)
        frames.append(frame)
    return RawTable(
        name=_("{name} and {tables} more", name=tables[0].name, tables=len(tables) - 1),
        format=tables[0].format,
        frame=pd.concat(frames),
        decimal=tables[0].decimal,
        notes=(
            *dict.fromkeys(note for table in tables for note in table.notes),
            _("{tables} files were put together.", tables=len(tables)),
        ),
        concluded=tuple(dict.fromkeys(text for table in tables for text in table.concluded)),
        problems=tuple(problems),
        duplicate_headers=tables[0].duplicate_headers,
    )


def _names_runs(header: str) -> bool:
    found = meanings(header)
    return bool(found) and found[0].column == "run_id"
