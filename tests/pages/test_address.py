"""An address reproduces the view: what is chosen on any page stands in it, and comes back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from tests.pages.helpers import healthy, open_shipped, text

from isoflop.ui import server, shell
from isoflop.ui.compare import page as compare
from isoflop.ui.data import page as data
from isoflop.ui.explore import page as explore
from isoflop.ui.fit import page as fit
from isoflop.ui.plan import tabs as plan
from isoflop.ui.train import page as train
from isoflop.ui.train import state as train_state

TABS = {
    "explore": ("evidence", explore.EVIDENCE),
    "data": ("view", data.TABS),
    "fit": ("section", fit.SECTIONS),
    "compare": ("compare", compare.SECTIONS),
    "plan": (plan.TAB, plan.TABS),
    "train": (train_state.STAGE, train.STAGES),
}
VIEWS = [
    (page.key, key, name)
    for page in shell.PAGES
    for key, names in [TABS.get(page.key, ("", {"": ""}))]
    for name in names
]
KINDS = (
    "selectbox",
    "segmented_control",
    "pills",
    "multiselect",
    "toggle",
    "number_input",
    "slider",
)
OF_THE_TABLE = {"table", "families", "law", "compare.table", "compare.runs", "compare.reference"}
"""Another table has other widgets."""
ACTS = re.compile(
    r"data\.(?!x|y|which|filter|sort|falling)|upload|workspaces|understood|train\.upload"
    r"|plan\.(compared|config|save|own)"
)
"""Fields of something about to be done, and what `prep` says of a table: no part of a view."""


def widgets(at: AppTest) -> dict[str, Any]:
    """Return what can be chosen on a page by its key, sliders by the text that they write."""
    found = {one.key: one for kind in KINDS for one in getattr(at, kind) if one.key}
    sliders = {one.key: one for one in at.select_slider}
    found |= {one.key: one for one in at.text_input if f"_{one.key}.slider" in sliders}
    return {
        key: one
        for key, one in found.items()
        if key not in OF_THE_TABLE and not ACTS.match(key) and not one.disabled
    }


def values(at: AppTest) -> dict[str, Any]:
    return {key: one.value for key, one in widgets(at).items()}


def change(at: AppTest, one: Any) -> bool:
    """Choose something else, and say whether there is anything else."""
    if one.type == "toggle":
        one.set_value(not one.value)
    elif one.type == "number_input":
        one.set_value(one.min if one.value != one.min else one.max)
    elif one.type == "text_input":
        stops = at.select_slider(key=f"_{one.key}.slider").options
        one.set_value(stops[0] if one.value != stops[0] else stops[-1])
    elif one.type == "slider":
        one.set_value(one.min if one.value != one.min else one.max)
    else:
        return _choose(one)
    return True


def _choose(one: Any) -> bool:
    is_several = isinstance(one.value, list)
    index = next((i for i, name in enumerate(one.options) if not _is_chosen(one, i)), None)
    if index is None:
        return False
    one.set_value([one.options[index]] if is_several else one.options[index])
    return True


def _is_chosen(one: Any, index: int) -> bool:
    held = one.value if isinstance(one.value, list) else [one.value]
    return one.options[index] in [one.format_func(value) for value in held]


@pytest.mark.slow
@pytest.mark.parametrize(("page", "key", "name"), VIEWS)
def test_what_is_chosen_stands_in_the_address_and_comes_back(
    page: str, key: str, name: str, mirror: Path
) -> None:
    opened = open_shipped(page, **({key: name} if key else {}))
    changed = [one for one, widget in widgets(opened).items() if change(opened, widget)]
    opened.run()
    assert not opened.exception
    assert changed or not widgets(opened)
    again = open_shipped(page, **dict(opened.query_params))
    assert values(again) == values(opened)
    assert dict(again.query_params) == dict(opened.query_params)


def typed(**address: str) -> AppTest:
    """Run a field of each kind at an address."""

    def script() -> None:
        import streamlit as st

        from isoflop.errors import UnitError
        from isoflop.ui import inputs

        days = inputs.quantity(
            "Days", key="days", default=864_000.0, kind=inputs.TIME, help="Long."
        )
        try:
            widths = inputs.text("Widths", key="widths", read=int, default="3", help="Some.")
        except UnitError:
            widths = 0
        st.text(f"{days / 86400:g} {widths}")

    at = AppTest.from_function(script)
    for name, value in address.items():
        at.query_params[name] = value
    return at.run()


def test_text_that_is_refused_stays_out_of_the_address() -> None:
    at = typed(days="4 days")
    at.text_input(key="days").set_value("four days").run()
    assert at.text[0].value == "4 3"
    assert at.text_input(key="days").value == "four days"
    assert "four days" in text(at.caption)
    assert at.query_params["days"] == "4 days"
    assert "days" not in typed(days="junk").query_params


def names(**address: str) -> AppTest:
    """Run tabs at an address."""

    def script() -> None:
        import streamlit as st

        from isoflop.ui import inputs

        name, _ = inputs.tabs({"rows": "Rows", "next-runs": "What to run next"}, key="part")
        st.text(name)

    at = AppTest.from_function(script)
    for name, value in address.items():
        at.query_params[name] = value
    return at.run()


@pytest.mark.parametrize("asked", ["next-runs", "Next runs", "What to run next"])
def test_a_link_to_a_tab_holds_whatever_the_tab_is_called_today(asked: str) -> None:
    at = names(part=asked)
    assert at.text[0].value == "next-runs"
    assert at.query_params["part"] == "next-runs"


def test_a_link_to_no_tab_says_so() -> None:
    at = names(part="elsewhere")
    assert at.text[0].value == "rows"
    assert "not known here" in at.warning[0].value
    assert "part" not in at.query_params


def test_figures_of_ones_own_go_along_to_the_next_page() -> None:
    """They were set by a link, and no run came between: Streamlit knows them by the key alone."""
    at = open_shipped(server.MAIN_SCRIPT, mfu="38%", count="64")
    at.query_params.clear()
    at.switch_page(str(shell.PAGES_FOLDER / "fit.py")).run()
    healthy(at)
    (mine,) = [entry for entry in at.toggle if entry.key == "own.mfu"]
    assert mine.value
    assert at.query_params["mfu"] == "38%"
    assert at.query_params["count"] == "64"
