"""When the learning rate of a planned run rises, holds and falls."""

import pytest

from isoflop.errors import PlanError
from isoflop.planning import Budget, PlanOptions, find_accelerator, plan
from isoflop.planning.schedule import Schedule


def test_a_schedule_is_said_in_tokens() -> None:
    assert Schedule().described(1e12).startswith("warm-up over 10B tokens, cosine over 990B tokens")
    held = Schedule(kind="wsd", warmup_share=0.1, decay_share=0.2).described(1e12)
    assert held.startswith("warm-up over 100B tokens, held for 700B tokens, decay over 200B tokens")


def test_a_schedule_longer_than_the_run_is_refused() -> None:
    with pytest.raises(PlanError, match="more than the whole run"):
        Schedule(kind="wsd", warmup_share=0.5, decay_share=0.6)
    with pytest.raises(PlanError, match="Decay: a share above 0"):
        Schedule(decay_share=0.0)


def test_a_plan_says_its_schedule(chinchilla, make_fit) -> None:
    options = PlanOptions(schedule=Schedule(kind="wsd"))
    found = plan(
        make_fit(chinchilla), Budget(compute_flop=1e22), find_accelerator("h100-sxm"), options
    )
    assert found.training.schedule == options.schedule.described(found.tokens)
