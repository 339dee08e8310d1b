"""Weights & Biases: runs through its client, and the charts that its page exports as CSV."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from isoflop.errors import TableError
from isoflop.language import lazy_gettext, lazy_ngettext
from isoflop.syntax import syntax_tree
from isoflop.tables.problems import Problem, shorten
from isoflop.tables.raw import RawTable
from isoflop.tables.reading.header import meanings
from isoflop.tables.run_values import with_run_values
from isoflop.tables.source import Progress, refuse_many_cells
from isoflop.tables.trackers.require import require

_MAX_RUNS = 20_000
_MAX_DEPTH = 3
_BOUND = re.compile(r".+__(MIN|MAX)")
_SEPARATOR = " - "


def unpivot_chart(raw: RawTable) -> RawTable:
    """Turn an exported chart, with a column ``run - metric`` for each run, into one row a step.

    A table of any other shape is returned as it is.

    Parameters
    ----------
    raw : RawTable

    Notes
    -----
    The page exports ``Step`` (or another x axis), then for each run ``run - metric``,
    ``run - metric__MIN`` and ``run - metric__MAX``. The bounds repeat the value unless runs were
    grouped; they are left out.
    """
    headers = raw.headers
    bounds = [header for header in headers if _BOUND.fullmatch(header)]
    series = [header.removesuffix("__MIN") for header in bounds if header.endswith("__MIN")]
    series = [header for header in series if header in headers and _SEPARATOR in header]
    axis = [header for header in headers if header not in {*bounds, *series}]
    if not series or len(axis) != 1:
        return raw
    metrics = list(dict.fromkeys(header.rpartition(_SEPARATOR)[2] for header in series))
    long = [_run_rows(raw.frame, axis[0], header) for header in series]
    frame = pd.concat(long, ignore_index=True)
    if len(metrics) > 1:
        frame = frame.groupby(["run_id", axis[0]], as_index=False, sort=False).first()
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    n_runs = frame["run_id"].nunique()
    note = lazy_gettext(
        "A chart exported by Weights & Biases: {runs}, one row a step of each.",
        runs=lazy_ngettext("{n:,} run", "{n:,} runs", n_runs),
    )
    return replace(raw, frame=frame, notes=(*raw.notes, note), duplicate_headers=())


def _run_rows(frame: pd.DataFrame, axis: str, header: str) -> pd.DataFrame:
    run, _, metric = header.rpartition(_SEPARATOR)
    present = frame[[axis, header]].dropna(subset=[header]).rename(columns={header: metric})
    present.insert(0, "run_id", run)
    return present


_UNFINISHED = frozenset({"crashed", "failed", "killed"})
_STATES = _UNFINISHED | {"finished", "running", "preempted", "preempting", "scheduled", "pending"}
_LONGEST_DICTIONARY = 100_000  # characters
_BARE_NUMBER = re.compile(r"(?<=[\s:\[(,])(?:nan|-?inf)(?=\s*[,\]})])")


def without_unfinished(raw: RawTable) -> RawTable:
    """Mark the runs that did not finish as unusable, where a column says the state of each.

    Their last loss is not that of the run that their parameters and tokens describe.

    Parameters
    ----------
    raw : RawTable
    """
    header = next((h for h in raw.headers if h.lower() in {"state", "status"}), "")
    if not header:
        return raw
    states = raw.frame[header].astype("str").str.strip().str.lower()
    is_unfinished = states.isin(_UNFINISHED)
    if not set(states.dropna()) <= _STATES or not is_unfinished.any() or is_unfinished.all():
        return raw
    left = states[is_unfinished]
    problems = [
        Problem(row=row, column=header, value=state, reason=lazy_gettext("the run did not finish"))
        for row, state in zip(left.index.tolist(), left.tolist(), strict=True)
    ]
    rows, kinds = (
        lazy_ngettext("{n:,} row is", "{n:,} rows are", len(left)),
        ", ".join(sorted(set(left))),
    )
    note = lazy_gettext(
        "Runs that did not finish are left out: {rows} {kinds}.", rows=rows, kinds=kinds
    )
    return replace(
        raw,
        problems=(*raw.problems, *problems),
        notes=(*raw.notes, note),
        concluded=(*raw.concluded, note),
    )


def unpack_dictionaries(raw: RawTable) -> RawTable:
    """Turn columns of dictionaries in text, as W&B's export snippet writes them, into columns.

    Parameters
    ----------
    raw : RawTable

    Notes
    -----
    The cells are parsed as data, as Python or JSON writes it; nothing in them is run.
    """
    frame, unpacked = raw.frame, []
    for header in raw.headers:
        cells = frame[header]
        if not _are_dictionaries(cells):
            continue
        rows = [dict(_scalars(_dictionary(cell) or {})) for cell in cells]
        keys = dict.fromkeys(key for row in rows for key in row)
        if len(keys) < 2:
            continue  # a name in a wrapper
        refuse_many_cells(raw.name, len(frame), len(frame.columns) + len(keys))
        frame = frame.drop(columns=header)
        names = {key: f"{header}/{key}" if key in frame else key for key in keys}
        columns = pd.DataFrame(
            {names[key]: [row.get(key) for row in rows] for key in keys}, index=frame.index
        )
        frame = pd.concat([frame, columns.infer_objects()], axis=1)
        unpacked.append(header)
    if not unpacked or frame.columns.empty:
        return raw
    note = lazy_gettext(
        "Dictionaries were unpacked into columns: {unpacked}.",
        unpacked=", ".join(map(shorten, unpacked)),
    )
    return replace(raw, frame=frame, notes=(*raw.notes, note))


def _are_dictionaries(cells: pd.Series) -> bool:
    """Return whether the first cells of a column of text are dictionaries, and all look so."""
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return False
    present = cells.dropna()
    if present.empty or not all(
        isinstance(cell, str) and cell.lstrip().startswith("{") and cell.rstrip().endswith("}")
        for cell in present
    ):
        return False
    return all(_dictionary(cell) is not None for cell in present.head(5))


def _literal(text: str) -> Any:
    """Return the value of a literal of Python, as ``ast.literal_eval`` does."""
    tree = syntax_tree(text.lstrip(" \t"), mode="eval")
    assert isinstance(tree, ast.Expression)
    return ast.literal_eval(tree)


def _dictionary(cell: object) -> dict[str, Any] | None:
    if not isinstance(cell, str) or len(cell) > _LONGEST_DICTIONARY:
        return None
    for parse, text in (
        (json.loads, cell),
        (_literal, cell),
        (_literal, _BARE_NUMBER.sub("None", cell)),
    ):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)
                found = parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
        return (
            {str(key): value for key, value in found.items()} if isinstance(found, dict) else None
        )
    return None


def read_wandb(
    project: str,
    *,
    curves: Sequence[str] = (),
    filters: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> RawTable:
    """Read the runs of a project through the ``wandb`` client and its key.

    Parameters
    ----------
    project : str
        ``"entity/project"``.
    curves : sequence of str
        Metrics to read step by step, such as ``("val/loss", "tokens")``: one row a step. Empty:
        one row a run with its configuration and summary.
    filters : mapping or None
        As the client takes them.
    progress : callable or None

    Raises
    ------
    TableError
        If the client is not installed, has no key, or the project has no runs.
    """
    wandb = require("wandb", "wandb", lazy_gettext("Reading Weights & Biases"))
    try:
        listed = wandb.Api().runs(project, filters=dict(filters or {}))
        runs = list(_first(listed, _MAX_RUNS, progress))
        frames = list(_frames(runs, curves, progress))
    except Exception as error:  # the client raises its own, requests' and plain errors
        raise TableError(
            lazy_gettext(
                "The project {project} cannot be read from Weights & Biases.",
                project=shorten(project),
            ),
            detail=shorten(error, 300),
            hint=lazy_gettext("Set WANDB_API_KEY, and give the project as entity/project."),
        ) from None
    frames = [frame for frame in frames if len(frame)]
    if not frames:
        raise TableError(
            lazy_gettext(
                "The project {project} has no runs with these metrics.", project=shorten(project)
            )
        )
    frame = pd.concat(frames, ignore_index=True)
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    notes = (
        lazy_gettext(
            "{runs} read from Weights & Biases.",
            runs=lazy_ngettext("{n:,} run", "{n:,} runs", len(runs)),
        ),
    )
    raw = RawTable(name=project, format="Weights & Biases", frame=frame, notes=notes)
    return without_unfinished(raw)


def _first(runs: Any, limit: int, progress: Progress | None) -> Iterator[Any]:
    for position, run in enumerate(runs):
        if position >= limit:
            return
        if progress and position % 50 == 0:
            progress(0.0, lazy_gettext("Listing runs: {position:,} so far", position=position))
        yield run


def _frames(
    runs: Sequence[Any], curves: Sequence[str], progress: Progress | None
) -> Iterator[pd.DataFrame]:
    """Yield the rows of each run; its totals grow along its curve."""
    for position, run in enumerate(runs):
        config = dict(_scalars(run.config))
        base = {"run_id": run.name, lazy_gettext("State"): str(run.state), **config}
        if curves:
            steps = [
                {"step": entry["_step"], **dict(_scalars(entry))}
                for entry in run.scan_history(keys=["_step", *curves])
            ]
            yield with_run_values(pd.DataFrame(steps), base)[0]
        else:
            yield pd.DataFrame([{**base, **dict(_scalars(dict(run.summary)))}])
        if progress:
            progress((position + 1) / len(runs), lazy_gettext("Reading runs"))


def _scalars(
    entries: Mapping[str, Any], prefix: str = "", depth: int = 0
) -> Iterator[tuple[str, object]]:
    """Yield numbers, text and flags; what the client keeps for itself starts with _wandb."""
    for key, value in entries.items():
        name = f"{prefix}{key}"
        if name.startswith("_") and not meanings(name.lstrip("_")):
            continue
        if isinstance(value, str | int | float | bool):
            yield name, value
        elif hasattr(value, "items") and depth < _MAX_DEPTH:
            yield from _scalars(value, f"{name}/", depth + 1)
