"""Let everything else on the machine go first."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import psutil

GROUP = Path("/proc/self/autogroup")


def be_nice(niceness: int) -> None:
    """Let other processes go first.

    Linux shares processors among sessions before it looks at the niceness within one (``man 7
    sched``, "The autogroup feature"): a process that leads its own makes that nice, too.

    Parameters
    ----------
    niceness : int
        0 for no change, 19 for what runs only when nothing else does.
    """
    if not hasattr(os, "nice"):  # Windows
        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        return
    os.nice(niceness)
    if os.getsid(0) == os.getpid():  # else the group is that of who started it
        with suppress(OSError):  # not every kernel has it
            GROUP.write_text(str(niceness))
