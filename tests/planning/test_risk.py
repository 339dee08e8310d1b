"""The chance of a loss: known cases of the normal distribution, and what moves it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from isoflop.errors import PlanError
from isoflop.planning import Budget, PlanOptions, find_accelerator, plan
from isoflop.planning.risk import risk
from isoflop.planning.scenario import Scenario, setting_of
from isoflop.planning.types import Interval

H100 = find_accelerator("h100-sxm")
MONTH = Budget(wall_time_s=30 * 86400.0, accelerators=64)


def case(chinchilla, make_fit, budget: Budget = MONTH, width: float = 0.02):
    """A plan whose prediction interval has a known width, in logarithms, either way."""
    fit = make_fit(chinchilla)
    setting = setting_of(Scenario(accelerator=H100, budget=budget, options=PlanOptions()))
    made = plan(fit, budget, H100)
    interval = Interval(
        lower=made.loss * np.exp(-width), upper=made.loss * np.exp(width), level=0.9
    )
    return fit, setting, replace(made, loss_prediction=interval)


def test_without_an_error_of_the_speed_it_is_the_interval_of_the_prediction(
    chinchilla, make_fit
) -> None:
    own = replace(MONTH, mfu=0.4, goodput=0.9)
    fit, setting, made = case(chinchilla, make_fit, own)
    assert made.cost.spread is None
    for end, expected in (("lower", 0.05), ("upper", 0.95)):
        found = risk(fit, setting, made, getattr(made.loss_prediction, end))
        assert found.chance == pytest.approx(expected, abs=2e-3)
    assert risk(fit, setting, made).chance == pytest.approx(0.5, abs=1e-3)
    assert found.speed_share == 0


def test_a_slower_run_within_its_time_reaches_less(chinchilla, make_fit) -> None:
    """The speed widens the loss; where compute is the limit it moves the money alone."""
    fit, setting, made = case(chinchilla, make_fit)
    timed = risk(fit, setting, made)
    assert 0 < timed.speed_share < 1
    spent = replace(MONTH, wall_time_s=None, compute_flop=made.compute_flop)
    counted = risk(*case(chinchilla, make_fit, spent))
    assert counted.speed_share == 0
    assert np.ptp(timed.loss) > np.ptp(counted.loss)
    assert np.ptp(counted.usd) > 0


def test_an_easier_target_is_likelier_and_cheaper(chinchilla, make_fit) -> None:
    fit, setting, made = case(chinchilla, make_fit)
    hard, easy = (risk(fit, setting, made, made.loss * share) for share in (0.99, 1.02))
    assert hard.chance < easy.chance
    assert np.all(hard.usd > easy.usd)
    assert np.all(np.diff(hard.loss) >= 0)
    assert np.isinf(risk(fit, setting, made, 1.0).usd).all()
    assert "chance of" in hard.summary()
    assert "more than any sum" in risk(fit, setting, made, 1.0).summary()


def test_a_plan_without_an_interval_has_no_chance(chinchilla, make_fit) -> None:
    fit, setting, made = case(chinchilla, make_fit)
    with pytest.raises(PlanError, match="needs an interval"):
        risk(fit, setting, replace(made, loss_prediction=None))
