"""Documents as one person sees them: one's own, and what others share."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import sqlalchemy as sa

from isoflop import settings
from isoflop.errors import AccessError, ConflictError, StoreError
from isoflop.people import (
    LOCAL,
    MAX_NAME_CHARACTERS,
    Actor,
    ShareRole,
    Sharing,
    Visibility,
)
from isoflop.store.database import Database
from isoflop.store.tables import (
    ATTACHMENTS,
    DOCUMENTS,
    MAX_KEY_CHARACTERS,
    MAX_KIND_CHARACTERS,
    PEOPLE,
    VERSIONS,
)

MAX_VERSIONS = 50
"""Earlier versions of a document that are kept."""
KEEP_DELETED = timedelta(days=30)

_READ, _SAVE = "The saved documents cannot be read.", "The document was not saved."


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One saved thing.

    Parameters
    ----------
    id : str
        Hard to guess: it is also the link under which a document can be shared.
    owner, owner_name : str
        Whose it is, and what others read for that.
    kind : str
        What it is, such as ``"scenario"``.
    key : str
        Its name within the kind, for its owner.
    body : dict
        Anything that JSON can hold.
    version : int
        From 1, one more with every change.
    visibility : {"private", "link", "team"}
        Who else sees it: nobody, whoever has the link, or everyone on this server.
    role : {"viewer", "editor"}
        What everyone on this server may do with it, where they see it.
    author_name : str
        Who changed it last.
    created, updated : datetime
        In UTC.
    can_write : bool
        Whether the person who asked may change it.
    """

    id: str
    owner: str
    owner_name: str
    kind: str
    key: str
    body: dict[str, Any]
    version: int
    visibility: Visibility
    role: ShareRole
    author_name: str
    created: datetime
    updated: datetime
    can_write: bool

    @property
    def sharing(self) -> Sharing:
        """Whose it is, and who else may see or change it."""
        return Sharing(
            owner=self.owner,
            owner_name=self.owner_name,
            visibility=self.visibility,
            role=self.role,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What a document was at some time.

    Parameters
    ----------
    number : int
    author_name : str
    saved : datetime
    """

    number: int
    author_name: str
    saved: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """Documents of a kind, and the names of those that cannot be read.

    Parameters
    ----------
    documents : tuple of Document
    unreadable : tuple of str
    """

    documents: tuple[Document, ...]
    unreadable: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Document]:
        return iter(self.documents)

    def __len__(self) -> int:
        return len(self.documents)


class Store:
    """All documents of one database; safe to share between threads.

    Parameters
    ----------
    url : str, optional
        As for `Database`.

    Raises
    ------
    StoreError
        If the database cannot be opened.
    """

    def __init__(self, url: str | None = None) -> None:
        self._database = Database(url)
        if not self._database.is_read_only:
            self._database.run("The database cannot be tidied.", _purge, writes=True)

    @property
    def location(self) -> str:
        """Where the documents are, fit to be shown."""
        return self._database.location

    def of(self, actor: Actor) -> Documents:
        """Return the documents as a person sees them."""
        return Documents(self._database, actor)

    def close(self) -> None:
        """Close every connection."""
        self._database.close()


class Documents:
    """What one person sees in a store, and may do there.

    Whoever may not see a document is told that there is none: not even that is given away.

    Parameters
    ----------
    database : Database
    actor : Actor
    """

    def __init__(self, database: Database, actor: Actor) -> None:
        self._database, self.actor = database, actor

    # --- Reading ---

    def get(self, kind: str, key: str) -> Document | None:
        """Return one's own document of a name, else the last that is shared under it, or None.

        Raises
        ------
        StoreError
            If the database or the document cannot be read.
        """
        query = self._visible().where(DOCUMENTS.c.kind == kind, DOCUMENTS.c.key == key)
        is_others = sa.case((DOCUMENTS.c.owner == self.actor.id, 0), else_=1)
        query = query.order_by(is_others, DOCUMENTS.c.updated.desc()).limit(1)
        row = self._database.run(_READ, lambda c: c.execute(query).one_or_none())
        return None if row is None else self._document(row)

    def open(self, document_id: str) -> Document:
        """Return the document of an id: one's own, or shared with everyone or by its link.

        Raises
        ------
        AccessError
            If there is none, or none that this person may see.
        StoreError
            If the database or the document cannot be read.
        """
        query = self._visible(by_link=True).where(DOCUMENTS.c.id == document_id)
        row = self._database.run(_READ, lambda c: c.execute(query).one_or_none())
        if row is None:
            raise _not_there()
        return self._document(row)

    def find(self, kind: str, *, deleted: bool = False) -> Found:
        """Return every document of a kind that one owns or that is shared with everyone.

        The last changed come first.

        Parameters
        ----------
        kind : str
        deleted : bool
            One's own deleted ones instead, which can be taken back.

        Raises
        ------
        StoreError
            If the database cannot be read.
        """
        query = self._visible(deleted=deleted).where(DOCUMENTS.c.kind == kind)
        query = query.order_by(DOCUMENTS.c.updated.desc(), DOCUMENTS.c.key)
        found, unreadable = [], []
        for row in self._database.run(_READ, lambda c: c.execute(query).all()):
            try:
                found.append(self._document(row))
            except StoreError:
                unreadable.append(row.key)
        return Found(tuple(found), tuple(unreadable))

    def versions(self, document_id: str) -> list[Version]:
        """Return the versions of a document that there are, the current one first.

        Raises
        ------
        AccessError, StoreError
            As `open`.
        """
        now = self.open(document_id)
        query = (
            sa.select(VERSIONS.c.version, VERSIONS.c.saved, _name(VERSIONS.c.author))
            .where(VERSIONS.c.document == document_id)
            .order_by(VERSIONS.c.version.desc())
        )
        rows = self._database.run(_READ, lambda c: c.execute(query).all())
        return [
            Version(number=now.version, author_name=now.author_name, saved=now.updated),
            *(Version(number=r[0], author_name=r[2], saved=_time(r[1])) for r in rows),
        ]

    def attachment(self, document_id: str, sha256: str) -> bytes:
        """Return a file that belongs to a document.

        Raises
        ------
        AccessError
            If there is no such document for this person.
        StoreError
            If the document has no such file, or it is damaged.
        """
        self.open(document_id)
        query = sa.select(ATTACHMENTS.c.content).where(
            ATTACHMENTS.c.document == document_id, ATTACHMENTS.c.sha256 == sha256
        )
        content = self._database.run(_READ, lambda c: c.scalar(query))
        if content is None or hashlib.sha256(content).hexdigest() != sha256:
            raise StoreError(
                "A file of this document is missing or damaged.", detail=f"SHA-256 {sha256[:80]}"
            )
        return bytes(content)

    def name(self, document: Document) -> str:
        """Return a document's name, with its owner's where that is another."""
        is_own = document.owner == self.actor.id
        return document.key if is_own else f"{document.key} ({document.owner_name})"

    def name_of(self, person: str) -> str:
        """Return what others read for a person's id; "somebody" for one who never saved anything.

        Raises
        ------
        StoreError
            If the database cannot be read.
        """
        query = sa.select(_name(sa.literal(person)))
        return str(self._database.run(_READ, lambda c: c.scalar(query)))

    def free_key(self, kind: str, key: str) -> str:
        """Return a name that one has not used, made from another.

        Raises
        ------
        StoreError
            If the database cannot be read.
        """
        taken = {d.key for d in self.find(kind) if d.owner == self.actor.id}
        base = key[: MAX_KEY_CHARACTERS - 10]
        name, number = base, 1
        while name in taken:
            number += 1
            name = f"{base} ({number})"
        return name

    def stored_bytes(self) -> int:
        """Return what all that one owns takes: documents, earlier versions, files."""
        return self._database.run(_READ, self._stored_bytes)

    # --- Writing ---

    def put(
        self,
        kind: str,
        key: str,
        body: Mapping[str, Any],
        *,
        expected: int | None = None,
        visibility: Visibility = "private",
        attachments: Mapping[str, bytes] | None = None,
    ) -> Document:
        """Save one's own document under a name; what was there becomes an earlier version.

        Parameters
        ----------
        kind, key : str
        body : mapping
        expected : int, optional
            The version that was opened: another's change since then is not replaced.
        visibility : str
            Of a new document; one that is there keeps its own.
        attachments : mapping of str to bytes, optional
            Files by their SHA-256.

        Raises
        ------
        StoreError
            If the kind or key is empty or too long, the body is not JSON (NaN and infinity are
            not), there is no room, or the database refuses.
        ConflictError
            If the document was changed since.
        AccessError
            If this person may not write here.
        """
        self.actor.require_writing("save")
        _check_name("kind", kind, MAX_KIND_CHARACTERS)
        _check_name("key", key, MAX_KEY_CHARACTERS)
        text = _to_json(body)

        def work(connection: sa.Connection) -> str:
            own = sa.select(DOCUMENTS).where(
                DOCUMENTS.c.deleted.is_(None),
                DOCUMENTS.c.owner == self.actor.id,
                DOCUMENTS.c.kind == kind,
                DOCUMENTS.c.key == key,
            )
            row = connection.execute(own.with_for_update()).one_or_none()
            if row is not None:
                self._replace(connection, row, text, expected, attachments or {})
                return str(row.id)
            now, document_id = _now(), secrets.token_urlsafe(12)
            values: dict[str, Any] = {
                "id": document_id,
                "owner": self.actor.id,
                "kind": kind,
                "key": key,
            }
            values |= {"body": text, "n_bytes": len(text), "version": 1, "role": "viewer"}
            values |= {"visibility": visibility, "author": self.actor.id}
            self._introduce(connection)
            connection.execute(DOCUMENTS.insert().values(**values, created=now, updated=now))
            self._attach(connection, document_id, attachments or {})
            self._require_room(connection, self.actor.id)
            return document_id

        return self.open(self._database.run(_SAVE, work, writes=True))

    def change(
        self,
        document_id: str,
        body: Mapping[str, Any],
        *,
        expected: int | None = None,
        attachments: Mapping[str, bytes] | None = None,
    ) -> Document:
        """Save a new version of a document that one owns or may edit.

        Parameters
        ----------
        document_id, body, expected, attachments
            As for `put`.

        Raises
        ------
        StoreError, ConflictError, AccessError
            As `put`; also if it is another's who did not share it to be edited.
        """
        text = _to_json(body)

        def work(connection: sa.Connection) -> None:
            row = self._writable(connection, document_id, "change this")
            self._replace(connection, row, text, expected, attachments or {})

        self._database.run(_SAVE, work, writes=True)
        return self.open(document_id)

    def restore(self, document_id: str, number: int, *, expected: int | None = None) -> Document:
        """Make an earlier version the current one; what was current stays as a version.

        Raises
        ------
        StoreError
            If there is no such version, or the database refuses.
        ConflictError, AccessError
            As `change`.
        """

        def work(connection: sa.Connection) -> None:
            row = self._writable(connection, document_id, "change this")
            earlier = sa.select(VERSIONS.c.body).where(
                VERSIONS.c.document == document_id, VERSIONS.c.version == number
            )
            text = connection.scalar(earlier)
            if text is None:
                raise StoreError(f"There is no version {number} of this document any more.")
            self._replace(connection, row, text, expected, {})

        self._database.run(_SAVE, work, writes=True)
        return self.open(document_id)

    def share(
        self, document_id: str, visibility: Visibility, role: ShareRole = "viewer"
    ) -> Document:
        """Say who else sees one's document, and whether everyone here may change it.

        Raises
        ------
        AccessError
            If it is not one's own.
        StoreError
            If the database refuses.
        """
        may_change: ShareRole = role if visibility == "team" else "viewer"
        self._update_own(document_id, "share this", visibility=visibility, role=may_change)
        return self.open(document_id)

    def rename(self, document_id: str, key: str) -> Document:
        """Give one's document another name.

        Raises
        ------
        AccessError
            If it is not one's own.
        StoreError
            If another has that name, or the database refuses.
        """
        _check_name("key", key, MAX_KEY_CHARACTERS)
        self._update_own(document_id, "rename this", key=key)
        return self.open(document_id)

    def duplicate(self, document_id: str, key: str = "") -> Document:
        """Make a document of one's own of one that one sees.

        Parameters
        ----------
        document_id : str
        key : str
            Its name; by default that of the other with " (copy)".

        Raises
        ------
        AccessError, StoreError
            As `open` and `put`.
        """
        self.actor.require_writing("save a copy")
        found = self.open(document_id)
        query = sa.select(ATTACHMENTS.c.sha256, ATTACHMENTS.c.content)
        query = query.where(ATTACHMENTS.c.document == document_id)
        files = self._database.run(_READ, lambda c: c.execute(query).all())
        name = self.free_key(found.kind, key or f"{found.key} (copy)")
        return self.put(found.kind, name, found.body, attachments={r[0]: r[1] for r in files})

    def delete(self, document_id: str) -> None:
        """Put one's document, or one that one may edit, away; `undelete` takes that back.

        Raises
        ------
        AccessError
            If there is none that one may delete.
        StoreError
            If the database refuses.
        """

        def work(connection: sa.Connection) -> None:
            self._writable(connection, document_id, "delete this")
            connection.execute(
                DOCUMENTS.update().where(DOCUMENTS.c.id == document_id).values(deleted=_now())
            )

        self._database.run("The document was not deleted.", work, writes=True)

    def undelete(self, document_id: str) -> Document:
        """Take the deletion of a document back that one owns or may edit.

        Raises
        ------
        AccessError
            If there is none such.
        StoreError
            If another has its name by now, or the database refuses.
        """

        def work(connection: sa.Connection) -> None:
            self._writable(connection, document_id, "take this back", deleted=True)
            connection.execute(
                DOCUMENTS.update().where(DOCUMENTS.c.id == document_id).values(deleted=None)
            )

        self._database.run(
            "The deletion was not taken back: it may be that another has its name by now.",
            work,
            writes=True,
        )
        return self.open(document_id)

    def call_me(self, name: str) -> None:
        """Say what others read for oneself, where no login and no proxy says so.

        Raises
        ------
        AccessError
            If this person may not write here, or is named by others.
        StoreError
            If it is no name, or the database refuses.
        """
        self.actor.require_writing("give yourself a name")
        if not self.actor.names_itself:
            raise AccessError("Your name here is that of your login.")
        plain = " ".join(name.split())
        if not plain or len(plain) > MAX_NAME_CHARACTERS or not plain.isprintable():
            raise StoreError(
                "This is no name that others can read.",
                hint=f"Use 1 to {MAX_NAME_CHARACTERS} printable characters.",
            )

        def work(connection: sa.Connection) -> None:
            self._introduce(connection)
            mine = PEOPLE.c.id == self.actor.id
            connection.execute(PEOPLE.update().where(mine).values(name=plain))

        self._database.run("The name was not saved.", work, writes=True)

    # --- Who may what ---

    def _visible(self, *, by_link: bool = False, deleted: bool = False) -> sa.Select[Any]:
        """Select what this person may see, with names for people."""
        seen = ["team", "link"] if by_link else ["team"]
        is_own = DOCUMENTS.c.owner == self.actor.id
        query = sa.select(
            DOCUMENTS,
            _name(DOCUMENTS.c.owner).label("owner_name"),
            _name(DOCUMENTS.c.author).label("author_name"),
        )
        if deleted:
            return query.where(is_own, DOCUMENTS.c.deleted.is_not(None))
        return query.where(
            DOCUMENTS.c.deleted.is_(None), sa.or_(is_own, DOCUMENTS.c.visibility.in_(seen))
        )

    def _writable(
        self, connection: sa.Connection, document_id: str, what: str, *, deleted: bool = False
    ) -> sa.Row[Any]:
        """Return a document's row, locked.

        Raises
        ------
        AccessError
            If this person may not change it.
        """
        self.actor.require_writing(what)
        is_there = DOCUMENTS.c.deleted.is_not(None) if deleted else DOCUMENTS.c.deleted.is_(None)
        query = sa.select(DOCUMENTS).where(DOCUMENTS.c.id == document_id, is_there)
        query = query.with_for_update()
        row = connection.execute(query).one_or_none()
        if row is None or (row.owner != self.actor.id and row.visibility == "private"):
            raise _not_there()
        _sharing(row).require_change(self.actor, what)
        return row

    def _update_own(self, document_id: str, what: str, **values: Any) -> None:
        """Change what is only the owner's to change."""
        self.actor.require_writing(what)
        statement = DOCUMENTS.update().where(
            DOCUMENTS.c.id == document_id, DOCUMENTS.c.owner == self.actor.id
        )

        def work(connection: sa.Connection) -> None:
            if connection.execute(statement.values(**values)).rowcount == 0:
                self.open(document_id)  # says that there is none, unless one sees it
                raise AccessError(f"You cannot {what}: it belongs to somebody else.")

        self._database.run(
            "The document was not changed: it may be that another of yours has this name.",
            work,
            writes=True,
        )

    # --- How ---

    def _replace(
        self,
        connection: sa.Connection,
        row: sa.Row[Any],
        text: str,
        expected: int | None,
        attachments: Mapping[str, bytes],
    ) -> None:
        """Write a new version of a locked row; keep the one before."""
        is_ours = row.author == self.actor.id and row.body == text
        if expected is not None and row.version != expected and is_ours:
            return  # saved already: the database's word of it was lost on the way
        if expected is not None and row.version != expected:
            who = connection.scalar(sa.select(_name(sa.literal(row.author))))
            raise ConflictError(
                f"{who} saved {row.key!r} after you opened it.",
                detail=f"You opened version {expected}; version {row.version} is of "
                f"{row.updated[:16].replace('T', ' ')} UTC.",
                hint="Nothing is lost: save yours under another name, or open theirs first.",
            )
        self._introduce(connection)
        before: dict[str, Any] = {"document": row.id, "version": row.version, "body": row.body}
        before |= {"n_bytes": row.n_bytes, "author": row.author, "saved": row.updated}
        connection.execute(VERSIONS.insert().values(**before))
        oldest = VERSIONS.c.version <= row.version - MAX_VERSIONS
        connection.execute(VERSIONS.delete().where(VERSIONS.c.document == row.id, oldest))
        connection.execute(
            DOCUMENTS.update()
            .where(DOCUMENTS.c.id == row.id)
            .values(
                body=text,
                n_bytes=len(text),
                version=row.version + 1,
                author=self.actor.id,
                updated=max(_now(), row.updated),  # also where the clock was set back
            )
        )
        self._attach(connection, row.id, attachments)
        self._require_room(connection, row.owner)

    def _attach(
        self, connection: sa.Connection, document_id: str, attachments: Mapping[str, bytes]
    ) -> None:
        for sha256, content in attachments.items():
            there = sa.select(ATTACHMENTS.c.sha256).where(
                ATTACHMENTS.c.document == document_id, ATTACHMENTS.c.sha256 == sha256
            )
            if connection.scalar(there) is None:
                values = {"document": document_id, "sha256": sha256, "content": content}
                connection.execute(ATTACHMENTS.insert().values(**values, n_bytes=len(content)))

    def _introduce(self, connection: sa.Connection) -> None:
        """Note what others read for this person's id."""
        mine = PEOPLE.c.id == self.actor.id
        known = connection.scalar(sa.select(PEOPLE.c.name).where(mine))
        if known is None:
            connection.execute(PEOPLE.insert().values(id=self.actor.id, name=self.actor.name))
        elif known != self.actor.name and not self.actor.names_itself:
            connection.execute(PEOPLE.update().where(mine).values(name=self.actor.name))

    def _stored_bytes(self, connection: sa.Connection, owner: str = "") -> int:
        ids = sa.select(DOCUMENTS.c.id).where(DOCUMENTS.c.owner == (owner or self.actor.id))
        total = 0
        for table, column in (
            (DOCUMENTS, DOCUMENTS.c.id),
            (VERSIONS, VERSIONS.c.document),
            (ATTACHMENTS, ATTACHMENTS.c.document),
        ):
            size = sa.select(sa.func.coalesce(sa.func.sum(table.c.n_bytes), 0))
            total += int(connection.scalar(size.where(column.in_(ids))) or 0)
        return total

    def _require_room(self, connection: sa.Connection, owner: str) -> None:
        if owner == LOCAL.id or self.actor.is_owner:
            return
        allowed = settings.number("ISOFLOP_MAX_STORED_MB") * 1e6
        used = self._stored_bytes(connection, owner)
        if used > allowed:
            raise StoreError(
                "There is no room for this: a person may store "
                f"{allowed / 1e6:,.0f} MB on this server.",
                detail=f"With it, it would be {used / 1e6:,.1f} MB, earlier versions and what was "
                f"deleted within {KEEP_DELETED.days} days included.",
                hint="Delete what you no longer need, or ask whoever runs this server to raise "
                "ISOFLOP_MAX_STORED_MB.",
            )

    def _document(self, row: sa.Row[Any]) -> Document:
        try:
            body = json.loads(row.body)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise StoreError(
                f"The saved {row.kind} {row.key!r} cannot be read.",
                detail="Its content is not a JSON object.",
                hint="Restore an earlier version, or delete it.",
            )
        return Document(
            id=row.id,
            owner=row.owner,
            owner_name=row.owner_name,
            kind=row.kind,
            key=row.key,
            body=body,
            version=row.version,
            visibility=cast("Visibility", row.visibility),
            role=cast("ShareRole", row.role),
            author_name=row.author_name,
            created=_time(row.created),
            updated=_time(row.updated),
            can_write=_sharing(row).may_change(self.actor),
        )


def _sharing(row: sa.Row[Any]) -> Sharing:
    return Sharing(owner=row.owner, visibility=row.visibility, role=row.role)


def _name(person: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """Return what is read for an id: the person's name, or the id where there is none."""
    name = sa.select(PEOPLE.c.name).where(PEOPLE.c.id == person).scalar_subquery()
    return sa.func.coalesce(name, sa.case((person == LOCAL.id, LOCAL.name), else_="somebody"))


def _purge(connection: sa.Connection) -> None:
    """Remove for good what was deleted long ago, by the last change: clocks may be far ahead."""
    changed = sa.func.max(DOCUMENTS.c.updated), sa.func.max(DOCUMENTS.c.deleted)
    last = max(filter(None, connection.execute(sa.select(*changed)).one()), default=_now())
    limit = (_time(min(last, _now())) - KEEP_DELETED).isoformat(timespec="microseconds")
    old = sa.select(DOCUMENTS.c.id).where(DOCUMENTS.c.deleted <= limit)
    for column in (VERSIONS.c.document, ATTACHMENTS.c.document, DOCUMENTS.c.id):
        connection.execute(sa.delete(column.table).where(column.in_(old)))


def _not_there() -> AccessError:
    return AccessError(
        "There is no such document, or it is not shared with you.",
        hint="Ask whoever gave you the link to share it.",
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


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
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(
            "This cannot be saved: a value is not JSON.",
            detail=str(error),
            hint="Save text, finite numbers, true, false, null, lists and objects alone.",
        ) from None
