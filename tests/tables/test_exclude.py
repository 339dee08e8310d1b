"""Rows left out by hand or by a rule: with a reason, undoable, carried along."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import TableError
from isoflop.export import table_csv
from isoflop.tables import LossTable, read_table, simulated_table
from isoflop.tables.exclude import Exclusion, exclude, rules


def table(**columns: list[object]) -> LossTable:
    return read_table(pd.DataFrame(columns), name="runs").table


RUNS = table(
    run=["a", "a", "b", "b"],
    step=[1, 100, 1, 50],
    N=[1e9, 1e9, 2e9, 2e9],
    D=[1e9, 1e11, 1e9, 4e10],
    loss=[9.0, 2.0, 8.0, 1.9],
)


@pytest.mark.parametrize(
    ("exclusion", "left", "described"),
    [
        (Exclusion(rule="rows", rows=(2,)), [1, 3, 4], "1 row left out"),
        (Exclusion(rule="highest_losses", value=2), [2, 4], "the 2 highest losses"),
        (Exclusion(rule="warm_up", value=0.1), [2, 4], "the first 0.1 of each run's steps"),
        (
            Exclusion(rule="tokens_per_param_above", value=50),
            [1, 3, 4],
            "more than 50 tokens per parameter",
        ),
        (
            Exclusion(rule="tokens_per_param_below", value=5),
            [2, 4],
            "fewer than 5 tokens per parameter",
        ),
        (Exclusion(rule="compute_below", value=1e20), [2, 4], "less than 1e20 FLOP"),
    ],
)
def test_rules(exclusion: Exclusion, left: list[int], described: str) -> None:
    changed = exclude(RUNS, [exclusion])
    assert changed.included().index.tolist() == left
    assert exclusion.describe() == described
    out = changed.frame[changed.frame["is_excluded"]]
    assert (out["exclusion_reason"] == described).all()


def test_a_reason_of_ones_own_is_written_beside_the_row() -> None:
    changed = exclude(RUNS, [Exclusion(rule="rows", rows=(1,), reason="loss spike")])
    assert changed.frame["exclusion_reason"].tolist() == ["loss spike", "", "", ""]
    assert "loss spike" in table_csv(changed)


def test_undoing_all_gives_the_table_back() -> None:
    assert exclude(RUNS, []) is RUNS


def test_the_order_counts_and_rows_can_be_taken_back() -> None:
    top = Exclusion(rule="highest_losses", value=1)
    assert exclude(RUNS, [top, top]).included().index.tolist() == [2, 4]
    back = Exclusion(rule="keep", rows=(1,))
    assert exclude(RUNS, [top, back]).included().index.tolist() == [1, 2, 3, 4]


def test_an_unusable_row_cannot_be_taken_back() -> None:
    result = read_table(b"N,D,loss\n1e9,1e10,2.5\n2e9,1e10,bad\n4e9,1e10,2.3\n", name="runs.csv")
    back = Exclusion(rule="keep", rows=(1, 2))
    changed = exclude(result.table, [back])
    assert changed.included().index.tolist() == [1, 3]
    assert changed.frame.loc[2, "exclusion_reason"] == "loss: is not a number"


def test_an_exported_table_read_again_keeps_its_exclusions() -> None:
    changed = exclude(RUNS, [Exclusion(rule="rows", rows=(1, 3), reason="warm-up")])
    again = read_table(table_csv(changed).encode(), name="runs.csv").table
    assert again.included()["loss"].tolist() == [2.0, 1.9]
    assert again.frame["exclusion_reason"].tolist() == ["warm-up", "", "warm-up", ""]


def test_nothing_left() -> None:
    with pytest.raises(TableError, match="leave no row") as caught:
        exclude(RUNS, [Exclusion(rule="highest_losses", value=10)])
    assert "the 10 highest losses" in caught.value.detail


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_a_value_that_makes_no_sense(value: float) -> None:
    with pytest.raises(TableError, match="'tokens per parameter above' cannot be applied"):
        exclude(RUNS, [Exclusion(rule="tokens_per_param_above", value=value)])


def test_rules_need_their_columns() -> None:
    plain = table(N=[1e9, 2e9], loss=[2.5, 2.4])
    assert list(rules(plain)) == ["highest_losses"]
    with pytest.raises(TableError, match="cannot be applied") as caught:
        exclude(plain, [Exclusion(rule="warm_up", value=0.1)])
    assert caught.value.detail == "The table has no column step."


@given(
    rows=st.lists(st.integers(1, 60), max_size=20), count=st.integers(0, 30), seed=st.integers(0, 9)
)
def test_exclusions_never_change_values(rows: list[int], count: int, seed: int) -> None:
    source = simulated_table(seed=seed)
    changed = exclude(
        source,
        [
            Exclusion(rule="rows", rows=tuple(rows)),
            Exclusion(rule="highest_losses", value=count),
        ],
    )
    pd.testing.assert_frame_equal(changed.frame[source.frame.columns.tolist()], source.frame)
    assert len(changed.included()) == 60 - len(set(rows)) - min(count, 60 - len(set(rows)))
    assert np.isin(changed.frame.index[changed.frame["is_excluded"]], rows).sum() == len(set(rows))
