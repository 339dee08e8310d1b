"""The loss curve: rows, band, curve within and beyond them, the plan."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest
from tests.plot.helpers import n_markers, named, small_fit, small_plan, two_families

from isoflop import plot
from isoflop.accounting import find_family
from isoflop.fitting import FitOptions, fit
from isoflop.laws import load_laws
from isoflop.planning import Budget, find_accelerator
from isoflop.planning.constraints import Setting
from isoflop.planning.family_rule import family_rule
from isoflop.planning.plan import plan_within
from isoflop.planning.trajectory import compute_range, curve
from isoflop.plot import theme

CURVE = "Fitted law, best N and D"


def draw() -> go.Figure:
    return plot.loss_curve(small_fit(), plan=small_plan())


def test_band_and_curve_look_different_beyond_the_rows() -> None:
    figure = draw()
    within, beyond = named(figure, "90% band"), named(figure, "extrapolation")
    assert {trace.fillpattern.shape for trace in within} == {None}
    assert {trace.fillpattern.shape for trace in beyond} == {"/"}
    assert [trace.line.dash for trace in named(figure, CURVE)] == ["dash", "solid", "dash"]


def test_pieces_of_the_curve_meet() -> None:
    pieces = named(draw(), CURVE)
    for left, right in itertools.pairwise(pieces):
        assert left.x[-1] == right.x[0]
        assert left.y[-1] == right.y[0]
    joined = np.unique(np.concatenate([piece.x for piece in pieces]))
    span = compute_range(small_fit(), two_families(), small_plan().compute_flop)
    np.testing.assert_array_equal(joined, np.unique(curve(small_fit(), span).compute_flop))


def test_a_plan_lies_among_models_of_equal_compute_under_its_own_rule() -> None:
    rule = family_rule(find_family("llama-3"), "appendix_f")
    setting = Setting(
        budget=Budget(compute_flop=1e22), accelerator=find_accelerator("h100-sxm"), rule=rule
    )
    plan = plan_within(small_fit(), setting, params=4e8)
    figure = plot.loss_curve(small_fit(), x="params", plan=plan, rule=rule)
    (others,) = named(figure, "Same budget, other sizes")
    at_plan = np.argmin(np.abs(np.log(np.asarray(others.x) / plan.params)))
    assert others.x[at_plan] == pytest.approx(plan.params)
    assert others.y[at_plan] == pytest.approx(plan.loss)
    middle = np.argmin(np.abs(np.log(np.asarray(others.x) / (3 * plan.params))))
    larger = plan_within(small_fit(), setting, params=float(others.x[middle]))
    assert others.y[middle] == pytest.approx(larger.loss)


def test_no_band_means_no_band_and_the_reason_is_told() -> None:
    bare = replace(
        small_fit(), draws=None, covariance=None, covariance_reason="Too few rows for one."
    )
    figure = plot.loss_curve(bare)
    assert not [trace for trace in figure.data if trace.fill]
    assert figure.layout.meta["notes"] == ["No band: Too few rows for one."]
    assert draw().layout.meta["notes"] == []


def test_a_plan_is_marked_with_its_interval() -> None:
    plan = small_plan()
    (marker,) = named(draw(), "You are here")
    assert (marker.x[0], marker.y[0]) == (plan.compute_flop, plan.loss)
    assert marker.error_y.array[0] == pytest.approx(plan.loss_interval.upper - plan.loss)
    assert marker.error_y.arrayminus[0] == pytest.approx(plan.loss - plan.loss_interval.lower)
    assert not named(plot.loss_curve(small_fit()), "You are here")


@pytest.mark.parametrize("column", ["compute_flop", "params", "tokens"])
def test_the_plan_lies_on_the_curve(column: str) -> None:
    figure = plot.loss_curve(small_fit(), plan=small_plan(), x=column)
    (marker,) = named(figure, "You are here")
    pieces = named(figure, CURVE)
    x = np.concatenate([piece.x for piece in pieces])
    y = np.concatenate([piece.y for piece in pieces])
    assert np.interp(np.log(marker.x[0]), np.log(x), y) == pytest.approx(marker.y[0], rel=1e-3)


@pytest.mark.parametrize("column", ["params", "tokens"])
def test_other_sizes_of_one_budget_touch_the_curve_at_the_plan(column: str) -> None:
    figure = plot.loss_curve(small_fit(), plan=small_plan(), x=column)
    (others,) = named(figure, "Same budget, other sizes")
    assert (np.diff(others.x) > 0).all()
    assert min(others.y) == pytest.approx(small_plan().loss, rel=1e-3)
    assert not named(draw(), "Same budget, other sizes")


def test_every_row_is_drawn_once_and_shown_by_the_axis() -> None:
    figure, frame = draw(), two_families().frame
    assert n_markers(figure) == len(frame)
    low, high = 10 ** np.array(figure.layout.yaxis.range)
    assert low < small_plan().loss_interval.lower
    assert high > frame["loss"].max()
    ticks = figure.layout.yaxis.tickvals
    assert 3 <= len(ticks) <= 10
    assert all(low <= tick <= high for tick in ticks)


def test_many_rows_are_drawn_with_webgl() -> None:
    few, many = two_families(), two_families(theme.MANY_POINTS + 1)
    assert {trace.type for trace in plot.loss_curve(small_fit(), table=few).data} == {"scatter"}
    drawn = plot.loss_curve(small_fit(), table=many)
    assert {trace.type for trace in drawn.data if trace.mode == "markers"} == {"scattergl"}


def test_the_alternative_text_says_what_is_seen() -> None:
    alt = draw().layout.meta["alt"]
    assert alt.startswith(
        "Loss against Training compute C (FLOP): 24 rows (one, <two>) and the fitted law "
        "with a 90% band; loss "
    )


def test_a_fit_without_rows_is_drawn_over_the_range_of_its_inputs() -> None:
    figure = plot.loss_curve(replace(small_fit(), table=None))
    assert n_markers(figure) == 0
    assert figure.layout.xaxis.title.text == "Training compute C (FLOP)"
    within = np.concatenate([t.x for t in named(figure, CURVE) if t.line.dash == "solid"])
    rows = two_families().frame["compute_flop"]
    assert within.min() < rows.max()
    assert within.max() > rows.min()


def test_the_loss_over_another_input_holds_size_and_data() -> None:
    table = two_families()
    rates = np.geomspace(1e-4, 1e-2, len(table.frame))
    wider = table.with_frame(table.frame.assign(learning_rate=rates))
    law = next(law for law in load_laws().values() if "x" in law.symbols)
    own = fit(
        replace(law, inputs=(replace(law.inputs[0], column="learning_rate"),)),
        wider,
        FitOptions(objective="least_squares"),
    )
    figure = plot.loss_curve(own, x="learning_rate")
    (line,) = [trace for trace in figure.data if trace.mode == "lines" and not trace.fill]
    assert line.name == "Fitted law, chosen N and D"
    assert (line.x[0], line.x[-1]) == pytest.approx((1e-4, 1e-2))


def test_ticks_reach_over_all_that_is_drawn() -> None:
    """A fit of one narrow stretch, with rows far from it, is not labelled at its stretch alone."""
    fitted = small_fit()
    far = fitted.table.with_frame(fitted.table.frame.assign(params=fitted.table.frame.params / 1e4))
    figure = plot.loss_curve(fitted, x="params", table=far)
    ticks = np.asarray(figure.layout.xaxis.tickvals)
    assert ticks.min() <= 2 * far.frame["params"].min()
