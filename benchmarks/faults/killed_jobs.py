"""Processes of heavy work killed: each job ends with its result or a clear error, none hangs."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager

import psutil

from benchmarks.faults.tally import Tally
from benchmarks.load.replicas import REPOSITORY
from isoflop.errors import WorkError
from isoflop.work.executor import Executor, Job
from isoflop.work.processes import Processes
from isoflop.work.settings import Limits

N_KILLS, N_KILLS_SHORT = 50, 6
N_JOBS = 6
"""At each kill, of two people."""
LONGEST_JOB_S, LONGEST_WAIT_S = 0.2, 0.5
PATIENCE_S = 60.0
LIMITS = Limits(n_jobs=2, n_each=2, deadline_s=60, memory_bytes=2_000_000_000)
HOST_SHARE = 0.3
"""Of the kills, those of the process that jobs are forked from."""


def work(number: int, seconds: float) -> int:
    """Take a while, and return what only this job returns."""
    time.sleep(seconds)
    return number * number


def make(is_short: bool, seed: int) -> Iterator[Tally]:
    """Kill jobs, and the process that they are forked from, at random moments."""
    tally = Tally(
        "kill -9 of a job, or of the process that jobs are forked from",
        "each job ends with its result or says that its process ended; no more end so than were "
        "hit; the next job works; no process left",
    )
    rng = random.Random(seed)
    with _found_by_jobs(), Executor(Processes(LIMITS, preload=())) as pool:
        for _ in range(N_KILLS_SHORT if is_short else N_KILLS):
            tally.n += 1
            kill_among(pool, tally, rng)
    left = [one for one in psutil.Process().children(recursive=True) if _is_work(one)]
    tally.require(not left, f"{len(left)} processes are left")
    yield tally


@contextmanager
def _found_by_jobs() -> Iterator[None]:
    """Let other processes find this module by its name."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(REPOSITORY), before]))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def kill_among(pool: Executor, tally: Tally, rng: random.Random) -> None:
    """Ask for jobs, kill one process, and check how the jobs end."""
    jobs = [
        pool.submit(work, number, rng.uniform(0, LONGEST_JOB_S), owner=f"person {number % 2}")
        for number in range(N_JOBS)
    ]
    time.sleep(rng.uniform(0, LONGEST_WAIT_S))
    n_hit = _kill_one(rng, tally)
    ended = futures.wait(jobs, timeout=PATIENCE_S)
    tally.require(not ended.not_done, f"{len(ended.not_done)} jobs hang")
    failed = [job for job in ended.done if job.exception() is not None]
    tally.counts["jobs with their result"] += len(ended.done) - len(failed)
    tally.counts["jobs that said what happened"] += len(failed)
    check(jobs, n_hit, tally)
    fresh = pool.submit(work, N_JOBS, 0.0).result(timeout=PATIENCE_S)
    tally.require(fresh == N_JOBS**2, f"the next job gave {fresh}")


def check(jobs: list[Job[int]], n_hit: int, tally: Tally) -> None:
    """Note what ended otherwise than it may where so many processes were hit."""
    n_failed = 0
    for number, job in enumerate(jobs):
        error = job.exception() if job.done() else None
        if isinstance(error, WorkError):
            n_failed += 1
        elif error is not None:
            tally.violations.append(f"a job ended with {type(error).__name__}: {error}")
        elif job.done():
            tally.require(job.result() == number**2, f"job {number} gave {job.result()}")
    tally.require(n_failed <= n_hit, f"{n_failed} jobs failed where {n_hit} were hit")


def _kill_one(rng: random.Random, tally: Tally) -> int:
    """Kill a process; return how many jobs may fail by it."""
    hosts = [one for one in psutil.Process().children() if _is_work(one)]
    running = [job for host in hosts for job in host.children()]
    if hosts and (rng.random() < HOST_SHARE or not running):
        tally.counts["of the process they are forked from"] += 1
        hosts[0].kill()
        return LIMITS.n_jobs
    if running:
        rng.choice(running).kill()
        return 1
    return 0


def _is_work(process: psutil.Process) -> bool:
    try:
        return "isoflop.work.host" in process.cmdline()
    except psutil.NoSuchProcess:
        return False
