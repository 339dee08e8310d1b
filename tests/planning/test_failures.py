"""Failures and checkpoints: published figures, a simulation, and the limits of rare failures."""

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest

from isoflop.errors import PlanError
from isoflop.planning import Budget, Failures, Plan, find_accelerator, interruptions, plan
from isoflop.planning.failures import (
    best_interval_s,
    failure_rate_range,
    goodput,
    load_delays,
    load_failure_rates,
    usual_failure_rate,
    usual_restart_s,
    usual_stall_s,
)

HOUR_S = 3600.0
LLAMA_3 = 1.98e-5


@pytest.mark.parametrize(("stall_s", "restart_s", "expected"), [(20, 600, 0.89), (5, 300, 0.94)])
def test_llama_3_trains_nine_tenths_of_its_time(stall_s, restart_s, expected):
    """Published: above 0.90 on 16,384 H100 (arXiv 2407.21783), within these stalls and restarts."""
    failures = Failures(rate_per_device_hour=LLAMA_3, stall_s=stall_s, restart_s=restart_s)
    found = interruptions(16_384, failures)
    assert found.goodput == pytest.approx(expected, abs=0.005)
    assert found.mean_time_between_failures_s == pytest.approx(3.09 * HOUR_S, rel=0.01)
    # 419 unplanned interruptions in 54 days.
    assert found.expected(54 * 24 * HOUR_S) == pytest.approx(419, rel=0.01)


def test_saving_every_three_hours_wastes_nearly_half():
    failures = Failures(rate_per_device_hour=LLAMA_3, stall_s=20, restart_s=600)
    rarely = replace(failures, save_every_s=3 * HOUR_S)
    assert interruptions(16_384, rarely).goodput < 0.57
    best = interruptions(16_384, failures)
    twice = interruptions(16_384, replace(failures, save_every_s=2 * best.interval_s))
    assert twice.best_interval_s == best.interval_s
    # A rate of one's own has no published range.
    assert best.goodput_lower == best.goodput == best.goodput_upper
    assert 0.005 < best.goodput - twice.goodput < 0.02


def test_a_simulation_agrees():
    """Training, saves and failures drawn one by one; 0.6 points is three standard errors."""
    random = np.random.default_rng(0)
    mean, stall, restart, interval = 3 * HOUR_S, 40.0, 600.0, 1_200.0
    clock, n_saved = 0.0, 4_000
    for _ in range(n_saved):
        while True:
            failure = random.exponential(mean)
            if failure > interval + stall:
                clock += interval + stall
                break
            clock += failure
            while (again := random.exponential(mean)) < restart:  # it fails while it restarts
                clock += again
            clock += restart
    assert goodput(interval, mean, stall, restart) == pytest.approx(
        n_saved * interval / clock, abs=0.006
    )


@pytest.mark.parametrize("mean_s", [1e3, 1e4, 1e6, 1e9])
@pytest.mark.parametrize("stall_s", [1.0, 60.0])
def test_the_best_interval_is_best(mean_s, stall_s):
    best = best_interval_s(mean_s, stall_s)
    at_best = goodput(best, mean_s, stall_s, 100.0)
    for factor in (0.9, 1.1):
        assert goodput(best * factor, mean_s, stall_s, 100.0) < at_best
    if stall_s / mean_s < 1e-5:
        # Young's formula, where failures are rare.
        assert best == pytest.approx(sqrt(2 * stall_s * mean_s), rel=0.01)


def test_more_accelerators_and_higher_rates_train_less():
    shares = [interruptions(n).goodput for n in (1, 64, 1_024, 16_384, 131_072)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.999
    found = interruptions(16_384)
    assert found.goodput_lower < found.goodput < found.goodput_upper
    assert "accelerators fail once in" in found.summary()


def test_a_run_that_never_reaches_a_save_trains_nothing():
    assert interruptions(10**9, Failures(save_every_s=HOUR_S * 100)).goodput == 0


def test_saves_follow_from_the_interval():
    found = interruptions(1_024, Failures(save_every_s=HOUR_S))
    assert found.saves(1000 * HOUR_S) == pytest.approx(1000 * found.goodput)


def test_a_plan_counts_on_the_failures_that_it_is_given(chinchilla, make_fit):
    def planned(**given: object) -> Plan:
        budget = Budget(wall_time_s=30 * 24 * HOUR_S, accelerators=4_096, **given)
        return plan(make_fit(chinchilla), budget, find_accelerator("h100-sxm"))

    usual, often = planned(), planned(failures=Failures(rate_per_device_hour=1e-4))
    assert often.training.goodput < usual.training.goodput
    assert often.tokens < usual.tokens
    assert often.training.save_interval_s < usual.training.save_interval_s
    assert often.training.expected_failures == pytest.approx(1e-4 * 4_096 * 720)
    assert often.training.saves == pytest.approx(
        often.cost.wall_time_s * often.training.goodput / often.training.save_interval_s
    )
    own = planned(goodput=0.9, failures=Failures(rate_per_device_hour=1e-4))
    assert own.training.goodput == 0.9


def test_stalls_and_restarts_are_medians_of_what_was_seen():
    assert usual_stall_s() == Failures().stall_s == 6.3
    assert usual_restart_s() == Failures().restart_s == 660
    assert [item.seconds for item in load_delays("stalls") if item.verified] == [40, 148.8, 6.3]


def test_the_usual_rate_is_the_median_of_what_was_seen():
    seen = sorted(
        rate.rate_per_device_hour
        for rate in load_failure_rates()
        if rate.verified and rate.counts == "failures"
    )
    assert seen == [1.5e-5, 1.98e-5, 3.39e-5, 8.4e-5]
    assert usual_failure_rate() == pytest.approx(sqrt(1.98e-5 * 3.39e-5))
    assert failure_rate_range() == (1.5e-5, 8.4e-5)


def test_what_cannot_be_is_refused():
    with pytest.raises(
        PlanError, match=r"failure settings are not possible[^$]*Stall of a save: a time above 0"
    ):
        Failures(stall_s=0)
    with pytest.raises(PlanError, match="counted on accelerators"):
        interruptions(0)
