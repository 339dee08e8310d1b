"""The quality report finds what was planted, and nothing in a clean table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isoflop.tables import LossTable, list_datasets, load_dataset, read_table, simulated_table
from isoflop.tables.quality import Finding, quality_report


def found(table: LossTable) -> dict[str, Finding]:
    return {finding.notice.code: finding for finding in quality_report(table)}


def clean() -> LossTable:
    """Return a table of 80 runs, none of them undertrained."""
    table = simulated_table(n_rows=200, noise=0.002)
    frame = table.frame[table.frame["tokens"] > 5 * table.frame["params"]].head(80)
    return table.with_frame(frame.set_axis(pd.RangeIndex(1, 81)))


def spoilt(**columns: object) -> LossTable:
    table = clean()
    return table.with_frame(table.frame.assign(**columns))


def test_a_clean_table_has_only_its_spread() -> None:
    assert set(found(clean())) == {"spread"}
    assert found(clean())["spread"].notice.text.startswith("Decades covered: N ")


def test_duplicates() -> None:
    table = clean()
    frame = pd.concat([table.frame, table.frame.iloc[:3]], ignore_index=True)
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    finding = found(table.with_frame(frame))["duplicate-rows"]
    assert finding.rows == (81, 82, 83)
    assert finding.notice.text.startswith("3 rows repeat an earlier row")


def test_near_duplicates() -> None:
    table = clean()
    extra = table.frame.iloc[[0]].assign(loss=lambda f: f["loss"] * (1 + 1e-6))
    frame = pd.concat([table.frame, extra], ignore_index=True)
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    assert found(table.with_frame(frame))["near-duplicate-rows"].rows == (1, 81)


def test_outliers() -> None:
    finding = found(simulated_table(n_rows=80, noise=0.002, outliers=3, seed=5))["outlier-rows"]
    frame = simulated_table(n_rows=80, noise=0.002, outliers=3, seed=5).frame
    assert set(finding.rows) == set(frame.index[frame["is_outlier"] == 1])


def test_compute_against_6nd() -> None:
    doubled = clean().frame["compute_flop"] * 2.0
    assert found(spoilt(compute_flop=doubled))["compute-not-6nd"].notice.severity == "warning"
    one_off = clean().frame["compute_flop"].copy()
    one_off.loc[7] *= 1000
    assert found(spoilt(compute_flop=one_off))["compute-not-6nd"].rows == (7,)


def test_rows_of_one_run() -> None:
    runs = pd.Series(["a", "b"] * 40, index=clean().frame.index, dtype="str")
    text = found(spoilt(run_id=runs))["rows-of-one-run"].notice.text
    assert text == "80 rows come from 2 runs: they are not independent."


def test_curves_that_rise() -> None:
    runs = pd.Series(["a"] * 40 + ["b"] * 40, index=clean().frame.index, dtype="str")
    loss = np.concatenate([np.linspace(5, 2, 40), np.linspace(5, 2, 39), [2.5]])
    table = spoilt(run_id=runs, step=np.tile(np.arange(40.0), 2), loss=loss)
    assert found(table)["rising-curves"].rows == (80,)


def test_repeated_data() -> None:
    table = spoilt(unique_tokens=np.minimum(clean().frame["tokens"], 1e10))
    assert "up to" in found(table)["repeated-data"].notice.text


def test_undertrained() -> None:
    tokens = clean().frame["tokens"].copy()
    tokens.loc[3] = clean().frame["params"].loc[3]
    finding = found(spoilt(tokens=tokens))["undertrained-rows"]
    assert 3 in finding.rows


def test_narrow_and_collinear_sizes() -> None:
    chinchilla = read_table(
        pd.DataFrame({"N": [1e9, 2e9, 4e9], "D": [2e10, 4e10, 8e10], "loss": [2.5, 2.4, 2.3]})
    ).table
    codes = found(chinchilla)
    assert codes["narrow-spread"].notice.severity == "warning"
    assert "a correlation of 1.000" in codes["collinear-sizes"].notice.text


def test_one_size_is_serious_and_comes_first() -> None:
    one = read_table(
        pd.DataFrame({"N": [1e9] * 3, "D": [2e10, 4e10, 8e10], "loss": [2.5, 2.4, 2.3]})
    ).table
    first = quality_report(one)[0].notice
    assert (first.code, first.severity) == ("one-value-params", "serious")


@pytest.mark.parametrize(
    ("losses", "code", "guess"),
    [
        ([0.9, 0.85, 0.8], "loss-unit-doubtful", "a loss per byte"),
        ([25.0, 22.0, 20.0], "loss-unit-guess", "a perplexity"),
        ([0.15, 0.14, 0.13], "loss-unit-guess", "a loss per byte"),
    ],
)
def test_loss_unit(losses: list[float], code: str, guess: str) -> None:
    table = read_table(
        pd.DataFrame({"N": [1e9, 1e10, 1e11], "D": [2e10] * 3, "loss": losses}),
        units={"loss": "unknown"} if code == "loss-unit-guess" else None,
    ).table
    assert guess in found(table)[code].notice.text


def test_repeated_seeds() -> None:
    table = read_table(
        pd.DataFrame({"N": [1e9] * 2, "D": [2e10] * 2, "seed": [0, 1], "loss": [2.5, 2.4]})
    ).table
    assert "1 setting was" in found(table)["repeated-seeds"].notice.text


@pytest.mark.parametrize("id", [dataset.id for dataset in list_datasets()])
def test_every_data_set_is_reported_on(id: str, mirror: Path) -> None:
    table = load_dataset(id)
    for finding in quality_report(table):
        assert finding.notice.text.endswith(".")
        assert finding.title
        assert set(finding.rows) <= set(table.frame.index)


def test_a_table_of_text_and_one_row_is_reported_on() -> None:
    one = read_table(b"N,D,loss,note\n1e9,1e10,2.5,x\n", name="runs.csv").table
    assert quality_report(one)
