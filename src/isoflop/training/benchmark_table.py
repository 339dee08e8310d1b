"""Rebuild the benchmark table that ships: ``python -m isoflop.training.benchmark_table``.

Five families, five widths and five budgets each, and three seeds at one width, trained on the
sources of Python's standard library. It can be stopped (Ctrl-C, or killed) and started again: what
is trained stays trained.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
from datetime import UTC, datetime
from pathlib import Path

from isoflop.data import data_root
from isoflop.language import lazy_gettext as _
from isoflop.training.config import FAMILY_DEFAULTS, RunConfig
from isoflop.training.ladder import LadderGrid, ladder_rows, rows_to_csv, work_off
from isoflop.training.queue import RunQueue
from isoflop.training.runs import Run, default_root

DATASET = "isoflop-ladder"
BUDGETS = tuple(2**exponent for exponent in range(17, 22))
SEED_WIDTH = 32
EXTRA_SEEDS = (1, 2)
WIDTHS = {
    "dense": (16, 24, 32, 48, 64),
    "rnn": (16, 24, 32, 64, 96),
    "rnn_attention": (16, 24, 32, 48, 64),
    "lstm": (16, 24, 32, 64, 96),
    "transformer": (16, 24, 32, 48, 64),
}


def benchmark_configs() -> list[RunConfig]:
    """List every run of the table."""
    found = []
    for family in FAMILY_DEFAULTS:
        grid = LadderGrid(families=(family,), widths=WIDTHS[family], token_budgets=BUDGETS)
        seeds = LadderGrid(
            families=(family,), widths=(SEED_WIDTH,), token_budgets=BUDGETS, seeds=EXTRA_SEEDS
        )
        found += grid.configs() + seeds.configs()
    return found


def write_dataset(runs: list[Run], folder: Path) -> None:
    """Write the table, its description and the configuration of every run."""
    rows = ladder_rows(runs)
    for row in rows:
        row["run_id"] = f"{row['family']}-w{row['width']}-s{row['seed']}"
    rows.sort(key=lambda row: (row["family"], row["width"], row["seed"], row["tokens"]))
    content = rows_to_csv(rows)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.csv").write_text(content, encoding="utf-8")
    history = runs[0].history()
    corpus, environment = history.fact("corpus") or {}, history.fact("environment") or {}
    record = {
        "built": datetime.now(UTC).date().isoformat(),
        "table_sha256": hashlib.sha256(content.encode()).hexdigest(),
        "corpus": {key: corpus[key] for key in ("source", "fingerprint", "n_bytes", "vocab_size")},
        "versions": {key: environment[key] for key in ("python", "torch", "isoflop")},
        "machine": {
            "system": environment["machine"],
            "cpu_capability": environment["cpu_capability"],
            "processor": platform.processor() or platform.machine(),
        },
        "configurations": [run.config().to_dict() for run in runs],
    }
    (folder / "runs.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Train what is missing and write the data set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=default_root() / "benchmark-table")
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--output", type=Path, default=data_root() / "datasets" / DATASET)
    options = parser.parse_args(arguments)
    printed: set[str] = set()

    def report(runs: list[Run]) -> None:
        finished = [run for run in runs if run.state().status == "finished"]
        for run in finished:
            if run.id not in printed:
                printed.add(run.id)
                losses = [
                    f"{point['nats_per_byte']:.4f}" for point in run.history().of_kind("point")
                ]
                print(
                    f"{len(printed)}/{len(runs)} {run.config().label}: {' '.join(losses)}",
                    flush=True,
                )

    runs = work_off(
        RunQueue(options.root), benchmark_configs(), n_workers=options.workers, report=report
    )
    write_dataset(runs, options.output)
    print(_("Wrote {output}.", output=options.output))


if __name__ == "__main__":
    main()
