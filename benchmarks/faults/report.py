"""The counts of a run, as ``benchmarks/FAULTS.md`` holds them."""

from __future__ import annotations

import os
from collections.abc import Sequence

from benchmarks.faults.tally import Tally
from benchmarks.machine import in_words

PACKAGES = ("sqlalchemy", "psycopg", "streamlit", "torch", "pandas")


def written(tallies: Sequence[Tally], *, seed: int, minutes: float) -> str:
    """Return the page of a run.

    Parameters
    ----------
    tallies : sequence of Tally
    seed : int
    minutes : float
        That all took.
    """
    rows = [
        f"| {t.fault} | {t.n:,} | {t.in_words()} | {t.checked} | {len(t.violations)} |"
        for t in tallies
    ]
    broken = [f"- {t.fault}: {text}" for t in tallies for text in t.violations]
    head = (
        "# Faults made on purpose\n\n"
        "Written by `make faults`; do not edit. Each fault was made as often as it says, and what\n"
        "had to hold was checked each time. A violation is anything that did not hold.\n\n"
        f"{in_words(PACKAGES)}\n"
        f"- Seed {seed}; {minutes:.0f} minutes; load when written {os.getloadavg()[2]:.1f}: other\n"
        "  work ran on the machine beside it\n\n"
        "| Fault | Times | Counted | What was checked | Violations |\n|---|---|---|---|---|"
    )
    parts = [head + "\n" + "\n".join(rows)]
    if broken:
        parts.append("## Violations\n\n" + "\n".join(broken))
    return "\n\n".join(parts) + "\n"
