"""A plan of a size that was given names its limits too: more of one buys tokens."""

from dataclasses import replace

import pytest

from isoflop.errors import PlanError
from isoflop.fitting import Fit
from isoflop.planning import Budget, Plan, PlanOptions, find_accelerator, plan


def test_the_limits_of_a_given_size_bind_and_say_what_more_tokens_buy(chinchilla, make_fit) -> None:
    budget = Budget(wall_time_s=30 * 86400.0, accelerators=64, mfu=0.4, goodput=0.9, usd=1e9)
    found = plan(
        make_fit(chinchilla), budget, find_accelerator("h100-sxm"), PlanOptions(params=7e9)
    )
    uses = {limit.key: limit for limit in found.limits}
    assert [limit.key for limit in found.binding] == ["time"]
    more = (
        1.69337368 + 406.401018 / 7e9**0.33917084 + 410.722827 / (1.1 * found.tokens) ** 0.2849083
    )
    assert uses["time"].relaxed_loss == pytest.approx(more, rel=1e-9)
    assert uses["money"].gain == 0
    assert uses["memory"].used == 7e9


def held(fit: Fit, **given: object) -> Plan:
    budget = Budget(wall_time_s=14 * 86400.0, accelerators=256, **given)
    options = PlanOptions(params=7e9, tokens=2e12)
    return plan(fit, budget, find_accelerator("h100-sxm"), options)


def test_a_size_and_tokens_of_ones_own_are_what_is_planned(chinchilla, make_fit) -> None:
    """7B on 2T tokens: what it takes, and which limits it exceeds."""
    found = held(make_fit(chinchilla))
    assert (found.params, found.tokens, found.basis) == (7e9, 2e12, "chosen")
    assert found.compute_flop == pytest.approx(6 * 7e9 * 2e12)
    loss = 1.69337368 + 406.401018 / 7e9**0.33917084 + 410.722827 / 2e12**0.2849083
    assert found.loss == pytest.approx(loss, rel=1e-9)
    time = next(use for use in found.limits if use.key == "time")
    assert time.used == pytest.approx(found.cost.wall_time_s)
    assert time.used > time.limit
    assert found.binding == ()
    (notice,) = [item for item in found.notices if item.code == "over-limits"]
    assert notice.text.startswith("The run exceeds time (")
    usual = replace(found.budget, wall_time_s=60 * 86400.0)
    within = plan(
        make_fit(chinchilla),
        usual,
        find_accelerator("h100-sxm"),
        PlanOptions(params=7e9, tokens=2e12),
    )
    assert within.cost == found.cost
    assert "over-limits" not in {item.code for item in within.notices}


def test_tokens_of_ones_own_are_never_new_where_they_repeat(chinchilla, make_fit) -> None:
    fit = make_fit(chinchilla)
    assert held(fit, unique_tokens=1e11).loss > held(fit).loss
    with pytest.raises(PlanError, match="There are 100B tokens, fewer than 2T tokens"):
        held(fit, unique_tokens=1e11, may_repeat=False)
    with pytest.raises(PlanError, match="need a number of parameters, too"):
        PlanOptions(tokens=1e12)
