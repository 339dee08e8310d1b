"""What the benchmarks of speed yield, and that each runs, in its short version."""

from importlib import import_module
from pathlib import Path

import pytest
from benchmarks import measured
from benchmarks.__main__ import SPEED
from benchmarks.measured import Growth, Row

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
    assert all(item.value > 0 for item in found if isinstance(item, Row))
