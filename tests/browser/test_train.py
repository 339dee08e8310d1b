"""From a click on Start to text, files and a forecast, in a real browser with real workers."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect
from tests.browser.conftest import Visit

GRID = "ladder=Own+grid&train_families=LSTM&widths=8,12,16,24&budgets=32Ki,64Ki"
SIZE = {"width": 1440, "height": 1000}


def open_stage(page: Page, stage: str) -> None:
    page.get_by_role("tab", name=stage, exact=True).click()


def see(page: Page, text: str) -> None:
    expect(page.get_by_text(re.compile(text)).first).to_be_visible()


def test_from_start_to_forecast(visit: Visit) -> None:
    page = visit(f"/train?{GRID}", **SIZE)
    page.get_by_role("button", name="Start training").click()
    expect(page.locator(".js-plotly-plot .scatterlayer path").first).to_be_visible()
    see(page, "Own grid: 8 of 8 points")
    assert "run=ladder-" in page.url

    page.reload()
    see(page, "Own grid: 8 of 8 points")

    open_stage(page, "Law")
    see(page, "Largest residual")

    open_stage(page, "Generate")
    page.get_by_role("button", name="Write").click()
    see(page, "Distribution of token")

    open_stage(page, "Deploy")
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile(r"Download \(")).click()
    assert download.value.suggested_filename.endswith(".zip")

    open_stage(page, "Forecast")
    page.get_by_role("button", name="Record the forecast and train").click()
    decided = page.get_by_test_id("stMetric").filter(has_text="Settled").first
    expect(decided.get_by_test_id("stMetricValue")).to_have_text("1")


def test_stopped_and_resumed_the_page_follows(visit: Visit) -> None:
    """Without a reload: the view goes on refreshing itself after Resume."""
    grid = GRID.replace("64Ki", "512Ki").replace(",24", "")  # one more than run at a time
    page = visit(f"/train?{grid}", **SIZE)
    page.get_by_role("button", name="Start training").click()
    expect(page.locator(".js-plotly-plot .scatterlayer path").first).to_be_visible()
    page.get_by_role("button", name="Stop", exact=True).click()
    resume = page.get_by_role("button", name="Resume")
    expect(resume).to_be_enabled()
    see(page, "points, stopped")
    resume.click()
    see(page, "Own grid: 6 of 6 points")


def test_a_run_out_of_memory_says_so(visit: Visit) -> None:
    page = visit("/train?ladder=Own+grid&widths=4096&depth=8&budgets=64Ki&memory=0.5", **SIZE)
    page.get_by_role("button", name="Start training").click()
    # Beside the table of runs, whose cells hold the same words and are drawn on a canvas.
    alert = page.get_by_test_id("stAlert").filter(has_text="Out of memory: the run needs more")
    expect(alert).to_be_visible()
    expect(alert).to_contain_text("memory limit allows")
    expect(alert).to_contain_text("allocate")  # the last lines
