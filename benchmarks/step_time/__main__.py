"""Fit the time of a training step to published measurements; say how well it predicts others.

``python -m benchmarks.step_time --write`` rewrites ``data/step_time/constants.toml`` and
``errors.csv`` from ``measured.csv``, and what whole runs make of tuned steps from
``published_runs.toml``. A few seconds; the second part goes by the constants on disk, so that after
a change of the steps it is run twice.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np

from isoflop.data import data_root
from isoflop.planning.measured_steps import load_measured_steps
from isoflop.planning.runs import hours_over_published
from isoflop.planning.step_constants import (
    CONSTANTS_FILE,
    ERRORS_FILE,
    INTERVAL_LEVEL,
    load_step_classes,
)
from isoflop.planning.step_fit import NAMES, StepFit, fit_steps
from isoflop.planning.whole_runs import WholeRuns, fit_whole_runs

HEAD = """\
# Written by python -m benchmarks.step_time --write; do not edit. Of each constant the value, and
# the least and the largest with any one source left out. Intervals: between which shares of the
# predicted time the middle of the measured times lay, predicted without their source (without
# their class: "nearest"). whole_runs: share of the speed of tuned steps that published runs made,
# and between which multiples of the hours so planned the middle of the published hours lay;
# large_lower: the lower end for runs of 2e24 FLOP or more, from those alone.
"""


def toml_lines(fitted: StepFit, whole: WholeRuns, date: str) -> Iterator[str]:
    """Yield the lines of the file of constants."""
    yield f'source = "{len(fitted.rows.groups)} measured steps with sources: measured.csv"'
    yield f'retrieved = "{date}"'
    for trust, (lower, upper, n_rows) in fitted.intervals.items():
        yield f"\n[intervals.{trust}]\nlevel = {INTERVAL_LEVEL}"
        yield f"lower = {lower:.4f}\nupper = {upper:.4f}\nn_rows = {n_rows}"
    yield f"\n[whole_runs]\nshare = {whole.share:.4f}"
    yield f"lower = {whole.lower:.4f}\nupper = {whole.upper:.4f}"
    yield f"large_lower = {np.floor(1e4 * whole.large_lower) / 1e4:.4f}"
    yield f"n_runs = {whole.n_runs}\nn_sources = {whole.n_sources}\nn_large = {whole.n_large}"
    low, high = np.exp(fitted.spread)
    for number, (key, constants) in enumerate(fitted.constants.items()):
        yield f"\n[classes.{key}]"
        for column, name in enumerate(NAMES):
            value = getattr(constants, name)
            lower, upper = low[number, column], high[number, column]
            yield f"{name} = {{ value = {value:.4f}, lower = {lower:.4f}, upper = {upper:.4f} }}"


def main() -> None:
    """Fit and print; write the files if asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="rewrite the constants and errors")
    options = parser.parse_args()
    fitted = fit_steps(load_measured_steps())
    whole = fit_whole_runs(*hours_over_published())
    text = "\n".join(toml_lines(fitted, whole, datetime.now(UTC).date().isoformat()))
    errors = fitted.errors()
    print(text, errors.to_string(index=False), sep="\n\n")
    for key, item in load_step_classes().items():
        n_rows = int(np.sum(fitted.rows.classes == list(load_step_classes()).index(key)))
        print(f"{item.label}: {n_rows} steps")
    if options.write:
        (data_root() / CONSTANTS_FILE).write_text(f"{HEAD}{text}\n", encoding="utf-8")
        errors.to_csv(data_root() / ERRORS_FILE, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
