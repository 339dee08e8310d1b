"""What came of one kind of fault: how often it was made, what was counted, and what was broken."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

MOST_SHOWN = 5


@dataclass(slots=True)
class Tally:
    """One kind of fault.

    Parameters
    ----------
    fault : str
        What was done.
    checked : str
        What had to hold afterwards.
    n : int
        How often it was done.
    counts : Counter of str
        What else was counted: what was saved, refused, done again.
    violations : list of str
        What did not hold, each time.
    note : str
        Why it was not done, or not all of it.
    """

    fault: str
    checked: str
    n: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    note: str = ""

    def require(self, holds: object, said: str) -> None:
        """Note a violation unless something holds."""
        if not holds:
            self.violations.append(said)

    def kept(self) -> dict[str, Any]:
        """Return the tally as JSON knows it."""
        return {"fault": self.fault, "checked": self.checked, "n": self.n, "note": self.note} | {
            "counts": dict(self.counts),
            "violations": self.violations,
        }

    def in_words(self) -> str:
        """Return what was counted, in words."""
        parts = [f"{count:,} {what}" for what, count in self.counts.items()]
        return "; ".join([*parts, self.note] if self.note else parts)


def line(tally: Tally) -> str:
    """Return a tally as a line of text, with the first of its violations below."""
    found = f"{tally.fault}: {tally.n:,} times; {tally.in_words()}"
    shown = [f"    {text}" for text in tally.violations[:MOST_SHOWN]]
    return "\n".join([f"{found}; {len(tally.violations)} violations", *shown])
