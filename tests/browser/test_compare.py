"""A journey through the Compare page in a real browser: every question, a refusal, a link."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Visit, settle

CHART = ".js-plotly-plot"


def test_two_families_are_compared_once_told_why_and_the_link_keeps_it(visit: Visit) -> None:
    page = visit("/compare?table=pile-cerebras-pythia&bootstrap=200", height=1400)
    expect(page.get_by_text("Power law with floor comes closest")).to_be_visible()
    expect(page.locator(CHART)).to_have_count(2)
    page.get_by_role("tab", name="Families").click()
    settle(page)
    expect(page.get_by_text("cannot be compared as they stand")).to_be_visible()
    reason = page.get_by_role("textbox", name="Why the tokenizer does no harm here")
    reason.fill("their vocabularies are of one size")
    reason.press("Enter")
    settle(page)
    expect(page.get_by_text("Cerebras-GPT needs")).to_be_visible()
    expect(page.get_by_text("The families do not share the exponent a")).to_be_visible()
    link = page.evaluate("() => location.pathname + location.search")
    assert "vocabularies" in link
    again = visit(link, height=1400, is_dark=True)
    expect(again.get_by_text("Cerebras-GPT needs")).to_be_visible()


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ("Published fits", "has the closest shape"),
        ("Compute-optimal size", "The best size grows as compute to the power"),
        ("Downstream", "the best run is expected to reach"),
        ("Backtest", "No law is best on more than"),
    ],
)
def test_every_section_opens_by_its_link(visit: Visit, section: str, text: str) -> None:
    page = visit(f"/compare?bootstrap=200&compare={section.replace(' ', '+')}", height=1400)
    expect(page.get_by_text(text)).to_be_visible()
    expect(page.get_by_role("tab", name=section)).to_have_attribute("aria-selected", "true")
