"""What was counted, kept as JSON by kind of fault, and the page of it: ``benchmarks/FAULTS.md``."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.faults.tally import Tally
from benchmarks.machine import in_words

KEPT = Path(__file__).with_name("results.json")
PAGE = Path(__file__).resolve().parents[1] / "FAULTS.md"
PACKAGES = ("sqlalchemy", "psycopg", "streamlit", "torch", "pandas")


def keep(kind: str, tallies: Sequence[Tally], *, seed: int, minutes: float) -> None:
    """Keep what came of a kind in place of what is kept of it, and write the page anew.

    Parameters
    ----------
    kind : str
        Name of its module.
    tallies : sequence of Tally
    seed : int
    minutes : float
        That they took.
    """
    kept: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    kept[kind] = {
        "date": str(datetime.datetime.now(datetime.UTC).date()),
        "seed": seed,
        "minutes": round(minutes, 1),
        "load": round(os.getloadavg()[1], 1),
        "tallies": [tally.kept() for tally in tallies],
    }
    KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(written(kept), encoding="utf-8")


def written(kept: Mapping[str, Any]) -> str:
    """Return the page of what is kept.

    Parameters
    ----------
    kept : mapping of str to mapping
        By kind.
    """
    rows, broken = [], []
    for run in kept.values():
        for tally in [Tally(**found) for found in run["tallies"]]:
            n_broken = len(tally.violations)
            when = f"{run['date']}, load {run['load']}"
            cells = (tally.fault, f"{tally.n:,}", tally.in_words(), tally.checked, n_broken, when)
            rows.append(f"| {' | '.join(map(str, cells))} |")
            broken += [f"- {tally.fault}: {text}" for text in tally.violations]
    minutes = sum(run["minutes"] for run in kept.values())
    seeds = ", ".join(str(seed) for seed in sorted({run["seed"] for run in kept.values()}))
    head = (
        "# Faults made on purpose\n\n"
        "Written by `make faults`; do not edit. Each fault was made as often as it says, and\n"
        "what had to hold was checked each time. A violation is anything that did not hold. The\n"
        "load is that of the machine: above its number of cores, other work ran beside it, and\n"
        "waits are longer than on an idle one.\n\n"
        f"{in_words(PACKAGES)}\n"
        f"- Seed {seeds}; {minutes:.0f} minutes in all\n\n"
        "| Fault | Times | Counted | What was checked | Violations | When |\n"
        "|---|---|---|---|---|---|"
    )
    parts = [head + "\n" + "\n".join(rows)]
    if broken:
        parts.append("## Violations\n\n" + "\n".join(broken))
    return "\n\n".join(parts) + "\n"
