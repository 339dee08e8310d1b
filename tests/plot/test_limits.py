"""What a plan uses of each limit."""

from __future__ import annotations

import pytest
from tests.plot.helpers import limited_plan, small_fit, small_setting

from isoflop import plot
from isoflop.planning import plan_within
from isoflop.plot import theme


def test_a_binding_limit_stands_out_and_is_named() -> None:
    plan = limited_plan()
    figure = plot.limits(plan)
    (bars,) = figure.data
    assert list(bars.y) == [limit.label for limit in plan.limits]
    colours = {
        limit.label: colour for limit, colour in zip(plan.limits, bars.marker.color, strict=True)
    }
    assert {label for label, colour in colours.items() if colour == theme.ACCENT} == {"Time"}
    assert figure.layout.meta["alt"].endswith("Binding: Time.")
    assert figure.layout.xaxis.title.text == "Used of the limit (%)"


def test_a_bar_says_what_is_used_and_what_more_would_buy() -> None:
    plan = limited_plan()
    (bars,) = plot.limits(plan).data
    text = dict(zip(bars.y, bars.text, strict=True))
    gain = next(limit.gain for limit in plan.limits if limit.key == "time")
    assert text["Time"] == f"10 days of 10 days; 10% more: loss {-gain:+.4f}"
    assert "10% more" not in text["Storage"]
    assert max(bars.x) == pytest.approx(100)


def test_the_limits_of_a_given_size_are_drawn_with_what_more_tokens_buy() -> None:
    given = plan_within(small_fit(), small_setting(), params=1e9)
    (bars,) = plot.limits(given).data
    assert list(bars.y) == [limit.label for limit in given.limits]
    assert list(bars.x) == pytest.approx([100 * x.used / x.limit for x in given.limits])
    text = dict(zip(bars.y, bars.text, strict=True))
    (binding,) = given.binding
    assert text[binding.label].endswith(f"; 10% more: loss {-binding.gain:+.4f}")
    assert [label for label, said in text.items() if "10% more" in said] == [binding.label]
