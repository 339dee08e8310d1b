from dataclasses import replace

import numpy as np
import pytest
from tests.planning.conftest import D, law

from isoflop.accounting import find_family
from isoflop.errors import PlanError
from isoflop.laws.law import Input
from isoflop.planning import (
    Budget,
    PlanOptions,
    Setting,
    find_accelerator,
    plan,
    plan_within,
)
from isoflop.planning.family_rule import family_rule

C = Input(symbol="x", column="compute_flop")
H100 = find_accelerator("h100-sxm")


def test_a_plan_spends_its_budget(chinchilla, draws, make_fit) -> None:
    budget = Budget(wall_time_s=30 * 86400.0, accelerators=64)
    result = plan(make_fit(chinchilla, draws=draws), budget, H100)
    assert result.basis == "compute-optimal"
    assert 6 * result.params * result.tokens == pytest.approx(result.compute_flop)
    assert result.cost.wall_time_s == pytest.approx(30 * 86400.0)
    assert result.cost.accelerator_hours == pytest.approx(64 * 720)
    assert result.cost.usd_compute == pytest.approx(64 * 720 * 2.5)
    for value, interval in (
        (result.params, result.params_interval),
        (result.tokens, result.tokens_interval),
        (result.loss, result.loss_interval),
    ):
        assert interval is not None
        assert interval.lower < value < interval.upper
        assert interval.level == 0.9
    assert result.loss_prediction is not None
    mean, one = result.loss_interval, result.loss_prediction
    assert one.upper - one.lower > mean.upper - mean.lower
    assert result.assumptions["MFU"].startswith(f"{result.training.mfu:.1%} of the dense peak: ")


def test_a_plan_of_given_size_trains_that_size(chinchilla, make_fit) -> None:
    budget = Budget(compute_flop=6e21)
    given = plan(make_fit(chinchilla), budget, H100, PlanOptions(params=1e9))
    assert given.params == 1e9
    assert given.tokens == pytest.approx(1e12)
    assert given.tokens_per_param == pytest.approx(1000)
    best = plan(make_fit(chinchilla), budget, H100)
    assert best.loss < given.loss


def test_without_draws_the_intervals_are_absent_with_the_reason(chinchilla, make_fit) -> None:
    result = plan(make_fit(chinchilla), Budget(compute_flop=1e21), H100)
    assert result.loss_interval is None
    assert result.params_interval is None
    assert result.interval_reason == "The fit carries no bootstrap draws."


def test_extrapolation_is_measured_and_said(chinchilla, make_fit) -> None:
    near = plan(make_fit(chinchilla), Budget(compute_flop=6e20), H100)
    assert near.extrapolation_decades == {"N": 0.0, "D": 0.0}
    assert near.notices == ()
    far = plan(make_fit(chinchilla), Budget(compute_flop=1e27), H100)
    assert far.extrapolation_decades["N"] == pytest.approx(np.log10(far.params / 1e10))
    assert far.notices[0].code == "extrapolating"
    assert "2.1 decades of parameters N above the data" in far.notices[0].text


def test_draws_without_an_optimum_are_reported(chinchilla, draws, make_fit) -> None:
    broken = draws.copy()
    broken[:40, 1] = 0.0
    result = plan(make_fit(chinchilla, draws=broken), Budget(compute_flop=6e20), H100)
    assert [notice.code for notice in result.notices] == ["optimum-unstable"]
    assert result.notices[0].text.startswith("20% of the bootstrap fits")


def test_inference_is_paid_from_the_same_budget(chinchilla, make_fit) -> None:
    budget = Budget(compute_flop=6e22, lifetime_inference_tokens=1e12)
    result = plan(make_fit(chinchilla), budget, H100)
    assert result.compute_flop + 2 * result.params * 1e12 == pytest.approx(6e22)
    assert "1T tokens" in result.assumptions["Inference"]


@pytest.mark.parametrize("convention", ["6N", "6N_attention", "appendix_f"])
def test_a_law_of_compute_is_asked_at_the_compute_that_the_plan_prints(
    convention, make_fit
) -> None:
    """Attention makes a small model dearer than 6 N D: the law must not be asked at 6 N D."""
    theta = np.array([1.7, 400.0, 0.1])
    fit = make_fit(law("E + k*x**(-a)", (C,), "E k a"), theta)
    fit = replace(fit, input_ranges={"x": (1e18, 1e20)})
    rule = family_rule(find_family("llama-3"), convention)
    setting = Setting(budget=Budget(compute_flop=1e21), accelerator=H100, rule=rule)
    result = plan_within(fit, setting, params=1e7)
    assert result.compute_flop == pytest.approx(1e21, rel=1e-12)
    is_six = convention == "6N"
    assert (6 * result.params * result.tokens == pytest.approx(1e21, rel=0.1)) is is_six
    assert result.loss == pytest.approx(1.7 + 400.0 * 1e21**-0.1, rel=1e-12)
    assert result.extrapolation_decades == {"x": pytest.approx(1.0, rel=1e-12)}


def test_the_size_of_a_law_of_one_input_is_assumed_or_given(make_fit) -> None:
    data = law("E + A/D**alpha", (D,), "E A alpha")
    fit = make_fit(data, np.array([1.7, 400.0, 0.3]))
    with pytest.raises(PlanError, match="no compute-optimal model size"):
        plan_within(fit, Setting(budget=Budget(compute_flop=6e20), accelerator=H100))
    assumed = plan(fit, Budget(compute_flop=6e20), H100)
    assert assumed.basis == "assumed"
    assert assumed.assumption.endswith("20 tokens per parameter are assumed.")
    assert assumed.assumption in assumed.summary()
    assert assumed.tokens_per_param == pytest.approx(20)
    given = plan(fit, Budget(compute_flop=6e20), H100, PlanOptions(params=1e9))
    assert given.tokens == pytest.approx(1e11)
    assert (given.basis, given.assumption) == ("chosen", "")


def test_a_plan_names_the_input_furthest_beyond_the_rows(chinchilla, make_fit) -> None:
    found = plan(make_fit(chinchilla), Budget(compute_flop=1e26), H100)
    symbol, decades = found.furthest
    assert decades == max(found.extrapolation_decades.values()) > 0
    assert found.extrapolation_decades[symbol] == decades
    within = plan(make_fit(chinchilla), Budget(compute_flop=1e21), H100)
    assert within.furthest[1] == 0


def test_a_plan_keeps_its_budget_and_the_price_of_an_hour(chinchilla, make_fit) -> None:
    budget = Budget(wall_time_s=86400.0, accelerators=8, price_usd_per_hour=3.0)
    found = plan(make_fit(chinchilla), budget, H100)
    assert found.budget == budget
    assert found.cost.usd_per_accelerator_hour == pytest.approx(3.0)
    assert found.cost.accelerator_days == pytest.approx(8)
    assert replace(found, budget=replace(budget, usd=1e9)).key != found.key
