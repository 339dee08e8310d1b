"""Servers killed while people save: what the page said is saved is there afterwards."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.faults import stored
from benchmarks.faults.person import WORKSPACES, Person
from benchmarks.faults.tally import Tally
from benchmarks.load.replicas import Replicas, serve
from benchmarks.loop import complete

N_KILLS, N_KILLS_SHORT = 20, 1
N_PEOPLE = 3
LONGEST_S = 1.0
"""From the first save after a start to the kill."""
PATIENCE_S = 60.0
END_S = 15.0
"""Within which what a server has started ends after it."""
VIEWED = "reality"
"""A page that costs little: what is looked at there is what is saved."""


def make(is_short: bool, seed: int) -> Iterator[Tally]:
    """Kill one server again and again."""
    tally = Tally(
        "kill -9 of the server while three people save",
        "every save that the page confirmed is there; store consistent; no process left; pages "
        "come back without an error",
    )
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'store.sqlite3'}"
        with serve(1, {"ISOFLOP_DATABASE_URL": url}) as servers:
            n_kills = N_KILLS_SHORT if is_short else N_KILLS
            complete(_kill(servers, url, tally, random.Random(seed), n_kills))
            tally.require("Traceback" not in servers.logged(), "a traceback in the server's log")
    yield tally


async def _kill(
    servers: Replicas, url: str, tally: Tally, rng: random.Random, n_kills: int
) -> None:
    confirmed: list[str] = []
    is_over = asyncio.Event()
    people = [
        asyncio.create_task(_person(servers.url, str(number), confirmed, tally, is_over))
        for number in range(N_PEOPLE)
    ]
    for _ in range(n_kills):
        await _until_more(confirmed, tally)
        await asyncio.sleep(rng.uniform(0, LONGEST_S))
        await asyncio.to_thread(_kill_one, servers, tally)
        tally.n += 1
        for note in stored.missing(url, list(confirmed)):
            tally.violations.append(f"{note} was confirmed and is not there")
        await asyncio.to_thread(servers.start_again)
    await _until_more(confirmed, tally)
    is_over.set()
    await asyncio.gather(*people)
    tally.counts["saves confirmed"] = len(confirmed)
    tally.violations += stored.faults(url)


async def _until_more(confirmed: list[str], tally: Tally) -> None:
    before, end_s = len(confirmed), time.monotonic() + PATIENCE_S
    while len(confirmed) == before and time.monotonic() < end_s:
        await asyncio.sleep(0.02)
    tally.require(len(confirmed) > before, f"nobody could save within {PATIENCE_S:g} s")


def _kill_one(servers: Replicas, tally: Tally) -> None:
    children = psutil.Process(servers.running[0].pid).children(recursive=True)
    servers.kill()
    tally.counts["processes ended with it"] += len(children)
    _, left = psutil.wait_procs(children, timeout=END_S)
    for process in left:
        tally.violations.append(f"{' '.join(process.cmdline())[:80]} lives on")


async def _person(
    url: str, name: str, confirmed: list[str], tally: Tally, is_over: asyncio.Event
) -> None:
    visitor, number = Person(url), 0
    await visitor.open()
    while not is_over.is_set():
        await visitor.look(VIEWED)
        await visitor.look(WORKSPACES)
        called = f"of {name}, from {number}"
        with suppress(LookupError):  # the server was another one before the page was drawn
            while not is_over.is_set():
                note, number = f"note {name}-{number}", number + 1
                if await visitor.save(called, note):
                    confirmed.append(note)
    tally.counts["reconnections"] += visitor.n_reconnects
    tally.violations += visitor.errors
    await visitor.close()
