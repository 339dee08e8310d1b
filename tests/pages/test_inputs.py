"""Inputs: what is typed is read, what is slid is written, and each reads back the other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        (inputs.PARAMS, "7 GB", "is an amount of memory"),
        (inputs.SMALL_COUNT, "-1", "is less than 0"),
    ],
)
def test_what_cannot_be_is_refused(kind: inputs.Quantity, text: str, message: str) -> None:
    with pytest.raises(UnitError, match=message):
        kind.read(text)


def test_an_option_that_is_markdown_is_shown_as_it_stands() -> None:
    assert messages.plain_option("GPT-3 (175B), gpt_neo.v2") == "GPT-3 (175B), gpt_neo.v2"
    assert messages.plain_option(":red[x] $a$ **b** <i>") == r"\:red\[x\] \$a\$ \*\*b\*\* \<i>"
