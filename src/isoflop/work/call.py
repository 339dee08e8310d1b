"""Calling a function where it runs, with a way for it to say how far it is."""

from __future__ import annotations

import copy
import inspect
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

REPORT_EVERY_S = 0.1

Report = Callable[[float, str], object]


class RemoteTraceback(Exception):
    """What an exception was raised from, in the process that raised it."""


def call(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], report: Report
) -> Any:
    """Return what a function gives; it reports its progress if it takes ``progress``.

    Reports come in their order, no more of them than a page can show.
    """
    if "progress" in kwargs or "progress" not in inspect.signature(function).parameters:
        return function(*args, **kwargs)
    last_s = 0.0

    def progress(share: float, doing: str = "") -> None:
        nonlocal last_s
        now_s = time.monotonic()
        if now_s - last_s >= REPORT_EVERY_S:
            last_s = now_s
            report(float(share), doing)

    return function(*args, progress=progress, **kwargs)


def portable(error: BaseException) -> tuple[BaseException, str]:
    """Return an error that another process can rebuild, and the traceback as text."""
    text = "".join(traceback.format_exception(error))
    try:
        return copy.copy(error), text
    except Exception:  # its class cannot be made again from what it keeps
        return RuntimeError(f"{type(error).__name__}: {error}"), text


def raised(error: BaseException, text: str) -> BaseException:
    """Return an error from another process with its traceback there as its cause."""
    error.__cause__ = RemoteTraceback(f"\n{text}")
    return error
