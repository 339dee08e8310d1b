"""The database gone and back, frozen, and locked, under people who read and save."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults import postgres, stored
from benchmarks.faults.person import WORKSPACES, Person
from benchmarks.faults.postgres import Postgres
from benchmarks.faults.tally import Tally
from benchmarks.load.replicas import serve
from benchmarks.loop import complete
from isoflop.errors import ConflictError, StoreError
from isoflop.people import Actor
from isoflop.store import Store

N_TIMES, N_TIMES_SHORT = 3, 1
N_WRITERS = 4
MOST_S = 25.0
"""A request that takes longer than this has hung; those of a busy machine take longer than ours."""
LONGEST_FAULT_S, LONGEST_FAULT_SHORT_S = 12.0, 4.0
SHORTEST_FAULT_S = 2.0
CALM_S = 1.0
CHECKED = (
    "each request ends with what was asked or a clear error, within 25 s; every confirmed save is "
    "there; store consistent; it works again without a restart"
)
NOT_HERE = "not tried: PostgreSQL is not installed"


@dataclass(slots=True)
class Work:
    """What writers did, as they saw it."""

    confirmed: list[str] = field(default_factory=list)
    refused: int = 0
    wrong: list[str] = field(default_factory=list)
    longest_s: float = 0.0


def make(is_short: bool, seed: int) -> Iterator[Tally]:
    """Make each fault of a database a few times."""
    rng, n_times = random.Random(seed), N_TIMES_SHORT if is_short else N_TIMES
    longest_s = LONGEST_FAULT_SHORT_S if is_short else LONGEST_FAULT_S
    lengths_s = [rng.uniform(SHORTEST_FAULT_S, longest_s) for _ in range(n_times)]
    yield _locked(lengths_s)
    if postgres.programs() is None:
        yield Tally("PostgreSQL gone and back, frozen", CHECKED, note=NOT_HERE)
        return
    with postgres.serve() as server:
        gone, frozen = (server.stop, server.start), (server.freeze, server.thaw)
        yield _faulty(server, "PostgreSQL gone and back", *gone, lengths_s)
        yield _faulty(server, "PostgreSQL frozen", *frozen, lengths_s)
        yield _pages(server, [frozen] if is_short else [frozen, gone] * n_times)


def _locked(lengths_s: list[float]) -> Tally:
    tally = Tally("SQLite locked by another program", CHECKED)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.sqlite3"
        url = f"sqlite:///{path}"
        with _writers(url) as work:
            for length_s in lengths_s:
                time.sleep(CALM_S)
                tally.n += 1
                other = sqlite3.connect(path, isolation_level=None, timeout=30)
                other.execute("BEGIN EXCLUSIVE")
                time.sleep(length_s)
                other.close()
            _await_more(work, tally)
        check(work, url, tally)
    return tally


def _faulty(
    server: Postgres,
    fault: str,
    begin: Callable[[], object],
    end: Callable[[], object],
    lengths_s: list[float],
) -> Tally:
    tally = Tally(fault, CHECKED)
    with _writers(server.url) as work:
        for length_s in lengths_s:
            time.sleep(CALM_S)
            tally.n += 1
            begin()
            time.sleep(length_s)
            end()
            _await_more(work, tally)
    check(work, server.url, tally)
    return tally


@contextmanager
def _writers(url: str) -> Iterator[Work]:
    """Let several threads of one store read and save until the block ends."""
    work, is_over, store = Work(), threading.Event(), Store(url)
    threads = [
        threading.Thread(target=write, args=(store, number, work, is_over))
        for number in range(N_WRITERS)
    ]
    for thread in threads:
        thread.start()
    try:
        yield work
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
        store.close()


def write(store: Store, number: int, work: Work, is_over: threading.Event) -> None:
    """Save a document again and again, and read it."""
    actor = Actor(id=f"browser:{number}", roles=frozenset({"viewer", "editor"}))
    mine, save = store.of(actor), 0
    while not is_over.is_set():
        note, save = f"{number}-{save}", save + 1
        begin_s = time.monotonic()
        try:
            # Each of a few names has fewer versions than are kept.
            mine.put("scenario", f"{save // 40}", {"note": note})
            work.confirmed.append(note)
            mine.get("scenario", f"{save // 40}")
        except ConflictError as error:
            work.wrong.append(f"a conflict where there is one writer: {error}")
        except StoreError:
            work.refused += 1
        except Exception as error:
            work.wrong.append(f"{type(error).__name__}: {error}")
        work.longest_s = max(work.longest_s, time.monotonic() - begin_s)
        is_over.wait(0.02)


def _await_more(work: Work, tally: Tally) -> None:
    """Wait until something is saved again."""
    before, end_s = len(work.confirmed), time.monotonic() + MOST_S
    while len(work.confirmed) == before and time.monotonic() < end_s:
        time.sleep(0.02)
    tally.require(len(work.confirmed) > before, f"nothing could be saved for {MOST_S:g} s")


def check(work: Work, url: str, tally: Tally) -> None:
    """Note what did not hold of what writers did."""
    tally.counts["saves confirmed"] += len(work.confirmed)
    tally.counts["requests refused"] += work.refused
    tally.counts["s the longest request took"] = round(work.longest_s)
    tally.require(work.longest_s <= MOST_S, f"a request took {work.longest_s:.0f} s")
    tally.violations += work.wrong
    gone = stored.missing(url, work.confirmed)
    tally.violations += [f"{note} was confirmed and is not there" for note in gone]
    tally.violations += stored.faults(url)


# --- Below real pages


Fault = tuple[Callable[[], object], Callable[[], object]]
"""What begins it, and what ends it."""


def _pages(server: Postgres, faults: list[Fault]) -> Tally:
    tally = Tally(
        "PostgreSQL frozen, then gone, below a real server",
        "pages that ask for what is saved say that they cannot, within 25 s; sliders of others "
        "move meanwhile; saving works again without a restart",
    )
    settings = {"ISOFLOP_DATABASE_URL": server.url, "ISOFLOP_READY_WORKER": "off"}
    with serve(1, settings) as servers:
        complete(_visit(servers.url, faults, tally))
        tally.require("Traceback" not in servers.logged(), "a traceback in the server's log")
    return tally


async def _visit(url: str, faults: list[Fault], tally: Tally) -> None:
    anna, ben = Person(url), Person(url)
    await anna.open()
    await ben.open()
    for begin, end in faults:
        await _saves(anna, f"before {tally.n}", tally)
        await asyncio.to_thread(begin)
        tally.n += 1
        await _looks_while_it_fails(anna, ben, tally)
        await asyncio.to_thread(end)
        await _saves(anna, f"after {tally.n}", tally)
    for one in (anna, ben):
        tally.violations += one.errors
        await one.close()


async def _saves(person: Person, note: str, tally: Tally) -> None:
    """Save, again while the database is left alone that was silent."""
    end_s = time.monotonic() + MOST_S
    while time.monotonic() < end_s:
        await person.look("reality")
        await person.look(WORKSPACES)
        with suppress(LookupError):  # the page has no form, as it cannot ask for what is saved
            if await person.save("a workspace", note):
                tally.counts["saves confirmed"] += 1
                return
        await asyncio.sleep(0.5)
    tally.violations.append(f"{note}: not saved: {person.texts}")


async def _looks_while_it_fails(anna: Person, ben: Person, tally: Tally) -> None:
    begin_s = time.monotonic()
    looking = asyncio.create_task(anna.look(WORKSPACES))
    while not looking.done():
        name = ben.find("slider", "_time.slider")
        widget = ben.widgets[name]
        ben.settle(name, "string_array_value", [random.choice(list(widget.element.options))])
        move = await ben.rerun(widget.fragment)
        tally.counts["sliders moved meanwhile"] += 1
        tally.require(move.wall_s < MOST_S, f"a slider took {move.wall_s:.0f} s")
        await asyncio.sleep(0.2)
    took_s = time.monotonic() - begin_s
    tally.require(took_s < MOST_S, f"the page took {took_s:.0f} s")
    said = " ".join(anna.texts)
    tally.require("cannot be" in said, f"the page says: {said[:200]}")
    tally.counts["pages that said so"] += "cannot be" in said
