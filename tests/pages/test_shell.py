"""The frame around every page: navigation, errors as messages, the routes beside the pages."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from tests.pages.helpers import healthy, open_page

from isoflop.fitting.shelf import open_shelf
from isoflop.ui import messages, server, shell


def _raises_expected() -> None:
    from isoflop.errors import TableError
    from isoflop.ui import shell

    with shell.page("explore"):
        raise TableError("No *loss* column.", detail="Columns: a, b", hint="Name one `loss`.")


def _raises_unexpected() -> None:
    import streamlit as st

    from isoflop.ui import shell

    with shell.page("explore"):
        raise ZeroDivisionError("secret path /home/x")
    st.write("after")


def test_expected_error_says_what_where_and_what_to_do() -> None:
    at = AppTest.from_function(_raises_expected).run()
    assert not at.exception
    text = at.error[0].value
    assert r"No \*loss\* column\." in text
    assert r"Columns\: a, b" in text
    assert r"Name one \`loss\`\." in text


def test_unexpected_error_shows_a_reference_and_logs_the_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR, logger="isoflop.ui"):
        at = AppTest.from_function(_raises_unexpected).run()
    assert not at.exception
    assert "secret" not in at.error[0].value
    reference = at.error[0].value.split("`")[1]
    assert reference in caplog.text
    assert "ZeroDivisionError: secret path" in caplog.text
    assert at.markdown[0].value == "after"


def test_plain_text_is_inert() -> None:
    hostile = "[x](javascript:1) <b>$a$ :red[b] # 1. `c`"
    shown = messages.plain(hostile)
    assert shown.replace("\\", "") == hostile
    for mark in "[]()<>$:#`":
        assert f"\\{mark}" in shown or mark not in hostile


def test_every_page_is_a_file_and_every_file_a_page() -> None:
    files = {path.stem for path in shell.PAGES_FOLDER.glob("*.py")}
    keys = {info.key for info in shell.PAGES}
    assert files <= keys, f"ui/shell.py has no PageInfo of {', '.join(files - keys)}"
    assert keys <= files, f"pages/ has no script of {', '.join(keys - files)}"


def test_every_page_has_tests() -> None:
    there = {path.stem for path in Path(__file__).parent.glob("test_*.py")}
    lacking = [f"test_{info.key}.py" for info in shell.PAGES if f"test_{info.key}" not in there]
    assert not lacking, f"tests/pages has no {', '.join(lacking)}"


def test_getting_warm_makes_the_first_fit(caplog: pytest.LogCaptureFixture) -> None:
    try:
        server.warm()
    finally:
        open_shelf(None)
    assert "warm-up failed" not in caplog.text
    healthy(open_page("explore"))
