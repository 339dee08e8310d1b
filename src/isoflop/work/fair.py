"""Whose turn it is: one queue for many owners, in which nobody waits for another's whole list."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)


class FairQueue(Generic[Item]):
    """Things to do by owner, taken in turn.

    First comes whoever has the fewest running; among those, whoever was served longest ago; an
    owner's own keep their order. One owner with a hundred jobs therefore delays the next owner by
    one job, not by a hundred.
    """

    def __init__(self) -> None:
        self._waiting: dict[Item, tuple[str, int]] = {}
        self._running: Counter[str] = Counter()
        self._served: dict[str, int] = {}
        self._clock = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, item: Item, owner: str) -> None:
        """Let an item wait."""
        self._clock += 1
        self._waiting[item] = (owner, self._clock)

    def order(self) -> list[Item]:
        """Return what waits in the order in which it would be taken if nothing came or ended."""
        lines: dict[str, list[tuple[int, Item]]] = {}
        for item, (owner, arrived) in self._waiting.items():
            lines.setdefault(owner, []).append((arrived, item))
        standing = {o: (self._running[o], self._served.get(o, 0)) for o in lines}
        taken = []
        while lines:
            owner = min(lines, key=lambda o: (*standing[o], lines[o][0][0]))
            taken.append(lines[owner].pop(0)[1])
            standing[owner] = (standing[owner][0] + 1, len(taken) + self._clock)
            if not lines[owner]:
                del lines[owner]
        return taken

    def take(self, most: Callable[[str], float] = lambda owner: math.inf) -> Item | None:
        """Return the next item, which now runs; None if nothing waits that may run.

        Parameters
        ----------
        most : callable
            From an owner, how many of theirs may run at once.
        """
        for item in self.order():
            owner = self._waiting[item][0]
            if self._running[owner] < most(owner):
                break
        else:
            return None
        del self._waiting[item]
        self._running[owner] += 1
        self._clock += 1
        self._served[owner] = self._clock
        return item

    def ended(self, owner: str) -> None:
        """Say that one of an owner's running items has ended."""
        self._running[owner] -= 1
        if self._running[owner] <= 0 and all(o != owner for o, _ in self._waiting.values()):
            # Who has nothing left is forgotten, so that sessions do not pile up.
            del self._running[owner]
            self._served.pop(owner, None)

    def remove(self, item: Item) -> bool:
        """Take an item out that is no longer wanted; say whether it waited."""
        return self._waiting.pop(item, None) is not None

    def place(self, item: Item) -> int | None:
        """Return an item's place, 1 for the next; None if it does not wait."""
        return self.order().index(item) + 1 if item in self._waiting else None
