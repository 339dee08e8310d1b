"""What opens before anyone chooses: rules over measured properties, tested on made tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fitting.helpers import TRUTH, chinchilla_table, table_of

from isoflop.fitting.opening import families_to_fit, merits, opening_table, suited_law
from isoflop.tables import LossTable, list_datasets, load_dataset


def loss_of(params: np.ndarray, tokens: np.ndarray, floor: float = TRUTH["E"]) -> np.ndarray:
    size = TRUTH["A"] / params ** TRUTH["alpha"]
    return floor + size + TRUTH["B"] / tokens ** TRUTH["beta"]


def made(params: np.ndarray, tokens: np.ndarray, loss: np.ndarray, **more: object) -> LossTable:
    columns = {"params": params, "tokens": tokens, "loss": loss, **more}
    return table_of(compute_flop=6 * params * tokens, **columns)


def grid() -> tuple[np.ndarray, np.ndarray]:
    params, ratio = np.meshgrid(np.geomspace(1e8, 1e10, 6), np.geomspace(5, 200, 5))
    return params.ravel(), (params * ratio).ravel()


def test_a_grid_of_sizes_and_data_has_every_merit_but_a_known_unit() -> None:
    params, tokens = grid()
    found = merits(made(params, tokens, loss_of(params, tokens)))
    assert found.is_of_language_models
    assert found.varies_apart
    assert found.shows_floor
    assert found.has_one_row_a_run
    assert not found.has_one_unit
    assert found.doubts == ("the losses are not known to be of one unit and one tokenizer",)


def test_one_ratio_of_tokens_does_not_vary_apart() -> None:
    params = np.geomspace(1e8, 1e10, 12)
    found = merits(made(params, 20 * params, loss_of(params, 20 * params)))
    assert not found.varies_apart
    assert "determine no best size" in found.doubts[0]


def test_a_pure_power_law_shows_no_floor() -> None:
    params, tokens = grid()
    noise = np.random.default_rng(0).normal(0, 0.002, len(params))
    straight = np.exp(3 - 0.05 * np.log(params * tokens) + noise)
    assert not merits(made(params, tokens, straight)).shows_floor


def test_rows_that_lie_far_off_do_not_hide_the_floor() -> None:
    params, tokens = grid()
    noise = np.random.default_rng(0).normal(0, 0.002, len(params))
    loss = loss_of(params, tokens) * np.exp(noise)
    loss[:2] *= 1.3
    assert merits(made(params, tokens, loss)).shows_floor


def test_checkpoints_of_one_run_and_small_runs_are_no_merit() -> None:
    params, tokens = grid()
    found = merits(made(params, tokens, loss_of(params, tokens), run_id=["a"] * len(params)))
    assert not found.has_one_row_a_run
    small = merits(made(params / 1e5, tokens / 1e5, loss_of(params, tokens)))
    assert not small.is_of_language_models


@settings(max_examples=10)
@given(st.permutations(range(30)))
def test_the_order_of_rows_changes_no_merit(order: list[int]) -> None:
    params, tokens = grid()
    table = made(params, tokens, loss_of(params, tokens))
    assert merits(table.with_frame(table.frame.iloc[order])) == merits(table)


def test_families_of_other_tokenizers_are_not_pooled_unasked() -> None:
    params, tokens = grid()
    half = len(params) // 3
    names = ["a"] * half + ["b"] * (len(params) - half)
    table = made(params, tokens, loss_of(params, tokens), family=names)
    assert families_to_fit(table) == ()
    tokenizers = table.frame.assign(tokenizer=table.frame["family"].str.upper())
    assert families_to_fit(table.with_frame(tokenizers)) == ("b",)
    assert families_to_fit(load_dataset("pile-cerebras-pythia")) == ("Pythia",)


def test_the_best_of_the_catalog_opens(mirror: Path) -> None:
    """One unit, one row a run, sizes and data apart, a floor: two have all, one of more rows."""
    tables = [load_dataset(entry.id) for entry in list_datasets()]
    best = opening_table(tables)
    assert best.id == "chinchilla"
    ranks = {t.id: merits(t).rank for t in tables if "loss" in t.included()}
    assert ranks["datablations"][1] == ranks["chinchilla"][1] == 4
    assert opening_table([t for t in tables if t.id in ("isoflop-ladder", "pile-cerebras-pythia")])
    rest = [table for table in tables if table.id != best.id]
    assert opening_table(rest).id == "datablations"


@pytest.mark.slow
def test_the_law_of_a_table_is_that_of_lowest_aicc() -> None:
    found = suited_law(chinchilla_table(noise=0.004))
    assert found is not None
    assert found.key in ("chinchilla", "chinchilla_tied")


def test_accuracies_and_a_handful_of_rows_have_no_such_law(mirror: Path) -> None:
    assert suited_law(load_dataset("observational")) is None
    params, tokens = grid()
    assert suited_law(made(params[:3], tokens[:3], loss_of(params, tokens)[:3])) is None
