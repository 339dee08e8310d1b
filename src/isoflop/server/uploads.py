"""Tables that callers sent: each its sender's alone, for a while, known by what is in it."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from starlette.concurrency import run_in_threadpool

from isoflop.server import shelf
from isoflop.server.problems import Refused
from isoflop.server.shelf import Held, Shelf, failing
from isoflop.tables import max_upload_bytes

MAX_FILES = 100
"""Of one caller."""
PART_S = 60.0
"""From one part of a file to the next."""
MAX_SHARES = 4
"""All callers together may hold this many times the largest file."""
STEP_BYTES = 1_000_000
"""Written at once, after a look at the room that there is."""

_CONTENT, _ABOUT = "content", "about.json"


@dataclass(frozen=True, slots=True)
class Upload:
    """One file that is held.

    Parameters
    ----------
    id : str
        Of its name and content: the same file sent again is the same upload.
    name : str
    n_bytes : int
    """

    id: str
    name: str
    n_bytes: int


class Uploads:
    """Holds what was sent; nobody's file takes the place of another's."""

    def __init__(self) -> None:
        self._shelf = Shelf("tables", "uploaded table")

    async def receive(self, owner: str, name: str, parts: AsyncIterator[bytes]) -> Upload:
        """Take a file as it arrives.

        Raises
        ------
        Refused
            If it is too large, too slow or empty, or more is held than there is room for.
        StoreError
            If it cannot be written.
        """
        arriving = await run_in_threadpool(self._begin, owner)
        try:
            upload = await self._write(arriving, name, parts)
        except BaseException:
            arriving.abandon()
            raise
        arriving.release()
        return upload

    def content(self, owner: str, id: str) -> tuple[str, bytes]:
        """Return name and content of a caller's file, which is in use by that.

        Raises
        ------
        Refused
            If the caller has none of that id; others' files are no exception.
        """
        folder = self._shelf.find(owner, id)
        try:
            os.utime(folder)
            return _upload(folder).name, (folder / _CONTENT).read_bytes()
        except FileNotFoundError:
            raise self._shelf.missing() from None

    def of(self, owner: str) -> list[Upload]:
        """Return a caller's files, the oldest first."""
        return [_upload(folder) for folder in self._shelf.of(owner)]

    def drop(self, owner: str, id: str) -> None:
        """Forget a caller's file.

        Raises
        ------
        Refused
            As `content`.
        """
        shelf.remove(self._shelf.find(owner, id))

    def _begin(self, owner: str) -> Held:
        if len(self._shelf.of(owner)) >= MAX_FILES:
            raise Refused(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{MAX_FILES} uploaded tables are held for you already.",
                hint="Delete those that you no longer need.",
            )
        with failing():
            return self._shelf.begin(owner)

    async def _write(self, arriving: Held, name: str, parts: AsyncIterator[bytes]) -> Upload:
        limit, n_bytes, waiting = max_upload_bytes(), 0, bytearray()
        digest = hashlib.sha256(f"{name}\0".encode())
        async for part in in_time(parts):
            n_bytes += len(part)
            if n_bytes > limit:
                raise too_large(limit)
            digest.update(part)
            waiting += part
            if len(waiting) >= STEP_BYTES:
                await run_in_threadpool(self._append, arriving.folder, bytes(waiting))
                waiting.clear()
        if not n_bytes:
            raise Refused(HTTPStatus.BAD_REQUEST, "The file is empty.")
        await run_in_threadpool(self._append, arriving.folder, bytes(waiting))
        upload = Upload(id=digest.hexdigest()[:32], name=name, n_bytes=n_bytes)
        with failing():
            shelf.write(arriving.folder, _ABOUT, {"name": name, "n_bytes": n_bytes})
            arriving.place(upload.id)
        return upload

    def _append(self, folder: Path, content: bytes) -> None:
        """Write a part of a file, if there is room for it."""
        held = sum(_n_bytes(one) for one in self._shelf.all())
        if held + len(content) > MAX_SHARES * max_upload_bytes():
            raise Refused(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "There is no room for more uploaded tables now.",
                hint="Delete those that you no longer need, or try again later.",
                headers={"Retry-After": "600"},
            )
        with failing(), (folder / _CONTENT).open("ab") as file:
            file.write(content)


def _upload(folder: Path) -> Upload:
    return Upload(id=folder.name, **shelf.read(folder, _ABOUT))


def _n_bytes(folder: Path) -> int:
    try:
        return (folder / _CONTENT).stat().st_size
    except FileNotFoundError:
        return 0


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
