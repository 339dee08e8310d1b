"""The benchmark of the app in its short version, and the results as they are written."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest
from benchmarks import results
from benchmarks.app.__main__ import measure
from benchmarks.measured import Growth, Row

Result = TypeVar("Result")

GROWTH = Growth(task="certified fit", along="rows", at=(100.0, 1000.0), cpu_s=(0.02, 0.05))


def elsewhere(function: Callable[[], Result]) -> Result:
    """Call a function that drives a browser of its own, where no other is driven already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def test_results_have_their_table_and_their_drawing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "RESULTS", tmp_path / "RESULTS.md")
    monkeypatch.setattr(results, "DRAWING", tmp_path / "growth.svg")
    row = Row(task="read", value=3.0, unit="CPU s", peer="pandas", peer_value=2.0, at_most=1.2)
    elsewhere(lambda: results.write_results({"tables": [row, GROWTH]}))
    text = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert "| read | 3 CPU s | pandas | 2 CPU s | 1.5 | 1.2 | **over** |" in text
    assert "| certified fit | rows | 100: 0.02, 1,000: 0.05 |" in text
    drawing = (tmp_path / "growth.svg").read_text(encoding="utf-8")
    assert drawing.startswith("<svg")
    assert "Rows" in drawing


@pytest.mark.slow
def test_the_short_benchmark_of_the_app_runs() -> None:
    found = elsewhere(lambda: list(measure(True)))
    assert {row.task for row in found} >= {"slider to redrawn chart, p50", "first visit to chart"}
    assert all(row.value > 0 for row in found)
