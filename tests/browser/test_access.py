"""Every page and tab by the rules of axe-core, in both themes, and the main job without a mouse."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from tests.browser.conftest import Visit
from tests.browser.test_explore import ANSWER, answer, slider
from tests.pages.test_address import TABS

from isoflop.ui import shell

QUICK = "table=pile-cerebras-pythia&families=Pythia&bootstrap=0"
IS_IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"
CONTRAST = {"runOnly": ["color-contrast"]}
PAGE = {"exclude": [[".main-svg"]]}
"""All but the marks of charts, thousands of parts: readers are given its words in their place."""
PANEL = PAGE | {"include": [["[role=tabpanel]"]]}
"""What another tab changes."""


def idle(page: Page) -> None:
    """Wait until the page has run, and what it sent is drawn, jobs included."""
    page.wait_for_timeout(250)
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    page.wait_for_selector(IS_IDLE)
    page.wait_for_timeout(250)


def findings(
    page: Page, context: dict[str, Any], options: dict[str, Any] | None = None
) -> list[str]:
    """Return what axe-core finds, a line each."""
    found = Axe().run(page, context=context, options=options or {}).response["violations"]
    return [
        f"{rule['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for rule in found
        for node in rule["nodes"]
    ]


def in_both_themes(page: Page, context: dict[str, Any]) -> list[str]:
    """Return what is found of a view; of the other theme, what depends on colour."""
    found = findings(page, context)
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(200)
    found += [f"dark, {line}" for line in findings(page, context, CONTRAST)]
    page.emulate_media(color_scheme="light")
    return found


@pytest.mark.parametrize("key", [page.key for page in shell.PAGES])
def test_no_page_or_tab_has_a_finding(visit: Visit, key: str) -> None:
    path = "" if key == shell.PAGES[0].key else key
    page = visit(f"/{path}?{QUICK}", width=1440, height=900)
    expect(page.locator("h1")).to_have_count(1)
    found = {}
    for label in TABS[key][1].values() if key in TABS else [""]:
        if label:
            page.get_by_role("tab", name=label, exact=True).click()
        idle(page)
        found[label] = in_both_themes(page, PANEL if found else PAGE)
        names = page.get_by_role("figure").evaluate_all("all => all.map(one => one.ariaLabel)")
        assert not [name for name in names if not name or "<" in name]
    assert {label: lines for label, lines in found.items() if lines} == {}


def test_the_budget_is_changed_and_the_answer_read_without_a_mouse(visit: Visit) -> None:
    page = visit(f"/?{QUICK}")
    for _ in range(5):
        page.keyboard.press("Tab")
        if page.evaluate(f"() => !!document.activeElement.closest('{ANSWER}')"):
            break
    else:
        pytest.fail("five tabs do not lead to the answer")
    before = answer(page)
    slider(page, "Accelerators").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(ANSWER)).not_to_have_text(before)
    expect(page.locator(".st-key-frame .heard")).to_contain_text("1,024")


def test_the_skip_link_is_first_and_leads_to_the_page(visit: Visit) -> None:
    page = visit(f"/data?{QUICK}")
    page.get_by_text("Skip to main content").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "stMain"


def test_copy_link_and_reset(visit: Visit) -> None:
    page = visit(f"/?{QUICK}&time=10+days")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("Link copied")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == page.url
    page.get_by_role("button", name="Reset", exact=True).click()
    expect(page.get_by_label("Time, typed")).to_have_value("30 days")
    assert page.evaluate("() => location.search") == ""
    page.go_back()
    expect(page.get_by_label("Time, typed")).to_have_value("10 days")


def test_the_front_page_has_its_name_in_the_address_too(visit: Visit) -> None:
    page = visit("/explore?time=10+days&bootstrap=0")
    expect(page.get_by_label("Time, typed")).to_have_value("10 days")
    assert page.evaluate("() => location.pathname") == "/"
