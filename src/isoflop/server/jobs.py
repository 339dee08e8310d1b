"""What callers asked for that takes a while: each its asker's alone, and bounded.

A job runs in the pool of the replica that took it. Once a caller is given its address, its state
lies on the shelf, and what comes of it as well, so that any replica answers. What is taken off the
shelf is wanted by nobody: the replica that runs it ends it.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
from collections.abc import Callable
from concurrent import futures
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from starlette.responses import Response

from isoflop import work
from isoflop.errors import StoreError
from isoflop.server import problems, shelf
from isoflop.server.calls import File, Made
from isoflop.server.problems import Refused
from isoflop.server.shelf import Held, Shelf, failing

MAX_AT_ONCE = 8
"""Of one caller, waiting and running, in all replicas; they take turns with everyone else's."""
MAX_KEPT = 50
"""Ended ones of one caller: the oldest makes room."""
REFRESH_S = 1.0
"""How often others learn how far a job is, and it learns that nobody wants it any more."""

_STATE, _ANSWER = "state.json", "answer"
_UNDER_WAY = ("waiting", "running")

logger = logging.getLogger("isoflop.server")


@dataclass(slots=True)
class Asked:
    """A job of this process, and whose it is.

    Parameters
    ----------
    owner, kind : str
    job : Job
    held : Held or None
        Its entry on the shelf, from when it has an address to its end.
    """

    owner: str
    kind: str
    job: work.Job[Made]
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    held: Held | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def document(self, status: str = "") -> dict[str, Any]:
        """Return how far the job is, as JSON."""
        return {
            "id": self.id,
            "kind": self.kind,
            "status": status or ("waiting" if self.job.place else "running"),
            "place_in_queue": self.job.place,
            "share_done": self.job.share,
            "doing": self.job.doing,
            "result": f"jobs/{self.id}/result",
        }


class Jobs:
    """Starts jobs and finds them again, for who asked."""

    def __init__(self) -> None:
        self._shelf = Shelf("jobs", "job")
        self._mine: dict[str, Asked] = {}
        self._lock = threading.Lock()

    def start(self, owner: str, kind: str, function: Callable[..., Made], /, **given: Any) -> Asked:
        """Let a function run in the pool.

        Raises
        ------
        Refused
            If the caller has too much under way.
        WorkError
            If too much waits already.
        """
        elsewhere: set[str] = set()
        with suppress(StoreError):  # what is answered at once needs no folder
            elsewhere = {folder.name for folder in self._shelf.of(owner) if shelf.is_held(folder)}
        with self._lock:
            here = {id for id, asked in self._mine.items() if asked.owner == owner}
            if len(here | elsewhere) >= MAX_AT_ONCE:
                raise Refused(
                    HTTPStatus.TOO_MANY_REQUESTS,
                    f"{MAX_AT_ONCE} of your jobs are under way already.",
                    hint="Wait for one to end, or cancel it.",
                    headers={"Retry-After": "10"},
                )
            asked = Asked(owner=owner, kind=kind, job=work.submit(function, owner=owner, **given))
            self._mine[asked.id] = asked
        asked.job.add_done_callback(lambda _job: self._end(asked))
        return asked

    def place(self, asked: Asked) -> dict[str, Any]:
        """Give a job an address that every replica knows, and return its state.

        Raises
        ------
        StoreError
            If nothing can be written; the job is ended.
        """
        try:
            with failing(), asked.lock:
                self._make_room(asked.owner)
                held, said = self._shelf.begin(asked.owner), asked.document()
                try:
                    shelf.write(held.folder, _STATE, said)
                    held.place(asked.id)
                except BaseException:
                    held.abandon()
                    raise
                asked.held = held
                if asked.job.done():
                    _keep(asked)
        except BaseException:
            asked.job.cancel()
            raise
        name = f"api-job-{asked.kind}"
        follow = threading.Thread(target=_follow, args=(asked, held.folder), name=name, daemon=True)
        follow.start()
        return said

    def state(self, owner: str, id: str) -> dict[str, Any]:
        """Return how far a caller's job is.

        Raises
        ------
        Refused
            If the caller has none of that id; others' jobs are no exception.
        """
        folder = self._shelf.find(owner, id)  # it may have been deleted elsewhere
        with self._lock:
            mine = self._mine.get(id)
        if mine is not None and mine.held is not None:
            return mine.document()
        return self._kept(folder)

    def answer(self, owner: str, id: str) -> Response | None:
        """Return what came of a caller's job; None while it is under way.

        Raises
        ------
        Refused
            If the caller has none of that id, or the process that ran it has ended.
        """
        status = self.state(owner, id)["status"]
        if status in _UNDER_WAY:
            return None
        if status == "lost":
            raise lost()
        folder = self._shelf.find(owner, id)
        try:
            said, content = shelf.read(folder, _STATE)["answer"], (folder / _ANSWER).read_bytes()
        except FileNotFoundError:
            raise self._shelf.missing() from None
        return Response(content, said["status"], said["headers"])

    def of(self, owner: str) -> list[dict[str, Any]]:
        """Return the state of a caller's jobs that have an address, the oldest first."""
        found = []
        for folder in self._shelf.of(owner):
            with suppress(Refused):  # deleted a moment ago
                found.append(self.state(owner, folder.name))
        return found

    def drop(self, owner: str, id: str) -> None:
        """End a caller's job that still runs, wherever it does, and forget it.

        Raises
        ------
        Refused
            As `state`.
        """
        folder = self._shelf.find(owner, id)
        with self._lock:
            mine = self._mine.get(id)
        shelf.remove(folder)
        if mine is not None:
            mine.job.cancel()

    def _kept(self, folder: Path) -> dict[str, Any]:
        """Return what the shelf says of a job."""
        try:
            said = shelf.read(folder, _STATE)
            if said["status"] in _UNDER_WAY and not shelf.is_held(folder):
                said = shelf.read(folder, _STATE)  # it may have ended in between
                if said["status"] in _UNDER_WAY:
                    said["status"] = "lost"
        except FileNotFoundError:
            raise self._shelf.missing() from None
        said.pop("answer", None)
        return said

    def _make_room(self, owner: str) -> None:
        ended = [folder for folder in self._shelf.of(owner) if not shelf.is_held(folder)]
        for folder in ended[: max(0, len(ended) - MAX_KEPT + 1)]:
            shelf.remove(folder)

    def _end(self, asked: Asked) -> None:
        with asked.lock:
            _keep(asked)
        with self._lock:
            self._mine.pop(asked.id, None)


def answer_of(job: work.Job[Made]) -> Response:
    """Return what is answered when a job has ended."""
    if job.cancelled():
        return problems.of_refusal(lost())
    error = job.exception()
    if error is not None:
        return problems.of_failure(error)
    made = job.result()
    if isinstance(made, File):
        headers = {"Content-Disposition": f'attachment; filename="{made.name}"'}
        return Response(made.content, media_type=made.media_type, headers=headers)
    return Response(made, media_type="application/json")


def lost() -> Refused:
    """Return the refusal of a job whose process is no more."""
    return Refused(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The server process that ran this job has ended.",
        hint="Ask again.",
        headers={"Retry-After": "1"},
    )


def _keep(asked: Asked) -> None:
    """Put what came of a job with an address on the shelf; one that was ended leaves nothing."""
    if asked.held is None:
        return
    held, asked.held = asked.held, None
    folder = held.folder
    try:
        if not asked.job.cancelled():
            answer = answer_of(asked.job)
            (folder / _ANSWER).write_bytes(answer.body)
            said = {"status": answer.status_code, "headers": dict(answer.headers)}
            status = "failed" if asked.job.exception() else "done"
            shelf.write(folder, _STATE, {**asked.document(status), "answer": said})
    except FileNotFoundError:
        return  # nobody wants it any more
    except OSError as error:
        logger.error("what came of the job %s cannot be kept: %s", asked.id, error)
    finally:
        held.release()


def _follow(asked: Asked, folder: Path) -> None:
    """Tell other replicas how far a job is; end it when it was taken off the shelf."""
    while not futures.wait([asked.job], timeout=REFRESH_S).done:
        try:
            with asked.lock:
                if not asked.job.done():
                    shelf.write(folder, _STATE, asked.document())
        except FileNotFoundError:
            asked.job.cancel()
        except OSError as error:
            logger.warning("how far the job %s is cannot be said: %s", asked.id, error)


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
