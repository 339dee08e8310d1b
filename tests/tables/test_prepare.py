"""Preparations: applied in the right order, carried by a link, junk refused."""

from __future__ import annotations

from typing import get_args

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import TableError
from isoflop.tables import Exclusion, LossTable, load_dataset, read_table, simulated_table
from isoflop.tables.exclude import Rule
from isoflop.tables.prepare import (
    Preparation,
    default_preparation,
    preparation_from_text,
    preparation_to_text,
    prepare,
)
from isoflop.tables.schema import ParamConvention
from isoflop.tables.shapes import Curves, Seeds


def curves(n_steps: int) -> LossTable:
    frame = pd.DataFrame(
        {
            "run": ["a"] * n_steps + ["b"] * n_steps,
            "step": [*range(n_steps)] * 2,
            "N": [1e9] * n_steps + [2e9] * n_steps,
            "D": [1e9 * (1 + step) for step in range(n_steps)] * 2,
            "loss": [5 - 2 * step / n_steps for step in range(n_steps)] * 2,
        }
    )
    return read_table(frame, name="curves").table


def test_long_curves_keep_their_last_step_unless_told_otherwise() -> None:
    assert default_preparation(curves(100)).curves == "last"
    assert default_preparation(curves(10)).curves == "all"
    assert default_preparation(simulated_table()) == Preparation()


def test_a_run_that_is_left_out_does_not_come_back_with_an_earlier_step() -> None:
    table = curves(50)
    last = prepare(table, Preparation(curves="last"))
    assert last.frame.index.tolist() == [50, 100]
    out = Preparation(curves="last", exclusions=(Exclusion(rule="rows", rows=(50,)),))
    assert prepare(table, out).included().index.tolist() == [100]


def test_a_warm_up_is_left_out_before_curves_are_reduced() -> None:
    table = curves(50)
    lowest_late = Preparation(curves="best", exclusions=(Exclusion(rule="warm_up", value=0.5),))
    assert len(prepare(table, lowest_late).included()) == 2


def test_everything_at_once() -> None:
    pile = load_dataset("pile-cerebras-pythia")
    done = prepare(
        pile,
        Preparation(
            convention="non-embedding",
            seeds="clustered",
            exclusions=(Exclusion(rule="highest_losses", value=2, reason="too small"),),
        ),
    )
    assert len(done.included()) == 13
    assert done.param_convention == "non-embedding"


def test_nothing_to_do_is_the_same_table() -> None:
    pile = load_dataset("pile-cerebras-pythia")
    assert prepare(pile, Preparation()) is pile


EXCLUSIONS = st.one_of(
    st.builds(
        Exclusion,
        rule=st.sampled_from(["rows", "keep"]),
        rows=st.lists(st.integers(1, 500), max_size=20).map(lambda r: tuple(sorted(set(r)))),
        reason=st.text(max_size=20),
    ),
    st.builds(
        Exclusion,
        rule=st.sampled_from([rule for rule in get_args(Rule) if rule not in {"rows", "keep"}]),
        value=st.floats(0, 1e30),
        reason=st.text(max_size=20),
    ),
)


@given(
    st.builds(
        Preparation,
        metric=st.text(max_size=10),
        curves=st.sampled_from(get_args(Curves)),
        seeds=st.sampled_from(get_args(Seeds)),
        convention=st.sampled_from(["", *get_args(ParamConvention)]),
        exclusions=st.lists(EXCLUSIONS, max_size=4).map(tuple),
    )
)
def test_a_link_carries_it_whole(preparation: Preparation) -> None:
    assert preparation_from_text(preparation_to_text(preparation)) == preparation


def test_a_link_is_short() -> None:
    preparation = Preparation(
        curves="last",
        exclusions=(
            Exclusion(rule="highest_losses", value=5.0, reason="as in the paper"),
            Exclusion(rule="rows", rows=(1, 2, 3, 7)),
        ),
    )
    assert preparation_to_text(preparation) == (
        '{"curves":"last","out":[["highest_losses",5.0,"as in the paper"],["rows","1-3.7",""]]}'
    )
    assert preparation_to_text(Preparation()) == ""


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "[]",
        "null",
        '{"curves":"first"}',
        '{"sudo":1}',
        '{"metric":3}',
        '{"out":[["rows","1-99999999",""]]}',
        '{"out":[["rows","-5",""]]}',
        '{"out":[["rows","a",""]]}',
        '{"out":[["highest_losses","5",""]]}',
        '{"out":[["highest_losses",true,""]]}',
        '{"out":[["drop_table",5,""]]}',
        '{"out":[[5]]}',
        '{"out":7}',
        "[" * 3000,
        '"' + "x" * 5000 + '"',
    ],
)
def test_junk_is_refused(text: str) -> None:
    with pytest.raises(TableError, match="preparation of the table cannot be read"):
        preparation_from_text(text)
