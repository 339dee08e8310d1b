"""Jobs in processes of their own: results, errors, limits, ends, turns."""

from __future__ import annotations

import concurrent.futures
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from isoflop import work
from isoflop.errors import TableQuestion, WorkError
from isoflop.work.executor import Executor, Job
from isoflop.work.processes import Processes
from isoflop.work.settings import Limits, limits

LIMITS = Limits(n_jobs=2, n_each=2, deadline_s=60, memory_bytes=2_000_000_000)


def executor_of(limits: Limits, **options: int) -> Executor:
    return Executor(Processes(limits, preload=("numpy",)), **options)


@pytest.fixture(scope="module")
def pool(jobs: ModuleType) -> Iterator[Executor]:
    with executor_of(LIMITS) as made:
        yield made


@pytest.fixture(scope="module")
def one_at_a_time(jobs: ModuleType) -> Iterator[Executor]:
    limits = Limits(n_jobs=1, n_each=1, deadline_s=60, memory_bytes=300_000_000)
    with executor_of(limits, max_waiting=3) as made:
        yield made


def until(is_so: Callable[[], object]) -> None:
    """Wait for something that another process or thread does."""
    for _ in range(3000):
        if is_so():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come")


def lives(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # gone before, or between open and read
        return False
    return state != "Z"


def started(marker: Path) -> int:
    """Wait for a job of `wait_for` and return its process."""
    path = marker.with_name(marker.name + ".started")
    until(lambda: path.exists() and path.read_text())
    return int(path.read_text())


def test_a_job_is_a_future_with_a_process_of_its_own(pool: Executor, jobs: ModuleType) -> None:
    job = pool.submit(jobs.process)
    process, main_script = job.result()
    assert process not in {os.getpid(), pool.submit(jobs.process).result()[0]}
    assert main_script == "host.py"  # never that of who asked
    assert isinstance(pool, concurrent.futures.Executor)
    assert list(concurrent.futures.as_completed([job])) == [job]
    assert (job.share, job.place, job.cancelled(), job.cancel()) == (1.0, None, False, False)


def test_arguments_may_be_large(pool: Executor, jobs: ModuleType) -> None:
    assert pool.submit(jobs.rows, np.zeros(2_000_000)).result() == 2_000_000


def test_progress_comes_in_order(pool: Executor, jobs: ModuleType) -> None:
    job = pool.submit(jobs.count_up)
    seen = []
    while not job.done():
        seen.append((job.share, job.doing))
        time.sleep(0.01)
    assert job.result() == 4
    assert seen == sorted(seen)
    assert len({share for share, _ in seen}) > 2


def test_an_error_comes_back_whole(pool: Executor, jobs: ModuleType) -> None:
    with pytest.raises(TableQuestion) as found:
        pool.submit(jobs.ask).result()
    error = found.value
    assert (error.summary, error.detail, error.hint) == ("Which?", "Two fit.", "Say one.")
    assert error.choices == {"a": "--a"}
    assert "in ask" in str(error.__cause__)  # where it was raised, for the log


def test_an_error_that_cannot_travel_is_said_in_words(pool: Executor, jobs: ModuleType) -> None:
    with pytest.raises(RuntimeError, match="Odd: 1 and 2"):
        pool.submit(jobs.raise_odd).result()


def test_a_result_that_cannot_travel_is_an_error(pool: Executor, jobs: ModuleType) -> None:
    with pytest.raises(Exception, match="lambda"):
        pool.submit(jobs.return_a_function).result()


def test_arguments_that_cannot_travel_are_an_error(pool: Executor, jobs: ModuleType) -> None:
    with pytest.raises(Exception, match="lambda"):
        pool.submit(jobs.rows, lambda: 1).result()


def test_a_cancelled_job_ends_with_its_process(
    pool: Executor, jobs: ModuleType, tmp_path: Path
) -> None:
    job = pool.submit(jobs.wait_for, tmp_path / "never")
    process = started(tmp_path / "never")
    assert job.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        job.result()
    assert job.cancelled()
    until(lambda: not lives(process))


def test_a_process_that_dies_is_an_error(pool: Executor, jobs: ModuleType) -> None:
    with pytest.raises(WorkError, match="ended by itself"):
        pool.submit(jobs.die).result()
    assert pool.submit(jobs.add, 1, 2).result() == 3


def test_the_process_to_fork_from_may_die(pool: Executor, jobs: ModuleType) -> None:
    host = pool._backend._host
    host.kill()
    host.wait()
    assert pool.submit(jobs.add, 1, 2).result() == 3


def test_a_job_that_never_began_is_begun_again(jobs: ModuleType) -> None:
    class Unlucky(Processes):
        n_hosts = 0

        def _start_host(self) -> None:
            super()._start_host()
            self.n_hosts += 1
            if self.n_hosts == 1:
                assert self._host is not None
                self._host.kill()
                self._host.wait()

    backend = Unlucky(LIMITS, preload=())
    with Executor(backend) as pool:
        assert pool.submit(jobs.double, 4).result() == 8
    assert backend.n_hosts == 2


def test_more_memory_than_allowed_is_an_error(one_at_a_time: Executor, jobs: ModuleType) -> None:
    assert one_at_a_time.submit(jobs.take_memory, 50_000_000).result() == 50_000_000 // 8
    with pytest.raises(WorkError, match="more than 300 MB") as found:
        one_at_a_time.submit(jobs.take_memory, 400_000_000).result()
    assert "ISOFLOP_JOB_MEMORY_MB" in found.value.hint


def test_longer_than_allowed_is_an_error(jobs: ModuleType, tmp_path: Path) -> None:
    limits = Limits(n_jobs=1, n_each=1, deadline_s=1.0, memory_bytes=LIMITS.memory_bytes)
    with executor_of(limits) as made:
        job = made.submit(jobs.wait_for, tmp_path / "never")
        with pytest.raises(WorkError, match="took longer than 1 s"):
            job.result()
        process = started(tmp_path / "never")
        until(lambda: not lives(process))


def test_too_many_waiting_are_refused(
    one_at_a_time: Executor, jobs: ModuleType, tmp_path: Path
) -> None:
    first = one_at_a_time.submit(jobs.wait_for, tmp_path / "go", owner="a")
    waiting = [one_at_a_time.submit(jobs.add, i, i, owner="a") for i in range(3)]
    with pytest.raises(WorkError, match="3 jobs wait"):
        one_at_a_time.submit(jobs.add, 1, 2)
    (tmp_path / "go").touch()
    assert first.result() == "go"
    assert [job.result() for job in waiting] == [0, 2, 4]


def test_a_second_person_waits_for_one_job_not_for_all_of_the_first(
    pool: Executor, jobs: ModuleType, tmp_path: Path
) -> None:
    first = [pool.submit(jobs.wait_for, tmp_path / f"go{i}", owner="a") for i in range(5)]
    second = pool.submit(jobs.wait_for, tmp_path / "second", owner="b")
    assert [job.place for job in [*first, second]] == [None, None, 2, 3, 4, 1]
    assert first[3].cancel()
    assert [job.place for job in [*first, second]] == [None, None, 2, None, 3, 1]
    for i in range(5):
        (tmp_path / f"go{i}").touch()
    started(tmp_path / "second")
    (tmp_path / "second").touch()
    assert second.result() == "second"
    assert [job.result() for job in first if not job.cancelled()] == ["go0", "go1", "go2", "go4"]


def test_jobs_end_with_the_process_that_asked(jobs: ModuleType, tmp_path: Path) -> None:
    code = (
        "import pathlib, work_jobs\n"
        "from isoflop.work.executor import Executor\n"
        "from isoflop.work.processes import Processes\n"
        "from isoflop.work.settings import limits\n"
        "pool = Executor(Processes(limits(), preload=()))\n"
        f"pool.submit(work_jobs.wait_for, pathlib.Path({str(tmp_path / 'never')!r})).result()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as asker:
        process = started(tmp_path / "never")
        asker.kill()
    until(lambda: not lives(process))


def test_shutdown_can_cancel(jobs: ModuleType, tmp_path: Path) -> None:
    made = executor_of(LIMITS)
    asked: list[Job[str]] = [made.submit(jobs.wait_for, tmp_path / "never") for _ in range(3)]
    made.shutdown(cancel_futures=True)
    assert all(job.cancelled() for job in asked)
    with pytest.raises(RuntimeError, match="shutdown"):
        made.submit(jobs.add, 1, 2)


# --- Settings, and where work runs ----------------------------------------------------------------


def test_inline_work_is_done_at_once(jobs: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOP_EXECUTOR", "inline")
    job = work.submit(jobs.process)
    assert job.done()
    assert job.result()[0] == os.getpid()
    assert work.submit(jobs.count_up).result() == 4
    with pytest.raises(TableQuestion):
        work.submit(jobs.ask).result()


def test_settings_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOP_MAX_JOBS", "3")
    monkeypatch.setenv("ISOFLOP_JOB_DEADLINE_S", "7.5")
    monkeypatch.setenv("ISOFLOP_JOB_MEMORY_MB", "500")
    assert limits() == Limits(n_jobs=3, n_each=2, deadline_s=7.5, memory_bytes=500_000_000)
    monkeypatch.setenv("ISOFLOP_MAX_JOBS", "many")
    with pytest.raises(WorkError, match="ISOFLOP_MAX_JOBS is 'many'"):
        limits()


def test_a_place_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOP_EXECUTOR", "elsewhere")
    with pytest.raises(WorkError, match="'elsewhere'"):
        work.executor()
