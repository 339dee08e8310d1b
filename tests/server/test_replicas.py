"""Two server processes over one folder: any of them answers for what the other took."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

CSV = "params,tokens,loss\n" + "".join(
    f"{n:g},{d:g},{1.7 + 400 / n**0.34 + 410 / d**0.28:.4f}\n"
    for n in (1e8, 1e9, 1e10)
    for d in (2e9, 2e10, 2e11)
)
SERVER = """
import sys, uvicorn
from starlette.applications import Starlette
from isoflop.server.mount import routes
uvicorn.run(Starlette(routes=routes()), port=int(sys.argv[1]), log_level="error")
"""
PATIENCE_S = 60.0

pytestmark = pytest.mark.slow


class Replica:
    """A server process, and a client of it."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.process = subprocess.Popen([sys.executable, "-c", SERVER, str(port)])
        self.client = httpx2.Client(base_url=f"http://127.0.0.1:{port}/api", timeout=PATIENCE_S)

    def wait(self) -> None:
        """Wait until it answers."""
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            try:
                self.client.get("/health")
            except httpx2.TransportError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError("the server did not start")

    def close(self) -> None:
        """End it as a machine that fails does."""
        self.client.close()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def begin(self, path: str, **body: Any) -> str:
        """Ask for work, and return the address of its job."""
        answer = self.client.post(path, json=body, headers={"Prefer": "respond-async"})
        assert answer.status_code == 202, answer.text
        return str(answer.headers["location"]).removeprefix("/api")

    def until(self, path: str, *statuses: str) -> str:
        """Wait until a job has one of some states, and return it."""
        end_s = time.monotonic() + PATIENCE_S
        while (found := self.client.get(path).json())["status"] not in statuses:
            assert time.monotonic() < end_s, found
            time.sleep(0.1)
        return str(found["status"])


@pytest.fixture
def replicas(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Replica, Replica]]:
    monkeypatch.setenv("ISOFLOP_EXECUTOR", "processes")
    with ExitStack() as started:
        pair = Replica(), Replica()
        for one in pair:
            started.callback(one.close)
        for one in pair:
            one.wait()
        yield pair


def test_any_replica_answers_for_what_another_took(replicas: tuple[Replica, Replica]) -> None:
    first, second = replicas
    sent = first.client.post(
        "/tables?name=runs.csv",
        content=CSV,
        headers={"Content-Type": "application/octet-stream"},
    ).json()
    assert second.client.get("/tables").json() == [sent]
    table = {"upload": sent["id"]}
    job = second.begin("/fit", table=table, law="chinchilla")
    assert first.until(job, "done", "failed") == "done"
    fit = first.client.get(f"{job}/result").json()
    assert fit["format"] == "isoflop-fit-1"
    assert second.client.get(f"{job}/result").json() == fit
    assert [one["id"] for one in first.client.get("/jobs").json()] == [job.rpartition("/")[2]]
    refused = first.begin("/fit", table=table, law="nothing")
    assert second.until(refused, "done", "failed") == "failed"
    answer = second.client.get(f"{refused}/result")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")

    # What takes long runs where it was asked for, and is ended from anywhere.
    long = {"tables": ["pile-cerebras-pythia"]}  # by every law and objective
    job = first.begin("/backtest", **long)
    assert second.until(job, "running") == "running"
    assert second.client.get(f"{job}/result").status_code == 202
    assert second.client.delete(job).status_code == 204
    assert first.client.get(job).status_code == 404

    # A process that has ended leaves what it had made, and is not waited for.
    done = second.begin("/read", table=table)
    second.until(done, "done")
    lost = second.begin("/backtest", **long)
    first.until(lost, "running")
    second.close()
    assert first.until(lost, "lost", "done") == "lost"
    assert first.client.get(f"{lost}/result").status_code == 503
    assert first.client.get(f"{done}/result").json()["n_rows"] == 9
    assert first.client.delete(lost).status_code == 204
