"""The glossary and the resources as pages of the documentation, in each language."""

from __future__ import annotations

from collections.abc import Iterator
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
    title = _("Glossary")
    lines = [f"# {title}", "", lead]
    for part, heading in load_parts().items():
        terms = [term for term in load_glossary().values() if term.part == part]
        lines += ["", f"## {translated(heading)}", "", *(_term(term, folder) for term in terms)]
    return "\n".join(lines) + "\n"


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
    title = _("Resources")
    lines = [f"# {title}", "", lead]
    for part, heading in load_parts().items():
        found = [one for one in load_resources().values() if one.part == part]
        lines += ["", f"## {translated(heading)}", "", *map(_resource, found)]
    return "\n".join(lines) + "\n"


def _resource(one: Resource) -> str:
    kind = "" if one.kind == "paper" else f" ({translated(KINDS[one.kind])})"
    return (
        f"- {one.authors} {one.year}, [{one.title}]({one.link}), {one.place}{kind}. "
        f"{translated(one.why)}"
    )
