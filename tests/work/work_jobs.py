"""Functions that tests give to other processes, found there by this module's name."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from isoflop.errors import TableQuestion

Progress = Callable[..., object]


def add(left: int, right: int) -> int:
    return left + right


def process() -> tuple[int, str]:
    """Return this process, and the name of its main script."""
    return os.getpid(), Path(getattr(sys.modules["__mp_main__"], "__file__", None) or "").name


def double(value: int) -> int:
    return 2 * value


def wait_for(where: Path | str, progress: Progress | None = None) -> str:
    """Say that it has started, and run until a file appears."""
    marker = Path(where)
    with marker.with_name(marker.name + ".started").open("a") as file:
        file.write(f"{os.getpid()}\n")
    while not marker.exists():
        time.sleep(0.01)
        if progress:
            progress(0.5, "waiting")
    return marker.name


def count_up(progress: Progress) -> int:
    for share in (0.2, 0.4, 0.6, 0.8):
        progress(share, f"at {share}")
        time.sleep(0.12)
    return 4


def ask() -> None:
    raise TableQuestion("Which?", detail="Two fit.", hint="Say one.", choices={"a": "--a"})


def refuse(detail: str) -> None:
    raise TableQuestion("Which?", detail=detail)


def die_once(where: str) -> str:
    if Path(where).exists():
        return "alive"
    Path(where).touch()
    die()
    return "dead"


class Odd(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def raise_odd() -> None:
    raise Odd(1, 2)


def return_a_function() -> Callable[[], int]:
    return lambda: 1


def take_memory(n_bytes: int) -> int:
    return int(np.ones(n_bytes // 8).sum())


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def rows(table: np.ndarray) -> int:
    return len(table)
