"""What a benchmark of speed yields, and how that is printed and read again.

A benchmark is a module whose ``__main__`` has ``measure(is_short)``, which yields a `Row` for what
it compares and a `Growth` for how a cost grows, and ends with ``measured.main(measure)``. The short
version of it runs the same code on less, in seconds: its figures mean nothing, so that no target
is held against them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing measured, with what it is compared with.

    Parameters
    ----------
    task : str
        What was done.
    value : float
        What it took Isoflop.
    unit : str
        Of both values: ``"CPU s"``, ``"s"``, ``"messages"``, ``"KB"``, ``"MB"``.
    peer : str
        What it is compared with, by name and version; empty for nothing.
    peer_value : float, optional
        What it took the peer; None where that could not be measured: ``note`` says why.
    at_most : float, optional
        The target: of the ratio to the peer where there is one, else of the value.
    note : str
    """

    task: str
    value: float
    unit: str
    peer: str = ""
    peer_value: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours over the peer's."""
        return self.value / self.peer_value if self.peer_value else None

    @property
    def is_missed(self) -> bool:
        """Whether there is a target that is not met."""
        held = self.ratio if self.peer else self.value
        return self.at_most is not None and held is not None and held > self.at_most


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How the cost of a task grows with one quantity, all else equal.

    Parameters
    ----------
    task : str
    along : str
        The quantity: ``"rows"``, ``"draws"``, ``"parameters"``.
    at : tuple of float
    cpu_s : tuple of float
        CPU seconds there.
    """

    task: str
    along: str
    at: tuple[float, ...]
    cpu_s: tuple[float, ...]


Measured = Row | Growth
Measure = Callable[[bool], Iterator[Measured]]


def main(measure: Measure) -> None:
    """Run one benchmark from the command line: print what it yields, as it comes.

    ``--short`` runs the short version; ``--json FILE`` also writes what was measured.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true", help="the same code on less")
    parser.add_argument("--json", type=Path, help="also write what was measured to a file")
    given = parser.parse_args()
    found = []
    for item in measure(given.short):
        if given.short and isinstance(item, Row):
            item = replace(item, at_most=None)
        print(line(item), flush=True)
        found.append(item)
    if given.json:
        given.json.write_text(json.dumps([_document(item) for item in found]))


def read(path: Path) -> list[Measured]:
    """Return what `main` wrote."""
    kinds: dict[str, Callable[..., Measured]] = {"Row": Row, "Growth": Growth}
    return [kinds[item.pop("kind")](**item) for item in json.loads(path.read_text())]


def _document(item: Measured) -> dict[str, Any]:
    return {"kind": type(item).__name__} | asdict(item)


def line(item: Measured) -> str:
    """Return one thing measured as a line of text."""
    if isinstance(item, Growth):
        pairs = zip(item.at, item.cpu_s, strict=True)
        steps = ", ".join(f"{at:,.0f}: {cpu_s:.3g}" for at, cpu_s in pairs)
        return f"{item.task}, CPU s by {item.along}: {steps}"
    parts = [f"{item.task}: {number(item.value)} {item.unit}"]
    if item.peer:
        theirs = "not measured" if item.peer_value is None else number(item.peer_value)
        parts.append(f"{item.peer}: {theirs}")
    if item.ratio is not None:
        parts.append(f"ratio {number(item.ratio)}")
    if item.at_most is not None:
        parts.append(f"{'OVER' if item.is_missed else 'at most'} {item.at_most:g}")
    return "; ".join([*parts, item.note] if item.note else parts)


def number(value: float) -> str:
    """Write a number with three digits, without an exponent where it is of everyday size."""
    if value and not 1e-4 <= abs(value) < 1e6:
        return f"{value:.2e}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
