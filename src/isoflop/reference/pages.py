"""The glossary and the resources as pages of the documentation, in each language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from posixpath import relpath

from isoflop.language import LANGUAGES, speaking, translated
from isoflop.language import gettext as _
from isoflop.reference.glossary import GLOSSARY_FILE, Term, load_glossary
from isoflop.reference.resources import (
    KINDS,
    RESOURCES_FILE,
    Resource,
    load_parts,
    load_resources,
)

COMMAND = "python -m isoflop.reference docs"
FOLDERS = {"en": "docs", "zh": "docs/zh"}
"""Where the pages of each language are, in the repository."""


def pages() -> Iterator[tuple[str, str]]:
    """Yield the path in the repository and the Markdown of every page."""
    for language, folder in FOLDERS.items():
        with speaking(language):
            for name, body in (("glossary", _glossary(folder)), ("resources", _resources())):
                title, _blank, rest = body.partition("\n\n")
                other = _other(language, folder, name)
                yield f"{folder}/{name}.md", f"{title}\n\n{other}\n\n{rest}"


def _other(language: str, folder: str, name: str) -> str:
    """Return a line that leads to the page in the other languages."""
    return " · ".join(
        f"[{LANGUAGES[code]}]({relpath(f'{there}/{name}.md', folder)})"
        for code, there in FOLDERS.items()
        if code != language
    )


def _glossary(folder: str) -> str:
    lead = _(
        "What Isoflop's pages call things, in the field's own words. Written by `{command}` from "
        "`data/{file}`.",
        command=COMMAND,
        file=GLOSSARY_FILE,
    )
    entries = [(term.part, _term(term, folder)) for term in load_glossary().values()]
    return _by_part(_("Glossary"), lead, entries)


def _term(term: Term, folder: str) -> str:
    link = relpath(term.link, folder) if term.is_own else term.link
    formula = f" `{term.formula}`" if term.formula else ""
    return (
        f'- <a id="{term.key}"></a>**{translated(term.name)}** · {translated(term.meaning)}'
        f"{formula} ([{term.source}]({link}))"
    )


def _resources() -> str:
    lead = _(
        "Papers, books and courses behind each part, and why to read each. Written by `{command}` "
        "from `data/{file}`.",
        command=COMMAND,
        file=RESOURCES_FILE,
    )
    entries = [(one.part, _resource(one)) for one in load_resources().values()]
    return _by_part(_("Resources"), lead, entries)


def _by_part(title: str, lead: str, entries: Sequence[tuple[str, str]]) -> str:
    """Return a page of entries, each with the key of its part, under the headings of the parts."""
    lines = [f"# {title}", "", lead]
    for part, heading in load_parts().items():
        own = [entry for key, entry in entries if key == part]
        lines += ["", f"## {translated(heading)}", "", *own]
    return "\n".join(lines) + "\n"


def _resource(one: Resource) -> str:
    kind = "" if one.kind == "paper" else f" ({translated(KINDS[one.kind])})"
    return (
        f"- {one.authors} {one.year}, [{one.title}]({one.link}), {one.place}{kind}. "
        f"{translated(one.why)}"
    )
