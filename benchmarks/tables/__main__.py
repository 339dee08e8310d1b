"""Measure reading against ``pandas.read_csv`` alone: ``python -m benchmarks.tables``.

A learning-curve CSV of a million rows (200 runs of 5,000 steps) is read, mapped and validated. CPU
seconds of one process, the best of several, both sides taking turns; peak memory of a process each.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from isoflop.tables import quality_report, read_table, reduce_curves

ROWS, RUNS = 1_000_000, 200
PEAK = """
import re, sys
{code}
# Not from getrusage, whose peak starts at that of the process which started this one.
print(int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024)
"""
PANDAS = "import pandas as pd; frame = pd.read_csv(sys.argv[1])"
ISOFLOP = "from isoflop.tables import read_table; result = read_table(sys.argv[1])"


def learning_curves(rows: int, *, with_text: bool = False) -> bytes:
    """Return a CSV of learning curves; with text, one cell in a thousand holds a unit."""
    rng = np.random.default_rng(0)
    steps = rows // RUNS
    params = np.repeat((10 ** rng.uniform(7, 10, RUNS)).astype(np.int64), steps)
    step = np.tile(np.arange(1, steps + 1) * 100, RUNS)
    tokens = step * 524_288
    loss = 1.8 + 480 / params**0.347 + 2100 / tokens**0.367 + rng.normal(0, 0.01, len(step))
    frame = pd.DataFrame(
        {
            "run": [f"run-{run:03d}" for run in np.repeat(np.arange(RUNS), steps)],
            "step": step,
            "n_params": params,
            "tokens": tokens,
            "val_loss": loss,
        }
    )
    if with_text:
        frame["tokens"] = frame["tokens"].astype("str")
        frame.loc[::1000, "tokens"] += " tokens"
    buffer = io.BytesIO()
    frame.to_csv(buffer, index=False)
    return buffer.getvalue()


def best_cpu(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Return the least CPU seconds of each call, all taking turns."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(repeats):
        for name, call in calls.items():
            begin = time.process_time()
            call()
            best[name] = min(best[name], time.process_time() - begin)
    return best


def peak_mb(code: str, path: Path) -> float:
    """Return the peak memory of a process that runs ``code`` on a file."""
    command = [sys.executable, "-c", PEAK.format(code=code), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    data = learning_curves(arguments.rows)
    print(f"{arguments.rows:,} rows, {len(data) / 1e6:.0f} MB\n")
    times = best_cpu(
        {
            "pandas.read_csv": lambda: pd.read_csv(io.BytesIO(data)),
            "isoflop.read_table": lambda: read_table(data, name="runs.csv").table.fingerprint,
        },
        arguments.repeats,
    )
    pandas, ours = times["pandas.read_csv"], times["isoflop.read_table"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.csv"
        path.write_bytes(data)
        peaks = [peak_mb(code, path) for code in (PANDAS, ISOFLOP)]
    print(f"{'':34}{'CPU s':>8}{'ratio':>8}{'peak MB':>9}")
    print(f"{'pandas.read_csv alone':34}{pandas:8.3f}{1:8.2f}{peaks[0]:9.0f}")
    print(f"{'read, map, validate, fingerprint':34}{ours:8.3f}{ours / pandas:8.2f}{peaks[1]:9.0f}")

    table = read_table(data, name="runs.csv").table
    mixed = learning_curves(arguments.rows, with_text=True)
    rest = best_cpu(
        {
            "one row of each run (last)": lambda: reduce_curves(table, "last"),
            "quality report": lambda: quality_report(table),
            "pandas, a column of text": lambda: pd.read_csv(io.BytesIO(mixed)),
            "read, a column of text": lambda: read_table(mixed, name="runs.csv"),
        },
        max(arguments.repeats // 2, 1),
    )
    for name, seconds in rest.items():
        print(f"{name:34}{seconds:8.3f}")


if __name__ == "__main__":
    main()
