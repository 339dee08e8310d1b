"""A report as a reader opens it, and as it comes from a page."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Request
from tests.api.test_report import words
from tests.browser.conftest import Visit

import isoflop as iso

pytestmark = pytest.mark.slow

VALUES = {"E": 1.7, "A": 400, "alpha": 0.34, "B": 410, "beta": 0.28}


def test_a_report_draws_thousands_of_rows_and_asks_no_host(
    chromium: Browser, tmp_path: Path
) -> None:
    table = iso.simulate("chinchilla", VALUES, design="random", n_rows=3000)
    path = tmp_path / "report.html"
    iso.report(iso.fit(table, "chinchilla"), path=path)
    asked: list[str] = []
    faults: list[str] = []
    page = chromium.new_page()

    def note(request: Request) -> None:
        asked.append(request.url)

    page.on("request", note)
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(path.as_uri())
    page.wait_for_selector(".js-plotly-plot .main-svg")
    assert page.locator(".js-plotly-plot").count() == 3
    assert "WebGL is not supported" not in page.inner_text("body")
    assert page.locator("math").count() > 5
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert faults == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    page.close()


@pytest.mark.parametrize("path", ["/", "/plan"])
def test_a_report_is_one_click_away(visit: Visit, path: str) -> None:
    page = visit(f"{path}?table=pile-cerebras-pythia&families=Pythia&law=power")
    with page.expect_download() as started:
        page.get_by_role("button", name="Report (HTML)").click()
    assert started.value.suggested_filename == "isoflop-report.html"
    text = words(Path(started.value.path()).read_text(encoding="utf-8"))
    assert "Power law fitted to Cerebras-GPT and Pythia on the Pile" in text
    assert "best = plan(result" in text
