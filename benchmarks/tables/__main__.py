"""Measure reading against ``pandas.read_csv`` alone: ``python -m benchmarks.tables``.

A learning-curve CSV of a million rows (200 runs of 5,000 steps) is read, mapped and validated. CPU
seconds of one process, the best of several, both sides taking turns; peak memory of a process each.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import measured
from benchmarks.measured import Growth, Measured, Row
from isoflop.tables import quality_report, read_table, reduce_curves

RUNS = 200
SIZES = (1_000, 10_000, 100_000, 1_000_000)
TARGET = 2.0
"""How much longer reading and checking a table may take than pandas takes to read it."""
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


def measure(is_short: bool) -> Iterator[Measured]:
    """Yield reading, mapping and checking against pandas, and how reading grows with rows."""
    sizes, repeats = (SIZES[:2], 1) if is_short else (SIZES, 7)
    data = learning_curves(sizes[-1])
    size = f"{sizes[-1]:,} rows"
    times = best_cpu(
        {
            "pandas": lambda: pd.read_csv(io.BytesIO(data)),
            "ours": lambda: read_table(data, name="runs.csv").table.fingerprint,
        },
        repeats,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.csv"
        path.write_bytes(data)
        peaks = [peak_mb(code, path) for code in (PANDAS, ISOFLOP)]
    peer = "pandas.read_csv alone"
    yield Row(
        task=f"read, map, validate, fingerprint {size}",
        value=times["ours"],
        unit="CPU s",
        peer=peer,
        peer_value=times["pandas"],
        at_most=TARGET,
    )
    yield Row(
        task=f"peak memory of that, {size}",
        value=peaks[1],
        unit="MB",
        peer=peer,
        peer_value=peaks[0],
    )
    table = read_table(data, name="runs.csv").table
    mixed = learning_curves(sizes[-1], with_text=True)
    rest = best_cpu(
        {
            "one row of each run (last)": lambda: reduce_curves(table, "last"),
            "quality report": lambda: quality_report(table),
            "read, a column of text": lambda: read_table(mixed, name="runs.csv"),
            "pandas": lambda: pd.read_csv(io.BytesIO(mixed)),
        },
        max(repeats // 2, 1),
    )
    pandas_s = rest.pop("pandas")
    for name, seconds in rest.items():
        is_read = name.startswith("read")
        yield Row(
            task=f"{name}, {size}",
            value=seconds,
            unit="CPU s",
            peer=peer if is_read else "",
            peer_value=pandas_s if is_read else None,
        )
    yield growth(sizes, max(repeats // 2, 1))


def growth(sizes: tuple[int, ...], repeats: int) -> Growth:
    """Return how reading grows with the number of rows."""
    files = {size: learning_curves(size) for size in sizes}
    calls = {
        str(size): lambda data=data: read_table(data, name="runs.csv").table.fingerprint
        for size, data in files.items()
    }
    return Growth(
        task="reading a table",
        along="rows",
        at=sizes,
        cpu_s=tuple(best_cpu(calls, repeats).values()),
    )


if __name__ == "__main__":
    measured.main(measure)
