"""The Tour page: every stop draws its figure, says its sentences and leads on."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.pages.helpers import figures, healthy, open_page, press, text

from isoflop.reference import load_stops
from isoflop.tables import dataset_for_role, load_dataset
from isoflop.ui import server, shell
from isoflop.ui.tour import lessons, page, pages

STARTS = {"alone": shell.PAGES_FOLDER / "tour.py", "in the app": server.MAIN_SCRIPT}


def test_every_stop_has_a_figure() -> None:
    assert list(lessons.DRAW) == list(load_stops())


@pytest.mark.parametrize("stop", load_stops())
def test_a_stop_is_an_address(stop: str) -> None:
    at = healthy(open_page("tour", stop=stop))
    found = load_stops()[stop]
    assert at.header[0].value.endswith(found.title)
    assert figures(at)
    shown = text(at.markdown)
    for template in found.templates:
        assert template.partition("{")[0] in shown
    assert found.source.link in text(at.caption)


def test_a_slider_changes_figure_and_sentence() -> None:
    at = open_page("tour", stop="power", tour__exponent="-1")
    assert "a = −1 " in text(at.markdown)
    at.text_input(key="tour.exponent").set_value("-0.25").run()
    assert "a = −0.25 " in text(healthy(at).markdown)


def test_what_a_lesson_does_not_take_is_refused_beside_it() -> None:
    at = healthy(open_page("tour", stop="power", tour__exponent="7"))
    assert "7 is more than 1" in text(at.caption)


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_the_tour_goes_on_to_the_pages_and_back(start) -> None:
    at = open_page(start)
    if start == server.MAIN_SCRIPT:
        at.switch_page(str(shell.PAGES_FOLDER / "tour.py")).run()
    stops = list(load_stops())
    assert at.button(key="tour.previous").disabled
    press(at, "Next")
    assert at.header[0].value.endswith(load_stops()[stops[1]].title)
    assert at.query_params["stop"] == stops[1]
    press(at, "Previous")
    assert at.header[0].value.endswith(load_stops()[stops[0]].title)


def test_the_last_stop_opens_the_pages() -> None:
    at = healthy(open_page("tour", stop=page.LAST))
    assert at.button(key="tour.next").disabled
    shown = text(at.markdown)
    for number, step in enumerate(pages.STEPS, start=1):
        assert f"**{number}. {step.question}**" in shown
    links = [link.proto for link in at.get("link_button")]
    assert [link.label for link in links] == [
        f"Open {shell.info(step.page).title}" for step in pages.STEPS
    ]
    assert f"{len(load_dataset(dataset_for_role('small-runs').id).frame)} losses" in shown


@pytest.mark.parametrize("step", pages.STEPS, ids=lambda step: step.page)
def test_every_page_opens_as_it_says(step: pages.Step) -> None:
    address = urlsplit(pages.address(step))
    asked = dict(parse_qsl(address.query))
    at = healthy(open_page(step.page, **asked))
    # A choice that the page does not know would be answered by a warning and the default.
    assert not [warning.value for warning in at.warning if "not known here" in warning.value]
    if step.page not in {"train", "plan"}:
        assert at.selectbox(key="table").value == asked["table"]
    assert ("families" in asked) == step.is_one_family
    if step.is_one_family:
        assert at.get("button_group")
        assert at.session_state["families"] == [dataset_for_role(step.dataset).law_family]


def test_links_are_relative_so_that_the_app_may_live_below_a_path() -> None:
    assert shell.link("fit", {"table": "a b"}) == "fit?table=a+b"
    assert shell.link("explore", {"flop": "3e13"}) == "./?flop=3e13"
    assert shell.link("fit", {}) == "fit"
