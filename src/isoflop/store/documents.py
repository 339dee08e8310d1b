"""Documents as one person sees them: one's own, and what others share."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

import sqlalchemy as sa

from isoflop import settings
from isoflop.errors import AccessError, ConflictError, StoreError
from isoflop.language import lazy_gettext
from isoflop.people import LOCAL, Actor, ShareRole, Sharing, Visibility
from isoflop.store.database import Database
from isoflop.store.tables import (
    ATTACHMENTS,
    DOCUMENTS,
    KEEP_DELETED,
    MAX_KEY_CHARACTERS,
    MAX_KIND_CHARACTERS,
    PEOPLE,
    TEAMS,
    VERSIONS,
)
from isoflop.store.teams import (
    Teams,
    checked_name,
    introduce,
    introduce_team,
    name_of,
    purge_teams,
    with_teams,
)

Result = TypeVar("Result")

MAX_VERSIONS = 50
"""Earlier versions of a document that are kept."""

_READ, _SAVE = (
    lazy_gettext("The saved documents cannot be read."),
    lazy_gettext("The document was not saved."),
)


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
    visibility : {"private", "link", "team", "everyone"}
        Who else sees it: nobody, whoever has the link, a team, or everyone on this server.
    role : {"viewer", "editor"}
        What the team, or everyone, may do with it.
    team : str
        Id of the team that it is shared with; empty for none.
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
    team: str
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
            team=self.team,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What somebody keeps here, and how much that may be.

    Parameters
    ----------
    used_bytes : mapping of str to int
        By what it is, in words.
    allowed_bytes : float or None
        None where there is no limit.
    """

    used_bytes: Mapping[str, int]
    allowed_bytes: float | None

    @property
    def total_bytes(self) -> int:
        """All together."""
        return sum(self.used_bytes.values())

    @property
    def share(self) -> float:
        """What is used of what is allowed; 0 without a limit."""
        return self.total_bytes / self.allowed_bytes if self.allowed_bytes else 0.0


Elsewhere = Callable[[str], Mapping[str, int]]
"""Takes a person's id and returns the bytes that they keep elsewhere, by what it is."""


def _nothing(_owner: str) -> Mapping[str, int]:
    return {}


class Store:
    """All documents of one database; safe to share between threads.

    Parameters
    ----------
    url : str, optional
        As for `Database`.
    elsewhere : callable, optional
        What a person keeps outside of the database, which counts for what they may store.

    Raises
    ------
    StoreError
        If the database cannot be opened.
    """

    def __init__(self, url: str | None = None, *, elsewhere: Elsewhere = _nothing) -> None:
        self._database, self._elsewhere = Database(url), elsewhere
        if not self._database.is_read_only:
            self._database.run(lazy_gettext("The database cannot be tidied."), _purge, writes=True)

    @property
    def location(self) -> str:
        """Where the documents are, fit to be shown."""
        return self._database.location

    def of(self, actor: Actor) -> Documents:
        """Return the documents as a person sees them."""
        return Documents(self._database, actor, self._elsewhere)

    def teams_of(self, actor: Actor) -> Teams:
        """Return the teams that a person belongs to."""
        return Teams(self._database, actor)

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
    elsewhere : callable, optional
        As for `Store`.
    """

    def __init__(self, database: Database, actor: Actor, elsewhere: Elsewhere = _nothing) -> None:
        self._database, self.actor, self._elsewhere = database, actor, elsewhere

    # --- Reading ---

    def person(self) -> Actor:
        """Return who this is, with the teams that they belong to by now.

        Raises
        ------
        StoreError
            If the database cannot be read.
        """
        return self._read(lambda _, person: person)

    def _read(self, ask: Callable[[sa.Connection, Actor], Result]) -> Result:
        """Ask the database something, as whoever this is with the teams of now."""
        return self._database.run(_READ, lambda c: ask(c, with_teams(c, self.actor)))

    def get(self, kind: str, key: str) -> Document | None:
        """Return one's own document of a name, else the last of others that one sees, or None.

        Raises
        ------
        StoreError
            If the database or the document cannot be read.
        """

        def ask(connection: sa.Connection, person: Actor) -> Document | None:
            query = _visible(person).where(DOCUMENTS.c.kind == kind, DOCUMENTS.c.key == key)
            is_others = sa.case((DOCUMENTS.c.owner == person.id, 0), else_=1)
            query = query.order_by(is_others, DOCUMENTS.c.updated.desc()).limit(1)
            row = connection.execute(query).one_or_none()
            return None if row is None else _document(row, person)

        return self._read(ask)

    def open(self, document_id: str) -> Document:
        """Return the document of an id: one's own, or one that is shared, be it by its link.

        Raises
        ------
        AccessError
            If there is none, or none that this person may see.
        StoreError
            If the database or the document cannot be read.
        """

        def ask(connection: sa.Connection, person: Actor) -> Document:
            query = _visible(person, by_link=True).where(DOCUMENTS.c.id == document_id)
            row = connection.execute(query).one_or_none()
            if row is None:
                raise _not_there()
            return _document(row, person)

        return self._read(ask)

    def find(self, kind: str, *, deleted: bool = False) -> Found:
        """Return every document of a kind that is one's own, or shared otherwise than by its link.

        The last changed come first.

        Parameters
        ----------
        kind : str
        deleted : bool
            The deleted ones instead that one can take back: one's own, and those of teams.

        Raises
        ------
        StoreError
            If the database cannot be read.
        """

        def ask(connection: sa.Connection, person: Actor) -> Found:
            query = _visible(person, deleted=deleted).where(DOCUMENTS.c.kind == kind)
            query = query.order_by(DOCUMENTS.c.updated.desc(), DOCUMENTS.c.key)
            found, unreadable = [], []
            for row in connection.execute(query):
                try:
                    found.append(_document(row, person))
                except StoreError:
                    unreadable.append(row.key)
            return Found(tuple(found), tuple(unreadable))

        return self._read(ask)

    def versions(self, document_id: str) -> list[Version]:
        """Return the versions of a document that there are, the current one first.

        Raises
        ------
        AccessError, StoreError
            As `open`.
        """
        now = self.open(document_id)
        query = (
            sa.select(VERSIONS.c.version, VERSIONS.c.saved, name_of(VERSIONS.c.author))
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
                lazy_gettext("A file of this document is missing or damaged."),
                detail=f"SHA-256 {sha256[:80]}",
            )
        return bytes(content)

    def name(self, document: Document) -> str:
        """Return a document's name, with its owner's where that is another."""
        is_own = document.owner == self.actor.id
        return document.key if is_own else f"{document.key} ({document.owner_name})"

    def name_of(self, person: str) -> str:
        """Return what others read for the id of a person or a team.

        That is "somebody" for a person who never saved anything.

        Raises
        ------
        StoreError
            If the database cannot be read.
        """
        query = sa.select(name_of(sa.literal(person)))
        return str(self._database.run(_READ, lambda c: c.scalar(query)))

    def free_key(self, kind: str, key: str, *, owner: str = "") -> str:
        """Return a name that one, or a team, has not used, made from another.

        Raises
        ------
        StoreError
            If the database cannot be read.
        """
        taken = {d.key for d in self.find(kind) if d.owner == (owner or self.actor.id)}
        base = key[: MAX_KEY_CHARACTERS - 10]
        name, number = base, 1
        while name in taken:
            number += 1
            name = f"{base} ({number})"
        return name

    def room(self, owner: str = "") -> Room:
        """Return what one, or a team that one belongs to, keeps here, and may keep.

        Parameters
        ----------
        owner : str
            Id of the team; oneself by default.

        Raises
        ------
        AccessError
            If it is a team of others.
        StoreError
            If the database cannot be read.
        """

        def ask(connection: sa.Connection, person: Actor) -> Room:
            if owner and person.member_of(owner) is None:
                raise _not_there()
            return self._room(connection, owner or person.id)

        return self._read(ask)

    def stored_bytes(self) -> int:
        """Return what all that one owns in the database takes, earlier versions included."""
        used = self._read(lambda connection, person: _stored_bytes(connection, person.id))
        return sum(used.values())

    # --- Writing ---

    def put(
        self,
        kind: str,
        key: str,
        body: Mapping[str, Any],
        *,
        expected: int | None = None,
        owner: str = "",
        attachments: Mapping[str, bytes] | None = None,
    ) -> Document:
        """Save a document under a name; what was there becomes an earlier version.

        Parameters
        ----------
        kind, key : str
        body : mapping
        expected : int, optional
            The version that was opened, 0 where there was none: another's change since then is not
            replaced.
        owner : str
            Id of the team that it belongs to; oneself by default.
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
            If this person may not write here, or not for this team.
        """
        self.actor.require_writing("save")
        _check_name("kind", kind, MAX_KIND_CHARACTERS)
        _check_name("key", key, MAX_KEY_CHARACTERS)
        text = _to_json(body)

        def work(connection: sa.Connection) -> str:
            whose = self._require_owner(connection, owner)
            own = sa.select(DOCUMENTS).where(
                DOCUMENTS.c.deleted.is_(None),
                DOCUMENTS.c.owner == whose,
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
                "owner": whose,
                "kind": kind,
                "key": key,
            }
            values |= {"body": text, "n_bytes": len(text), "version": 1, "role": "viewer"}
            values |= {"visibility": "private", "author": self.actor.id}
            introduce(connection, self.actor)
            connection.execute(DOCUMENTS.insert().values(**values, created=now, updated=now))
            self._attach(connection, document_id, attachments or {})
            self._require_room(connection, whose)
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
            row = self._writable(connection, document_id, lazy_gettext("change this"))
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
            row = self._writable(connection, document_id, lazy_gettext("change this"))
            earlier = sa.select(VERSIONS.c.body).where(
                VERSIONS.c.document == document_id, VERSIONS.c.version == number
            )
            text = connection.scalar(earlier)
            if text is None:
                raise StoreError(
                    lazy_gettext(
                        "There is no version {number} of this document any more.", number=number
                    )
                )
            self._replace(connection, row, text, expected, {})

        self._database.run(_SAVE, work, writes=True)
        return self.open(document_id)

    def share(
        self,
        document_id: str,
        visibility: Visibility,
        role: ShareRole = "viewer",
        *,
        team: str = "",
    ) -> Document:
        """Say who else sees a document of one's own or of a team, and whether they may change it.

        Parameters
        ----------
        document_id : str
        visibility, role, team
            As of a `isoflop.people.Sharing`.

        Raises
        ------
        AccessError
            If it is not one's own to share, or the team is one of others.
        StoreError
            If the database refuses.
        """

        def work(connection: sa.Connection, row: sa.Row[Any], person: Actor) -> Mapping[str, Any]:
            made = _sharing(row).shared(person, visibility, role, team)
            introduce_team(connection, person, team)
            return {"visibility": made.visibility, "role": made.role, "team": made.team}

        return self._update_own(document_id, lazy_gettext("share this"), work)

    def rename(self, document_id: str, key: str) -> Document:
        """Give a document of one's own or of a team another name.

        Raises
        ------
        AccessError
            If it is not one's own to name.
        StoreError
            If another has that name, or the database refuses.
        """
        _check_name("key", key, MAX_KEY_CHARACTERS)
        return self._update_own(document_id, lazy_gettext("rename this"), lambda *_: {"key": key})

    def give(self, document_id: str, owner: str) -> Document:
        """Let a document belong to a team, whose editors then change and share it, or to oneself.

        Parameters
        ----------
        document_id : str
            Of one's own, or of a team whose editor one is.
        owner : str
            Id of the team, or one's own.

        Raises
        ------
        AccessError
            If it is not one's own, or one does not edit what is that team's.
        StoreError
            If there is another of that name, or no room, or the database refuses.
        """

        def work(connection: sa.Connection, row: sa.Row[Any], person: Actor) -> Mapping[str, Any]:
            whose = self._require_owner(connection, owner)
            self._require_room(connection, whose, more_bytes=_size(connection, row))
            return {"owner": whose, "visibility": "private", "role": "viewer", "team": ""}

        return self._update_own(document_id, lazy_gettext("give this away"), work)

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
        self.actor.require_writing(lazy_gettext("save a copy"))
        found = self.open(document_id)
        query = sa.select(ATTACHMENTS.c.sha256, ATTACHMENTS.c.content)
        query = query.where(ATTACHMENTS.c.document == document_id)
        files = self._read(lambda connection, _: connection.execute(query).all())
        name = self.free_key(found.kind, key or lazy_gettext("{key} (copy)", key=found.key))
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
            self._writable(connection, document_id, lazy_gettext("delete this"))
            connection.execute(
                DOCUMENTS.update().where(DOCUMENTS.c.id == document_id).values(deleted=_now())
            )

        self._database.run(lazy_gettext("The document was not deleted."), work, writes=True)

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
            self._writable(connection, document_id, lazy_gettext("take this back"), deleted=True)
            connection.execute(
                DOCUMENTS.update().where(DOCUMENTS.c.id == document_id).values(deleted=None)
            )

        self._database.run(
            lazy_gettext(
                "The deletion was not taken back: it may be that another has its name by now."
            ),
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
        self.actor.require_writing(lazy_gettext("give yourself a name"))
        if not self.actor.names_itself:
            raise AccessError(lazy_gettext("Your name here is that of your login."))
        plain = checked_name(name)

        def work(connection: sa.Connection) -> None:
            introduce(connection, self.actor)
            mine = PEOPLE.c.id == self.actor.id
            connection.execute(PEOPLE.update().where(mine).values(name=plain))

        self._database.run(lazy_gettext("The name was not saved."), work, writes=True)

    # --- Who may what ---

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
        person = with_teams(connection, self.actor)
        row = _locked(connection, document_id, person, deleted=deleted)
        _sharing(row).require_change(person, what)
        return row

    def _update_own(
        self,
        document_id: str,
        what: str,
        change: Callable[[sa.Connection, sa.Row[Any], Actor], Mapping[str, Any]],
    ) -> Document:
        """Change what is only its owner's to change: the columns that a function returns."""
        self.actor.require_writing(what)

        def work(connection: sa.Connection) -> None:
            person = with_teams(connection, self.actor)
            row = _locked(connection, document_id, person)
            if not _sharing(row).is_own(person):
                raise AccessError(
                    lazy_gettext("You cannot {what}: it belongs to somebody else.", what=what)
                )
            values = change(connection, row, person)
            connection.execute(DOCUMENTS.update().where(DOCUMENTS.c.id == row.id).values(**values))

        self._database.run(
            lazy_gettext("The document was not changed: it may be that another has this name."),
            work,
            writes=True,
        )
        return self.open(document_id)

    def _require_owner(self, connection: sa.Connection, owner: str) -> str:
        """Return to whom something belongs from now on: this person, or a team of theirs.

        Raises
        ------
        AccessError
            If the person does not edit what is the team's.
        """
        if owner in ("", self.actor.id):
            return self.actor.id
        person = with_teams(connection, self.actor)
        if owner not in person.owns:
            raise AccessError(
                lazy_gettext(
                    "You cannot save this for the team: you do not edit what is the team's."
                ),
                hint=lazy_gettext(
                    "Save it for yourself, or ask an owner of the team to make you an editor."
                ),
            )
        introduce_team(connection, person, owner)
        return owner

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
            who = connection.scalar(sa.select(name_of(sa.literal(row.author))))
            opened = (
                lazy_gettext("You opened version {expected}", expected=expected)
                if expected
                else lazy_gettext("You saw none of this name")
            )
            raise ConflictError(
                lazy_gettext("{who} saved {key!r} after you opened it.", who=who, key=row.key),
                detail=lazy_gettext(
                    "{opened}; version {version} is of {updated} UTC.",
                    opened=opened,
                    version=row.version,
                    updated=row.updated[:16].replace("T", " "),
                ),
                hint=lazy_gettext(
                    "Nothing is lost: save yours under another name, or open theirs first."
                ),
            )
        introduce(connection, self.actor)
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

    def _room(self, connection: sa.Connection, owner: str) -> Room:
        used = {**_stored_bytes(connection, owner), **self._elsewhere(owner)}
        is_limited = owner != LOCAL.id and not self.actor.is_owner
        allowed = settings.number("ISOFLOP_MAX_STORED_MB") * 1e6
        return Room(used_bytes=used, allowed_bytes=allowed if is_limited else None)

    def _require_room(self, connection: sa.Connection, owner: str, *, more_bytes: int = 0) -> None:
        room = self._room(connection, owner)
        used, allowed = room.total_bytes + more_bytes, room.allowed_bytes
        if allowed is not None and used > allowed:
            raise StoreError(
                lazy_gettext(
                    "There is no room for this: a person or a team may store "
                    "{allowed:,.0f} MB on this server.",
                    allowed=allowed / 1000000.0,
                ),
                detail=lazy_gettext(
                    "With it, it would be {used:,.1f} MB, earlier versions and what was "
                    "deleted within {days} days included.",
                    used=used / 1000000.0,
                    days=KEEP_DELETED.days,
                ),
                hint=lazy_gettext(
                    "Delete what you no longer need, or ask whoever runs this server to "
                    "raise ISOFLOP_MAX_STORED_MB."
                ),
            )


def _visible(person: Actor, *, by_link: bool = False, deleted: bool = False) -> sa.Select[Any]:
    """Select what a person may see, with names for people; or the deleted that they take back."""
    teams = [one.team for one in person.teams]
    seen = ["everyone", "link"] if by_link else ["everyone"]
    query = sa.select(
        DOCUMENTS,
        name_of(DOCUMENTS.c.owner).label("owner_name"),
        name_of(DOCUMENTS.c.author).label("author_name"),
    )
    if deleted:
        return query.where(DOCUMENTS.c.owner.in_(person.owns), DOCUMENTS.c.deleted.is_not(None))
    return query.where(
        DOCUMENTS.c.deleted.is_(None),
        sa.or_(
            DOCUMENTS.c.owner.in_([person.id, *teams]),
            DOCUMENTS.c.visibility.in_(seen),
            sa.and_(DOCUMENTS.c.visibility == "team", DOCUMENTS.c.team.in_(teams)),
        ),
    )


def _locked(
    connection: sa.Connection, document_id: str, person: Actor, *, deleted: bool = False
) -> sa.Row[Any]:
    """Return the row of a document that a person sees, locked.

    Raises
    ------
    AccessError
        If there is none such.
    """
    is_there = DOCUMENTS.c.deleted.is_not(None) if deleted else DOCUMENTS.c.deleted.is_(None)
    query = sa.select(DOCUMENTS).where(DOCUMENTS.c.id == document_id, is_there)
    row = connection.execute(query.with_for_update()).one_or_none()
    if row is None or not _sharing(row).may_see(person, by_link=True):
        raise _not_there()
    return row


def _stored_bytes(connection: sa.Connection, owner: str) -> dict[str, int]:
    """Return what all that somebody owns in the database takes, by what it is."""
    ids = sa.select(DOCUMENTS.c.id).where(DOCUMENTS.c.owner == owner)
    used = {}
    for what, table, column in (
        ("documents", DOCUMENTS, DOCUMENTS.c.id),
        (lazy_gettext("earlier versions"), VERSIONS, VERSIONS.c.document),
        (lazy_gettext("tables in workspaces"), ATTACHMENTS, ATTACHMENTS.c.document),
    ):
        size = sa.select(sa.func.coalesce(sa.func.sum(table.c.n_bytes), 0))
        used[what] = int(connection.scalar(size.where(column.in_(ids))) or 0)
    return used


def _size(connection: sa.Connection, row: sa.Row[Any]) -> int:
    """Return what a document takes with its earlier versions and files."""
    total = int(row.n_bytes)
    for table in (VERSIONS, ATTACHMENTS):
        size = sa.select(sa.func.coalesce(sa.func.sum(table.c.n_bytes), 0))
        total += int(connection.scalar(size.where(table.c.document == row.id)) or 0)
    return total


def _document(row: sa.Row[Any], person: Actor) -> Document:
    try:
        body = json.loads(row.body)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise StoreError(
            lazy_gettext("The saved {kind} {key!r} cannot be read.", kind=row.kind, key=row.key),
            detail=lazy_gettext("Its content is not a JSON object."),
            hint=lazy_gettext("Restore an earlier version, or delete it."),
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
        team=row.team,
        author_name=row.author_name,
        created=_time(row.created),
        updated=_time(row.updated),
        can_write=_sharing(row).may_change(person),
    )


def _sharing(row: sa.Row[Any]) -> Sharing:
    return Sharing(owner=row.owner, visibility=row.visibility, role=row.role, team=row.team)


def _purge(connection: sa.Connection) -> None:
    """Remove for good what was deleted long ago, by the last change: clocks may be far ahead."""
    times = (DOCUMENTS.c.updated, DOCUMENTS.c.deleted, TEAMS.c.deleted)
    changed = [sa.select(sa.func.max(time)).scalar_subquery() for time in times]
    last = max(filter(None, connection.execute(sa.select(*changed)).one()), default=_now())
    limit = (_time(min(last, _now())) - KEEP_DELETED).isoformat(timespec="microseconds")
    gone = sa.select(TEAMS.c.id).where(TEAMS.c.deleted <= limit)
    old = sa.select(DOCUMENTS.c.id).where(
        sa.or_(DOCUMENTS.c.deleted <= limit, DOCUMENTS.c.owner.in_(gone))
    )
    for column in (VERSIONS.c.document, ATTACHMENTS.c.document, DOCUMENTS.c.id):
        connection.execute(sa.delete(column.table).where(column.in_(old)))
    purge_teams(connection, limit)


def _not_there() -> AccessError:
    return AccessError(
        lazy_gettext("There is no such document, or it is not shared with you."),
        hint=lazy_gettext("Ask whoever gave you the link to share it."),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _check_name(what: str, name: str, limit: int) -> None:
    if not name.strip() or len(name) > limit or "\0" in name:
        raise StoreError(
            lazy_gettext("This {what} cannot name a document.", what=what),
            detail=lazy_gettext(
                "It has {length} characters: {name!r}.", length=len(name), name=name[:60]
            ),
            hint=lazy_gettext("Use 1 to {limit} printable characters.", limit=limit),
        )


def _to_json(body: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(body), allow_nan=False, ensure_ascii=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(
            lazy_gettext("This cannot be saved: a value is not JSON."),
            detail=str(error),
            hint=lazy_gettext(
                "Save text, finite numbers, true, false, null, lists and objects alone."
            ),
        ) from None
