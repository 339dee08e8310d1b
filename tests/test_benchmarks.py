"""What the benchmarks of speed yield, and that each runs, in its short version."""

import json
from importlib import import_module
from pathlib import Path

import pytest
import torch
from benchmarks import measured
from benchmarks.__main__ import SPEED
from benchmarks.measured import Growth, Row
from benchmarks.training import gpu

from isoflop.training.config import FAMILIES

READING = Row(task="read", value=3.0, unit="CPU s", peer="pandas", peer_value=2.0, at_most=1.2)
GROWTH = Growth(task="fit", along="rows", at=(100.0, 1000.0), cpu_s=(0.02, 0.05))


def test_a_target_is_of_the_ratio_where_there_is_a_peer_and_of_the_value_elsewhere() -> None:
    assert READING.ratio == 1.5
    assert READING.is_missed
    assert not Row(task="fit", value=0.04, unit="CPU s", at_most=0.05).is_missed
    assert not Row(task="fit", value=9.0, unit="CPU s", peer="absent", at_most=1).is_missed


def test_a_line_says_what_was_over_its_target() -> None:
    assert measured.line(READING) == "read: 3 CPU s; pandas: 2; ratio 1.5; OVER 1.2"
    assert measured.line(GROWTH) == "fit, CPU s by rows: 100: 0.02, 1,000: 0.05"


def test_what_was_measured_comes_back_from_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "measured.json"
    monkeypatch.setattr("sys.argv", ["benchmark", "--json", str(path)])
    measured.main(lambda is_short: iter([READING, GROWTH]))
    row, growth = measured.read(path)
    assert row == READING
    assert (growth.task, tuple(growth.at)) == ("fit", GROWTH.at)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SPEED if name not in {"app", "load"}])
def test_a_short_benchmark_runs(name: str) -> None:
    found = list(import_module(f"benchmarks.{name}.__main__").measure(True))
    assert any(isinstance(item, Row) for item in found)
    # Not more than zero: what is shorter than a tick of a coarse clock takes no CPU time.
    assert all(item.value >= 0 for item in found if isinstance(item, Row))


@pytest.mark.slow
def test_the_script_for_a_gpu_runs_from_end_to_end_without_one(tmp_path: Path) -> None:
    """On a rented card there is no time to mend it."""
    path = tmp_path / "report.json"
    gpu.main(["--device", "cpu", "--short", "--output", str(path)])
    report = json.loads(path.read_text())
    assert report["card"]
    assert {cell["family"] for cell in report["cells"]} == set(FAMILIES)
    assert all(loss["largest_loss_difference"] == 0 for loss in report["losses"])
    assert report["ladder"][0]["loss"] > report["ladder"][1]["loss"]


def test_without_a_gpu_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="no GPU"):
        gpu.main([])
