"""Weights & Biases: runs through its client, and the charts that its page exports as CSV."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from isoflop.errors import TableError
from isoflop.tables.problems import shorten
from isoflop.tables.raw import RawTable
from isoflop.tables.reading.header import meanings
from isoflop.tables.source import Progress
from isoflop.tables.trackers.require import require
from isoflop.units import counted

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
    note = (
        f"A chart exported by Weights & Biases: {counted(n_runs, 'run')}, one row a step of each."
    )
    return replace(raw, frame=frame, notes=(*raw.notes, note), duplicate_headers=())


def _run_rows(frame: pd.DataFrame, axis: str, header: str) -> pd.DataFrame:
    run, _, metric = header.rpartition(_SEPARATOR)
    present = frame[[axis, header]].dropna(subset=[header]).rename(columns={header: metric})
    present.insert(0, "run_id", run)
    return present


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
    wandb = require("wandb", "wandb", "Reading Weights & Biases")
    try:
        runs = list(_first(wandb.Api().runs(project, filters=dict(filters or {})), _MAX_RUNS))
        rows = list(_rows(runs, curves, progress))
    except Exception as error:  # the client raises its own, requests' and plain errors
        raise TableError(
            f"The project {shorten(project)} cannot be read from Weights & Biases.",
            detail=shorten(error, 300),
            hint="Set WANDB_API_KEY, and give the project as entity/project.",
        ) from None
    if not rows:
        raise TableError(f"The project {shorten(project)} has no runs with these metrics.")
    frame = pd.DataFrame(rows)
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    notes = (f"{counted(len(runs), 'run')} read from Weights & Biases.",)
    return RawTable(name=project, format="Weights & Biases", frame=frame, notes=notes)


def _first(runs: Any, limit: int) -> Iterator[Any]:
    for position, run in enumerate(runs):
        if position >= limit:
            return
        yield run


def _rows(
    runs: Sequence[Any], curves: Sequence[str], progress: Progress | None
) -> Iterator[dict[str, object]]:
    for position, run in enumerate(runs):
        config = dict(_scalars(run.config))
        base = {"run_id": run.name, **config}
        if curves:
            for entry in run.scan_history(keys=["_step", *curves]):
                yield {**base, "step": entry["_step"], **dict(_scalars(entry))}
        else:
            yield {**base, **dict(_scalars(dict(run.summary)))}
        if progress:
            progress((position + 1) / len(runs), "Reading runs")


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
