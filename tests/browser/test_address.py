"""What a link says, across pages and browsers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import Visit, settle

pytestmark = pytest.mark.browser


def expect_choice(page: Page, label: str, shown: str) -> None:
    expect(page.get_by_role("combobox", name=re.compile(label))).to_have_value(shown)


def expect_sliders(page: Page, shown: Mapping[str, str]) -> None:
    """Wait until the sliders of a budget show values, by their labels."""
    for label, value in shown.items():
        handle = page.get_by_role("group", name=label, exact=True).locator("input[type=range]")
        expect(handle).to_have_attribute("aria-valuetext", value)


def go_to(page: Page, title: str) -> None:
    page.get_by_role("link", name=title, exact=True).first.click()
    page.wait_for_url(re.compile(f"/{title.lower()}"))
    settle(page)


def test_sliders_show_their_values_on_a_page_come_to_from_another(visit: Visit) -> None:
    page = visit("/?time=10+days&count=64&mfu=38%25")
    shown = {"Time": "10 days", "Accelerators": "64", "Utilisation (MFU)": "38%"}
    expect_sliders(page, shown)
    go_to(page, "Fit")
    expect_sliders(page, shown)
    expect(page.get_by_label("Time, typed")).to_have_value("10 days")


def test_keys_stay_in_the_address_on_every_page_and_in_another_browser(visit: Visit) -> None:
    keys = {"accelerator": ["rtx-4090"], "table": ["chinchilla"], "law": ["kaplan_joint"]}
    page = visit("/plan?accelerator=rtx-4090&table=chinchilla&law=kaplan_joint")
    expect_choice(page, "Accelerator", "NVIDIA RTX 4090")
    assert parse_qs(urlsplit(page.url).query) == keys
    go_to(page, "Fit")
    expect_choice(page, "Accelerator", "NVIDIA RTX 4090")
    expect_choice(page, "Loss table", "Chinchilla, 245 digitised runs")
    assert parse_qs(urlsplit(page.url).query) == keys
    again = visit(page.evaluate("() => location.pathname + location.search"))
    for one in (page, again):
        expect_choice(one, "Scaling law", "Kaplan L(N, D)")
    expect_choice(again, "Loss table", "Chinchilla, 245 digitised runs")


def test_an_unknown_key_is_said_and_leaves_the_address(visit: Visit) -> None:
    page = visit("/?accelerator=abacus&law=kaplan_n")
    expect(page.get_by_text("The address asks for accelerator = abacus")).to_be_visible()
    expect_choice(page, "Accelerator", "NVIDIA H100 SXM")
    assert parse_qs(urlsplit(page.url).query) == {"law": ["kaplan_n"]}
