"""The process that jobs are forked from: the engine imported once, one child a job.

Started by `isoflop.work.processes` as a program of its own, it has one thread, so that forking it
is safe, and it is none of the server, so that a job holds neither its memory nor its connections.
Over its one socket it is told to start a job, with that job's own connection, or to end one. When
the socket closes, because the server ended in whatever way, every job ends.
"""

from __future__ import annotations

import gc
import importlib
import os
import resource
import select
import signal
import socket
import struct
import sys
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from isoflop.niceness import be_nice
from isoflop.work.call import call, portable

MESSAGE = struct.Struct("!cQ")
START, END = b"s", b"e"
REAP_EVERY_S = 0.5
NICENESS = 5
"""Of jobs: who waits for a slider comes first."""

END_OF_OOM_SCORE = "500"
"""A machine out of memory is to end a job, not the server."""


def main() -> None:
    """Import what is named on the command line, then serve the socket of the given number."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's: it closes the socket
    control = socket.socket(fileno=int(sys.argv[1]))
    for name in sys.argv[2:]:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # what is imported stays shared between all jobs
    be_nice(NICENESS)
    _serve(control)


def _serve(control: socket.socket) -> None:
    children: dict[int, int] = {}
    while True:
        ready, *_ = select.select([control], [], [], REAP_EVERY_S)
        _reap(children)
        if not ready:
            continue
        message, handles, *_ = socket.recv_fds(control, MESSAGE.size, 1)
        if len(message) < MESSAGE.size:
            break
        kind, number = MESSAGE.unpack(message)
        if kind == START:
            children[number] = _fork(control, handles[0])
        elif number in children:
            # A child that has ended keeps its number until it is reaped here: no other process
            # can be meant.
            os.kill(children[number], signal.SIGKILL)
    for process in children.values():
        os.kill(process, signal.SIGKILL)


def _reap(children: dict[int, int]) -> None:
    for number, process in list(children.items()):
        if os.waitpid(process, os.WNOHANG)[0]:
            del children[number]


def _fork(control: socket.socket, handle: int) -> int:
    process = os.fork()
    if process:
        os.close(handle)
        return process
    try:
        control.close()
        with Connection(handle) as connection:
            run(connection)
    finally:
        os._exit(0)


def run(connection: Connection) -> None:
    """Receive a function with its arguments, run it, and send what becomes of it.

    What is sent are pairs: ``"started"`` and nothing; ``"share"`` and the share with what is done;
    last ``"result"`` and the result, ``"error"`` and the error with its traceback, or ``"memory"``
    and nothing.
    """
    max_bytes, deadline_s = connection.recv()
    connection.send(("started", None))
    with suppress(OSError):  # only Linux has it
        Path("/proc/self/oom_score_adj").write_text(END_OF_OOM_SCORE)
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    limit = max_bytes if most == resource.RLIM_INFINITY else min(max_bytes, most)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, most))
    # Should the server be gone and its host with it, the processor time ends the job.
    seconds = int(time.process_time() + deadline_s) + 60
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    try:
        function, args, kwargs = connection.recv()
        result = call(
            function, args, kwargs, lambda share, doing: connection.send(("share", (share, doing)))
        )
        connection.send(("result", result))
    except MemoryError:
        connection.send(("memory", None))
    except BrokenPipeError:
        return  # nobody waits any more
    except BaseException as error:
        connection.send(("error", portable(error)))


if __name__ == "__main__":
    main()
