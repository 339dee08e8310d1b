"""From a file to a `LossTable` in one call."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath

import numpy as np
import pandas as pd

from isoflop.language import lazy_gettext as _
from isoflop.language import lazy_ngettext as n_
from isoflop.language import listed
from isoflop.notices import Notice
from isoflop.tables.mapping import ColumnMapping
from isoflop.tables.problems import Problem
from isoflop.tables.raw import RawTable, unique_headers
from isoflop.tables.read import read_raw
from isoflop.tables.reading.choose import checked, guess_mapping
from isoflop.tables.schema import LossTable, Provenance
from isoflop.tables.shapes import (
    has_curves,
    has_hyper_parameters,
    n_of_settings,
    reduce_curves,
    sweep,
    use_metric,
)
from isoflop.tables.source import Progress, Sources
from isoflop.tables.validate import NOT_LOGGED, validate
from isoflop.units import format_quantity

MAX_CONCLUSIONS = 20
"""Notices of what files beside, or their names, say of runs; all are in the raw table's notes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a file was understood.

    Parameters
    ----------
    mapping : ColumnMapping
        What each column was taken for, in which unit, and why.
    problems : tuple of Problem
        Every cell and line that could not be used, ordered by row.
    notices : tuple of Notice
    n_rows : int
        Rows of the file.
    """

    mapping: ColumnMapping
    problems: tuple[Problem, ...]
    notices: tuple[Notice, ...]
    n_rows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadResult:
    """A table, and everything that a person should know of how it was made.

    Parameters
    ----------
    table : LossTable
    problems : tuple of Problem
        Every cell and line that could not be used, ordered by row; the rows concerned are in the
        table, excluded.
    mapping : ColumnMapping
        How the columns were understood.
    raw : RawTable
        The file as it was read, for a change of mapping.
    notices : tuple of Notice
    """

    table: LossTable
    problems: tuple[Problem, ...]
    mapping: ColumnMapping
    raw: RawTable
    notices: tuple[Notice, ...] = ()


def read_table(
    source: Sources | pd.DataFrame,
    *,
    name: str = "",
    mapping: ColumnMapping | None = None,
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    loss_unit: str = "",
    provenance: Provenance | None = None,
    progress: Progress | None = None,
) -> ReadResult:
    r"""Read a loss table from a file, its bytes, or a frame.

    Parameters
    ----------
    source : path, bytes, binary file, a sequence of these, or pandas.DataFrame
        A path may be a folder, a pattern or an MLflow store: see `read_raw`.
    name : str
        File name, where the source has none; the table's id is made from it.
    mapping : ColumnMapping or None
        How to understand the columns; told by headers and cells if None.
    columns : mapping of str to str or None
        What headers mean, where that is not told rightly or is asked: a canonical column,
        ``"own"`` to keep one under its own name, or ``"out"``.
    units : mapping of str to str or None
        Units of bare numbers, by header or canonical column, such as ``{"tokens": "B"}``.
    loss_unit : str
        Unit of the loss.
    provenance : Provenance or None
        Made from the name if None.
    progress : callable or None
        Called with the share done and what is being done; may raise to cancel.

    Raises
    ------
    TableError
        If the file cannot be read, or holds no loss or no usable row.
    TableQuestion
        If something must be said first; its ``choices`` are the answers.

    Examples
    --------
    >>> result = read_table(b"N,D,loss\n1.3B,26B,2.1\n7B,140B,1.8\n", name="runs.csv")
    >>> result.table.values("compute_flop").tolist()
    [2.028e+20, 5.88e+21]
    """
    if isinstance(source, pd.DataFrame):
        raw = _raw_from_frame(source, name or "table")
    else:
        raw = read_raw(source, name, _within(progress, 0.0, 0.7))
    if progress:
        progress(0.7, _("Understanding the columns"))
    if mapping is None:
        said = {**(units or {}), **({"loss": loss_unit} if loss_unit else {})}
        mapping = guess_mapping(raw, columns=columns, units=said)
    else:
        mapping = checked(raw, mapping.with_answers(columns, units, loss_unit))
    return build_table(raw, mapping, provenance=provenance, progress=progress)


def build_table(
    raw: RawTable,
    mapping: ColumnMapping,
    *,
    id: str = "",
    provenance: Provenance | None = None,
    progress: Progress | None = None,
) -> ReadResult:
    """Apply a mapping to a raw table.

    Raises
    ------
    TableError
        As `read_table` does.
    """
    if progress:
        progress(0.75, _("Checking every row"))
    table, problems = validate(
        raw,
        mapping,
        id=id or table_id(raw.name),
        provenance=provenance or Provenance(title=raw.name, source=_("uploaded file")),
    )
    if mapping.response != "loss":
        table = use_metric(table, mapping.response)
    if progress:
        progress(1.0, _("Done"))
    concluded = tuple(
        Notice(code="run-described", severity="info", text=text, remedy="")
        for text in raw.concluded[:MAX_CONCLUSIONS]
    )
    notices = (*concluded, *_notices(table, mapping, problems))
    reading = Reading(mapping=mapping, problems=problems, notices=notices, n_rows=len(raw.frame))
    return ReadResult(
        table=replace(table, reading=reading),
        problems=problems,
        mapping=mapping,
        raw=raw,
        notices=notices,
    )


def table_id(name: str) -> str:
    """Return an id for a table from its file name: letters, digits and hyphens.

    Examples
    --------
    >>> table_id("My runs (final).csv.gz")
    'my-runs-final'
    """
    stem = PurePath(name).name.partition(".")[0] or "table"
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:60] or "table"


def _raw_from_frame(frame: pd.DataFrame, name: str) -> RawTable:
    headers, repeated = unique_headers([str(column) for column in frame.columns])
    copy = frame.copy()
    copy.columns = pd.Index(headers)
    copy.index = pd.RangeIndex(1, len(copy) + 1)
    return RawTable(name=name, format="frame", frame=copy, duplicate_headers=repeated)


def _within(progress: Progress | None, start: float, end: float) -> Progress | None:
    if progress is None:
        return None
    return lambda share, text: progress(start + (end - start) * share, text)


def _notices(
    table: LossTable, mapping: ColumnMapping, problems: tuple[Problem, ...]
) -> tuple[Notice, ...]:
    """Collect what is worth knowing of a table that is nevertheless valid."""
    notices = []
    n_excluded = len({problem.row for problem in problems if problem.excludes_row})
    if n_excluded:
        notices.append(
            Notice(
                code="rows-unusable",
                severity="warning",
                text=n_(
                    "{n:,} of {rows} is left out because a cell is unusable.",
                    "{n:,} of {rows} are left out because a cell is unusable.",
                    n_excluded,
                    rows=n_("{n:,} row", "{n:,} rows", len(table.frame)),
                ),
                remedy=_("See the list of problems; correct the file, or change the mapping."),
            )
        )
    if "exclusion_reason" in table.frame:
        n_unlogged = int((table.frame["exclusion_reason"] == NOT_LOGGED).sum())
        if n_unlogged:
            notices.append(
                Notice(
                    code="rows-without-loss",
                    severity="info",
                    text=_(
                        "{n_unlogged:,} of {frame:,} logged steps have no loss and are left out.",
                        n_unlogged=n_unlogged,
                        frame=len(table.frame),
                    ),
                    remedy="",
                )
            )
    role = mapping.role_of("loss")
    if role is not None and not role.unit and mapping.loss_unit is None:
        notices.append(_assumed_unit(table))
    if mapping.response != "loss":
        notices.append(
            Notice(
                code="score-explained",
                severity="info",
                text=_(
                    "There is no loss, so the score {response} is fitted instead.",
                    response=mapping.response,
                ),
                remedy=_("Choose another metric on the Data page, or a column for the loss."),
            )
        )
    notices += [
        Notice(code="unit-open", severity="info", text=question.why, remedy=question.text)
        for question in mapping.questions
    ]
    notices += [
        Notice(
            code="column-derived",
            severity="info",
            text=_("{column} is derived: {formula}.", column=column, formula=formula),
            remedy=_("Add it to the file if you have measured it."),
        )
        for column, formula in table.provenance.derived_columns.items()
        if column != "run_id"
    ]
    return (*notices, *_run_notices(table), *_shape_notices(table))


def _run_notices(table: LossTable) -> list[Notice]:
    """Say which runs were found, and which settings were tried several times."""
    notices = []
    frame = table.included()
    if "run_id" in table.provenance.derived_columns:
        notices.append(
            Notice(
                code="runs-found",
                severity="warning",
                text=_(
                    "No column names runs. {frame:,} rows are taken for checkpoints of "
                    "{runs}: {derived_columns} while steps grow.",
                    frame=len(frame),
                    runs=n_("{n:,} run", "{n:,} runs", int(frame["run_id"].nunique())),
                    derived_columns=table.provenance.derived_columns["run_id"],
                ),
                remedy=_(
                    "Keep the last checkpoint of each run (curves: last), or name a column run."
                ),
            )
        )
    runs = table
    if has_hyper_parameters(table) and has_curves(table):
        runs = reduce_curves(table, "last", response="loss" if "loss" in frame else "accuracy")
    swept = sweep(runs)
    if swept:
        n_settings = n_of_settings(runs)
        notices.append(
            Notice(
                code="settings-swept",
                severity="warning",
                text=_(
                    "{runs} are trials of {settings} of size and data, which differ in "
                    "{swept}; all of them are fitted.",
                    runs=n_("{n:,} run", "{n:,} runs", len(runs.included())),
                    settings=n_("{n:,} setting", "{n:,} settings", n_settings),
                    swept=listed(swept),
                ),
                remedy=_(
                    "Keep the best of each setting (seeds: best), the mean of seeds, or "
                    "resample them together (seeds: clustered)."
                ),
            )
        )
    return notices


def _assumed_unit(table: LossTable) -> Notice:
    if table.loss_unit == "unknown":
        text = _("The loss has no unit, and its values are unusual for nats per token.")
        return Notice(
            code="loss-unit-unknown",
            severity="warning",
            text=text,
            remedy=_("Give its unit, or write it in the header, such as loss (bits per byte)."),
        )
    return Notice(
        code="loss-unit-assumed",
        severity="info",
        text=_("The loss has no unit: nats per token are assumed, as training code reports."),
        remedy=_("Give its unit if it is another."),
    )


def _shape_notices(table: LossTable) -> list[Notice]:
    frame = table.included()
    if len(frame) == 1:
        return [
            Notice(
                code="one-row",
                severity="serious",
                text=_("The table has one usable row; no law can be fitted to it."),
                remedy=_("Add runs of other sizes."),
            )
        ]
    notices = []
    for column, noun in (("params", _("parameters")), ("tokens", _("tokens"))):
        if column not in frame:
            continue
        values = frame[column].to_numpy(dtype=np.float64)
        if np.ptp(values) <= 1e-9 * values.max():
            size = format_quantity(float(values[0]), "params" if column == "params" else "tokens")
            notices.append(
                Notice(
                    code=f"one-value-{column}",
                    severity="serious",
                    text=_(
                        "All {frame:,} rows have the same number of {noun} ({size}): how "
                        "loss depends on {noun} cannot be seen.",
                        frame=len(frame),
                        noun=noun,
                        size=size,
                    ),
                    remedy=_(
                        "Add runs with other numbers of {noun}, or fit a law without them.",
                        noun=noun,
                    ),
                )
            )
    return notices
