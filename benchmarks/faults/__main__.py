"""Make faults on purpose: ``make faults``, a quarter of an hour.

Named ones run alone (``python -m benchmarks.faults database fuzz``), fewer of each with
``--short``; ``--write`` puts the counts into ``benchmarks/FAULTS.md``. The exit status is 1 if
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
from pathlib import Path

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
RESULTS = Path(__file__).resolve().parents[1] / "FAULTS.md"


def make(kinds: tuple[str, ...] = KINDS, *, is_short: bool = False, seed: int = 0) -> list[Tally]:
    """Make faults, kind after kind, and return what came of each."""
    found = []
    for tally in _made(kinds, is_short=is_short, seed=seed):
        print(line(tally), flush=True)
        found.append(tally)
    return found


def _made(kinds: tuple[str, ...], *, is_short: bool, seed: int) -> Iterator[Tally]:
    for kind in kinds:
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
    signal.signal(
        signal.SIGTERM, lambda number, _frame: sys.exit(128 + number)
    )  # with what it began
    begin_s = time.monotonic()
    found = make(tuple(given.kinds) or KINDS, is_short=given.short, seed=given.seed)
    minutes = (time.monotonic() - begin_s) / 60
    n_violations = sum(len(tally.violations) for tally in found)
    print(f"\n{minutes:.1f} minutes, {n_violations} violations")
    if given.write:
        from benchmarks.faults.report import written

        RESULTS.write_text(written(found, seed=given.seed, minutes=minutes), encoding="utf-8")
    return bool(n_violations)


if __name__ == "__main__":
    sys.exit(main())
