"""One database: opened, brought to this version's tables, and used in transactions that say why."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from platformdirs import user_data_path
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import StaticPool

from isoflop import settings
from isoflop.errors import StoreError
from isoflop.language import lazy_gettext as _
from isoflop.store import patience

Result = TypeVar("Result")

URL_SETTING = "ISOFLOP_DATABASE_URL"
CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_S = 10
ATTEMPTS = 4
"""Of a transaction that another one stood in the way of."""
RETRY_FOR_S = 8
"""From the first attempt on: nobody waits for a page that long."""
REVISIONS = ("0001", "0002", "0003")
"""Of the tables, the oldest first; the last is what this version of the package uses."""
MIGRATIONS = Path(__file__).with_name("migrations")
_UPGRADE_LOCK = 0x150F10B
"""Number of the lock that a PostgreSQL database is upgraded under."""
_OPCODES_BETWEEN_CHECKS = 100_000


class Database:
    """A database with the tables of this version. Safe to share between threads.

    Parameters
    ----------
    url : str, optional
        ``sqlite:///...`` or ``postgresql://...``. Without it the setting ``ISOFLOP_DATABASE_URL``,
        and without that a SQLite file in the person's data folder. On a read-only server nothing is
        made or changed.

    Raises
    ------
    StoreError
        If the URL is malformed, its driver is missing, the database cannot be opened, or a newer
        version of the package has made its tables.
    """

    def __init__(self, url: str | None = None) -> None:
        self.is_read_only = settings.is_read_only()
        given = url or os.environ.get(URL_SETTING)
        parsed = _parse(given or _default_url(make=not self.is_read_only))
        self._file = _file_of(parsed)
        is_absent = self._file is not None and not self._file.exists()
        if self.is_read_only and is_absent:
            self._file, parsed = None, sa.make_url("sqlite://")  # nothing to read, nowhere to write
            self.is_read_only = False
        self._url = parsed
        self._silence = patience.silence_of(parsed)
        self._engine = _open(parsed, is_read_only=self.is_read_only)
        self._inode: int | None = None
        try:
            self._check_tables()
        except BaseException:
            self.close()
            raise
        self._inode = self._found_inode()

    @property
    def location(self) -> str:
        """Where the documents are, fit to be shown: the URL without its password."""
        return self._url.render_as_string(hide_password=True)

    @property
    def dialect(self) -> str:
        """``"sqlite"`` or ``"postgresql"``."""
        return self._engine.dialect.name

    def run(
        self, failure: str, work: Callable[[sa.Connection], Result], *, writes: bool = False
    ) -> Result:
        """Do something in one transaction, again if another one stood in its way.

        Parameters
        ----------
        failure : str
            What a person reads if it does not succeed.
        work : callable
            Takes the connection.
        writes : bool
            A writer of SQLite waits for its turn before it reads, so that it never has to give up.

        Raises
        ------
        StoreError
            If the database refuses, or does not answer.
        """
        self._notice_a_lost_file()
        if self._silence.lasts():
            raise self._refusal(failure, _("it does not answer, and is asked again in a moment"))
        begin_s = time.monotonic()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                result = self._transaction(work, writes=writes)
            except SQLAlchemyError as error:
                waited_s = time.monotonic() - begin_s
                if attempt == ATTEMPTS or waited_s > RETRY_FOR_S or not _may_pass(error):
                    if self.dialect == "postgresql" and _is_unreachable(error):
                        self._silence.failed_after(waited_s)
                    raise self._failure(failure, error) from error
                time.sleep(random.uniform(0.01, 0.05) * 2**attempt)
            else:
                self._silence.over()
                return result
        raise AssertionError("the last attempt returns or raises")

    def _transaction(self, work: Callable[[sa.Connection], Result], *, writes: bool) -> Result:
        with self._engine.connect() as connection:
            connection.info["writes"] = writes
            connection.info["deadline_s"] = time.monotonic() + STATEMENT_TIMEOUT_S
            with connection.begin():
                return work(connection)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    # --- Opening ---

    def _check_tables(self) -> None:
        failure = _("The database of saved documents cannot be opened.")
        self.run(failure, self._require_tables, writes=not self.is_read_only)

    def _require_tables(self, connection: sa.Connection) -> None:
        """Bring the tables to this version's, one process after another.

        Raises
        ------
        StoreError
            If they are newer, or older on a server that changes nothing.
        """
        if self._revision(connection) == REVISIONS[-1]:
            return
        if self.dialect == "postgresql" and not self.is_read_only:
            lock = sa.func.pg_advisory_xact_lock(_UPGRADE_LOCK)
            connection.execute(sa.select(lock))
        found = self._revision(connection)
        if found == REVISIONS[-1]:
            return  # another process was first
        if found and found not in REVISIONS:
            raise StoreError(
                _("A newer version of Isoflop has made this database."),
                detail=_(
                    "{location} has revision {found}; this version knows up to {revisions}.",
                    location=self.location,
                    found=found,
                    revisions=REVISIONS[-1],
                ),
                hint=_(
                    "Update Isoflop, or point {url_setting} to another database.",
                    url_setting=URL_SETTING,
                ),
            )
        if self.is_read_only:
            raise StoreError(
                _(
                    "The database is of an older version, and a read-only server does "
                    "not change it."
                ),
                detail=_(
                    "{location} has revision {found}.",
                    location=self.location,
                    found=found or _("none"),
                ),
                hint=_("Start the server once without ISOFLOP_READ_ONLY."),
            )
        _upgrade(connection, found)

    def _revision(self, connection: sa.Connection) -> str:
        """Return the revision of the tables; empty for an empty database."""
        names = set(sa.inspect(connection).get_table_names())
        if "alembic_version" in names:
            return str(connection.scalar(sa.text("SELECT version_num FROM alembic_version")) or "")
        return REVISIONS[0] if "documents" in names else ""

    # --- Failures ---

    def _found_inode(self) -> int | None:
        try:
            return None if self._file is None else self._file.stat().st_ino
        except OSError:
            return None

    def _notice_a_lost_file(self) -> None:
        """Refuse to go on in a file that was deleted, whose pages only this process still sees.

        Raises
        ------
        StoreError
            If it is gone. One that took its place is opened.
        """
        if self._file is None or self._inode is None:
            return
        found = self._found_inode()
        if found == self._inode:
            return
        self._engine.dispose()
        if found is None:
            raise StoreError(
                _("The database of saved documents is gone."),
                detail=_("{file} was deleted or moved while the server runs.", file=self._file),
                hint=_("Put it back, from a backup if need be; or restart to begin an empty one."),
            )
        self._inode = found
        self._check_tables()

    def _failure(self, failure: str, error: SQLAlchemyError) -> StoreError:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        if reason == "interrupted":
            reason = _(
                "it did not answer within {statement_timeout_s} s",
                statement_timeout_s=STATEMENT_TIMEOUT_S,
            )
        if isinstance(error, PoolTimeout):
            reason = _("too many requests wait for it")
        return self._refusal(failure, reason)

    def _refusal(self, failure: str, reason: str) -> StoreError:
        return StoreError(
            failure,
            detail=f"{self.location}: {reason}",
            hint=_(
                "Check that it is running and writable, or point {url_setting} elsewhere.",
                url_setting=URL_SETTING,
            ),
        )


def _upgrade(connection: sa.Connection, found: str) -> None:
    import logging

    from alembic import command
    from alembic.config import Config

    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    if found == REVISIONS[0] and not sa.inspect(connection).has_table("alembic_version"):
        command.stamp(config, found)
    command.upgrade(config, "head")


def _may_pass(error: SQLAlchemyError) -> bool:
    """Say whether a transaction may succeed when it is tried again."""
    if isinstance(error, IntegrityError):
        return True  # another one made the same document first
    if not isinstance(error, DBAPIError):
        return False
    text = str(error.orig)
    is_locked = isinstance(error.orig, sqlite3.OperationalError) and "locked" in text
    state = str(getattr(error.orig, "sqlstate", None))
    is_lost = bool(error.connection_invalidated)
    return is_locked or is_lost or state in ("40001", "40P01", "55P03")


def _is_unreachable(error: SQLAlchemyError) -> bool:
    """Say whether a connection could not be made, or was lost."""
    if not isinstance(error, DBAPIError):
        return False
    return bool(error.connection_invalidated) or error.statement is None


def _default_url(*, make: bool) -> str:
    folder = user_data_path("isoflop", appauthor=False)
    try:
        if make:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            _("The folder for saved documents cannot be made."),
            detail=f"{folder}: {error.strerror}",
            hint=_(
                "Make it writable, or point {url_setting} to a database elsewhere.",
                url_setting=URL_SETTING,
            ),
        ) from None
    return f"sqlite:///{folder / 'isoflop.sqlite3'}"


def _parse(text: str) -> sa.URL:
    hint = _(
        "Set {url_setting} to sqlite:///file.sqlite3 or postgresql://user:password@host/name.",
        url_setting=URL_SETTING,
    )
    try:
        url = sa.make_url(text)
    except ArgumentError:
        # The text itself may hold a password.
        raise StoreError(_("The database URL is malformed."), hint=hint) from None
    backend = url.get_backend_name()
    if backend in ("postgres", "postgresql"):
        return url.set(drivername="postgresql+psycopg")
    if backend == "sqlite":
        return url
    raise StoreError(_("The database {backend} is not supported.", backend=backend), hint=hint)


def _file_of(url: sa.URL) -> Path | None:
    """Return the file of a SQLite database; None for one in memory, and for a server."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(url.database)


def _open(url: sa.URL, *, is_read_only: bool) -> sa.Engine:
    try:
        if url.get_backend_name() == "postgresql":
            flags = {"statement_timeout": f"{STATEMENT_TIMEOUT_S}s", "lock_timeout": "5s"}
            if is_read_only:
                flags["default_transaction_read_only"] = "on"
            arguments = {
                "connect_timeout": CONNECT_TIMEOUT_S,
                "options": " ".join(f"-c {name}={value}" for name, value in flags.items()),
            }
            engine = sa.create_engine(
                url, pool_pre_ping=True, pool_timeout=CONNECT_TIMEOUT_S, connect_args=arguments
            )
            patience.bound_waits(engine, statement_s=STATEMENT_TIMEOUT_S)
            return engine
        file = _file_of(url)
        if file is None:
            engine = sa.create_engine(
                url, poolclass=StaticPool, connect_args={"check_same_thread": False}
            )
        elif is_read_only:
            path = f"file:{file.resolve()}"
            query = {"mode": "ro", "uri": "true"}
            engine = sa.create_engine(url.set(database=path, query=query))
        else:
            engine = sa.create_engine(url, connect_args={"timeout": CONNECT_TIMEOUT_S})
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise StoreError(
            _("The driver of this database is not installed."),
            detail=str(error),
            hint=_("Install it with: pip install 'isoflop[postgres]'."),
        ) from None
    sa.event.listen(engine, "connect", _prepare_writable if not is_read_only else _prepare)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, record: Any) -> None:
    """Take transactions into our own hands, and end statements that take too long."""
    connection.isolation_level = None

    def is_late() -> bool:
        return bool(time.monotonic() > record.info.get("deadline_s", float("inf")))

    connection.set_progress_handler(is_late, _OPCODES_BETWEEN_CHECKS)


def _prepare_writable(connection: Any, record: Any) -> None:
    _prepare(connection, record)
    # Readers do not wait for a writer: several pages and a worker share the file.
    connection.execute("PRAGMA journal_mode=WAL")


def _begin(connection: sa.Connection) -> None:
    writes = connection.info.get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
