"""Jobs on a Dask cluster of this machine, by the setting alone."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from types import ModuleType

import distributed
import pytest

from isoflop import work
from isoflop.errors import TableQuestion, WorkError
from isoflop.work.executor import Executor


@pytest.fixture(scope="module")
def address(jobs: ModuleType) -> Iterator[str]:
    """Return where the scheduler of a cluster answers: two threads, in this process."""
    with distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=2,
        processes=False,
        protocol="tcp",
        dashboard_address=None,
    ) as made:
        yield made.scheduler_address.removeprefix("tcp://")
        work.shutdown()


@pytest.fixture
def submit(address: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., work.Job[object]]:
    monkeypatch.setenv("ISOFLOP_EXECUTOR", f"dask://{address}")
    return work.submit


def test_work_goes_where_the_setting_says(
    submit: Callable[..., work.Job[object]], jobs: ModuleType
) -> None:
    assert [submit(jobs.add, i, 1).result(20) for i in range(3)] == [1, 2, 3]
    made = work.executor()
    assert isinstance(made, Executor)
    assert made._backend.n_slots == 2


def test_progress_and_errors_come_back(
    submit: Callable[..., work.Job[object]], jobs: ModuleType
) -> None:
    job = submit(jobs.count_up)
    assert job.result(20) == 4
    assert job.doing.startswith("at ") or job.share == 1.0
    with pytest.raises(TableQuestion) as found:
        submit(jobs.ask).result(20)
    assert found.value.choices == {"a": "--a"}


def test_a_cancelled_job_stops_at_its_next_report(
    submit: Callable[..., work.Job[object]], jobs: ModuleType, tmp_path: Path
) -> None:
    is_over = threading.Event()
    job = submit(jobs.wait_for, tmp_path / "never")
    job.add_done_callback(lambda _: is_over.set())
    while not job.share:
        assert not is_over.wait(0.01)
    assert job.cancel()
    with pytest.raises(CancelledError):
        job.result(20)
    assert submit(jobs.add, 1, 2).result(20) == 3


def test_longer_than_allowed_is_an_error(
    submit: Callable[..., work.Job[object]],
    jobs: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ISOFLOP_JOB_DEADLINE_S", "0.3")
    with pytest.raises(WorkError, match="took longer than"):
        submit(jobs.wait_for, tmp_path / "never").result(20)


def test_a_scheduler_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isoflop.work.cluster.CONNECT_TIMEOUT_S", 0.2)
    monkeypatch.setenv("ISOFLOP_EXECUTOR", "dask://127.0.0.1:9")
    with pytest.raises(WorkError, match=r"No Dask scheduler answers at 127\.0\.0\.1:9"):
        work.executor()


def test_distributed_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.setenv("ISOFLOP_EXECUTOR", "dask://elsewhere:8786")
    with pytest.raises(WorkError, match="not installed"):
        work.executor()
