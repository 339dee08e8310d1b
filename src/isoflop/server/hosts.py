"""By which names the server may be reached, by one setting.

A site can let its own name lead to any address, also to one inside another's network (DNS
rebinding), and its pages then speak to the server there as if it were theirs. A request by an
address or by a name of this machine cannot come about so; any other name has to be set.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from isoflop.once import once
from isoflop.settings import entries

SETTING = "ISOFLOP_HOSTS"
ANY = "*"


def named() -> tuple[str, ...]:
    """Return the names that the setting gives, in lower case; ``*`` is any.

    They may be written as addresses of sites are, with scheme and port, which do not count.
    """
    places = (urlsplit(entry if "//" in entry else f"//{entry}") for entry in entries(SETTING))
    return tuple(place.hostname.rstrip(".") for place in places if place.hostname)


def is_named(host: str | None) -> bool:
    """Say whether a name, without its port, is one that the setting gives by itself."""
    found = (host or "").lower().rstrip(".")
    return any(
        found.endswith(name[1:]) if name.startswith("*.") else found == name
        for name in named()
        if name != ANY
    )


def is_known(host_header: str | None) -> bool:
    """Say whether the server may be reached by this ``Host``: an address, its own name, a set one.

    Parameters
    ----------
    host_header : str or None
        With a port or without.
    """
    try:
        parts = urlsplit(f"//{host_header or ''}")
        host, _ = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or parts.path or parts.query or parts.fragment:
        return False
    return _is_address(host) or host in _own_names() or ANY in named() or is_named(host)


def is_own_origin(origin: str, host_header: str | None) -> bool:
    """Say whether a page of this server sends an ``Origin``, or one of a name that is set."""
    try:
        place = urlsplit(origin)
        return place.netloc == host_header or is_named(place.hostname)
    except ValueError:
        return False


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@once
def _own_names() -> frozenset[str]:
    """Return the names that lead here whatever anybody's name server says."""
    machine = socket.gethostname().lower().rstrip(".")
    short = machine.partition(".")[0]
    return frozenset({"localhost", machine, short, f"{short}.local"} - {""})
