"""Open a page without a browser, use it, and read what it shows."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from isoflop.ui import shell

# Far more than a page needs, since the machine may be busy: no test is about time.
TIMEOUT_S = 120


SHIPPED = {
    "table": "pile-cerebras-pythia",
    "families": ["Cerebras-GPT", "Pythia"],
    "law": "kaplan_joint",
}
"""Rows that are always here and quickly fitted, and a law with an optimum on them."""


def open_shipped(page: str | Path, **address: Any) -> AppTest:
    """Run a page on `SHIPPED`, unless the address names another table or law."""
    given = {} if "table" in address else SHIPPED
    return open_page(page, **given | address)


def open_page(page: str | Path, **address: Any) -> AppTest:
    """Run a page, by its key or its script, at an address; two underscores stand for a dot."""
    script = page if isinstance(page, Path) else shell.PAGES_FOLDER / f"{page}.py"
    at = AppTest.from_file(str(script), default_timeout=TIMEOUT_S)
    for name, value in address.items():
        at.query_params[name.replace("__", ".")] = value
    at.run()
    assert not at.exception
    return at


def healthy(at: AppTest) -> AppTest:
    """Check that nothing failed, and return the page."""
    assert not at.exception
    assert not at.error, [error.value for error in at.error]
    return at


def upload(at: AppTest, name: str, content: bytes) -> AppTest:
    """Bring a table."""
    at.file_uploader(key="upload.file").upload(name, content)
    at.run()
    assert not at.exception
    return at


def button(at: AppTest, label: str) -> Any:
    (found,) = [entry for entry in at.button if entry.label == label]
    return found


def press(at: AppTest, label: str) -> AppTest:
    button(at, label).click().run()
    assert not at.exception
    return at


def text(elements: Iterable[Any]) -> str:
    """Return what elements say, without the marks that keep it from being read as Markdown."""
    return " ".join(element.value for element in elements).replace("\\", "")


def metrics(at: AppTest) -> dict[str, str]:
    """Return large figures by their labels: Streamlit's, and those of a list of ours."""
    lists = " ".join(entry.proto.body for entry in at.get("html"))
    found = re.findall(r"<dt>([^<]*?)(?: <.*?)?</dt><dd>(.*?)</dd>", lists)
    ours = {html.unescape(label): html.unescape(value) for label, value in found}
    return {entry.label: entry.value for entry in at.metric} | ours


def figures(at: AppTest) -> list[dict[str, Any]]:
    """Return the charts as the browser gets them: data, layout, toolbar and words."""
    drawn = (chart.proto.bytes for chart in at.get("bidi_component"))
    return [json.loads(figure) for figure in drawn if figure]


def trace_names(figure: dict[str, Any]) -> list[str]:
    return [trace.get("name", "") for trace in figure["data"]]
