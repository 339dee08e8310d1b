"""The tour is offered on a first visit, and never again once it was taken or declined."""

from __future__ import annotations

from playwright.sync_api import expect
from tests.browser.conftest import Visit, settle


def test_the_tour_is_offered_on_a_first_visit_until_it_is_declined(visit: Visit) -> None:
    page = visit("/data")
    offer = page.get_by_role("link", name="New here? Take the tour")
    expect(offer).to_be_visible()
    page.get_by_role("button", name="Do not offer it again").click()
    expect(offer).to_be_hidden()
    page.reload()
    settle(page)
    expect(page.get_by_role("button", name="Copy link")).to_be_visible()
    expect(offer).to_be_hidden()


def test_whoever_takes_the_tour_is_not_asked_again(visit: Visit) -> None:
    page = visit("/data")
    page.get_by_role("link", name="New here? Take the tour").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Tour")
    page.get_by_role("link", name="Data", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Data")
    expect(page.get_by_role("link", name="New here? Take the tour")).to_be_hidden()
