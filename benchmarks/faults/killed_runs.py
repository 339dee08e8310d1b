"""Training killed at random moments: no logged step is lost, and the outcome is as if untouched."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.faults.tally import Tally
from isoflop.training.config import RunConfig
from isoflop.training.corpus import store_upload
from isoflop.training.queue import RunQueue
from isoflop.training.records import read_new_records
from isoflop.training.runs import Run

N_KILLS, N_KILLS_SHORT = 30, 2
EARLY_SHARE = 0.25
"""Of the kills, those between a worker's start and the first step, most of it loading PyTorch."""
LONGEST_S = 1.5
"""From the start, or from the first step, to the kill: in a step, in a checkpoint, between."""
PATIENCE_S = 300.0
STEP = b'"kind": "step"'
LINE = "the quick brown fox {} jumps over the lazy dog {}\n"
# As the worker's program, but with checkpoints so often that many kills meet one.
WORKER = (
    "from isoflop.training.engine import execute; execute.CHECKPOINT_EVERY_S = 0.1; "
    "from isoflop.training.worker import main; main()"
)


def make(is_short: bool, seed: int) -> Iterator[Tally]:
    """Kill the workers of one run again and again, then let it end."""
    tally = Tally(
        "kill -9 of a training worker",
        "every logged step stays, a step trained again has the same loss, the state can be read, "
        "the resumed run ends with the losses of an untouched one",
    )
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        config = small_run(root, token_budgets=(16_384, 120_000))
        queue = RunQueue(root)
        [run] = queue.submit([config])
        for _ in range(N_KILLS_SHORT if is_short else N_KILLS):
            if run.state().status == "finished":  # a quick machine: the next one has its turn
                [run] = queue.submit([config])
            tally.n += 1
            kill_once(queue, run, tally, rng)
        [untouched] = queue.submit([replace(config, time_limit_s=3599.0)])
        start(root).wait(PATIENCE_S)
        tally.counts["steps logged"] = len(read_new_records(run.records_path)[0])
        for one in (run, untouched):
            tally.require(one.state().status == "finished", f"a run is {one.state()}")
        tally.require(_losses(run) == _losses(untouched), "the outcome is not that of an untouched")
        tally.violations += repeated_otherwise(run.records_path)
    yield tally


def small_run(root: Path, **changes: Any) -> RunConfig:
    """Return a run that trains for seconds, on a text that is stored for it."""
    text = "".join(LINE.format(number, number**2) for number in range(30_000)).encode()
    corpus = store_upload(text, name="text.txt", uploads=root / "uploads").key
    fields: dict[str, Any] = {
        "family": "lstm",
        "width": 16,
        "depth": 1,
        "token_budgets": (2048, 8192),
        "context": 32,
        "batch_size": 4,
        "corpus": corpus,
        "eval_tokens": 2048,
        "device": "cpu",
    }
    return RunConfig(**(fields | changes))


def start(root: Path) -> subprocess.Popen[bytes]:
    """Start a worker."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, "--root", str(root)],
        stdout=quiet,
        stderr=quiet,
        env=environment,
    )


def kill_once(queue: RunQueue, run: Run, tally: Tally, rng: random.Random) -> None:
    """Let a worker train a run for a while, kill it, check the records, and resume the run."""
    before = _logged(run)
    with start(queue.root) as worker:
        if rng.random() > EARLY_SHARE:
            _await_more(run, before, worker)
        time.sleep(rng.uniform(0, LONGEST_S))
        logged = _logged(run)
        worker.send_signal(signal.SIGKILL)
    after = _logged(run)
    tally.require(logged.startswith(before), "records were changed while the run went on")
    tally.require(after.startswith(logged), "a logged step is lost")
    tally.counts["kills while it trained"] += logged.count(STEP) > before.count(STEP)
    status = run.state().status
    tally.require(status in ("queued", "crashed", "finished"), f"a killed run is {run.state()}")
    tally.counts["resumed"] += status == "crashed"
    queue.resume([run])


def _await_more(run: Run, before: bytes, worker: subprocess.Popen[bytes]) -> None:
    """Wait until a worker has logged a step, or has ended."""
    end_s = time.monotonic() + PATIENCE_S
    while _logged(run).count(STEP) == before.count(STEP) and worker.poll() is None:
        if time.monotonic() > end_s:
            return
        time.sleep(0.02)


def repeated_otherwise(path: Path) -> list[str]:
    """Return which steps were logged twice with another loss."""
    losses: dict[tuple[str, int, int], set[float]] = {}
    for record in read_new_records(path)[0]:
        if record["kind"] == "step":
            place = (record["kind"], record["segment"], record["step"])
            losses.setdefault(place, set()).add(record["loss"])
    return [f"{place} had the losses {found}" for place, found in losses.items() if len(found) > 1]


def _logged(run: Run) -> bytes:
    """Return the complete lines of a run's records."""
    path = run.records_path
    content = path.read_bytes() if path.exists() else b""
    return content[: content.rfind(b"\n") + 1]


def _losses(run: Run) -> tuple[dict[tuple[int, int], float], list[float]]:
    history = run.history()
    steps = {(one["segment"], one["step"]): one["loss"] for one in history.of_kind("step")}
    return steps, [one["nats_per_byte"] for one in history.of_kind("point")]
