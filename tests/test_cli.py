from __future__ import annotations

import html
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.api.test_report import words as words_of

from isoflop.cli import commands, main
from isoflop.cli.plan_figures import FIGURES
from isoflop.laws import load_laws
from isoflop.people import LOCAL
from isoflop.planning import Plan, load_accelerators
from isoflop.planning.hardware import describe_accelerator
from isoflop.planning.planned import PARTS
from isoflop.planning.saved import save_accelerator
from isoflop.store import Store
from isoflop.tables import RawTable, guess_mapping, list_datasets, read_raw
from isoflop.tables.trackers import mlflow

CHINCHILLA = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    def run(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def runs_csv(tmp_path: Path) -> Path:
    """Write a table without noise, of a known law."""
    law = load_laws()["chinchilla"]
    theta = [CHINCHILLA[name] for name in law.param_names]
    lines = ["params,tokens,loss"]
    for params, tokens in itertools.product((1e8, 4e8, 1e9, 5e9), (1e9, 1e10, 1e11)):
        loss = law.loss(theta, {"N": [params], "D": [tokens]})[0]
        lines.append(f"{params},{tokens},{loss}")
    path = tmp_path / "runs.csv"
    path.write_text("\n".join(lines))
    return path


def test_lists_name_everything_that_ships(call: Call) -> None:
    for command, names in (
        ("laws", load_laws()),
        ("datasets", [item.id for item in list_datasets()]),
        ("accelerators", load_accelerators()),
    ):
        code, out, err = call(command)
        assert (code, err) == (0, "")
        assert [line.split()[0] for line in out.splitlines()] == list(names)


def test_a_fit_recovers_the_law_of_a_file(call: Call, runs_csv: Path) -> None:
    code, out, _ = call("fit", runs_csv)
    assert code == 0
    assert "12 rows of runs" in out
    table = {line.split()[0]: line.split()[1] for line in out.splitlines() if line}
    for name, value in CHINCHILLA.items():
        assert float(table[name]) == pytest.approx(value, rel=1e-4)


def test_a_fit_written_as_json_is_complete(call: Call, runs_csv: Path, tmp_path: Path) -> None:
    path = tmp_path / "fit.json"
    code, out, _ = call("fit", runs_csv, "--bootstrap", 20, "--seed", 3, "--json", path)
    assert code == 0
    assert "parameter" in out
    document = json.loads(path.read_text())
    assert document["values"] == pytest.approx(CHINCHILLA, rel=1e-4)
    assert document["options"]["n_bootstrap"] == 20
    assert document["options"]["seed"] == 3


def test_json_on_the_screen_is_only_json(call: Call, runs_csv: Path) -> None:
    for command in (("fit",), ("predict", "--at", "N=7B", "D=1T"), ("plan", "--flop", "1e21")):
        _, out, _ = call(command[0], runs_csv, *command[1:], "--json", "-")
        assert json.loads(out)["isoflop"]


def test_a_name_that_reads_like_a_column_is_asked_about(call: Call, runs_csv: Path) -> None:
    code, _, err = call("fit", runs_csv, "--formula", "E + A/D**alpha + b/n**beta")
    assert code != 0
    assert "What n stands for is not certain" in err
    assert "--parameter n" in err
    code, out, _ = call("fit", runs_csv, "--formula", "a + n*D**(-b)", "--parameter", "n")
    assert code == 0
    assert "loss = a + n*D**(-b)" in out


def test_a_typed_formula_and_another_objective(call: Call, runs_csv: Path) -> None:
    options = ("--formula", "a + b*N**(-c)", "--objective", "least_squares")
    code, out, _ = call("fit", runs_csv, *options)
    assert code == 0
    assert "Typed formula: loss = a + b*N**(-c)" in out
    assert "objective least_squares" in out


def test_inputs_of_a_law_can_stand_for_other_columns(call: Call, runs_csv: Path) -> None:
    code, out, _ = call("fit", runs_csv, "--law", "power_floor", "--input", "x=tokens")
    assert code == 0
    assert "Power" in out


def test_one_family_of_a_shipped_table(call: Call) -> None:
    code, out, _ = call("fit", "pile-cerebras-pythia", "--family", "Pythia", "--law", "kaplan_n")
    assert code == 0
    assert "8 rows of Cerebras-GPT and Pythia on the Pile" in out


def test_a_downloaded_table_by_name(call: Call, mirror: Path) -> None:
    code, out, _ = call("fit", "chinchilla", "--law", "chinchilla")
    assert code == 0
    assert "245 rows of Chinchilla, 245 digitised runs" in out
    assert "0.453049" in out


def test_a_prediction_says_where_it_extrapolates(call: Call, runs_csv: Path) -> None:
    runs = ("--at", "N=1e9", "D=10B tokens", "--at", "N=7B", "D=1T")
    code, out, _ = call("predict", runs_csv, *runs, "--bootstrap", 20, "--level", 0.8)
    assert code == 0
    header, inside, outside = out.splitlines()[:3]
    assert "With the distance beyond the data allowed for:" in out
    assert "80% confidence" in header
    law = load_laws()["chinchilla"]
    theta = [CHINCHILLA[name] for name in law.param_names]
    expected = law.loss(theta, {"N": [1e9], "D": [1e10]})[0]
    assert f"{expected:.4f}" in inside
    assert "beyond" not in inside
    assert "beyond the data" in outside


def test_all_laws_predict_unless_one_is_chosen(call: Call, runs_csv: Path) -> None:
    code, out, _ = call("predict", runs_csv, "--at", "N=7B", "D=1T", "--at", "N=9B", "D=1T")
    assert code == 0
    assert "By the average of 8 laws on" in out
    assert "past error" in out
    document = json.loads(call("predict", runs_csv, "--at", "N=7B", "D=1T", "--json", "-")[1])
    assert document["method"] == "average"
    assert len(document["centre"]) == 1
    code, out, _ = call("fit", runs_csv, "--average")
    assert code == 0
    assert "8 laws on" in out
    assert "AICc" in out
    _, _, err = call("predict", runs_csv, "--at", "N=7B", "D=1T", "--at", "N=9B")
    assert "Every run must be given by the same names." in err


def test_a_plan_says_what_to_believe_of_it(call: Call, runs_csv: Path) -> None:
    _, out, _ = call("plan", runs_csv, "--flop", "1e22")
    assert "By the average of 8 laws on" in out
    assert "Best size: " in out
    assert "×/÷" in out


def test_a_prediction_without_a_band_says_why_and_how_to_get_one(
    call: Call, runs_csv: Path
) -> None:
    run = ("--at", "N=1e9", "D=1e10")
    code, out, _ = call("predict", runs_csv, *run, "--objective", "huber_log")
    assert code == 0
    assert out.splitlines()[1].startswith("N=1B D=10B")
    assert "No interval: " in out
    assert "Add --bootstrap 1000 for one." in out
    one = ("--objective", "huber_log", "--json", "-")
    document = json.loads(call("predict", runs_csv, *run, *one)[1])
    assert document["band"] is None
    assert document["band_reason"]
    assert len(document["prediction"]) == 1


def test_a_saved_fit_predicts_and_plans_as_the_fit_did(
    call: Call, runs_csv: Path, tmp_path: Path
) -> None:
    path = tmp_path / "fit.json"
    call("fit", runs_csv, "--bootstrap", 20, "--json", path)
    for command in (("predict", "--at", "params=7B", "D=2T"), ("plan", "--flop", "1e22")):
        code, out, _ = call(command[0], path, *command[1:])
        assert code == 0
        again = call(command[0], runs_csv, "--bootstrap", 20, *command[1:])[1]
        assert out.rstrip() in again  # without its rows a fit has no band beyond them
    code, _, err = call("predict", path, "--at", "N=7B", "D=2T", "--law", "kaplan_n")
    assert code == 2
    assert "is a saved fit, which --law cannot change" in err
    path.write_text(path.read_text().replace("isoflop-fit-1", "isoflop-fit-9"))
    assert "newer version" in call("predict", path, "--at", "N=7B", "D=2T")[2]


def test_a_plan_names_size_time_and_money(call: Call, runs_csv: Path) -> None:
    code, out, err = call(
        "plan", runs_csv, "--time", "10 days", "--count", 64, "--accelerator", "a100-sxm-80gb",
        "--bootstrap", 20,
    )  # fmt: skip
    assert code == 0
    lines = dict(line.split("  ", 1) for line in out.splitlines() if "  " in line)
    assert lines["accelerators"].strip() == "64 NVIDIA A100 SXM 80 GB"
    assert lines["wall time"].strip().startswith("10 days  ")
    assert "$" in lines["money"]
    assert "[" in err  # notices carry their code


def test_a_plan_takes_every_option_of_the_page(call: Call, runs_csv: Path, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    code, _, _ = call(
        "plan", runs_csv, "--time", "10 days", "--count", 64, "--usd", "50k", "--storage", "1 TB",
        "--dtype", "fp8", "--unique-tokens", "100B", "--no-may-repeat", "--model-family", "llama-3",
        "--convention", "6N_attention", "--pue", 1.5, "--checkpoints", 5, "--json", path,
    )  # fmt: skip
    assert code == 0
    document = json.loads(path.read_text())
    assert "1.5" in document["assumptions"]["Power"]
    assert "FP8" in document["assumptions"]["Dense peak"]
    assert "5 checkpoints" in document["assumptions"]["Storage"]
    assert document["assumptions"]["Unique tokens"] == "100B tokens, seen once"
    keys = {limit["key"] for limit in document["limits"]}
    assert keys == {"time", "money", "storage", "unique_tokens", "memory", "batch"}


@pytest.mark.slow
def test_an_input_that_no_budget_settles_is_given(call: Call, tmp_path: Path) -> None:
    sizes = (1e8, 4e8, 1e9, 5e9)
    lines = ["params,tokens,width,loss"] + [
        f"{n},{d},{w},{1.7 + 400 / n**0.34 + 410 / d**0.28 + 1 / w}"
        for n, d, w in itertools.product(sizes, (1e9, 1e10, 1e11), (512, 2048))
    ]
    path = tmp_path / "wide.csv"
    path.write_text("\n".join(lines))
    asked = ("plan", path, "--formula", "E + A/N**alpha + B/D**beta + c/width", "--flop", "1e21")
    code, _, err = call(*asked)
    assert code == 2
    assert "needs a value of width, which no budget settles" in err
    assert "The rows have width from 512 to 2.05K" in err
    assert "--fix width=..." in err
    assert "breadth cannot be held at a value here" in call(*asked, "--fix", "breadth=512")[2]
    assert "The budget settles it" in call(*asked, "--fix", "tokens=1T")[2]
    losses = [
        json.loads(call(*asked, "--fix", f"width={width}", "--json", "-")[1])["loss"]
        for width in ("512", "2k")
    ]
    assert losses[0] - losses[1] == pytest.approx(1 / 512 - 1 / 2000, rel=1e-3)


PLAN = ("plan", "pile-cerebras-pythia", "--law", "kaplan_joint", "--flop", "1e22")


def test_a_plan_says_what_binds_and_what_a_tenth_more_buys(call: Call) -> None:
    _, out, _ = call(*PLAN)
    (line,) = [line for line in out.splitlines() if line.startswith("Compute (binds)")]
    assert "1e22 FLOP" in line
    assert "loss -0.0" in line
    (time,) = [line for line in out.splitlines() if line.startswith("wall time")]
    assert time.endswith("at 80%")


def test_a_target_has_its_chance_and_the_least_that_reaches_it(call: Call) -> None:
    code, out, _ = call(*PLAN, "--target", "1.6")
    assert code == 0
    assert "A loss of 1.6 is reached within the budget with a chance of" in out
    assert "The least that reaches a loss of 1.6" in out
    document = json.loads(call(*PLAN, "--target", "1.6", "--json", "-")[1])
    assert 0 < document["derived"]["risk"]["chance"] < 1
    assert document["derived"]["least_compute"]["target_loss"] == 1.6


def test_a_saved_fit_has_no_rows_for_other_laws(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "fit.json"
    call("fit", "pile-cerebras-pythia", "--law", "kaplan_joint", "--json", path)
    code, _, err = call("plan", path, "--flop", "1e22", "--by", "average")
    assert code == 2
    assert "a saved fit without its rows" in err
    code, out, _ = call("plan", path, "--flop", "1e22", "--target", 1.6)
    assert code == 0
    assert "No risk: The chance of a loss needs an interval" in out


def test_a_target_below_the_floor_is_answered(call: Call) -> None:
    code, out, _ = call(
        "plan", "pile-cerebras-pythia", "--published", "hoffmann", "--flop", "1e22", "--target", 1.5
    )
    assert code == 0
    assert "No least: A loss of 1.5 is unreachable." in out
    assert "Add --bootstrap" not in out  # a published fit is not resampled


def test_parts_of_a_plan_are_shown(call: Call, tmp_path: Path) -> None:
    parts = ["limits", "time", "memory", "shape", "serving", "assumptions"]
    code, out, err = call(*PLAN, "--show", ",".join(parts), "--serve-batch", 4)
    assert code == 0
    for words in (
        "Where the time goes",
        "fits: ",
        "MLP width",
        "With 4 sequences at once",
        "Dense peak",
    ):
        assert words in out
    assert "[" in err


@pytest.mark.slow
def test_all_parts_and_figures_of_a_plan_are_written(call: Call, tmp_path: Path) -> None:
    files = [tmp_path / "a.json", tmp_path / "b.json"]
    code, out, err = call(
        *PLAN,
        "--show",
        "all",
        "--figures",
        tmp_path / "drawn",
        "--json",
        files[0],
        "--by",
        "average",
    )
    assert code == 0
    assert not [part for part in PARTS if f"\nNo {part}: " in out]
    assert "not drawn" not in err
    assert {path.name for path in (tmp_path / "drawn").glob("*.html")} == {
        f"{name}.html" for name in FIGURES
    }
    assert Plan.from_json(files[0].read_text()).basis == "compute-optimal"
    assert {"surface", "tornado", "smaller_models"} <= json.loads(files[0].read_text())[
        "derived"
    ].keys()
    call(*PLAN, "--count", 512, "--json", files[1])
    code, out, _ = call("plans", *files)
    assert [line.split()[0] for line in out.splitlines()] == ["Scenario", "a", "b"]


def test_an_accelerator_of_ones_own_is_a_file(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    entry = describe_accelerator(load_accelerators()["h100-sxm"]) | {"price_usd_per_hour": 2.0}
    entry.pop("price_range_usd_per_hour")
    lines = [
        f"{name} = {json.dumps(value)}"
        for name, value in entry.items()
        if name != "peak_tflop_per_s"
    ]
    peaks = [f"{name} = {value}" for name, value in entry["peak_tflop_per_s"].items()]
    path.write_text("\n".join(["[mine]", *lines, "[mine.peak_tflop_per_s]", *peaks]))
    document = json.loads(call(*PLAN, "--accelerator", path, "--json", "-")[1])
    assert document["assumptions"]["Price"] == "2 USD per accelerator-hour"
    path.write_text("[a]\n[b]\n")
    code, _, err = call(*PLAN, "--accelerator", path)
    assert code == 2
    assert "does not describe one accelerator" in err


def test_an_accelerator_saved_in_the_app_is_found(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOFLOP_DATABASE_URL", f"sqlite:///{tmp_path}/saved.db")
    h100 = load_accelerators()["h100-sxm"]
    saved = save_accelerator(Store().of(LOCAL), replace(h100, label="My card", power_w=600.0))
    _, out, _ = call(*PLAN, "--accelerator", saved.key)
    assert "My card" in out


def test_a_simulated_table_is_planned_with(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "known.csv"
    code, _, err = call("simulate", "--design", "grid", "--noise", 0, "--rows", 16, "--csv", path)
    assert code == 0
    assert "16" in err
    _, out, _ = call("fit", path, "--law", "chinchilla")
    assert "1.817" in out


def test_a_prediction_of_one_new_run(call: Call, runs_csv: Path) -> None:
    text = runs_csv.read_text().splitlines()
    noisy = [text[0]] + [
        f"{line.rpartition(',')[0]},{float(line.rpartition(',')[2]) * (1 + 0.01 * (-1) ** i)}"
        for i, line in enumerate(text[1:])
    ]
    runs_csv.write_text("\n".join(noisy))
    run = ("predict", runs_csv, "--at", "N=1e9", "D=1e10", "--bootstrap", 50)
    spans = []
    for kind in ("confidence", "prediction"):
        document = json.loads(call(*run, "--kind", kind, "--level", "90%", "--json", "-")[1])
        assert (document["band"]["kind"], document["band"]["level"]) == (kind, 0.9)
        spans.append(document["band"]["upper"][0] - document["band"]["lower"][0])
    assert spans[1] > spans[0]


def test_a_plan_without_resamples_says_how_to_get_intervals(call: Call, runs_csv: Path) -> None:
    _, out, _ = call("plan", runs_csv, "--flop", "1e21")
    assert "Add --bootstrap 1000" in out


def test_rows_that_are_left_out_are_named(call: Call, runs_csv: Path) -> None:
    bad = "\n".join(f"1e9,1e10,bad{number}" for number in range(12))
    runs_csv.write_text(f"{runs_csv.read_text()}\n{bad}\n")
    code, out, err = call("fit", runs_csv)
    assert code == 0
    assert "12 rows of runs" in out
    assert 'left out: row 13, loss: "bad0"' in err
    assert "left out: 2 more like these" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fit", "absent.csv"], ["absent.csv"]),
        (["fit", "no-such-table"], ["There is no data set called 'no-such-table'", "chinchilla"]),
        (["fit", "{runs}", "--law", "nope"], ["There is no law called 'nope'", "--formula"]),
        (["fit", "{runs}", "--formula", "__import__('os')"], ["isoflop:"]),
        (["fit", "{runs}", "--family", "GPT"], ["names no model families"]),
        (["fit", "{runs}", "--json", "{folder}"], ["cannot be written", "Is a directory"]),
        (["predict", "{runs}", "--at", "N=7B"], ["needs to know how large", "N=..., D=..."]),
        (
            ["predict", "{runs}", "--at", "N=7B", "--law", "chinchilla"],
            ["takes a value of N and D", "--at N=... D=..."],
        ),
        (["predict", "{runs}", "--at", "N=many", "D=1"], ["many"]),
        (["plan", "{runs}"], ["FLOP, money or time is needed"]),
        (["plan", "{runs}", "--flop", "1e21", "--accelerator", "abacus"], ["abacus"]),
        (["plan", "{runs}", "--flop", "1e21", "--accelerator", "H100"], ["h100-pcie or h100-sxm"]),
        (["plan", "{runs}", "--flop", "1e21", "--published", "hofman"], ["hofman", "hoffmann"]),
        (
            ["plan", "{runs}", "--flop", "1e21", "--published", "hoffmann", "--bootstrap", "9"],
            ["taken as it stands", "--bootstrap"],
        ),
        (
            ["plan", "{runs}", "--time", "1 day", "--params", "70B", "--accelerator", "RTX 4090"],
            ["A model of 70B parameters does not fit", "1 x NVIDIA RTX 4090 has"],
        ),
        (["plan", "{runs}", "--flop", "1e21", "--mfu", "90%"], ["more than NVIDIA H100"]),
        (["plan", "{runs}", "--flop", "1e21", "--model-family", "none"], ["none"]),
        (
            ["plan", "{runs}", "--flop", "1e21", "--model-family", "", "--causal"],
            ["for a model family only"],
        ),
    ],
)
def test_errors_say_what_and_what_to_do(
    call: Call, runs_csv: Path, arguments: list[str], words: list[str]
) -> None:
    filled = [text.format(runs=runs_csv, folder=runs_csv.parent) for text in arguments]
    code, _, err = call(*filled)
    assert code == 2
    assert "Traceback" not in err
    for word in words:
        assert word in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "COMMAND"),
        (["fit"], "table"),
        (["plan", "x.csv", "--time", "fast"], "fast"),
        (["plan", "x.csv", "--flop", "1e21", "--count", "0"], "number at least 1 is needed, got 0"),
        (["fit", "x.csv", "--asymmetry", "0"], "a number above 0 is needed, got 0"),
        (["fit", "x.csv", "--resample", "columns"], "columns is none of auto, smooth, rows"),
        (["predict", "x.csv", "--at", "N"], "'N' is not NAME=VALUE"),
        (["plan", "x.csv", "--time", "30"], "30 of what? Write 30 s, 30 h or 30 days."),
        (["plan", "x.csv", "--show", "memry"], "memry is not a part of a plan; choose from limits"),
        (["plan", "x.csv", "--target", "-1"], "a number above 0 is needed, got -1"),
        (["plan", "x.csv", "--wall-time", "30 days"], "did you mean --time"),
        (["plan", "x.csv", "--accelerators", "8"], "did you mean --count"),
        (["fit", "x.csv", "--law", "a", "--formula", "b"], "not allowed with"),
    ],
)
def test_malformed_arguments_are_told_before_any_work(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert words in capsys.readouterr().err


def test_a_keypress_stops_without_a_traceback(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(_parsed: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "laws", stop)
    assert call("laws") == (130, "", "isoflop: stopped\n")


def test_the_app_runs_by_streamlit(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def pretend(command: list[str], *, check: bool) -> subprocess.CompletedProcess[bytes]:
        seen.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", pretend)
    assert call("app", "--port", 8600)[0] == 0
    (command,) = seen
    assert command[:4] == [sys.executable, "-m", "streamlit", "run"]
    assert Path(command[4]).is_file()
    assert command[-4:] == ["--server.address", "127.0.0.1", "--server.port", "8600"]


def test_the_app_without_its_libraries_says_how_to_get_them(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "find_spec", lambda _name: None)
    code, _, err = call("app")
    assert code == 2
    assert "pip install 'isoflop[app]'" in err


@pytest.mark.slow
def test_the_installed_command_answers_and_a_closed_pipe_is_no_error() -> None:
    program = Path(sys.executable).with_name("isoflop")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert version.stdout.startswith("isoflop ")
    piped = subprocess.run(
        f"'{program}' laws | head -n 1", shell=True, capture_output=True, text=True, check=True
    )
    assert piped.stdout.count("\n") == 1
    assert piped.stderr == ""


# --- How a table is read, and which rows are fitted ---

MILLIONS = Path(__file__).parent / "tables" / "cases" / "params_millions_grid.csv"
SWEEP = MILLIONS.parent / "lr_bs_sweep.csv"


@pytest.mark.parametrize(
    "command", [("fit",), ("predict", "--at", "N=7B", "D=1T"), ("plan", "--flop", "1e21")]
)
def test_a_question_ends_with_the_flag_that_answers_it(
    call: Call, command: tuple[str, ...]
) -> None:
    code, out, err = call(command[0], MILLIONS, *command[1:])
    assert (code, out) == (2, "")
    assert "In which unit is params?" in err
    assert "--unit params=M (millions)" in err
    code, out, err = call(command[0], MILLIONS, *command[1:], "--unit", "params=M")
    assert code == 0
    assert "fitted: 18 of 18 rows" in err


def test_rows_are_left_out_by_number_rule_and_condition(call: Call) -> None:
    given = ("--exclude", "1,3-4", "--exclude", "highest_losses=1", "--exclude", "tokens > 7e11")
    code, _, err = call("fit", MILLIONS, "--unit", "params=M", *given)
    assert code == 0
    assert "fitted: 13 of 18 rows" in err
    assert "rows 1,3-4: 3" in err
    code, _, err = call("fit", MILLIONS, "--unit", "params=M", "--exclude", "99")
    assert code == 2
    assert "No row is left out by '99'" in err


def test_the_best_trial_of_each_setting_is_fitted(call: Call) -> None:
    _, _, err = call("fit", SWEEP)
    assert "fitted: 60 of 60 rows" in err
    assert "60 runs are trials of 6 settings" in err
    code, out, err = call("fit", SWEEP, "--seeds", "best")
    assert code == 0
    assert "fitted: 6 of 60 rows" in err
    assert "6 rows of lr-bs-sweep" in out


def test_a_mapping_of_the_page_is_taken(call: Call, tmp_path: Path) -> None:
    mapping = guess_mapping(read_raw(MILLIONS), units={"params": "M"})
    path = tmp_path / "mapping.json"
    path.write_text(mapping.to_json(), encoding="utf-8")
    assert call("fit", MILLIONS, "--mapping", path)[0] == 0
    code, _, err = call("fit", MILLIONS, "--mapping", tmp_path / "absent.json")
    assert code == 2
    assert "absent.json cannot be read" in err


def test_a_column_is_named(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("x,tokens,loss\n1e8,2e9,3.5\n2e8,4e9,3.2\n4e8,8e9,3.0\n8e8,16e9,2.9\n")
    code, out, _ = call("fit", path, "--column", "x=params", "--law", "kaplan_n")
    assert code == 0
    assert "4 rows of runs" in out
    code, _, err = call("fit", path, "--column", "y=params")
    assert code == 2
    assert "no column 'y'" in err


# --- Where losses are kept ---


def test_files_a_folder_and_a_pattern_are_one_table(
    call: Call, runs_csv: Path, tmp_path: Path
) -> None:
    header, *lines = runs_csv.read_text().splitlines()
    folder = tmp_path / "parts"
    folder.mkdir()
    for name, part in (("a.csv", lines[:6]), ("b.csv", lines[6:])):
        (folder / name).write_text("\n".join([header, *part]))
    for given in ([folder], [folder / "*.csv"], [folder / "a.csv", folder / "b.csv"]):
        code, out, err = call("fit", *given)
        assert (code, "12 rows" in out) == (0, True), err


def test_a_store_of_mlflow_is_fitted(
    call: Call, runs_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def read(
        uri: str, *, experiments: list[str], curves: bool | None, progress: object
    ) -> RawTable:
        assert curves is None  # every step, where there are several
        asked.extend([uri, experiments])
        return read_raw(runs_csv)

    monkeypatch.setattr(mlflow, "read_mlflow", read)
    code, out, _ = call("fit", "mlflow:sqlite:///mlflow.db#ladder, other")
    assert (code, "12 rows" in out) == (0, True)
    assert asked == ["sqlite:///mlflow.db", ["ladder", "other"]]


def test_a_pattern_of_nothing_and_an_unknown_name(call: Call, tmp_path: Path) -> None:
    code, _, err = call("fit", tmp_path / "*.csv")
    assert code == 2
    assert "holds no file that may be a table" in err


def test_a_model_is_counted(capsys):
    assert main(["model", "Jamba-v0.1"]) == 0
    shown = capsys.readouterr().out
    assert "51,570,323,328" in shown
    assert main(["model", "nowhere"]) == 2


def test_a_serious_notice_is_an_exit_status_where_asked(capsys: pytest.CaptureFixture[str]) -> None:
    table = "pile-cerebras-pythia"
    assert main(["fit", table]) == 0
    assert main(["fit", table, "--strict"]) == 3
    assert "--strict: serious notices (families-pooled)" in capsys.readouterr().err
    assert main(["fit", table, "--strict", "--family", "Pythia", "--law", "power"]) == 0


def test_rows_that_notices_name_are_left_out_in_the_same_call(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["fit", "pile-cerebras-pythia", "--drop-outliers"]) == 0
    told = capsys.readouterr()
    assert "Left out because notices name them: rows 8 (outliers)." in told.err
    assert "14 rows of Cerebras-GPT and Pythia on the Pile" in told.out


def test_parameters_and_weights_are_typed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "pile-cerebras-pythia", "--law", "chinchilla", "--param", "alpha=0.34",
                 "--param", "E=0.5:2", "--weights", "tokens"]) == 0  # fmt: skip
    out = capsys.readouterr().out
    assert "alpha      0.34" in out
    assert "weighted by tokens" in out


# --- Reports --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_report_holds_code_that_makes_its_numbers_again(
    call: Call, runs_csv: Path, tmp_path: Path
) -> None:
    path, json_path = tmp_path / "report.html", tmp_path / "fit.json"
    code, out, _ = call(
        "report", runs_csv, "--exclude", "2,5", "--usd", "250k", "--to", path, "--json", json_path
    )  # fmt: skip
    assert (code, out.strip()) == (0, str(path))
    shown = words_of(path.read_text(encoding="utf-8"))
    found = re.search(r"<h2>Code</h2><pre>(.*?)</pre>", shown, re.DOTALL)
    assert found is not None
    script = tmp_path / "shown.py"
    script.write_text(html.unescape(found[1]) + "\nprint('@' + result.to_json())\n")
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    again = json.loads(done.stdout.split("@")[-1])
    assert again["values"] == pytest.approx(json.loads(json_path.read_text())["values"], rel=1e-9)
    assert again["n_rows"] == 10
    assert "parameters" in done.stdout.split("@")[0]  # the plan, too


def test_without_a_budget_a_report_has_no_plan(
    call: Call, runs_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("report", runs_csv, "--law", "chinchilla")[0] == 0
    shown = words_of((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "<h2>Plan</h2>" not in shown
    assert "<h2>Parameters</h2>" in shown


def test_a_report_without_a_browser_says_what_it_lacks(
    call: Call, runs_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "absent"))
    code, _, err = call("report", runs_csv, "--law", "chinchilla", "--figures", tmp_path)
    assert code == 2
    assert "Install Chromium or Chrome" in err


def test_a_mirror_is_filled_with_every_table_that_does_not_ship(
    call: Call, mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = [item for item in list_datasets() if not item.is_shipped]
    monkeypatch.setattr(commands, "list_datasets", lambda: there[:2])
    assert call("datasets", "--mirror", tmp_path / "mirror")[0] == 0
    assert {path.name for path in (tmp_path / "mirror").iterdir()} == {i.file for i in there[:2]}


def test_a_plan_of_ones_own_tokens_names_the_limit_that_it_exceeds(call: Call) -> None:
    _, out, _ = call(
        "plan", "pile-cerebras-pythia", "--law", "kaplan_joint", "--count", 256,
        "--time", "14 days", "--params", "7B", "--tokens", "20T",
    )  # fmt: skip
    (line,) = [line for line in out.splitlines() if line.startswith("Time (exceeded)")]
    assert "14 days" in line
