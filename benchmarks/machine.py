"""The machine and the versions that a result was measured with, in words."""

from __future__ import annotations

import datetime
import os
import platform
import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import psutil


def in_words(packages: Sequence[str]) -> str:
    """Return date, machine and versions, a line each.

    Parameters
    ----------
    packages : sequence of str
        Whose versions matter.
    """
    memory = psutil.virtual_memory().total / 2**30
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    today = datetime.datetime.now(datetime.UTC).date()
    return (
        f"- Date: {today}\n"
        f"- Machine: {_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"{platform.system()}\n"
        f"- Python {platform.python_version()}; Isoflop {version('isoflop')}, {versions}"
    )


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    text = path.read_text() if path.exists() else ""
    found = re.search(r"model name\s*:\s*(.+)", text)
    return found[1] if found else platform.processor() or platform.machine()
