"""Plans side by side."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.plot.helpers import limited_plan

from isoflop import plot
from isoflop.errors import PlanError


def test_each_plan_is_a_point_with_its_interval() -> None:
    small, large = limited_plan(), limited_plan(128)
    figure = plot.plans({"a": small, "<b>": replace(large, loss_interval=None)})
    one, other = figure.data
    assert (one.x[0], one.y[0]) == (small.cost.usd, small.loss)
    assert one.error_y.array[0] == pytest.approx(small.loss_interval.upper - small.loss)
    assert other.error_y.array is None
    assert other.name == "&lt;b&gt;"
    assert figure.layout.xaxis.title.text == "Money (US dollars)"
    assert figure.layout.yaxis.title.text == "Loss (nats/token)"
    assert f"a: {small.loss:.3f}" in figure.layout.meta["alt"]


def test_a_plan_without_a_price_is_left_out_with_a_note() -> None:
    plan = limited_plan()
    free = replace(plan, cost=replace(plan.cost, usd_compute=None))
    figure = plot.plans({"priced": plan, "free": free})
    assert len(figure.data) == 1
    assert figure.layout.meta["notes"] == ["1 plan has no price, so no point."]
    with pytest.raises(PlanError, match="None of these plans has a price"):
        plot.plans({"free": free})


def test_losses_in_different_units_are_refused() -> None:
    plan = limited_plan()
    with pytest.raises(PlanError, match="cannot be compared"):
        plot.plans({"a": plan, "b": replace(plan, loss_unit="bits/byte")})
