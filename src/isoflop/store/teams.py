"""Teams that people found: who belongs to them, and how others come in.

A team whose members a login or a proxy names needs nothing of this: its members are said anew at
every visit. The others are kept here, and a person joins them by a link that an owner of the team
gives away.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast, get_args

import sqlalchemy as sa

from isoflop import settings
from isoflop.errors import AccessError, StoreError
from isoflop.language import lazy_gettext as _
from isoflop.people import LOCAL, MAX_NAME_CHARACTERS, VISITOR, Actor, Membership, Role
from isoflop.store.database import Database
from isoflop.store.tables import INVITATIONS, MEMBERS, PEOPLE, TEAMS

Result = TypeVar("Result")

FOUNDED = "team:"
"""Begins the id of a team that people founded."""
INVITED_FOR = timedelta(days=7)
MAX_MEMBERS = 200

_READ, _SAVE = _("The teams cannot be read."), _("The team was not changed.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One who belongs to a team.

    Parameters
    ----------
    person, name : str
        Their id, and what others read for it.
    role : {"viewer", "editor", "owner"}
    """

    person: str
    name: str
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A link into a team.

    Parameters
    ----------
    code : str
        Hard to guess: whoever has it may join until it ends.
    team, name : str
        Id and name of the team.
    role : {"viewer", "editor", "owner"}
        That those who join by it have.
    author_name : str
        Who made it.
    until : datetime
        In UTC.
    """

    code: str
    team: str
    name: str
    role: Role
    author_name: str
    until: datetime


class Teams:
    """The teams of one person, and what the person may do there.

    Whoever does not belong to a team is told that there is none.

    Parameters
    ----------
    database : Database
    actor : Actor
    """

    def __init__(self, database: Database, actor: Actor) -> None:
        self._database, self.actor = database, actor

    # --- Reading ---

    def mine(self) -> tuple[Membership, ...]:
        """Return the teams that one belongs to, those of a login or a proxy included.

        Raises
        ------
        StoreError
            If the database cannot be read.
        """
        return self._database.run(_READ, lambda c: with_teams(c, self.actor).teams)

    def deleted(self) -> tuple[Membership, ...]:
        """Return the teams of one's own that were deleted and can be taken back.

        Raises
        ------
        StoreError
            If the database cannot be read.
        """
        found = self._database.run(_READ, lambda c: _founded(c, self.actor, deleted=True))
        return tuple(one for one in found if one.role == "owner")

    def members(self, team: str) -> tuple[Member, ...]:
        """Return who belongs to a founded team that one belongs to, the first to join first.

        Raises
        ------
        AccessError
            If there is none such.
        StoreError
            If the database cannot be read.
        """

        def ask(connection: sa.Connection) -> tuple[Member, ...]:
            self._require(connection, team, _("see who belongs to this team"), *get_args(Role))
            query = (
                sa.select(MEMBERS.c.person, name_of(MEMBERS.c.person), MEMBERS.c.role)
                .where(MEMBERS.c.team == team)
                .order_by(MEMBERS.c.joined, MEMBERS.c.person)
            )
            return tuple(
                Member(person=r[0], name=r[1], role=r[2]) for r in connection.execute(query)
            )

        return self._database.run(_READ, ask)

    def invitations(self, team: str) -> tuple[Invitation, ...]:
        """Return the links into a team of one's own that still lead there.

        Raises
        ------
        AccessError
            If it is not one's own.
        StoreError
            If the database cannot be read.
        """

        def ask(connection: sa.Connection) -> tuple[Invitation, ...]:
            self._require(connection, team, _("see the invitations"), "owner")
            query = _open_invitations().where(INVITATIONS.c.team == team)
            return tuple(map(_invitation, connection.execute(query)))

        return self._database.run(_READ, ask)

    def look_at(self, code: str) -> Invitation:
        """Return what a link invites to.

        Raises
        ------
        AccessError
            If it leads nowhere, or no more.
        StoreError
            If the database cannot be read.
        """
        return self._database.run(_READ, lambda c: _by_code(c, code))

    # --- Writing ---

    def found(self, name: str) -> Membership:
        """Found a team, which one then owns.

        Raises
        ------
        AccessError
            If this person may not write here.
        StoreError
            If it is no name, one owns as many as a person may, or the database refuses.
        """
        plain = checked_name(name)

        def work(connection: sa.Connection) -> Membership:
            own = [one for one in _founded(connection, self.actor) if one.role == "owner"]
            most = int(settings.number("ISOFLOP_MAX_TEAMS"))
            is_limited = self.actor.id != LOCAL.id and not self.actor.is_owner
            if is_limited and len(own) >= most:
                raise StoreError(
                    _("A person may own {most} teams here.", most=most),
                    hint=_(
                        "Delete one, or ask whoever runs this server to raise ISOFLOP_MAX_TEAMS."
                    ),
                )
            introduce(connection, self.actor)
            team, now = f"{FOUNDED}{secrets.token_urlsafe(12)}", _now()
            connection.execute(TEAMS.insert().values(id=team, name=plain, created=now))
            _add(connection, team, self.actor.id, "owner")
            return Membership(team=team, name=plain, role="owner")

        return self._change(_("found a team"), work)

    def rename(self, team: str, name: str) -> None:
        """Give a team of one's own another name.

        Raises
        ------
        AccessError
            If it is not one's own.
        StoreError
            If it is no name, or the database refuses.
        """
        plain = checked_name(name)

        def work(connection: sa.Connection) -> None:
            self._require(connection, team, _("rename this team"), "owner")
            connection.execute(TEAMS.update().where(TEAMS.c.id == team).values(name=plain))

        self._change(_("rename this team"), work)

    def set_role(self, team: str, person: str, role: Role) -> None:
        """Say what a member of a team of one's own does there.

        Raises
        ------
        AccessError
            If it is not one's own.
        StoreError
            If nobody would own it any more, or the database refuses.
        """

        def work(connection: sa.Connection) -> None:
            self._require(connection, team, _("change the roles of this team"), "owner")
            is_member = sa.and_(MEMBERS.c.team == team, MEMBERS.c.person == person)
            connection.execute(MEMBERS.update().where(is_member).values(role=role))
            _require_an_owner(connection, team)

        self._change(_("change the roles of this team"), work)

    def remove(self, team: str, person: str) -> None:
        """Take a member out of a team of one's own, or leave a team oneself.

        Raises
        ------
        AccessError
            If it is not one's own, and another is to leave it.
        StoreError
            If nobody would own it any more, or the database refuses.
        """
        what = (
            _("leave this team") if person == self.actor.id else _("take somebody out of this team")
        )

        def work(connection: sa.Connection) -> None:
            allowed = get_args(Role) if person == self.actor.id else ("owner",)
            self._require(connection, team, what, *allowed)
            is_member = sa.and_(MEMBERS.c.team == team, MEMBERS.c.person == person)
            connection.execute(MEMBERS.delete().where(is_member))
            _require_an_owner(connection, team)

        self._change(what, work)

    def delete(self, team: str) -> None:
        """Put a team of one's own away with all that belongs to it; `undelete` takes that back.

        Raises
        ------
        AccessError
            If it is not one's own.
        StoreError
            If the database refuses.
        """
        self._set_deleted(team, _now())

    def undelete(self, team: str) -> None:
        """Take the deletion of a team of one's own back.

        Raises
        ------
        AccessError
            If there is none such.
        StoreError
            If the database refuses.
        """
        self._set_deleted(team, None)

    def invite(self, team: str, role: Role) -> Invitation:
        """Make a link by which people join a team of one's own for some days.

        The link of before for the same role leads nowhere from then on.

        Raises
        ------
        AccessError
            If it is not one's own.
        StoreError
            If the database refuses.
        """

        def work(connection: sa.Connection) -> Invitation:
            self._require(connection, team, _("invite somebody"), "owner")
            introduce(connection, self.actor)
            _forget_invitation(connection, team, role)
            code, until = secrets.token_urlsafe(18), datetime.now(UTC) + INVITED_FOR
            connection.execute(
                INVITATIONS.insert().values(
                    team=team, role=role, code=code, author=self.actor.id, until=_text(until)
                )
            )
            return _by_code(connection, code)

        return self._change(_("invite somebody"), work)

    def withdraw(self, team: str, role: Role) -> None:
        """Let a link into a team of one's own lead nowhere.

        Raises
        ------
        AccessError
            If it is not one's own.
        StoreError
            If the database refuses.
        """

        def work(connection: sa.Connection) -> None:
            self._require(connection, team, _("take an invitation back"), "owner")
            _forget_invitation(connection, team, role)

        self._change(_("take an invitation back"), work)

    def join(self, code: str) -> Membership:
        """Join the team that a link invites to; whoever belongs to it keeps the higher role.

        Raises
        ------
        AccessError
            If the link leads nowhere, or this person may not write here.
        StoreError
            If the team is full, or the database refuses.
        """

        def work(connection: sa.Connection) -> Membership:
            asked = _by_code(connection, code)
            introduce(connection, self.actor)
            held = _founded(connection, self.actor)
            before = next((one for one in held if one.team == asked.team), None)
            if before is None:
                count = sa.select(sa.func.count()).where(MEMBERS.c.team == asked.team)
                if int(connection.scalar(count) or 0) >= MAX_MEMBERS:
                    raise StoreError(
                        _(
                            "The team has {max_members} members, as many as it may.",
                            max_members=MAX_MEMBERS,
                        )
                    )
                _add(connection, asked.team, self.actor.id, asked.role)
                return Membership(team=asked.team, name=asked.name, role=asked.role)
            ranks = get_args(Role)
            role = max(before.role, asked.role, key=ranks.index)
            mine = sa.and_(MEMBERS.c.team == asked.team, MEMBERS.c.person == self.actor.id)
            connection.execute(MEMBERS.update().where(mine).values(role=role))
            return replace(before, role=role)

        return self._change(_("join a team"), work)

    # --- How ---

    def _change(self, what: str, work: Callable[[sa.Connection], Result]) -> Result:
        self.actor.require_writing(what)
        return self._database.run(_SAVE, work, writes=True)

    def _require(
        self,
        connection: sa.Connection,
        team: str,
        what: str,
        *roles: Role,
        deleted: bool = False,
    ) -> None:
        """Refuse a person who has none of some roles in a founded team, whose row is locked.

        Raises
        ------
        AccessError
            With what to do instead.
        """
        connection.execute(sa.select(TEAMS.c.id).where(TEAMS.c.id == team).with_for_update())
        found = _founded(connection, self.actor, deleted=deleted)
        role = next((one.role for one in found if one.team == team), None)
        if role is None:
            raise AccessError(_("There is no such team, or you do not belong to it."))
        if role not in roles:
            raise AccessError(
                _("You cannot {what}: only its owners can.", what=what),
                hint=_("Ask one of them to do it."),
            )

    def _set_deleted(self, team: str, when: str | None) -> None:
        what = _("delete this team") if when else _("take this back")

        def work(connection: sa.Connection) -> None:
            self._require(connection, team, what, "owner", deleted=when is None)
            connection.execute(TEAMS.update().where(TEAMS.c.id == team).values(deleted=when))

        self._change(what, work)


# --- For whoever reads and writes documents, too --------------------------------------------------


def with_teams(connection: sa.Connection, actor: Actor) -> Actor:
    """Return a person with the teams that they belong to by now, founded ones included."""
    if actor.id == VISITOR.id:
        return actor
    return replace(actor, teams=(*actor.teams, *_founded(connection, actor)))


def introduce(connection: sa.Connection, actor: Actor) -> None:
    """Note what others read for a person's id."""
    mine = PEOPLE.c.id == actor.id
    known = connection.scalar(sa.select(PEOPLE.c.name).where(mine))
    if known is None:
        connection.execute(PEOPLE.insert().values(id=actor.id, name=actor.name))
    elif known != actor.name and not actor.names_itself:
        connection.execute(PEOPLE.update().where(mine).values(name=actor.name))


def introduce_team(connection: sa.Connection, person: Actor, team: str) -> None:
    """Note the name of a team that a login or a proxy names, once something is the team's."""
    place = person.member_of(team)
    known = sa.select(TEAMS.c.id).where(TEAMS.c.id == team)
    if place is not None and connection.scalar(known) is None:
        connection.execute(TEAMS.insert().values(id=team, name=place.name, created=_now()))


def name_of(owner: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """Return what is read for an id: the name of the person or team, or a word where none is."""
    person = sa.select(PEOPLE.c.name).where(PEOPLE.c.id == owner)
    team = sa.select(TEAMS.c.name).where(TEAMS.c.id == owner)
    unknown = sa.case((owner == LOCAL.id, LOCAL.name), else_="somebody")
    return sa.func.coalesce(
        # Of their own tables, whatever the query around them reads.
        person.correlate_except(PEOPLE).scalar_subquery(),
        team.correlate_except(TEAMS).scalar_subquery(),
        unknown,
    )


def purge_teams(connection: sa.Connection, limit: str) -> None:
    """Remove for good the teams that were deleted by a time, and invitations that ended."""
    gone = sa.select(TEAMS.c.id).where(TEAMS.c.deleted <= limit)
    for column in (MEMBERS.c.team, INVITATIONS.c.team, TEAMS.c.id):
        connection.execute(sa.delete(column.table).where(column.in_(gone)))
    connection.execute(INVITATIONS.delete().where(INVITATIONS.c.until < _now()))


def checked_name(name: str) -> str:
    """Return a name for others to read, without what is no part of it.

    Raises
    ------
    StoreError
        If it is none.
    """
    plain = " ".join(name.split())
    if not plain or len(plain) > MAX_NAME_CHARACTERS or not plain.isprintable():
        raise StoreError(
            _("This is no name that others can read."),
            hint=_(
                "Use 1 to {max_name_characters} printable characters.",
                max_name_characters=MAX_NAME_CHARACTERS,
            ),
        )
    return plain


def _founded(
    connection: sa.Connection, actor: Actor, *, deleted: bool = False
) -> tuple[Membership, ...]:
    is_there = TEAMS.c.deleted.is_not(None) if deleted else TEAMS.c.deleted.is_(None)
    query = (
        sa.select(TEAMS.c.id, TEAMS.c.name, MEMBERS.c.role)
        .join(MEMBERS, MEMBERS.c.team == TEAMS.c.id)
        .where(MEMBERS.c.person == actor.id, is_there)
        .order_by(TEAMS.c.name, TEAMS.c.id)
    )
    return tuple(
        Membership(team=row[0], name=row[1], role=row[2]) for row in connection.execute(query)
    )


def _add(connection: sa.Connection, team: str, person: str, role: Role) -> None:
    values = {"team": team, "person": person, "role": role, "joined": _now()}
    connection.execute(MEMBERS.insert().values(**values))


def _require_an_owner(connection: sa.Connection, team: str) -> None:
    is_owner = sa.and_(MEMBERS.c.team == team, MEMBERS.c.role == "owner")
    if not connection.scalar(sa.select(sa.func.count()).where(is_owner)):
        raise StoreError(
            _("Nobody would own the team any more."),
            hint=_("Make somebody else an owner first, or delete the team."),
        )


def _open_invitations() -> sa.Select[Any]:
    return (
        sa.select(INVITATIONS, TEAMS.c.name, name_of(INVITATIONS.c.author).label("author_name"))
        .join(TEAMS, TEAMS.c.id == INVITATIONS.c.team)
        .where(INVITATIONS.c.until > _now(), TEAMS.c.deleted.is_(None))
        .order_by(INVITATIONS.c.role)
    )


def _by_code(connection: sa.Connection, code: str) -> Invitation:
    query = _open_invitations().where(INVITATIONS.c.code == code)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise AccessError(
            _("This invitation leads nowhere, or no more."),
            hint=_(
                "Ask whoever sent it for a new one: each holds for {days} days.",
                days=INVITED_FOR.days,
            ),
        )
    return _invitation(row)


def _invitation(row: sa.Row[Any]) -> Invitation:
    return Invitation(
        code=row.code,
        team=row.team,
        name=row.name,
        role=cast("Role", row.role),
        author_name=row.author_name,
        until=datetime.fromisoformat(row.until),
    )


def _forget_invitation(connection: sa.Connection, team: str, role: Role) -> None:
    is_it = sa.and_(INVITATIONS.c.team == team, INVITATIONS.c.role == role)
    connection.execute(INVITATIONS.delete().where(is_it))


def _now() -> str:
    return _text(datetime.now(UTC))


def _text(time: datetime) -> str:
    return time.isoformat(timespec="microseconds")
