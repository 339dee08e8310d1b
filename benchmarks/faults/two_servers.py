"""Two servers on one store, people on both who save the same workspace: no version is lost."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.faults import postgres, stored
from benchmarks.faults.person import WORKSPACES, Person
from benchmarks.faults.tally import Tally
from benchmarks.load.replicas import serve
from benchmarks.loop import complete
from isoflop.people import LOCAL
from isoflop.store import Store
from isoflop.workspace import KIND, Workspace, to_body

N_ROUNDS, N_ROUNDS_SHORT = 8, 2
"""Of saves, of each person."""
N_PEOPLE_EACH = 2
PAUSE_S = 0.5
CHECKED = (
    "who was second is told; every confirmed save is a version; none is there twice; store "
    "consistent"
)


def make(is_short: bool, seed: int) -> Iterator[Tally]:
    """Let people write on SQLite, then on PostgreSQL."""
    n_rounds = N_ROUNDS_SHORT if is_short else N_ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'store.sqlite3'}"
        yield _shared(url, "two servers on one SQLite file", n_rounds, seed)
    if is_short:
        return
    with _postgres_url() as given:
        fault = "two servers on one PostgreSQL"
        if given is None:
            yield Tally(fault, CHECKED, note="not tried: PostgreSQL is not installed")
        else:
            yield _shared(given, fault, n_rounds, seed)


@contextmanager
def _postgres_url() -> Iterator[str | None]:
    if postgres.programs() is None:
        yield None
        return
    with postgres.serve() as server:
        yield server.url


def _shared(url: str, fault: str, n_rounds: int, seed: int) -> Tally:
    tally = Tally(fault, CHECKED)
    store = Store(url)
    workspace = Workspace(page="reality", views={"reality": {}})
    document = store.of(LOCAL).put(KIND, "ours", to_body(workspace)).id
    settings = {"ISOFLOP_DATABASE_URL": url, "ISOFLOP_IDENTITY": "local"}
    with serve(2, settings, is_proxied=False) as servers:
        urls = [servers.url_of(index) for index in (0, 1)] * N_PEOPLE_EACH
        confirmed = complete(_all_write(urls, document, tally, n_rounds, seed))
        tally.require("Traceback" not in servers.logged(), "a traceback in a server's log")
    check(url, confirmed, store.of(LOCAL).open(document).version, tally)
    store.close()
    return tally


def check(url: str, confirmed: list[str], version: int, tally: Tally) -> None:
    """Note what was confirmed and is no version, and what is a version and was not saved."""
    tally.counts["saves confirmed"] = len(confirmed)
    gone = stored.missing(url, confirmed)
    tally.violations += [f"{note} was confirmed and is not there" for note in gone]
    said = f"{len(confirmed)} saves were confirmed, and the version is {version}"
    tally.require(version == 1 + len(confirmed), said)
    tally.violations += stored.faults(url)


async def _all_write(
    urls: list[str], document: str, tally: Tally, n_rounds: int, seed: int
) -> list[str]:
    written = await asyncio.gather(
        *(
            _write(url, f"{number}", document, tally, n_rounds, random.Random(seed + number))
            for number, url in enumerate(urls)
        )
    )
    return [note for notes in written for note in notes]


async def _write(
    url: str, name: str, document: str, tally: Tally, n_rounds: int, rng: random.Random
) -> list[str]:
    """Open the workspace and save it; after a conflict, open it again."""
    person, confirmed = Person(url), []
    await person.open()
    is_open = False
    for number in range(n_rounds):
        if not is_open:
            await person.look("", f"w={document}")
            await person.rerun()  # of the page that the link leads to
            await person.look(WORKSPACES)
            is_open = True
        await asyncio.sleep(rng.uniform(0, PAUSE_S))
        note = f"{name}-{number}"
        tally.n += 1
        if await person.save("ours", note):
            confirmed.append(note)
            continue
        is_told = any("after you opened it" in text for text in person.texts)
        tally.require(is_told, f"{note} was refused with {person.texts}")
        tally.counts["told that another was first"] += is_told
        is_open = False
    tally.violations += person.errors
    await person.close()
    return confirmed
