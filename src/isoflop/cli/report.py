"""What is printed: results on standard output, all else on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import CatalogError, IsoflopError
from isoflop.fitting import Band, Fit
from isoflop.fitting.before_after import before_and_after
from isoflop.fitting.extrapolation import pool_of_fit, predict_with
from isoflop.notices import Notice, is_serious
from isoflop.planning import Plan
from isoflop.planning.outlook import Outlook
from isoflop.planning.planned import Planned
from isoflop.tables import LossTable, Problem
from isoflop.text import aligned, notice_lines
from isoflop.units import counted, format_number

MAX_PROBLEMS = 10
EXIT_NOTICES = 3
"""Exit status of a serious notice under ``--strict``."""


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
    print(aligned(cells, header))


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
    print(result.summary(notices=False))
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
        print(f"\nNo interval: {reason} Add --bootstrap 1000 for one.")
    else:
        spans = [
            f"{lower:.4f} to {upper:.4f}"
            for lower, upper in zip(found.lower, found.upper, strict=True)
        ]
        where = ["beyond the data" if outside else "" for outside in found.is_extrapolation]
        rows(
            list(zip(names, values, spans, where, strict=True)),
            header=("run", result.law.response, f"{found.level:.0%} {found.kind}", ""),
        )
    notices(result.notices)


def beyond(result: Fit, inputs: Mapping[str, NDArray[np.float64]]) -> None:
    """Print the band of one law with the distance from the rows, if it can be had."""
    if result.table is None or result.law.response != "loss":
        return
    with suppress(IsoflopError):
        ahead = predict_with(pool_of_fit(result, result.table), inputs)
        print("\nWith the distance beyond the data allowed for:")
        for point in range(len(ahead.centre)):
            print(f"  {ahead.verdict(point)}")


def plan(best: Plan, found: Planned, seen: Outlook) -> None:
    """Print what is to be believed of a plan with its serious notices, then the plan."""
    if seen.ahead is not None or seen.reason:
        print(f"{seen.summary()}\n", flush=True)
    serious = [one for one in found.notices if is_serious(one)]
    notices(serious)
    print(best.summary(notices=False), flush=True)
    if best.interval_reason and found.fit.certificate.n_starts:
        print("Add --bootstrap 1000 for intervals.")
    reading = None if found.fit.table is None else found.fit.table.reading
    said = {*serious, *(reading.notices if reading else ())}
    notices([one for one in found.notices if one not in said])


def parts(found: Planned, names: Sequence[str], asked: Mapping[str, Any]) -> None:
    """Print parts of what follows from a plan, or why there is none."""
    for name in names:
        try:
            texts = [sheet.summary() for sheet in found.sheets(name, **asked)]
        except IsoflopError as problem:
            texts = [f"No {name}: {problem}"]
        for text in texts:
            print(f"\n{text}")


def folder(path: Path) -> Path:
    """Return a folder that is there, made if it was not.

    Raises
    ------
    CatalogError
        If it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CatalogError(
            f"The folder {path} cannot be made.",
            detail=str(error.strerror),
            hint="Name another one.",
        ) from None
    return path


def notices(found: Sequence[Notice]) -> None:
    """Print soft findings on standard error."""
    for line in notice_lines(found):
        print(line, file=sys.stderr)


def status(is_strict: bool, result: Fit, *more: Notice) -> int:
    """Return the exit status of a result: that of a serious notice, if it is to count.

    Parameters
    ----------
    is_strict : bool
    result : Fit
        Whose notices, and those of how its table was read, count.
    *more : Notice
        Of what was made of it.
    """
    reading = None if result.table is None else result.table.reading
    found = [*(reading.notices if reading else ()), *result.notices, *more]
    serious = list(dict.fromkeys(n.code for n in found if n.severity == "serious"))
    if not (is_strict and serious):
        return 0
    print(f"isoflop: --strict: serious notices ({', '.join(serious)})", file=sys.stderr)
    return EXIT_NOTICES


def left_out(before: Fit, after: Fit) -> None:
    """Print on standard error which rows notices name, and the fit with and without them."""
    if after is before:
        print("left out: nothing, no notice names a row", file=sys.stderr)
    else:
        print(f"{before_and_after(before, after)}\n", file=sys.stderr)


def rows_fitted(table: LossTable) -> None:
    """Print on standard error which rows of a table are fitted, and why the others are not."""
    n_rows = len(table.frame) if table.reading is None else table.reading.n_rows
    n_fitted = len(table.included())
    why = []
    if "exclusion_reason" in table.frame:
        out = table.frame["is_excluded"].astype(bool)
        counts = table.frame.loc[out, "exclusion_reason"].value_counts()
        why = [f"{reason}: {count:,}" for reason, count in counts.head(3).items()]
    text = f"fitted: {n_fitted:,} of {counted(n_rows, 'row')}"
    print(f"{text} (left out: {'; '.join(why)})" if why else text, file=sys.stderr)


def problems(found: Sequence[Problem]) -> None:
    """Print the cells that could not be used on standard error."""
    for problem in found[:MAX_PROBLEMS]:
        print(f"left out: {problem}", file=sys.stderr)
    if len(found) > MAX_PROBLEMS:
        print(f"left out: {len(found) - MAX_PROBLEMS:,} more like these", file=sys.stderr)
