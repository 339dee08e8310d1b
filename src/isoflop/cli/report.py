"""What is printed: results on standard output, all else on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import CatalogError
from isoflop.export import parameter_estimates
from isoflop.fitting import Band, Fit
from isoflop.fitting.backtest import BacktestRow
from isoflop.notices import Notice
from isoflop.planning import Accelerator, Interval, Plan
from isoflop.tables import Problem
from isoflop.units import counted, format_number, format_quantity

MAX_PROBLEMS = 10


class Progress:
    """One line on standard error that is overwritten as work goes on; nothing when redirected."""

    def __init__(self) -> None:
        self._width = 0

    def __enter__(self) -> Progress:
        return self

    def __call__(self, share: float, text: str) -> None:
        """Show the share done, from 0 to 1, and what is being done."""
        if sys.stderr.isatty():
            self._show(f"{text} {share:4.0%}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._width:
            self._show("")
            print(end="\r", file=sys.stderr, flush=True)

    def _show(self, line: str) -> None:
        print(f"\r{line.ljust(self._width)}", end="", file=sys.stderr, flush=True)
        self._width = len(line)


def rows(cells: Sequence[Sequence[str]], header: Sequence[str] = ()) -> None:
    """Print aligned columns."""
    lines = [*([header] if header else []), *cells]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(padded).rstrip())


def wrote_json(path: Path | None, make: Callable[[], str]) -> bool:
    """Write JSON where it was asked for; return whether that was the screen.

    Raises
    ------
    CatalogError
        If the file cannot be written.
    """
    if path is None:
        return False
    if str(path) == "-":
        print(make())
        return True
    try:
        path.write_text(make() + "\n", encoding="utf-8")
    except OSError as error:
        raise CatalogError(
            f"The result cannot be written to {path}.",
            detail=str(error.strerror),
            hint="Name another file, or - for the screen.",
        ) from None
    return False


def fit(result: Fit) -> None:
    """Print a fit."""
    options, certificate = result.options, result.certificate
    print(f"{result.law.label}: {result.law.response} = {result.law.formula}")
    print(f"{counted(result.n_rows, 'row')} of {result.table_id}, objective {options.objective}")
    print()
    estimates = parameter_estimates(result)
    rows(
        [
            (
                item.name,
                f"{item.value:.6g}",
                "" if item.standard_error is None else f"{item.standard_error:.3g}",
                ""
                if item.lower is None or item.upper is None
                else f"{item.lower:.4g} to {item.upper:.4g}",
            )
            for item in estimates
        ],
        header=("parameter", "value", "std. error", "90% interval"),
    )
    print()
    print(estimates[0].basis)
    print(
        f"Objective {result.objective_value:.10g}; {certificate.share_at_optimum:.0%} of "
        f"{certificate.n_starts} starts reached it, "
        f"{counted(certificate.n_minima, 'minimum', 'minima')} found."
    )
    notices(result.notices)


def predictions(
    runs: Sequence[Mapping[str, float]],
    losses: NDArray[np.float64],
    found: Band | None,
    reason: str,
    result: Fit,
) -> None:
    """Print what a fit predicts, one line a run, with the band or why there is none."""
    names = [
        " ".join(f"{symbol}={format_number(value)}" for symbol, value in run.items())
        for run in runs
    ]
    values = [f"{loss:.4f}" for loss in losses]
    if found is None:
        rows(list(zip(names, values, strict=True)), header=("run", result.law.response))
        print(f"\nNo interval: {reason} Add --bootstrap 1000.")
    else:
        spans = [
            f"{lower:.4f} to {upper:.4f}"
            for lower, upper in zip(found.lower, found.upper, strict=True)
        ]
        where = ["beyond the fitted rows" if outside else "" for outside in found.is_extrapolation]
        rows(
            list(zip(names, values, spans, where, strict=True)),
            header=("run", result.law.response, f"{found.level:.0%} {found.kind}", ""),
        )
    notices(result.notices)


def plan(best: Plan, result: Fit, accelerator: Accelerator) -> None:
    """Print a plan."""
    cost = best.cost
    rows(
        [
            ("parameters", format_number(best.params), _span(best.params_interval)),
            ("tokens", format_number(best.tokens), _span(best.tokens_interval)),
            ("tokens per parameter", format_number(best.tokens_per_param), ""),
            (f"predicted {result.law.response}", f"{best.loss:.4f}", _span(best.loss_interval, 4)),
            ("compute", format_quantity(best.compute_flop, "flop"), ""),
            ("accelerators", f"{cost.accelerators:,} {accelerator.label}", ""),
            ("wall time", format_quantity(cost.wall_time_s, "seconds"), ""),
            ("accelerator-hours", format_number(cost.accelerator_hours), ""),
            ("money", "no price" if cost.usd is None else format_quantity(cost.usd, "usd"), ""),
            ("energy", _energy(cost.energy_j), ""),
            ("storage", format_quantity(best.storage.total_bytes, "bytes"), ""),
        ]
    )
    if best.interval_reason:
        print(f"\nNo intervals: {best.interval_reason} Add --bootstrap 1000.")
    notices((*result.notices, *best.notices))


def notices(found: Sequence[Notice]) -> None:
    """Print soft findings on standard error."""
    for notice in found:
        print(f"{notice.severity}: {notice.text} {notice.remedy} [{notice.code}]", file=sys.stderr)


def problems(found: Sequence[Problem]) -> None:
    """Print the cells that could not be used on standard error."""
    for problem in found[:MAX_PROBLEMS]:
        print(f"left out: {problem}", file=sys.stderr)
    if len(found) > MAX_PROBLEMS:
        print(f"left out: {len(found) - MAX_PROBLEMS:,} more like these", file=sys.stderr)


def _span(interval: Interval | None, decimals: int | None = None) -> str:
    if interval is None:
        return ""
    if decimals is None:
        ends = f"{format_number(interval.lower)} to {format_number(interval.upper)}"
    else:
        ends = f"{interval.lower:.{decimals}f} to {interval.upper:.{decimals}f}"
    return f"{ends} at {interval.level:.0%}"


def _energy(joules: float | None) -> str:
    return "unknown" if joules is None else format_quantity(joules, "joules")


def backtest(found: Sequence[BacktestRow]) -> None:
    """Print how every law did on held-out rows, the best first for each table."""
    order = sorted(found, key=lambda row: (row.dataset, not row.is_complete, row.mean_abs_error))
    rows(
        [
            (
                row.dataset,
                row.law,
                row.objective,
                f"{row.groups_predicted}/{row.groups}",
                str(row.rows_predicted),
                *(f"{value:.2%}" for value in (row.mean_abs_error, row.bias)),
                f"{row.coverage:.0%}",
            )
            for row in order
        ],
        ("table", "law", "objective", "families", "rows", "error", "bias", "in 90% interval"),
    )
