"""The prediction that a forecast is made on."""

from __future__ import annotations

import numpy as np
import pytest

from isoflop.errors import FitError
from isoflop.fitting import band
from isoflop.forecast import fit_ladder, predict_run
from isoflop.laws import laws_for
from isoflop.tables import load_dataset
from isoflop.tables.schema import LossTable
from isoflop.tables.select import of_families
from isoflop.training.benchmark_table import DATASET, SEED_WIDTH, benchmark_configs
from isoflop.training.config import FAMILIES, RunConfig


@pytest.fixture(scope="module")
def table() -> LossTable:
    return of_families(load_dataset(DATASET), ["dense"])


def target(**changes: object) -> RunConfig:
    fields = {"family": "dense", "width": 96, "depth": 3, "token_budgets": (2**22,)}
    return RunConfig(**(fields | changes))


def test_the_prediction_is_the_laws_and_the_band_holds_it(table: LossTable) -> None:
    fitted = fit_ladder("chinchilla", table, n_draws=200)
    made = predict_run(fitted, target(), vocab_size=170, table=table)
    e, a, b, alpha, beta = (fitted.values[name] for name in ("E", "A", "B", "alpha", "beta"))
    assert made.params == 170 * 96 + 8 * 96**2 + 3 * (8 * 96**2 + 96) + 96
    assert made.tokens == 2**22
    assert made.loss == pytest.approx(e + a / made.params**alpha + b / made.tokens**beta)
    assert made.lower < made.loss < made.upper
    assert made.extrapolation > 1


def test_the_band_is_widened_for_few_runs_once(table: LossTable) -> None:
    """It was widened here again by what the band of whole runs had in it already."""
    fitted = fit_ladder("chinchilla", table, n_draws=200)
    made = predict_run(fitted, target(), vocab_size=170, table=table)
    at = {"N": np.array([made.params]), "D": np.array([made.tokens])}
    plain = band(fitted, at, level=0.9, kind="prediction")
    assert (made.lower, made.upper) == (plain.lower[0], plain.upper[0])


@pytest.mark.parametrize("n_runs", [1, 2])
def test_one_or_two_runs_predict_nothing(table: LossTable, n_runs: int) -> None:
    kept = table.included()["run_id"].unique()[:n_runs]
    few = table.with_frame(table.frame[table.frame["run_id"].isin(kept)])
    with pytest.raises(FitError, match="at least 3 runs"):
        predict_run(fit_ladder("chinchilla", table), target(), vocab_size=170, table=few)


def test_a_fit_without_draws_has_a_band_too(table: LossTable) -> None:
    fitted = fit_ladder("chinchilla", table)
    assert predict_run(fitted, target(), vocab_size=170, table=table).lower > 0


def test_the_shipped_table_is_what_its_command_trains() -> None:
    frame = load_dataset(DATASET).frame
    wanted = {
        (config.family, config.width, config.seed, steps * config.tokens_per_step)
        for config in benchmark_configs()
        for steps in config.budget_steps
    }
    there = set(zip(frame["family"], frame["width"], frame["seed"], frame["tokens"], strict=True))
    assert there == wanted
    assert len(frame) == len(wanted) == 175


@pytest.mark.parametrize("family", FAMILIES)
def test_the_best_law_leaves_no_more_than_seeds_do(family: str) -> None:
    """The residual of the interaction law is within 1.6 times the noise of three seeds."""
    table = of_families(load_dataset(DATASET), [family])
    frame = table.frame
    repeats = frame[frame["width"] == SEED_WIDTH]
    spread = np.log(repeats["loss"]).groupby(repeats["tokens"]).std(ddof=1)
    noise = float(np.sqrt((spread**2).mean()))
    fits = {law.key: fit_ladder(law.key, table) for law in laws_for("small-runs")}
    assert min(fits, key=lambda law: fits[law].residual_std) == "interaction"
    assert fits["interaction"].residual_std < 1.6 * noise
    assert fits["interaction"].residual_std < 0.0085
