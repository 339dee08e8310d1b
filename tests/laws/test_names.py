"""What the names of a typed formula stand for."""

from __future__ import annotations

import keyword
from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoflop.errors import FormulaError, TableError
from isoflop.laws import formula_names, identifier, load_laws, parse, rename, typed_law
from isoflop.tables import LossTable, load_dataset, read_table
from isoflop.tables.load import Reading
from isoflop.tables.mapping import ColumnMapping, ColumnRole
from isoflop.tables.schema import Provenance
from isoflop.tables.shapes import with_convention

FORMULA = "E + A/N**alpha + b*log(lr)"


def rates(header: str) -> LossTable:
    """Return a table whose learning rates have this header."""
    rows = [
        f"{n},{20 * n},{rate},{3 - i / 10}"
        for i, n in enumerate((1e6, 1e7, 1e8))
        for rate in (1e-3, 2e-3)
    ]
    text = "\n".join([f"params,tokens,{header},loss", *rows])
    return read_table(text.encode(), name="rates.csv").table


def read_as(*roles: ColumnRole) -> Reading:
    return Reading(mapping=ColumnMapping(roles=roles), problems=(), notices=())


def asked(
    formula: str, table: LossTable, **given: object
) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return why each doubtful name is asked about, and what to write instead."""
    found = formula_names(formula, table, **given).questions  # type: ignore[arg-type]  # any of its keywords
    return {question.name: (question.why, question.instead) for question in found}


# --- A learning rate ------------------------------------------------------------------------------


def test_a_header_of_the_file_is_an_input() -> None:
    law = typed_law(FORMULA, rates("lr"))
    assert {item.symbol: item.column for item in law.inputs} == {
        "N": "params", "lr": "learning_rate"
    }  # fmt: skip
    assert law.param_names == ("E", "A", "alpha", "b")


def test_a_name_that_reads_like_a_column_is_asked_about() -> None:
    with pytest.raises(FormulaError) as caught:
        typed_law(FORMULA, rates("learning_rate"))
    assert caught.value.summary == "What lr stands for is not certain."
    assert caught.value.detail == "lr reads like learning_rate."
    assert caught.value.hint == (
        "Write learning_rate for the column. For a parameter to fit, say so: below the formula on "
        'the page, --parameter lr on the command line, params=["lr"] in Python.'
    )


def test_either_answer_makes_a_law() -> None:
    table = rates("learning_rate")
    as_column = typed_law(rename(FORMULA, "lr", "learning_rate"), table)
    assert as_column.symbols == ("N", "learning_rate")
    as_parameter = typed_law(FORMULA, table, params=["lr"])
    assert as_parameter.symbols == ("N",)
    assert "lr" in as_parameter.param_names


def test_what_is_said_to_be_a_parameter_must_stand_in_the_formula() -> None:
    with pytest.raises(FormulaError, match="The formula has no rate that could be a parameter"):
        typed_law("E + A/N**a", ["params"], params=["rate"])


def test_a_word_of_the_person_outweighs_a_column() -> None:
    law = typed_law("E + A/D**a + N", ["params", "tokens"], params=["N"])
    assert law.symbols == ("D",)
    assert "N" in law.param_names


# --- What is asked, and what is not ---------------------------------------------------------------


@pytest.fixture(scope="module")
def logged() -> LossTable:
    header = "n_params,tokens,weight_decay,Batch Size (k),log10_flops,val_loss,name,note"
    rows = [
        f"{10**i},{20 * 10**i},0.{j},{16 * j},{2 * i + 2.08:.2f},{3 - i / 10},r{i},x"
        for i in (6, 7, 8)
        for j in (1, 2)
    ]
    return read_table("\n".join([header, *rows]).encode(), name="logged.csv").table


@pytest.mark.parametrize(
    ("name", "why", "instead"),
    [
        ("n", "reads like params", ("params",)),
        ("d", "reads like tokens", ("tokens",)),
        ("num_params", "reads like params", ("params",)),
        ("Params", "reads like params", ("params",)),
        ("wd", "reads like weight_decay", ("weight_decay",)),
        ("bs", "reads like Batch Size (k)", ("Batch_Size_k",)),
        ("log10_flops", "is kept as compute_flop", ("log10(compute_flop)",)),
        ("val_loss", "is what the law predicts", ()),
        ("Loss", "reads like loss", ()),
        ("run_id", "is a column without numbers", ()),
        ("U", "stands for Unique tokens, which the table does not have", ()),
        ("width", "stands for Width, which the table does not have", ()),
    ],
)
def test_what_is_asked(logged: LossTable, name: str, why: str, instead: tuple[str, ...]) -> None:
    assert asked(f"E + A/compute_flop**alpha + b*{name}", logged) == {name: (why, instead)}
    for written in instead:
        law = typed_law(rename(f"E + b*{name}", name, written), logged)
        assert len(law.inputs) == 1


@pytest.mark.parametrize(
    "formula",
    [
        "E + A/N**n",  # N is there already
        "E + A/N**alpha + B/D**beta + c/tokens",  # N and D settle C
        "a*N**b + c",  # the alphabet only goes on
        "a*exp(b*N) + c*exp(d*N) + e",
        "E + A/N**alpha + B/D**beta + (Dc/D)**delta",
        "E + k*N**(-s) + t0",
    ],
)
def test_what_is_not_asked(logged: LossTable, formula: str) -> None:
    assert asked(formula, logged) == {}


def test_a_header_that_names_another_column_is_asked_about() -> None:
    frame = pd.DataFrame({"width": [1.0, 2.0], "depth": [3.0, 4.0], "loss": [2.0, 1.0]})
    table = LossTable(
        id="swapped",
        frame=frame,
        provenance=Provenance(title=""),
        reading=read_as(
            ColumnRole(header="width", column="depth"), ColumnRole(header="w", column="width")
        ),
    )
    assert asked("a + b*width", table) == {"width": ("may mean width or depth", ("w", "depth"))}


def test_a_column_that_was_left_out_is_asked_about() -> None:
    table = load_dataset("pile-cerebras-pythia")
    assert table.reading is not None
    roles = (*table.reading.mapping.roles, ColumnRole(header="grad norm", column=""))
    left_out = replace(table, reading=read_as(*roles))
    why = "is a column of the file that the table leaves out"
    assert asked("E + A/N**a + b*grad_norm", left_out) == {"grad_norm": (why, ())}


def test_no_header_stands_for_a_column_that_another_became() -> None:
    rows = "num_params,non_embedding_params,tokens,loss\n2e6,1e6,1e8,3\n4e6,3e6,1e8,2.9\n"
    table = read_table(rows.encode(), name="counts.csv").table
    assert typed_law("a*num_params", table).inputs[0].column == "params"
    recounted = with_convention(table, "non-embedding")
    assert asked("a*num_params", recounted) == {"num_params": ("reads like params", ("params",))}
    assert typed_law("a*non_embedding_params", recounted).inputs[0].column == "params_nonembedding"


@pytest.mark.parametrize("key", load_laws())
def test_a_shipped_formula_typed_is_the_shipped_law_or_asked_about(key: str) -> None:
    """Its own parameters are never taken for columns, whatever they are called."""
    law = load_laws()[key]
    columns = [item.column for item in law.inputs]
    found = formula_names(law.formula, [*columns, "params", "tokens", "compute_flop"])
    assert set(law.param_names) <= set(found.params)


# --- Headers as names -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("grad_norm", "grad_norm"),
        ("Grad Norm", "Grad_Norm"),
        ("train/grad_norm", "train_grad_norm"),
        ("_runtime", "runtime"),
        ("2nd moment", "column_2nd_moment"),
        ("lambda", "lambda_"),
        ("exp", "exp_"),
        ("pi", "pi_"),
        ("%", "column"),
        ("größe", "größe"),
    ],
)
def test_how_a_header_is_written(header: str, name: str) -> None:
    assert identifier(header) == name
    assert typed_law(f"a*{name}", [header]).inputs[0].column == header


@given(st.text(max_size=30))
def test_every_header_can_be_written(header: str) -> None:
    name = identifier(header)
    assert not keyword.iskeyword(name)
    assert parse(f"a0*{name}").names[1:] == ((name,) if name != "a0" else ())


@settings(deadline=None, max_examples=150)
@given(
    st.lists(
        st.text(
            st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]),
            min_size=1,
            max_size=12,
        )
        | st.sampled_from(
            ["lr", "wd", "N", "n", "D", "flops", "size", "E", "steps", "lambda", "seed"]
        ),
        min_size=1,
        max_size=4,
    )
)
def test_a_header_is_never_fitted_in_silence(headers: list[str]) -> None:
    frame = pd.DataFrame({"loss": [3.0, 2.5, 2.0, 1.8]})
    for position, header in enumerate(headers):
        frame[header] = [float(position + row + 1) for row in range(4)]
    frame["compute"] = [1e18, 1e19, 1e20, 1e21]
    try:
        table = read_table(frame, name="made").table
    except TableError:  # two headers of one meaning, or a unit that must be asked for
        return
    assert table.reading is not None
    for role in table.reading.mapping.roles:
        name = identifier(role.header)
        found = formula_names(f"K0*{name} + K1", table)
        doubtful = {question.name for question in found.questions}
        assert name in found.inputs or name in doubtful
        assert name not in found.params
