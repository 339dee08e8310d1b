"""Faults made on purpose: fewer of each than ``make faults``, and that each check can fail."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from benchmarks.faults import (
    clock,
    database,
    full_disk,
    fuzz,
    killed_jobs,
    killed_runs,
    sent,
    stored,
    torn,
    two_servers,
)
from benchmarks.faults.__main__ import KINDS, make
from benchmarks.faults.report import written
from benchmarks.faults.tally import Tally, line

from isoflop.errors import IsoflopError, WorkError
from isoflop.people import LOCAL
from isoflop.store import Store
from isoflop.store.tables import ATTACHMENTS, DOCUMENTS, VERSIONS
from isoflop.tables.catalog import list_datasets
from isoflop.tables.fetch import cached_path
from isoflop.training.queue import RunQueue
from isoflop.work.executor import Job

IN_A_TEST = ("killed_jobs", "database", "two_servers", "clock", "fuzz")
"""The others train models, or start a server again and again: `make faults` alone makes them."""


def test_what_is_made_in_a_test_is_a_kind() -> None:
    assert set(IN_A_TEST) < set(KINDS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", IN_A_TEST)
def test_nothing_is_lost_and_nobody_sees_a_traceback(kind: str) -> None:
    found = list(make(kind, is_short=True))
    assert not [line(tally) for tally in found if tally.violations]
    assert all(tally.n or tally.note for tally in found)


# --- Each check can fail


@pytest.fixture
def tally() -> Tally:
    return Tally("a fault", "nothing is lost")


@pytest.fixture
def url(tmp_path: Path) -> str:
    found = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    opened = Store(found)
    mine = opened.of(LOCAL)
    for number in range(3):
        mine.put("scenario", "a", {"note": f"{number}"}, attachments={"00": b"no such content"})
    mine.put("scenario", "b", {"note": "of b"})
    with opened._database._engine.begin() as connection:
        connection.execute(ATTACHMENTS.delete())
    opened.close()
    return found


BREAKS: dict[str, Callable[[], Any]] = {
    "has version 3 and before it [1]": lambda: VERSIONS.delete().where(VERSIONS.c.version == 2),
    "versions of": lambda: DOCUMENTS.delete().where(DOCUMENTS.c.key == "a"),
    "was changed before it was made": lambda: DOCUMENTS.update().values(updated="1999"),
    "is not JSON": lambda: VERSIONS.update().values(body="{", n_bytes=1),
    "bytes, not 7": lambda: DOCUMENTS.update().values(n_bytes=7),
    "a file of x is damaged": lambda: ATTACHMENTS.insert().values(
        document="x", sha256="0", content=b"1", n_bytes=1
    ),
}


def test_a_sound_store_has_no_faults_and_holds_every_note(url: str) -> None:
    assert stored.faults(url) == []
    assert stored.missing(url, ["0", "1", "2", "of b"]) == []


@pytest.mark.parametrize("said", BREAKS)
def test_a_broken_store_is_seen(url: str, said: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(BREAKS[said]())
    engine.dispose()
    assert any(said in fault for fault in stored.faults(url))


def test_two_documents_of_one_name_are_seen() -> None:
    fields: dict[str, Any] = {"version": 1, "deleted": None, "updated": "", "created": ""}
    rows = [SimpleNamespace(id=id, owner="o", kind="k", key="a", **fields) for id in "12"]
    assert list(stored._numbers(rows, [])) == ["2 documents are called ('o', 'k', 'a')"]


def test_a_save_that_is_lost_is_seen(url: str, tally: Tally) -> None:
    database.check(
        database.Work(confirmed=["0", "lost"], longest_s=99.0, wrong=["odd"]), url, tally
    )
    assert tally.violations == [
        "a request took 99 s", "odd", "lost was confirmed and is not there",
    ]  # fmt: skip


def test_a_version_that_nobody_saved_is_seen(url: str, tally: Tally) -> None:
    two_servers.check(url, ["0", "1"], 4, tally)
    assert tally.violations == ["2 saves were confirmed, and the version is 4"]


def test_jobs_that_end_otherwise_are_seen(tally: Tally) -> None:
    jobs: list[Job[int]] = [Job(killed_jobs.work, (), {}, "") for _ in range(4)]
    jobs[0].set_result(5)
    jobs[1].set_exception(WorkError("It ended."))
    jobs[2].set_exception(WorkError("It ended."))
    jobs[3].set_exception(KeyError("x"))
    killed_jobs.check(jobs, 1, tally)
    assert len(tally.violations) == 3


class Vandal:
    """A worker that cuts the records off."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Vandal:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def send_signal(self, _number: int) -> None:
        self._path.write_text("")

    def poll(self) -> int:
        return 0


def test_a_logged_step_that_is_lost_is_seen(
    tmp_path: Path, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = RunQueue(tmp_path)
    [run] = queue.submit([killed_runs.small_run(tmp_path)])
    run.records_path.write_text('{"kind": "step"}\n')
    monkeypatch.setattr(killed_runs, "start", lambda root: Vandal(run.records_path))
    monkeypatch.setattr(killed_runs, "LONGEST_S", 0.0)
    killed_runs.kill_once(queue, run, tally, random.Random(0))
    assert tally.violations == ["a logged step is lost"]


def test_a_step_trained_again_with_another_loss_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    steps = [{"kind": "step", "segment": 0, "step": 1, "loss": loss} for loss in (2.0, 2.0, 2.5)]
    path.write_text("".join(json.dumps(step) + "\n" for step in steps))
    assert killed_runs.repeated_otherwise(path) == ["('step', 0, 1) had the losses {2.0, 2.5}"]


def test_what_is_refused_unclearly_is_seen(tally: Tally) -> None:
    def fail() -> None:
        raise OSError(28, os.strerror(28))

    full_disk.done_or_refused("save", fail, tally)
    assert tally.violations == ["save: OSError: [Errno 28] No space left on device"]


def test_a_torn_download_that_is_kept_is_seen(tmp_path: Path, tally: Tally) -> None:
    dataset = replace(list_datasets()[0], url="http://127.0.0.1:1/runs.csv", sha256="0" * 64)
    path = cached_path(dataset)
    path.parent.mkdir(parents=True)
    torn.tear(path.touch, dataset, tally)
    assert tally.violations == ["a torn download was taken", f"left in the cache: ['{path.name}']"]


def test_a_queue_out_of_order_is_seen(
    tmp_path: Path, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "in_turn", lambda runs: [])
    with clock.Clock().used() as used:
        clock._runs(used, tmp_path, random.Random(0), tally)
    assert tally.violations == ["a later run jumped the queue"]


def test_what_is_no_clear_error_is_seen() -> None:
    def prepare(_rng: random.Random) -> Callable[[random.Random], object]:
        def try_one(rng: random.Random) -> object:
            raise rng.choice([ValueError("odd"), IsoflopError("Clear.")])

        return try_one

    tally = fuzz.tried("things", prepare, 40, seed=0)
    assert tally.counts["gave a clear error"] + len(tally.violations) == 40
    assert "ValueError: odd" in tally.violations[0]
    with pytest.raises(sent._Unexpected):
        sent.read(500, "application/problem+json", b'{"summary": "Something failed."}')


def test_the_page_of_a_run_tells_what_did_not_hold(tally: Tally) -> None:
    tally.n = 3
    tally.counts["saves"] = 1200
    tally.require(False, "it is gone")
    run = {"date": "2026-01-02", "seed": 4, "minutes": 12.4, "load": 1.5}
    page = written({"a kind": run | {"tallies": [json.loads(json.dumps(tally.kept()))]}})
    row = "| a fault | 3 | 1,200 saves | nothing is lost | 1 | 2026-01-02, load 1.5 |"
    assert row in page
    assert "- a fault: it is gone" in page
    assert "Seed 4; 12 minutes" in page
