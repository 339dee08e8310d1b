"""A PostgreSQL server that does not answer: how long one request waits, and the next ones do not.

The server's own timeouts do not help when it is the server that stands still (a frozen machine, a
lost network, a full disk below it): the driver would wait for its answer for ever.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from isoflop.language import lazy_gettext as _
from isoflop.once import once

if TYPE_CHECKING:  # the driver is an extra
    import psycopg

ANSWER_S = 3.0
"""For the first sign of life on a connection that was idle."""
GRACE_S = 2.0
"""Beyond a statement's own timeout, by which a server that is alive answers."""
ASK_AGAIN_S = 5.0
"""After a request that waited in vain, before another one does."""
LONG_S = 1.0
"""A failure after less is no silence: the server, or its machine, has refused."""


class Silence:
    """Whether a database was last found not to answer; safe to share between threads.

    Of the requests that come then one in `ASK_AGAIN_S` tries again, and all others are refused at
    once: a page that asks for several things is not to wait for each, nor one person for another.
    """

    def __init__(self) -> None:
        self._until_s: float | None = None
        self._lock = threading.Lock()

    def lasts(self) -> bool:
        """Say whether a request is to be refused; one that is not, tries for all others."""
        with self._lock:
            now_s = time.monotonic()
            if self._until_s is None:
                return False
            if now_s < self._until_s:
                return True
            self._until_s = now_s + ASK_AGAIN_S
            return False

    def failed_after(self, waited_s: float) -> None:
        """Note that a request could not reach the database."""
        if waited_s > LONG_S:
            with self._lock:
                self._until_s = time.monotonic() + ASK_AGAIN_S

    def over(self) -> None:
        """Note that it has answered."""
        with self._lock:
            self._until_s = None


@once
def silence_of(_url: sa.URL) -> Silence:
    """Return what is known of a database: also whoever opens it anew knows that it was silent."""
    return Silence()


def bound_waits(engine: sa.Engine, *, statement_s: float) -> None:
    """Let every connection of an engine be given up whose server stays silent.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        Of psycopg.
    statement_s : float
        After which the server itself ends a statement.
    """

    def connect(_dialect: Any, _record: Any, given: Any, named: Any) -> Any:
        return _patient_class(statement_s + GRACE_S).connect(*given, **named)

    sa.event.listen(engine, "do_connect", connect)


@once
def _patient_class(statement_s: float) -> type[psycopg.Connection[Any]]:
    import psycopg

    class Patient(psycopg.Connection[Any]):
        """A connection that closes itself when its server stays silent for too long."""

        def wait(self, gen: Generator[Any, Any, Any], *args: Any, **named: Any) -> Any:
            patience_s = ANSWER_S if self.autocommit else statement_s  # as it is while pinged
            return super().wait(self._bounded(gen, patience_s), *args, **named)

        def _bounded(
            self, waiting: Generator[Any, Any, Any], patience_s: float
        ) -> Generator[Any, Any, Any]:
            until_s = time.monotonic() + patience_s
            try:
                wanted = next(waiting)
                while True:
                    ready = yield wanted
                    if not ready and time.monotonic() > until_s:
                        self.close()
                        raise psycopg.OperationalError(
                            _("it did not answer within {patience_s:g} s", patience_s=patience_s)
                        )
                    wanted = waiting.send(ready)
            except StopIteration as end:
                return end.value

    return Patient
