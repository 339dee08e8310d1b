"""What all laws of a table say of a plan: known answers, and what is left unsaid."""

from __future__ import annotations

import pickle
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.fitting.helpers import TRUTH, chinchilla_table

from isoflop.errors import PlanError
from isoflop.fitting import Fit, FitOptions, fit
from isoflop.fitting.extrapolation import extrapolate, pool
from isoflop.laws import load_laws
from isoflop.planning import Budget, compute_optimal, find_accelerator, plan
from isoflop.planning.agreement import size_agreement
from isoflop.planning.outlook import _ahead, outlook
from isoflop.tables import LossTable

FLOP = 1e23
CHINCHILLA = load_laws()["chinchilla"]
pytestmark = pytest.mark.slow  # nine laws, each fitted with its draws


@pytest.fixture(scope="module")
def table() -> LossTable:
    return chinchilla_table(noise=0.004)


@pytest.fixture(scope="module")
def fitted(table: LossTable) -> Fit:
    return fit(CHINCHILLA, table, FitOptions(n_bootstrap=100))


def planned(fitted: Fit, **budget: float):
    return plan(fitted, Budget(compute_flop=FLOP, **budget), find_accelerator("h100-sxm"))


def test_the_mixture_holds_the_true_size_and_every_law_with_an_optimum(table: LossTable) -> None:
    found = size_agreement(pool(table), FLOP)
    theta = np.array([TRUTH[name] for name in CHINCHILLA.param_names])
    true = float(compute_optimal(CHINCHILLA, theta, FLOP).params)
    assert found.lower < true < found.upper
    assert found.lower < found.params < found.upper
    assert found.factor == pytest.approx(np.sqrt(found.upper / found.lower))
    tokens = [found.tokens_upper, found.tokens, found.tokens_lower]
    sizes = [found.lower, found.params, found.upper]
    assert [6 * n * d for n, d in zip(sizes, tokens, strict=True)] == pytest.approx([FLOP] * 3)
    keys = [law.key for law in found.laws]
    assert "chinchilla" in keys
    assert not {"power", "power_floor", "shifted_power", "multiplicative"} & set(keys)


def test_a_wrong_size_costs_what_the_laws_say(table: LossTable) -> None:
    """Against the true law, whose excess at the ends of the range is worked out by hand."""
    found = size_agreement(pool(table), FLOP)
    theta = np.array([TRUTH[name] for name in CHINCHILLA.param_names])

    def loss(params: float) -> float:
        at = {"N": np.array([params]), "D": np.array([FLOP / 6 / params])}
        return float(CHINCHILLA.loss(theta, at)[0])

    best = float(compute_optimal(CHINCHILLA, theta, FLOP).params)
    worst = max(loss(found.lower), loss(found.upper)) / loss(best) - 1
    assert 0 < found.excess == pytest.approx(worst, rel=0.8)
    assert f"{found.excess:.2%} above its minimum" in found.verdict()


def test_no_law_with_an_optimum_is_an_error(table: LossTable) -> None:
    frame = table.included().drop(columns=["tokens"])
    with pytest.raises(PlanError, match="No law fitted to test has a compute-optimal size"):
        size_agreement(pool(table.with_frame(frame.drop(columns=["params"]))), FLOP)


def test_the_laws_of_a_table_come_back_from_another_process(table: LossTable, fitted: Fit) -> None:
    voices = pickle.loads(pickle.dumps(pool(table)))
    assert all(one.fit.table is voices.members.table for one in voices.members.found)
    best = planned(fitted)
    assert outlook(table, best, voices=voices) == outlook(table, best)


def test_one_law_alone_asks_no_others(table: LossTable, fitted: Fit) -> None:
    best = planned(fitted)
    assert outlook(table, best, alone=fitted).sizes is None
    assert outlook(table, best, alone=fitted, voices=pool(table)).sizes is not None


def test_a_plan_is_predicted_where_it_lies(table: LossTable, fitted: Fit) -> None:
    best = planned(fitted)
    seen = outlook(table, best)
    assert seen.ahead is not None
    expected = extrapolate(table, N=best.params, D=best.tokens, C=best.compute_flop)
    assert seen.ahead.centre[0] == pytest.approx(expected.centre[0])
    told = seen.told(best)
    assert told.loss == seen.ahead.centre[0]
    assert told.loss_interval is not None
    assert told.loss_interval.lower == seen.ahead.lower[0]
    assert told.params == best.params
    assert seen.sizes is not None
    assert seen.sizes.lower < best.params < seen.sizes.upper


def test_one_fit_alone_predicts_what_it_planned(table: LossTable, fitted: Fit) -> None:
    best = planned(fitted)
    seen = outlook(table, best, alone=fitted)
    assert seen.ahead is not None
    assert seen.ahead.method == "one"
    assert seen.ahead.centre[0] == pytest.approx(best.loss)
    assert best.loss_interval is not None
    assert seen.ahead.upper[0] - seen.ahead.lower[0] > (
        best.loss_interval.upper - best.loss_interval.lower
    )


def test_what_the_laws_do_not_know_is_left_to_the_plans_own(table: LossTable, fitted: Fit) -> None:
    repeating = planned(fitted, unique_tokens=1e11)
    assert repeating.epochs > 2
    seen = outlook(table, repeating)
    assert seen.ahead is None
    assert "repeats tokens" in seen.reason
    assert seen.told(repeating) is repeating


def test_laws_that_know_nothing_of_repetition_do_not_speak_beside_one_that_does(
    fitted: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would take repeated tokens for new ones."""
    law = load_laws()["data_constrained"]
    one, other = (SimpleNamespace(fit=SimpleNamespace(law=each)) for each in (fitted.law, law))
    voices: Any = SimpleNamespace(members=SimpleNamespace(found=(one, other), scale="compute_flop"))
    repeating = planned(fitted, unique_tokens=1e11)
    with pytest.raises(PlanError, match="other laws of this table do not model"):
        _ahead(voices, repeating, None)
    asked: Any = SimpleNamespace(members=SimpleNamespace(found=(other,), scale="compute_flop"))
    monkeypatch.setattr("isoflop.planning.outlook.predict_with", lambda _, at: at)
    at: Any = _ahead(asked, repeating, None)
    assert at["unique_tokens"] == pytest.approx(1e11)


def test_a_size_that_is_not_compute_optimal_is_not_judged(table: LossTable, fitted: Fit) -> None:
    served = planned(fitted, lifetime_inference_tokens=1e12)
    assert outlook(table, served).sizes is None
    assert outlook(table, replace(planned(fitted), basis="chosen")).sizes is None
