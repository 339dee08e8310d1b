"""Jobs in processes of this machine: one a job, so that ending it gives back all it held."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from itertools import count
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from isoflop.errors import WorkError
from isoflop.language import lazy_gettext
from isoflop.work.call import raised
from isoflop.work.executor import Job
from isoflop.work.host import END, MESSAGE, START
from isoflop.work.settings import Limits

ENGINE = ("isoflop.api",)
"""What jobs find imported; named, as work stands below it."""

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""The number of jobs is what bounds the cores in use."""

MAX_STARTS = 3
"""Of a job whose process never began: what it was to be forked from had just ended."""
ENDING_S = 1.0


class Processes:
    """Runs each job in a process forked from one that has the engine imported.

    The process to fork from is a program of its own (`isoflop.work.host`), started with the first
    job and again should it have ended. `multiprocessing` has a fork server too, but each of its
    children imports the main script of who asked, which for a server of pages is a page.

    Parameters
    ----------
    limits : Limits
    preload : sequence of str
        Modules that jobs find imported.
    """

    def __init__(self, limits: Limits, preload: tuple[str, ...] = ENGINE) -> None:
        self.n_slots = limits.n_jobs
        self._limits = limits
        self._preload = preload
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._number_of: dict[Job[Any], int] = {}
        self._host: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def run(self, job: Job[Any]) -> object:
        """Run a job in a process of its own.

        Raises
        ------
        WorkError
            If it takes longer or more memory than allowed, or its process ends by itself.
        BaseException
            Whatever the function raised.
        """
        for _ in range(MAX_STARTS):
            ours, theirs = Pipe()
            with ours:
                with theirs:
                    self._start(job, theirs)
                try:
                    if self._has_begun(ours):
                        return self._follow(job, ours)
                    self._let_host_end()
                except (EOFError, ConnectionError):
                    break
                finally:
                    self.end(job)
                    with self._lock:
                        self._number_of.pop(job, None)
        raise WorkError(
            lazy_gettext("The process of this work ended by itself."),
            detail=lazy_gettext("It may have been ended by the system for want of memory."),
            hint=lazy_gettext("Try again with fewer rows or resamples."),
        )

    def end(self, job: Job[Any]) -> None:
        """End a job's process if it runs."""
        with self._lock:
            number = self._number_of.get(job)
            if number is not None and self._control is not None:
                self._tell(END, number)

    def close(self) -> None:
        """End the process to fork from, and with it every job."""
        with self._lock:
            host, control = self._host, self._control
            self._host = self._control = None
        if control is not None and host is not None:
            control.close()
            host.wait()

    def _has_begun(self, connection: Connection) -> bool:
        """Wait for a job's process; say no if there is none, as when the one to fork from ended."""
        try:
            connection.send((self._limits.memory_bytes, self._limits.deadline_s))
            connection.recv()  # the first waits for the engine to be imported
        except (EOFError, ConnectionError):
            return False
        return True

    def _let_host_end(self) -> None:
        """Wait a little for a process that is ending, so that another one is started."""
        with self._lock:
            host = self._host
        if host is not None:
            with suppress(subprocess.TimeoutExpired):
                host.wait(ENDING_S)

    def _follow(self, job: Job[Any], connection: Connection) -> object:
        limits = self._limits
        end_s = time.monotonic() + limits.deadline_s
        connection.send((job.function, job.args, dict(job.kwargs)))
        while connection.poll(max(0.0, end_s - time.monotonic())):
            kind, content = connection.recv()
            if kind == "share":
                job.report(*content)
            elif kind == "result":
                return content
            elif kind == "error":
                raise raised(*content)
            else:
                raise WorkError(
                    lazy_gettext(
                        "This work needs more than {memory_bytes:,.0f} MB of memory.",
                        memory_bytes=limits.memory_bytes / 1000000.0,
                    ),
                    hint=lazy_gettext(
                        "Fit fewer rows or resamples, or let the server's owner raise "
                        "ISOFLOP_JOB_MEMORY_MB."
                    ),
                )
        raise WorkError(
            lazy_gettext(
                "This work took longer than {deadline_s:,.0f} s, so it was ended.",
                deadline_s=limits.deadline_s,
            ),
            hint=lazy_gettext(
                "Fit fewer rows or resamples, or let the server's owner raise "
                "ISOFLOP_JOB_DEADLINE_S."
            ),
        )

    def _start(self, job: Job[Any], connection: Connection) -> None:
        with self._lock:
            if self._host is None or self._host.poll() is not None:
                self._start_host()
            number = next(self._numbers)
            self._tell(START, number, connection.fileno())
            self._number_of[job] = number
        if job.is_stopped.is_set():
            self.end(job)

    def _tell(self, kind: bytes, number: int, *handles: int) -> None:
        assert self._control is not None
        try:
            socket.send_fds(self._control, [MESSAGE.pack(kind, number)], handles)
        except OSError:  # the host has ended; the job's own connection says so
            return

    def _start_host(self) -> None:
        if self._control is not None:
            self._control.close()
        self._control, theirs = socket.socketpair()
        with theirs:
            self._host = subprocess.Popen(
                [sys.executable, "-m", "isoflop.work.host", str(theirs.fileno()), *self._preload],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, **ONE_THREAD},
            )
