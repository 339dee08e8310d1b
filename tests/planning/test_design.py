"""Which runs to train next: the criteria, the search, and the refits that decide."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations_with_replacement

import numpy as np
import pandas as pd
import pytest

from isoflop.errors import PlanError
from isoflop.fitting import FitOptions, fit
from isoflop.fitting.diagnose import Diagnostics, diagnostics
from isoflop.laws import load_laws, typed_law
from isoflop.planning.design import design_runs, noise_of_one_run
from isoflop.planning.gain import Runs, expected_gain, refit_with
from isoflop.planning.selection import AsFitted, OverDraws, best_set
from isoflop.planning.sensitivity import Target
from isoflop.tables import LossTable, simulated_table
from isoflop.tables.schema import Provenance

CHINCHILLA = load_laws()["chinchilla"]
TARGET = Target(compute_flop=1e24)


@pytest.fixture(scope="module")
def small() -> Diagnostics:
    """A fit to runs up to 1e20 FLOP, whose band at 1e24 is wide."""
    table = simulated_table(n_rows=40, noise=0.005, compute_flop=(1e18, 1e20), seed=2)
    options = FitOptions(objective="least_squares_log", n_bootstrap=400, bootstrap="rows")
    return diagnostics(fit(CHINCHILLA, table, options), table)


@pytest.fixture(scope="module")
def proposal(small: Diagnostics):
    return design_runs(small, TARGET, spend_flop=1e21)


# --- The criteria, on a straight line where everything is known ----------------------------------


def line(n_rows: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Return the design matrix of rows on a line, and of candidates further out."""
    rows = np.column_stack([np.ones(n_rows), np.linspace(0, 1, n_rows)])
    return rows, np.column_stack([np.ones(6), np.linspace(-1, 4, 6)])


def criteria(noise: float = 0.3) -> tuple[OverDraws, AsFitted, np.ndarray]:
    rows, runs = line()
    target = np.array([1.0, 10.0])
    covariance = noise**2 * np.linalg.inv(rows.T @ rows)
    together = np.vstack([target, runs])
    return (
        OverDraws(covariance=together @ covariance @ together.T, noise_variance=noise**2),
        AsFitted(
            target=target,
            runs=runs,
            information=rows.T @ rows,
            covariance=covariance,
            noise_variance=noise**2,
        ),
        runs,
    )


@pytest.mark.parametrize("known", [[], [2], [5, 5, 0]])
def test_both_criteria_are_least_squares_on_a_straight_line(known: list[int]) -> None:
    """Where the draws scatter as the residuals say, both are the textbook variance."""
    over_draws, as_fitted, runs = criteria()
    rows, _ = line()
    target, noise = as_fitted.target, 0.3
    for candidate in range(len(runs)):
        design = np.vstack([rows, runs[known], runs[candidate]])
        textbook = noise**2 * target @ np.linalg.inv(design.T @ design) @ target
        for criterion in (over_draws, as_fitted):
            found = criterion.variances(np.array(known, dtype=int))[candidate]
            assert found == pytest.approx(textbook, rel=1e-9)


def test_the_search_finds_the_best_set_of_all() -> None:
    over_draws, as_fitted, runs = criteria()
    cost = np.array([1.0, 2.0, 3.0, 4.0, 6.0, 8.0])
    budget = 12.0
    for criterion in (over_draws, as_fitted):
        for count in (1, 2, 3):
            found = best_set(criterion, cost, budget, count)
            assert cost[found].sum() <= budget

            def variance(chosen: tuple[int, ...] | np.ndarray, by: object = criterion) -> float:
                known = np.array(chosen)
                return float(by.variances(known[:-1])[known[-1]])  # type: ignore[attr-defined]  # either

            feasible = [
                chosen
                for chosen in combinations_with_replacement(range(len(runs)), count)
                if cost[list(chosen)].sum() <= budget
            ]
            assert variance(found) == pytest.approx(min(map(variance, feasible)), rel=1e-9)


# --- Refits ---------------------------------------------------------------------------------------


def test_refits_leave_the_variance_that_theory_says() -> None:
    """Least squares on a line: the refits' errors have the textbook covariance."""
    random = np.random.default_rng(0)
    size = np.linspace(1.0, 2.0, 40)
    frame = pd.DataFrame(
        {"params": size, "tokens": size, "loss": 5 - size + 0.1 * random.standard_normal(40)}
    )
    table = LossTable(id="line", frame=frame, provenance=Provenance(title=""))
    law = typed_law("b0 + b1*N", ["params", "tokens", "loss"])
    options = FitOptions(objective="least_squares", n_bootstrap=2000)
    setup = diagnostics(fit(law, table, options), table)
    runs = Runs(params=np.full(10, 4.0), tokens=np.ones(10), compute_flop=np.full(10, 24.0))
    truths, refits = refit_with(setup, runs, TARGET, n_draws=2000)
    rows = np.column_stack([np.ones(40), size])
    added = np.column_stack([np.ones(10), runs.params])
    inverse = np.linalg.inv(rows.T @ rows + added.T @ added)
    score = rows.T @ rows @ np.cov(truths, rowvar=False) @ rows.T @ rows
    noise = noise_of_one_run(setup)
    expected = inverse @ (score + noise**2 * added.T @ added) @ inverse
    assert np.cov(refits - truths, rowvar=False) == pytest.approx(expected, rel=0.1)


def test_outlook_before_is_the_band_of_the_draws(small: Diagnostics) -> None:
    runs = Runs(params=np.array([1e9]), tokens=np.array([2e10]), compute_flop=np.array([1.2e20]))
    found = expected_gain(small, runs, TARGET)
    assert small.fit.draws is not None
    best = {"N": 1.0, "D": 1.0}
    best["N"] = float(found.size.centre[0])
    best["D"] = TARGET.compute_flop / 6 / best["N"]
    losses = CHINCHILLA.loss(small.fit.draws, best)
    # The best size is located to about 1e-7 of itself.
    assert found.loss.before.ravel() == pytest.approx(np.quantile(losses, [0.05, 0.95]), rel=1e-7)
    assert found.n_draws == 400
    after = found.loss.after.ravel()
    assert after[0] < found.loss.centre[0] < after[1]


def test_the_same_seed_gives_the_same_outlook(small: Diagnostics) -> None:
    runs = Runs(params=np.array([1e9]), tokens=np.array([2e10]), compute_flop=np.array([1.2e20]))
    first, second = (expected_gain(small, runs, TARGET, n_draws=100) for _ in range(2))
    assert first.loss_left == second.loss_left


# --- The proposal ---------------------------------------------------------------------------------


def test_proposed_runs_keep_to_the_budget_and_the_range(proposal) -> None:
    runs = proposal.runs
    assert runs.compute_flop.sum() <= 1e21 * (1 + 1e-9)
    assert runs.compute_flop == pytest.approx(6 * runs.params * runs.tokens)
    ratio = runs.tokens / runs.params
    assert ((ratio > 1.99) & (ratio < 501)).all()
    assert np.all(np.diff(runs.compute_flop) <= 0)


def test_proposed_runs_shrink_the_band_more_than_one_optimal_run(
    small: Diagnostics, proposal
) -> None:
    confirmed = expected_gain(small, proposal.runs, TARGET)
    assert confirmed.loss_left < 0.85
    assert proposal.left.min() < proposal.left_single + 0.01
    width = np.diff(confirmed.loss.after, axis=0) / np.diff(confirmed.loss.before, axis=0)
    assert confirmed.loss_left == pytest.approx(width.item(), rel=0.05)


def test_more_budget_leaves_less_doubt(small: Diagnostics) -> None:
    left = [
        design_runs(small, TARGET, spend_flop=flop, n_runs=3).left.min() for flop in (1e20, 1e22)
    ]
    assert left[1] < left[0] - 0.1


def test_runs_for_the_size_vary_the_ratio(small: Diagnostics) -> None:
    """What the optimal size hangs on is told by runs off the optimum, not along it."""
    found = design_runs(small, TARGET, spend_flop=1e21, n_runs=4, aim="size")
    ratio = found.runs.tokens / found.runs.params
    assert ratio.max() / ratio.min() > 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spend_flop": 0.0}, "budget of the runs must be positive"),
        ({"spend_flop": np.inf}, "budget of the runs must be positive and finite"),
        ({"n_runs": 0}, "Between 1 and 8 runs"),
        ({"n_runs": 99}, "Between 1 and 8 runs"),
        ({"tokens_per_param": (20.0, 20.0)}, "no range"),
    ],
)
def test_senseless_wishes_are_refused(
    small: Diagnostics, change: dict[str, object], message: str
) -> None:
    with pytest.raises(PlanError, match=message):
        design_runs(small, TARGET, **({"spend_flop": 1e21} | change))  # type: ignore[arg-type]  # bad on purpose


def test_fits_that_cannot_tell_are_refused(small: Diagnostics) -> None:
    without = replace(small, fit=replace(small.fit, draws=None))
    with pytest.raises(PlanError, match="0 usable bootstrap draws"):
        design_runs(without, TARGET, spend_flop=1e21)
    table = simulated_table(n_rows=40)
    options = FitOptions(n_bootstrap=100)
    setup = diagnostics(fit(load_laws()["kaplan_n"], table, options), table)
    with pytest.raises(PlanError, match="no compute-optimal model size"):
        design_runs(setup, TARGET, spend_flop=1e21)
    with pytest.raises(PlanError, match="below a single training step"):
        design_runs(small, TARGET, spend_flop=10.0)
