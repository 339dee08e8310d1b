"""The grammar of headers: what is made of its words is read to what made it, or is asked about."""

from __future__ import annotations

import io
import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoflop.errors import TableQuestion
from isoflop.tables import COLUMNS, LossTable, read_table
from isoflop.tables.reading.columns import words
from isoflop.tables.reading.header import meanings

WORDS = words()
NUMBERS = [c for c in COLUMNS.values() if c.kind == "number" and c.name != "loss"]
GROUPS: dict[str, list[str]] = {}
for _word, _groups in WORDS.groups.items():
    for _group in _groups:
        GROUPS.setdefault(_group, []).append(_word)
STYLES = {
    "snake": "_".join,
    "kebab": "-".join,
    "spaced": " ".join,
    "title": lambda parts: " ".join(part.capitalize() for part in parts),
    "upper": lambda parts: "_".join(part.upper() for part in parts),
}
ASCII = [word for word in WORDS.groups if word.isascii()]


def certain(header: str) -> dict[str, str]:
    """Return what a header certainly means, with the unit of each."""
    return {m.column: m.unit for m in meanings(header) if not m.doubt}


def written(draw: st.DrawFn, parts: list[str]) -> str:
    return STYLES[draw(st.sampled_from(sorted(STYLES)))](" ".join(parts).split())


@st.composite
def headers_of(draw: st.DrawFn) -> tuple[str, str, bool]:
    """Draw a header with words that its column takes before a name of it, and if there are any."""
    column = draw(st.sampled_from(NUMBERS))
    name = draw(st.sampled_from(sorted((*column.names, *column.weaker))))
    taken = [word for group in column.takes for word in GROUPS[group] if word.isascii()]
    before = draw(st.lists(st.sampled_from(taken), max_size=2)) if taken else []
    header = written(draw, [*before, name]) if name.isascii() else name
    if draw(st.booleans()):
        header = f"{draw(st.sampled_from(sorted(WORDS.namespaces)))}/{header}"
    return header, column.name, bool(before)


@given(headers_of())
def test_words_that_a_column_takes_change_nothing(made: tuple[str, str, bool]) -> None:
    header, column, has_words = made
    found = {m.column for m in meanings(header)}
    assert found
    if not has_words:  # words may join to the longer name of another column: train + time
        assert column in found


@given(st.data())
def test_a_ratio_is_never_one_of_its_halves(data: st.DataObject) -> None:
    names = [name for column in NUMBERS for name in column.names if " per " not in name]
    name = data.draw(st.sampled_from(names))
    below = data.draw(st.sampled_from(sorted(WORDS.denominators)))
    per = data.draw(st.sampled_from(["/", " per ", "_per_"]))
    if not name.isascii():
        return
    found = set(certain(f"{name}{per}{below}"))
    assert found <= {"tokens_per_param", "flop_per_token", "batch_tokens"}, found


@given(st.data())
def test_a_loss_says_which_split_it_is_of(data: st.DataObject) -> None:
    split = data.draw(st.sampled_from(["train", "validation", "test"]))
    word = data.draw(st.sampled_from([w for w in GROUPS[split] if w.isascii()]))
    text = data.draw(st.sampled_from(["", *(w for w in GROUPS["sets"])]))
    name = data.draw(st.sampled_from(["loss", "ce", "nll", "cross entropy", "lm loss", "ppl"]))
    order = data.draw(st.permutations([part for part in (word, text) if part]))
    header = written(data.draw, [*order, name])  # type: ignore[arg-type]  # draws alike
    (meaning,) = [m for m in meanings(header) if m.column == "loss"]
    assert not meaning.doubt
    held_out = meanings("val_loss")[0].cost
    training = meanings("train_ce")[0].cost
    assert (meaning.cost >= training) == (split == "train")
    assert held_out < meanings("loss")[0].cost < training
    assert (meaning.unit == "perplexity") == (name == "ppl")


@given(st.sampled_from(sorted(w for g in ("spread", "not_loss") for w in GROUPS[g])))
def test_what_scatters_or_weighs_a_loss_is_no_loss(word: str) -> None:
    taken = {w for group in COLUMNS["loss"].takes for w in GROUPS[group]}
    if word not in taken:
        for header in (f"loss_{word}", f"{word}_loss", f"val_loss_{word}", f"val/{word}_loss"):
            assert "loss" not in certain(header), header


@given(st.text("bcfghjkqvwxz", min_size=4, max_size=12))  # no words of the grammar
def test_a_word_that_is_not_known_makes_another_quantity(word: str) -> None:
    for name in ("tokens", "params", "flops", "steps"):
        assert not certain(f"{word}_{name}")
        assert not certain(f"{name} {word}")
    assert not certain(f"{word}_loss")  # asked about


@pytest.mark.parametrize(
    ("header", "column", "unit"),
    [
        ("总参数量", "params", ""),
        ("训练词元", "tokens", ""),
        ("验证损失", "loss", ""),
        ("训练计算量", "compute_flop", ""),
        ("config/model/n_params", "params", ""),
        ("hyperparameters.tokens", "tokens", ""),
        ("N (non-embedding)", "params_nonembedding", ""),
        ("params (non-embedding, B)", "params_nonembedding", "B"),
        ("Tokens (D)", "tokens", ""),
        ("bits_per_byte,none", "loss", "bits per byte"),
        ("val_loss_epoch", "loss", ""),
        ("Final Eval CE", "loss", ""),
        ("reduced_train_loss", "loss", ""),
        ("best_val_loss", "loss", ""),
        ("total_flos", "compute_flop", ""),
        ("num_input_tokens_seen", "tokens", ""),
        ("params_active_precise", "params_active", ""),
        ("Na", "params_active", ""),
        ("FLOPs per token", "flop_per_token", ""),
        ("loss per token", "loss", ""),
    ],
)
def test_usual_headers_are_known(header: str, column: str, unit: str) -> None:
    assert certain(header).get(column) == unit


@pytest.mark.parametrize(
    "header",
    [
        "FLOP/s", "TFLOP/s/device", "Tokens/s/device", "flops_per_step", "model_gflops",
        "forward_flops", "train_size", "batch_size", "eval/tokens", "test_tokens",
        "model size (MB)", "loss scale", "loss_std", "val_loss_stderr", "aux_loss", "z_loss",
        "cost_per_token", "samples_seen", "expert_params", "hardware utilization", "lr decay",
        "tokens_per_epoch", "params/layer", "lr/token", "max_steps",
    ],
)  # fmt: skip
def test_what_sounds_like_a_column_and_is_none(header: str) -> None:
    assert not certain(header).keys() & {"params", "tokens", "compute_flop", "loss", "step"}


# --- Whole files ---

_LAW = {"E": 1.7, "A": 400.0, "alpha": 0.34, "B": 1800.0, "beta": 0.36}
_PARAMS = np.repeat([2e7, 6e7, 1.1e8, 4e8, 9e8], 3)
_TOKENS = _PARAMS * np.tile([8.0, 20.0, 60.0], 5)
_LOSS = _LAW["E"] + _LAW["A"] / _PARAMS**0.34 + _LAW["B"] / _TOKENS**0.36
FRAME = pd.DataFrame(
    {
        "params": _PARAMS,
        "tokens": _TOKENS,
        "flops": 6 * _PARAMS * _TOKENS,
        "loss": _LOSS,
        "train_loss": _LOSS - 0.1,
        "lr": 3e-4,
        "grad_norm": np.linspace(0.5, 1.0, 15),
    }
)
NAMES = {
    "params": ["params", "N", "n_params", "Model Size", "parameter_count", "参数量"],
    "tokens": ["tokens", "D", "n_tokens", "train_tokens", "Tokens (D)", "训练词元"],
    "flops": ["flops", "C", "compute", "Training FLOP", "total_flos"],
    "loss": ["val_loss", "eval_loss", "Validation Loss", "final_val_loss", "验证损失"],
}
FITTED = ["params", "tokens", "compute_flop", "loss"]


def read(frame: pd.DataFrame) -> LossTable:
    text = io.StringIO()
    frame.to_csv(text, index=False)
    return read_table(text.getvalue().encode(), name="runs.csv").table


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_renamed_and_reordered_columns_are_read_alike(data: st.DataObject) -> None:
    names = {c: data.draw(st.sampled_from(options)) for c, options in NAMES.items()}
    frame = FRAME.rename(columns=names)
    frame = frame[data.draw(st.permutations(list(frame.columns)))]
    frame = frame.iloc[random.Random(data.draw(st.integers(0, 9))).sample(range(15), 15)]
    table = read(frame)
    expected = np.sort(read(FRAME.rename(columns={"loss": "val_loss"})).frame[FITTED], axis=0)
    np.testing.assert_allclose(np.sort(table.frame[FITTED], axis=0), expected, rtol=1e-12)


@given(st.sampled_from(["params", "tokens", "flops"]), st.sampled_from([1e-9, 1e-6, 1e-3]))
@settings(deadline=None)
def test_rescaled_columns_are_never_fitted_in_silence(column: str, factor: float) -> None:
    frame = FRAME.assign(**{column: FRAME[column] * factor})
    with pytest.raises(TableQuestion) as caught:
        read(frame)
    assert caught.value.choices
    if column != "flops":
        with pytest.raises(TableQuestion):
            read(frame.drop(columns="flops"))


@pytest.mark.parametrize("factor", [1e-3, 1e-6, 1e-9])
def test_the_proposed_unit_is_the_right_one(factor: float) -> None:
    unit = {1e-3: "K", 1e-6: "M", 1e-9: "B"}[factor]
    for column in ("params", "tokens"):
        frame = FRAME.assign(**{column: FRAME[column] * factor})
        with pytest.raises(TableQuestion) as caught:
            read(frame)
        assert next(iter(caught.value.choices.values())) == f"--unit {column}={unit}"


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_two_losses_of_one_standing_are_asked_about_in_any_order(data: st.DataObject) -> None:
    frame = FRAME.rename(columns={"loss": "eval_c4_loss"})
    frame["eval_pile_loss"] = frame["eval_c4_loss"] + 0.2
    frame = frame[data.draw(st.permutations(list(frame.columns)))]
    with pytest.raises(TableQuestion) as caught:
        read(frame)
    assert list(caught.value.choices) == ["eval_c4_loss", "eval_pile_loss"]


def test_losses_in_bits_by_the_vocabulary_and_perplexities_are_asked_about() -> None:
    bits = FRAME.assign(loss=FRAME["loss"] / np.log(2) + 8, vocab_size=1000)
    for frame in (bits, FRAME.assign(loss=np.exp(FRAME["loss"]) + 14)):
        with pytest.raises(TableQuestion, match="In which unit is loss") as caught:
            read(frame)
        assert "--unit loss=unknown" in caught.value.choices.values()


def test_compute_of_a_forward_pass_alone_is_asked_about() -> None:
    with pytest.raises(TableQuestion, match="training compute"):
        read(FRAME.assign(flops=2 * FRAME["params"] * FRAME["tokens"]))


def test_two_codings_of_one_loss_are_asked_about() -> None:
    both = pd.concat([FRAME, FRAME.assign(loss=FRAME["loss"] / np.log(2))])
    with pytest.raises(TableQuestion, match="in the same unit"):
        read(both[["params", "tokens", "loss"]])


def test_a_loss_per_token_goes_before_one_per_byte_and_a_perplexity() -> None:
    table = read(FRAME.rename(columns={"loss": "val_loss"}).assign(val_bpb=0.8, val_ppl=20.0))
    np.testing.assert_allclose(table.values("loss"), _LOSS)
    assert table.loss_unit == "nats/token"


def test_what_stands_as_it_is_keeps_the_unit_of_its_header() -> None:
    frame = FRAME.rename(columns={"flops": "FLOPs (G)"}).assign(**{"FLOPs (G)": 5.0})
    with pytest.raises(TableQuestion) as caught:
        read(frame)
    assert list(caught.value.choices.values())[-1] == "--unit 'FLOPs (G)=G'"


def test_evenly_spaced_checkpoints_are_runs_in_any_order_of_rows() -> None:
    rows = [
        (size, step, step * 5e5, 3 + 5e3 / step + 1e8 / size)
        for size in (1e8, 2e8, 4e8)
        for step in range(1000, 7000, 1000)
    ]
    frame = pd.DataFrame(rows, columns=["n_params", "step", "tokens", "val_loss"])
    for table in (read(frame), read(frame.sample(frac=1, random_state=1))):
        assert table.frame["run_id"].nunique() == 3
    grid = frame[frame["step"].isin([1000, 2000, 4000])]
    assert "run_id" not in read(grid).frame  # runs that end at several steps look alike
