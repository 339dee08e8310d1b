"""Pages in Chinese, in a real browser: chosen, kept, and drawn."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Visit, settle

WORDS = re.compile(r"[a-z]{3,}(?:[ ,]+[a-z]{3,}){2,}")


def test_a_click_switches_language_and_address_and_every_page_follows(visit: Visit) -> None:
    page = visit("/tour")
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh")
    page.wait_for_url("**lang=zh**")
    page.get_by_role("link", name="规划", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("规划")
    settle(page)
    page.wait_for_url("**lang=zh**")
    again = visit(page.evaluate("() => location.pathname + location.search"))
    expect(again.get_by_role("heading", level=1)).to_contain_text("规划")
    again.get_by_role("button", name="English").click()
    expect(again.get_by_role("heading", level=1)).to_contain_text("Plan")
    expect(again.locator("html")).to_have_attribute("lang", "en")


def test_a_browser_that_asks_for_chinese_gets_it(visit: Visit) -> None:
    page = visit("/resources", locale="zh-CN")
    expect(page.get_by_role("heading", level=1)).to_contain_text("资料")
    assert "lang=" not in page.url


@pytest.mark.parametrize("address", ["/?lang=zh", "/plan?lang=zh"])
def test_charts_and_what_stands_around_them_are_in_chinese(visit: Visit, address: str) -> None:
    page = visit(address)
    page.wait_for_selector(".js-plotly-plot .xtitle")
    settle(page)
    said = page.evaluate(
        "() => [document.body.innerText, ...[...document.querySelectorAll('svg text')]"
        ".map(part => part.textContent)].join('\\n')"
    )
    assert not WORDS.findall(said)
