"""The identity of a table's content, also where it is long."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.tables import fingerprint as module
from isoflop.tables.fingerprint import fingerprint
from isoflop.tables.reading.cells import distinct, run_starts

CELLS = st.sampled_from(["a", "b", None])
NUMBERS = st.sampled_from([1.0, 2.0, float("nan")])


def frame(cells: list[tuple[str | None, float]]) -> pd.DataFrame:
    texts = pd.Series([text for text, _ in cells], dtype="str")
    return pd.DataFrame({"run": texts, "x": [number for _, number in cells]})


@pytest.fixture(autouse=True, scope="module")
def every_table_is_long() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_LONG", 1)
        patch.setattr(module, "_MOST_RUNS", 1.0)
        yield


@given(
    st.lists(st.tuples(CELLS, NUMBERS), min_size=1, max_size=9),
    st.lists(st.tuples(CELLS, NUMBERS), min_size=1, max_size=9),
)
def test_long_tables_share_a_fingerprint_only_if_they_are_equal(
    one: list[tuple[str | None, float]], other: list[tuple[str | None, float]]
) -> None:
    is_same = frame(one).equals(frame(other))
    assert (fingerprint(frame(one)) == fingerprint(frame(other))) == is_same


@given(st.lists(st.sampled_from(["a", "b", None]), max_size=12))
def test_runs_of_equal_cells_start_where_a_cell_differs(cells: list[str | None]) -> None:
    column = pd.Series(cells, dtype="str")
    starts = run_starts(column)
    expected = [i for i, cell in enumerate(cells) if not i or cell is None or cell != cells[i - 1]]
    expected = sorted({*expected, *(i for i in range(1, len(cells)) if cells[i - 1] is None)})
    assert starts.tolist() == expected
    np.testing.assert_array_equal(run_starts(column.astype(object)), starts)


def test_distinct_cells_come_in_their_order() -> None:
    column = pd.Series(np.repeat(["b", "a", "b"], 30_000), dtype="str")
    assert list(distinct(column)) == ["b", "a"]
    assert list(distinct(column)) == ["b", "a"]  # from what is kept
