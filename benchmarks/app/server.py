"""One Streamlit server in a process of its own, and what it has used."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

REPOSITORY = Path(__file__).resolve().parents[2]
TIMEOUT_S = 120
POLL_S = 0.01
IDLE_S, IDLE_CPU_S = 1.0, 0.02
"""A server that uses no more than so much CPU in so long is at rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that answers.

    Parameters
    ----------
    url : str
    process : psutil.Process
    start_wall_s, start_cpu_s : float
        From the start of the process to its first healthy answer.
    """

    url: str
    process: psutil.Process
    start_wall_s: float
    start_cpu_s: float

    def cpu_s(self) -> float:
        """Return the CPU seconds that the server has used so far."""
        return _cpu_s(self.process)

    def rest(self) -> None:
        """Wait until it does nothing: what it makes ready for later is no part of a move."""
        end, used_s = time.perf_counter() + TIMEOUT_S, -1.0
        while self.cpu_s() - used_s > IDLE_CPU_S:
            if time.perf_counter() > end:
                raise TimeoutError(f"the server does not come to rest within {TIMEOUT_S} s")
            used_s = self.cpu_s()
            time.sleep(IDLE_S)


@contextmanager
def serve(script: Path) -> Iterator[Server]:
    """Run a script by Streamlit with the repository's settings until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(script)]
    options = ["--server.port", str(port), "--server.headless", "true"]
    # As a person's own Python does, it keeps what it compiled: else each start compiles all again.
    own = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    begin = time.perf_counter()
    with subprocess.Popen(
        [*command, *options],
        cwd=REPOSITORY,
        env=own,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as child:
        process = psutil.Process(child.pid)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_healthy(f"{url}/_stcore/health", child, begin)
            wall_s = time.perf_counter() - begin
            yield Server(url=url, process=process, start_wall_s=wall_s, start_cpu_s=_cpu_s(process))
        finally:
            child.terminate()


def _wait_until_healthy(url: str, child: subprocess.Popen[bytes], begin: float) -> None:
    while time.perf_counter() - begin < TIMEOUT_S:
        if child.poll() is not None:
            raise RuntimeError(f"the server ended with code {child.returncode}")
        with (
            suppress(urllib.error.URLError, ConnectionError),
            urllib.request.urlopen(url, timeout=5),
        ):
            return
        time.sleep(POLL_S)
    raise TimeoutError(f"no healthy answer within {TIMEOUT_S} s")


def _cpu_s(process: psutil.Process) -> float:
    """Return what a process and its children have used, those that have ended among them."""
    members = [process, *process.children(recursive=True)]
    return sum(sum(member.cpu_times()[:4]) for member in members)
