"""Who asks: the person behind a page, a request or a command, found once and passed on.

Everything that is saved belongs to a person, and every call that reads or writes it takes an
`Actor`. On the command line and in the package that is `LOCAL`. On a server it is found from the
request: `by_cookie`, `by_header` or `by_login`; `of_request` takes the way that the settings say.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import logging
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from platformdirs import user_data_path

from isoflop import settings
from isoflop.errors import AccessError, SettingError
from isoflop.language import lazy_gettext
from isoflop.once import once

Role = Literal["viewer", "editor", "owner"]

SECRET_HEADER = "X-Isoflop-Proxy-Secret"
SECRET_FILE = "cookie.secret"
SECRET_VARIABLE = "STREAMLIT_SERVER_COOKIE_SECRET"
MIN_SECRET_CHARACTERS = 16
COOKIE_MAX_AGE_S = 400 * 24 * 3600
"""As long as browsers keep a cookie; every visit begins it anew."""
MAX_ID_CHARACTERS = 120
MAX_NAME_CHARACTERS = 40
MAX_GROUPS = 50
"""Of one person that count, of those that a login or a proxy names."""
BROWSER = "browser:"
"""Begins the id of a person known by a cookie."""
GROUP = "group:"
"""Begins the id of a team whose members a login or a proxy names."""
ONLY_LOOKS = ":viewer"
"""Ends the name of a group whose members look at what is the team's and change nothing."""

logger = logging.getLogger("isoflop.people")


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """That a person belongs to a team.

    Parameters
    ----------
    team : str
        Id of the team.
    name : str
        Of the team.
    role : {"viewer", "editor", "owner"}
        A viewer sees what is the team's, an editor changes it too, an owner also says who belongs
        to the team.
    """

    team: str
    name: str
    role: Role

    @property
    def can_write(self) -> bool:
        """Whether the person may change what is the team's."""
        return self.role != "viewer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A person, and what this server lets them do.

    Parameters
    ----------
    id : str
        The same at every visit; what is saved names its owner by it.
    name : str
        For other people to read.
    roles : frozenset of str
        ``"viewer"`` sees what is shared, ``"editor"`` also saves, shares and trains, ``"owner"``
        runs the server.
    teams : tuple of Membership
        That are known. Those that people founded here are known to the store, which adds them.
    """

    id: str
    name: str = ""
    roles: frozenset[Role] = field(default=frozenset({"viewer"}))
    teams: tuple[Membership, ...] = ()

    @property
    def names_itself(self) -> bool:
        """Whether nobody else says what this person is called: a browser knows no name."""
        return self.id.startswith(BROWSER)

    @property
    def can_write(self) -> bool:
        """Whether this person may save or start anything here."""
        return "editor" in self.roles

    @property
    def is_owner(self) -> bool:
        """Whether this person runs the server."""
        return "owner" in self.roles

    @property
    def owns(self) -> tuple[str, ...]:
        """Ids of all whose things are this person's to change: their own, and those of teams."""
        return (self.id, *(one.team for one in self.teams if one.can_write))

    def member_of(self, team: str) -> Membership | None:
        """Return the person's place in a team; None for a team of others."""
        return next((one for one in self.teams if one.team == team), None)

    def require_writing(self, what: str) -> None:
        """Refuse whoever may only look.

        Parameters
        ----------
        what : str
            What is to be done, as in "save a scenario".

        Raises
        ------
        AccessError
            If the person is a viewer, or the server is read-only.
        """
        if settings.is_read_only():
            raise AccessError(
                lazy_gettext("This server is read-only: you cannot {what}.", what=what),
                hint=lazy_gettext("Whoever runs it can start it without ISOFLOP_READ_ONLY."),
            )
        if self.id == VISITOR.id:
            raise AccessError(
                lazy_gettext(
                    "You cannot {what}: this server does not know who you are.", what=what
                ),
                hint=lazy_gettext("Allow cookies for this address and reload the page."),
            )
        if not self.can_write:
            raise AccessError(
                lazy_gettext("You cannot {what}: you are a viewer here.", what=what),
                hint=lazy_gettext("Ask whoever runs this server to make you an editor."),
            )


Visibility = Literal["private", "link", "team", "everyone"]
ShareRole = Literal["viewer", "editor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """Whose something is, and who else may see or change it.

    Parameters
    ----------
    owner : str
        Id of a person, or of a team, all of which sees it and whose editors change it.
    owner_name : str
    visibility : {"private", "link", "team", "everyone"}
        Who else sees it: nobody, whoever has its link, a team, or everyone on this server.
    role : {"viewer", "editor"}
        What the team, or everyone, may do with it.
    team : str
        Id of the team that it is shared with; empty for none.
    """

    owner: str
    owner_name: str = ""
    visibility: Visibility = "private"
    role: ShareRole = "viewer"
    team: str = ""

    def may_see(self, actor: Actor, *, by_link: bool = False) -> bool:
        """Say whether a person may see it, by its link or without."""
        is_shared = self.visibility == "everyone" or (self.visibility == "link" and by_link)
        is_own = self.owner == actor.id or actor.member_of(self.owner) is not None
        return is_own or is_shared or self._member(actor) is not None

    def is_own(self, actor: Actor) -> bool:
        """Say whether a person may do with it as they please: name it, and share it."""
        return self.owner in actor.owns

    def may_change(self, actor: Actor) -> bool:
        """Say whether a person may change it."""
        member = self._member(actor)
        is_shared = self.visibility == "everyone" or (member is not None and member.can_write)
        return actor.can_write and (self.is_own(actor) or (is_shared and self.role == "editor"))

    def require_change(self, actor: Actor, what: str) -> None:
        """Refuse whoever may not change it.

        Raises
        ------
        AccessError
            With what to do instead.
        """
        actor.require_writing(what)
        if not self.may_change(actor):
            raise AccessError(
                lazy_gettext("You cannot {what}: it is shared with you to look at.", what=what),
                hint=lazy_gettext("Save a copy of your own, or ask its owner to let you edit it."),
            )

    def shared(
        self, actor: Actor, visibility: Visibility, role: ShareRole = "viewer", team: str = ""
    ) -> Sharing:
        """Return what becomes of it when a person shares it.

        Parameters
        ----------
        actor : Actor
        visibility, role, team
            As of a `Sharing`; by a link one looks and changes nothing.

        Raises
        ------
        AccessError
            If it is not this person's to share, or the team is not one of theirs.
        """
        actor.require_writing(lazy_gettext("share this"))
        if not self.is_own(actor):
            raise AccessError(lazy_gettext("You cannot share this: it belongs to somebody else."))
        is_with_team = visibility == "team"
        if is_with_team and actor.member_of(team) is None:
            raise AccessError(
                lazy_gettext("You cannot share this with a team that you do not belong to."),
                hint=lazy_gettext("Ask an owner of the team for an invitation."),
            )
        return replace(
            self,
            visibility=visibility,
            role=role if visibility in ("team", "everyone") else "viewer",
            team=team if is_with_team else "",
        )

    def _member(self, actor: Actor) -> Membership | None:
        """Return the person's place in the team that it is shared with."""
        return actor.member_of(self.team) if self.visibility == "team" else None


LOCAL = Actor(
    id="local", name=lazy_gettext("this machine"), roles=frozenset({"viewer", "editor", "owner"})
)
"""Whoever uses the command line or the package."""

VISITOR = Actor(id="visitor", name="a visitor")
"""Somebody who cannot be told from others: one who sends no cookie, or whom no proxy names."""


def of_request(
    headers: Mapping[str, str],
    cookies: Mapping[str, str],
    peer: str | None = None,
    *,
    secret: str = "",
) -> Actor:
    """Return who sent a request, by the way that ``ISOFLOP_IDENTITY`` names.

    Parameters
    ----------
    headers : mapping of str to str
        In which names are found whatever their case.
    cookies : mapping of str to str
    peer : str or None
        Address that the connection comes from.
    secret : str
        By which cookies are signed; by default `cookie_secret`.

    Raises
    ------
    SettingError
        If the settings do not say whom to believe.
    """
    way = settings.text("ISOFLOP_IDENTITY")
    if way == "local":
        return LOCAL
    if way == "header":
        return by_header(headers, peer) or VISITOR
    return by_cookie(cookies, secret or cookie_secret()) or VISITOR


# --- A signed cookie: one person a browser --------------------------------------------------------


def cookie_name(secret: str) -> str:
    """Return the cookie's name, which differs between servers at one address."""
    return f"isoflop-person-{hashlib.sha256(secret.encode()).hexdigest()[:8]}"


def new_cookie(secret: str) -> str:
    """Return the value of a new person's cookie."""
    person = secrets.token_urlsafe(12)
    return f"{person}.{_signature(person, secret)}"


def by_cookie(cookies: Mapping[str, str], secret: str) -> Actor | None:
    """Return the person whose browser sent these cookies; None for no cookie that we signed."""
    value = cookies.get(cookie_name(secret))
    if not isinstance(value, str):
        return None
    person, _, signature = value.partition(".")
    if not hmac.compare_digest(signature.encode(), _signature(person, secret).encode()):
        return None
    return actor(f"{BROWSER}{person}", name=lazy_gettext("Visitor {person}", person=person[:4]))


def _signature(person: str, secret: str) -> str:
    return hmac.new(secret.encode(), f"isoflop.person|{person}".encode(), "sha256").hexdigest()


@once(max_entries=8)
def cookie_secret(folder: Path | None = None) -> str:
    """Return the secret of this server: the one that is set, or one kept in the data folder.

    Where that cannot be written the secret lasts as long as the process.

    Parameters
    ----------
    folder : Path, optional
        By default the user's data folder.
    """
    if given := os.environ.get(SECRET_VARIABLE):
        return given
    path = (folder or user_data_path("isoflop", appauthor=False)) / SECRET_FILE
    made = secrets.token_hex(32)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written in full before it has its name: of two servers that start at once, one wins.
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        draft.touch(mode=0o600)
        draft.write_text(made, encoding="ascii")
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            made = path.read_text(encoding="ascii").strip()
        finally:
            draft.unlink()
    except OSError as error:
        logger.warning("the secret of cookies is not kept: %s", error)
    return made


# --- A proxy's header -----------------------------------------------------------------------------


def by_header(headers: Mapping[str, str], peer: str | None) -> Actor | None:
    """Return the person whom a proxy names; None if it names nobody, or is not to be believed.

    Raises
    ------
    SettingError
        If the settings do not say how to tell the proxy from anyone else.
    """
    secret, networks = settings.text("ISOFLOP_PROXY_SECRET"), _networks()
    if not secret and not networks:
        raise SettingError(
            lazy_gettext("ISOFLOP_IDENTITY is header, but anyone could send such a header."),
            hint=lazy_gettext(
                "Set ISOFLOP_PROXY_SECRET, which the proxy then sends as "
                "{secret_header}, or ISOFLOP_TRUSTED_PROXIES.",
                secret_header=SECRET_HEADER,
            ),
        )
    if secret and len(secret) < MIN_SECRET_CHARACTERS:
        raise SettingError(
            lazy_gettext(
                "ISOFLOP_PROXY_SECRET has {secret} characters, which can be guessed.",
                secret=len(secret),
            ),
            hint=lazy_gettext(
                "Take a long random one, such as the output of: openssl rand -hex 32"
            ),
        )
    if secret and not hmac.compare_digest(
        str(headers.get(SECRET_HEADER) or "").encode(), secret.encode()
    ):
        return None
    if networks and not _is_within(peer, networks):
        return None
    named = str(headers.get(settings.text("ISOFLOP_IDENTITY_HEADER")) or "").strip()
    if not named or len(named) > MAX_ID_CHARACTERS or not named.isprintable():
        return None
    header = settings.text("ISOFLOP_TEAMS_HEADER")
    groups = str(headers.get(header) or "").split(",") if header else ()
    return actor(f"proxy:{named}", name=named, aliases=(named,), groups=groups)


def _networks() -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    name = "ISOFLOP_TRUSTED_PROXIES"
    try:
        return [ipaddress.ip_network(entry) for entry in settings.entries(name)]
    except ValueError as error:
        raise SettingError(
            lazy_gettext("The setting {name} holds what is no address.", name=name),
            detail=str(error),
            hint=lazy_gettext(
                "Write addresses or networks by commas, such as 10.0.0.2, 192.168.7.0/24."
            ),
        ) from None


def _is_within(
    peer: str | None, networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network]
) -> bool:
    try:
        address = ipaddress.ip_address(peer or "")
    except ValueError:
        return False
    return any(address in network for network in networks)


# --- A login --------------------------------------------------------------------------------------


def by_login(claims: Mapping[str, object]) -> Actor:
    """Return the person who signed in by OpenID Connect.

    Parameters
    ----------
    claims : mapping of str to object
        Of the identity token. Issuer and subject name the person; an e-mail address counts for
        the settings' lists unless the provider says that it is not verified.
    """
    issuer, subject = (str(claims.get(name) or "") for name in ("iss", "sub"))
    email = str(claims.get("email") or "")
    is_verified = claims.get("email_verified") not in (False, "false")
    name = str(claims.get("name") or email or "somebody")
    groups = claims.get(settings.text("ISOFLOP_TEAMS_CLAIM"))
    listed = [groups] if isinstance(groups, str) else groups
    digest = hashlib.sha256(f"{issuer}|{subject or email}".encode()).hexdigest()[:24]
    return actor(
        f"login:{digest}",
        name=name[:80],
        aliases=(email,) if is_verified else (),
        groups=map(str, listed) if isinstance(listed, list | tuple) else (),
    )


def actor(
    id: str, *, name: str, aliases: tuple[str, ...] = (), groups: Iterable[str] = ()
) -> Actor:
    """Return a person with the roles that the settings give them.

    Parameters
    ----------
    id : str
    name : str
    aliases : tuple of str
        What else the settings may name the person by, such as an e-mail address.
    groups : iterable of str
        Names of the teams that the person belongs to, by whoever names the person.
    """
    known = {id.casefold(), *(alias.casefold() for alias in aliases if alias)}
    roles: set[Role] = {"viewer"}
    owners = {entry.casefold() for entry in settings.entries("ISOFLOP_OWNERS")}
    editors = {entry.casefold() for entry in settings.entries("ISOFLOP_EDITORS")}
    if known & owners:
        roles |= {"editor", "owner"}
    if "*" in editors or known & editors:
        roles.add("editor")
    return Actor(id=id, name=name, roles=frozenset(roles), teams=_teams(groups))


def _teams(groups: Iterable[str]) -> tuple[Membership, ...]:
    """Return the teams that groups are; of a group that stands there twice, the higher role."""
    roles: dict[str, Role] = {}
    for group in list(groups)[:MAX_GROUPS]:
        name = group.strip().removesuffix(ONLY_LOOKS)
        if not name or len(name) > MAX_ID_CHARACTERS or not name.isprintable():
            continue
        is_editor = not group.strip().endswith(ONLY_LOOKS)
        roles[name] = "editor" if is_editor or roles.get(name) == "editor" else "viewer"
    return tuple(
        Membership(team=f"{GROUP}{name}", name=name, role=role)
        for name, role in sorted(roles.items())
    )
