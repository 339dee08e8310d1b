"""A table shows itself, and gives parts of itself as tables with identities of their own."""

from __future__ import annotations

import html

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoflop.errors import IsoflopError, TableError, UnitError
from isoflop.tables import LossTable, load_dataset, read_table
from isoflop.tables.condition import fulfils

CSV = b"N,D,loss,family\n1e9,20e9,2.2,a\n7e9,140e9,1.9,b\n13e9,,1.8,b\nbad,1e9,3.0,a\n"
FRAME = pd.DataFrame(
    {
        "params": [1e9, 7e9, 13e9, np.nan],
        "tokens": [2e10, 1.4e11, 1.3e12, 1e9],
        "family": ["a", "b", None, "a"],
        "is_long": [False, True, True, False],
        "lr": [1e-3, 2e-3, 1e-4, 1e-4],
    }
)


@pytest.fixture(scope="module")
def table() -> LossTable:
    return load_dataset("pile-cerebras-pythia")


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("params > 2e9", [1, 2]),
        ("params > '2B'", [1, 2]),
        ("'20B' < tokens", [1, 2]),
        ("1e9 < params <= 7e9", [1]),
        ("family == 'b'", [1]),
        ("family != 'b'", [0, 3]),
        ("not params > 2e9", [0, 3]),
        ("params > 2e9 and family == 'b' or lr == 1e-4", [1, 2, 3]),
        ("tokens / params == 20", [0, 1]),
        ("6 * params * tokens > '1e21'", None),
        ("log(params) > 3", None),
        ("params > -1", [0, 1, 2]),
        ("is_long", [1, 2]),
        ("not is_long and lr > 5e-4", [0]),
        ("lr ** 2 > 1e-6", [1]),
        ("params != params", []),
        ("params > 10 ** 400", []),
    ],
)
def test_conditions_choose_rows(condition: str, rows: list[int] | None) -> None:
    if rows is None:
        with pytest.raises(TableError, match="cannot be applied"):
            fulfils(FRAME, condition)
    else:
        assert np.flatnonzero(fulfils(FRAME, condition)).tolist() == rows


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("", "cannot be read"),
        ("params >", "cannot be read"),
        ("params", "params is no comparison"),
        ("1 > 0 if tokens else 0", "is no comparison"),
        ("width > 3", "There is no column width. Columns: params, tokens"),
        ("family > 'a'", "Texts are compared by == and != alone"),
        ("family == 3", "It compares a text with a number"),
        ("params in (1, 2)", "Only <, <=, >, >=, == and != compare"),
        ("params.real > 1", "neither a column nor a number"),
        ("__import__('os').system('true') == 0", "neither a column nor a number"),
        ("(lambda: 1)() > 0", "neither a column nor a number"),
        ("[x for x in params] == 1", "neither a column nor a number"),
        ("-family > 0", "family is no number"),
        ("params > True", "neither a column nor a number"),
        ("params > " + "1+" * 300 + "1", "It is too long"),
        ("params > 1" * 200, "It is longer than 1000 characters"),
    ],
)
def test_anything_else_is_refused(condition: str, words: str) -> None:
    with pytest.raises(TableError) as error:
        fulfils(FRAME, condition)
    assert words in error.value.detail


def test_a_quantity_must_be_of_the_column() -> None:
    with pytest.raises(UnitError, match="not a number of parameters"):
        fulfils(FRAME, "params > '3 days'")


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="params tokenfily.()[]'\"<>=!+-*/19e_:,@", max_size=40))
def test_no_text_ends_in_a_traceback(condition: str) -> None:
    try:
        found = fulfils(FRAME, condition)
    except IsoflopError:
        return
    assert found.shape == (len(FRAME),)


def test_parts_of_a_table_chain_and_are_other_tables(table: LossTable) -> None:
    part = table.exclude([8, 12], reason="diverged").where("tokens > 1e9").families("Pythia")
    reasons = dict(part.frame["exclusion_reason"])
    assert set(part.frame["family"]) == {"Pythia"}
    assert reasons[8] == "diverged"
    assert part.fingerprint != table.fingerprint
    assert len(table.included()) == 15
    small = table.where("params < '1B'")
    assert set(small.frame["exclusion_reason"]) == {"", "not params < '1B'"}
    assert table.where("params > 0") is table


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.exclude([99], reason="x"), "has no row 99"),
        (lambda t: t.exclude([1], reason=" "), "left out with a reason"),
        (lambda t: t.where("params > 1e20"), "leave no row"),
        (lambda t: t.families("GPT-9"), "has no rows of GPT-9"),
    ],
)
def test_parts_that_cannot_be_are_refused(table: LossTable, change, words: str) -> None:
    with pytest.raises(TableError, match=words):
        change(table)


def test_a_table_says_how_it_was_read() -> None:
    table = read_table(CSV, name="runs.csv").table
    text = table.summary()
    assert "4 rows, 2 of them excluded; loss in nats/token" in text
    assert "N\n" in text
    assert "derived: 6 * params * tokens" in text
    assert 'row 4, N: "bad"' in text
    assert "[rows-unusable]" in text
    assert table.reading is not None
    assert [problem.row for problem in table.reading.problems] == [3, 4]
    assert table.exclude([1], reason="x").reading is table.reading


def test_a_table_in_a_notebook_escapes_everything(table: LossTable) -> None:
    evil = "<script>alert(1)</script>"
    frame = table.frame.assign(family=evil)
    frame[evil] = 1.0
    shown = table.with_frame(frame, id=evil)._repr_html_()
    assert "<script" not in shown
    assert html.escape(evil) in shown
