"""The Resources page: what to read and what terms mean, found by a search and by an address."""

from __future__ import annotations

from html import escape

from tests.pages.helpers import healthy, open_page

from isoflop.reference import load_glossary, load_parts, load_resources
from isoflop.ui import resources


def shown(at) -> str:
    return " ".join(entry.proto.body for entry in at.get("html"))


def test_everything_to_read_is_listed_by_part() -> None:
    at = healthy(open_page("resources"))
    assert [entry.value for entry in at.header] == list(load_parts().values())
    assert all(one.link.replace("&", "&amp;") in shown(at) for one in load_resources().values())


def test_the_glossary_has_an_anchor_a_term() -> None:
    at = healthy(open_page("resources", resources__show="glossary"))
    assert all(f'id="{key}"' in shown(at) for key in load_glossary())


def test_a_search_finds_in_both_lists() -> None:
    at = healthy(open_page("resources", resources__find="Hoffmann"))
    assert "arXiv 2203.15556" in shown(at)
    assert "Kaplan et al." not in shown(at)
    at.button_group(key="resources.show").set_value("glossary").run()
    at.text_input(key="resources.find").set_value("xyzzy").run()
    assert "xyzzy" in healthy(at).info[0].value


def test_a_term_has_an_address() -> None:
    address = resources.address("mfu")
    assert address == "resources?resources.show=glossary&resources.find=mfu"
    at = healthy(open_page("resources", resources__show="glossary", resources__find="mfu"))
    assert escape(load_glossary()["mfu"].meaning) in shown(at)
    assert 'id="loss"' not in shown(at)
