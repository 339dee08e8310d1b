"""Files that were read wrong in silence: each is read right, or asked about with its answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from isoflop.errors import TableError, TableQuestion
from isoflop.tables import ReadResult, read_table
from isoflop.tables.shapes import merge_seeds, reduce_curves

CASES = Path(__file__).parent / "cases"


def case(name: str, **said: Mapping[str, str]) -> ReadResult:
    return read_table(CASES / name, **said)  # type: ignore[arg-type]  # columns and units


def question(name: str, **said: Mapping[str, str]) -> TableQuestion:
    with pytest.raises(TableQuestion) as caught:
        case(name, **said)
    return caught.value


def first(result: ReadResult, column: str) -> float:
    return float(result.table.values(column)[0])


def codes(result: ReadResult) -> set[str]:
    return {notice.code for notice in result.notices}


# --- Ratios, speeds and one pass ---


def test_a_speed_is_no_compute() -> None:
    result = case("flop_per_second.csv")
    assert result.table.values("FLOP/s")[0] == 2.1e14
    np.testing.assert_allclose(result.table.values("compute_flop")[0], 6 * 2e7 * 4e8)
    assert "6" in result.table.provenance.derived_columns["compute_flop"]


def test_compute_per_token_is_no_tokens() -> None:
    result = case("flops_per_token.csv")
    np.testing.assert_allclose(result.table.values("tokens")[0], 3e17 / 1.5e8)
    grid = case("flops_per_token_grid.csv").table
    np.testing.assert_allclose((grid.values("tokens") / grid.values("params"))[:2], [8, 40])


def test_compute_of_one_pass_is_no_training_compute() -> None:
    table = case("model_gflops.csv").table
    assert "compute_flop" not in table.frame
    assert table.values("model_gflops").tolist() == [5.5, 5.5, 14.9, 14.9, 59.7]


def test_experts_count_compute_by_active_parameters() -> None:
    table = case("moe_total_active.csv").table
    assert table.values("params_active")[0] == 1.5e8
    assert table.values("params")[0] == 1.8e9
    np.testing.assert_allclose(table.values("compute_flop")[0], 6 * 1.5e8 * 3e9)


# --- Which column ---


def test_the_total_of_all_devices_goes_before_that_of_one() -> None:
    result = case("litgpt_metrics.csv")
    assert result.table.values("tokens").tolist() == [104857600, 209715200, 314572800]
    role = result.mapping.role_of("tokens")
    assert role is not None
    assert role.rivals == ("tokens",)
    assert "goes before tokens" in role.reason
    assert result.table.values("epochs").tolist() == [1, 1, 1]  # an index from 0
    assert result.table.values("unique_tokens").tolist() == [104857600, 209715200, 314572800]


def test_a_fuller_column_goes_before_an_emptier_and_none_costs_a_row() -> None:
    result = case("sparse_first_row.csv")
    table = result.table
    assert table.values("params").tolist() == [36e6, 36e6, 55e6, 55e6]
    assert table.values("tokens").tolist() == [1.5e9, 3e9, 1.5e9, 3e9]
    assert table.values("compute_flop").tolist() == [3.2e17, 6.5e17, 5e17, 9.9e17]
    assert table.values("loss").tolist() == [4.10, 3.95, 3.90, 3.75]
    assert table.values("params_nonembedding").tolist() == [1e7, 1e7, 2e7, 2e7]


def test_a_name_that_models_of_several_sizes_share_is_a_group() -> None:
    result = case("experiment_is_group.csv")
    assert "run_id" not in result.table.frame
    assert set(result.table.frame["family"]) == {"corpusA__std", "corpusB__std"}
    assert len(result.table.included()) == 48
    role = result.mapping.role_of("compute_flop")
    assert role is not None
    assert role.header == "budget"
    assert "agrees with 6 N D" in role.reason


def test_a_loss_of_a_suite_and_of_a_group_of_runs_is_a_loss() -> None:
    result = case("wandb_macro_loss.csv")
    assert first(result, "loss") == 3.8
    np.testing.assert_allclose(first(result, "compute_flop"), 4.5e18)
    assert first(case("wandb_group_chart.csv"), "loss") == 6.9


@pytest.mark.parametrize("said", [{}, {"columns": {"Training compute (FLOP)": "compute_flop"}}])
def test_hardware_is_no_score(said: Mapping[str, Mapping[str, str]]) -> None:
    with pytest.raises(TableError, match="no loss column"):
        case("notable_models_no_loss.csv", **said)


def test_losses_of_equal_standing_are_asked_about() -> None:
    error = question("hf_trainer_tokens.json")
    assert error.choices == {
        "eval_c4_loss": "--column eval_c4_loss=loss",
        "eval_wikitext_loss": "--column eval_wikitext_loss=loss",
    }
    result = case("hf_trainer_tokens.json", columns={"eval_wikitext_loss": "loss"})
    assert result.table.values("loss").tolist() == [6.0, 4.9, 4.4]
    assert result.table.values("tokens").tolist() == [3276800, 6553600, 9830400]
    assert result.table.values("compute_flop").tolist() == [1.4e15, 2.7e15, 4.1e15]


# --- In which unit ---


@pytest.mark.parametrize(
    ("name", "expected"), [("params_millions_bare.csv", 111e6), ("params_millions_grid.csv", 3e8)]
)
def test_parameters_in_millions_are_asked_about(name: str, expected: float) -> None:
    error = question(name)
    assert error.summary == "In which unit is params?"
    assert next(iter(error.choices.items())) == ("millions", "--unit params=M")
    assert first(case(name, units={"params": "M"}), "params") == expected
    as_it_stands = case(name, units={"params": "1"})
    assert first(as_it_stands, "params") == expected / 1e6


def test_a_log_loss_is_the_cross_entropy() -> None:
    assert case("log_loss.csv").table.values("loss").tolist() == [4.10, 3.62, 3.15, 2.84]
    assert first(case("log_loss_grid.csv"), "loss") == 0.9138


def test_a_perplexity_beside_a_loss_tells_its_base() -> None:
    result = case("fairseq_base2.jsonl")
    np.testing.assert_allclose(first(result, "loss"), 8 * math.log(2))
    role = result.mapping.role_of("loss")
    assert role is not None
    assert "2 to its power" in role.reason


# --- Runs ---


def test_checkpoints_without_a_column_of_runs_are_found() -> None:
    result = case("checkpoints_no_run_name.csv")
    table = result.table
    assert table.values("step").tolist()[:4] == [50, 100, 200, 400]
    assert table.frame["run_id"].nunique() == 12
    assert "runs-found" in codes(result)
    assert "total_steps" in table.provenance.derived_columns["run_id"]
    ends = reduce_curves(table, "last").frame
    assert len(ends) == 12
    assert (ends["step"] == ends["total_steps"]).all()


def test_trials_of_one_setting_are_seen_and_the_best_is_offered() -> None:
    result = case("lr_bs_sweep.csv")
    (notice,) = [n for n in result.notices if n.code == "settings-swept"]
    assert "60 runs are trials of 6 settings" in notice.text
    assert "learning_rate and bs" in notice.text
    best = merge_seeds(result.table, "best")
    assert len(best.frame) == 6
    assert first(result, "loss") > best.values("loss")[0] == 2.6413
    assert len(merge_seeds(result.table, "mean").frame) == 60  # no two share their learning rate
