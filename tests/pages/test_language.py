"""Pages in another language: how one is chosen, and that nothing of a page stays in English."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest
from tests.pages.helpers import healthy, open_page, open_shipped

from isoflop.ui import language, shell

WORDS = re.compile(r"[a-z]{2,}(?:[ ,;:.]+[a-z]{2,}){2,}")
"""Three words of English or more; names, units and symbols stand alone or in capitals."""
NOT_SAID = re.compile(
    r"`[^`]*`|\$[^$]*\$|<style.*?</style>|<[^>]*>|:material/\w+:|\]\([^)]*\)|\bet al\b"
    r"|https?://\S+|[\w.-]+\.(?:com|net|org|io|ai)\S*|.*\barXiv.*"
    r"|bits per byte|\"value\": \"[^\"]*\"",
    re.DOTALL,
)
"""Code, formulas, markup; addresses and sources; what is typed as it stands."""
HIDDEN = {"id", "user_key", "form_id", "page_script_hash", "element_hash"}
HIDDEN |= {"icon", "url", "mime", "code_text", "js_content", "css_content"}
"""Fields of what is sent that nobody reads."""
TABS = {
    "explore": ("evidence", ("residuals", "parameters", "certificate", "equation", "data")),
    "data": ("view", ("rows", "columns", "quality")),
    "fit": ("section", ("optimum", "parameters", "bands", "residuals", "influence")),
    "plan": ("plan__tab", ("time", "money", "memory", "shape", "hints", "serving", "assumptions")),
    "train": ("stage", ("corpus", "model", "train", "generate", "deploy", "law")),
}
VIEWS = [(page.key, {}) for page in shell.PAGES if page.key not in {*TABS, "resources"}] + [
    (page, {key: name}) for page, (key, names) in TABS.items() for name in names
]


@pytest.fixture(autouse=True)
def _nobody_chose() -> Iterator[None]:
    yield
    language._by_session.clear()


def texts(message: Message) -> Iterator[str]:
    """Yield what a part of a page says, labels, helps and options included."""
    for field, value in message.ListFields():
        if field.name in HIDDEN:
            continue
        for one in value if isinstance(value, list) or hasattr(value, "append") else [value]:
            if isinstance(one, Message):
                yield from texts(one)
            elif isinstance(one, str):
                yield one


def said(at: AppTest) -> list[str]:
    found: list[str] = []
    todo: list[Any] = [at._tree]
    while todo:
        node = todo.pop()
        todo += getattr(node, "children", {}).values()
        if isinstance(getattr(node, "proto", None), Message):
            found += texts(node.proto)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("page", "view"), VIEWS, ids=[f"{p}-{list(v.values())}" for p, v in VIEWS])
def test_a_page_in_chinese_holds_no_english(page: str, view: dict[str, str]) -> None:
    at = healthy(open_shipped(page, lang="zh", bootstrap="20", **view))
    left = [text for text in said(at) if WORDS.search(NOT_SAID.sub(" ", text))]
    assert not left, "\n".join(dict.fromkeys(text[:300] for text in left))


def test_where_an_assumed_size_comes_from_is_said_in_chinese() -> None:
    at = open_shipped("explore", lang="zh", bootstrap="0", families="Pythia", law="power_floor")
    figures = " ".join(said(at))
    assert "参数，假定" in figures
    assert "词元，假定" in figures


def test_the_address_says_the_language_and_reset_leaves_it() -> None:
    at = open_page("tour", lang="zh")
    assert any("幂律" in text for text in said(at))
    assert at.query_params["lang"] == "zh"


def test_what_a_person_chose_stays_without_the_address() -> None:
    at = open_page("tour", lang="zh")
    del at.query_params["lang"]
    at.run()
    assert any("幂律" in text for text in said(at))
    assert at.query_params["lang"] == "zh"  # so that a copied link has it


def test_an_unknown_language_is_that_of_the_browser() -> None:
    at = open_page("tour", lang="xx")
    assert not any("幂律" in text for text in said(at))
    assert "lang" not in at.query_params


def test_a_server_can_speak_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOP_LANGUAGE", "zh")
    at = open_page("tour")
    assert any("幂律" in text for text in said(at))
    assert "lang" not in at.query_params
