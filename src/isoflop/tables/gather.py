"""Files of several runs, and files that describe them, as one raw table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath, PurePosixPath

import pandas as pd

from isoflop.errors import TableError
from isoflop.language import lazy_gettext
from isoflop.tables.combine import combine
from isoflop.tables.metadata import is_metadata, is_of_a_model, read_metadata, values_in_name
from isoflop.tables.problems import shorten
from isoflop.tables.raw import RawTable
from isoflop.tables.run_values import Values, column_of, with_run_values
from isoflop.tables.source import Content, max_upload_bytes, too_large
from isoflop.tables.trackers.wandb import without_unfinished

_MAX_FILES = 5_000
_SUFFIXES = (
    ".csv", ".tsv", ".tab", ".json", ".jsonl", ".ndjson", ".parquet", ".pq", ".xlsx", ".xls",
    ".ods", ".log", ".out", ".yaml", ".yml", ".txt",
)  # fmt: skip
_CHECKPOINT = re.compile(r"checkpoint-(\d+)")


@dataclass(slots=True, kw_only=True)
class Found:
    """One table among several, by its path below what they have in common."""

    path: PurePath
    raw: RawTable
    values: Values = field(default_factory=dict)


def files_of(source: str | Path) -> list[Path]:
    """Return the files of a folder that may be tables or describe one, or those of a glob.

    Raises
    ------
    TableError
        If there are none, or too many.
    """
    path = Path(source)
    if path.is_dir():
        below = sorted(path.rglob("*"))
        found = [p for p in below if may_be_read(p.relative_to(path)) and p.is_file()]
    else:
        found = [p for p in _of_pattern(path) if p.is_file()]
    if not found:
        raise TableError(
            lazy_gettext("{name} holds no file that may be a table.", name=path.name),
            hint=lazy_gettext(
                "Choose a table file, a folder of them, or one that TensorBoard writes to."
            ),
        )
    if len(found) > _MAX_FILES:
        raise TableError(
            lazy_gettext(
                "{source} holds {found:,} files.", source=shorten(source), found=len(found)
            ),
            detail=lazy_gettext("At most {max_files:,} are read.", max_files=_MAX_FILES),
            hint=lazy_gettext("Choose a folder or a pattern of fewer."),
        )
    total = sum(p.stat().st_size for p in found)
    if total > max_upload_bytes():
        raise too_large(path.name, total)
    return found


def is_pattern(source: str) -> bool:
    """Return whether a text is a pattern of file names and not the name of a file."""
    return any(mark in source for mark in "*?[") and not Path(source).exists()


def _of_pattern(pattern: Path) -> list[Path]:
    """Return the paths that a pattern such as ``runs/**/metrics.csv`` stands for, sorted."""
    parts = pattern.parts
    first = next((i for i, part in enumerate(parts) if any(c in part for c in "*?[")), len(parts))
    if first == len(parts):
        return [pattern]
    try:
        return sorted(Path(*parts[:first]).glob(str(PurePath(*parts[first:]))))
    except (ValueError, OSError):
        return []


def may_be_read(name: PurePath) -> bool:
    """Return whether a file of this name, below the folder that was given, is worth reading."""
    last = name.name.lower().removesuffix(".gz")
    is_hidden = any(part.startswith(".") for part in name.parts)
    is_known = last.endswith(_SUFFIXES) or "tfevents" in last
    return is_known and not is_hidden and not is_of_a_model(last)


def join(found: Sequence[Found], metadata: Mapping[PurePath, Content]) -> RawTable:
    """Return the rows of several tables as one, each run with what is known of it.

    Parameters
    ----------
    found : sequence of Found
    metadata : mapping of path to Content
        Files that describe runs; each belongs to the tables of its folder and those below.

    Raises
    ------
    TableError
        If there is no table, or they share no column.
    """
    found = _last_checkpoints(found)
    notes: list[str] = []
    known = {path.parent: read_metadata(content) for path, content in metadata.items()}
    for item in found:
        own = _nearest(item.path, known)
        if own is not None:
            item.values |= own[0]
            notes += own[1]
    if len(found) > 1:
        found = _with_runs_table(_merged_charts(found, notes), notes)
    names = run_names([item.path for item in found])
    tables = [_described(item, name) for item, name in zip(found, names, strict=True)]
    joined = combine(tables, names)
    raw = replace(
        joined,
        notes=tuple(dict.fromkeys((*joined.notes, *notes))),
        concluded=tuple(dict.fromkeys((*joined.concluded, *notes))),
    )
    return without_unfinished(raw)


def describe_runs(raw: RawTable, metadata: Mapping[str, Content], root: str) -> RawTable:
    """Return a table of runs with what the files in their folders say of each.

    Parameters
    ----------
    raw : RawTable
        With a column of runs, each called after its folder.
    metadata : mapping of str to Content
        By folder; ``"."`` is that of the run called ``root``.
    root : str
    """
    if not metadata:
        return raw
    column = _run_column(raw)
    known = {root if name == "." else name: read_metadata(c) for name, c in metadata.items()}
    parts, notes = [], list(raw.notes)
    for name, rows in raw.frame.groupby(column, sort=False):
        values, said = known.get(str(name), ({}, ()))
        parts.append(with_run_values(rows, values)[0])
        notes += said
    return replace(raw, frame=pd.concat(parts).sort_index(), notes=tuple(dict.fromkeys(notes)))


def _nearest(
    path: PurePath, known: Mapping[PurePath, tuple[Values, tuple[str, ...]]]
) -> tuple[Values, tuple[str, ...]] | None:
    """Return what describes a file's folder, or else one above it."""
    return next((known[folder] for folder in path.parents if folder in known), None)


def _last_checkpoints(found: Sequence[Found]) -> list[Found]:
    """Keep the last of the checkpoints of one run: each repeats the log of those before it."""
    last: dict[tuple[PurePath, str], tuple[int, Found]] = {}
    kept: list[Found] = []
    for item in found:
        match = _CHECKPOINT.fullmatch(item.path.parent.name)
        if match is None:
            kept.append(item)
            continue
        key = (item.path.parent.parent, item.path.name)
        if key not in last or int(match[1]) > last[key][0]:
            last[key] = (int(match[1]), item)
    at_root = {(item.path.parent, item.path.name) for item in kept}
    return kept + [item for key, (_, item) in last.items() if key not in at_root]


def run_names(paths: Sequence[PurePath]) -> list[str]:
    """Return a short name for each file's run: its stem, its folder, or both.

    Examples
    --------
    >>> run_names([PurePosixPath("a/metrics.csv"), PurePosixPath("b/metrics.csv")])
    ['a', 'b']
    >>> run_names([PurePosixPath("small.csv"), PurePosixPath("large.csv")])
    ['small.csv', 'large.csv']
    >>> run_names([PurePosixPath(f"{r}/checkpoint-9/trainer_state.json") for r in "ab"])
    ['a', 'b']
    """
    paths = [
        path.parent.with_name(path.name) if _CHECKPOINT.fullmatch(path.parent.name) else path
        for path in paths
    ]
    names = [path.name for path in paths]
    if len(set(names)) == len(names):
        return names
    folders = [str(PurePosixPath(path.parent)) for path in paths]
    if len(set(folders)) == len(folders):
        return folders
    return [str(PurePosixPath(path)) for path in paths]


def _described(item: Found, name: str) -> RawTable:
    """Return a table with what its name and the files beside it say of its run."""
    raw = item.raw
    says = {column_of(header) for header in raw.headers}
    known = says | item.values.keys() | {column_of(key) for key in item.values}
    named = {key: v for key, v in values_in_name(str(item.path)).items() if key not in known}
    values = {**named, **item.values}
    if not values or ("run_id" in says and _n_runs(raw) > 1):
        return raw  # nothing is said, or of one run where there are several
    frame, grown = with_run_values(raw.frame, values)
    notes = [
        lazy_gettext("{key} is a total of the run: it grows along it.", key=shorten(key))
        for key in grown
    ]
    if named:
        notes.append(
            lazy_gettext(
                "The name {name} says {named} of its run.",
                name=shorten(name),
                named=", ".join(named),
            )
        )
    return replace(raw, frame=frame, notes=(*raw.notes, *notes), concluded=(*raw.concluded, *notes))


def _run_column(raw: RawTable) -> str:
    return next((header for header in raw.headers if column_of(header) == "run_id"), "")


def _n_runs(raw: RawTable) -> int:
    return int(raw.frame[_run_column(raw)].nunique())


# --- A table of runs beside their curves ---


def _with_runs_table(found: list[Found], notes: list[str]) -> list[Found]:
    """Put the rows of a table of runs on the curves of the same runs, and leave the table out."""
    runs = [item for item in found if _lists_runs(item.raw)]
    curves = [item for item in found if not _lists_runs(item.raw)]
    if len(runs) != 1 or not curves:
        return found
    raw = runs[0].raw
    column = _run_column(raw)
    by_run: dict[str, Values] = {
        str(row[column]): {
            str(key): value for key, value in row.items() if key != column and not _is_empty(value)
        }
        for row in raw.frame.to_dict("records")
    }
    joined = [_with_runs(item, by_run) for item in curves]
    n_known = sum(n for _, n in joined)
    if not n_known:
        return found
    notes.append(
        lazy_gettext(
            "{name} describes {n_known} of the runs, by name.", name=raw.name, n_known=n_known
        )
    )
    return [item for item, _ in joined]


def _lists_runs(raw: RawTable) -> bool:
    """Return whether a table has one row a run, with names."""
    column = _run_column(raw)
    return bool(column) and len(raw.frame) > 0 and raw.frame[column].is_unique


def _with_runs(item: Found, by_run: Mapping[str, Values]) -> tuple[Found, int]:
    column = _run_column(item.raw)
    if not column:
        values = by_run.get(item.path.stem) or by_run.get(item.path.parent.name)
        return (item, 0) if values is None else (replace(item, values=values | item.values), 1)
    parts: list[pd.DataFrame] = []
    n_known = 0
    for name, rows in item.raw.frame.groupby(column, sort=False):
        values = by_run.get(str(name))
        n_known += values is not None
        parts.append(rows if values is None else with_run_values(rows, values)[0])
    if not n_known:
        return item, 0
    frame = pd.concat(parts).sort_index()
    raw = item.raw
    return replace(item, raw=replace(raw, frame=frame)), n_known


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, float) and value != value)


# --- Metrics of the same runs in files of their own ---


def _merged_charts(found: list[Found], notes: list[str]) -> list[Found]:
    """Put metrics of the same runs and steps side by side, as charts are exported one by one."""
    merged: list[Found] = []
    for item in found:
        partner = next((m for m in merged if _is_partner(m.raw, item.raw)), None)
        if partner is None:
            merged.append(item)
            continue
        frame, other = partner.raw.frame, item.raw.frame
        keys = _keys(partner.raw)
        other = other.rename(columns=dict(zip(_keys(item.raw), keys, strict=True)))
        joined = frame.merge(other, on=keys, how="outer", sort=False)
        joined.index = pd.RangeIndex(1, len(joined) + 1)
        raw = partner.raw
        partner.raw = replace(raw, frame=joined)
        notes.append(
            lazy_gettext(
                "{name} was put beside {partner}, by run and step.",
                name=item.raw.name,
                partner=partner.raw.name,
            )
        )
    return merged


def _keys(raw: RawTable) -> list[str]:
    """Return the columns of the run and the step."""
    step = next((header for header in raw.headers if column_of(header) == "step"), "")
    return [_run_column(raw), step]


def _is_partner(first: RawTable, second: RawTable) -> bool:
    """Return whether two tables hold different metrics of the same runs, one row a step."""
    ours, theirs = _keys(first), _keys(second)
    if _lists_runs(first) or _lists_runs(second) or first.problems or second.problems:
        return False
    if not all((*ours, *theirs)) or set(first.headers) & set(second.headers) - {*ours, *theirs}:
        return False
    names = set(first.frame[ours[0]]) & set(second.frame[theirs[0]])
    is_single = not (first.frame.duplicated(ours).any() or second.frame.duplicated(theirs).any())
    return bool(names) and is_single


def common_paths(names: Iterable[str]) -> list[PurePath]:
    """Return paths without the folders that all of them share."""
    paths = [PurePosixPath(name.replace("\\", "/")) for name in names]
    shared = 0
    if len(paths) > 1:
        folders = [path.parts[:-1] for path in paths]
        shortest = min(map(len, folders))
        shared = next(
            (i for i in range(shortest) if len({parts[i] for parts in folders}) > 1), shortest
        )
    return [PurePosixPath(*path.parts[shared:]) for path in paths]


def split_metadata(
    contents: Iterable[tuple[PurePath, Content]],
) -> tuple[list[tuple[PurePath, Content]], dict[PurePath, Content]]:
    """Return the files that may be tables, and those that describe runs."""
    tables: list[tuple[PurePath, Content]] = []
    metadata: dict[PurePath, Content] = {}
    for path, content in contents:
        if is_metadata(path.name):
            metadata[path] = content
        elif not is_of_a_model(path.name):
            tables.append((path, content))
    return tables, metadata
