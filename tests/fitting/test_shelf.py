"""What was found for a table of the catalog is found again, and nothing else is."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isoflop
from isoflop.fitting import Fit, FitOptions, fit, shelf
from isoflop.laws import load_laws
from isoflop.laws.restrict import ParamBounds
from isoflop.tables import LossTable, list_datasets, load_dataset

OPTIONS = FitOptions(n_bootstrap=20)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    shelf.open_shelf(tmp_path / "found")
    yield tmp_path / "found"
    shelf.open_shelf(None)


@pytest.fixture(scope="module")
def table() -> LossTable:
    return load_dataset(next(entry.id for entry in list_datasets() if entry.is_shipped))


def made(table: LossTable, options: FitOptions = OPTIONS, law: str = "power") -> Fit:
    return fit(load_laws()[law], table, options)


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*")) if folder.exists() else []


def test_a_fit_is_found_again_without_a_search(
    folder: Path, table: LossTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    laws = ["chinchilla", "power", "shifted_power"]
    first = [made(table, law=law) for law in laws]
    assert len(files(folder)) == len(laws)
    monkeypatch.setattr(sys.modules["isoflop.fitting.fit"], "search", None)
    again = [made(table, law=law) for law in laws]
    assert [one.key for one in again] == [one.key for one in first]
    assert [one.certificate for one in again] == [one.certificate for one in first]
    assert [one.notices for one in again] == [one.notices for one in first]
    shelf.open_shelf(None)
    with pytest.raises(TypeError):
        made(table)


def test_bounds_and_no_draws_come_back(folder: Path, table: LossTable) -> None:
    options = FitOptions(n_bootstrap=0, params=(ParamBounds(name="a", lower=0.0, upper=0.01),))
    first, again = (made(table, options) for _ in range(2))
    assert first.certificate.bounds
    assert again.certificate == first.certificate
    assert again.draws is None
    assert again.key == first.key


@pytest.mark.parametrize(
    "change",
    [
        {"options": FitOptions(n_bootstrap=21)},
        {"options": FitOptions(n_bootstrap=20, seed=1)},
        {"options": FitOptions(n_bootstrap=20, objective="least_squares_log")},
        {"law": "power_floor"},
    ],
    ids=["draws", "seed", "objective", "law"],
)
def test_another_question_has_another_answer(
    folder: Path, table: LossTable, change: dict[str, Any]
) -> None:
    made(table)
    made(table, **change)
    assert len(files(folder)) == 2


def test_other_rows_have_another_answer(folder: Path, table: LossTable) -> None:
    first = made(table)
    frame = table.frame.copy()
    frame.loc[frame.index[0], "loss"] *= 1 + 1e-12
    again = made(table.with_frame(frame))
    assert len(files(folder)) == 2
    assert again.key != first.key


def test_another_engine_finds_anew(
    folder: Path, table: LossTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(table)
    monkeypatch.setattr(shelf, "_engine", lambda: "another")
    made(table)
    assert len(files(folder)) == 2


def test_an_engine_is_told_by_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = shelf._engine()
    for name in ("fitting", "laws"):
        (tmp_path / name).mkdir()
    (tmp_path / "laws" / "law.py").write_text("changed = True\n")
    monkeypatch.setattr(isoflop, "__file__", str(tmp_path / "__init__.py"))
    shelf._engine.cache_clear()
    assert shelf._engine() != before
    shelf._engine.cache_clear()


def test_rows_of_a_persons_own_stay_in_memory(folder: Path, table: LossTable) -> None:
    made(replace(table, id="upload:mine"))
    assert files(folder) == []


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"\x93NUMPY"])
def test_a_torn_file_is_made_again(
    folder: Path, table: LossTable, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    first = made(table)
    (path,) = files(folder)
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING, "isoflop.fitting"):
        assert made(table).key == first.key
    assert "is made again" in caplog.text
    caplog.clear()
    assert made(table).key == first.key
    assert caplog.text == ""


def test_nothing_pickled_is_read(folder: Path, table: LossTable) -> None:
    first = made(table)
    (path,) = files(folder)
    with path.open("wb") as file:
        np.savez(file, theta=np.array([print], dtype=object), certificate=np.array("{}"))
    assert made(table).key == first.key


def test_a_folder_that_cannot_be_written_to_costs_nothing(
    tmp_path: Path, table: LossTable, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    shelf.open_shelf(tmp_path / "file" / "found")
    try:
        assert made(table).n_rows
    finally:
        shelf.open_shelf(None)
    assert "cannot be" in caplog.text


def test_those_used_last_are_kept(
    folder: Path, table: LossTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "MAX_FILES", 2)
    for n_draws in (2, 3, 2, 4):
        made(table, FitOptions(n_bootstrap=n_draws))
    left = files(folder)
    made(table, FitOptions(n_bootstrap=2))
    made(table, FitOptions(n_bootstrap=4))
    assert files(folder) == left
