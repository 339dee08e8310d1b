"""Several files as one table."""

from __future__ import annotations

import pytest

from isoflop.errors import TableError
from isoflop.tables import RawTable, build_table, guess_mapping, read_raw
from isoflop.tables.combine import combine


def raw(name: str, text: str) -> RawTable:
    return read_raw(text.encode(), name)


def test_a_file_a_run() -> None:
    both = combine(
        [
            raw("small.csv", "step,loss,N,D\n1,3.0,1e9,1e9\n2,2.5,1e9,2e9\n"),
            raw("large.csv", "step,loss,N,D\n1,2.8,2e9,1e9\n2,2.2,2e9,x\n"),
        ]
    )
    result = build_table(both, guess_mapping(both))
    assert result.table.frame["run_id"].tolist() == ["small.csv"] * 2 + ["large.csv"] * 2
    assert [str(problem) for problem in result.problems] == ['row 4, D: "x" is not a number']
    assert both.name == "small.csv and 1 more"


def test_files_that_name_their_runs_keep_those_names() -> None:
    both = combine(
        [
            raw("a.csv", "run,loss,N,D\nx,3.0,1e9,1e9\n"),
            raw("b.csv", "run,loss,N,D,note\ny,2.0,1e9,1e9,late\n"),
        ]
    )
    frame = build_table(both, guess_mapping(both)).table.frame
    assert frame["run_id"].tolist() == ["x", "y"]


def test_files_that_name_their_runs_by_different_headers() -> None:
    both = combine(
        [raw("a.csv", "run,loss,N\nx,3,1e9\n"), raw("b.csv", "run_id,loss,N\ny,2,1e9\n")]
    )
    assert both.frame["run_id"].tolist() == ["x", "y"]


def test_lines_that_cannot_be_used_keep_their_place() -> None:
    both = combine(
        [
            raw("a.csv", "loss,N,D\n3.0,1e9,1e9\n3,1,1,1,1\n"),
            raw("b.csv", "loss,N,D\n3,1,1,1,1\n2.0,1e9,1e9\n"),
        ]
    )
    assert [problem.row for problem in both.problems] == [2, 3]
    assert both.frame.index.is_unique


def test_files_of_different_kinds() -> None:
    with pytest.raises(TableError) as caught:
        combine([raw("a.csv", "loss,N\n3,1e9\n"), raw("b.csv", "x,y\n1,2\n")])
    assert caught.value.summary == "The files have no column in common."
    assert "b.csv: x, y" in caught.value.detail


def test_no_file() -> None:
    with pytest.raises(TableError, match="There is no file"):
        combine([])
