"""A plan of a size that was given names its limits too: more of one buys tokens."""

import pytest

from isoflop.planning import Budget, PlanOptions, find_accelerator, plan


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
