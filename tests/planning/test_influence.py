"""Which rows decide the compute-optimal size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isoflop.errors import FitError
from isoflop.fitting import FitOptions, fit
from isoflop.fitting.diagnose import Diagnostics, diagnostics, weights_without
from isoflop.laws import load_laws
from isoflop.planning import compute_optimal, influence
from isoflop.planning.influence import optimum_notices
from isoflop.planning.rule import SIX_ND
from isoflop.planning.sensitivity import Target, optimal_sizes
from isoflop.tables import LossTable, load_dataset, simulated_table

CHINCHILLA_FLOP = 5.76e23


def without(table: LossTable, positions: list[int] | np.ndarray) -> LossTable:
    frame = table.frame.drop(index=table.frame.index[positions])
    return table.with_frame(frame)


@pytest.fixture
def chinchilla_runs(mirror: Path) -> LossTable:
    return load_dataset("chinchilla")


def test_five_rows_move_the_optimum_of_the_chinchilla_runs(chinchilla_runs: LossTable) -> None:
    law = load_laws()["chinchilla"]
    (notice,) = optimum_notices(fit(law, chinchilla_runs), chinchilla_runs, CHINCHILLA_FLOP)
    assert notice.code == "outliers-move-optimum"
    assert notice.severity == "serious"
    assert notice.text == (
        "The 5 rows of highest loss move the compute-optimal size at 5.76e23 FLOP from 73.2B to "
        "119B parameters."
    )
    assert "rows 1, 2, 3, 4, 5" in notice.remedy


def test_its_figures_are_those_of_fits_from_scratch(chinchilla_runs: LossTable) -> None:
    law = load_laws()["chinchilla"]
    highest = np.argsort(-chinchilla_runs.values("loss"))[:5]
    for table, params in (
        (chinchilla_runs, 118.68e9),
        (without(chinchilla_runs, highest), 73.19e9),
    ):
        theta = fit(law, table).theta
        found = float(compute_optimal(law, theta, CHINCHILLA_FLOP).params)
        assert found == pytest.approx(params, rel=1e-3)


def test_nothing_to_say_without_the_five_rows(chinchilla_runs: LossTable) -> None:
    highest = np.argsort(-chinchilla_runs.values("loss"))[:5]
    table = without(chinchilla_runs, highest)
    assert optimum_notices(fit(load_laws()["chinchilla"], table), table, CHINCHILLA_FLOP) == ()


def test_one_planted_row_is_named() -> None:
    table = simulated_table(design="grid", noise=0.002, seed=3)
    law = load_laws()["chinchilla"]
    assert optimum_notices(fit(law, table), table, 1e23) == ()
    frame = table.frame.copy()
    planted = 8  # the smallest model with the most tokens but seven
    frame.loc[planted, "loss"] *= 1.3
    spoilt = table.with_frame(frame)
    options = FitOptions(objective="least_squares_log")
    (notice,) = optimum_notices(fit(law, spoilt, options), spoilt, 1e23)
    assert f"row {planted}:" in notice.remedy


def test_laws_without_an_optimum_have_nothing_to_move() -> None:
    table = simulated_table()
    for key in ("power_floor", "kaplan_n", "multiplicative"):
        found = fit(load_laws()[key], table)
        assert optimum_notices(found, table, 1e22) == ()


def test_a_fit_that_is_no_optimum_of_these_rows_is_left_alone(chinchilla_runs: LossTable) -> None:
    fitted = fit(load_laws()["chinchilla"], chinchilla_runs)
    published = replace(fitted, values={**fitted.values, "E": 1.7})
    assert optimum_notices(published, chinchilla_runs, CHINCHILLA_FLOP) == ()


def test_a_fit_of_other_rows_is_refused(chinchilla_runs: LossTable) -> None:
    fitted = fit(load_laws()["chinchilla"], chinchilla_runs)
    with pytest.raises(FitError, match="made on other rows than those of simulated"):
        optimum_notices(fitted, simulated_table(), CHINCHILLA_FLOP)


def test_another_budget_costs_no_refit(
    chinchilla_runs: LossTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = fit(load_laws()["chinchilla"], chinchilla_runs)
    refits: list[int] = []
    refit = Diagnostics.refit

    def counted(setup: Diagnostics, weights: np.ndarray, *args: np.ndarray) -> np.ndarray:
        refits.append(len(weights))
        return refit(setup, weights, *args)

    monkeypatch.setattr(Diagnostics, "refit", counted)
    (first,) = optimum_notices(fitted, chinchilla_runs, CHINCHILLA_FLOP)
    refits.clear()
    for factor in (0.01, 0.9, 100.0):
        (notice,) = optimum_notices(fitted, chinchilla_runs, factor * CHINCHILLA_FLOP)
        assert notice.code == first.code
        assert notice.text != first.text
    assert refits == []


def test_the_row_that_matters_is_refitted_at_any_budget(chinchilla_runs: LossTable) -> None:
    """Which single rows are refitted does not depend on the budget: none may be missed at one."""
    law = load_laws()["chinchilla"]
    table = without(chinchilla_runs, np.argsort(-chinchilla_runs.values("loss"))[:5])
    fitted = fit(law, table)
    setup = diagnostics(fitted, table)
    n_rows = setup.problem.n_rows
    theta = setup.refit(weights_without([np.array([i]) for i in range(n_rows)], n_rows))
    likely = influence._likely_rows(fitted, table, (), SIX_ND)
    assert len(likely) < n_rows / 2
    for flop in (1e18, 1e21, 3e23, 1e26):
        sizes = optimal_sizes(fitted, theta, Target(compute_flop=flop))
        with_all = float(compute_optimal(law, fitted.theta, flop).params)
        assert int(np.argmax(np.abs(np.log(sizes / with_all)))) in likely
