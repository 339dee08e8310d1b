"""Say how well planning's sums predict what was measured, with sources kept back.

``python -m benchmarks.planning --write`` rewrites ``data/planning_errors.csv``, which the app
reads, and the tables of ``docs/planning.md`` between its marks. Some seconds.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.planning import failures, serving
from isoflop.data import data_root
from isoflop.planning.measured_errors import COLUMNS, ERRORS_FILE, MeasuredError
from isoflop.planning.measured_steps import load_measured_steps
from isoflop.planning.step_fit import fit_steps

Array = NDArray[np.float64]

DOCS = Path(__file__).parents[2] / "docs" / "planning.md"
START, END = "<!-- benchmarks.planning -->\n", "<!-- end -->\n"

KEPT_BACK = {
    "nothing": "nothing",
    "tenth": "every tenth step",
    "source": "a whole source",
    "class": "a whole class of accelerators",
}


def _error(what: str, kept_back: str, off: Array, ideal: Array | None = None) -> MeasuredError:
    sizes = np.abs(off)
    return MeasuredError(
        what=what,
        kept_back=kept_back,
        n_rows=len(off),
        median=round(float(np.median(sizes)), 4),
        p90=round(float(np.quantile(sizes, 0.9)), 4),
        bias=round(float(np.median(off)), 4),
        ideal_median=None if ideal is None else round(float(np.median(np.abs(ideal))), 4),
        made=datetime.now(UTC).date().isoformat(),
    )


def step_errors() -> Iterator[MeasuredError]:
    """Yield the errors of the time of a training step."""
    for kept_back, ratios in fit_steps(load_measured_steps()).ratios.items():
        off = np.expm1(ratios)
        yield _error("a training step", KEPT_BACK[kept_back], off)


def failure_errors() -> Iterator[MeasuredError]:
    """Yield the errors of failure rates and goodput."""
    rates = np.expm1(failures.rate_log_errors())
    yield _error("failures a device-hour", "the system itself", rates)
    points = failures.formula_errors()
    yield _error("goodput against a simulation (points)", "nothing fitted", points)
    misses = np.array([found.miss for found in failures.goodputs()])
    yield _error("published goodput (points)", "nothing fitted to goodput", misses)


def serving_errors() -> Iterator[MeasuredError]:
    """Yield the errors of serving speeds."""
    rows = serving.load_rows()
    alone = [row for row in rows if not row.is_full_load]
    full = [row for row in rows if row.is_full_load]
    bf16 = [row for row in alone if row.weights == "bf16"]
    for what, chosen in (
        ("one sequence, BF16", bf16),
        ("one sequence, all number formats", alone),
        ("full load", full),
    ):
        off, ideal = serving.log_errors(chosen), serving.ideal_log_errors(chosen)
        yield _error(what, "nothing, as shipped", np.expm1(off), np.expm1(ideal))
    for what, kept_back, chosen, key in (
        ("one sequence, all number formats", "a whole source", alone, _group),
        ("one sequence, all number formats", "a whole model", alone, _model),
        ("full load", "a whole source", full, _group),
        ("full load", "a whole model", full, _model),
        ("full load", "a whole accelerator", full, _device),
    ):
        off = serving.held_out_log_errors(chosen, key)
        yield _error(what, kept_back, np.expm1(off[np.isfinite(off)]))


def _group(row: serving.Served) -> str:
    return row.group


def _model(row: serving.Served) -> str:
    return row.model_name


def _device(row: serving.Served) -> str:
    return row.device


def all_errors() -> list[MeasuredError]:
    """Return every error, in the order of the tables."""
    return [*step_errors(), *failure_errors(), *serving_errors()]


def markdown(errors: Sequence[MeasuredError]) -> str:
    """Return the tables for the documentation."""
    lines = [f"Measured by `python -m benchmarks.planning --write` on {errors[0].made}.", ""]
    lines += [
        "| What | Kept back | Rows | Median error | 90th percentile | Bias | Plain roofline |"
    ]
    lines += ["|---|---|---|---|---|---|---|"]
    for found in errors:
        ideal = "" if found.ideal_median is None else f"{found.ideal_median:.0%}"
        cells = (found.what, found.kept_back, f"{found.n_rows}", f"{found.median:.1%}",
                 f"{found.p90:.1%}", f"{found.bias:+.1%}", ideal)  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| Goodput of | Published | Predicted | At published rates | Off |"]
    lines += ["|---|---|---|---|---|"]
    for system in failures.goodputs():
        cells = (system.label, system.published, f"{system.predicted:.1%}",
                 f"{system.lower:.1%} to {system.upper:.1%}",
                 f"{system.miss:+.1%}" if system.miss else "inside")  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and print; write the file and the documentation if asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="rewrite the errors and the tables")
    options = parser.parse_args()
    errors = all_errors()
    text = markdown(errors)
    print(text)
    if not options.write:
        return
    with (data_root() / ERRORS_FILE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(asdict, errors))
    page = DOCS.read_text(encoding="utf-8")
    pattern = re.compile(f"{re.escape(START)}.*?{re.escape(END)}", re.DOTALL)
    DOCS.write_text(pattern.sub(lambda _: f"{START}{text}{END}", page), encoding="utf-8")


if __name__ == "__main__":
    main()
