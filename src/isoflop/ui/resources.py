"""The Resources page: the glossary, and what to read on each part."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from types import MappingProxyType

import streamlit as st

from isoflop.language import LANGUAGES, lazy_gettext, translated
from isoflop.language import gettext as _
from isoflop.reference import KINDS, Resource, load_parts, load_resources, search_terms
from isoflop.ui import inputs, messages, shell, terms

SHOW, FIND = "resources.show", "resources.find"
"""Parameters of the address: what is listed, and what is looked for in it."""
LISTS = MappingProxyType({"reading": lazy_gettext("Reading"), "glossary": lazy_gettext("Glossary")})


def show() -> None:
    """Draw the choice of a list, the search, and what is found."""
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    with left:
        shown = inputs.choice(
            _("List"),
            LISTS,
            key=SHOW,
            default="reading",
            help=_("What to read on each part, or what each term means."),
            style="row",
        )
    with right:
        text = st.text_input(
            _("Find"),
            key=FIND,
            bind="query-params",
            live="300ms",
            help=_("In names, formulas and sentences, in English and Chinese."),
            placeholder=_("A word, a name, a year"),
            max_chars=80,
        )
    if shown == "glossary":
        _glossary(text or "")
    else:
        _reading(text or "")


def address(term: str) -> str:
    """Return the address at which a term is explained, relative to any page's."""
    return shell.link("resources", {SHOW: "glossary", FIND: term})


def _glossary(text: str) -> None:
    found = search_terms(text)
    if text.strip():
        terms.entries(found)
    else:
        for part, title in load_parts().items():
            st.header(translated(title), anchor=part)
            terms.entries(term for term in found if term.part == part)
    _say_if_none(found, text)


def _reading(text: str) -> None:
    wanted = text.strip().casefold()
    found = [one for one in load_resources().values() if wanted in _words(one)]
    for part, title in load_parts().items():
        of_part = [one for one in found if one.part == part]
        if of_part:
            st.header(translated(title), anchor=part)
            st.html(f'<ul class="reading">{"".join(map(_item, of_part))}</ul>')
    _say_if_none(found, text)


def _say_if_none(found: Sequence[object], text: str) -> None:
    if not found:
        st.info(_("Nothing here has {text} in it.", text=messages.plain(text)))


def _words(one: Resource) -> str:
    why = " ".join(one.why.in_language(language) for language in LANGUAGES)
    return f"{one.authors} {one.year} {one.title} {one.place} {why}".casefold()


def _item(one: Resource) -> str:
    kind = "" if one.kind == "paper" else f" · {escape(translated(KINDS[one.kind]))}"
    return (
        f"<li>{terms.link(one.title, one.link)}<br>"
        f"<small>{escape(one.authors)} {one.year}, {escape(one.place)}{kind}</small><br>"
        f"{escape(translated(one.why))}</li>"
    )
