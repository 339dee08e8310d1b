"""How laws and objectives would have done: the largest decade of every catalog table held out.

Families of a table are fitted apart. The result ships as ``data/backtest.csv``, made by
``isoflop backtest --csv data/backtest.csv``; nothing in it is typed by hand.
"""

from __future__ import annotations

import csv
import datetime
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, fields, replace
from itertools import repeat
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop import document
from isoflop.data import data_root
from isoflop.errors import CatalogError, IsoflopError
from isoflop.fitting.backtest_summary import laws_by_success, leading_laws
from isoflop.fitting.compare.held_out import (
    HeldOut,
    Split,
    predict_held_out,
    scale_column,
    split_by_scale,
)
from isoflop.fitting.options import FitOptions, Objective
from isoflop.identity import Keyed
from isoflop.laws import Law, load_laws, rebind
from isoflop.once import once
from isoflop.tables import list_datasets, load_dataset
from isoflop.tables.schema import LossTable
from isoflop.tables.select import of_families
from isoflop.text import aligned, as_html
from isoflop.units import counted

FORMAT = "isoflop-backtest-1"
FILE = "backtest.csv"
DECADES = 1.0
LEVEL = 0.9
N_BOOTSTRAP = 300
MIN_TRAIN_ROWS = 4
"""A family with fewer rows below the cut tells nothing of any law."""
FREE_INPUT = "x"

Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestRow:
    """One law under one objective on one table.

    Parameters
    ----------
    dataset, fingerprint : str
        Table and the start of its fingerprint.
    law, objective : str
    scale : str
        Column whose largest decade was held out.
    groups, groups_predicted : int
        Families with a part to fit and a part to predict, and those the law could be fitted to.
    rows_fitted, rows_predicted : int
        Of the families predicted.
    mean_abs_error, median_abs_error, bias : float
        Of predicted over observed loss, minus 1 (no unit); NaN where nothing was predicted.
    coverage : float
        Share of held-out rows inside their 90% prediction interval; NaN without intervals.
    reason : str
        Why families are missing; empty if none is.
    """

    dataset: str
    fingerprint: str
    law: str
    objective: str
    scale: str
    groups: int
    groups_predicted: int
    rows_fitted: int
    rows_predicted: int
    mean_abs_error: float
    median_abs_error: float
    bias: float
    coverage: float
    reason: str

    @property
    def is_complete(self) -> bool:
        """Whether every family was predicted, so that the errors may be ranked with others."""
        return self.groups_predicted == self.groups > 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Backtest(Keyed):
    """How laws and objectives did on held-out rows of tables.

    Parameters
    ----------
    made : str
        Date.
    rows : tuple of BacktestRow
    key : str
        Of all that is said above.
    """

    made: str
    rows: tuple[BacktestRow, ...]
    key: str = field(init=False, repr=False)

    def __repr__(self) -> str:
        tables = counted(len({row.dataset for row in self.rows}), "table")
        return f"<Backtest of {self.made}: {counted(len(self.rows), 'row')} on {tables}>"

    @property
    def datasets(self) -> tuple[str, ...]:
        """Ids of the tables, in the order of the rows."""
        return tuple(dict.fromkeys(row.dataset for row in self.rows))

    @property
    def laws(self) -> tuple[str, ...]:
        """Keys of the laws, those first that come closest to the best of each table."""
        return laws_by_success(self)

    def of(self, *, objective: str | None = None, dataset: str | None = None) -> Backtest:
        """Return the part under one objective, or on one table."""
        rows = (
            row
            for row in self.rows
            if objective in (None, row.objective) and dataset in (None, row.dataset)
        )
        return replace(self, rows=tuple(rows))

    def verdict(self) -> str:
        """Say how often each of the leading laws is close to the best, and what intervals hold."""
        return leading_laws(self)

    @property
    def ranked(self) -> tuple[BacktestRow, ...]:
        """The rows, the best first for each table, those that lack families last."""
        return tuple(sorted(self.rows, key=_rank))

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each table, law and objective, the best first for each table."""
        names = [item.name for item in fields(BacktestRow)]
        return pd.DataFrame(
            [[getattr(row, name) for name in names] for row in self.ranked], columns=names
        )

    def summary(self) -> str:
        """Return the rows as text, the best first for each table."""
        cells = [
            (
                row.dataset,
                row.law,
                row.objective,
                f"{row.groups_predicted}/{row.groups}",
                str(row.rows_predicted),
                *(_share(value, 2) for value in (row.mean_abs_error, row.bias)),
                _share(row.coverage, 0),
            )
            for row in self.ranked
        ]
        header = ("table", "law", "objective", "families", "rows", "error", "bias")
        return aligned(cells, (*header, f"in {LEVEL:.0%} interval"))

    def to_json(self) -> str:
        """Return the backtest as JSON that `from_json` reads."""
        return document.to_json(self, FORMAT)

    @classmethod
    def from_json(cls, text: str | bytes) -> Backtest:
        """Read what `to_json` wrote.

        Raises
        ------
        DocumentError
            If it is anything else.
        """
        return document.from_json(cls, text, FORMAT)

    def _repr_html_(self) -> str:
        return as_html(f"Backtest of {self.made}", self.to_frame())


def _rank(row: BacktestRow) -> tuple[str, bool, bool, float]:
    """Return what rows are sorted by: an error that is not known is no number to compare."""
    error = row.mean_abs_error
    return row.dataset, not row.is_complete, bool(np.isnan(error)), error


def _share(value: float, decimals: int) -> str:
    return "" if np.isnan(value) else f"{value:.{decimals}%}"


def datasets() -> tuple[str, ...]:
    """Return the ids of the catalog's tables of a loss."""
    return tuple(dataset.id for dataset in list_datasets() if dataset.response == "loss")


def laws_for(table: LossTable, scale: str) -> tuple[Law, ...]:
    """Return every shipped law of the loss that the table has the columns for.

    Parameters
    ----------
    table : LossTable
    scale : str
        Column that the free input of a law stands for.
    """
    found = []
    for law in load_laws().values():
        bound = rebind(law, {FREE_INPUT: scale}) if law.symbols == (FREE_INPUT,) else law
        columns = {item.column for item in bound.inputs}
        if law.response == "loss" and "loss" not in columns and columns <= set(table.included()):
            found.append(bound)
    return tuple(found)


def splits(table: LossTable) -> tuple[Split, ...]:
    """Cut the largest decade off every family that has enough rows below it."""
    frame = table.included()
    names = list(dict.fromkeys(frame["family"].dropna().astype(str))) if "family" in frame else []
    parts = [of_families(table, [name]) for name in names] if len(names) > 1 else [table]
    column = scale_column(table)
    found = []
    for part in parts:
        try:
            split = split_by_scale(part, DECADES, column)
        except IsoflopError:
            continue
        if len(split.lower.included()) >= MIN_TRAIN_ROWS:
            found.append(split)
    return tuple(found)


def backtest_table(
    table: LossTable,
    laws: Sequence[Law] | None = None,
    objectives: Sequence[Objective] = get_args(Objective),
) -> Iterator[BacktestRow]:
    """Yield how each law does under each objective on one table.

    Parameters
    ----------
    table : LossTable
    laws : sequence of Law, optional
        By default `laws_for` the table.
    objectives : sequence of str
        By default all.

    Raises
    ------
    FitError
        If the table has no scale.
    """
    scale = scale_column(table)
    cut = splits(table)
    for law in laws_for(table, scale) if laws is None else laws:
        for objective in objectives:
            options = FitOptions(objective=objective, n_bootstrap=N_BOOTSTRAP, bootstrap="auto")
            held, reasons = [], []
            for split in cut:
                try:
                    held.append(predict_held_out(law, split, options, LEVEL))
                except IsoflopError as problem:
                    reasons.append(_whose(split, len(cut)) + problem.summary)
            yield _row(table, law, objective, scale, len(cut), held, reasons)


def _whose(split: Split, n_groups: int) -> str:
    """Name the family that a reason is about, where there are several."""
    return f"{split.lower.included()['family'].iloc[0]}: " if n_groups > 1 else ""


def _row(
    table: LossTable,
    law: Law,
    objective: str,
    scale: str,
    n_groups: int,
    held: Sequence[HeldOut],
    reasons: Sequence[str],
) -> BacktestRow:
    error = _joined([one.errors.error for one in held])
    size = np.abs(error)
    inside = _joined([np.full(len(one.observed), one.coverage) for one in held])
    known = len(error) > 0 and bool(np.isfinite(error).any())
    return BacktestRow(
        dataset=table.id,
        fingerprint=table.fingerprint[:12],
        law=law.key,
        objective=objective,
        scale=scale,
        groups=n_groups,
        groups_predicted=len(held),
        rows_fitted=sum(one.fit.n_rows for one in held),
        rows_predicted=len(error),
        mean_abs_error=float(np.nanmean(size)) if known else float("nan"),
        median_abs_error=float(np.nanmedian(size)) if known else float("nan"),
        bias=float(np.nanmean(error)) if known else float("nan"),
        coverage=float(inside.mean()) if len(inside) and np.isfinite(inside).all() else np.nan,
        reason=" ".join(dict.fromkeys(reasons))[:200],
    )


def _joined(parts: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.concatenate(parts) if parts else np.zeros(0)


def backtest(
    ids: Iterable[str] | None = None,
    progress: Progress | None = None,
    *,
    executor: Executor | None = None,
) -> Iterator[BacktestRow]:
    """Yield the backtest of catalog tables, downloading those that are not here.

    Parameters
    ----------
    ids : iterable of str, optional
        Tables; by default all that have a loss.
    progress : callable, optional
        Called with the share of tables done and the next one's id; may raise to cancel.
    executor : concurrent.futures.Executor, optional
        Where the laws of a table are fitted, each by a job of its own; by default here.

    Raises
    ------
    CatalogError
        If a table cannot be had.
    """
    chosen = tuple(ids) if ids is not None else datasets()
    for i, id in enumerate(chosen):
        if progress:
            progress(i / len(chosen), id)
        table = load_dataset(id)
        laws = laws_for(table, scale_column(table))
        over_laws = map if executor is None else executor.map
        for rows in over_laws(_rows_of, repeat(table), laws):
            yield from rows


def _rows_of(table: LossTable, law: Law) -> list[BacktestRow]:
    return list(backtest_table(table, (law,)))


def today() -> str:
    """Return the date, as reports say when they were made."""
    return datetime.datetime.now(tz=datetime.UTC).date().isoformat()


# --- The file


def write_backtest(rows: Iterable[BacktestRow], path: Path) -> None:
    """Write rows as CSV, with a line before the header that says what they are.

    Parameters
    ----------
    rows : iterable of BacktestRow
    path : Path
    """
    names = [item.name for item in fields(BacktestRow)]
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(
            f"# Made {today()} by `isoflop backtest`: the largest decade of each table held out. "
            "Errors are predicted over observed loss minus 1, without unit; sources in "
            "data/datasets.\n"
        )
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for row in rows:
            writer.writerow([_cell(getattr(row, name)) for name in names])


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@once
def load_backtest() -> Backtest:
    """Return the report that ships.

    Raises
    ------
    CatalogError
        If the file is missing or malformed.
    """
    path = data_root() / FILE
    try:
        first, *lines = path.read_text(encoding="utf-8").splitlines()
        made = first.split()[2]
        rows = tuple(_read(cells) for cells in csv.DictReader(lines))
    except FileNotFoundError:
        raise CatalogError(f"The data file {FILE} is missing.") from None
    except (ValueError, KeyError, TypeError, IndexError) as problem:
        raise CatalogError(f"The data file {FILE} is malformed.", detail=str(problem)) from None
    return Backtest(made=made, rows=rows)


def _read(cells: dict[str, str]) -> BacktestRow:
    kinds = {"int": int, "float": float, "str": str}
    return BacktestRow(
        **{item.name: kinds[str(item.type)](cells[item.name]) for item in fields(BacktestRow)}
    )
