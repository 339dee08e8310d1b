"""Heavy results of a page: made by jobs, once for all sessions, waited for, cancelled."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from tests.pages.helpers import press, text

from isoflop.errors import TableQuestion
from isoflop.ui import jobs as ui_jobs
from isoflop.ui.jobs import KeptByJob
from isoflop.work.executor import Executor
from isoflop.work.processes import Processes
from isoflop.work.settings import Limits

SCRIPT = """
import held
import streamlit as st
from isoflop.ui import messages, shell

with shell.page("explore"):
    with messages.boundary():
        st.text(f"made {held.made(held.argument)}")
    st.text("the rest")
"""
SESSION = "test session id"
"""What Streamlit calls every session of its test runner."""


@pytest.fixture(scope="module")
def pool(jobs: ModuleType) -> Iterator[Executor]:
    limits = Limits(n_jobs=1, n_each=1, deadline_s=20, memory_bytes=2_000_000_000)
    with Executor(Processes(limits, preload=())) as made:
        yield made


@pytest.fixture
def held(
    pool: Executor, jobs: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SimpleNamespace]:
    """Return what the page of the script shows; its result is made once a file is there."""
    monkeypatch.setattr("isoflop.work.places.executor", lambda: pool)
    monkeypatch.setattr(ui_jobs, "PATIENCE_S", 0.2)
    page = SimpleNamespace(effort_s=0.0, argument=str(tmp_path / "go"))
    page.kept = lambda function: KeptByJob(function, "Waiting", effort=lambda *_: page.effort_s)
    page.made = page.kept(jobs.wait_for)
    monkeypatch.setitem(sys.modules, "held", page)
    yield page
    ui_jobs._leave(SESSION, set(ui_jobs._tasks))
    until(lambda: not ui_jobs._tasks)


def opened() -> AppTest:
    at = AppTest.from_string(SCRIPT, default_timeout=60).run()
    assert not at.exception
    return at


def shown(at: AppTest) -> list[str]:
    return [entry.value for entry in at.text]


def said(at: AppTest) -> str:
    """Return what is written on the only bar."""
    (bar,) = at.get("progress")
    return str(bar.proto.text).replace("\\", "")


def labels(at: AppTest) -> list[str]:
    return [entry.label for entry in at.button]


def until(is_so: Callable[[], object]) -> None:
    for _ in range(3000):
        if is_so():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come")


def starts(argument: str) -> list[str]:
    """Return the processes that have worked on an argument."""
    path = Path(argument + ".started")
    return path.read_text().split() if path.exists() else []


def test_the_page_goes_on_while_a_result_is_made_once(
    held: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opened()
    assert shown(first) == ["the rest"]
    assert labels(first) == ["Cancel"]
    assert said(first) == "Waiting"
    until(lambda: starts(held.argument))
    second = opened()
    assert shown(second) == ["the rest"]
    Path(held.argument).touch()
    until(lambda: not ui_jobs._tasks)
    for at in (first, second, opened()):
        assert shown(at.run()) == ["made go", "the rest"]
        assert not at.button
    assert len(starts(held.argument)) == 1


def test_the_place_in_the_queue_is_shown(
    held: SimpleNamespace, pool: Executor, jobs: ModuleType, tmp_path: Path
) -> None:
    ahead = pool.submit(jobs.wait_for, str(tmp_path / "ahead"), owner="another")
    at = opened()
    assert said(at) == "Waiting: place 1 in the queue"
    (tmp_path / "ahead").touch()
    assert ahead.result() == "ahead"


def test_a_cancelled_job_ends_and_can_be_started_again(
    held: SimpleNamespace, pool: Executor
) -> None:
    at = press(opened(), "Cancel")
    assert "was cancelled" in text(at.markdown)
    assert labels(at) == ["Compute"]
    until(lambda: not pool._running)
    Path(held.argument).touch()
    press(at, "Compute")
    until(lambda: not ui_jobs._tasks)
    assert shown(at.run()) == ["made go", "the rest"]


def test_a_job_goes_on_while_somebody_waits(held: SimpleNamespace) -> None:
    at = opened()
    (task,) = ui_jobs._tasks.values()
    task.watchers.add("another")
    press(at, "Cancel")
    assert ui_jobs._tasks
    ui_jobs._leave("another", set(ui_jobs._tasks))
    assert task.job.cancelled()


def test_a_job_ends_with_its_session(
    held: SimpleNamespace, pool: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ui_jobs, "GRACE_S", 0.01)
    opened()
    assert ui_jobs._tasks
    ui_jobs._gone(SESSION)  # called when Streamlit's session disconnects
    until(lambda: not pool._running)


def test_a_job_outlives_a_short_loss_of_connection(
    held: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ui_jobs, "GRACE_S", 0.01)
    opened()
    ui_jobs._gone(SESSION)
    ui_jobs._present.add(SESSION)
    time.sleep(0.1)
    assert ui_jobs._tasks


def test_a_job_that_is_left_while_its_page_waits_is_asked_for_anew(
    held: SimpleNamespace, pool: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ui_jobs, "PATIENCE_S", 20)

    def leave() -> None:
        until(lambda: starts(held.argument))
        ui_jobs._leave(SESSION, set(ui_jobs._tasks))
        Path(held.argument).touch()

    leaving = threading.Thread(target=leave)
    leaving.start()
    at = opened()
    leaving.join()
    assert shown(at) == ["made go", "the rest"]
    assert len(starts(held.argument)) == 2


def test_a_result_is_returned_even_if_others_take_its_place(
    held: SimpleNamespace, jobs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = held.kept(jobs.double)

    def wait(*given: Any, **options: Any) -> object:
        done = futures.wait(*given, **options)
        made._results.clear()  # as by as many newer ones as are kept
        return done

    monkeypatch.setattr(ui_jobs, "futures", SimpleNamespace(wait=wait))
    assert made(3) == 6


def test_a_job_ends_when_its_page_shows_something_else(
    held: SimpleNamespace, pool: Executor, jobs: ModuleType
) -> None:
    at = opened()
    until(lambda: starts(held.argument))
    held.made, held.argument = held.kept(jobs.double), 2
    at.run()
    until(lambda: shown(at.run()) == ["made 4", "the rest"])


def test_an_address_starts_nothing_heavy(held: SimpleNamespace, jobs: ModuleType) -> None:
    held.effort_s = 60.0
    at = opened()
    assert "takes about 60 seconds" in text(at.markdown)
    assert not ui_jobs._tasks
    ui_jobs._tasks.clear()
    at.run()  # a person did something else on the page
    assert labels(at) == ["Compute"]
    Path(held.argument).touch()
    press(at, "Compute")
    until(lambda: shown(at.run()) == ["made go", "the rest"])
    held.made, held.argument = held.kept(jobs.double), 3  # a person chose something else
    until(lambda: shown(at.run()) == ["made 6", "the rest"])


def test_an_error_is_that_of_the_function_and_is_kept(
    held: SimpleNamespace, jobs: ModuleType
) -> None:
    held.made, held.argument = held.kept(jobs.refuse), "Two fit."
    at = opened()
    until(lambda: at.run().error)
    assert "Two fit" in text(at.error)
    assert not at.button


def test_work_that_its_limits_ended_can_be_tried_again(
    held: SimpleNamespace, jobs: ModuleType, tmp_path: Path
) -> None:
    held.made, held.argument = held.kept(jobs.die_once), str(tmp_path / "died")
    at = opened()
    until(lambda: at.run().error)
    assert "ended by itself" in text(at.error)
    press(at, "Try again")
    until(lambda: shown(at.run()) == ["made alive", "the rest"])


def test_without_a_page_the_caller_waits(held: SimpleNamespace) -> None:
    Path(held.argument).touch()
    assert held.made(held.argument) == "go"


def test_what_a_page_is_empty_without_is_made_at_once_and_once(held: SimpleNamespace) -> None:
    Path(held.argument).touch()
    with ThreadPoolExecutor(4) as people:
        found = list(people.map(lambda _: held.made.at_once(held.argument), range(4)))
    assert found == ["go"] * 4
    assert held.made(held.argument) == "go"
    assert starts(held.argument) == [str(os.getpid())]


def test_an_error_of_what_is_made_at_once_is_kept(
    held: SimpleNamespace, jobs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = held.kept(jobs.refuse)
    with pytest.raises(TableQuestion, match="Which"):
        refusing.at_once("Three fit.")
    monkeypatch.setattr(jobs, "refuse", None)
    with pytest.raises(TableQuestion, match="Which"):
        refusing.at_once("Three fit.")
    assert refusing.is_settled("Three fit.")
