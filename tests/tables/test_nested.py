"""Nested JSON: curves are curves, a run's values are the run's, and metadata is never a row."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from isoflop.errors import TableError
from isoflop.tables import read_raw, read_table
from isoflop.tables.nested import shape_in_words

CASES = Path(__file__).parent / "cases"


def frame(document: object) -> pd.DataFrame:
    return read_raw(json.dumps(document).encode(), "runs.json").frame


def rows(document: object, *columns: str) -> list[list[object]]:
    return frame(document)[list(columns)].to_numpy(dtype=object).tolist()


# --- Files as they are found ---


def test_golden_values_are_a_curve_without_its_metadata() -> None:
    table = read_table(CASES / "golden_values.json").table
    assert table.values("step").tolist() == [1, 2, 3, 4, 5, 6]
    assert table.values("loss").tolist() == [10.51, 10.48, 10.31, 10.02, 9.88, 9.71]


def test_a_log_in_each_run_is_its_curve() -> None:
    table = read_table(CASES / "nested_log_lists.json").table
    assert table.frame["run_id"].tolist() == ["small"] * 3 + ["medium"] * 4
    assert table.values("tokens").tolist() == [5e4, 2.5e7, 1e8, 5e4, 2.5e7, 1e8, 2.4e8]
    assert table.values("loss").tolist() == [10.8, 6.8, 5.9, 10.9, 6.6, 5.6, 5.1]
    assert table.values("params").tolist() == [5e6] * 3 + [1.2e7] * 4


def test_totals_of_a_run_grow_along_its_curve() -> None:
    result = read_table(CASES / "total_curve_list.json")
    table = result.table
    assert table.values("step").tolist() == [1, 2, 3, 4, 5, 6]
    assert table.values("tokens").tolist() == pytest.approx(
        [4_096_000 * i / 6 for i in range(1, 7)]
    )
    assert table.values("compute_flop").tolist() == pytest.approx(
        [2.1e14 * i / 6 for i in range(1, 7)]
    )
    assert "n_tokens is a total of the run: it grows along step." in result.raw.notes


def test_tokens_of_evaluation_sets_are_not_the_run_s() -> None:
    table = read_table(CASES / "run_with_hyper_and_evals.json").table
    assert table.values("params").tolist() == [8e7] * 3
    assert table.values("tokens").tolist() == [1.6e9] * 3
    assert table.values("loss").tolist() == [3.45, 3.7, 3.2]
    assert table.frame["val_data"].tolist() == ["web", "books", "wiki"]


def test_training_and_evaluation_of_one_step_are_one_row() -> None:
    raw = read_raw(CASES / "hf_trainer_tokens.json")
    assert raw.frame["step"].tolist() == [100, 200, 300]
    assert raw.frame["num_input_tokens_seen"].tolist() == [3276800, 6553600, 9830400]
    assert raw.frame["eval_wikitext_loss"].tolist() == [6.0, 4.9, 4.4]


# --- Shapes ---

CURVE = [{"step": 10, "loss": 4.0}, {"step": 20, "loss": 3.0}]


def test_runs_with_curves_and_configurations() -> None:
    document = {
        "project": "scaling",
        "runs": [
            {"config": {"n_params": 1e8}, "tokens": 1e9, "history": CURVE},
            {"config": {"n_params": 2e8}, "tokens": 4e9, "history": CURVE},
        ],
    }
    assert rows(document, "run_id", "config/n_params", "step", "tokens", "loss") == [
        ["run 1", 1e8, 10, 5e8, 4.0],
        ["run 1", 1e8, 20, 1e9, 3.0],
        ["run 2", 2e8, 10, 2e9, 4.0],
        ["run 2", 2e8, 20, 4e9, 3.0],
    ]


def test_a_planned_number_of_steps_says_where_a_total_is_reached() -> None:
    document = {"params": 1e8, "tokens": 1e9, "max_steps": 40, "history": CURVE}
    assert rows(document, "tokens") == [[2.5e8], [5e8]]


@pytest.mark.parametrize(
    "document",
    [
        {"10": {"loss": 4.0}, "20": {"loss": 3.0}},
        {"loss": {"10": 4.0, "20": 3.0}},
        {"n_params": 1e8, "loss": {"10": 4.0, "20": 3.0}},
        {"n_params": 1e8, "step": [10, 20], "loss": [4.0, 3.0]},
        {"n_params": 1e8, "eval_steps": [10, 20], "losses": [4.0, 3.0], "train_loss": [5, 4, 3]},
        {"loss": {"start_step": 10, "step_interval": 10, "values": [4.0, 3.0]},
         "lr": {"start_step": 10, "step_interval": 10, "values": [0.1, 0.2]}},
        {"val.loss": {"steps": [10, 20], "values": [4.0, 3.0], "timestamps": ["a", "b"]}},
        {"n_params": 1e8, "metrics": {"loss": [{"step": 10, "value": 4.0, "timestamp": 1},
                                               {"step": 20, "value": 3.0, "timestamp": 2}]}},
        {"metrics": {"loss": {"start_step": 10, "end_step": 20, "values": {"10": 4.0, "20": 3.0}}}},
        [{"n_params": 1e8, "max_steps": 20}, {"step": 10, "loss": 4.0}, {"step": 20, "loss": 3.0}],
    ],
)  # fmt: skip
def test_shapes_of_a_curve(document: object) -> None:
    found = frame(document)
    loss = next(name for name in ("loss", "val.loss") if name in found)
    assert found[["step", loss]].to_numpy(dtype=object).tolist() == [[10, 4.0], [20, 3.0]]


def test_a_first_line_of_configuration_is_no_row() -> None:
    lines = [{"n_params": 1e8, "arch": {"d_model": 64}}, *CURVE]
    raw = read_raw("\n".join(map(json.dumps, lines)).encode(), "run.jsonl")
    assert raw.frame["step"].tolist() == [10, 20]
    assert raw.frame["n_params"].tolist() == [1e8, 1e8]
    assert raw.frame["arch/d_model"].tolist() == [64, 64]


def test_curves_of_training_and_validation_are_joined_by_step() -> None:
    document = {"n_params": 1e8, "train": CURVE, "val": [{"step": 20, "loss": 3.2}]}
    found = frame(document)
    assert found["train/loss"].tolist() == [4.0, 3.0]
    assert found["val/loss"].dropna().tolist() == [3.2]


def test_runs_by_name_beside_other_values_and_in_groups() -> None:
    run = {"n_params": 1e8, "tokens": 1e9, "loss": 3.0}
    assert rows({"version": 2, "a": run, "b": run}, "run_id", "loss") == [["a", 3.0], ["b", 3.0]]
    grouped = {"lr 1": {"a": run, "b": run}, "lr 2": {"a": run, "b": run}}
    assert frame(grouped)["run_id"].tolist() == ["lr 1/a", "lr 1/b", "lr 2/a", "lr 2/b"]


def test_lists_by_name_are_runs() -> None:
    document = {"70M": CURVE, "160M": [{"step": 10, "loss": 3.9}], "seed": 1}
    assert rows(document, "run_id", "step", "loss", "seed") == [
        ["70M", 10, 4.0, 1],
        ["70M", 20, 3.0, 1],
        ["160M", 10, 3.9, 1],
    ]


def test_results_beside_a_configuration_are_one_row() -> None:
    document = {
        "results": {"wikitext": {"bits_per_byte,none": 0.8}},
        "config": {"model_num_parameters": 124439808},
    }
    found = frame(document)
    assert found["config/model_num_parameters"].tolist() == [124439808]
    assert found["results/wikitext/bits_per_byte,none"].tolist() == [0.8]


def test_splits_of_one_run_are_no_runs() -> None:
    document = {"n_params": 1e8, "train": {"loss": 3.0}, "val": {"loss": 3.1}}
    assert rows(document, "train/loss", "val/loss") == [[3.0, 3.1]]


def test_a_list_of_scalars_as_tensorboard_exports_it() -> None:
    document = [[1714567890.1, 1, 3.5], [1714567990.1, 100, 3.4]]
    assert rows(document, "Step", "loss") == [[1, 3.5], [100, 3.4]]


# --- Refusals ---


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([1, 2, 3], "It is a list of 3 numbers."),
        ([[1, 2], [3, 4]], "It is a list of 2 lists."),
        ({}, "It is an object of 0 keys."),
        ([{"a": 1}, 3], "It is a list of 2 mixed values."),
    ],
)
def test_what_holds_no_table_is_refused_with_its_shape(document: object, words: str) -> None:
    with pytest.raises(TableError, match="holds JSON, but no table") as caught:
        frame(document)
    assert caught.value.detail == words


def test_lists_of_which_none_can_be_chosen_are_refused() -> None:
    with pytest.raises(TableError, match="lists of losses of different lengths") as caught:
        frame({"n_params": 1e8, "train_loss": [5, 4, 3, 2], "val_loss": [4, 3]})
    assert caught.value.detail == "train_loss: 4 entries; val_loss: 2 entries"
    with pytest.raises(TableError, match="several lists of losses"):
        frame({"n_params": 1e8, "a": [{"loss": 3.0}], "b": [{"loss": 3.1}]})


def test_a_shape_in_words() -> None:
    document = {"a": {"b": [1]}, "c": "x", "d": None, "e": []}
    assert shape_in_words(document) == (
        "an object of 4 keys: a (an object of 1 key: b (a list of 1 numbers)), c (text),"
        " d (nothing), e (an empty list)"
    )


def test_compute_that_only_the_last_entry_says_grows_along_the_run() -> None:
    state = {
        "global_step": 300,
        "max_steps": 300,
        "total_flos": 3e17,
        "log_history": [
            {"loss": 5.0, "step": 100},
            {"eval_loss": 4.9, "step": 100},
            {"eval_loss": 3.9, "step": 300},
            {"step": 300, "total_flos": 3e17, "train_loss": 4.5, "train_runtime": 100},
        ],
    }
    table = read_table(json.dumps(state).encode(), name="trainer_state.json").table
    assert table.included()["loss"].tolist() == [4.9, 3.9]
    assert table.included()["compute_flop"].tolist() == [1e17, 3e17]
