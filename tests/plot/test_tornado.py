"""How far loss and money move with each assumption."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from tests.plot.helpers import limited_plan, small_fit, small_setting

from isoflop import plot
from isoflop.errors import PlanError
from isoflop.planning.tornado import Tornado, tornado


@cache
def found() -> Tornado:
    return tornado(small_fit(), small_setting(), limited_plan())


def test_the_bars_start_at_the_plan_and_end_at_the_outcomes() -> None:
    figure = plot.tornado(found())
    low, high = figure.data
    plan = limited_plan()
    assert (low.base, high.base) == (plan.loss, plan.loss)
    entries = found().moving("loss")
    assert list(low.y) == [entry.label for entry in entries]
    np.testing.assert_allclose(low.x + low.base, [entry.low.loss for entry in entries])
    np.testing.assert_allclose(high.x + high.base, [entry.high.loss for entry in entries])
    assert figure.layout.xaxis.title.text == "Predicted loss (nats/token)"
    assert "divided and multiplied by 1.2: " in figure.layout.meta["alt"]


def test_money_is_drawn_by_what_moves_it() -> None:
    figure = plot.tornado(found(), of="usd")
    assert "Price" in list(figure.data[0].y)
    assert figure.layout.xaxis.title.text == "Money (US dollars)"


def test_without_a_price_there_is_no_money_to_draw() -> None:
    free = tuple(
        replace(e, low=replace(e.low, usd=None), high=replace(e.high, usd=None))
        for e in found().entries
    )
    with pytest.raises(PlanError, match="No assumption changes this: Money"):
        plot.tornado(replace(found(), entries=free), of="usd")
