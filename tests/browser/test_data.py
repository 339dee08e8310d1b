"""Journeys through the Data page in a real browser."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from playwright.sync_api import Page, expect
from tests.browser.conftest import Visit, settle

UNCLEAR = "size,tokens,val_loss,family\n" + "".join(
    f"{size},{20 * size}e9,{3 / size**0.1:.4f},<b>gpt</b>\n" for size in (1, 2, 4, 7, 13, 30, 70)
)


def drag(page: Page, corners: list[tuple[float, float]]) -> None:
    """Draw a lasso through corners, given as shares of the chart's area."""
    box = page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
    assert box is not None
    points = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in corners]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=6)
    page.mouse.up()
    settle(page)


def test_points_in_a_lasso_are_left_out_on_every_page_and_taken_back(
    visit: Visit, tmp_path: Path
) -> None:
    page = visit("/data?table=chinchilla")
    page.wait_for_selector(".js-plotly-plot .points")
    drag(page, [(0.02, 0.02), (0.5, 0.02), (0.5, 0.25), (0.02, 0.25), (0.02, 0.02)])
    page.get_by_role("textbox", name="Reason").first.fill("far off")
    page.get_by_role("button", name="Leave out 2", exact=True).click()
    expect(page.get_by_text("243 of 245 rows are fitted")).to_be_visible()
    expect(page.get_by_text("2 rows left out: far off")).to_be_visible()
    settle(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Rows (CSV)").click()
    download.value.save_as(tmp_path / "rows.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "rows.csv").read_text())))
    assert [row["exclusion_reason"] for row in rows].count("far off") == 2
    link = page.evaluate("() => location.search")
    assert "prep=" in link

    page.get_by_role("link", name="Explore").click()
    settle(page)
    assert "prep=" in page.url
    page.get_by_role("link", name="Data", exact=True).click()
    expect(page.get_by_text("2 rows left out: far off")).to_be_visible()
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.get_by_text("245 of 245 rows are fitted")).to_be_visible()

    again = visit("/data" + link + "&table=chinchilla")
    expect(again.get_by_text("243 of 245 rows are fitted")).to_be_visible()


def test_a_file_with_an_unclear_unit_is_asked_about_once_a_person(visit: Visit) -> None:
    page = visit("/data?view=Sources")
    _bring(page, "runs.csv")
    expect(page.get_by_text("In which unit is size?")).to_be_visible()
    page.get_by_role("button", name="billions", exact=True).click()
    expect(page.get_by_text("7 of 7 rows are fitted")).to_be_visible()
    page.get_by_role("tab", name="Rows").click()
    settle(page)
    assert page.locator("b", has_text="gpt").count() == 0  # the table's text stays text

    page.goto(f"{page.url.partition('/data')[0]}/data?view=Sources")
    settle(page)
    _bring(page, "later.csv")
    expect(page.get_by_text("7 of 7 rows are fitted")).to_be_visible()

    another = visit("/data?view=Sources")
    _bring(another, "later.csv")
    expect(another.get_by_text("In which unit is size?")).to_be_visible()


def _bring(page: Page, name: str) -> None:
    files = page.locator("input[type=file]:not([webkitdirectory])").last
    files.set_input_files({"name": name, "mimeType": "text/csv", "buffer": UNCLEAR.encode()})


def test_every_view_on_a_phone_in_the_dark(visit: Visit) -> None:
    page = visit("/data?table=gemstones", width=420, height=900, is_dark=True)
    for view in ("Columns", "Quality", "Sources", "Rows"):
        page.get_by_role("tab", name=view).click()
        settle(page)
        width = page.evaluate("() => document.documentElement.scrollWidth")
        assert width <= 420
