"""Collect the marked texts into the catalogs, and compile those: ``make messages``.

A translation whose English is gone is dropped; one that is missing is left empty and named.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from isoflop.language import ENGLISH, FOLDER, LANGUAGES

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("src", "pages")
MARKS = {
    "_": None,
    "n_": (1, 2),
    "gettext": None,
    "ngettext": (1, 2),
    "lazy_gettext": None,
    "lazy_ngettext": (1, 2),
}
# A date would make two branches that mark texts differ in a line that says nothing.
DATE = datetime(2026, 11, 27)


def marked() -> Catalog:
    """Return every marked text of the sources, not yet translated."""
    found = Catalog(project="Isoflop", creation_date=DATE, revision_date=DATE, fuzzy=False)
    for folder in SOURCES:
        for *_, text, comments, context in extract_from_dir(
            ROOT / folder, keywords=MARKS, comment_tags=("Translators:",), strip_comment_tags=True
        ):
            found.add(text, auto_comments=comments, context=context)
    return found


def path_of(language: str) -> Path:
    """Return the file of a language's catalog."""
    return FOLDER / language / "LC_MESSAGES" / "isoflop.po"


def read(language: str) -> Catalog:
    """Return the catalog of a language as it is; an empty one where there is none."""
    path = path_of(language)
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def updated(language: str) -> Catalog:
    """Return the catalog of a language with exactly the texts that are marked."""
    held = read(language)
    catalog = Catalog(
        locale=language,
        project="Isoflop",
        creation_date=DATE,
        revision_date=DATE,
        fuzzy=False,
        version="1",
        msgid_bugs_address="see CONTRIBUTING.md",
        last_translator="the developers",
        language_team="the developers",
        header_comment=f"# What Isoflop says, in {LANGUAGES[language]}.",
    )
    for message in marked():
        if message.id:
            kept = held.get(message.id, message.context)
            catalog.add(
                message.id,
                kept.string if kept else "",
                auto_comments=message.auto_comments,
                context=message.context,
            )
    return catalog


def as_po(catalog: Catalog) -> bytes:
    """Return a catalog as the text that is edited."""
    file = io.BytesIO()
    write_po(file, catalog, width=100, sort_output=True, no_location=True)
    return file.getvalue()


def as_mo(catalog: Catalog) -> bytes:
    """Return a catalog as gettext reads it."""
    file = io.BytesIO()
    write_mo(file, catalog)
    return file.getvalue()


def missing(catalog: Catalog) -> Iterator[str]:
    """Yield the texts that a catalog does not translate."""
    for message in catalog:
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        if message.id and not all(strings):
            yield str(message.id)


def main() -> None:
    """Write every catalog; fail where a text has no translation."""
    lacking = 0
    for language in LANGUAGES:
        if language == ENGLISH:
            continue
        catalog = updated(language)
        path = path_of(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_po(catalog))
        path.with_suffix(".mo").write_bytes(as_mo(catalog))
        for text in missing(catalog):
            lacking += 1
            print(f"{path.relative_to(ROOT)} lacks: {text}")
    if lacking:
        sys.exit(f"{lacking} texts to be translated.")


if __name__ == "__main__":
    main()
