"""The machine's clock set forwards and back, by seconds and by years."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.faults import stored
from benchmarks.faults.killed_runs import small_run
from benchmarks.faults.tally import Tally
from isoflop import people
from isoflop.errors import ConflictError, IsoflopError
from isoflop.people import Actor
from isoflop.store import Store
from isoflop.training import queue as queue_module
from isoflop.training.estimates import estimate_cpu_s
from isoflop.training.processes import ProcessId
from isoflop.training.queue import RunQueue, in_turn
from isoflop.training.runs import Run
from isoflop.work.executor import Executor
from isoflop.work.processes import Processes
from isoflop.work.settings import Limits

N_STEPS, N_STEPS_SHORT = 20, 2
STEPS_S = (2.0, 3600.0, 86_400.0, 40 * 86_400.0, 3650 * 86_400.0)
ANNA = Actor(id="browser:anna", roles=frozenset({"viewer", "editor"}))
SECRET = "a secret of this check"
_now_s, _datetime = time.time, datetime


class Clock:
    """The wall clock of this process, which can be set; clocks that nobody sets go on."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def time(self) -> float:
        """Return what the clock says, in seconds since the epoch."""
        return _now_s() + self.ahead_s

    @contextmanager
    def used(self) -> Iterator[Clock]:
        """Let the package ask this clock."""
        clock = self

        class Shifted(_datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Any:
                return _datetime.fromtimestamp(clock.time(), tz)

        with ExitStack() as patches:
            patches.enter_context(mock.patch("time.time", self.time))
            for name, module in list(sys.modules.items()):
                if name.startswith("isoflop.") and getattr(module, "datetime", 0) is _datetime:
                    patches.enter_context(mock.patch.object(module, "datetime", Shifted))
            yield self

    def step(self, rng: random.Random) -> None:
        """Set it, forwards or back."""
        self.ahead_s += rng.choice((-1, 1)) * rng.choice(STEPS_S)


def make(is_short: bool, seed: int) -> Iterator[Tally]:
    """Set the clock between any two of what depends on time."""
    rng, n_steps = random.Random(seed), N_STEPS_SHORT if is_short else N_STEPS
    checks: dict[str, tuple[str, Callable[[Clock, Path, random.Random, Tally], None]]] = {
        "the clock set between saves": (
            "no version is lost or out of order, no change is before its document, a conflict is "
            "told, what was deleted can be taken back",
            _saves,
        ),
        "the clock set while runs wait, run and are stopped": (
            "nobody jumps the queue, a stop kills no sooner and no later, minutes of a wrong year "
            "lock nobody out, processes are known again",
            _runs,
        ),
        "the clock set while jobs run": (
            "no job ends for it; people stay who they are",
            _jobs,
        ),
    }
    for fault, (checked, check) in checks.items():
        tally = Tally(fault, checked)
        for _ in range(n_steps):
            with tempfile.TemporaryDirectory() as folder, Clock().used() as clock:
                tally.n += 1
                check(clock, Path(folder), rng, tally)
        yield tally


def _saves(clock: Clock, folder: Path, rng: random.Random, tally: Tally) -> None:
    url = f"sqlite:///{folder / 'store.sqlite3'}"
    store = Store(url)
    mine = store.of(ANNA)
    times = []
    for number in range(4):
        times.append(mine.put("scenario", "a", {"note": f"{number}"}).updated)
        clock.step(rng)
    saved = mine.get("scenario", "a")
    assert saved is not None
    numbers = [version.number for version in mine.versions(saved.id)]
    tally.require(numbers == [4, 3, 2, 1], f"the versions are {numbers}")
    tally.require(times == sorted(times), "a later version has an earlier time")
    try:
        mine.change(saved.id, {"note": "late"}, expected=2)
        tally.violations.append("a conflict was not told")
    except ConflictError:
        tally.counts["conflicts told"] += 1
    store.close()
    tally.violations += stored.faults(url)
    tally.require(_is_taken_back(clock, folder, rng), "what was deleted is gone")


def _is_taken_back(clock: Clock, folder: Path, rng: random.Random) -> bool:
    """Delete something, and take it back when the server has started by another clock."""
    url = f"sqlite:///{folder / 'other.sqlite3'}"
    store = Store(url)
    document = store.of(ANNA).put("scenario", "a", {}).id
    store.of(ANNA).delete(document)
    store.close()
    clock.step(rng)
    store = Store(url)
    try:
        return store.of(ANNA).undelete(document).key == "a"
    except IsoflopError:
        return False
    finally:
        store.close()


def _runs(clock: Clock, folder: Path, rng: random.Random, tally: Tally) -> None:
    queue, config = RunQueue(folder, ANNA), small_run(folder)
    [first] = queue.submit([config])
    clock.step(rng)
    [second] = queue.submit([small_run(folder, seed=1)])
    tally.require(in_turn([second, first]) == [first, second], "a later run jumped the queue")
    me = ProcessId.current()
    first.write_state("running", process=me)
    clock.step(rng)
    tally.require(first.state().status == "running", "a process is not known again")
    _stop(queue, first, clock, rng, tally)
    first.write_state("stopped")
    minutes = f"{1.5 * estimate_cpu_s(config) / 60}"
    with mock.patch.dict("os.environ", {"ISOFLOP_MAX_TRAINING_MINUTES": minutes}):
        ben = RunQueue(folder, Actor(id="browser:ben", roles=ANNA.roles))
        ben.submit([small_run(folder, seed=2)])
        clock.ahead_s -= 400 * 86_400
        try:
            ben.submit([small_run(folder, seed=3)])
        except IsoflopError:
            tally.violations.append("minutes of another year lock a person out")


def _stop(queue: RunQueue, run: Run, clock: Clock, rng: random.Random, tally: Tally) -> None:
    """Ask a run to stop that does not obey, and see when it is killed."""
    killed: list[int] = []
    with mock.patch.object(ProcessId, "kill_group", lambda process: killed.append(process.pid)):
        queue.stop([run])
        queue.enforce_stops([run])
        clock.step(rng)
        queue.enforce_stops([run])
        tally.require(not killed, "a run that was asked to stop was killed at once")
        with mock.patch.object(queue_module, "STOP_GRACE_S", 0.0):
            queue.enforce_stops([run])
        tally.require(killed, "a run that does not stop was not killed")
    tally.counts["stops kept to"] += len(killed)


def _jobs(clock: Clock, folder: Path, rng: random.Random, tally: Tally) -> None:
    cookies = {people.cookie_name(SECRET): people.new_cookie(SECRET)}
    before = people.by_cookie(cookies, SECRET)
    limits = Limits(n_jobs=1, n_each=1, deadline_s=60, memory_bytes=2_000_000_000)
    with Executor(Processes(limits, preload=())) as pool:
        job = pool.submit(sum, [1, 2, 3])
        clock.step(rng)
        tally.require(job.result(timeout=60) == 6, "a job gave another result")
        tally.counts["jobs ended"] += 1
    tally.require(people.by_cookie(cookies, SECRET) == before, "a person is another one")
