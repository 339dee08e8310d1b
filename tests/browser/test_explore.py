"""Journeys through the Explore page in a real browser."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.browser.conftest import Visit, settle

ANSWER = ".st-key-answer"
CHARTS = ".js-plotly-plot"


def answer(page: Page) -> str:
    return page.locator(ANSWER).inner_text()


def slider(page: Page, label: str) -> Locator:
    return page.get_by_role("group", name=label, exact=True).locator("input[type=range]")


def traces(page: Page, chart: int) -> list[str]:
    names: list[str] = (
        page.locator(CHARTS).nth(chart).evaluate("chart => chart.data.map(trace => trace.name)")
    )
    return names


def test_first_visit_shows_a_finished_picture(visit: Visit) -> None:
    page = visit()
    expect(page.locator(f"{CHARTS} .scatterlayer path").first).to_be_visible()
    expect(page.get_by_text("What each law predicts")).to_be_visible()
    expect(page.locator(CHARTS)).to_have_count(4)
    assert "parameters" in answer(page)
    assert "nats/token" in answer(page)
    assert {"You are here", "90% band"} <= set(traces(page, 0))
    assert page.title() == "Explore · Isoflop"
    assert page.evaluate("() => location.search") == ""


def test_slider_moves_answer_chart_and_address_and_the_link_reproduces_it(visit: Visit) -> None:
    page = visit()
    before = answer(page)
    slider(page, "Accelerators").press("ArrowRight")
    expect(page.locator(ANSWER)).not_to_have_text(before)
    settle(page)
    assert "count=1024" in page.url
    assert "1,024" in answer(page)
    page.get_by_label("Time, typed").fill("500 GPU-days")
    page.get_by_label("Time, typed").press("Enter")
    expect(page.locator(ANSWER)).to_contain_text("11.7 h")
    page.get_by_role("radio", name="Model size", exact=True).click()
    settle(page)
    assert "Same budget, other sizes" in traces(page, 0)
    link = page.evaluate("() => location.pathname + location.search")
    again = visit(link)
    assert answer(again) == answer(page)
    assert traces(again, 0) == traces(page, 0)
    expect(again.get_by_label("Time, typed")).to_have_value("500 GPU-days")


def test_a_move_changes_the_charts_in_place_and_keeps_what_a_person_zoomed_and_hid(
    visit: Visit,
) -> None:
    page = visit()
    chart = page.locator(CHARTS).first
    chart.evaluate("chart => { chart.dataset.seen = 'before' }")
    area = chart.locator(".nsewdrag").first.bounding_box()
    assert area is not None
    for share, act in ((0.3, page.mouse.down), (0.7, page.mouse.up)):
        page.mouse.move(area["x"] + share * area["width"], area["y"] + share * area["height"])
        act()
    chart.locator(".legendtoggle").first.click()
    page.wait_for_timeout(800)  # a second click would be a double one
    shown = "chart => [chart.layout.xaxis.range, chart.data.map(one => one.visible ?? true)]"
    before, hidden = chart.evaluate(shown)
    assert hidden.count("legendonly") == 1
    words = page.get_by_role("figure").first.get_attribute("aria-label")
    slider(page, "Time").press("ArrowRight")
    expect(page.get_by_role("figure").first).not_to_have_attribute("aria-label", words or "")
    settle(page)
    assert chart.get_attribute("data-seen") == "before"
    zoom, visible = chart.evaluate(shown)
    assert zoom == before
    assert visible.count("legendonly") == 1
    page.get_by_role("radio", name="Model size", exact=True).click()
    settle(page)
    assert chart.evaluate(shown)[0] != before


def test_choices_stand_in_the_address_by_their_keys(visit: Visit) -> None:
    page = visit()
    law = page.get_by_role("combobox", name=re.compile("Scaling law"))
    first = law.input_value()
    law.click()
    page.get_by_role("option", name="Chinchilla, one exponent").click()
    settle(page)
    assert "law=chinchilla_tied" in page.url
    again = visit(page.evaluate("() => location.pathname + location.search"))
    assert answer(again) == answer(page)
    page.go_back()
    expect(law).to_have_value(first)
    assert "law=" not in page.url


def test_formula_is_previewed_while_it_is_typed_and_fitted_when_asked(visit: Visit) -> None:
    page = visit("/?law=typed&bootstrap=0")
    field = page.get_by_role("textbox", name="Formula")
    field.fill("E + A/N**alpha +")
    expect(page.get_by_text("cannot be read").first).to_be_visible()
    expect(page.locator(ANSWER)).to_be_visible()  # the last good fit stays meanwhile
    field.fill("E + A/N**alpha + B/D**alpha")
    expect(page.locator("[data-testid=stSidebar] .katex").first).to_contain_text("α")
    before = answer(page)
    page.get_by_role("button", name="Fit this law").click()
    expect(page.locator(ANSWER)).not_to_have_text(before)
    page.wait_for_url("**formula=**")


def test_a_name_that_reads_like_a_column_is_answered_by_a_click(visit: Visit) -> None:
    page = visit("/?law=typed&bootstrap=0")
    page.get_by_role("textbox", name="Formula").fill("E + A/D**alpha + b/n**beta")
    expect(page.get_by_text("n reads like params.")).to_be_visible()
    expect(page.get_by_role("button", name="Use the column params")).to_be_visible()
    page.get_by_role("button", name="It is a parameter").click()
    expect(page.get_by_text("Fitted parameters: E, A, alpha, b, n, beta.")).to_be_visible()
    settle(page)
    assert "parameter=n" in page.url
    again = visit(page.evaluate("() => location.pathname + location.search"))
    assert answer(again) == answer(page)
    assert again.get_by_text("reads like").count() == 0


def test_upload_is_drawn_and_its_bad_rows_are_listed(visit: Visit, tmp_path: Path) -> None:
    rows = [f"{n}e6,{20 * n}e6,{1.7 + 900 / (n * 1e6) ** 0.34:.4f}" for n in (40, 90, 200, 500)]
    rows += [f"{n}e6,{90 * n}e6,{1.7 + 700 / (n * 1e6) ** 0.34:.4f}" for n in (40, 90, 200, 500)]
    table = tmp_path / "my runs.csv"
    table.write_text("params,tokens,val_loss\n" + "\n".join([*rows, "1e9,oops,2"]) + "\n")
    page = visit("/?bootstrap=0")
    page.get_by_role("button", name=re.compile("Upload a table")).click()
    page.locator("input[type=file]").set_input_files(table)
    expect(page.get_by_role("combobox", name=re.compile("Loss table"))).to_have_value(
        re.compile("my runs.csv")
    )
    settle(page)
    page.keyboard.press("Escape")
    expect(page.get_by_text("1 cell could not be used")).to_be_visible()
    page.wait_for_function(
        "() => document.querySelector('.js-plotly-plot')?.calcdata?.some("
        "points => points[0].trace.mode === 'markers' && points.length === 8)"
    )


def test_fit_can_be_taken_away(visit: Visit) -> None:
    page = visit("/?table=chinchilla&law=chinchilla&bootstrap=0")
    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile("Fit \\(JSON\\)")).click()
    document = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert document["law"]["key"] == "chinchilla"
    assert document["values"]["alpha"] == pytest.approx(0.35, abs=0.02)


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
def test_light_and_dark(visit: Visit, is_dark: bool) -> None:
    page = visit(is_dark=is_dark)
    page.wait_for_function(
        "() => document.querySelector('.js-plotly-plot')?.data?.some("
        "trace => trace.name?.startsWith('Fitted law'))"
    )
    paper, ink = page.locator(CHARTS).first.evaluate(
        "chart => [getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor,"
        " chart.data.filter(t => t.name.startsWith('Fitted law'))[0].line.color]"
    )
    shade = sum(int(part) for part in re.findall(r"\d+", paper)[:3])
    line = sum(int(ink[i : i + 2], 16) for i in (1, 3, 5))
    assert (shade < 150, line > 600) == (is_dark, is_dark)


def test_phone(visit: Visit) -> None:
    page = visit(width=390, height=844)
    expect(page.locator(f"{CHARTS} .scatterlayer path").first).to_be_attached()
    words = page.locator(ANSWER).bounding_box()
    assert words is not None
    assert words["y"] < 200
    width = page.evaluate("() => document.querySelector('[data-testid=stMain]').scrollWidth")
    assert width <= 390
    for chart in page.locator(CHARTS).all():
        box = chart.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390


def test_errors_are_messages(visit: Visit) -> None:
    page = visit("/?mfu=99%25")
    expect(page.get_by_text("is more than").first).to_be_visible()
    expect(page.locator(CHARTS).first).to_be_visible()
    page = visit("/?table=upload-0123456789ab")
    expect(page.get_by_text("uploaded in another session")).to_be_visible()
    expect(page.get_by_label("Accelerators, typed")).to_have_value("512")


def test_routes_beside_the_pages(app: str) -> None:
    with urllib.request.urlopen(f"{app}/api/health") as reply:
        assert json.load(reply)["status"] == "ok"
    with urllib.request.urlopen(f"{app}/api/laws") as reply:
        laws = {law["key"]: law["formula"] for law in json.load(reply)}
    assert laws["chinchilla"] == "E + A/N**alpha + B/D**beta"
    request = urllib.request.Request(
        f"{app}/api/optimum",
        json.dumps({"table": "pile-cerebras-pythia", "compute_flop": ["1e22 FLOP"]}).encode(),
        {"Content-Type": "application/json", "Prefer": "wait=60"},  # a busy machine takes longer
    )
    with urllib.request.urlopen(request) as reply:  # by a process of the pool
        assert json.load(reply)["compute_flop"] == [1e22]
    with pytest.raises(urllib.error.HTTPError, match="404") as unknown:
        urllib.request.urlopen(f"{app}/api/nothing")
    assert unknown.value.headers["content-type"] == "application/problem+json"
    unknown.value.close()


ROWS = """
charts => charts.slice(0, 2).map(chart => {
  const isRows = trace => trace.customdata?.length > 20 && trace.mode === "markers"
  const rows = chart.data.find(isRows).customdata
  return [rows.length, rows[0].join()]
})
"""
LOSE = """
async () => {
  const loaded = performance.getEntriesByType("resource").map(entry => entry.name)
  const { kept } = await import(loaded.find(name => /chart.*js/.test(name)))
  const size = kept.size
  kept.clear()
  return size
}
"""


def test_rows_stay_while_a_budget_moves_and_come_again_when_lost(visit: Visit) -> None:
    page = visit()
    before = page.locator(CHARTS).evaluate_all(ROWS)
    slider(page, "Time").press("ArrowRight")
    settle(page)
    assert page.locator(CHARTS).evaluate_all(ROWS) == before
    answered = answer(page)
    assert page.evaluate(LOSE) > 1
    slider(page, "Time").press("ArrowRight")
    expect(page.locator(ANSWER)).not_to_have_text(answered)
    settle(page)
    assert page.locator(CHARTS).evaluate_all(ROWS) == before
    here = "charts => charts[0].data.find(trace => trace.name === 'You are here').text[0]"
    assert page.locator(CHARTS).evaluate_all(here).split("<br>")[1] in answer(page)


GONE = """
async () => {
  const loaded = performance.getEntriesByType("resource").map(entry => entry.name)
  const { default: show } = await import(loaded.find(name => /chart.*js/.test(name)))
  const { purge, relayout } = window.Plotly
  const place = document.querySelector("h1").parentElement
  const axis = { range: [0, 9] }
  const figure = y => ({
    key: "gone", alt: "A line", title: "", config: {},
    layout: { height: 300, template: { layout: {} }, xaxis: axis, yaxis: axis },
    data: [{ type: "scatter", x: [1, 2], y: [1, y] }],
  })
  const drawn = parent => new Promise(resolve => {
    const look = () => parent.querySelector(".main-svg") ? resolve() : setTimeout(look, 5)
    look()
  })
  let gone = 0
  window.Plotly.purge = (...given) => { gone += 1; return purge(...given) }
  for (const change of ["none", "line", "axis"]) {
    const parentElement = place.appendChild(document.createElement("div"))
    const send = sent => show({
      data: new TextEncoder().encode(JSON.stringify(sent)),
      parentElement, setStateValue() {}, setTriggerValue() {},
    })
    let close = await send(figure(2))
    await drawn(parentElement)
    const later = figure(3)
    if (change === "axis") later.layout.xaxis = { range: [0, 5] }
    if (change !== "none") {
      const plot = parentElement.querySelector(".js-plotly-plot")
      close = await send(later)
      while (plot.dataset.drawn !== "2") await new Promise(resolve => setTimeout(resolve))
    }
    close()
    parentElement.remove()
  }
  await new Promise(resolve => setTimeout(resolve, 500))
  return gone
}
"""


def test_a_chart_may_go_while_it_is_drawn(visit: Visit) -> None:
    """An error of a script would fail the visit."""
    assert visit().evaluate(GONE) == 3


DRAWN = """
async charts => {
  const seen = chart => [...chart.querySelectorAll(".cartesianlayer path, .cartesianlayer text")]
    .map(mark => mark.getAttribute("d") + mark.getAttribute("transform") + mark.textContent)
  const found = []
  for (const chart of charts.slice(0, 3)) {
    const before = seen(chart)
    await window.Plotly.redraw(chart)
    found.push([before.length, before.join() === seen(chart).join()])
  }
  return found
}
"""
COUNT = """
() => {
  window.moved = 0
  const { animate } = window.Plotly
  window.Plotly.animate = (...given) => { window.moved += 1; return animate(...given) }
}
"""


def test_what_only_moves_is_moved_to_where_a_whole_drawing_has_it(visit: Visit) -> None:
    page = visit("/?time=8+h", width=1440, height=1200)
    page.evaluate(COUNT)
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowLeft"):
        answered = answer(page)
        slider(page, "Time").press(key)
        expect(page.locator(ANSWER)).not_to_have_text(answered)
        settle(page)
        for n_marks, is_whole in page.locator(CHARTS).evaluate_all(DRAWN):
            assert n_marks > 20
            assert is_whole
    assert page.evaluate("() => window.moved") >= 8
