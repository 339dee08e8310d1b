"""What callers sent and what is made for them: files that every replica sees, of one owner each.

An entry is a folder below its owner's. Whoever writes it holds its lock meanwhile, which the system
gives back however the process ends: an entry that is neither whole nor held has lost its maker, and
no clock or sign of life is needed to tell. A while after its last use, an entry is forgotten.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from platformdirs import user_data_path

from isoflop import settings
from isoflop.errors import StoreError
from isoflop.once import once
from isoflop.server.problems import Refused

SETTING = "ISOFLOP_API_FOLDER"
KEPT_S = 3600.0
"""After the last use."""
ABANDONED_S = 60.0
"""After which what no process holds and what has no name yet is taken away."""

_LOCK = "lock"
_ARRIVING = "."
_ID = re.compile(r"[\w-]{1,64}", re.ASCII)


def root() -> Path:
    """Return the folder that replicas share; on a read-only server one of this process alone."""
    if settings.is_read_only():
        return Path(_own().name)
    given = settings.text(SETTING)
    return Path(given) if given else user_data_path("isoflop", appauthor=False) / "api"


@once
def _own() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="isoflop-api-")


@contextmanager
def failing() -> Iterator[None]:
    """Say where files are kept if the system refuses one.

    Raises
    ------
    StoreError
    """
    try:
        yield
    except OSError as error:
        raise StoreError(
            "What is sent to the API, and what it makes, cannot be kept.",
            detail=f"{root()}: {error.strerror or error}",
            hint=f"Let whoever runs the server make room there, or point {SETTING} elsewhere.",
        ) from error


@dataclass(slots=True)
class Held:
    """An entry that this process makes.

    Parameters
    ----------
    folder : Path
        It has no name for its owner until `place` gives it one.
    lock : int
        Descriptor of the lock's file.
    """

    folder: Path
    lock: int

    def place(self, id: str) -> None:
        """Let the owner find it; one of the same name that is there already stays."""
        placed = self.folder.with_name(id)
        try:
            self.folder.rename(placed)
        except OSError:
            if not placed.is_dir():
                raise
            remove(self.folder)
            os.utime(placed)
        self.folder = placed

    def release(self) -> None:
        """Say that nothing more is written to it."""
        os.close(self.lock)

    def abandon(self) -> None:
        """Take it away, as it will not be whole."""
        remove(self.folder)
        self.release()


class Shelf:
    """Entries of one kind by owner and id.

    Parameters
    ----------
    kind : str
        Name of the folder.
    what : str
        What one of them is, for people.
    """

    def __init__(self, kind: str, what: str) -> None:
        self._kind, self._what = kind, what

    def begin(self, owner: str) -> Held:
        """Make an entry, to be filled and placed."""
        self.forget_old()
        folder = self._of(owner) / f"{_ARRIVING}{secrets.token_hex(16)}"
        folder.mkdir(parents=True, mode=0o700)
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        return Held(folder=folder, lock=lock)

    def find(self, owner: str, id: str) -> Path:
        """Return an owner's entry.

        Raises
        ------
        Refused
            If the owner has none of that id; others' are no exception.
        StoreError
            If the system does not say.
        """
        folder = self._of(owner) / id
        with failing():
            is_there = bool(_ID.fullmatch(id)) and folder.is_dir() and not _is_old(folder)
        if not is_there:
            raise self.missing()
        return folder

    def missing(self) -> Refused:
        """Return the refusal of an id that the owner has nothing under."""
        return Refused(
            HTTPStatus.NOT_FOUND,
            f"There is no such {self._what}.",
            detail=f"One is kept for {KEPT_S / 60:.0f} minutes after its last use or its end.",
            hint="Send it again.",
        )

    def of(self, owner: str) -> list[Path]:
        """Return an owner's entries, the oldest first."""
        found = [
            folder
            for folder in _entries(self._of(owner))
            if not folder.name.startswith(_ARRIVING) and not _is_old(folder)
        ]
        return sorted(found, key=_made_s)

    def all(self) -> Iterator[Path]:
        """Yield every entry of every owner, those that are being made too."""
        for owner in _entries(root() / self._kind):
            yield from _entries(owner)

    def forget_old(self) -> None:
        """Take away what nobody has used for a while, and what a process left unfinished."""
        for folder in self.all():
            if _is_old(folder):
                remove(folder)

    def _of(self, owner: str) -> Path:
        return root() / self._kind / hashlib.sha256(owner.encode()).hexdigest()[:32]


def is_held(folder: Path) -> bool:
    """Say whether the process that makes an entry is still at it."""
    try:
        lock = os.open(folder / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def write(folder: Path, name: str, said: Mapping[str, Any]) -> None:
    """Write a JSON file of an entry, whole or not at all."""
    arriving = folder / f"{name}.new"
    arriving.write_text(json.dumps(said), encoding="utf-8")
    arriving.replace(folder / name)


def read(folder: Path, name: str) -> dict[str, Any]:
    """Read what `write` wrote."""
    found: dict[str, Any] = json.loads((folder / name).read_text(encoding="utf-8"))
    return found


def remove(folder: Path) -> None:
    """Take an entry away, at once for whoever looks for it."""
    gone = folder.with_name(f"{_ARRIVING}{secrets.token_hex(16)}")
    with suppress(OSError):  # another replica was first
        folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


def _entries(folder: Path) -> list[Path]:
    with failing():
        try:
            return [path for path in folder.iterdir() if path.is_dir()]
        except FileNotFoundError:
            return []


def _is_old(folder: Path) -> bool:
    kept_s = ABANDONED_S if folder.name.startswith(_ARRIVING) else KEPT_S
    try:
        return time.time() - folder.stat().st_mtime > kept_s and not is_held(folder)
    except FileNotFoundError:
        return True


def _made_s(folder: Path) -> float:
    try:
        return (folder / _LOCK).stat().st_mtime
    except FileNotFoundError:  # it was removed a moment ago
        return 0.0
