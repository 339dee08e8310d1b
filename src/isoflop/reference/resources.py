"""Papers, books and courses behind each part of Isoflop, and why to read each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args

from isoflop.data import read_toml, require_keys
from isoflop.errors import CatalogError
from isoflop.language import Text
from isoflop.language import lazy_gettext as _
from isoflop.once import once

RESOURCES_FILE = "resources.toml"

Kind = Literal["paper", "book", "course", "article", "code"]
KINDS: Mapping[Kind, str] = MappingProxyType(
    {
        "paper": _("Paper"),
        "book": _("Book"),
        "course": _("Course"),
        "article": _("Article"),
        "code": _("Code"),
    }
)
"""What there is to read, and what it is called."""

_WHERE = {"arxiv", "doi", "link"}
_PARTS = "parts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """Something to read.

    Parameters
    ----------
    key : str
        What data files cite it by.
    kind : {"paper", "book", "course", "article", "code"}
    part : str
        Of `load_parts`.
    authors, year, title : str
    place : str
        Where it is to be found, as one cites it: ``"arXiv 2203.15556"``.
    link : str
        The same as an address.
    why : Text
        What one learns from it, in a sentence.
    """

    key: str
    kind: Kind
    part: str
    authors: str
    year: str
    title: str
    place: str
    link: str
    why: Text

    @property
    def short(self) -> str:
        """As a sentence names it: ``"Hoffmann et al. 2022"``."""
        return f"{self.authors} {self.year}"


def require_said(entry: Mapping[str, Any], names: Collection[str], where: str) -> None:
    """Check that these texts of an entry are said in every language.

    Raises
    ------
    CatalogError
        Naming those that are not.
    """
    lacking = sorted(name for name in names if not isinstance(entry[name], Text))
    if lacking:
        raise CatalogError(
            _("The data file entry {where} is malformed.", where=where),
            detail=_("In one language alone: {lacking}.", lacking=", ".join(lacking)),
        )


@once
def load_parts() -> Mapping[str, Text]:
    """Return the parts that terms and resources belong to, by key, in their order.

    Raises
    ------
    CatalogError
        If the data file is malformed.
    """
    parts = read_toml(RESOURCES_FILE)[_PARTS]
    require_said(
        parts, parts, _("{parts} of {resources_file}", parts=_PARTS, resources_file=RESOURCES_FILE)
    )
    return MappingProxyType(parts)


@once
def load_resources() -> Mapping[str, Resource]:
    """Return everything to read, by key, in the order of the data file.

    Raises
    ------
    CatalogError
        If the data file is malformed.

    Examples
    --------
    >>> load_resources()["hoffmann2022"].place
    'arXiv 2203.15556'
    """
    entries = read_toml(RESOURCES_FILE)
    return MappingProxyType(
        {key: _resource(key, entry) for key, entry in entries.items() if key != _PARTS}
    )


def _resource(key: str, entry: dict[str, Any]) -> Resource:
    where = _("{key} of {resources_file}", key=key, resources_file=RESOURCES_FILE)
    needed = {"kind", "part", "authors", "year", "title", "why"}
    require_keys(entry, where=where, required=needed, optional=_WHERE)
    require_said(entry, {"why"}, where)
    given = _WHERE & set(entry)
    if len(given) != 1 or entry["kind"] not in get_args(Kind) or entry["part"] not in load_parts():
        raise CatalogError(
            _("The data file entry {where} is malformed.", where=where),
            detail=_(
                "One of {where} is needed, got {given}; kind: {entry}; part: {entry2}.",
                where=", ".join(sorted(_WHERE)),
                given=", ".join(sorted(given)) or "none",
                entry=entry["kind"],
                entry2=entry["part"],
            ),
        )
    place, link = _found_at(given.pop(), entry)
    return Resource(
        key=key,
        kind=entry["kind"],
        part=entry["part"],
        authors=entry["authors"],
        year=entry["year"],
        title=entry["title"],
        place=place,
        link=link,
        why=entry["why"],
    )


def _found_at(kind: str, entry: Mapping[str, Any]) -> tuple[str, str]:
    """Return where a resource is to be found: as one cites it, and as an address."""
    written: str = entry[kind]
    if kind == "arxiv":
        return f"arXiv {written}", f"https://arxiv.org/abs/{written}"
    if kind == "doi":
        return f"doi:{written}", f"https://doi.org/{written}"
    return written.partition("://")[2].rstrip("/"), written
