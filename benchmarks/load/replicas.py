"""Several servers behind Caddy, with the repository's own settings, without containers."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

REPOSITORY = Path(__file__).resolve().parents[2]
CADDYFILE = REPOSITORY / "deploy" / "Caddyfile"
SECRET = "of this benchmark"
TIMEOUT_S = 120


@dataclass(slots=True)
class Replicas:
    """Servers that answer, one address for all of them.

    Parameters
    ----------
    url : str
    ports : list of int
        One a server.
    folder : Path
        What they share: runs, documents.
    settings : mapping of str to str
        Of all of them, beside what the benchmark itself sets.
    running : list of Popen
    """

    url: str
    ports: list[int]
    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def processes(self) -> list[psutil.Process]:
        """The servers' processes, without those of jobs."""
        return [psutil.Process(server.pid) for server in self.running]

    def start(self, port: int) -> subprocess.Popen[bytes]:
        """Start one server."""
        command = [sys.executable, "-m", "streamlit", "run", "app.py"]
        options = ["--server.port", str(port), "--server.headless", "true"]
        environment = {
            **os.environ,
            "ISOFLOP_IDENTITY": "cookie",
            "STREAMLIT_SERVER_COOKIE_SECRET": SECRET,
            "ISOFLOP_RUNS_FOLDER": str(self.folder / "runs"),
            "XDG_DATA_HOME": str(self.folder / "data"),
            **self.settings,
        }
        return _start([*command, *options], self.folder / f"{port}.log", environment)

    def kill_one(self) -> None:
        """End the server with most people at once, as a crash does, and start it again.

        Chance decides who is on which: only that one has people for certain.
        """
        people = [_n_people(port) for port in self.ports]
        index = people.index(max(people))
        self.kill(index)
        self.running[index] = self.start(self.ports[index])

    def kill(self, index: int = 0) -> None:
        """End a server at once."""
        self.running[index].send_signal(signal.SIGKILL)
        self.running[index].wait()

    def start_again(self, index: int = 0) -> None:
        """Start a server that was ended, and wait until it answers."""
        self.running[index] = self.start(self.ports[index])
        _wait_until_healthy(self.url_of(index), self.running[index])

    def url_of(self, index: int) -> str:
        """Return the address of one server, past the proxy."""
        return f"http://127.0.0.1:{self.ports[index]}"

    def logged(self) -> str:
        """Return what the servers wrote to their logs."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("[0-9]*.log")))


@contextmanager
def serve(
    n_servers: int, settings: Mapping[str, str] | None = None, *, is_proxied: bool = True
) -> Iterator[Replicas]:
    """Run servers until the block ends; more than one are behind Caddy.

    Parameters
    ----------
    n_servers : int
    settings : mapping of str to str, optional
        Of all of them.
    is_proxied : bool
        False for several without Caddy, each at its own address.

    Raises
    ------
    RuntimeError
        If several are asked for and Caddy is not installed.
    """
    caddy = shutil.which("caddy") if n_servers > 1 and is_proxied else None
    if n_servers > 1 and is_proxied and caddy is None:
        raise RuntimeError("several servers need Caddy: install its package")
    ports = [free_port() for _ in range(n_servers)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="isoflop-load-")))
        url = f"http://127.0.0.1:{ports[0]}"
        made = Replicas(url=url, ports=ports, folder=folder, settings=settings or {})
        stack.callback(_end, made)
        made.running = [made.start(port) for port in ports]
        for port in ports:
            _wait_until_healthy(f"http://127.0.0.1:{port}", made.running[0])
        if caddy is not None:
            made.url = f"http://127.0.0.1:{free_port()}"
            environment = {
                **os.environ,
                "SITE": made.url,
                "COOKIE_SECRET": SECRET,
                "UPSTREAMS": "to " + " ".join(f"127.0.0.1:{port}" for port in ports),
            }
            command = [caddy, "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"]
            proxy = _start(command, folder / "caddy.log", environment)
            stack.callback(proxy.wait)
            stack.callback(proxy.terminate)
            _wait_until_healthy(made.url, proxy)
        yield made


def _start(command: list[str], log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    with log.open("ab") as file:
        return subprocess.Popen(
            command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=file, env=environment
        )


def _end(replicas: Replicas) -> None:
    for server in replicas.running:
        server.terminate()
    for server in replicas.running:
        server.wait()


def _n_people(port: int) -> int:
    """Return how many pages are open on a server, by its own count."""
    url = f"http://127.0.0.1:{port}/_stcore/metrics"
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
        text = answer.read().decode()
    found = re.search(r"^active_sessions (\d+)", text, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"the server does not count its sessions: {text[-400:]}")
    return int(found[1])


def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    end_s = time.monotonic() + TIMEOUT_S
    while time.monotonic() < end_s:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with code {process.returncode}")
        with suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=5).close()
            return
        time.sleep(0.05)
    raise TimeoutError(f"no healthy answer of {url} within {TIMEOUT_S} s")
