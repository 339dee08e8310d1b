"""The backtest report: how every law would have predicted the largest decade of every table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from isoflop.figures import compare_backtest as picture
from isoflop.fitting import OBJECTIVES, FitOptions
from isoflop.fitting.backtest import BacktestRow, load_backtest
from isoflop.laws import load_laws
from isoflop.tables import list_datasets
from isoflop.ui import inputs, messages, option_inputs, panels

MEASURES = {"error": "Error", "coverage": "Coverage"}
MEANING = {
    "error": "Mean error; green: the least on the table, orange: ten times that.",
    "coverage": "Share of rows inside their 90% interval; green: as promised, orange: none.",
}
WITHIN = 1.5


def show() -> None:
    """Draw the picture of one objective, then every figure of one table."""
    report = load_backtest()
    left, right = st.columns(2)
    with left:
        objective = option_inputs.choice(FitOptions, "objective", key="compare.objective")
    with right:
        measure = inputs.choice(
            "Show",
            MEASURES,
            key="compare.measure",
            default="error",
            help="How far predictions were off, or how often 90% intervals held what came.",
            style="row",
        )
    rows = [row for row in report.rows if row.objective == objective]
    tables = list(dict.fromkeys(row.dataset for row in rows))
    laws = _by_success(rows, len(tables))
    with st.container(key="answer"):
        st.markdown(messages.plain(_sentence(rows, tables)))
    labels = {key: law.label for key, law in load_laws().items()}
    grid = {(row.law, row.dataset): row for row in rows}
    error, coverage, is_complete = _grid(grid, laws, tables)
    names = [labels.get(law, law).partition(" (")[0] for law in laws]
    shows_coverage = measure == "coverage"
    panels.chart(
        picture.figure(
            names,
            tables,
            error,
            is_complete=is_complete,
            coverage=coverage,
            shows_coverage=shows_coverage,
        ),
        alt=picture.alt(names, tables, shows_coverage=shows_coverage),
        key="compare.backtest",
    )
    st.markdown(messages.plain(_what_matters(report.rows)))
    st.caption(
        f"The largest decade of compute of each table (of tokens or active parameters where it "
        f"has no compute) predicted by fits to the rest, families apart. {MEANING[measure]} Grey, "
        f"in brackets: some families could not be fitted, so the figure is not ranked. Blank: no "
        f"figure. Laws that could be judged on half of the tables come first. Made "
        f"{messages.plain(report.made)} by `isoflop backtest --csv`."
    )
    _one_table(report.rows, tables, labels)


def _best_errors(rows: Iterable[BacktestRow]) -> dict[str, float]:
    """Return the smallest error on each table, of laws judged on all its families."""
    best: dict[str, float] = {}
    for row in rows:
        if row.is_complete and row.mean_abs_error > 0:
            best[row.dataset] = min(best.get(row.dataset, math.inf), row.mean_abs_error)
    return best


def _by_success(rows: list[BacktestRow], n_tables: int) -> list[str]:
    """Return laws by their mean log error over the best of each table they could be judged on."""
    best = _best_errors(rows)
    ratios: dict[str, list[float]] = {row.law: [] for row in rows}
    for row in rows:
        if row.is_complete and row.mean_abs_error > 0:
            ratios[row.law].append(math.log(row.mean_abs_error / best[row.dataset]))
    return sorted(
        ratios,
        key=lambda law: (
            not ratios[law],
            2 * len(ratios[law]) < n_tables,
            np.mean(ratios[law] or [0.0]),
        ),
    )


def _sentence(rows: list[BacktestRow], tables: list[str]) -> str:
    """Say how often each of the leading laws is close to the best, and how honest intervals are."""
    complete = [row for row in rows if row.is_complete and row.mean_abs_error > 0]
    best = _best_errors(complete)
    close = {row.law: 0 for row in complete}
    winners = dict(close)
    for row in complete:
        close[row.law] += row.mean_abs_error <= WITHIN * best[row.dataset]
        winners[row.law] += row.mean_abs_error == best[row.dataset]
    labels = {key: law.label for key, law in load_laws().items()}
    leading = sorted(close, key=lambda law: -close[law])[:3]
    named = ", ".join(f"{labels[law]} on {close[law]}" for law in leading)
    inside = [row.coverage for row in complete if np.isfinite(row.coverage)]
    median = float(np.median(inside)) if inside else float("nan")
    return (
        f"No law is best on more than {max(winners.values())} of {len(tables)} tables. Within "
        f"{WITHIN:g} times the best error: {named}. Beyond the data, 90% intervals hold "
        f"{median:.0%} of the runs in the median: they know the noise, not that the law is wrong."
    )


def _what_matters(rows: Sequence[BacktestRow]) -> str:
    """Say how much the choice of law moves the error, and how much that of the objective."""
    complete = [row for row in rows if row.is_complete and row.mean_abs_error > 0]
    by_law = _median_factor(complete, lambda row: (row.dataset, row.objective))
    by_objective = _median_factor(complete, lambda row: (row.dataset, row.law))
    return (
        f"On one table, the middle law is off {by_law:.1f} times as far as the best one; of one "
        f"law, the middle objective {by_objective:.2f} times as far as the best one."
    )


def _median_factor(
    rows: Sequence[BacktestRow], group: Callable[[BacktestRow], tuple[str, str]]
) -> float:
    """Return, in the median over groups, the median error over the least."""
    errors: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        errors.setdefault(group(row), []).append(row.mean_abs_error)
    return float(np.median([np.median(some) / min(some) for some in errors.values()]))


def _grid(
    grid: dict[tuple[str, str], BacktestRow], laws: list[str], tables: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    error = np.full((len(laws), len(tables)), np.nan)
    coverage = error.copy()
    is_complete = np.zeros(error.shape, dtype=bool)
    for i, law in enumerate(laws):
        for j, table in enumerate(tables):
            row = grid.get((law, table))
            if row is not None:
                error[i, j], coverage[i, j] = row.mean_abs_error, row.coverage
                is_complete[i, j] = row.is_complete
    return error, coverage, is_complete


def _one_table(rows: tuple[BacktestRow, ...], tables: list[str], labels: dict[str, str]) -> None:
    titles = {entry.id: entry.title for entry in list_datasets()}
    chosen = inputs.choice(
        "Every law and objective on one table",
        {table: titles.get(table, table) for table in tables},
        key="compare.on",
        default=tables[0],
        help="Errors and coverage by law and objective.",
    )
    own = sorted(
        (row for row in rows if row.dataset == chosen),
        key=lambda row: (not row.is_complete, math.isnan(row.mean_abs_error), row.mean_abs_error),
    )
    st.dataframe(
        {
            "Law": [labels.get(row.law, row.law) for row in own],
            "Objective": [OBJECTIVES.get(row.objective, row.objective) for row in own],
            "Mean error": [row.mean_abs_error for row in own],
            "Median error": [row.median_abs_error for row in own],
            "Bias": [row.bias for row in own],
            "In 90% interval": [row.coverage for row in own],
            "Rows fitted": [row.rows_fitted for row in own],
            "Rows predicted": [row.rows_predicted for row in own],
            "Families": [f"{row.groups_predicted} of {row.groups}" for row in own],
        }
        | ({"Not fitted": [row.reason for row in own]} if any(row.reason for row in own) else {}),
        column_config=dict.fromkeys(
            ("Mean error", "Median error", "Bias", "In 90% interval"),
            st.column_config.NumberColumn(format="percent"),
        ),
        hide_index=True,
        alt="Backtest of one table",
    )
