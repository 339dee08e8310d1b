"""The functions that start from a name or a file: what each takes, refuses and gives back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import isoflop as iso
from isoflop.errors import (
    CatalogError,
    FitError,
    FormulaError,
    OptionError,
    PlanError,
    TableError,
    UnitError,
)
from isoflop.laws import load_laws
from isoflop.planning import find_accelerator
from isoflop.tables import load_dataset

VALUES = {"E": 1.7, "A": 400.0, "alpha": 0.34, "B": 410.0, "beta": 0.28}
PILE = "pile-cerebras-pythia"
FRAME = pd.DataFrame({"N": [1e9], "D": [1e9], "loss": [2]})


@pytest.fixture(scope="module")
def table() -> iso.LossTable:
    return iso.simulate("chinchilla", VALUES, noise=0.0, seed=2)


@pytest.fixture(scope="module")
def fit(table: iso.LossTable) -> iso.Fit:
    return iso.fit(table, "chinchilla")


def test_a_table_comes_from_a_name_a_file_and_a_frame(tmp_path: Path) -> None:
    named = iso.load(PILE)
    assert named == load_dataset(PILE)
    path = tmp_path / "runs.csv"
    path.write_text("N,D,loss\n1B,20B,2.2\n7B,140B,1.9\n")
    of_file = iso.load(path)
    frame = pd.DataFrame({"size": [1, 7], "D": [20, 140], "loss": [2.2, 1.9]})
    of_frame = iso.load(frame, columns={"size": "params"}, units={"params": "B", "D": "B"})
    for name in ("params", "tokens", "loss"):
        np.testing.assert_array_equal(of_frame.values(name), of_file.values(name))
    assert of_frame.reading is not None
    per_byte = iso.load(path.read_bytes(), loss_unit="bits/byte")
    assert per_byte.loss_unit == "bits/byte"


def test_long_learning_curves_keep_their_last_step() -> None:
    steps = np.arange(1, 31)
    curve = pd.DataFrame({"step": steps, "tokens": 1e6 * steps, "loss": 4 - steps / 20})
    frame = pd.concat(
        curve.assign(run_id=name, params=size) for name, size in (("a", 1e8), ("b", 2e8))
    )
    assert len(iso.load(frame).included()) == 2
    assert len(iso.load(frame, curves="all").included()) == 60


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda: iso.load("https://example.org/runs.csv"), TableError, "not read from an address"),
        (lambda: iso.load("no-such-table"), CatalogError, "Known: pile-cerebras-pythia"),
        (lambda: iso.load("absent.csv"), TableError, "absent.csv cannot be read"),
        (lambda: iso.load(PILE, loss_unit="bits/byte"), TableError, "settled by the catalog"),
        (
            lambda: iso.load(FRAME, columns={"x": "params"}),
            TableError,
            "no column 'x'.*\nIt has N, D, loss",
        ),
        (
            lambda: iso.load(FRAME, columns={"N": "size"}),
            TableError,
            "no canonical column 'size'",
        ),
        (lambda: iso.law("chinchila"), CatalogError, "Known: chinchilla"),
        (lambda: iso.law("E + A/bogus"), FormulaError, "uses no column"),
        (lambda: iso.fit(PILE, delta=1), OptionError, "delta: there is no such option"),
        (lambda: iso.fit(PILE, n_bootstrap="many"), OptionError, "n_bootstrap: "),
        (lambda: iso.compare_families(PILE), FitError, "cannot be compared as they stand"),
        (lambda: iso.compare_families(PILE, families=("Pythia", "X")), TableError, "no rows of X"),
        (lambda: iso.simulate("chinchilla", {"E": 1}), TableError, "in only one of the two: A"),
        (lambda: iso.simulate("chinchilla", VALUES | {"E": -9}), TableError, "no positive loss"),
    ],
)
def test_what_cannot_be_done_is_said(
    ask: Callable[[], object], error: type[iso.IsoflopError], words: str
) -> None:
    with pytest.raises(error, match=words) as raised:
        ask()
    assert raised.value.code == error.code


def test_a_name_a_formula_and_a_law_fit_alike(table: iso.LossTable, fit: iso.Fit) -> None:
    assert dict(fit.values) == pytest.approx(VALUES, rel=1e-6)
    assert iso.fit(table, load_laws()["chinchilla"]) == fit
    typed = iso.fit(table, iso.law("E + A/N**alpha + B/D**beta"))
    assert dict(typed.values) == pytest.approx(VALUES, rel=1e-6)
    assert iso.fit(table) == fit


def test_no_column_becomes_a_parameter_in_silence(table: iso.LossTable) -> None:
    frame = table.to_frame().assign(depth=12.0)
    frame["warmth"] = np.linspace(1, 2, len(frame))
    own = iso.load(frame)
    assert iso.fit(own, "E + A/N**alpha + b*warmth").law.symbols == ("N", "warmth")
    with pytest.raises(FormulaError, match="warmth is a parameter of the formula and a column"):
        iso.fit(own, iso.law("E + A/N**alpha + b*warmth"))
    with pytest.raises(FormulaError, match="What lr stands for is not certain"):
        iso.law("E + A/N**alpha + b*log(lr)")
    assert "lr" in iso.law("E + A/N**alpha + b*lr", params=["lr"]).param_names


def test_the_law_that_suits_a_table_is_the_catalogs_or_that_of_its_columns() -> None:
    assert iso.fit(PILE).law.key == "kaplan_joint"
    flop = pd.DataFrame({"compute_flop": np.geomspace(1e18, 1e22, 8)})
    flop["loss"] = 1.5 + 30 * flop["compute_flop"] ** -0.08
    found = iso.fit(flop)
    assert [item.column for item in found.law.inputs] == ["compute_flop"]


def test_simulated_rows_of_any_law_lie_on_it() -> None:
    law = iso.law("E + A*N**(-a)")
    made = iso.simulate(law, {"E": 1.5, "A": 300, "a": 0.3}, noise=0.0, design="grid", n_rows=25)
    np.testing.assert_allclose(made.values("loss"), 1.5 + 300 * made.values("params") ** -0.3)
    assert "E + A*N**(-a) with E = 1.5" in made.provenance.source
    assert made.provenance.is_simulated


def test_isoflop_runs_lie_around_the_best_size(table: iso.LossTable, fit: iso.Fit) -> None:
    frame = table.included()
    for flop, runs in frame.groupby(frame["compute_flop"].round(-15)):
        best = iso.optimum(fit, float(flop)).params[0]
        assert runs["params"].min() < best < runs["params"].max()


def test_a_plan_takes_quantities_as_people_write_them(fit: iso.Fit) -> None:
    written = iso.plan(fit, "h100-sxm", usd="250k", unique_tokens="3T", level="80%")
    plain = iso.plan(fit, find_accelerator("h100-sxm"), usd=250e3, unique_tokens=3e12, level=0.8)
    assert written == plain
    assert written.cost.usd == pytest.approx(250e3)
    with pytest.raises(OptionError, match="no option money"):
        iso.plan(fit, "h100-sxm", money="250k")
    with pytest.raises(OptionError, match="wall_time_s"):
        iso.plan(fit, "h100-sxm", wall_time_s="3 tokens")


def test_an_optimum_takes_one_or_several_amounts(fit: iso.Fit) -> None:
    found = iso.optimum(fit, ["1e21", 1e22])
    assert found.compute_flop.tolist() == [1e21, 1e22]
    assert iso.optimum(fit, "1 ZFLOP").params[0] == pytest.approx(found.params[0])
    with pytest.raises(UnitError, match="not an amount of compute"):
        iso.optimum(fit, "3 days")


def test_catalogs_are_frames_by_name() -> None:
    assert iso.laws().loc["chinchilla", "formula"] == "E + A/N**alpha + B/D**beta"
    assert iso.datasets().index[0] == PILE
    assert iso.accelerators().loc["h100-sxm", "price_usd_per_hour"] == 2.5
    assert iso.published().loc["hoffmann", "values"]["E"] == pytest.approx(1.69, rel=0.01)


@pytest.mark.slow
def test_comparisons_start_from_names(table: iso.LossTable) -> None:
    found = iso.compare(table, ["chinchilla", "power_floor"])
    assert [score.law.key for score in found.scores] == ["chinchilla", "power_floor"]
    assert found.scores[1].law.inputs[0].column == "compute_flop"
    families = iso.compare_families(PILE, reasons={"tokenizer": "close"}, n_bootstrap=200)
    assert families.labels == ("Cerebras-GPT", "Pythia")
    assert "[compared-across-tokenizer]" in families.summary()
    assert list(families.to_frame().columns[:3]) == ["compute_flop", "loss", "multiplier"]
    assert iso.compare_families(PILE, reasons={"tokenizer": "close"}, n_bootstrap=200) == families
    assert iso.FamilyComparison.from_json(families.to_json()) == families
    published = iso.compare_published(PILE)
    for one, name in ((found, "law"), (published, "published")):
        document = json.loads(one.to_json(), parse_constant=pytest.fail)
        assert document["format"] == f"isoflop-{name}-comparison-1"
        assert document["key"] == one.key
        assert len(document["rows"]) == len(one.to_frame())
    tested = iso.backtest([iso.load(PILE)], laws=["power_floor"], objectives=["huber_log"])
    assert [(row.dataset, row.law) for row in tested.rows] == [(PILE, "power_floor")]


def test_the_text_of_an_accelerator_names_no_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[a]\n[b]\n")
    fit = iso.fit("pile-cerebras-pythia", "kaplan_joint")
    with pytest.raises(CatalogError, match="There is no accelerator"):
        iso.plan(fit, str(path), compute_flop=1e21)
    with pytest.raises(CatalogError, match="does not describe one accelerator"):
        iso.plan(fit, path, compute_flop=1e21)


def test_what_follows_from_a_plan_is_a_method_of_it() -> None:
    fit = iso.fit("pile-cerebras-pythia", "kaplan_joint")
    whole = iso.planned(fit, "h100-sxm", compute_flop=1e22)
    assert whole.plan == iso.plan(fit, "h100-sxm", compute_flop=1e22)
    assert whole.least(1.6).compute_flop > whole.plan.compute_flop
    assert whole.memory().fits
    assert "fits" in whole.sheets("memory")[0].summary()
    with pytest.raises(PlanError, match="A plan has no part 'memry'"):
        whole.sheets("memry")


def test_a_published_fit_is_taken_as_it_stands() -> None:
    fit = iso.evaluate("hoffmann", "pile-cerebras-pythia")
    best = iso.plan(fit, "h100-sxm", compute_flop=5.76e23)
    assert best.params == pytest.approx(4.036e10, rel=1e-3)
    with pytest.raises(CatalogError, match="no published fit called 'hoffman'"):
        iso.evaluate("hoffman", "pile-cerebras-pythia")
