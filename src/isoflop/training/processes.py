"""Detached processes that outlive the server: start, recognise, end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psutil

NEVER_S = -1.0
"""When a process started that counts as never alive. Zero is no such time: the first process of a
machine starts within a hundredth of a second of it.
"""

_children: list[subprocess.Popen[bytes]] = []
"""Processes that this one started, kept so that their ends are collected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessId:
    """A process that cannot be mistaken for a later one with the same number.

    Parameters
    ----------
    pid : int
    started_s : float
        When it started, by a clock that nobody sets: on Linux in seconds since the machine was.
    host : str
        The machine it runs on.
    """

    pid: int
    started_s: float
    host: str = field(default_factory=socket.gethostname)

    @classmethod
    def current(cls) -> ProcessId:
        """Return this process."""
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> ProcessId:
        """Return a process of this machine; one that has ended counts as never alive."""
        try:
            return cls(pid=pid, started_s=_started_s(psutil.Process(pid)))
        except psutil.NoSuchProcess:
            return cls(pid=pid, started_s=NEVER_S)

    @property
    def is_here(self) -> bool:
        """Whether it is a process of this machine, of which one can tell if it lives."""
        return self.host == socket.gethostname()

    def is_alive(self) -> bool:
        """Whether this very process still runs on this machine."""
        if not self.is_here:
            return False
        for child in _children:
            child.poll()
        try:
            process = psutil.Process(self.pid)
            is_same = abs(_started_s(process) - self.started_s) < 0.05
            return bool(is_same and process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False

    def terminate(self) -> None:
        """Ask the process to end, if it still runs on this machine."""
        if self.is_alive():
            with contextlib.suppress(psutil.NoSuchProcess):  # it ended just now
                psutil.Process(self.pid).terminate()

    def kill_group(self) -> None:
        """Kill the process and all that it started, if it still runs on this machine."""
        if self.is_alive():
            with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):  # it ended just now
                _kill_group(self.pid)


def _kill_group(pid: int) -> None:
    """Kill a process that leads a session; on Windows, which has none, it and its children."""
    if hasattr(os, "killpg"):
        os.killpg(pid, signal.SIGKILL)
        return
    leader = psutil.Process(pid)
    for process in [leader, *leader.children(recursive=True)]:
        process.kill()


def _started_s(process: psutil.Process) -> float:
    """Return when a process started, the same before and after the clock was set.

    Linux knows the time since the machine started; psutil adds the moment of that by the clock.
    """
    created_s = float(process.create_time())
    return created_s - psutil.boot_time() if psutil.LINUX else created_s


def start_detached(module: str, *arguments: str, log: Path) -> ProcessId:
    """Start ``python -m module`` in a session of its own, its output in a file.

    One computing thread each: two threads in one process are slower than two processes, and
    collapse on a loaded machine.
    """
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    with log.open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=environment,
        )
    _children[:] = [other for other in _children if other.poll() is None] + [child]
    return ProcessId.of(child.pid)  # one that ended at once left its reason in the log
