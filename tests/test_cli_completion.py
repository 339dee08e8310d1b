"""Shells complete what can be typed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from isoflop.cli import commands, main


def printed(capsys: pytest.CaptureFixture[str], shell: str) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("shell", commands.SHELLS)
def test_every_command_is_in_the_script_of_each_shell(
    capsys: pytest.CaptureFixture[str], shell: str
) -> None:
    script = printed(capsys, shell)
    assert all(name in script for name in ("predict", "backtest"))


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("ba", "backtest"), ("fit runs.csv --huber", "--huber-delta"), ("report ru", "runs.csv")],
    ids=["command", "option", "file"],
)
def test_bash_offers_what_can_follow(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, typed: str, offered: str
) -> None:
    (tmp_path / "script").write_text(printed(capsys, "bash"))
    (tmp_path / "runs.csv").touch()
    count = len(typed.split())
    ask = f"source ./script; COMP_WORDS=(isoflop {typed}); COMP_CWORD={count}; _shtab_isoflop"
    run = subprocess.run(
        ["bash", "-c", f'{ask}; echo "${{COMPREPLY[@]}}"'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert offered in run.stdout.split()


def test_without_its_library_the_command_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "find_spec", lambda name: None)
    assert main(["completion", "zsh"]) == 2
    assert "isoflop[completion]" in capsys.readouterr().err


def test_the_package_runs_as_a_module() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "isoflop", "--version"], capture_output=True, text=True, check=True
    )
    assert run.stdout.startswith("isoflop ")
