"""Figures of the tour's lessons: each has its words, and shows what its lesson found."""

from __future__ import annotations

import numpy as np
import pytest

from isoflop import lessons, plot
from isoflop.lessons import (
    BandOfRuns,
    BudgetOfProfile,
    Decade,
    Floor,
    HeldBack,
    PowerLaw,
    Spread,
    Steps,
)


@pytest.fixture(scope="module")
def curve() -> lessons.PowerCurve:
    return lessons.power_curve(PowerLaw(factor=2.0))


def names(figure: plot.Figure) -> list[str]:
    return [trace.name for trace in figure.data if trace.name]


def test_a_power_law_is_straight_on_log_axes_alone(curve: lessons.PowerCurve) -> None:
    straight, bent = plot.power_law(curve), plot.power_law(curve, scale="linear")
    assert straight.layout.xaxis.type == straight.layout.yaxis.type == "log"
    assert bent.layout.xaxis.type == bent.layout.yaxis.type == "linear"
    line = straight.data[0]
    assert np.ptp(np.diff(np.log(line.y)) / np.diff(np.log(line.x))) < 1e-9
    assert "on linear axes" in bent.layout.meta["alt"]


def test_a_floor_is_marked_where_there_is_one() -> None:
    with_floor, without = (plot.floor(lessons.floor_curve(Floor(loss=loss))) for loss in (1.8, 0.0))
    assert len(with_floor.layout.shapes) == len(without.layout.shapes) + 1
    assert with_floor.layout.yaxis.range == without.layout.yaxis.range


def test_a_stopped_search_is_drawn_beside_the_optimum() -> None:
    found = lessons.early_stop(Steps())
    figure = plot.early_stop(found)
    assert names(figure) == ["Simulated runs", "The optimum", "The fit as the search ended"]
    assert len(figure.data[0].x) == len(found.rows_flop)


def test_the_interval_lies_on_the_line_of_its_budget() -> None:
    found = lessons.both_vary(Spread())
    figure = plot.both_vary(found)
    (interval,) = [trace for trace in figure.data if trace.name == "90% interval of N*"]
    np.testing.assert_allclose(6 * interval.x * interval.y, found.budget_flop)
    assert (interval.x[0], interval.x[-1]) == pytest.approx((found.lower, found.upper))


def test_a_profile_stands_among_others() -> None:
    found = lessons.profile(BudgetOfProfile(compute_flop=3e21))
    figure = plot.isoflop_profile(found)
    assert "3e21 FLOP" in names(figure)
    assert len(figure.data) == len(found.others) + 3


def test_new_runs_are_told_apart_by_whether_the_band_holds_them() -> None:
    found = lessons.new_runs(BandOfRuns())
    figure = plot.new_runs(found)
    shown = {trace.name: len(trace.x) for trace in figure.data}
    assert shown["New runs, held"] + shown["New runs, missed"] == len(found.new_flop)
    assert "90% prediction band" in shown


def test_every_table_has_its_line() -> None:
    cost = lessons.decade_cost(Decade())
    figure = plot.decade_cost(cost)
    assert len(figure.data) == cost.rows["name"].nunique() + 2
    assert sum(trace.showlegend is not False for trace in figure.data) == 3


def test_each_form_says_its_error() -> None:
    figure = plot.growth(lessons.growth(HeldBack()))
    assert "Linear: 104% off" in names(figure)
    assert "held out" in figure.layout.annotations[0].text
