"""Glossary, resources and the tour's texts: complete in every language, cited, and in the docs."""

from __future__ import annotations

import re
import string
from collections import Counter
from pathlib import Path

import pytest

from isoflop import data
from isoflop.errors import CatalogError
from isoflop.language import LANGUAGES, speaking
from isoflop.reference import (
    find_term,
    glossary,
    load_glossary,
    load_parts,
    load_resources,
    load_stops,
    resources,
    search_terms,
    stops,
)
from isoflop.reference.pages import COMMAND, pages

ROOT = Path(__file__).resolve().parents[2]
ENDS = {"en": ".", "zh": "。"}


# --- What ships ---


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_of_its_language_and_ends_as_a_sentence(language: str) -> None:
    texts = {
        **{f"{key}: meaning": term.meaning for key, term in load_glossary().items()},
        **{f"{key}: why": one.why for key, one in load_resources().items()},
        **{f"{key}: {i}": t for key, s in load_stops().items() for i, t in enumerate(s.templates)},
    }
    said = {name: text.in_language(language) for name, text in texts.items()}
    has_chinese = {name for name, text in said.items() if re.search(r"[\u4e00-\u9fff]", text)}
    assert has_chinese == (set(said) if language == "zh" else set())
    assert [name for name, text in said.items() if not text.endswith(ENDS[language])] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_terms_have_one_name(language: str) -> None:
    names = [
        name
        for term in load_glossary().values()
        for name in {name.casefold() for name in (term.name.in_language(language), *term.also)}
    ]
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_every_source_is_there() -> None:
    own = {term.link for term in load_glossary().values() if term.is_own}
    assert {path for path in own if not (ROOT / path).is_file()} == set()


def test_no_two_resources_are_one() -> None:
    links = Counter(one.link for one in load_resources().values())
    assert [link for link, count in links.items() if count > 1] == []
    keys = [key for key, one in load_resources().items() if key.endswith(one.year)]
    cited = [key for key, one in load_resources().items() if one.kind == "paper"]
    assert set(cited) <= set(keys), "a paper's key ends in its year"
    assert all(re.fullmatch(r"\d{4}\.\d{4,5}", one.place.removeprefix("arXiv "))
               for one in load_resources().values() if one.place.startswith("arXiv"))  # fmt: skip


def test_every_part_has_terms_and_something_to_read() -> None:
    assert {term.part for term in load_glossary().values()} == set(load_parts())
    assert {one.part for one in load_resources().values()} == set(load_parts())


def test_both_languages_leave_the_same_figures_open() -> None:
    for key, stop in load_stops().items():
        for template in stop.templates:
            places = [
                sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)
                for text in map(template.in_language, LANGUAGES)
            ]
            assert places[0] == places[1], key


@pytest.mark.parametrize(("path", "text"), list(pages()), ids=[path for path, _ in pages()])
def test_the_documentation_is_current(path: str, text: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == text, f"Run {COMMAND}."


# --- Search ---


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("mfu", "mfu"),
        ("MFU", "mfu"),
        ("算力利用率", "mfu"),
        ("bootstrap", "bootstrap"),
        ("activation checkpointing", "recomputation"),
        ("entropy of the text", "irreducible_loss"),
    ],
)
def test_a_term_is_found_by_its_names_before_what_is_said_of_it(text: str, first: str) -> None:
    assert search_terms(text)[0].key == first


def test_no_text_finds_everything_and_nonsense_nothing() -> None:
    assert list(search_terms("  ")) == list(load_glossary().values())
    assert search_terms("xyzzy") == ()


def test_an_unknown_term_is_refused() -> None:
    with pytest.raises(CatalogError, match="The glossary has no term 'xyzzy'"):
        find_term("xyzzy")


def test_a_stop_says_its_figures_in_the_language_of_who_reads() -> None:
    stop = load_stops()["power"]
    facts = {"per_decade": "0.5", "a": "−0.3", "k": "2"}
    assert "here by 0.5" in stop.sentences(facts)[0]
    with speaking("zh"):
        assert "这里是 0.5" in stop.sentences(facts)[0]
    with pytest.raises(KeyError, match="per_decade"):
        stop.sentences({})


# --- Malformed files ---

TERM = 'part = "fit"\nsource = "huber1964"\nterm = "A"\nterm_zh = "甲"\nmeaning = "B."\n'
RESOURCE = 'part = "fit"\nauthors = "A"\nyear = "2020"\ntitle = "T"\nwhy = "W."\nwhy_zh = "乙。"\n'
STOP = 'page = "fit"\nname = "A"\nname_zh = "甲"\ntitle = "T"\ntitle_zh = "乙"\n'


@pytest.mark.parametrize(
    ("load", "text", "problem"),
    [
        (glossary.load_glossary, f"[a]\n{TERM}", "In one language alone: meaning"),
        (
            glossary.load_glossary,
            f'[a]\n{TERM}meaning_zh = "乙。"\n'.replace("huber1964", "nobody1900"),
            "source: nobody1900",
        ),
        (
            glossary.load_glossary,
            f'[a]\n{TERM}meaning_zh = "乙。"\nformul = "x"',
            "unknown: formul",
        ),
        (resources.load_resources, f'[a]\nkind = "paper"\n{RESOURCE}', "got none"),
        (
            resources.load_resources,
            f'[a]\nkind = "song"\ndoi = "1"\n{RESOURCE}',
            "kind: song",
        ),
        (
            stops.load_stops,
            f'[a]\nsource = "huber1964"\n{STOP}sentences = ["A."]\nsentences_zh = ["甲。"]',
            "1 sentences",
        ),
    ],
)
def test_a_malformed_entry_is_refused(load, text, problem, tmp_path, monkeypatch) -> None:
    load_resources()  # of the shipped file, which the others cite
    load_parts()
    for name in ("glossary.toml", "resources.toml", "tour.toml"):
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(data, "data_root", lambda: tmp_path)
    with pytest.raises(CatalogError) as caught:
        load.__wrapped__()
    assert problem in str(caught.value)
