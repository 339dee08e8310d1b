"""Marks in cells, and tables of sizes by budgets."""

from __future__ import annotations

from pathlib import Path

import pytest

from isoflop.errors import TableError, TableQuestion
from isoflop.tables import read_raw, read_table
from isoflop.tables.marks import split_marks
from isoflop.tables.pivot import VALUE

CASES = Path(__file__).parent / "cases"


# --- Marks ---


def test_the_best_of_each_budget_in_bold_is_a_row_like_others() -> None:
    result = read_table(CASES / "issue_bold_loss.md")
    assert result.problems == ()
    assert result.table.values("loss").tolist() == [3.5, 3.45, 3.56, 3.39, 3.28]
    assert "Marks in cells were taken off: loss." in result.raw.notes


@pytest.mark.parametrize(
    ("cell", "value", "spread"),
    [
        ("**3.45**", "3.45", ""), ("*3.45*", "3.45", ""), ("__3.45__", "3.45", ""),
        ("_3.45_", "3.45", ""), ("***3.45***", "3.45", ""), ("`3.45`", "3.45", ""),
        ("<b>3.45</b>", "3.45", ""), ("~1.3B", "1.3B", ""), ("≈ 1.3B", "1.3B", ""),
        ("ca. 1.3B", "1.3B", ""), ("3.45†", "3.45", ""), ("3.45 ‡", "3.45", ""),
        ("3.45*", "3.45", ""), ("3.45\\*", "3.45", ""), ("3.45[1]", "3.45", ""),
        ("3.45 [^2]", "3.45", ""), ("3.45²", "3.45", ""), ("**3.45**†", "3.45", ""),
        ("3.45 ± 0.02", "3.45", "0.02"), ("3.45±.02", "3.45", ".02"),
        ("3.45 +/- 0.02", "3.45", "0.02"), ("**3.45 ± 0.02**", "3.45", "0.02"),
        ("3.45(3)", "3.45", "0.03"), ("3.450(12)", "3.450", "0.012"), ("3,45(3)", "3,45", "0.03"),
        ("70M ± 1M", "70M", "1M"),
    ],
)  # fmt: skip
def test_a_marked_cell(cell: str, value: str, spread: str) -> None:
    assert split_marks(cell) == (value, spread)


@pytest.mark.parametrize(
    "cell",
    ["GPT-3", "a_b_c", "3.45 (0.02)", "70(1)", "<3.45", "3.45 - 3.50", "x*y", "* note", "model_7*",
     "n/a", "—", "-3.5", "(a)", "3.45 (done)", "about", "[1]", "*"],
)  # fmt: skip
def test_a_cell_that_says_something_else_stays(cell: str) -> None:
    assert split_marks(cell) == (cell, "")


def test_spreads_become_a_column_and_no_row_is_lost() -> None:
    text = (
        "params,tokens,val_loss,name\n~70M,1.4B,3.45 ± 0.02,A†\n**160M**,3.2B,3.21(3),**B**\n"
        "410M,8.2B,2.98,C\n"
    )
    result = read_table(text.encode(), name="runs.csv")
    table = result.table
    assert result.problems == ()
    assert table.values("params").tolist() == [70e6, 160e6, 410e6]
    assert table.values("loss").tolist() == [3.45, 3.21, 2.98]
    assert table.frame["loss_std"].tolist() == pytest.approx(
        [0.02, 0.03, float("nan")], nan_ok=True
    )
    assert table.frame["run_id"].tolist() == ["A", "B", "C"]


def test_text_with_marks_elsewhere_is_left_alone() -> None:
    raw = read_raw(b"N,loss,note\n1e8,3.0,see a_b and *this* one\n2e8,2.9,a (b)\n", "runs.csv")
    assert raw.frame["note"].tolist() == ["see a_b and *this* one", "a (b)"]
    assert raw.notes == ()


# --- Sizes by budgets ---


def test_a_pivot_is_asked_what_its_cells_are() -> None:
    with pytest.raises(TableQuestion, match="What are the numbers in the cells") as caught:
        read_table(CASES / "isoflop_pivot.md")
    assert next(iter(caught.value.choices.values())) == f"--column '{VALUE}=loss'"


def test_a_pivot_of_losses_is_one_row_a_cell() -> None:
    table = read_table(CASES / "isoflop_pivot.md", columns={VALUE: "loss"}).table
    assert table.values("loss").tolist() == [1.1, 1.08, 1.09, 1.05, 1.03, 1.02, 1.02, 0.99]
    assert table.values("compute_flop").tolist() == [1e18] * 3 + [3e18] * 3 + [1e19] * 2


def test_a_pivot_of_parameters_by_tokens() -> None:
    text = b"N \\ D,1B,10B,100B\n100M,3.5,3.2,3.1\n1B,3.1,2.7,2.5\n"
    table = read_table(text, name="grid.csv", columns={VALUE: "loss"}).table
    assert table.values("params").tolist() == [1e8, 1e9] * 3
    assert table.values("tokens").tolist() == [1e9, 1e9, 1e10, 1e10, 1e11, 1e11]


def test_a_wide_table_whose_value_has_no_name_is_refused() -> None:
    with pytest.raises(TableError, match="has no loss column"):
        read_table(CASES / "issue_table.md")


@pytest.mark.parametrize(
    "text",
    [
        "N,D,loss\n1e8,1e9,3.0\n2e8,1e9,2.9\n",
        "1e8,1e9,3.0\n2e8,1e9,2.9\n",
        "run,2021,2022\na,x,y\nb,z,w\n",
        "loss,1,2\n3.0,1e8,1e9\n2.9,2e8,1e9\n",
    ],
)
def test_a_table_that_is_no_pivot_stays(text: str) -> None:
    assert VALUE not in read_raw(text.encode(), "runs.csv").headers
