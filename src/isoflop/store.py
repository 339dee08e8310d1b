"""What a person saves: small JSON documents, by kind and key, in SQLite or PostgreSQL.

Saved scenarios, remembered column mappings, own accelerators and forecasts are all documents. The
default is one SQLite file in the person's data folder; ``ISOFLOP_DATABASE_URL`` names another
database, for a team that shares one. Importing this module imports SQLAlchemy, which start-up need
not wait for: import it where a document is first needed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from platformdirs import user_data_path
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.schema import CreateTable

from isoflop.errors import StoreError

URL_SETTING = "ISOFLOP_DATABASE_URL"
MAX_KIND_CHARACTERS = 40
MAX_KEY_CHARACTERS = 200
CONNECT_TIMEOUT_S = 5

DOCUMENTS = sa.Table(
    "documents",
    sa.MetaData(),
    sa.Column("kind", sa.String(MAX_KIND_CHARACTERS), primary_key=True),
    sa.Column("key", sa.String(MAX_KEY_CHARACTERS), primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
    # ISO 8601 in UTC: the same text, in the same order, in every database.
    sa.Column("created", sa.String(32), nullable=False),
    sa.Column("updated", sa.String(32), nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One saved thing.

    Parameters
    ----------
    kind : str
        What it is, such as ``"scenario"``.
    key : str
        Its name within the kind.
    body : dict
        Anything that JSON can hold.
    created, updated : datetime
        In UTC.
    """

    kind: str
    key: str
    body: dict[str, Any]
    created: datetime
    updated: datetime


class Store:
    """Documents in one database. Safe to share between threads.

    Parameters
    ----------
    url : str, optional
        Database URL, ``sqlite:///...`` or ``postgresql://...``. Without it the setting
        ``ISOFLOP_DATABASE_URL``, and without that a SQLite file in the person's data folder.

    Raises
    ------
    StoreError
        If the URL is malformed, its driver is missing, or the database cannot be opened.
    """

    def __init__(self, url: str | None = None) -> None:
        self._engine = _open(_parse(url or os.environ.get(URL_SETTING) or _default_url()))
        with self._transaction("The database of saved documents cannot be opened.") as connection:
            connection.execute(CreateTable(DOCUMENTS, if_not_exists=True))

    @property
    def location(self) -> str:
        """Where the documents are, fit to be shown: the URL without its password."""
        return self._engine.url.render_as_string(hide_password=True)

    def put(self, kind: str, key: str, body: Mapping[str, Any]) -> Document:
        """Save a document in place of any other of the same kind and key.

        Raises
        ------
        StoreError
            If the kind or key is empty or too long, the body is not JSON (NaN and infinity are
            not), or the database refuses.
        """
        _check_name("kind", kind, MAX_KIND_CHARACTERS)
        _check_name("key", key, MAX_KEY_CHARACTERS)
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        row = {"kind": kind, "key": key, "body": _to_json(body), "created": now, "updated": now}
        # The two databases spell an atomic "insert or replace" alike, in modules of their own.
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        insert = dialect.insert(DOCUMENTS).values(row)
        upsert = insert.on_conflict_do_update(
            index_elements=["kind", "key"],
            set_={"body": insert.excluded.body, "updated": insert.excluded.updated},
        )
        with self._transaction("The document was not saved.") as connection:
            saved = connection.execute(upsert.returning(*DOCUMENTS.columns)).one()
        return _document(saved)

    def get(self, kind: str, key: str) -> Document | None:
        """Return one document, or None if there is none.

        Raises
        ------
        StoreError
            If the database cannot be read.
        """
        query = sa.select(DOCUMENTS).where(DOCUMENTS.c.kind == kind, DOCUMENTS.c.key == key)
        with self._transaction("The saved documents cannot be read.") as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _document(row)

    def find(self, kind: str) -> list[Document]:
        """Return every document of a kind, the last changed first.

        Raises
        ------
        StoreError
            If the database cannot be read.
        """
        query = sa.select(DOCUMENTS).where(DOCUMENTS.c.kind == kind)
        query = query.order_by(DOCUMENTS.c.updated.desc(), DOCUMENTS.c.key)
        with self._transaction("The saved documents cannot be read.") as connection:
            return [_document(row) for row in connection.execute(query)]

    def delete(self, kind: str, key: str) -> bool:
        """Delete one document; return whether there was one.

        Raises
        ------
        StoreError
            If the database refuses.
        """
        statement = sa.delete(DOCUMENTS).where(DOCUMENTS.c.kind == kind, DOCUMENTS.c.key == key)
        with self._transaction("The document was not deleted.") as connection:
            return connection.execute(statement).rowcount > 0

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, failure: str) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            raise StoreError(
                failure,
                detail=f"{self.location}: {reason}",
                hint=f"Check that it is running and writable, or point {URL_SETTING} elsewhere.",
            ) from error


def _default_url() -> str:
    folder = user_data_path("isoflop", appauthor=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            "The folder for saved documents cannot be made.",
            detail=f"{folder}: {error.strerror}",
            hint=f"Make it writable, or point {URL_SETTING} to a database elsewhere.",
        ) from None
    return f"sqlite:///{folder / 'isoflop.sqlite3'}"


def _parse(text: str) -> sa.URL:
    hint = f"Set {URL_SETTING} to sqlite:///file.sqlite3 or postgresql://user:password@host/name."
    try:
        url = sa.make_url(text)
    except ArgumentError:
        # The text itself may hold a password.
        raise StoreError("The database URL is malformed.", hint=hint) from None
    backend = url.get_backend_name()
    if backend in ("postgres", "postgresql"):
        return url.set(drivername="postgresql+psycopg")
    if backend == "sqlite":
        return url
    raise StoreError(f"The database {backend} is not supported.", hint=hint)


def _open(url: sa.URL) -> sa.Engine:
    try:
        if url.get_backend_name() == "postgresql":
            timeout = {"connect_timeout": CONNECT_TIMEOUT_S}
            return sa.create_engine(url, pool_pre_ping=True, connect_args=timeout)
        engine = sa.create_engine(url, connect_args={"timeout": CONNECT_TIMEOUT_S})
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise StoreError(
            "The driver of this database is not installed.",
            detail=str(error),
            hint="Install it with: pip install 'isoflop[postgres]'.",
        ) from None
    if url.database and Path(url.database).name != ":memory:":
        sa.event.listen(engine, "connect", _write_ahead)
    return engine


def _write_ahead(connection: Any, _record: Any) -> None:
    # Readers do not wait for a writer: several pages and a worker share the file.
    connection.execute("PRAGMA journal_mode=WAL")


def _check_name(what: str, name: str, limit: int) -> None:
    if not name.strip() or len(name) > limit or "\0" in name:
        raise StoreError(
            f"This {what} cannot name a document.",
            detail=f"It has {len(name)} characters: {name[:60]!r}.",
            hint=f"Use 1 to {limit} printable characters.",
        )


def _to_json(body: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(body), allow_nan=False, ensure_ascii=True)
    except (TypeError, ValueError) as error:
        raise StoreError(
            "This cannot be saved: a value is not JSON.",
            detail=str(error),
            hint="Save text, finite numbers, true, false, null, lists and objects alone.",
        ) from None


def _document(row: sa.Row[Any]) -> Document:
    return Document(
        kind=row.kind,
        key=row.key,
        body=json.loads(row.body),
        created=datetime.fromisoformat(row.created),
        updated=datetime.fromisoformat(row.updated),
    )
