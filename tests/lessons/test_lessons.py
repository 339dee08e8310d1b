"""The tour's lessons: known answers, and that each sentence has its figures."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from isoflop import lessons
from isoflop.lessons import (
    BandOfRuns,
    BudgetOfProfile,
    Decade,
    Floor,
    HeldBack,
    PowerLaw,
    Spread,
    Steps,
)
from isoflop.lessons.growth import families
from isoflop.reference import load_stops

LESSONS = {
    "power": partial(lessons.power_curve, PowerLaw()),
    "floor": partial(lessons.floor_curve, Floor()),
    "early_stop": partial(lessons.early_stop, Steps()),
    "both_vary": partial(lessons.both_vary, Spread()),
    "isoflop": partial(lessons.profile, BudgetOfProfile()),
    "band": partial(lessons.new_runs, BandOfRuns()),
    "decade": partial(lessons.decade_cost, Decade()),
    "growth": partial(lessons.growth, HeldBack()),
}


def test_every_stop_is_a_lesson() -> None:
    assert list(LESSONS) == list(load_stops())


@pytest.mark.parametrize("key", LESSONS)
def test_a_lesson_finds_what_its_sentences_leave_open(key: str) -> None:
    said = load_stops()[key].sentences(LESSONS[key]().facts)
    assert not any(bad in sentence for sentence in said for bad in ("nan", "inf", "{"))


def test_a_decade_multiplies_a_power_law() -> None:
    curve = lessons.power_curve(PowerLaw(factor=2.0, exponent=-0.5))
    assert curve.y[0] == 2.0
    assert curve.y[-1] == pytest.approx(2 / np.sqrt(1000))
    assert curve.facts["per_decade"] == "0.316"


def test_without_a_floor_the_line_is_the_law() -> None:
    curve = lessons.floor_curve(Floor(loss=0.0))
    np.testing.assert_allclose(curve.line, curve.loss, rtol=1e-12)
    assert curve.facts["miss"] == "0%"


def test_with_a_floor_the_line_falls_below_it() -> None:
    curve = lessons.floor_curve(Floor(loss=1.8))
    assert curve.line[-1] < curve.floor < curve.loss[-1]


def test_a_search_that_reports_success_is_not_at_the_optimum() -> None:
    """Besiroglu et al. 2024: the usual tolerances on a mean of Huber losses end it too early."""
    own = lessons.early_stop(Steps()).own_steps
    stopped, later = (lessons.early_stop(Steps(steps=steps)) for steps in (own, 80))
    assert stopped.typical_residual > 1.5 * stopped.best_residual
    assert abs(stopped.loss[-1] / stopped.best_loss[-1] - 1) > 0.03
    assert abs(later.loss[-1] / later.best_loss[-1] - 1) < 0.02


def test_spreading_the_runs_narrows_the_best_size() -> None:
    narrow, wide = (lessons.both_vary(Spread(factor=factor)) for factor in (2.0, 32.0))
    assert narrow.upper / narrow.lower > 3 * wide.upper / wide.lower
    assert wide.lower < wide.truth < wide.upper


def test_a_profile_is_lowest_at_the_compute_optimal_size() -> None:
    found = lessons.profile(BudgetOfProfile(compute_flop=1e22))
    chosen = found.chosen
    assert chosen.params[np.argmin(chosen.loss)] == pytest.approx(chosen.best_params, rel=0.04)
    assert min(found.off) > 0.03


def test_a_wider_level_holds_more_new_runs() -> None:
    half, most = (lessons.new_runs(BandOfRuns(level=level)) for level in (0.5, 0.99))
    assert half.is_held.mean() < most.is_held.mean()
    assert half.is_in_mean.mean() < half.is_held.mean()


@pytest.mark.slow
def test_over_seeds_the_band_holds_about_its_level() -> None:
    """21 fits of 16 runs: the mean coverage has a standard error of about 1%."""
    held = [lessons.new_runs(BandOfRuns(seed=seed)).is_held.mean() for seed in range(21)]
    assert 0.87 < np.mean(held) < 0.95


def test_errors_grow_with_the_distance() -> None:
    near, far = (lessons.decade_cost(Decade(decades=decades)).there for decades in (0.5, 1.5))
    assert near["mean_error"].median() < far["mean_error"].median()


def test_growth_is_neither_linear_nor_exponential() -> None:
    """Pythia's eight sizes on the Pile, the largest decade of compute held out."""
    found = lessons.growth(HeldBack())
    errors = {form.label: round(100 * form.error, 1) for form in found.forms}
    assert (found.n_fitted, found.n_held_out) == (4, 4)
    assert errors["Linear"] == 104.3
    assert errors["Exponential saturation"] == 9.9
    assert found.forms[0].label == "Power law with floor"
    assert errors["Power law with floor"] == 1.2


@pytest.mark.slow
def test_every_series_can_be_asked() -> None:
    for family in families():
        for decades in (0.5, 1.0):
            found = lessons.growth(HeldBack(family=family, decades=decades))
            assert found.forms[0].label.startswith("Power law")
