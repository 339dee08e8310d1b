"""Who asks, and whether they may: the token, this machine alone without one, no other site."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request

from isoflop import people, settings
from isoflop.people import Actor
from isoflop.server.hosts import is_own_origin
from isoflop.server.problems import Refused

API_SETTING = "ISOFLOP_API"
TOKEN_SETTING = "ISOFLOP_API_TOKEN"

_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


def require_on() -> None:
    """Refuse if the API is switched off.

    Raises
    ------
    Refused
    """
    if settings.text(API_SETTING) == "off":
        raise Refused(
            HTTPStatus.FORBIDDEN,
            f"The API is off here: {API_SETTING} says so.",
            hint="Use the pages, or ask the server's owner.",
        )


def require_same_site(request: Request) -> None:
    """Refuse what another site makes a browser send; programs send neither header.

    Raises
    ------
    Refused
    """
    origin = request.headers.get("origin")
    is_own = request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
    if origin is not None:
        is_own = is_own_origin(origin, request.headers.get("host"))
    if not is_own:
        raise Refused(
            HTTPStatus.FORBIDDEN,
            "The API answers no other site's pages.",
            detail=f"Origin: {origin}." if origin else "",
            hint="Call it from a program, or from a page of this server.",
        )


def require_token(request: Request) -> Actor | None:
    """Return who asks by their token; None where no token is set.

    Raises
    ------
    Refused
        If tokens are set and none of them is given.
    """
    known = settings.entries(TOKEN_SETTING)
    if not known:
        return None
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    sent = given.strip().encode() if scheme.lower() == "bearer" else b""
    found = [token for token in known if hmac.compare_digest(token.encode(), sent)]
    if not found:
        raise Refused(
            HTTPStatus.UNAUTHORIZED,
            "This token is not let in." if sent else "The API asks for a token.",
            hint="Send the header: Authorization: Bearer TOKEN.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    digest = hashlib.sha256(found[0].encode()).hexdigest()[:24]
    return people.actor(f"token:{digest}", name="a program")


def caller(request: Request) -> Actor:
    """Return who asks, to whom what follows belongs.

    Whom a proxy names where the settings believe it; else by token; and without a token, when
    nobody could be told from anyone else, whoever is on this machine.

    Raises
    ------
    Refused
        If nobody is let in so.
    SettingError
        If the settings do not say whom to believe.
    """
    if settings.text("ISOFLOP_IDENTITY") == "header":
        peer = request.client.host if request.client else None
        named = people.by_header(request.headers, peer)
        if named is not None:
            return named
    known = require_token(request)
    if known is not None:
        return known
    if not is_local(request):
        raise Refused(
            HTTPStatus.FORBIDDEN,
            "Without a token the API answers this machine alone.",
            hint=f"Let the server's owner set {TOKEN_SETTING}, and send it as: "
            "Authorization: Bearer TOKEN.",
        )
    return people.LOCAL


def is_local(connection: HTTPConnection) -> bool:
    """Say whether a request comes from this machine, to a name of it, through no proxy."""
    if any(name in connection.headers for name in _FORWARDED) or connection.client is None:
        return False
    try:
        asked = urlsplit(f"//{connection.headers.get('host', '')}").hostname or ""
    except ValueError:
        return False
    return _is_loopback(connection.client.host) and _is_loopback(asked)


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
