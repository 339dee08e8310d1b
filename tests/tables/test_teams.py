"""Files as teams keep them map without being edited, and lose nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

import pytest
from tests.tables.workbooks import xlsx

from isoflop.tables import read_raw, read_table

Expected = Mapping[str, Sequence[float | str]]


def lines(*rows: Mapping[str, object]) -> bytes:
    return "\n".join(map(json.dumps, rows)).encode()


BILLION = {"params": [1.3e9, 7e9], "tokens": [26e9, 140e9], "loss": [2.5, 2.1]}
ROWS = "A,1.3B,26B,2.5\nB,7B,140B,2.1\n"

FILES: dict[str, tuple[bytes, Expected]] = {
    "a table of runs of Weights & Biases": (
        b'"Name","State","Tags","Runtime","Sweep","n_params","val/loss","train/loss","tokens_seen"\n'
        b'"gpt-s","finished","","3600","","1300000000","2.5","2.4","26000000000"\n'
        b'"gpt-m","finished","","7200","","7000000000","2.1","2.0","140000000000"\n',
        BILLION | {"run_id": ["gpt-s", "gpt-m"], "wall_time_s": [3600.0, 7200.0]},
    ),
    "a table of runs with config and summary": (
        b"Name,config/model/n_params,summary/train/loss,summary/eval/loss,config/train_tokens\n"
        b"A,1.3e9,2.4,2.5,26e9\nB,7e9,2.0,2.1,140e9\n",
        BILLION,
    ),
    "nanochat": (
        lines(
            {"step": 0, "total_training_flops": 1e15, "total_training_time": 2.0, "val/bpb": 1.2},
            {"step": 9, "total_training_flops": 1e16, "total_training_time": 9.0, "val/bpb": 1.1},
        ),
        {"compute_flop": [1e15, 1e16], "wall_time_s": [2.0, 9.0], "loss": [1.2, 1.1]},
    ),
    "Megatron": (
        lines(
            {"iteration": 10, "consumed_train_tokens": 5e6, "loss scale": 1.0, "lm loss": 8.8},
            {"iteration": 20, "consumed_train_tokens": 1e7, "loss scale": 1.0, "lm loss": 8.6},
        ),
        {"step": [10.0, 20.0], "tokens": [5e6, 1e7], "loss": [8.8, 8.6]},
    ),
    "DeepSpeed": (
        b"model_size,train_tokens,lm loss value,lm loss PPL\n1300000000,26000000000,2.5,12.2\n"
        b"7000000000,140000000000,2.1,8.2\n",
        BILLION,
    ),
    "OLMo": (
        b"throughput/total_tokens,throughput/total_training_Gflops,eval/pile-validation/Perplexity,"
        b"eval/c4_en-validation/CrossEntropyLoss,train/CrossEntropyLoss\n"
        b"1e9,1e9,30.1,3.5,3.4\n2e9,2e9,27.1,3.3,3.2\n",
        {"tokens": [1e9, 2e9], "compute_flop": [1e18, 2e18], "loss": [3.5, 3.3]},
    ),
    "isoFLOP runs": (
        b"FLOPs budget,Model size (M),Loss\n6e18,50,3.3\n6e18,100,3.2\n",
        {"compute_flop": [6e18, 6e18], "params": [50e6, 100e6], "loss": [3.3, 3.2]},
    ),
    "a list of notable models": (
        b"Model,Parameters,Training dataset size (datapoints),Training compute (FLOP),Loss\n"
        b"A,1.3E+09,2.6E+10,2.0E+20,2.5\nB,7E+09,1.4E+11,5.9E+21,2.1\n",
        BILLION | {"compute_flop": [2e20, 5.9e21]},
    ),
    "PyTorch Lightning with several loaders": (
        b"step,tokens,val_loss/dataloader_idx_0\n10,1e6,4.2\n20,2e6,4.0\n",
        {"step": [10.0, 20.0], "tokens": [1e6, 2e6], "loss": [4.2, 4.0]},
    ),
    "Keras, where a plain loss is the training loss": (
        b"params,tokens,loss,val_loss\n1.3e9,26e9,2.4,2.5\n7e9,140e9,2.0,2.1\n",
        BILLION | {"loss (file)": [2.4, 2.0]},
    ),
    "both counts of parameters": (
        b"n_params_total,n_params_non_embedding,tokens,eval_loss\n"
        b"1.3e9,1.1e9,26e9,2.5\n7e9,6.5e9,140e9,2.1\n",
        BILLION | {"params_nonembedding": [1.1e9, 6.5e9]},
    ),
    "thousands in groups": (
        b'params,tokens,loss\n"1,300,000,000","26,000,000,000",2.5\n7 000 000 000,140e9,2.1\n',
        BILLION,
    ),
    "units in a line below the header": (
        b"model,params,tokens,compute,loss\n-,[B],(billions),[FLOP],nats\n"
        b"A,1.3,26,2e20,2.5\nB,7,140,5e21,2.1\n",
        BILLION | {"compute_flop": [2e20, 5e21], "run_id": ["A", "B"]},
    ),
    "units in a line below the header of a sheet": (
        xlsx({"R": [["N", "D", "loss"], ["(B)", "(B)", None], [1.3, 26, 2.5], [7, 140, 2.1]]}),
        BILLION,
    ),
    "a unit with a power of ten": (
        b"params,tokens,Compute [10^18 FLOPs],loss\n1.3B,26B,200,2.5\n7B,140B,5000,2.1\n",
        BILLION | {"compute_flop": [2e20, 5e21]},
    ),
    "times on accelerators": (
        b"params,tokens,GPU hours,loss\n1.3B,26B,2,2.5\n7B,140B,3,2.1\n",
        BILLION | {"accelerator_seconds": [7200.0, 10800.0]},
    ),
    "Markdown": (
        b"| model | params | tokens | loss |\n|---|:--:|---|---|\n"
        b"| A | 1.3B | 26B | 2.5 |\n| B | 7B | 140B | 2.1 |\n",
        BILLION | {"run_id": ["A", "B"]},
    ),
    "columns of spaces": (
        b"model  params   tokens  loss\nA      1.3B     26B     2.5\nB       7B      140B   2.1\n",
        BILLION,
    ),
    "decimal commas and points between thousands": (
        b"Modell;Parameter;Tokens;Loss\nA;1.300.000.000;26e9;2,5\nB;7.000.000.000;1,4e11;2,1\n",
        BILLION,
    ),
    "decimal commas with three digits": (
        b"params;tokens;loss\n1300000000;26000000000;2,500\n7000000000;140000000000;2,100\n",
        BILLION,
    ),
    "decimal commas beside a program's numbers": (
        b"params;tokens;loss\n1.3e9;2.6e10;2,5\n7.0e9;1.4e11;2,1\n",
        BILLION,
    ),
    "Latin-1": (
        f"modèle,params,tokens,loss\nnaïve{ROWS}".encode("latin-1"),
        BILLION | {"modèle": ["naïveA", "B"]},
    ),
    "percentages": (
        b"params,tokens,loss,MMLU accuracy,arc (%),piqa\n1.3B,26B,2.5,25.5,30.5,61%\n"
        b"7B,140B,2.1,45.0,40.0,70%\n",
        BILLION | {"MMLU accuracy": [0.255, 0.45], "arc (%)": [0.305, 0.4], "piqa": [0.61, 0.7]},
    ),
    "scores and no loss": (
        b"params,tokens,name,arc,piqa\n1.3B,26B,a,0.25,0.6\n7B,140B,b,0.45,0.7\n",
        {"params": [1.3e9, 7e9], "accuracy": [0.25, 0.45]},
    ),
    "a perplexity of one data set": (
        b"params,tokens,lambada_ppl,piqa\n1.3B,26B,8,0.6\n7B,140B,4,0.7\n",
        {"params": [1.3e9, 7e9], "loss": [math.log(8), math.log(4)], "piqa": [0.6, 0.7]},
    ),
    "names with space around them": (
        b" model , family , params , tokens , loss \n A , gpt , 1.3B , 26B , 2.5 \n"
        b" B ,gpt, 7B , 140B , 2.1 \n",
        BILLION | {"family": ["gpt", "gpt"]},
    ),
    "a nameless index": (
        b",params,tokens,loss\n0,1.3B,26B,2.5\n1,7B,140B,2.1\n",
        BILLION,
    ),
    "numbers with a suffix in a column of its own": (
        b"params,tokens,loss,Batch Size\n1.3B,26B,2.5,0.5M\n7B,140B,2.1,1M\n",
        BILLION | {"Batch Size": [0.5e6, 1e6]},
    ),
    "columns of pandas": (
        json.dumps(
            {
                "n_params": {"0": 1.3e9, "1": 7e9},
                "n_tokens": {"0": 26e9, "1": 140e9},
                "val_loss": {"0": 2.5, "1": 2.1},
            }
        ).encode(),
        BILLION,
    ),
    "a history in lists, a run": (
        json.dumps(
            [
                {"run": "a", "params": 1e9, "step": [1, 2], "loss": [4.0, 3.0]},
                {"run": "b", "params": 2e9, "step": [1], "loss": [3.9]},
            ]
        ).encode(),
        {"run_id": ["a", "a", "b"], "params": [1e9, 1e9, 2e9], "loss": [4.0, 3.0, 3.9]},
    ),
    "merged cells": (
        xlsx(
            {
                "R": [
                    ["family", "params", "tokens", "loss"],
                    ["gpt", 1.3e9, 26e9, 2.5],
                    [None, 7e9, 140e9, 2.1],
                ]
            },
            merged="A2:A3",
        ),
        BILLION | {"family": ["gpt", "gpt"]},
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_as_teams_keep_it(kind: str) -> None:
    content, expected = FILES[kind]
    result = read_table(content, name="runs")
    assert result.problems == ()
    assert all(role.reason for role in result.mapping.roles)
    frame = result.table.included()
    for column, values in expected.items():
        found = frame[column].tolist()
        is_text = isinstance(values[0], str)
        assert found == (values if is_text else pytest.approx(values, rel=1e-12)), column


# --- Files of which rows are no runs ---


def test_the_history_of_a_trainer() -> None:
    history = [
        {"epoch": 0.1, "learning_rate": 5e-5, "loss": 4.0, "step": 10},
        {"epoch": 0.1, "eval_loss": 4.1, "eval_runtime": 12.3, "step": 10},
        {"epoch": 0.2, "learning_rate": 5e-5, "loss": 3.0, "step": 20},
        {"epoch": 0.2, "eval_loss": 3.1, "eval_runtime": 12.3, "step": 20},
    ]
    document = {"global_step": 20, "log_history": history, "max_steps": 20}
    result = read_table(json.dumps(document).encode(), name="trainer_state.json")
    assert result.table.values("loss").tolist() == [4.1, 3.1]
    assert result.table.frame["loss (file)"].dropna().tolist() == [4.0, 3.0]
    assert result.raw.notes == (
        "The list log_history is the run's curve, with the run's own values: global_step of the"
        " whole run, max_steps.",
    )


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("run-gpt-tag-val_loss.csv", "loss"),
        ("gpt.csv", "loss"),
        ("run-gpt-tag-acc.csv", "accuracy"),
    ],
)
def test_a_scalar_that_tensorboard_exported(name: str, column: str) -> None:
    content = b"Wall time,Step,Value\n1714567890.1,1,0.5\n1714567990.1,100,0.4\n"
    result = read_table(content, name=name)
    assert result.table.frame[column].tolist() == [0.5, 0.4]
    assert "exported by TensorBoard" in result.raw.notes[-1]
    assert "wall_time_s" not in result.table.frame  # a date is no duration


def test_what_was_done_to_a_file_is_said() -> None:
    assert read_raw(FILES["Markdown"][0], "a.md").notes == (
        "Fields are divided by a bar.",
        "The line below the header is a rule.",
    )
    assert read_raw(FILES["units in a line below the header"][0], "a.csv").notes == (
        "The line below the header names units, which were put into the headers.",
    )
    assert read_raw(FILES["Latin-1"][0], "a.csv").notes == ("Encoding cp1252 detected.",)


def test_a_row_of_words_is_no_line_of_units() -> None:
    frame = read_raw(b"family,N,D,loss\nB,n/a,n/a,n/a\nC,1e9,2e10,2.5\n", "runs.csv").frame
    assert len(frame) == 2


def test_a_table_that_isoflop_wrote_means_the_same_again() -> None:
    """A held-out loss in a column of its own does not take the place of the loss exported."""
    table = read_table(b"row,params,tokens,loss,val_loss\n1,1e9,2e10,2.4,2.5\n", name="a").table
    assert table.values("loss").tolist() == [2.4]
