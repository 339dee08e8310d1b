"""Text logs of training programs: each gives the steps and losses that its lines say."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from isoflop.errors import TableError
from isoflop.tables import read_raw, read_table
from isoflop.tables.logs import is_loss, load_words, parse_line

CASES = Path(__file__).parent / "cases"

# For each log the columns of its raw table that matter; NaN where a step has none.
NAN = math.nan
EXPECTED: dict[str, dict[str, list[float]]] = {
    "megatron": {
        "step": [10, 20, 30],
        "lm loss": [9.9812, 9.3812, 8.8812],
        "consumed samples": [640, 1280, 1920],
        "learning rate": [3e-5, 6e-5, 9e-5],
    },
    "log_megatron_facts": {
        "step": [100, 200],
        "lm loss": [9.9812, 9.3812],
        "validation loss": [NAN, 9.3012],
        "validation ppl": [NAN, 10950],
        "tokens": [6400 * 2048, 12800 * 2048],
    },
    "torchtitan": {
        "step": [1, 10, 20],
        "loss": [12.2721, 10.8721, 8.4721],
        "tps": [1234, 8234, 8234],
    },
    "log_ansi": {
        "step": [1, 10],
        "loss": [8.2203, 7.2203],
        "n_params": [6_270_464] * 2,
        "batch_tokens": [64 * 2048] * 2,
    },
    "maxtext": {"step": [0, 5, 10], "loss": [10.9, 10.4, 10.05], "total_weights": [131072] * 3},
    "nanogpt": {
        "step": [0, 10, 1000, 2000],
        "val loss": [10.9886, NAN, 4.0086, 3.6086],
        "loss": [10.9886, 9.9886, NAN, NAN],
    },
    "log_nanogpt_facts": {"n_params": [123.59e6] * 2, "batch_tokens": [491_520] * 2},
    "olmocore": {
        "step": [100, 200],
        "throughput/total tokens": [52_428_800, 104_857_600],
        "throughput/total flops": [89.56e15, 179.1e15],
        "train/CE loss": [6.445, 5.445],
    },
    "log_olmo_facts": {
        "step": [1, 2],
        "throughput/total tokens": [524_288, 1_048_576],
        "train/CE loss": [11.24, 11.04],
        "n_params": [190_354_176] * 2,
        "non_embedding_params": [151_898_880] * 2,
    },
    "trainer_lines": {
        "epoch": [0.1, 0.2, 0.3],
        "loss": [6.21, 5.12, 4.66],
        "eval_loss": [NAN, 5.05, NAN],
    },
    "log_hf": {
        "epoch": [0.1, 0.2],
        "loss": [6.21, 5.21],
        "eval_loss": [6.05, 5.05],
        "n_params": [124_439_808] * 2,
    },
    "log_fairseq": {
        "step": [100, 200, 400],
        "loss (bits)": [14.003, 11.003, NAN],
        "valid loss (bits)": [NAN, 10.9, 9.9],
        "n_params": [247_054_336] * 3,
    },
    "log_fairseqjson": {"step": [100, 200, 400], "valid_loss (bits)": [NAN, 10.9, 9.9]},
    "log_llmc": {"step": [1, 250], "loss": [11.009, 6.209], "lr": [8.57e-7, 8.57e-5]},
    "log_modded": {"step": [0, 125], "val_loss": [10.8258, 4.3828]},
    "log_composer": {
        "step": [1, 100],
        "eval loss": [NAN, 6.6],
        "train loss": [11.7, 6.7],
        "tokens": [2_097_152, 209_715_200],
    },
    "log_nemo": {"step": [9, 19], "reduced_train_loss": [10.3, 9.3], "val_loss": [NAN, 9.2]},
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_log_of_a_trainer(name: str) -> None:
    raw = read_raw(CASES / f"{name}.log")
    assert raw.format == "text log"
    for column, values in EXPECTED[name].items():
        assert raw.frame[column].tolist() == pytest.approx(values, nan_ok=True), column


@pytest.mark.parametrize("name", EXPECTED)
def test_no_log_is_misread(name: str) -> None:
    """What a log does not say is not made of other numbers: speeds, weights, samples."""
    table = read_table(CASES / f"{name}.log").table
    says_params = {"n_params", "throughput/total flops"} & EXPECTED[name].keys()
    assert ("params" in table.frame) == bool(says_params)


def test_bits_of_fairseq_become_nats() -> None:
    table = read_table(CASES / "log_fairseq.log").table
    assert table.values("loss").tolist() == pytest.approx([10.9 * math.log(2), 9.9 * math.log(2)])


@pytest.mark.parametrize(
    ("text", "position", "values"),
    [
        ("step=5, loss=3.5", ("step", 5), {"loss": 3.5}),
        ("global_step: 1,000 | eval_c4_loss: 3.5", ("step", 1000), {"eval_c4_loss": 3.5}),
        ("epoch 3, iter 40/50: loss 3.5", ("step", 40), {"loss": 3.5, "epoch": 3}),
        ("INFO:train.py:80: step 7 loss nan", ("step", 7), {"loss": NAN}),
        ("Validation: step 7 loss 3.5", ("step", 7), {"validation loss": 3.5}),
        ("it: 5/10 loss: 3.5 eta: 0:12:34", ("step", 5), {"loss": 3.5}),
        ("step 5 | loss 3.5 | memory: 6.5GiB | mfu: 23.2%", ("step", 5),
         {"loss": 3.5, "memory (GiB)": 6.5, "mfu": "23.2%"}),
        ("validate step: 10  loss:  7.4", ("step", 10), {"validation loss": 7.4}),
        ("eval metrics after step: 10, loss=3.5", ("step", 10), {"eval loss": 3.5}),
        ("Epoch 1 | iter 20 step 10 | loss train: 3.5, val: n/a |", ("step", 10),
         {"loss train": 3.5, "epoch": 1}),
        ("step 5: eval/lm/pile-validation/CE loss=5.5", ("step", 5),
         {"eval/lm/pile-validation/CE loss": 5.5}),
        ("batch=100/4800 loss=3.5", ("step", 100), {"loss": 3.5}),
        ("batch: 64, loss: 3.5", None, {"batch": 64, "loss": 3.5}),
        ("tokens per step: 64, loss: 3.5", None, {"tokens per step": 64, "loss": 3.5}),
    ],
)  # fmt: skip
def test_a_line(
    text: str, position: tuple[str, float] | None, values: dict[str, float | str]
) -> None:
    line = parse_line(text)
    assert line is not None
    assert line.position == position
    assert {key: str(value) for key, value in line.values.items()} == {
        key: str(value) if isinstance(value, str) else str(float(value))
        for key, value in values.items()
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "2024-11-26 10:00:01,123",
        "loss is high",
        "a: b",
        "At step 100: loss 3.2, at step 200: loss 3.0",
    ],
)
def test_a_line_without_numbers_by_name(text: str) -> None:
    assert parse_line(text) is None


def test_keys_that_are_losses() -> None:
    losses = ("loss", "lm loss", "eval_wikitext_loss", "val ppl", "train/CE loss", "loss train")
    others = ("loss scale", "grad norm", "loss_scale", "step", "steps per loss unit", "pplx")
    assert all(map(is_loss, losses))
    assert not any(map(is_loss, others))


def test_steps_after_a_restart_count_once() -> None:
    text = "\n".join(f"step {step}: loss {loss}" for step, loss in [(1, 9.0), (2, 8.0), (3, 7.0)])
    raw = read_raw((text + "\nstep 2: loss 8.5\nstep 3: loss 7.5\n").encode(), "run.log")
    assert raw.frame["loss"].tolist() == [9.0, 8.5, 7.5]
    assert "goes back 1 time" in raw.notes[-1]


def test_json_between_lines_of_text() -> None:
    text = '{"lr": 0.001}\nstep 1: loss 9.0\nstep 2: loss 8.0\n'
    assert read_raw(text.encode(), "run.log").frame["loss"].tolist() == [9.0, 8.0]


@pytest.mark.parametrize(
    "content",
    [
        b"2024-01-01 10:00:00 INFO start\n2024-01-01 10:00:01 INFO took 3 s\n",
        b"2024-01-01 10:00:00,123 INFO start\n2024-01-01 10:00:01,123 INFO took 3 s\n",
        b"[rank0]: building\n[rank0]: done, in 3 s\n",
    ],
)
def test_any_other_log_is_refused_as_one(content: bytes) -> None:
    with pytest.raises(TableError) as caught:
        read_raw(content, "server.log")
    assert caught.value.summary == (
        "The file server.log is a text log in which no line gives a loss with its step."
    )
    assert caught.value.hint.startswith("Export the run as CSV or JSON instead")


@pytest.mark.parametrize(
    "content",
    [
        b'N,D,loss,notes\n1e8,2e9,3.4,"step: 100, loss: 3.5 was worse"\n2e8,4e9,3.1,\n',
        b"time,tokens,loss\n2024-01-01 10:00:00,1e9,3.4\n2024-01-01 11:00:00,2e9,3.1\n",
        b'{"step": 1, "loss": 3.4}\n{"step": 2, "loss": 3.1}\n',
        b'[\n {"step": 1, "loss": 3.4},\n {"step": 2, "loss": 3.1}\n]',
    ],
)
def test_a_table_is_no_log(content: bytes) -> None:
    assert read_raw(content, "runs").format != "text log"


def test_the_data_file_says_where_its_units_are_from() -> None:
    assert {unit for _, _, unit in load_words().trainers} == {"bits"}
