"""Make faults on purpose: ``make faults``, a quarter of an hour.

Named ones run alone (``python -m benchmarks.faults database fuzz``), fewer of each with
``--short``; ``--write`` puts their counts into ``benchmarks/FAULTS.md``. The exit status is 1 if
anything did not hold. ``--seed`` decides what is fuzzed, which fault comes and when it is due; when
a process is hit by it depends on the machine, too.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import time
from collections.abc import Iterator

from benchmarks.faults.report import keep
from benchmarks.faults.tally import Tally, line

KINDS = (
    "killed_servers",
    "killed_jobs",
    "killed_runs",
    "full_disk",
    "database",
    "two_servers",
    "torn",
    "clock",
    "fuzz",
)
"""Modules of this package, each with a function ``make(is_short, seed)`` that yields tallies."""


def make(kind: str, *, is_short: bool = False, seed: int = 0) -> Iterator[Tally]:
    """Make the faults of a kind, and yield what came of each."""
    module = importlib.import_module(f"benchmarks.faults.{kind}")
    yield from module.make(is_short, seed)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", choices=[[], *KINDS], help="which; all unless given")
    parser.add_argument("--short", action="store_true", help="fewer of each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="write the counts down")
    given = parser.parse_args()
    # Whoever ends this also ends what it has started.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    n_violations = 0
    for kind in given.kinds or KINDS:
        begin_s, found = time.monotonic(), []
        for tally in make(kind, is_short=given.short, seed=given.seed):
            minutes = (time.monotonic() - begin_s) / 60
            print(f"{minutes:5.1f} min  {line(tally)}", flush=True)
            found.append(tally)
            n_violations += len(tally.violations)
        if given.write:
            minutes = (time.monotonic() - begin_s) / 60
            keep(kind, found, seed=given.seed, minutes=minutes)
    print(f"{n_violations} violations")
    return bool(n_violations)


if __name__ == "__main__":
    sys.exit(main())
