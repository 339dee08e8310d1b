"""The Tour page: every stop opens what it says, on the table that it says."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.pages.helpers import healthy, open_page

from isoflop.tables import dataset_for_role, load_dataset
from isoflop.ui import server, shell, tour

STARTS = {"alone": shell.PAGES_FOLDER / "tour.py", "in the app": server.MAIN_SCRIPT}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_a_stop_a_question_and_the_table(start) -> None:
    at = open_page(start)
    if start == server.MAIN_SCRIPT:
        at.switch_page(str(shell.PAGES_FOLDER / "tour.py")).run()
    healthy(at)
    shown = "\n".join(text.value for text in at.markdown)
    for number, step in enumerate(tour.STEPS, start=1):
        assert f"**{number}. {step.question}**" in shown
    links = [link.proto for link in at.get("link_button")]
    assert [link.label for link in links] == [
        f"Open {shell.info(step.page).title}" for step in tour.STEPS
    ]
    assert f"{len(load_dataset(dataset_for_role('small-runs').id).frame)} losses" in shown


@pytest.mark.parametrize("step", tour.STEPS, ids=lambda step: step.page)
def test_every_stop_opens_as_it_says(step: tour.Step) -> None:
    address = urlsplit(tour.address(step))
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
