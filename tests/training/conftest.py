"""A small corpus and tiny runs: seconds, not minutes."""

import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from isoflop.training import processes
from isoflop.training.config import RunConfig
from isoflop.training.corpus import store_upload
from isoflop.training.queue import RunQueue
from isoflop.training.runs import ACTIVE, Run


@pytest.fixture(autouse=True)
def no_process_left() -> Iterator[None]:
    """Wait for what the test started, so that its CPU time is not counted as the next one's."""
    _await_children()
    yield
    _await_children()


def _await_children() -> None:
    for child in processes._children:
        child.wait(timeout=60)


@pytest.fixture(scope="session")
def text() -> bytes:
    """Return a little over a megabyte of source code."""
    root = Path(sysconfig.get_paths()["stdlib"])
    pieces, size = [], 0
    for path in sorted(root.glob("*.py")):
        pieces.append(path.read_bytes())
        size += len(pieces[-1])
        if size > 1_050_000:
            break
    return b"\n".join(pieces)


@pytest.fixture
def root(tmp_path, text) -> Path:
    """Return a folder of runs that has the small corpus."""
    store_upload(text, name="sources.txt", uploads=tmp_path / "uploads")
    return tmp_path


@pytest.fixture(scope="session")
def corpus_key(text, tmp_path_factory) -> str:
    uploads = tmp_path_factory.mktemp("uploads")
    return store_upload(text, name="sources.txt", uploads=uploads).key


@pytest.fixture
def tiny(corpus_key):
    """Return a maker of configurations that train in a fraction of a second."""

    def make(**changes) -> RunConfig:
        fields = {
            "family": "lstm",
            "width": 8,
            "depth": 1,
            "token_budgets": (2048, 4096, 8192),
            "context": 32,
            "batch_size": 4,
            "corpus": corpus_key,
            "eval_tokens": 2048,
            "device": "cpu",
        }
        return RunConfig(**(fields | changes))

    return make


@pytest.fixture
def finish():
    """Return a function that waits until runs are no longer active."""

    def wait(queue: RunQueue, runs: list[Run], *, limit_s: float = 300.0) -> None:
        deadline_s = time.monotonic() + limit_s
        while any(run.state().status in ACTIVE for run in runs) or queue.workers():
            assert time.monotonic() < deadline_s, [run.state() for run in runs]
            time.sleep(0.05)

    return wait
