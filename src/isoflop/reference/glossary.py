"""The glossary: what each term means in one sentence, with its formula and source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from isoflop.data import read_toml, require_keys
from isoflop.errors import CatalogError
from isoflop.language import LANGUAGES, Text, lazy_gettext
from isoflop.once import once
from isoflop.reference.resources import load_parts, load_resources, require_said

GLOSSARY_FILE = "glossary.toml"
DOCS = "docs/"
"""What the source of a term of Isoflop's own begins with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One term of the field.

    Parameters
    ----------
    key : str
        What code and data files ask for it by.
    part : str
        Of `isoflop.reference.load_parts`.
    name : Text
    meaning : Text
        One sentence or two.
    formula : str
        As one would write it; empty where there is none.
    source : str
        Who defined it: ``"Hoffmann et al. 2022"``, or a page of the documentation.
    link : str
        The source's address; its path in the repository for a page of the documentation.
    also : tuple of str
        Other names, which a search finds.
    """

    key: str
    part: str
    name: Text
    meaning: Text
    formula: str
    source: str
    link: str
    also: tuple[str, ...]

    @property
    def is_own(self) -> bool:
        """Whether the term is Isoflop's own, explained in its documentation."""
        return self.link.startswith(DOCS)

    @property
    def words(self) -> tuple[str, ...]:
        """Everything that a search finds it by, its names first."""
        names = [self.name.in_language(language) for language in LANGUAGES]
        meanings = [self.meaning.in_language(language) for language in LANGUAGES]
        return (*names, *self.also, *meanings)


@once
def load_glossary() -> Mapping[str, Term]:
    """Return every term by key, in the order of the data file.

    Raises
    ------
    CatalogError
        If the data file is malformed.

    Examples
    --------
    >>> load_glossary()["perplexity"].formula
    'PPL = e^L, L in nats per token'
    """
    entries = read_toml(GLOSSARY_FILE)
    return MappingProxyType({key: _term(key, entry) for key, entry in entries.items()})


def find_term(key: str) -> Term:
    """Return the term of a key.

    Raises
    ------
    CatalogError
        If there is none.
    """
    try:
        return load_glossary()[key]
    except KeyError:
        raise CatalogError(lazy_gettext("The glossary has no term {key!r}.", key=key)) from None


def search_terms(text: str) -> tuple[Term, ...]:
    """Return the terms that a text is found in: in a name before in a meaning; all for no text.

    Examples
    --------
    >>> [term.key for term in search_terms("cross entropy")]
    ['loss']
    """
    wanted = text.strip().casefold()
    ranked = sorted(
        (_rank(term, wanted), place, term) for place, term in enumerate(load_glossary().values())
    )
    return tuple(term for rank, _, term in ranked if rank < len(_RANKS))


_RANKS = ("key", lazy_gettext("start of a name"), "name", "meaning")


def _rank(term: Term, wanted: str) -> int:
    """Return how well a term answers, of `_RANKS`; beyond them where it does not."""
    words = [word.casefold() for word in term.words]
    n_names = len(LANGUAGES) + len(term.also)
    if not wanted:
        return _RANKS.index("name")
    found = (
        wanted == term.key,
        any(word.startswith(wanted) for word in words[:n_names]),
        any(wanted in word for word in words[:n_names]),
        any(wanted in word for word in words),
    )
    return found.index(True) if any(found) else len(_RANKS)


def _term(key: str, entry: dict[str, Any]) -> Term:
    where = lazy_gettext("{key} of {glossary_file}", key=key, glossary_file=GLOSSARY_FILE)
    require_keys(
        entry,
        where=where,
        required={"part", "source", "term", "meaning"},
        optional={"formula", "also"},
    )
    require_said(entry, {"term", "meaning"}, where)
    source, link = _cited(entry["source"])
    if not source or entry["part"] not in load_parts():
        raise CatalogError(
            lazy_gettext("The data file entry {where} is malformed.", where=where),
            detail=f"source: {entry['source']}; part: {entry['part']}.",
        )
    return Term(
        key=key,
        part=entry["part"],
        name=entry["term"],
        meaning=entry["meaning"],
        formula=entry.get("formula", ""),
        source=source,
        link=link,
        also=tuple(entry.get("also", ())),
    )


def _cited(source: str) -> tuple[str, str]:
    """Return who is cited and where that is; empty for a key that no resource has."""
    if source.startswith(DOCS):
        return source, source
    resource = load_resources().get(source)
    return (resource.short, resource.link) if resource else ("", "")
