"""What callers asked for and have not fetched yet: each its asker's alone, bounded, for a while."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from isoflop import work
from isoflop.server.problems import Refused

MAX_AT_ONCE = 8
"""Of one caller, waiting and running; they take turns with everyone else's."""
MAX_KEPT = 50
"""Ended ones of one caller: the oldest makes room."""
KEPT_S = 3600.0
"""After its end."""


@dataclass(slots=True)
class Asked:
    """One job and whose it is."""

    owner: str
    kind: str
    job: work.Job[str]
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    ended_s: float | None = None

    @property
    def status(self) -> str:
        """Where the job is."""
        if self.job.cancelled():
            return "cancelled"
        if not self.job.done():
            return "waiting" if self.job.place else "running"
        return "failed" if self.job.exception() else "done"

    def document(self) -> dict[str, Any]:
        """Return how far the job is, as JSON."""
        return {
            "id": self.id,
            "kind": self.kind,
            "status": self.status,
            "place_in_queue": self.job.place,
            "share_done": self.job.share,
            "doing": self.job.doing,
            "result": f"jobs/{self.id}/result",
        }


class Jobs:
    """Starts jobs and finds them again, for who asked."""

    def __init__(self) -> None:
        self._held: dict[str, Asked] = {}
        self._lock = threading.Lock()

    def start(self, owner: str, kind: str, function: Callable[..., str], /, **given: Any) -> Asked:
        """Let a function run in the pool.

        Raises
        ------
        Refused
            If the caller has too much under way.
        WorkError
            If too much waits already.
        """
        with self._lock:
            self._forget_old()
            own = [asked for asked in self._held.values() if asked.owner == owner]
            if sum(not asked.job.done() for asked in own) >= MAX_AT_ONCE:
                raise Refused(
                    HTTPStatus.TOO_MANY_REQUESTS,
                    f"{MAX_AT_ONCE} of your jobs are under way already.",
                    hint="Wait for one to end, or cancel it.",
                    headers={"Retry-After": "10"},
                )
            asked = Asked(owner=owner, kind=kind, job=work.submit(function, owner=owner, **given))
            ended = [one.id for one in own if one.job.done()]
            for id in ended[: max(0, len(ended) - MAX_KEPT + 1)]:
                del self._held[id]
            self._held[asked.id] = asked
        return asked

    def find(self, owner: str, id: str) -> Asked:
        """Return a caller's job.

        Raises
        ------
        Refused
            If the caller has none of that id; others' jobs are no exception.
        """
        with self._lock:
            self._forget_old()
            found = self._held.get(id)
        if found is None or found.owner != owner:
            raise Refused(
                HTTPStatus.NOT_FOUND,
                "There is no such job.",
                detail=f"What came of a job is kept for {KEPT_S / 60:.0f} minutes after its end, "
                "by the server process that took it.",
                hint="Ask again.",
            )
        return found

    def of(self, owner: str) -> list[Asked]:
        """Return a caller's jobs, the oldest first."""
        with self._lock:
            self._forget_old()
            return [asked for asked in self._held.values() if asked.owner == owner]

    def drop(self, asked: Asked) -> None:
        """End a job that still runs, and forget it."""
        asked.job.cancel()
        with self._lock:
            self._held.pop(asked.id, None)

    def _forget_old(self) -> None:
        now_s = time.monotonic()
        for id, asked in list(self._held.items()):
            if asked.job.done() and asked.ended_s is None:
                asked.ended_s = now_s
            if asked.ended_s is not None and now_s - asked.ended_s > KEPT_S:
                del self._held[id]


async def ended(asked: Asked, seconds: float) -> bool:
    """Wait for a job for so long; say whether it has ended."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()

    def wake(_job: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(over.set)

    asked.job.add_done_callback(wake)
    with suppress(TimeoutError):
        await asyncio.wait_for(over.wait(), max(seconds, 0.0))
    return asked.job.done()
