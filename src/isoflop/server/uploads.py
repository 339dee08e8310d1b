"""Tables that callers sent: in memory, each its sender's alone, for a while."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http import HTTPStatus

from isoflop.server.problems import Refused
from isoflop.tables import max_upload_bytes

MAX_FILES = 100
"""Of one caller."""
KEPT_S = 3600.0
"""After the last use."""
PART_S = 60.0
"""From one part of a file to the next."""
MAX_SHARES = 4
"""All callers together may hold this many times the largest file."""


@dataclass(slots=True)
class Upload:
    """One file and whose it is."""

    owner: str
    name: str
    content: bytes
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    used_s: float = field(default_factory=time.monotonic)


class Uploads:
    """Holds what was sent; nobody's file takes the place of another's."""

    def __init__(self) -> None:
        self._held: dict[str, Upload] = {}
        self._arriving_bytes = 0
        self._lock = threading.Lock()

    async def receive(self, owner: str, name: str, parts: AsyncIterator[bytes]) -> Upload:
        """Take a file as it arrives.

        Raises
        ------
        Refused
            If it is too large, too slow or empty, or more is held than there is room for.
        """
        limit, taken = max_upload_bytes(), bytearray()
        try:
            async for part in in_time(parts):
                self._make_room(owner, len(part))
                taken += part
                if len(taken) > limit:
                    raise too_large(limit)
            if not taken:
                raise Refused(HTTPStatus.BAD_REQUEST, "The file is empty.")
            upload = Upload(owner=owner, name=name, content=bytes(taken))
        finally:
            with self._lock:
                self._arriving_bytes -= len(taken)
        with self._lock:
            self._held[upload.id] = upload
        return upload

    def find(self, owner: str, id: str) -> Upload:
        """Return a caller's file.

        Raises
        ------
        Refused
            If the caller has none of that id; others' files are no exception.
        """
        with self._lock:
            self._forget_old()
            found = self._held.get(id)
            if found is None or found.owner != owner:
                raise Refused(
                    HTTPStatus.NOT_FOUND,
                    "There is no such uploaded table.",
                    detail=f"Uploaded tables are kept for {KEPT_S / 60:.0f} minutes after their "
                    "last use, by the server process that took them.",
                    hint="Send the file again.",
                )
            found.used_s = time.monotonic()
            return found

    def of(self, owner: str) -> list[Upload]:
        """Return a caller's files, the oldest first."""
        with self._lock:
            self._forget_old()
            return [upload for upload in self._held.values() if upload.owner == owner]

    def drop(self, owner: str, id: str) -> None:
        """Forget a caller's file.

        Raises
        ------
        Refused
            As `find`.
        """
        self.find(owner, id)
        with self._lock:
            self._held.pop(id, None)

    def _make_room(self, owner: str, n_bytes: int) -> None:
        """Count bytes that arrive, or refuse them."""
        with self._lock:
            self._forget_old()
            own = [upload for upload in self._held.values() if upload.owner == owner]
            held = sum(len(upload.content) for upload in self._held.values())
            if len(own) >= MAX_FILES:
                raise Refused(
                    HTTPStatus.TOO_MANY_REQUESTS,
                    f"{MAX_FILES} uploaded tables are held for you already.",
                    hint="Delete those that you no longer need.",
                )
            if held + self._arriving_bytes + n_bytes > MAX_SHARES * max_upload_bytes():
                raise Refused(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    "There is no room for more uploaded tables now.",
                    hint="Delete those that you no longer need, or try again later.",
                    headers={"Retry-After": "600"},
                )
            self._arriving_bytes += n_bytes

    def _forget_old(self) -> None:
        now_s = time.monotonic()
        for id in [k for k, v in self._held.items() if now_s - v.used_s > KEPT_S]:
            del self._held[id]


async def in_time(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pass the parts of a body on as they come.

    Raises
    ------
    Refused
        If one does not come in time.
    """
    while True:
        try:
            async with asyncio.timeout(PART_S):
                part = await anext(parts)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Refused(
                HTTPStatus.REQUEST_TIMEOUT, f"The body stopped coming for {PART_S:g} s."
            ) from None
        yield part


def too_large(limit_bytes: int) -> Refused:
    """Return the refusal of a body over a limit."""
    return Refused(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is larger than {limit_bytes:,} bytes."
    )
