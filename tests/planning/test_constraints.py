from dataclasses import replace

import numpy as np
import pytest
from tests.planning.conftest import HOFFMANN, D, N, law

from isoflop.errors import DoesNotFit, PlanError
from isoflop.planning import Budget, compute_optimal, find_accelerator
from isoflop.planning.constraints import Setting, _relaxed, best_plan
from isoflop.planning.cost import Site
from isoflop.planning.inputs import with_repetition
from isoflop.planning.plan import plan_within
from isoflop.planning.storage import CheckpointPolicy, StorageRule

H100 = find_accelerator("h100-sxm")
FREE_DISK = Site(storage_usd_per_gb_month=0.0)
DAY = 86400.0


def by_key(plan):
    return {limit.key: limit for limit in plan.limits}


def test_compute_alone_gives_the_compute_optimum(chinchilla) -> None:
    setting = Setting(budget=Budget(compute_flop=1e22), accelerator=H100)
    alone = compute_optimal(chinchilla, HOFFMANN, 1e22)
    assert best_plan(chinchilla, HOFFMANN, setting).params == pytest.approx(alone.params, rel=1e-9)


def test_of_two_limits_the_tighter_binds(chinchilla, make_fit) -> None:
    fit = make_fit(chinchilla)
    budget = Budget(wall_time_s=30 * DAY, accelerators=64, usd=1e9)
    plan = plan_within(fit, Setting(budget=budget, accelerator=H100))
    limits = by_key(plan)
    assert limits["time"].is_binding
    assert limits["time"].used == pytest.approx(30 * DAY)
    assert not limits["money"].is_binding
    assert limits["money"].gain == 0
    assert limits["money"].used == pytest.approx(plan.cost.usd)
    assert [limit.key for limit in plan.binding] == ["time"]


def test_money_pays_for_accelerators_power_and_disk(chinchilla, make_fit) -> None:
    site = Site(electricity_usd_per_kwh=0.1, storage_months=12)
    setting = Setting(budget=Budget(usd=2e5, accelerators=8), accelerator=H100, site=site)
    plan = plan_within(make_fit(chinchilla), setting)
    assert plan.cost.usd == pytest.approx(2e5)
    assert plan.cost.usd_storage > 100
    assert by_key(plan)["money"].is_binding


def test_a_tenth_more_buys_what_the_law_says(chinchilla, make_fit) -> None:
    fit = make_fit(chinchilla)
    budget = Budget(compute_flop=1e22)
    (limit,) = plan_within(fit, Setting(budget=budget, accelerator=H100)).limits
    expected = compute_optimal(chinchilla, HOFFMANN, 1.1e22)
    assert limit.relaxed_loss == pytest.approx(float(expected.loss), rel=1e-12)
    assert limit.gain == pytest.approx(plan_loss(fit, 1e22) - plan_loss(fit, 1.1e22))


def plan_loss(fit, flop: float) -> float:
    return plan_within(fit, Setting(budget=Budget(compute_flop=flop), accelerator=H100)).loss


def test_disk_bounds_tokens_and_checkpoints(chinchilla, make_fit) -> None:
    policy = CheckpointPolicy(n_saved=9, n_resumable=2, keep_weights=False)
    rule = StorageRule(policy=policy, vocab=50_257, logged_steps=0)
    setting = Setting(
        budget=Budget(compute_flop=1e24, storage_bytes=1e12), accelerator=H100, storage=rule
    )
    plan = plan_within(make_fit(chinchilla), setting)
    assert plan.storage.total_bytes == pytest.approx(1e12)
    assert 2 * plan.tokens + 28 * plan.params == pytest.approx(1e12)
    assert [limit.key for limit in plan.binding] == ["storage"]
    # On that edge loss is least where both uses of a byte gain alike.
    _, a, alpha, b, beta = HOFFMANN
    per_param_byte = alpha * a * plan.params ** (-alpha - 1) / 28
    per_token_byte = beta * b * plan.tokens ** (-beta - 1) / 2
    assert per_param_byte == pytest.approx(per_token_byte, rel=1e-6)


def test_memory_bounds_the_size(chinchilla, make_fit) -> None:
    setting = Setting(
        budget=Budget(compute_flop=1e24),
        accelerator=H100,
        largest_params=lambda memory_bytes, count: memory_bytes / 20,
    )
    plan = plan_within(make_fit(chinchilla), setting)
    assert plan.params == pytest.approx(4e9)
    assert [limit.key for limit in plan.binding] == ["memory", "compute"]
    relaxed = by_key(plan)["memory"].relaxed_loss
    larger = plan_within(make_fit(chinchilla), setting, params=4e9)
    assert relaxed < larger.loss == pytest.approx(plan.loss)


def test_a_size_beyond_the_memory_is_refused(chinchilla, make_fit) -> None:
    setting = Setting(
        budget=Budget(compute_flop=1e24), accelerator=H100, largest_params=lambda *_: 4e9
    )
    with pytest.raises(DoesNotFit, match=r"model of 5B parameters does not fit"):
        plan_within(make_fit(chinchilla), setting, params=5e9)
    with pytest.raises(DoesNotFit, match="hold no model at all"):
        plan_within(make_fit(chinchilla), replace(setting, largest_params=lambda *_: 0.0))


def test_inference_is_paid_in_flop_and_money_but_not_in_time(chinchilla, make_fit) -> None:
    fit = make_fit(chinchilla)
    timed = Budget(wall_time_s=30 * DAY, accelerators=64)
    served = replace(timed, lifetime_inference_tokens=1e13)
    plain = plan_within(fit, Setting(budget=timed, accelerator=H100))
    assert plan_within(fit, Setting(budget=served, accelerator=H100)).params == pytest.approx(
        plain.params
    )
    paid = Budget(usd=1e6, mfu=0.38, goodput=0.9, lifetime_inference_tokens=1e13)
    smaller = plan_within(fit, Setting(budget=paid, accelerator=H100, site=FREE_DISK))
    assert smaller.params < plain.params
    whole = smaller.compute_flop + 2 * smaller.params * 1e13
    flop_per_usd = 989e12 * 0.38 * 0.9 * 3600 / 2.5
    assert whole == pytest.approx(1e6 * flop_per_usd)


def test_unique_tokens_that_may_not_repeat_bound_the_tokens(chinchilla, make_fit) -> None:
    budget = Budget(compute_flop=1e23, unique_tokens=1e11, may_repeat=False)
    plan = plan_within(make_fit(chinchilla), Setting(budget=budget, accelerator=H100))
    assert plan.tokens == pytest.approx(1e11)
    assert "unique_tokens" in [limit.key for limit in plan.binding]
    assert plan.epochs == pytest.approx(1)


def test_repeating_is_better_than_not_and_worse_than_new_tokens(chinchilla, make_fit) -> None:
    fit, budget = make_fit(chinchilla), Budget(compute_flop=1e23, unique_tokens=1e11)
    repeated = plan_within(fit, Setting(budget=budget, accelerator=H100))
    once = plan_within(fit, Setting(budget=replace(budget, may_repeat=False), accelerator=H100))
    fresh = plan_within(fit, Setting(budget=Budget(compute_flop=1e23), accelerator=H100))
    assert fresh.loss < repeated.loss < once.loss
    assert repeated.epochs > 4
    assert "many-epochs" in [notice.code for notice in repeated.notices]
    assert by_key(repeated)["unique_tokens"].is_binding
    assert by_key(repeated)["unique_tokens"].gain > 0


def test_enough_unique_tokens_change_nothing(chinchilla, make_fit) -> None:
    fit = make_fit(chinchilla)
    plenty = Budget(compute_flop=1e22, unique_tokens=1e15)
    plan = plan_within(fit, Setting(budget=plenty, accelerator=H100))
    plain = plan_within(fit, Setting(budget=Budget(compute_flop=1e22), accelerator=H100))
    assert plan.loss == pytest.approx(plain.loss, rel=1e-12)
    # The data-constrained law has a kink in its curvature there, so sections place it, to 1e-7.
    assert plan.params == pytest.approx(plain.params, rel=1e-6)
    assert plan.epochs == pytest.approx(1)
    assert not by_key(plan)["unique_tokens"].is_binding


def test_repetition_of_a_typed_law_discounts_its_tokens() -> None:
    typed = law("E + A/N**alpha + B/D**beta", (N, D), "E A alpha B beta")
    repeated = with_repetition(typed)
    inputs = {"N": np.array([1e9]), "D": np.array([4e11])}
    plain = typed.loss(HOFFMANN, inputs)
    fresh = repeated.loss(HOFFMANN, inputs | {"U": np.array([4e11])})
    assert fresh == pytest.approx(plain)
    # Four epochs: D' = U (1 + R (1 - exp(-3/R))) with R = 15.387756.
    worth = 1e11 * (1 + 15.387756 * (1 - np.exp(-3 / 15.387756)))
    expected = typed.loss(HOFFMANN, {"N": np.array([1e9]), "D": np.array([worth])})
    assert repeated.loss(HOFFMANN, inputs | {"U": np.array([1e11])}) == pytest.approx(expected)


def test_a_law_without_tokens_cannot_repeat() -> None:
    with pytest.raises(PlanError, match="does not say what repeated tokens are worth"):
        with_repetition(law("E + A/N**alpha", (N,), "E A alpha"))


def test_a_disk_too_small_for_any_run_is_refused(chinchilla, make_fit) -> None:
    setting = Setting(budget=Budget(compute_flop=1e22, storage_bytes=1e6), accelerator=H100)
    with pytest.raises(PlanError, match="below a single training step"):
        plan_within(make_fit(chinchilla), setting)


def test_money_is_no_limit_where_nothing_costs(chinchilla, make_fit) -> None:
    cpu = find_accelerator("cpu-laptop-8-core")
    budget = Budget(wall_time_s=DAY, usd=10.0)
    free = plan_within(
        make_fit(chinchilla), Setting(budget=budget, accelerator=cpu, site=FREE_DISK)
    )
    assert [limit.key for limit in free.binding] == ["time"]
    assert free.cost.usd == 0
    stored = plan_within(make_fit(chinchilla), Setting(budget=budget, accelerator=cpu))
    assert 0 < stored.cost.usd <= 10
    with pytest.raises(PlanError, match="costs nothing"):
        plan_within(make_fit(chinchilla), Setting(budget=Budget(usd=10.0), accelerator=cpu))


@pytest.mark.parametrize("may_repeat", [True, False])
def test_limits_relaxed_together_give_what_each_alone_gives(
    chinchilla, make_fit, may_repeat: bool
) -> None:
    budget = Budget(
        compute_flop=3e22, wall_time_s=30 * DAY, usd=2e5, storage_bytes=2e12, unique_tokens=1e11,
        accelerators=64, may_repeat=may_repeat,
    )  # fmt: skip
    setting = Setting(
        budget=budget, accelerator=H100, largest_params=lambda memory, count: memory * count / 16
    )
    plan = plan_within(make_fit(chinchilla), setting)
    assert len(plan.limits) == 6
    for limit in plan.limits:
        relaxed = _relaxed(setting, limit.key)
        alone = best_plan(chinchilla, HOFFMANN, relaxed)
        # Where two limits meet the best size is found to 1e-8, and the loss has a slope there.
        assert limit.relaxed_loss == pytest.approx(float(alone.loss), rel=1e-9)
