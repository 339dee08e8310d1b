"""The texts of the tour's stops: title, three sentences with places for figures, what to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from isoflop.data import read_toml, require_keys
from isoflop.errors import CatalogError
from isoflop.language import Text, translated
from isoflop.language import lazy_gettext as _
from isoflop.once import once
from isoflop.reference.resources import Resource, load_resources, require_said

TOUR_FILE = "tour.toml"
N_SENTENCES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One stop of the tour.

    Parameters
    ----------
    key : str
    name, title : Text
        A word or two for it, and what it teaches.
    templates : tuple of Text
        Each sentence, with names in braces for what a lesson finds.
    source : Resource
    page : str
        Where the app does the same with real runs.
    """

    key: str
    name: Text
    title: Text
    templates: tuple[Text, ...]
    source: Resource
    page: str

    def sentences(self, facts: Mapping[str, str]) -> tuple[str, ...]:
        """Return the sentences with the figures that a lesson found, in the current language.

        Raises
        ------
        KeyError
            If a sentence leaves open what is not among them.
        """
        return tuple(translated(template).format_map(facts) for template in self.templates)


@once
def load_stops() -> Mapping[str, Stop]:
    """Return every stop by key, in the order of the tour.

    Raises
    ------
    CatalogError
        If the data file is malformed.
    """
    return MappingProxyType({key: _stop(key, entry) for key, entry in read_toml(TOUR_FILE).items()})


def _stop(key: str, entry: dict[str, Any]) -> Stop:
    where = _("{key} of {tour_file}", key=key, tour_file=TOUR_FILE)
    require_keys(entry, where=where, required={"source", "page", "name", "title", "sentences"})
    require_said(entry, {"name", "title"}, where)
    source, templates = load_resources().get(entry["source"]), entry["sentences"]
    is_said = all(isinstance(template, Text) for template in templates)
    if source is None or len(templates) != N_SENTENCES or not is_said:
        raise CatalogError(
            _("The data file entry {where} is malformed.", where=where),
            detail=f"source: {entry['source']}; {len(templates)} sentences, in "
            f"{'every' if is_said else 'one'} language.",
        )
    return Stop(
        key=key,
        name=entry["name"],
        title=entry["title"],
        templates=tuple(templates),
        source=source,
        page=entry["page"],
    )
