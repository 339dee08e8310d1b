"""Simulate tables, fit them, and count how often each 90% band holds what it is a band of.

``python -m benchmarks.coverage --tables 1000 --write`` rewrites ``data/coverage.csv``, which the
app shows. About twenty minutes on one idle core; ``--settings``, ``--objectives`` and ``--targets``
measure some and keep the others.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.fitting import Fit, FitOptions, band, fit
from isoflop.fitting.result import Band
from isoflop.laws import load_laws
from isoflop.planning.frontier import compute_optimal, frontier
from isoflop.tables.schema import LossTable, Provenance

LEVEL = 0.9
N_DRAWS = 199
TRUTH = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37}
TARGETS = {"inside": (1e9, 2e10), "10x": (1e10, 2e11), "1000x": (1e11, 2e12)}
SIZE_TARGETS = {"size_10x": "10x", "size_1000x": "1000x"}
"""The compute-optimal size at the compute of those runs."""
OUTPUT = Path(__file__).resolve().parents[2] / "data" / "coverage.csv"
COLUMNS = (
    *("setting", "n_rows", "n_runs", "objective", "band", "target", "n_tables", "n_without_band"),
    *("coverage", "relative_width", "prediction_coverage"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One kind of table.

    Parameters
    ----------
    label : str
    n_rows, n_runs : int
        Rows, and runs that they belong to (as many as rows where they are independent).
    noise, run_noise : float
        Standard deviation of the log loss of a row, and of what a run's rows share.
    outlier_share : float
        Share of rows whose loss is raised by up to a third or so.
    """

    label: str
    n_rows: int
    n_runs: int
    noise: float = 0.01
    run_noise: float = 0.0
    outlier_share: float = 0.0

    @property
    def is_clustered(self) -> bool:
        """Whether several rows come from one run."""
        return self.n_runs < self.n_rows

    def scatter(self, random: np.random.Generator, run: NDArray[np.int64]) -> NDArray[np.float64]:
        """Draw how far the log loss of rows of some runs lies off the law, shape (n,)."""
        off = self.noise * random.standard_normal(len(run))
        off += self.run_noise * random.standard_normal(int(run.max()) + 1)[run]
        is_outlier = random.random(len(run)) < self.outlier_share
        return np.asarray(off + is_outlier * np.abs(0.15 * random.standard_normal(len(run))))


SETTINGS = (
    Setting(label="15 rows, 1% noise", n_rows=15, n_runs=15),
    Setting(label="30 rows, 1% noise", n_rows=30, n_runs=30),
    Setting(label="60 rows, 3% noise", n_rows=60, n_runs=60, noise=0.03),
    Setting(label="245 rows, 1% noise", n_rows=245, n_runs=245),
    Setting(label="100 rows, 5% outliers", n_rows=100, n_runs=100, outlier_share=0.05),
    Setting(label="20 runs of 6 rows", n_rows=120, n_runs=20, noise=0.004, run_noise=0.008),
)


def simulate(setting: Setting, random: np.random.Generator) -> LossTable:
    """Draw one table: sizes 40M to 10B, 3 to 150 tokens a parameter."""
    run = np.repeat(np.arange(setting.n_runs), setting.n_rows // setting.n_runs)
    params = np.exp(random.uniform(np.log(4e7), np.log(1e10), setting.n_runs))[run]
    tokens = params * np.exp(random.uniform(np.log(3), np.log(150), setting.n_rows))
    law = load_laws()["chinchilla"]
    truth = law.loss(list(TRUTH.values()), {"N": params, "D": tokens})
    loss = truth * np.exp(setting.scatter(random, run))
    frame = pd.DataFrame({"params": params, "tokens": tokens, "loss": loss})
    if setting.is_clustered:
        frame["run_id"] = [f"run {i}" for i in run]
    return LossTable(id="simulated", frame=frame, provenance=Provenance(title="Simulated"))


def methods(setting: Setting) -> Iterator[tuple[str, FitOptions]]:
    """Yield the bands that are measured: name and options."""
    yield "Bayesian bootstrap", FitOptions(n_bootstrap=N_DRAWS, bootstrap="smooth")
    if not setting.is_clustered:
        yield "residual covariance", FitOptions(objective="least_squares_log")
        yield (
            "Bayesian bootstrap",
            FitOptions(objective="least_squares_log", n_bootstrap=N_DRAWS, bootstrap="smooth"),
        )
        return
    yield "cluster bootstrap", FitOptions(n_bootstrap=N_DRAWS, bootstrap="clusters")
    yield (
        "wild cluster bootstrap",
        FitOptions(objective="least_squares_log", n_bootstrap=N_DRAWS, bootstrap="wild"),
    )


Key = tuple[str, str]
"""An objective, and how its band is made."""


class Tally:
    """What the bands of one setting held, table by table."""

    def __init__(self, targets: Sequence[str]) -> None:
        law = load_laws()["chinchilla"]
        self.asks_loss = not TARGETS.keys().isdisjoint(targets)
        sizes, tokens = (np.array(values) for values in zip(*TARGETS.values(), strict=True))
        self.points = {"N": sizes, "D": tokens}
        self.truth = law.loss(list(TRUTH.values()), self.points)
        self.flop = np.array([6 * np.prod(TARGETS[name]) for name in SIZE_TARGETS.values()])
        self.sizes = compute_optimal(law, list(TRUTH.values()), self.flop).params
        self.held_size: dict[Key, list[NDArray[np.bool_]]] = defaultdict(list)
        self.size_widths: dict[Key, list[NDArray[np.float64]]] = defaultdict(list)
        self.keys: dict[Key, None] = {}
        self.held: dict[Key, list[NDArray[np.bool_]]] = defaultdict(list)
        self.held_new: dict[Key, list[NDArray[np.bool_]]] = defaultdict(list)
        self.widths: dict[Key, list[NDArray[np.float64]]] = defaultdict(list)
        self.missing: dict[Key, int] = defaultdict(int)

    def add(self, key: Key, found: Fit, new_loss: NDArray[np.float64]) -> None:
        """Count one fit; ``new_loss`` is that of a run of each target, shape (n_targets,)."""
        self.keys.setdefault(key)
        if self.asks_loss:
            mean = band(found, self.points, LEVEL)
            single = band(found, self.points, LEVEL, "prediction")
            self.held[key].append(_holds(mean, self.truth))
            self.held_new[key].append(_holds(single, new_loss))
            self.widths[key].append((mean.upper - mean.lower) / self.truth)
        if found.draws is not None:
            size = frontier(found, self.flop, level=LEVEL).params_band
            assert size is not None
            self.held_size[key].append(_holds(size, self.sizes))
            self.size_widths[key].append((size.upper - size.lower) / self.sizes)

    def rows(self, setting: Setting, n_tables: int) -> Iterator[dict[str, object]]:
        """Yield one row a kind of band and target."""
        for key in self.keys:
            about: dict[str, object] = {
                "setting": setting.label,
                "n_rows": setting.n_rows,
                "n_runs": setting.n_runs,
                "objective": key[0],
                "band": key[1],
                "n_tables": n_tables,
            }
            for i, target in enumerate(SIZE_TARGETS if self.held_size[key] else ()):
                widths = np.array(self.size_widths[key])[:, i]
                yield about | {
                    "target": target,
                    "n_without_band": self.missing[key] + int(np.isnan(widths).sum()),
                    "coverage": round(
                        float(np.array(self.held_size[key])[~np.isnan(widths), i].mean()), 4
                    ),
                    "relative_width": round(float(np.nanmedian(widths)), 5),
                    "prediction_coverage": "",
                }
            for i, target in enumerate(TARGETS if self.asks_loss else ()):
                yield about | {
                    "target": target,
                    "n_without_band": self.missing[key],
                    "coverage": round(float(np.mean(self.held[key], axis=0)[i]), 4),
                    "relative_width": round(float(np.median(self.widths[key], axis=0)[i]), 5),
                    "prediction_coverage": round(float(np.mean(self.held_new[key], axis=0)[i]), 4),
                }


def _holds(found: Band, value: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray((found.lower <= value) & (value <= found.upper))


def measure(
    setting: Setting, n_tables: int, seed: int, objectives: Sequence[str], targets: Sequence[str]
) -> list[dict[str, object]]:
    """Fit ``n_tables`` simulated tables in every way under some objectives, and count."""
    law, tally = load_laws()["chinchilla"], Tally(targets)
    random = np.random.default_rng([seed, SETTINGS.index(setting)])
    new_runs = np.arange(len(TARGETS))
    for number in range(n_tables):
        table = simulate(setting, random)
        new_loss = tally.truth * np.exp(setting.scatter(random, new_runs))
        for name, options in methods(setting):
            if options.objective not in objectives:
                continue
            if not (tally.asks_loss or options.n_bootstrap):
                continue
            key = (options.objective, name)
            try:
                tally.add(key, fit(law, table, options), new_loss)
            except FitError:
                tally.missing[key] += 1
        if (number + 1) % 100 == 0:
            print(f"  {setting.label}: {number + 1} tables", flush=True)
    return list(tally.rows(setting, n_tables))


def written(rows: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """Rewrite the file with some rows measured anew, the others as they were."""

    def what(row: dict[str, object]) -> tuple[object, ...]:
        return tuple(row[name] for name in ("setting", "objective", "band", "target"))

    fresh = set(map(what, rows))
    with OUTPUT.open(encoding="utf-8", newline="") as file:
        before = list(csv.DictReader(file))
    kept = [row for row in before if what(dict(row)) not in fresh]
    order = [setting.label for setting in SETTINGS]
    every = sorted(
        [*kept, *rows], key=lambda row: (order.index(str(row["setting"])), str(row["objective"]))
    )
    with OUTPUT.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(every)
    return every


def main() -> None:
    """Measure and print; write the table if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=100, help="simulated tables a setting")
    parser.add_argument("--seed", type=int, default=20261125)
    parser.add_argument("--settings", type=int, nargs="*", default=range(len(SETTINGS)))
    parser.add_argument("--objectives", nargs="*", default=("huber_log", "least_squares_log"))
    every = (*TARGETS, *SIZE_TARGETS)
    parser.add_argument("--targets", nargs="*", choices=every, default=every)
    parser.add_argument("--write", action="store_true", help="rewrite data/coverage.csv")
    options = parser.parse_args()
    begin = time.process_time()
    for number in options.settings:
        setting = SETTINGS[number]
        rows = measure(setting, options.tables, options.seed, options.objectives, options.targets)
        rows = [row for row in rows if row["target"] in options.targets]
        print(pd.DataFrame(rows).to_string(index=False), flush=True)
        if options.write:
            written(rows)
    print(f"{time.process_time() - begin:.0f} CPU seconds")


if __name__ == "__main__":
    main()
