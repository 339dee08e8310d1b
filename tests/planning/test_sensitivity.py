"""The optimum against each row, the tail and the Huber delta: exact refits, batched."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from isoflop.fitting import FitOptions, fit
from isoflop.fitting.diagnose import Diagnostics, diagnostics
from isoflop.laws import load_laws
from isoflop.planning import compute_optimal
from isoflop.planning.sensitivity import (
    Along,
    Target,
    delta_curve,
    influence,
    leave_out_curve,
    optima,
    sensitivity_curve,
)
from isoflop.tables import LossTable, load_dataset, simulated_table

CHINCHILLA = load_laws()["chinchilla"]
TARGET = Target(compute_flop=5.76e23)


@pytest.fixture
def runs(mirror: Path) -> Diagnostics:
    table = load_dataset("chinchilla")
    return diagnostics(fit(CHINCHILLA, table), table)


def without(table: LossTable, rows: np.ndarray) -> LossTable:
    return table.with_frame(table.frame.drop(index=rows))


def test_exponent_of_the_optimal_size_is_that_of_the_law(runs: Diagnostics) -> None:
    """For Chinchilla's form, a = beta / (alpha + beta) at any budget."""
    found = optima(runs, np.stack([runs.fit.theta, 1.1 * runs.fit.theta]), TARGET)
    alpha, beta = runs.fit.values["alpha"], runs.fit.values["beta"]
    assert found.exponent == pytest.approx(beta / (alpha + beta), rel=1e-7)
    assert found.params[0] == pytest.approx(1.1868e11, rel=1e-4)


def test_unknown_parameters_and_laws_without_optimum_give_nothing(runs: Diagnostics) -> None:
    theta = np.stack([runs.fit.theta, np.full(5, np.nan)])
    assert np.isnan(optima(runs, theta, TARGET).params).tolist() == [False, True]
    table = simulated_table()
    setup = diagnostics(fit(load_laws()["kaplan_n"], table), table)
    assert np.isnan(optima(setup, setup.fit.theta, TARGET).params)


def test_influence_of_a_row_on_the_optimum_is_that_of_a_fit_without(runs: Diagnostics) -> None:
    found = influence(runs, TARGET)
    table = load_dataset("chinchilla")
    furthest = int(np.argmax(np.abs(np.log(found.without.params / found.with_all.params))))
    assert runs.rows.index[furthest] == 1
    theta = fit(CHINCHILLA, without(table, runs.rows.index[[furthest]])).theta
    exact = float(compute_optimal(CHINCHILLA, theta, TARGET.compute_flop).params)
    assert found.without.params[furthest] == pytest.approx(exact, rel=1e-4)


def test_dropping_the_highest_losses_one_by_one(runs: Diagnostics) -> None:
    """Without the five that the authors dropped, the optimum is at the published 73B."""
    curve = leave_out_curve(runs, TARGET)
    assert curve.optima.params[0] == pytest.approx(1.1868e11, rel=1e-4)
    assert curve.optima.params[5] == pytest.approx(7.3190e10, rel=1e-4)
    frame = curve.to_frame()
    assert frame.index.name == "highest_losses"
    assert frame.loc[5.0, "params"] == curve.optima.params[5]
    table = load_dataset("chinchilla")
    order = np.argsort(-runs.rows.target, kind="stable")
    for count in (2, int(curve.x[-1])):
        theta = fit(CHINCHILLA, without(table, runs.rows.index[order[:count]])).theta
        exact = float(compute_optimal(CHINCHILLA, theta, TARGET.compute_flop).params)
        assert curve.optima.params[count] == pytest.approx(exact, rel=1e-4)


def test_delta_runs_from_absolute_values_to_least_squares(runs: Diagnostics) -> None:
    curve = delta_curve(runs, TARGET)
    assert curve is not None
    assert np.all(np.diff(curve.x) > 0)
    assert np.isinf(curve.x[-1])
    own = int(np.flatnonzero(curve.x == curve.here)[0])
    assert curve.optima.params[own] == pytest.approx(1.1868e11, rel=1e-4)
    table = load_dataset("chinchilla")
    for i, options in (
        (0, FitOptions(huber_delta=float(curve.x[0]))),
        (20, FitOptions(huber_delta=float(curve.x[20]))),
        (-1, FitOptions(objective="least_squares_log")),
    ):
        theta = fit(CHINCHILLA, table, options).theta
        exact = float(compute_optimal(CHINCHILLA, theta, TARGET.compute_flop).params)
        assert curve.optima.params[i] == pytest.approx(exact, rel=1e-3)


def test_the_asymmetric_objective_has_no_delta() -> None:
    table = simulated_table()
    found = fit(CHINCHILLA, table, FitOptions(objective="asymmetric_mae"))
    assert delta_curve(diagnostics(found, table), TARGET) is None


def test_another_budget_costs_no_refit(monkeypatch: pytest.MonkeyPatch) -> None:
    table = simulated_table(design="grid", noise=0.003, seed=11)
    setup = diagnostics(fit(load_laws()["chinchilla"], table), table)

    def everything(flop: float) -> list[float]:
        target = Target(compute_flop=flop)
        curves = [sensitivity_curve(setup, target, along) for along in get_args(Along)]
        sizes = [curve.optima.params[-1] for curve in curves]
        return [*sizes, influence(setup, target).without.params[0]]

    first = everything(1e22)

    def refused(*args: object, **settings: object) -> None:
        raise AssertionError("a fit does not depend on the budget")

    for name in ("minimise", "anneal", "leave_out"):
        monkeypatch.setattr(f"isoflop.planning.sensitivity.{name}", refused)
    monkeypatch.setattr(Diagnostics, "refit", refused)
    assert np.all(np.array(everything(1e24)) > 2 * np.array(first))
