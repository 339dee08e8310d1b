"""A store looked at from outside: is it consistent, and is there what people were told is saved."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from isoflop.store.documents import MAX_VERSIONS
from isoflop.store.tables import ATTACHMENTS, DOCUMENTS, VERSIONS


def faults(url: str) -> list[str]:
    """Return what is not as it should be in a store; nothing of a sound one.

    Parameters
    ----------
    url : str
        Of its database.
    """
    with _connected(url) as connection:
        return list(_faults(connection))


def missing(url: str, notes: Iterable[str]) -> list[str]:
    """Return which notes are in no document, and in no version of one.

    Parameters
    ----------
    url : str
        Of the database.
    notes : iterable of str
        Of what was saved.
    """
    with _connected(url) as connection:
        if not sa.inspect(connection).has_table(DOCUMENTS.name):
            return list(notes)  # nobody has asked for the store yet
        bodies = [
            *connection.scalars(sa.select(DOCUMENTS.c.body)),
            *connection.scalars(sa.select(VERSIONS.c.body)),
        ]
    there = {json.loads(body).get("note") for body in bodies}
    return [note for note in notes if note not in there]


def _connected(url: str) -> Any:
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    return sa.create_engine(parsed, poolclass=sa.NullPool).connect()


def _faults(connection: sa.Connection) -> Iterator[str]:
    if connection.dialect.name == "sqlite":
        said = connection.exec_driver_sql("PRAGMA integrity_check").scalar()
        if said != "ok":
            yield f"the file is damaged: {said}"
    documents = connection.execute(sa.select(DOCUMENTS)).all()
    versions = connection.execute(sa.select(VERSIONS).order_by(VERSIONS.c.version)).all()
    yield from _numbers(documents, versions)
    for row in documents:
        yield from _content(row, f"{row.key!r}")
    for row in versions:
        yield from _content(row, f"version {row.version} of {row.document}")
    for row in connection.execute(sa.select(ATTACHMENTS)):
        if hashlib.sha256(row.content).hexdigest() != row.sha256:
            yield f"a file of {row.document} is damaged"


def _numbers(documents: Sequence[Any], versions: Sequence[Any]) -> Iterator[str]:
    """Yield where names repeat, versions are missing or too many, or time ran backwards."""
    earlier = defaultdict(list)
    for version in versions:
        earlier[version.document].append(version.version)
    for row in documents:
        numbers = earlier.pop(row.id, [])
        if numbers != list(range(max(1, row.version - MAX_VERSIONS), row.version)):
            yield f"{row.key!r} has version {row.version} and before it {numbers}"
        if row.updated < row.created:
            yield f"{row.key!r} was changed before it was made"
    for document in earlier:
        yield f"versions of {document}, which is not there"
    live = Counter((row.owner, row.kind, row.key) for row in documents if row.deleted is None)
    for name, count in live.items():
        if count > 1:
            yield f"{count} documents are called {name}"


def _content(row: Any, name: str) -> Iterator[str]:
    if row.n_bytes != len(row.body):
        yield f"{name} is of {len(row.body)} bytes, not {row.n_bytes}"
    try:
        is_object = isinstance(json.loads(row.body), dict)
    except ValueError:
        is_object = False
    if not is_object:
        yield f"{name} is not JSON"
