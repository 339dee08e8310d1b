"""Which run would decide between laws: known answers of two laws, and invariances."""

from __future__ import annotations

import numpy as np
import pytest
from tests.fitting.helpers import chinchilla_table

from isoflop.fitting.extrapolation import extrapolate
from isoflop.planning.deciding import _left, deciding_runs

EVEN, APART = np.array([0.5, 0.5]), np.array([0.0, 1.0])


def left(apart: float, scatter: float = 1.0) -> float:
    """Return what is left after a run of which two laws of equal weight say 0 and ``apart``."""
    said = np.array([[0.0], [apart]])
    return float(_left(EVEN, APART, said, scatter)[0] / np.std(APART))


def test_a_run_of_which_laws_say_the_same_teaches_nothing() -> None:
    assert left(0.0) == pytest.approx(1.0)


def test_a_run_far_apart_decides_all() -> None:
    assert left(50.0) == pytest.approx(0.0, abs=1e-6)


def test_what_is_left_of_two_laws_is_the_expected_variance_of_a_coin() -> None:
    """By a fine sum over what is measured: E[p(1 - p)] against 1/4."""
    y, step = np.linspace(-12, 13, 200_001, retstep=True)
    zero, one = (np.exp(-((y - at) ** 2) / 2) / np.sqrt(2 * np.pi) for at in (0.0, 1.0))
    expected = np.sum(zero * one / (zero + one) / 2) * step
    assert left(1.0) == pytest.approx(np.sqrt(expected / 0.25), rel=2e-3)


def test_only_the_distance_in_scatters_counts() -> None:
    assert left(2.0, 1.0) == pytest.approx(left(0.02, 0.01))
    assert left(1.0) > left(2.0) > left(3.0)


def test_a_run_that_a_law_says_nothing_of_teaches_nothing() -> None:
    said = np.array([[0.0, 0.0], [np.nan, 9.0]])
    found = _left(EVEN, APART, said, 1.0) / np.std(APART)
    assert found[0] == pytest.approx(1.0)
    assert found[1] < 0.01


@pytest.mark.slow
def test_runs_decide_within_their_budget_and_the_target_is_the_tables() -> None:
    table = chinchilla_table(noise=0.004)
    asked = {"params": 1e11, "tokens": 1e13}
    dear = deciding_runs(table, **asked, spend_flop=1e23)
    assert 0 < dear.left[0] < 0.5
    assert (np.diff(dear.left) >= -0.011).all()
    assert (dear.n_runs * dear.compute_flop <= 1e23 * (1 + 1e-9)).all()
    ahead = extrapolate(table, N=1e11, D=1e13, C=6e24)
    centre = np.log(ahead.centre[0])
    spread = sum(law.weight * (np.log(law.loss[0]) - centre) ** 2 for law in ahead.laws_used)
    assert dear.disagreement == pytest.approx(np.sqrt(spread))
    assert "would decide most" in dear.summary()
