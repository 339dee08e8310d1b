"""What a backtest says of laws: which come close, and what matters."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.laws import load_laws

if TYPE_CHECKING:
    from isoflop.fitting.backtest import Backtest, BacktestRow

WITHIN = 1.5
"""Times the best error of a table up to which a law is called close to it."""
N_LEADING = 3


def law_label(key: str) -> str:
    """Return what a law of the catalog is called, or the key of one that is no longer there."""
    law = load_laws().get(key)
    return key if law is None else law.label


def ranked(report: Backtest) -> list[BacktestRow]:
    """Return the rows that may be ranked: every family was predicted, with some error."""
    return [row for row in report.rows if row.is_complete and row.mean_abs_error > 0]


def best_errors(rows: Iterable[BacktestRow]) -> dict[str, float]:
    """Return the smallest error on each table."""
    best: dict[str, float] = {}
    for row in rows:
        best[row.dataset] = min(best.get(row.dataset, math.inf), row.mean_abs_error)
    return best


def laws_by_success(report: Backtest) -> tuple[str, ...]:
    """Return laws by their mean log error over the best of each table they could be judged on.

    Laws that could be judged on half of the tables come first.
    """
    rows, n_tables = ranked(report), len(report.datasets)
    best = best_errors(rows)
    ratios: dict[str, list[float]] = {row.law: [] for row in report.rows}
    for row in rows:
        ratios[row.law].append(math.log(row.mean_abs_error / best[row.dataset]))

    def order(law: str) -> tuple[bool, bool, float]:
        found = ratios[law]
        return not found, 2 * len(found) < n_tables, float(np.mean(found or [0.0]))

    return tuple(sorted(ratios, key=order))


def leading_laws(report: Backtest) -> str:
    """Say how often each of the leading laws is close to the best, and what intervals hold."""
    rows = ranked(report)
    if not rows:
        return _("No law could be judged on any table.")
    best = best_errors(rows)
    close = {row.law: 0 for row in rows}
    winners = dict(close)
    for row in rows:
        close[row.law] += row.mean_abs_error <= WITHIN * best[row.dataset]
        winners[row.law] += row.mean_abs_error == best[row.dataset]
    leading = sorted(close, key=lambda law: -close[law])[:N_LEADING]
    named = joined(
        ", ", (_("{law} on {close}", law=law_label(law), close=close[law]) for law in leading)
    )
    inside = [row.coverage for row in rows if np.isfinite(row.coverage)]
    median = float(np.median(inside)) if inside else float("nan")
    return _(
        "No law is best on more than {values} of {datasets} tables. Within "
        "{within:g} times the best error: {named}. Beyond the data, 90% "
        "intervals contain {median:.0%} of the runs in the median: they "
        "allow for noise, not for a wrong law.",
        values=max(winners.values()),
        datasets=len(report.datasets),
        within=WITHIN,
        named=named,
        median=median,
    )


def what_matters(report: Backtest) -> str:
    """Say how much the choice of law moves the error, and how much that of the objective."""
    rows = ranked(report)
    by_law = _median_factor(rows, lambda row: (row.dataset, row.objective))
    by_objective = _median_factor(rows, lambda row: (row.dataset, row.law))
    return _(
        "On one table, the middle law is off {by_law:.1f} times as far as "
        "the best one; of one law, the middle objective {by_objective:.2f} "
        "times as far as the best one.",
        by_law=by_law,
        by_objective=by_objective,
    )


def _median_factor(
    rows: Iterable[BacktestRow], group: Callable[[BacktestRow], tuple[str, str]]
) -> float:
    """Return, in the median over groups, the median error over the least."""
    errors: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        errors.setdefault(group(row), []).append(row.mean_abs_error)
    return float(np.median([np.median(some) / min(some) for some in errors.values()]))
