"""Small files of many kinds: each is read to what it says, asked about, or refused; never else."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from isoflop.errors import TableError, TableQuestion
from isoflop.tables import ReadResult, read_table

SMALL = {"params": 1e8, "tokens": 2e9, "loss": 3.3}
ROWS = "1e8,2e9,3.3\n1e9,2e10,2.7\n3e9,6e10,2.5\n"
"""Rows of N, D and a loss."""


def read(text: str | bytes, name: str = "runs.csv", **said: Mapping[str, str]) -> ReadResult:
    content = text.encode() if isinstance(text, str) else text
    return read_table(content, name=name, **said)  # type: ignore[arg-type]  # columns and units


def first(result: ReadResult) -> dict[str, float]:
    frame = result.table.included()
    return {str(name): float(frame[name].iloc[0]) for name in frame.select_dtypes("number")}


CLEAR: dict[str, tuple[str, Mapping[str, float]]] = {
    # What a header says
    "a magnitude as the last letter": ("paramsB,tokensB,loss\n0.1,2,3.3\n1,20,2.7\n", SMALL),
    "compute as a speed times days": (
        "n_params,petaflop/s-days,test loss\n1e8,0.01,3.9\n1e9,1.2,3.1\n",
        {"params": 1e8, "compute_flop": 8.64e17, "loss": 3.9},
    ),
    "functions and formulas": (
        'N,D,C=6ND,"L(N,D)"\n1e8,2e9,1.2e18,3.3\n1e9,2e10,1.2e20,2.7\n',
        SMALL | {"compute_flop": 1.2e18},
    ),
    "a formula alone": ("params,6ND,loss\n1e8,1.2e18,3.3\n1e9,1.2e20,2.7\n", SMALL),
    "natural logarithms, as programs write": (
        f"log N,log D,loss\n{np.log(1e8)},{np.log(2e9)},3.3\n21,24,2.7\n",
        SMALL,
    ),
    "natural logarithms of small sizes": (
        "log_params,log_tokens,loss\n11.5,13.82,5.3\n11.9,15,5.0\n",
        {"params": 98716, "tokens": 1.0045e6, "loss": 5.3},
    ),
    "logarithms to base 10, as papers write": (
        f"log N,log D,loss\n8,{np.log10(2e9)},3.3\n9,10.4,2.7\n",
        SMALL,
    ),
    "the logarithm to base 2 of a perplexity": (
        "params,tokens,log2 perplexity\n1e8,2e9,4.7609\n1e9,2e10,3.9\n",
        SMALL,
    ),
    "a measured loss beside a predicted": (
        "params,tokens,predicted_loss,actual_loss\n1e8,2e9,3.1,3.3\n1e9,2e10,2.8,2.7\n",
        SMALL,
    ),
    "a loss before fine-tuning": (
        "params,tokens,sft_loss,pretrain_loss\n1e8,2e9,1.1,3.3\n1e9,2e10,.9,2.7\n",
        SMALL,
    ),
    "data that is repeated": (
        "params,tokens_per_epoch,epochs,val loss\n1e8,5e8,4,3.3\n1e9,2e9,10,2.7\n",
        SMALL | {"unique_tokens": 5e8},
    ),
    "powers of ten beside a name": (
        "10^6 params,tokens x10^9,loss\n100,2,3.3\n1000,20,2.7\n",
        SMALL,
    ),
    "a magnitude as the first letter": ("Mparams,Gtokens,loss\n100,2,3.3\n1000,20,2.7\n", SMALL),
    "parameters with embeddings and without": (
        "parameters (incl. embeddings),parameters (excl. embedding),tokens,loss\n"
        "1e8,8e7,2e9,3.3\n1e9,9e8,2e10,2.7\n",
        SMALL | {"params_nonembedding": 8e7},
    ),
    "a letter that counts something else": (
        "params,N,tokens,D,loss,L\n1e8,3,2e9,512,3.3,12\n1e9,5,2e10,1024,2.7,24\n",
        SMALL | {"N": 3, "D": 512, "L": 12},
    ),
    "one loss in two units": (
        "params,tokens,loss_nats,loss_bits\n1e8,2e9,3.30,4.76\n1e9,2e10,2.70,3.90\n",
        SMALL | {"loss": 3.3},
    ),
    # Languages
    "German": ("Parameter;Token;Verlust\n100.000.000;2e9;3,3\n1.300.000.000;26e9;2,74\n", SMALL),
    "French": ("paramètres;jetons;perte\n1e8;2e9;3,3\n1e9;2e10;2,7\n", SMALL),
    "Spanish": (
        "Parámetros;Tokens de entrenamiento;Pérdida de validación\n1e8;2e9;3,3\n1e9;2e10;2,7\n",
        SMALL,
    ),
    "Russian": ("Параметры;Токены;Потери (валидация)\n1e8;2e9;3,3\n1e9;2e10;2,7\n", SMALL),
    "Korean": (f"파라미터 수,학습 토큰 수,검증 손실\n{ROWS}", SMALL),
    "Japanese": (f"パラメータ数,学習トークン数,検証損失\n{ROWS}", SMALL),
    "Chinese, with its magnitudes": (
        "模型参数量(亿),训练数据(B tokens),验证损失\n1,2,3.3\n10,20,2.7\n",
        SMALL,
    ),
    "Chinese magnitudes in cells": (
        "参数量,训练token数,验证集loss\n1亿,20亿,3.3\n10亿,200亿,2.7\n",
        SMALL,
    ),
    # How numbers are written
    "apostrophes between thousands": (
        "params;tokens;loss\n100'000'000;2'000'000'000;3.3\n1'300'000'000;26'000'000'000;2.7\n",
        SMALL,
    ),
    "powers with a dot": ("params,tokens,loss\n1 · 10⁸,2.0·10⁹,3.3\n1.3 · 10⁹,26·10⁹,2.7\n", SMALL),
    "numbers in LaTeX": (
        "params,tokens,loss\n$1\\times 10^{8}$,$2\\times10^{9}$,3.3\n"
        "$10^{9}$,$2\\cdot10^{10}$,2.7\n",
        SMALL,
    ),
    "exponents as Fortran writes them": (
        "params,tokens,loss\n1.00D+08,2.0D+09,3.3\n1.3D+09,2.6D+10,2.7\n",
        SMALL,
    ),
    # Where the header stands
    "a header that is a comment": (
        f"# made on Monday\n#params,#tokens,CE loss (val)\n{ROWS}",
        SMALL,
    ),
    "what numpy saves": ("# N D loss\n" + ROWS.replace(",", " "), SMALL),
    "a title above": (f"Scaling runs 2024\n{'params,tokens,loss'}\n{ROWS}", SMALL),
    "a title in a sheet": (f"Scaling runs 2024,,\n,,\nparams,tokens,loss\n{ROWS}", SMALL),
    "groups of columns": (
        "Model,,Training,Loss,\nname,params,tokens,train,val\na,1e8,2e9,3.2,3.3\nb,1e9,2e10,2.6,2.7\n",
        SMALL,
    ),
    "row names as R writes them": (
        "params,tokens,loss\nr1,1e8,2e9,3.3\nr2,1e9,2e10,2.7\n",
        SMALL,
    ),
    "row numbers as R writes them": ("params,tokens,loss\n1,1e8,2e9,3.3\n2,1e9,2e10,2.7\n", SMALL),
    # Which way a table stands
    "a table on its side": ("params,1e8,1e9,3e9\ntokens,2e9,2e10,6e10\nloss,3.3,2.7,2.5\n", SMALL),
    "a table on its side, of named runs": (
        "run,a,b,c\nparams,1e8,1e9,3e9\ntokens,2e9,2e10,6e10\nval_loss,3.3,2.7,2.5\n",
        SMALL,
    ),
    "one metric a row": (
        "run,params,tokens,metric,value\na,1e8,2e9,loss,3.3\na,1e8,2e9,acc,.3\n"
        "b,1e9,2e10,loss,2.7\nb,1e9,2e10,acc,.4\n",
        SMALL | {"accuracy": 0.3},
    ),
    "scalars with their tags": (
        "run,tag,step,value\nr1,eval/loss,10,5.1\nr1,train/loss,10,5.0\nr1,eval/loss,20,4.8\n"
        "r1,train/loss,20,4.7\n",
        {"step": 10, "loss": 5.1},
    ),
}


@pytest.mark.parametrize("kind", CLEAR)
def test_a_file_that_is_clear_is_read(kind: str) -> None:
    text, expected = CLEAR[kind]
    found = first(read(text))
    assert {name: found.get(name) for name in expected} == pytest.approx(dict(expected), rel=1e-3)


ASKED: dict[str, tuple[str, str]] = {
    "logarithms that may be to base 2": (
        "log_params,log_tokens,loss\n27,31.2,3.3\n30.3,34.6,2.7\n",
        "--unit log_params=log2",
    ),
    "logarithms that may be to base 10 or e": (
        "log_params,loss\n10,5.3\n11,5.0\n",
        "--unit log_params=log10",
    ),
    "groups of two models' columns": (
        "Teacher,Student,Training,Result\nparams,params,tokens,loss\n7e9,1e8,2e9,3.3\n",
        "--column Student/params=params",
    ),
    "natural logarithms without a word": ("N,D,loss\n18.6,21.6,3.3\n21,24,2.7\n", "--unit N=ln"),
    "logarithms to base 2 without a word": (
        "params,tokens,loss\n27,31.2,3.3\n30.3,34.6,2.7\n",
        "--unit params=log2",
    ),
    "tokens of a data set that is repeated": (
        "params,dataset_tokens,epochs,loss\n1e8,2e9,4,3.3\n1e9,2e9,10,2.7\n",
        "--column dataset_tokens=unique_tokens",
    ),
    "losses of two kinds of data": (
        "params,tokens,image_loss,text_loss\n1e8,2e9,4.1,3.3\n1e9,2e10,3.7,2.7\n",
        "--column image_loss=loss",
    ),
    "weights of a model or of rows": (
        "weights,tokens,loss\n1e8,2e9,3.3\n1e9,2e10,2.7\n",
        "--column weights=params",
    ),
    "rows of one name in a table on its side": (
        "params,1e8,1e9\nparams,1e7,1e8\ntokens,2e9,2e10\nloss,3.3,2.7\n",
        "--column params=params",
    ),
    "a loss for each size": (
        "tokens,loss_125M,loss_350M\n1e9,4.3,4.1\n2e9,3.9,3.7\n",
        "--column 'size in the header=params'",
    ),
    "two codings with a column that tells them apart": (
        "params,tokens,kind,loss\n1e8,2e9,nats,3.3\n1e8,2e9,bits,4.7609\n1e9,2e10,nats,2.7\n"
        "1e9,2e10,bits,3.8953\n",
        "--unit 'loss=nats per token where kind=nats'",
    ),
    "two codings": (
        "params,tokens,loss\n1e8,2e9,3.3\n1e8,2e9,4.7609\n1e9,2e10,2.7\n1e9,2e10,3.8953\n",
        "--unit 'loss=nats per token where lower'",
    ),
}


@pytest.mark.parametrize("kind", ASKED)
def test_a_file_that_is_not_is_asked_about(kind: str) -> None:
    text, proposed = ASKED[kind]
    with pytest.raises(TableQuestion) as caught:
        read(text)
    assert next(iter(caught.value.choices.values())) == proposed


@pytest.mark.parametrize(
    ("name", "unit", "kept"),
    [
        ("two codings with a column that tells them apart", "nats per token where kind=nats", 3.3),
        ("two codings with a column that tells them apart", "bits per token where kind=bits", 3.3),
        ("two codings", "nats per token where lower", 3.3),
    ],
)
def test_one_of_two_codings_is_kept(name: str, unit: str, kept: float) -> None:
    result = read(ASKED[name][0], units={"loss": unit})
    losses = result.table.included()["loss"].tolist()
    assert losses == pytest.approx([kept, 2.7], rel=1e-4)
    assert "another unit" in result.problems[0].reason


def test_a_wide_table_becomes_one_row_a_size() -> None:
    text = ASKED["a loss for each size"][0]
    table = read(text, columns={"size in the header": "params"}).table
    assert table.values("params").tolist() == [125e6, 125e6, 350e6, 350e6]
    assert table.values("tokens").tolist() == [1e9, 2e9, 1e9, 2e9]
    assert table.values("loss").tolist() == [4.3, 3.9, 4.1, 3.7]


def test_the_headers_of_a_pivot_are_asked_about_too() -> None:
    text = "tokens,125M,350M\n1e9,4.3,4.1\n2e9,3.9,3.7\n"
    said = {"value of the cells": "loss"}
    with pytest.raises(TableQuestion, match="numbers in the headers") as caught:
        read(text, columns=said)
    assert next(iter(caught.value.choices.values())) == "--column columns=params"
    table = read(text, columns={**said, "columns": "params"}).table
    assert table.values("params").tolist() == [125e6, 125e6, 350e6, 350e6]


# --- Rows that are no runs ---


@pytest.mark.parametrize(
    "below",
    [
        "Total,4.1e9,8.2e10,8.5\n", "Mean,1.4e9,2.7e10,2.8\n", ",4.1e9,8.2e10,8.5\n",
        "合计,4.1e9,8.2e10,8.5\n", "mean,1.4e9,2.7e10,2.8\nstd,1.5e9,2.9e10,0.4\n",
    ],
)  # fmt: skip
def test_rows_that_sum_up_others_are_left_out(below: str) -> None:
    rows = "".join(f"{name},{row}\n" for name, row in zip("ABC", ROWS.split(), strict=True))
    result = read(f"model,params,tokens,loss\n{rows}{below}")
    assert len(result.table.included()) == 3
    assert {problem.reason for problem in result.problems} == {"the row sums up others"}


def test_the_means_of_a_column_of_statistics_are_rows() -> None:
    text = "params,tokens,stat,loss\n1e8,2e9,mean,3.3\n1e8,2e9,std,0.01\n1e9,2e10,mean,2.7\n"
    assert read(text).table.included()["loss"].tolist() == [3.3, 2.7]


def test_runs_that_only_sound_like_a_sum_stay() -> None:
    text = "pooling,params,tokens,loss\nmax,1e8,2e9,3.3\nmax,1e9,2e10,2.7\ncls,3e9,6e10,2.5\n"
    assert len(read(text).table.included()) == 3


def test_a_number_that_stands_for_a_missing_loss_is_none() -> None:
    result = read("params,tokens,loss\n1e8,2e9,3.3\n1e9,2e10,999\n2e9,2e10,2.7\n3e9,6e10,2.5\n")
    assert result.table.included()["loss"].tolist() == [3.3, 2.7, 2.5]
    assert "more than a model that knows nothing" in result.problems[0].reason


# --- Standard errors and weights ---


@pytest.mark.parametrize(
    ("headers", "loss", "deviation"),
    [
        ("loss_mean,loss_std", 3.3, 0.01),
        ("nll,nll_stderr", 3.3, 0.01),
        ("val_loss,val_loss standard error", 3.3, 0.01),
        ("val_loss (bits),val_loss_sem", 3.3 * np.log(2), 0.01 * np.log(2)),
        ("ppl,ppl_std", np.log(3.3), 0.01 / 3.3),
    ],
)
def test_a_standard_error_is_one_and_never_a_loss(
    headers: str, loss: float, deviation: float
) -> None:
    found = first(read(f"params,tokens,{headers}\n1e8,2e9,3.3,.01\n1e9,2e10,2.7,.02\n"))
    assert found["loss"] == pytest.approx(loss)
    assert found["loss_std"] == pytest.approx(deviation)


def test_the_standard_error_of_another_loss_is_not_the_losses() -> None:
    text = "params,tokens,val_loss,train_loss,train_loss_std\n1e8,2e9,3.3,3.2,.1\n1e9,2e10,2,3,.1\n"
    assert "loss_std" not in read(text).table.frame


def test_a_column_of_weights_is_known() -> None:
    found = first(read("params,tokens,loss,weight\n1e8,2e9,3.3,5\n1e9,2e10,2.7,2\n"))
    assert found["weight"] == 5


# --- What is no quantity of training ---


def test_weights_in_total_are_asked_about_unless_a_trainer_sums_them_at_each_step() -> None:
    with pytest.raises(TableQuestion, match="Is total_weights the number of parameters N"):
        read("total_weights,tokens,loss\n1e8,2e9,3.3\n1e9,2e10,2.7\n")
    logged = "step,total_weights,loss\n0,131072,10.9\n5,131072,10.4\n10,131072,10.05\n"
    assert "params" not in read(logged).table.frame


@pytest.mark.parametrize("header", ["word_perplexity", "wikitext/byte_perplexity", "loss_per_word"])
def test_a_perplexity_of_words_or_bytes_is_none_of_tokens(header: str) -> None:
    with pytest.raises(TableError, match="no loss column"):
        read(f"params,tokens,{header}\n1e8,2e9,24.1\n1e9,2e10,15.2\n")
