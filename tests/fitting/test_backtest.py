import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from tests.fitting.compare_helpers import floor_law, line_table

from isoflop.cli import main
from isoflop.errors import CatalogError
from isoflop.fitting import OBJECTIVES, fit
from isoflop.fitting import backtest as module
from isoflop.fitting.backtest import (
    Backtest,
    BacktestRow,
    backtest_table,
    datasets,
    laws_for,
    load_backtest,
    splits,
    write_backtest,
)
from isoflop.fitting.options import FitOptions
from isoflop.laws import load_laws
from isoflop.tables import load_dataset

LAWS = load_laws()


def test_the_true_law_does_best_on_a_made_up_table():
    table = line_table(floor_law(), noise=0.002, n_rows=40)
    rows = list(backtest_table(table, objectives=("least_squares_log",)))
    best = min(rows, key=lambda row: row.mean_abs_error)
    assert best.law in {"power_floor", "shifted_power", "broken_power"}  # the latter contain it
    worst = max(rows, key=lambda row: row.mean_abs_error)
    assert worst.law == "linear"
    assert {row.scale for row in rows} == {"compute_flop"}
    assert all(row.is_complete for row in rows)


def test_a_table_of_ones_own_is_read_as_for_a_fit(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(module, "laws_for", lambda table, scale: [LAWS["chinchilla"]])
    monkeypatch.setattr(module, "N_BOOTSTRAP", 5)
    monkeypatch.setattr(module.backtest_table, "__defaults__", (None, ("huber_log",)))
    path = tmp_path / "runs.csv"
    rows = [(10 ** (7 + i / 4), 10 ** (9 + i / 4)) for i in range(12)]
    lines = [
        f"{n / 1e6},{d},{1.7 + 400 / n**0.34 + 410 / d**0.28},run {i}"
        for i, (n, d) in enumerate(rows)
    ]
    path.write_text("params,tokens,loss,name\n" + "\n".join(lines) + "\n")
    assert main(["backtest", str(path)]) == 2
    assert "--unit params=M" in capsys.readouterr().err
    out = tmp_path / "report.csv"
    asked = ["--unit", "params=M", "--exclude", "1", "--csv", str(out)]
    assert main(["backtest", str(path), *asked]) == 0
    assert "11 of 12 rows" in capsys.readouterr().err
    *_, row = out.read_text().splitlines()
    assert row.startswith("runs,")


def test_families_are_cut_and_fitted_apart():
    table = load_dataset("pile-cerebras-pythia")
    cut = splits(table)
    assert [len(split.lower.frame) for split in cut] == [5, 4]
    assert [len(split.upper.frame) for split in cut] == [2, 4]
    (row,) = backtest_table(table, [LAWS["power_floor"]], ("huber_log",))
    assert (row.groups, row.groups_predicted) == (2, 2)
    assert (row.rows_fitted, row.rows_predicted) == (9, 6)


def test_a_law_that_cannot_be_fitted_says_why():
    table = load_dataset("pile-cerebras-pythia")
    (row,) = backtest_table(table, [LAWS["interaction"]], ("huber_log",))
    assert row.groups_predicted == 0
    assert not row.is_complete
    assert math.isnan(row.mean_abs_error)
    assert row.reason.startswith("Cerebras-GPT: Chinchilla with interaction has 6 parameters")
    assert "Pythia: " in row.reason


def test_laws_of_another_response_or_missing_columns_are_left_out():
    table = load_dataset("pile-cerebras-pythia")
    keys = {law.key for law in laws_for(table, "compute_flop")}
    assert "chinchilla" in keys
    assert not keys & {"sigmoid", "sigmoid_loss", "routed", "sparse"}


def test_few_rows_give_an_error_but_no_interval_of_resamples():
    """Where most resamples lack rows the law is still fitted, with the covariance if any."""
    table = load_dataset("pile-cerebras-pythia")
    (row,) = backtest_table(table, [LAWS["kaplan_joint"]], ("least_squares_log",))
    assert row.groups_predicted >= 1
    assert np.isfinite(row.mean_abs_error)


# --- The file that ships


def test_every_table_with_a_loss_is_in_the_report(mirror):
    """A table or a law that was added or changed since makes this fail."""
    shipped, again = load_backtest(), f"run `isoflop backtest --csv data/{module.FILE}` again"
    by_table = {}
    for row in shipped.rows:
        by_table.setdefault((row.dataset, row.fingerprint), set()).add((row.law, row.objective))
    assert {name for name, _ in by_table} == set(datasets()), again
    assert len(datasets()) >= 7
    for (name, known), made in by_table.items():
        table = load_dataset(name)
        assert table.fingerprint.startswith(known), f"{name} has changed: {again}"
        (scale,) = {row.scale for row in shipped.rows if row.dataset == name}
        expected = {
            (law.key, objective) for law in laws_for(table, scale) for objective in OBJECTIVES
        }
        assert made == expected, f"the laws of {name} have changed: {again}"


@pytest.mark.parametrize(
    ("name", "law", "objective"),
    [
        ("pile-cerebras-pythia", "power_floor", "least_squares_log"),
        ("chinchilla", "chinchilla", "huber_log"),
        ("sardana", "kaplan_joint", "least_squares"),
    ],
)
def test_the_report_can_be_made_again(mirror, name, law, objective):
    (shipped,) = (
        row
        for row in load_backtest().rows
        if (row.dataset, row.law, row.objective) == (name, law, objective)
    )
    table = load_dataset(name)
    chosen = [one for one in laws_for(table, shipped.scale) if one.key == law]
    (made,) = backtest_table(table, chosen, (objective,))
    assert made.mean_abs_error == pytest.approx(shipped.mean_abs_error, rel=2e-3)
    assert made.bias == pytest.approx(shipped.bias, rel=2e-3, abs=1e-6)
    assert made.coverage == pytest.approx(shipped.coverage, abs=0.03)
    assert replace(made, mean_abs_error=0, median_abs_error=0, bias=0, coverage=0) == replace(
        shipped, mean_abs_error=0, median_abs_error=0, bias=0, coverage=0
    )


@pytest.mark.slow
def test_laws_may_be_fitted_elsewhere(monkeypatch):
    table = line_table(floor_law(), noise=0.002, n_rows=12)
    laws = tuple(law for law in laws_for(table, "compute_flop") if law.key in {"linear", "power"})
    monkeypatch.setattr(module, "load_dataset", lambda id: table)
    monkeypatch.setattr(module, "laws_for", lambda table, scale: laws)
    monkeypatch.setattr(module, "N_BOOTSTRAP", 0)
    with ThreadPoolExecutor(2) as executor:
        elsewhere = list(module.backtest(["a"], executor=executor))
    assert [row.law for row in elsewhere[:: len(OBJECTIVES)]] == [law.key for law in laws]
    assert repr(elsewhere) == repr(list(module.backtest(["a"])))


def test_a_report_reads_back_as_it_was_written(tmp_path, monkeypatch):
    rows = list(backtest_table(line_table(floor_law()), [LAWS["power"], LAWS["chinchilla"]][:1]))
    write_backtest(rows, tmp_path / module.FILE)
    monkeypatch.setattr(module, "data_root", lambda: tmp_path)
    back = load_backtest.__wrapped__()
    assert len(back.made) == 10
    for made, read in zip(rows, back.rows, strict=True):
        assert read.law == made.law
        assert read.mean_abs_error == pytest.approx(made.mean_abs_error, rel=1e-3)
        assert isinstance(read, BacktestRow)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "is missing"), ("", "is malformed"), ("# Made today by x\na,b\n1,2\n", "is malformed")],
)
def test_a_bad_report_is_an_error(tmp_path, monkeypatch, content, message):
    if content is not None:
        (tmp_path / module.FILE).write_text(content)
    monkeypatch.setattr(module, "data_root", lambda: tmp_path)
    with pytest.raises(CatalogError, match=message):
        load_backtest.__wrapped__()


@pytest.mark.slow
def test_the_command_prints_and_writes(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "laws_for", lambda table, scale: (LAWS["power"],))
    assert main(["backtest", "pile-cerebras-pythia"]) == 0
    printed = capsys.readouterr().out
    assert "in 90% interval" in printed
    assert "pile-cerebras-pythia  power" in printed
    assert main(["backtest", "pile-cerebras-pythia", "--csv", str(tmp_path / "out.csv")]) == 0
    assert "pile-cerebras-pythia" in (tmp_path / "out.csv").read_text()
    assert main(["backtest", "nothing"]) == 2
    assert "There is no data set called 'nothing'" in capsys.readouterr().err


# --- Fits that the backtest broke


@pytest.mark.slow
def test_a_parameter_that_runs_off_breaks_no_fit(mirror):
    """Each raised a numpy warning or a LinAlgError in the middle of a fit."""
    ablations = splits(load_dataset("datablations"))[0].lower
    fit(LAWS["broken_power"], ablations, FitOptions(objective="huber"))
    gemstones = splits(load_dataset("gemstones"))[0].lower
    for objective in ("least_squares_log", "asymmetric_mae"):
        fit(LAWS["kaplan_d"], gemstones, FitOptions(objective=objective))
    fit(LAWS["data_constrained"], ablations, FitOptions(objective="least_squares"))


def test_tables_without_a_lower_part_are_skipped():
    table = line_table(floor_law(), lower=1e20, upper=2e20)
    assert splits(table) == ()
    (row,) = backtest_table(table, [LAWS["power"]], ("huber_log",))
    assert row.groups == row.groups_predicted == 0


def test_a_backtest_shows_itself_and_comes_back() -> None:
    found = load_backtest()
    again = Backtest.from_json(found.to_json())
    assert again == found
    assert replace(found, made="2020-01-01") != found
    frame = found.to_frame()
    assert len(frame) == len(found.rows)
    one = frame[frame["dataset"] == frame["dataset"][0]]
    complete = one[one["groups_predicted"] == one["groups"]]
    assert complete["mean_abs_error"].is_monotonic_increasing
    assert found.summary().splitlines()[0].split()[:3] == ["table", "law", "objective"]
    assert "mean_abs_error" in found._repr_html_()
    assert repr(found).startswith(f"<Backtest of {found.made}: ")
