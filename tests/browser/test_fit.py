"""Journeys through the Fit page in a real browser: rows left out by click and by lasso."""

from __future__ import annotations

from playwright.sync_api import Page, expect
from tests.browser.conftest import Visit, settle

CHART = ".js-plotly-plot"
PLACE_OF_ROW = """
row => {
  const chart = document.querySelector(".js-plotly-plot");
  for (const trace of chart?._fullData ?? []) {
    const i = Array.from(trace.customdata ?? []).findIndex(value => value == row);
    if (i < 0) continue;
    const {xaxis, yaxis} = chart._fullLayout, box = chart.getBoundingClientRect();
    return [box.left + xaxis._offset + xaxis.d2p(trace.x[i]),
            box.top + yaxis._offset + yaxis.d2p(trace.y[i])];
  }
}
"""


def place_of(page: Page, row: int) -> tuple[float, float]:
    chart = page.locator(CHART).first
    expect(chart.locator(".scatterlayer path").first).to_be_visible()
    x, y = page.wait_for_function(PLACE_OF_ROW, arg=row).json_value()
    return x, y


def click_row(page: Page, row: int) -> None:
    x, y = place_of(page, row)
    page.mouse.move(x, y)
    page.wait_for_timeout(300)
    page.mouse.click(x, y)
    settle(page)


def test_a_click_leaves_a_row_out_and_the_link_keeps_it(visit: Visit) -> None:
    page = visit("/fit?section=Influence&bootstrap=200", height=1400)
    page.get_by_text("Nothing is left out yet.").wait_for()
    click_row(page, 8)
    expect(page.get_by_text("Left out: row 8.")).to_be_visible()
    expect(
        page.get_by_text("Along the models that are compute-optimal under the fit to all rows.")
    ).to_be_visible()
    assert "drop=8" in page.url
    click_row(page, 1)
    expect(page.get_by_text("Left out: rows 1, 8.")).to_be_visible()
    link = page.evaluate("() => location.pathname + location.search")
    expect(visit(link).get_by_text("Left out: rows 1, 8.")).to_be_visible()
    click_row(page, 8)
    expect(page.get_by_text("Left out: row 1.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Left out: rows 1, 8.")).to_be_visible()


def test_a_lasso_leaves_several_rows_out(visit: Visit) -> None:
    page = visit("/fit?section=Influence&bootstrap=200", height=1400)
    corners = [place_of(page, row) for row in (8, 9)]
    page.locator(CHART).first.hover()
    page.locator("[data-title='Lasso Select']").first.click()
    left, right = (f(x for x, _ in corners) for f in (min, max))
    top, bottom = (f(y for _, y in corners) for f in (min, max))
    path = [(left - 12, top - 12), (right + 12, top - 12), (right + 12, bottom + 12)]
    path += [(left - 12, bottom + 12), (left - 12, top - 12)]
    page.mouse.move(*path[0])
    page.mouse.down()
    for x, y in path[1:]:
        page.mouse.move(x, y, steps=6)
    page.mouse.up()
    settle(page)
    expect(page.get_by_text("Left out: rows")).to_contain_text("8, 9")


def test_the_page_fits_a_phone(visit: Visit) -> None:
    page = visit("/fit?bootstrap=200", width=400, height=900)
    page.locator(CHART).first.wait_for()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 400
