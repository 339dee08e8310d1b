from dataclasses import replace

import numpy as np
import pytest
from tests.planning.conftest import HOFFMANN, D, N, law

from isoflop.accounting import find_family
from isoflop.errors import LossUnreachable, PlanError
from isoflop.laws.law import Input
from isoflop.planning import Budget, ComputeRule, compute_optimal, cost, find_accelerator
from isoflop.planning.family_rule import family_rule
from isoflop.planning.inverse import (
    cheapest,
    least_compute,
    least_cost,
    loss_floor,
    tokens_for_loss,
)


def test_least_compute_inverts_the_compute_optimum(chinchilla) -> None:
    best = compute_optimal(chinchilla, HOFFMANN, 5.76e23)
    back = cheapest(chinchilla, HOFFMANN, float(best.loss))
    # A rounding error of the loss moves the compute by its gap to the floor times the exponents.
    assert back.compute_flop == pytest.approx(5.76e23, rel=1e-11)
    assert back.params == pytest.approx(best.params, rel=1e-8)


def test_tokens_for_a_loss_agree_with_the_closed_form(chinchilla) -> None:
    e, a, alpha, b, beta = HOFFMANN
    sizes = np.array([1e9, 1e10])
    expected = (b / (2.2 - e - a / sizes**alpha)) ** (1 / beta)
    np.testing.assert_allclose(
        tokens_for_loss(chinchilla, HOFFMANN, sizes, 2.2), expected, rtol=1e-12
    )


def test_a_law_of_compute_needs_the_tokens_that_the_rule_takes_for_it() -> None:
    one = law("E + k*x**(-a)", (Input(symbol="x", column="compute_flop"),), "E k a")
    rule = family_rule(find_family("llama-3"), "6N_attention")
    sizes = np.array([1e8, 7e9])
    tokens = tokens_for_loss(one, np.array([1.7, 400.0, 0.1]), sizes, 2.2, rule=rule)
    expected = (400.0 / (2.2 - 1.7)) ** 10
    np.testing.assert_allclose(rule.training_flop(sizes, tokens), expected, rtol=1e-12)


def test_a_law_of_compute_is_not_called_unreachable(make_fit) -> None:
    """Its loss is reached at one compute, by any size."""
    one = law("E + k*x**(-a)", (Input(symbol="x", column="compute_flop"),), "E k a")
    fit = make_fit(one, np.array([1.7, 400.0, 0.1]))
    with pytest.raises(PlanError, match="no compute-optimal model size"):
        least_compute(fit, 2.2)
    with pytest.raises(LossUnreachable):
        least_compute(fit, 1.6)


def test_a_size_too_small_for_the_loss_needs_infinitely_many_tokens(chinchilla) -> None:
    assert np.isinf(tokens_for_loss(chinchilla, HOFFMANN, np.array([1e6]), 2.0)[0])


def test_the_interval_covers_the_centre_and_counts_what_is_out_of_reach(
    chinchilla, draws, make_fit
) -> None:
    fit = make_fit(chinchilla, draws=draws)
    easy = least_compute(fit, 2.2)
    assert easy.reachable_share == 1.0
    assert easy.compute_interval.lower < easy.compute_flop < easy.compute_interval.upper < np.inf
    hard = least_compute(fit, 1.72)
    share = float(np.mean(loss_floor(chinchilla, draws) < 1.72))
    assert hard.reachable_share == pytest.approx(share, abs=0.02)
    assert hard.compute_interval.upper == np.inf
    assert hard.compute_interval.lower < np.inf


def test_below_the_floor_is_unreachable_and_says_where_the_floor_is(
    chinchilla, draws, make_fit
) -> None:
    low, high = np.quantile(draws[:, 0], [0.05, 0.95])
    with pytest.raises(LossUnreachable) as caught:
        least_compute(make_fit(chinchilla, draws=draws), 1.5)
    assert caught.value.summary == "A loss of 1.5 is unreachable."
    assert "floor of Typed is 1.693" in caught.value.detail
    assert f"90% interval {low:.4g} to {high:.4g}" in caught.value.detail


def test_without_draws_there_is_no_interval(chinchilla, make_fit) -> None:
    found = least_compute(make_fit(chinchilla), 2.2)
    assert found.compute_interval is None
    assert found.reachable_share is None
    with pytest.raises(LossUnreachable, match=r"is 1\.693\."):
        least_compute(make_fit(chinchilla), 1.0)


def test_a_law_without_a_floor_reaches_everything_or_says_it_is_beyond_training(make_fit) -> None:
    kaplan = law("((Nc/N)**(a/d) + Dc/D)**d", (N, D), "Nc Dc a d")
    theta = np.array([6.4e13, 1.8e13, 0.076, 0.103])
    assert loss_floor(kaplan, theta) < 1e-5
    assert least_compute(make_fit(kaplan, theta), 1.5).compute_flop > 1e20
    with pytest.raises(LossUnreachable, match="beyond any model and data"):
        least_compute(make_fit(kaplan, theta), 0.01)


def test_inference_shrinks_the_cheapest_model(chinchilla) -> None:
    plain = cheapest(chinchilla, HOFFMANN, 2.0)
    served = cheapest(chinchilla, HOFFMANN, 2.0, rule=ComputeRule(lifetime_inference_tokens=1e13))
    assert served.params < plain.params
    assert served.tokens > plain.tokens


def test_many_demands_at_once_equal_each_alone(chinchilla) -> None:
    demands = np.array([0.0, 1e12, 1e14])
    batch = cheapest(chinchilla, HOFFMANN, 2.0, inference_tokens=demands)
    for index, demand in enumerate(demands):
        rule = ComputeRule(lifetime_inference_tokens=demand)
        alone = cheapest(chinchilla, HOFFMANN, 2.0, rule=rule)
        assert batch.params[index] == pytest.approx(float(alone.params), rel=1e-9)
        assert batch.compute_flop[index] == pytest.approx(float(alone.compute_flop), rel=1e-9)


def test_the_cost_of_a_loss_is_that_of_its_compute(chinchilla, draws, make_fit) -> None:
    found = least_compute(make_fit(chinchilla, draws=draws), 2.2)
    budget, device = Budget(wall_time_s=86400.0, accelerators=64), find_accelerator("h100-sxm")
    least = least_cost(found, budget, device)
    run = cost(found.compute_flop, budget, device)
    assert least.accelerator_hours.value == pytest.approx(run.accelerator_hours)
    assert least.wall_time_s.value == pytest.approx(run.wall_time_s)
    assert least.usd.value == pytest.approx(run.usd_compute)
    ratio = found.compute_interval.upper / found.compute_flop
    assert least.usd.interval.upper == pytest.approx(ratio * run.usd_compute)
    free = least_cost(found, replace(budget, price_usd_per_hour=0.0), device)
    assert free.usd is None
    assert found.has_floor
