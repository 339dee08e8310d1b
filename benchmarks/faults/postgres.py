"""A PostgreSQL server of our own, that can be stopped, started and frozen."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

TIMEOUT_S = 60
USER = "isoflop"


def programs() -> Path | None:
    """Return the folder of PostgreSQL's programs; None where it is not installed."""
    found = shutil.which("initdb")
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    path = Path(found).resolve() if found else installed[-1] if installed else None
    return path.parent if path else None


@dataclass(frozen=True, slots=True)
class Postgres:
    """One server with an empty database.

    Parameters
    ----------
    folder : Path
        Of its files.
    port : int
    system_user : str or None
        Who runs it: the server refuses to run as root.
    """

    folder: Path
    port: int
    system_user: str | None

    @property
    def url(self) -> str:
        """Where its database is."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"

    @property
    def is_running(self) -> bool:
        """Whether it was started and not stopped, frozen or not."""
        return self._pid_file.exists()

    @property
    def _pid_file(self) -> Path:
        return self.folder / "data" / "postmaster.pid"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = str(self.folder / "log")
        self.call("pg_ctl", "start", "--wait", "--silent", "-l", log, "-o", options)

    def stop(self) -> None:
        """End it at once, as a crash does."""
        self.call("pg_ctl", "stop", "--silent", "--mode=immediate")

    def freeze(self) -> None:
        """Let it stand still: connections stay open, and nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen one go on."""
        self._signal(signal.SIGCONT)

    def call(self, program: str, *arguments: str) -> None:
        """Run one of its programs on its data."""
        found = programs()
        assert found is not None  # as `serve` has checked
        command = [str(found / program), "-D", str(self.folder / "data"), *arguments]
        quiet = subprocess.DEVNULL
        about: dict[str, Any] = {"user": self.system_user, "cwd": self.folder}
        subprocess.run(command, check=True, timeout=TIMEOUT_S, stdout=quiet, **about)

    def _signal(self, number: signal.Signals) -> None:
        parent = psutil.Process(int(self._pid_file.read_text().split()[0]))
        for process in [parent, *parent.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)


@contextmanager
def serve() -> Iterator[Postgres]:
    """Run a server until the block ends.

    Raises
    ------
    RuntimeError
        If PostgreSQL is not installed.
    """
    if programs() is None:
        raise RuntimeError("PostgreSQL is not installed")
    # Debian's package brings a user for it; a folder of its own, as others are closed to that user.
    user = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="isoflop-postgres-") as folder:
        if user:
            shutil.chown(folder, user)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = int(free.getsockname()[1])
        server = Postgres(Path(folder), port, user)
        encoding = ("--no-sync", "--encoding=UTF8")
        server.call("initdb", "--auth=trust", f"--username={USER}", *encoding)
        server.start()
        try:
            yield server
        finally:
            if server.is_running:
                server.thaw()
                server.stop()
