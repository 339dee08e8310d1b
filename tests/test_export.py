"""What leaves the app: it reads back, makes the fit again, and runs nothing in a spreadsheet."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isoflop import export
from isoflop.errors import TableError
from isoflop.fitting import Fit, FitOptions, fit
from isoflop.fitting.published import evaluate_published
from isoflop.laws import load_laws, load_published_fits, read_bounds, rebind, typed_law
from isoflop.planning import (
    Budget,
    CheckpointPolicy,
    PlanOptions,
    Site,
    find_accelerator,
    plan,
)
from isoflop.planning.scenario import Scenario
from isoflop.tables import LossTable, load_dataset, of_families, read_table
from isoflop.ui import reproduce
from isoflop.ui.resolve import Fitted
from isoflop.ui.state import Selection, TableChoice


@pytest.fixture(scope="module")
def table() -> LossTable:
    return load_dataset("pile-cerebras-pythia")


@pytest.fixture(scope="module")
def fitted(table: LossTable) -> Fit:
    return fit(load_laws()["kaplan_joint"], table, FitOptions(n_bootstrap=50, seed=3))


def test_table_reads_back_the_same(table: LossTable) -> None:
    again = read_table(export.table_csv(table).encode(), name="back.csv").table
    for name in ("params", "tokens", "compute_flop", "loss"):
        np.testing.assert_array_equal(again.values(name), table.values(name))
    assert again.frame["family"].tolist() == table.frame["family"].tolist()


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_spreadsheet_runs_nothing(table: LossTable, start: str) -> None:
    frame = table.frame.copy()
    frame["family"] = start + 'HYPERLINK("http://x","y")'
    text = export.table_csv(table.with_frame(frame))
    cells = pd.read_csv(io.StringIO(text), dtype=str)["family"]
    assert all(cell.startswith("'") for cell in cells)


# --- The script makes the fit again ---------------------------------------------------------------


def run_script(code: str, folder: Path) -> dict[str, float]:
    """Run a script in a process of its own, and return what it fitted."""
    path = folder / "isoflop_fit.py"
    path.write_text(
        code + "\nimport json\nprint('@' + json.dumps(dict(result.values)))\n", encoding="utf-8"
    )
    done = subprocess.run(
        [sys.executable, path.name], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    values: dict[str, float] = json.loads(done.stdout.split("@")[-1])
    return values


def select(choice: TableChoice, families: tuple[str, ...] = ()) -> Selection:
    return Selection(
        table=choice, families=families, law="", formula="", input_column="",
        options=FitOptions(), accelerator="h100-sxm", budget=Budget(compute_flop=1e21),
        params=None,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", ["shipped", "rebound", "typed", "families"])
def test_script_makes_the_fit_again(case: str, table: LossTable, tmp_path: Path) -> None:
    families: tuple[str, ...] = ()
    law, rows = load_laws()["kaplan_joint"], table
    options = FitOptions(params=read_bounds({"alpha_D": 0.1}))
    if case == "rebound":
        law, options = rebind(load_laws()["power"], {"x": "tokens"}), FitOptions()
    elif case == "typed":
        law = typed_law("E + A/N**a", ["params"])
        options = FitOptions(objective="least_squares", params=read_bounds("a=0.3, E=0:2"))
    elif case == "families":
        families, law, options = ("Pythia",), load_laws()["power"], FitOptions()
        rows = of_families(table, families)
    result = fit(law, rows, options)
    view = Fitted(table=rows, fit=result, published=None)
    code = reproduce.taken(select(TableChoice(id="pile-cerebras-pythia"), families), view).script()
    found = run_script(code, tmp_path)  # of a typed formula, without what stands in it
    assert found == pytest.approx({n: result.values[n] for n in found}, rel=1e-9)
    assert set(result.law.param_names) <= set(found)


def test_script_of_a_simulated_table(tmp_path: Path) -> None:
    from isoflop.tables import simulated_table

    rows = simulated_table(noise=0.01, outliers=2, seed=5)
    result = fit(load_laws()["chinchilla"], rows, FitOptions(huber_delta=0.01))
    view = Fitted(table=rows, fit=result, published=None)
    choice = TableChoice(id="simulated", noise=0.01, outliers=2, seed=5)
    code = reproduce.taken(select(choice), view).script()
    assert run_script(code, tmp_path) == pytest.approx(dict(result.values), rel=1e-9)


def test_script_of_a_published_fit(table: LossTable, tmp_path: Path) -> None:
    published = load_published_fits()["hoffmann"]
    view = Fitted(table=table, fit=evaluate_published(published, table), published=published)
    code = reproduce.taken(select(TableChoice(id="pile-cerebras-pythia")), view).script()
    assert run_script(code, tmp_path) == dict(published.values)


@pytest.mark.slow
@pytest.mark.parametrize("device", ["shipped", "own"])
def test_script_makes_the_plan_again(device: str, table: LossTable, tmp_path: Path) -> None:
    h100 = find_accelerator("h100-sxm")
    scenario = Scenario(
        accelerator=h100 if device == "shipped" else replace(h100, key="own-x", power_w=600.0),
        budget=Budget(wall_time_s=864_000.0, accelerators=64, unique_tokens=1e11),
        options=PlanOptions(
            family="qwen-3", level=0.8, site=Site(pue=1.1), checkpoints=CheckpointPolicy(n_saved=5)
        ),
    )
    result = fit(load_laws()["chinchilla"], table)
    expected = plan(result, scenario.budget, scenario.accelerator, scenario.options)
    view = Fitted(table=table, fit=result, published=None)
    code = reproduce.taken(select(TableChoice(id=table.id)), view, scenario, expected).script()
    assert "PlanOptions(level=0.8, family='qwen-3', site=Site(pue=1.1)" in code
    path = tmp_path / "isoflop_plan.py"
    path.write_text(code + "\nprint('@' + best.to_json())\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", path.name],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    again = json.loads(done.stdout.split("@")[-1])
    for name in ("params", "tokens", "loss"):
        assert again[name] == pytest.approx(getattr(expected, name), rel=1e-6)
    assert again["cost"]["energy_j"] == pytest.approx(expected.cost.energy_j, rel=1e-6)


# --- What it is made from -------------------------------------------------------------------------


def test_published_parameters_are_held_against_the_rows(table: LossTable) -> None:
    published = load_published_fits()["besiroglu"]
    held = evaluate_published(published, table)
    inputs = {"N": table.values("params"), "D": table.values("tokens")}
    expected = np.log(table.values("loss")) - np.log(published.law.loss(published.theta, inputs))
    np.testing.assert_allclose(held.residuals, expected, rtol=1e-12)
    assert held.draws is None
    assert held.covariance is None
    assert held.certificate.n_starts == 0
    assert held.notices[0].code == "fitted-elsewhere"


def test_repetition_is_none_where_unique_tokens_are_not_given(table: LossTable) -> None:
    published = load_published_fits()["muennighoff"]
    held = evaluate_published(published, table)
    inputs = {
        "N": table.values("params"), "D": table.values("tokens"), "U": table.values("tokens")
    }  # fmt: skip
    expected = np.log(table.values("loss") / published.law.loss(published.theta, inputs))
    np.testing.assert_allclose(held.residuals, expected, rtol=1e-12)


def test_other_units_and_conventions_are_warned_about(table: LossTable) -> None:
    other = replace(table, loss_unit="bits/byte", param_convention="non-embedding")
    codes = {
        n.code: n.severity
        for n in evaluate_published(load_published_fits()["hoffmann"], other).notices
    }
    assert codes["units-differ"] == "serious"
    assert codes["conventions-differ"] == "warning"


def test_families_make_a_table_of_their_own(table: LossTable) -> None:
    part = of_families(table, ["Pythia"])
    assert len(part.frame) == 8
    assert part.fingerprint != table.fingerprint
    assert of_families(table, ["Pythia"]).fingerprint == part.fingerprint
    with pytest.raises(TableError, match="has no rows of Llama") as error:
        of_families(table, ["Llama"])
    assert "Cerebras-GPT, Pythia" in error.value.detail
