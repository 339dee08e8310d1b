"""What headers mean: obvious ones upload without questions, units in them are understood."""

from __future__ import annotations

import numpy as np
import pytest

from isoflop.errors import TableError, TableQuestion
from isoflop.tables import ReadResult, read_table


def csv(text: str) -> ReadResult:
    return read_table(text.encode(), name="runs.csv")


# --- Obvious headers upload without questions ---


@pytest.mark.parametrize(
    "params", ["N", "params", "Model Size", "n_params", "Num-Params", "PARAMETERS"]
)
@pytest.mark.parametrize("tokens", ["D", "tokens", "Training Tokens"])
@pytest.mark.parametrize("loss", ["loss", "val_loss", "final_loss", "Validation Loss"])
def test_obvious_headers(params: str, tokens: str, loss: str) -> None:
    table = csv(f"{params},{tokens},{loss}\n1e9,2e10,2.5\n2e9,4e10,2.3\n").table
    assert table.values("params").tolist() == [1e9, 2e9]
    assert table.values("tokens").tolist() == [2e10, 4e10]
    assert table.values("loss").tolist() == [2.5, 2.3]


@pytest.mark.parametrize("flop", ["C", "flops", "Training FLOP", "compute", "training_flops"])
def test_compute_headers(flop: str) -> None:
    table = csv(f"N,{flop},loss\n1e9,1.2e20,2.5\n2e9,4.8e20,2.3\n").table
    assert table.values("compute_flop").tolist() == [1.2e20, 4.8e20]
    np.testing.assert_allclose(table.values("tokens"), [2e10, 4e10])


@pytest.mark.parametrize(
    ("header", "rows", "missing", "expected"),
    [
        ("N,D,loss", "1e9,2e10,2.5", "compute_flop", 1.2e20),
        ("N,C,loss", "1e9,1.2e20,2.5", "tokens", 2e10),
        ("D,C,loss", "2e10,1.2e20,2.5", "params", 1e9),
    ],
)
def test_the_third_of_n_d_c_is_derived_and_marked(
    header: str, rows: str, missing: str, expected: float
) -> None:
    table = csv(f"{header}\n{rows}\n{rows}\n").table
    np.testing.assert_allclose(table.values(missing), expected, rtol=1e-15)
    assert "6" in table.provenance.derived_columns[missing]


def test_products_of_large_integers_do_not_overflow() -> None:
    table = csv(
        "N,D,loss\n1000000000000,100000000000000,1.5\n2000000000000,100000000000000,1.4\n"
    ).table
    assert table.values("compute_flop")[0] == 6e26


def test_values_with_suffixes_and_units() -> None:
    table = csv(
        "params,tokens,flops,loss\n"
        "1.3B,300B tokens,2.34e21 FLOP,2.1\n"
        '"1,300,000,000",20e9,1.2 ZFLOP,2.0\n'
    ).table
    assert table.values("params").tolist() == [1.3e9, 1.3e9]
    assert table.values("tokens").tolist() == [3e11, 2e10]
    np.testing.assert_allclose(table.values("compute_flop"), [2.34e21, 1.2e21])


@pytest.mark.parametrize("family", ["family", "model", "Model Family"])
def test_family(family: str) -> None:
    table = csv(f"N,D,loss,{family}\n1e9,2e10,2.5,gpt\n2e9,4e10,2.3,gpt\n4e9,4e10,2.2,rnn\n").table
    assert table.frame["family"].tolist() == ["gpt", "gpt", "rnn"]


def test_a_model_column_with_a_name_for_each_row_names_runs() -> None:
    table = csv("model,N,D,loss\na,1e9,2e10,2.5\nb,2e9,4e10,2.3\nc,3e9,5e10,2.2\n").table
    assert table.frame["run_id"].tolist() == ["a", "b", "c"]
    assert "family" not in table.frame


def test_held_out_loss_is_preferred_to_training_loss() -> None:
    result = csv("N,D,train_loss,val_loss\n1e9,2e10,2.0,2.5\n2e9,4e10,1.9,2.3\n")
    assert result.table.values("loss").tolist() == [2.5, 2.3]
    assert result.table.values("train_loss").tolist() == [2.0, 1.9]


def test_every_role_has_a_reason() -> None:
    for role in csv("N,D,loss,note,lr\n1e9,2e10,2.5,x,1e-3\n2e9,4e10,2.3,y,1e-3\n").mapping.roles:
        assert role.reason


@pytest.mark.parametrize(
    ("header", "value", "column", "expected"),
    [
        ("Model Size (B)", "7.0", "params", 7e9),
        ("Pretraining Data Size (T)", "2.0", "tokens", 2e12),
        ("FLOPs (1E21)", "84.0", "compute_flop", 84e21),
        ("log10_flops", "21", "compute_flop", 1e21),
        ("params_M", "70", "params", 70e6),
        ("tokens (billions)", "300", "tokens", 300e9),
        ("tokens_billions", "300", "tokens", 300e9),
        ("compute [EFLOP]", "3", "compute_flop", 3e18),
        ("compute (PF-days)", "1", "compute_flop", 8.64e19),
        ("wall time (h)", "2", "wall_time_s", 7200.0),
        ("train/global_step", "100", "step", 100.0),
        ("log(N)", "9", "params", 1e9),
        ("ln_params", "20.72326583694641", "params", 1e9),
    ],
)
def test_units_in_headers(header: str, value: str, column: str, expected: float) -> None:
    table = csv(f"x,{header},loss\n1e10,{value},2.5\n2e10,{value},2.3\n").table
    np.testing.assert_allclose(table.values(column)[0], expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("header", "value", "expected", "unit"),
    [
        ("loss", "2.5", 2.5, "nats/token"),
        ("loss (bits per token)", "3", 3 * np.log(2), "nats/token"),
        ("loss (bits per byte)", "0.9", 0.9, "bits/byte"),
        ("bpb", "0.9", 0.9, "bits/byte"),
        ("val_bpb", "0.9", 0.9, "bits/byte"),
        ("loss [bpc]", "1", np.log(2), "nats/character"),
        ("perplexity", "20", np.log(20), "nats/token"),
        ("val/ppl", "20", np.log(20), "nats/token"),
        ("log_perplexity", "2.5", 2.5, "nats/token"),
    ],
)
def test_loss_units(header: str, value: str, expected: float, unit: str) -> None:
    table = csv(f"N,D,{header}\n1e9,2e10,{value}\n2e9,2e10,{value}\n").table
    np.testing.assert_allclose(table.values("loss"), expected, rtol=1e-12)
    assert table.loss_unit == unit


def test_tokens_from_a_ratio() -> None:
    table = csv("N,Tokens/Params,loss\n1e9,20,2.5\n2e9,20,2.3\n").table
    assert table.values("tokens").tolist() == [2e10, 4e10]
    assert table.provenance.derived_columns["tokens"] == "tokens_per_param * params"


def test_a_small_number_of_parameters_raises_a_question_not_a_guess() -> None:
    with pytest.raises(TableError) as caught:
        csv("params,tokens,loss\n7,2e12,1.8\n13,2e12,1.7\n70,2e12,1.5\n")
    error = caught.value
    assert error.summary == "In which unit is params?"
    assert "median is 13" in error.detail
    assert "params (B)" in error.hint
    assert isinstance(error, TableQuestion)
    assert next(iter(error.choices.values())) == "--unit params=B"
