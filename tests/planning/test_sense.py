"""Plans that no one could mean are refused, each with its reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from isoflop.errors import DoesNotFit, PlanError
from isoflop.planning import Budget, PlanOptions, find_accelerator, plan

H100 = find_accelerator("h100-sxm")


@pytest.mark.parametrize(
    ("budget", "options", "said"),
    [
        (
            {"compute_flop": 1e21},
            {"params": 4870.0},
            "4.87K parameters is too small for a language model",
        ),
        ({"compute_flop": 1e18}, {"batch_tokens": 1e12}, "larger than all the data"),
        ({"compute_flop": 1e19}, {"batch_tokens": 1e8}, "fewer than 300 steps"),
    ],
)
def test_what_is_no_run_is_refused(
    chinchilla, make_fit, budget: dict, options: dict, said: str
) -> None:
    fit = replace(make_fit(chinchilla), loss_unit="nats/token")
    with pytest.raises(PlanError) as error:
        plan(fit, Budget(**budget), H100, PlanOptions(must_fit=False, **options))
    assert said in str(error.value)


def test_rows_of_small_models_speak_for_themselves(chinchilla, make_fit) -> None:
    """The ladder of the Train page was handed over to an error."""
    fit = replace(make_fit(chinchilla), input_ranges={"N": (12e3, 91e3), "D": (65e3, 524e3)})
    options = PlanOptions(params=67e3, must_fit=False)
    assert plan(fit, Budget(compute_flop=1e15), H100, options).params == 67e3
    with pytest.raises(PlanError, match="too small for a language model"):
        plan(fit, Budget(compute_flop=1e15), H100, replace(options, params=11e3))


def test_a_loss_above_that_of_guessing_is_refused(chinchilla, make_fit) -> None:
    theta = np.array([12.0, 406.4, 0.34, 410.7, 0.28])
    fit = replace(make_fit(chinchilla, theta), loss_unit="nats/token")
    with pytest.raises(PlanError, match=r"worse than guessing\.\nEach of 128,256"):
        plan(fit, Budget(compute_flop=1e21), H100)
    assert plan(replace(fit, loss_unit="bits/token"), Budget(compute_flop=1e21), H100).loss > 12


def test_seventy_billion_parameters_do_not_train_on_one_small_card(chinchilla, make_fit) -> None:
    card = find_accelerator("rtx-4090")
    budget = Budget(wall_time_s=30 * 86400.0, accelerators=1)
    with pytest.raises(DoesNotFit, match="70B parameters does not fit"):
        plan(make_fit(chinchilla), budget, card, PlanOptions(params=70e9))


def test_money_alone_takes_as_many_accelerators_as_use_it_up_in_a_month(
    chinchilla, make_fit
) -> None:
    """On one accelerator it would last 46 years."""
    found = plan(make_fit(chinchilla), Budget(usd=1e6), H100)
    assert found.cost.accelerators == 552
    assert found.cost.wall_time_s == pytest.approx(30 * 86400.0, rel=0.05)
    assert found.cost.usd == pytest.approx(1e6)


def test_a_batch_of_few_data_leaves_the_run_its_steps(chinchilla, make_fit) -> None:
    found = plan(make_fit(chinchilla), Budget(compute_flop=1e15, accelerators=1), H100)
    assert found.tokens / found.training.batch_limit_tokens >= 299


def test_the_critical_batch_limits_a_hundred_thousand_accelerators(chinchilla, make_fit) -> None:
    """It binds, is named, and the plan says what 10% more of it would buy."""
    budget = Budget(wall_time_s=90 * 86400.0, accelerators=100_000)
    found = plan(make_fit(chinchilla), budget, H100)
    assert {"time", "batch"} == {limit.key for limit in found.binding}
    (batch,) = [limit for limit in found.limits if limit.key == "batch"]
    assert batch.gain > 0
    assert 4e7 < batch.limit < 2e8


def test_more_of_what_is_not_used_up_buys_nothing(chinchilla, make_fit) -> None:
    """More memory would also allow faster layouts, but far from its limit it is no lever."""
    budget = Budget(wall_time_s=30 * 86400.0, accelerators=512, usd=2e6)
    found = plan(make_fit(chinchilla), budget, H100, PlanOptions(family="llama-3"))
    by_key = {limit.key: limit for limit in found.limits}
    assert by_key["time"].gain > 0
    memory = by_key["memory"]
    assert memory.used < memory.limit / 2
    assert memory.gain == by_key["money"].gain == 0
    assert memory.relaxed_loss == found.loss


def test_no_accelerator_idles_for_want_of_sequences_that_the_batch_allows(
    chinchilla, make_fit
) -> None:
    """A seven-billion model on 256 got a batch of 243 sequences, and 13 had none."""
    budget = Budget(wall_time_s=30 * 86400.0, accelerators=256)
    found = plan(make_fit(chinchilla), budget, H100, PlanOptions(family="llama-3", params=7e9))
    assert "idle" not in found.training.layout
    assert found.training.batch_tokens == 256 * 8192
    assert found.training.batch_tokens < found.training.batch_limit_tokens / 2
