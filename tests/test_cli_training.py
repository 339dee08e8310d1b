"""The commands that train, with tiny models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from isoflop.cli import main
from isoflop.cli.main import build_parser
from isoflop.options import options_of
from isoflop.training.cluster_settings import ClusterSettings
from isoflop.training.config import Recipe
from isoflop.training.ladders import list_ladders
from isoflop.training.runs import list_runs

Call = Callable[..., tuple[int, str, str]]
SMALL = ("--family", "lstm,rnn", "--width", "8", "--budget", "8Ki,16Ki", "--eval-tokens", "2048")


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    def run(*arguments: object) -> tuple[int, str, str]:
        code = main([*map(str, arguments), "--root", str(tmp_path / "runs")])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.mark.slow
def test_a_ladder_of_a_text_of_ones_own(call: Call, tmp_path: Path) -> None:
    words = [f"word{index % 97} and {index % 13}\n" for index in range(90_000)]
    (tmp_path / "text.txt").write_text("".join(words))
    table = tmp_path / "own.csv"
    given = (*SMALL, "--corpus", tmp_path / "text.txt", "--csv", table)
    code, out, err = call("ladder", *given, "--title", "Mine")
    assert (code, err) == (0, "")
    assert out.splitlines()[0].split()[:2] == ["run", "params"]
    assert len(out.splitlines()) == 6
    [ladder] = list_ladders(tmp_path / "runs")
    assert f"Mine: {ladder.id}, on the Train page as ?run={ladder.id}" in out
    assert table.read_text().count("\n") == 5
    # The same command again trains nothing anew.
    code, out, _ = call("ladder", *given, "--json", "-")
    said = json.loads(out)
    assert {run["status"] for run in said["runs"]} == {"finished"}
    assert len(said["points"]) == 4
    assert len(list_runs(tmp_path / "runs")) == 2


def test_a_ladder_may_be_left_to_others(call: Call, tmp_path: Path) -> None:
    code, out, _ = call("ladder", *SMALL, "--workers", 0, "--detach", "--batch", 8, "--json", "-")
    assert code == 0
    assert {run["status"] for run in json.loads(out)["runs"]} == {"queued"}
    assert {run.config().batch_size for run in list_runs(tmp_path / "runs")} == {8}
    assert len(list_ladders(tmp_path / "runs")) == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("ladder", "--preset", "huge"), "There is no ladder 'huge'."),
        (("ladder", "--family", "mamba"), "There is no family mamba."),
        (("ladder", "--width", "many"), "many"),
        (("train", "lstm", "--width", 8, "--budget", "10"), "smallest budget must be at least"),
        (
            ("train", "lstm", "--width", 8, "--budget", "64Ki", "--processes", 3),
            "A batch of 4 cannot be shared out among 3 processes.\nTake 1, 2, 4 processes",
        ),
    ],
)
def test_what_does_not_work_is_told_before_anything_starts(
    call: Call, tmp_path: Path, arguments: tuple[object, ...], text: str
) -> None:
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert text in err
    assert not list_runs(tmp_path / "runs")


def test_no_pytorch_says_how_to_get_it(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isoflop.cli.training.find_spec", lambda name: None)
    code, _, err = call("ladder")
    assert code == 2
    assert 'pip install "isoflop[train]"' in err


def test_every_field_of_the_recipe_and_of_a_cluster_is_a_flag() -> None:
    actions = build_parser()._subparsers._group_actions[0].choices["ladder"]._actions
    flags = {flag for action in actions for flag in action.option_strings}
    for owner in (Recipe, ClusterSettings):
        assert {f"--{entry.flag}" for entry in options_of(owner)} <= flags
