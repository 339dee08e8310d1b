"""What a link says, across pages and browsers."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import Visit, settle

pytestmark = pytest.mark.browser


def choice(page: Page, label: str) -> str:
    return page.get_by_role("combobox", name=re.compile(label)).input_value()


def sliders(page: Page) -> dict[str, str | None]:
    """Return what the sliders of a budget show, by their label."""
    labels = ("Time", "Accelerators", "Utilisation (MFU)")
    for label in labels:
        expect(page.get_by_role("group", name=label, exact=True)).to_be_visible()
    return {
        label: page.get_by_role("group", name=label, exact=True)
        .locator("input[type=range]")
        .get_attribute("aria-valuetext")
        for label in labels
    }


def go_to(page: Page, title: str) -> None:
    page.get_by_role("link", name=title, exact=True).first.click()
    page.wait_for_url(re.compile(f"/{title.lower()}"))
    settle(page)


def test_sliders_show_their_values_on_a_page_come_to_from_another(visit: Visit) -> None:
    page = visit("/?time=10+days&count=64&mfu=38%25")
    shown = {"Time": "10 days", "Accelerators": "64", "Utilisation (MFU)": "38%"}
    assert sliders(page) == shown
    go_to(page, "Fit")
    assert sliders(page) == shown
    assert page.get_by_label("Time, typed").input_value() == "10 days"


def test_keys_stay_in_the_address_on_every_page_and_in_another_browser(visit: Visit) -> None:
    keys = {"accelerator": ["rtx-4090"], "table": ["chinchilla"], "law": ["kaplan_joint"]}
    page = visit("/plan?accelerator=rtx-4090&table=chinchilla&law=kaplan_joint")
    assert choice(page, "Accelerator") == "NVIDIA RTX 4090"
    assert parse_qs(urlsplit(page.url).query) == keys
    go_to(page, "Fit")
    assert choice(page, "Accelerator") == "NVIDIA RTX 4090"
    assert choice(page, "Loss table") == "Chinchilla, 245 digitised runs"
    assert parse_qs(urlsplit(page.url).query) == keys
    again = visit(page.evaluate("() => location.pathname + location.search"))
    assert choice(again, "Scaling law") == choice(page, "Scaling law") == "Kaplan L(N, D)"
    assert choice(again, "Loss table") == "Chinchilla, 245 digitised runs"


def test_an_unknown_key_is_said_and_leaves_the_address(visit: Visit) -> None:
    page = visit("/?accelerator=abacus&law=kaplan_n")
    expect(page.get_by_text("The address asks for accelerator = abacus")).to_be_visible()
    assert choice(page, "Accelerator") == "NVIDIA H100 SXM"
    assert parse_qs(urlsplit(page.url).query) == {"law": ["kaplan_n"]}
