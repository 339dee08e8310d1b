"""Inputs: what is typed is read, what is slid is written, and each reads back the other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest
from tests.pages.helpers import TIMEOUT_S

from isoflop.errors import UnitError
from isoflop.ui import inputs, messages
from isoflop.units import DAY_S, HOUR_S

KINDS = {name: value for name, value in vars(inputs).items() if isinstance(value, inputs.Quantity)}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_stop_of_a_slider_reads_back_unchanged(kind: inputs.Quantity) -> None:
    assert list(kind.stops) == sorted(set(kind.stops))
    for value in kind.stops:
        assert kind.read(kind.write(value)) == pytest.approx(value, rel=1e-12)


@given(st.floats(1e17, 1e30))
def test_any_compute_reads_back(value: float) -> None:
    assert inputs.COMPUTE.read(inputs.COMPUTE.write(value)) == pytest.approx(value, rel=1e-11)


@given(st.floats(0.011, 1e9))
def test_any_sum_of_money_reads_back(value: float) -> None:
    assert inputs.MONEY.read(inputs.MONEY.write(value)) == pytest.approx(value, rel=5e-3, abs=5e-3)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (inputs.COMPUTE, "2e21", 2e21),
        (inputs.COMPUTE, "40 ZFLOP", 4e22),
        (inputs.TIME, "30", 30 * DAY_S),
        (inputs.TIME, "12 h", 12 * HOUR_S),
        (inputs.COUNT, "1,024", 1024),
        (inputs.SHARE, "40%", 0.4),
        (inputs.SHARE, "0.4", 0.4),
        (inputs.SHARE, "40", 0.4),
        (inputs.MONEY, "$2M", 2e6),
        (inputs.PARAMS, "7B", 7e9),
        (inputs.TOKENS, "1.5T", 1.5e12),
        (inputs.DELTA, "1e-3", 1e-3),
    ],
)
def test_what_people_type_is_read(kind: inputs.Quantity, text: str, value: float) -> None:
    assert kind.read(text) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (inputs.COMPUTE, "", "is empty"),
        (inputs.COMPUTE, "0", "is not above zero"),
        (inputs.COMPUTE, "-1e21", "is not above zero"),
        (inputs.COMPUTE, "1e99", "is more than"),
        (inputs.COUNT, "2.5", "is not a whole number"),
        (inputs.TIME, "5 parsecs", "cannot be read as a time"),
        (inputs.SHARE, "400%", "is more than 100%"),
        (inputs.SHARE, "1.5", "is neither a share nor a percentage"),
        (inputs.MONEY, "€500k", "is not in US dollars, and no exchange rate is assumed"),
        (inputs.COMPUTE, "$2M", "is an amount of money in US dollars, not an amount of compute"),
        (inputs.PARAMS, "7 GB", "is an amount of memory"),
        (inputs.SMALL_COUNT, "-1", "is less than 0"),
    ],
)
def test_what_cannot_be_is_refused(kind: inputs.Quantity, text: str, message: str) -> None:
    with pytest.raises(UnitError, match=message):
        kind.read(text)


@pytest.mark.parametrize(
    ("kind", "value", "label"),
    [
        (inputs.COMPUTE, 1.23456e23, "1.23e23 FLOP"),
        (inputs.TIME, 84_375.0, "23.4 h"),
        (inputs.MONEY, 1_234_567.0, "$1.23M"),
        (inputs.PRICE, 2.345678, "$2.35/h"),
        (inputs.SHARE, 0.373456, "37.3%"),
        (inputs.PARAMS, 123_456_789.0, "123M"),
        (inputs.NOISE, 0.00123456, "0.00123"),
        (inputs.COUNT, 16_384.0, "16384"),
    ],
)
def test_a_slider_is_labelled_in_three_digits(
    kind: inputs.Quantity, value: float, label: str
) -> None:
    assert kind.label(value) == label


def test_text_that_is_taken_for_something_else_is_told_so() -> None:
    assert inputs.SHARE.taken_for("45") == "45%"
    assert inputs.SHARE.taken_for("45%") == ""
    each = replace(inputs.TIME, also=lambda text: DAY_S if text == "512 GPU-days" else None)
    assert each.taken_for("512 GPU-days") == "24 h"
    assert each.taken_for("30 days") == ""


def test_no_two_stops_of_a_slider_read_alike() -> None:
    """The browser knows a stop by its label: a typed value takes the place of one that reads so."""
    stops = inputs._on_slider(inputs.COMPUTE, 1.0001e23)
    assert 1.0001e23 in stops
    assert 1e23 not in stops
    assert len(stops) == len({inputs.COMPUTE.label(stop) for stop in stops})


def test_an_option_that_is_markdown_is_shown_as_it_stands() -> None:
    assert messages.plain_option("GPT-3 (175B), gpt_neo.v2") == "GPT-3 (175B), gpt_neo.v2"
    assert messages.plain_option(":red[x] $a$ **b** <i>") == r"\:red\[x\] \$a\$ \*\*b\*\* \<i>"


# --- Choices and the address ----------------------------------------------------------------------


def drawn(**address: object) -> AppTest:
    """Run one choice of each kind at an address."""

    def script() -> None:
        import streamlit as st

        from isoflop.ui import inputs

        chosen = inputs.choice(
            "Chip", {"a-1": "Chip A", "b-2": "Chip B"}, key="chip", default="a-1", help="One."
        )
        some = inputs.several(
            "Families", ("x", "y*", "z"), key="some", default=("x",), help="Some."
        )
        st.text(f"{chosen} {' '.join(some)}")

    at = AppTest.from_function(script, default_timeout=TIMEOUT_S)
    for name, value in address.items():
        at.query_params[name] = value
    return at.run()


@pytest.mark.parametrize("asked", ["b-2", "Chip B"])
def test_a_choice_stands_in_the_address_by_its_key(asked: str) -> None:
    at = drawn(chip=asked)
    assert at.text[0].value == "b-2 x"
    assert at.query_params["chip"] == "b-2"
    assert not at.warning
    at.selectbox(key="chip").select("a-1").run()
    assert "chip" not in at.query_params  # it is the default


def test_a_choice_of_several_stands_in_the_address_by_its_names() -> None:
    at = drawn(some=["z", "y*"])
    assert at.text[0].value == "a-1 y* z"
    assert at.query_params["some"] == ["y*", "z"]
    at.pills(key="some").set_value(["x"]).run()
    assert at.text[0].value == "a-1 x"
    assert "some" not in at.query_params
    at.pills(key="some").set_value([]).run()  # nothing chosen stands for all
    assert at.text[0].value == "a-1"
    assert at.query_params["some"] == ["x", "y*", "z"]


def test_what_the_address_asks_for_in_vain_is_said() -> None:
    at = drawn(chip="c-3", some=["x", "y*", "w"])
    assert at.text[0].value == "a-1 x y*"
    first, second = (entry.value.replace("\\", "") for entry in at.warning)
    assert "chip = c-3, which is not known here; the default is shown" in first
    assert "some = w, which is not known here; the others are shown" in second
    assert "chip" not in at.query_params
    assert at.query_params["some"] == ["x", "y*"]


def test_a_slider_that_is_new_on_a_page_starts_at_its_value() -> None:
    def script() -> None:
        from isoflop.ui import inputs

        inputs.quantity("Days", key="days", default=864_000.0, kind=inputs.TIME, help="How long.")

    at = AppTest.from_function(script, default_timeout=TIMEOUT_S)
    # As on a page come to from another: the state is of the last page's slider of that name.
    at.session_state["_days.slider"] = 864_000.0
    slider = at.run().select_slider(key="_days.slider")
    assert slider.proto.options[int(slider.proto.default[0])] == "10 days"


FOLDED = """
import streamlit as st
from isoflop.ui import controls, resolve
from isoflop.ui.state import TableChoice

table = resolve.table(TableChoice(id="pile-cerebras-pythia"))
st.session_state["made"] = controls.fit_options(table)
"""


def test_folded_inputs_are_drawn_once_opened_and_mean_the_same_before() -> None:
    at = AppTest.from_string(FOLDED, default_timeout=TIMEOUT_S).run()
    assert not at.exception
    assert not at.selectbox
    closed = at.session_state["made"]
    at.session_state["options"] = True
    at.run()
    assert at.selectbox(key="objective").value == "huber_log"
    assert at.session_state["made"] == closed
    at.selectbox(key="objective").set_value("least_squares_log").run()
    at.session_state["options"] = False
    at.run()
    assert at.session_state["made"].objective == "least_squares_log"
    assert at.selectbox(key="objective").value == "least_squares_log"


def test_folded_inputs_are_drawn_where_the_address_says_something_of_one() -> None:
    at = AppTest.from_string(FOLDED, default_timeout=TIMEOUT_S)
    at.query_params["objective"] = "least_squares_log"
    at.run()
    assert not at.exception
    assert at.session_state["made"].objective == "least_squares_log"
