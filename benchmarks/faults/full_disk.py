"""A disk that is full: what is refused is said, what was saved stays, and room is all it takes."""

from __future__ import annotations

import os
import random
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.faults import stored
from benchmarks.faults.killed_runs import PATIENCE_S, small_run, start
from benchmarks.faults.person import WORKSPACES, Person
from benchmarks.faults.tally import Tally
from benchmarks.load.replicas import serve
from benchmarks.loop import complete
from isoflop.errors import IsoflopError
from isoflop.people import LOCAL
from isoflop.store import Store
from isoflop.training import queue as queue_module
from isoflop.training.corpus import store_upload
from isoflop.training.ladders import keep_ladder
from isoflop.training.queue import RunQueue
from isoflop.training.runs import Run

N_FULL, N_FULL_SHORT = 15, 2
SIZE_MB = 24
MOST_SAVES = 1000
"""More than fill a disk of this size."""
BODY = {"note": "x" * 20_000}
NOT_HERE = "not tried: a small disk needs the right to mount one"


def make(is_short: bool, seed: int) -> Iterator[Tally]:
    """Fill a small disk below a store, below runs, and below a server."""
    rng, n_full = random.Random(seed), N_FULL_SHORT if is_short else N_FULL
    yield from _of_store(n_full, rng)
    yield from _of_runs(max(1, n_full // 5), rng)
    yield from _of_server()


class Disk:
    """A small disk.

    Parameters
    ----------
    folder : Path
        Where it is mounted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self, *, but_bytes: int = 0) -> None:
        """Leave so many bytes free."""
        self.empty()
        free = os.statvfs(self.folder)
        n_bytes = max(0, free.f_bavail * free.f_frsize - but_bytes)
        with self._filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, n_bytes))

    def empty(self) -> None:
        """Make room again."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def small_disk() -> Iterator[Disk | None]:
    """Mount a small disk; None where that is not allowed."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", folder]
        is_there = subprocess.run(command, capture_output=True, check=False).returncode == 0
        try:
            yield Disk(Path(folder)) if is_there else None
        finally:
            if is_there:
                # Lazily: a worker that waits for runs has its log there.
                subprocess.run(["umount", "--lazy", folder], check=True)


def _of_store(n_full: int, rng: random.Random) -> Iterator[Tally]:
    tally = Tally(
        "disk full while documents are saved",
        "a clear error; every confirmed version is there; store consistent; saving works again "
        "without a restart",
    )
    for number in range(n_full):
        # Anew each time: a store that was full once has room within its own file.
        with small_disk() as disk:
            if disk is None:
                tally.note = NOT_HERE
                break
            url = f"sqlite:///{disk.folder / 'store.sqlite3'}"
            store = Store(url)
            fill_below(store, url, disk, number, tally, rng)
            store.close()
    yield tally


def fill_below(
    store: Store, url: str, disk: Disk, number: int, tally: Tally, rng: random.Random
) -> None:
    """Save until the disk refuses, make room, and save again."""
    mine, confirmed = store.of(LOCAL), []
    disk.fill(but_bytes=rng.randrange(600_000))
    tally.n += 1
    for save in range(MOST_SAVES):
        note = f"{number}-{save}"
        try:
            # Under ever new names: of one document the oldest of many versions are let go.
            mine.put("scenario", f"of fill {number}, {save // 20}", {**BODY, "note": note})
        except IsoflopError:
            tally.counts["saves refused"] += 1
            break
        confirmed.append(note)
    else:
        tally.violations.append("the disk did not become full")
    disk.empty()
    mine.put("scenario", f"of fill {number}", {"note": f"{number}-after"})
    tally.counts["saves confirmed"] += len(confirmed)
    gone = stored.missing(url, confirmed[-40:])  # the oldest of many versions are let go
    tally.violations += [f"{note} was confirmed and is not there" for note in gone]
    tally.violations += stored.faults(url)


def _of_runs(n_full: int, rng: random.Random) -> Iterator[Tally]:
    tally = Tally(
        "disk full while runs are trained and asked for",
        "whatever a person asks for is done or refused clearly; the run says why it ended; no "
        "logged step is lost; with room it goes on to its end",
    )
    with small_disk() as disk:
        if disk is None:
            tally.note = NOT_HERE
        else:
            held = queue_module.MIN_FREE_BYTES
            queue_module.MIN_FREE_BYTES = 0  # the check beforehand would refuse so small a disk
            try:
                for _ in range(n_full):
                    tally.n += 1
                    _one_run(disk, tally, rng)
            finally:
                queue_module.MIN_FREE_BYTES = held
    yield tally


def _one_run(disk: Disk, tally: Tally, rng: random.Random) -> None:
    root = disk.folder / f"runs-{tally.n}"
    config = small_run(root, token_budgets=(4096, 40_000))
    queue = RunQueue(root)
    [run] = queue.submit([config])
    worker = start(root)
    disk.fill(but_bytes=rng.randrange(0, 200_000))
    _ask_for_all(queue, run, tally)
    worker.wait(PATIENCE_S)
    logged = run.records_path.read_bytes() if run.records_path.exists() else b""
    state = run.state()
    tally.counts[f"runs {state.status}"] += 1
    said = f"{state.message} {state.detail}".lower()
    if state.status in ("failed", "crashed"):
        tally.require("disk" in said or "space" in said, f"the run says: {state.message}")
    disk.empty()
    queue.resume([run])
    start(root).wait(PATIENCE_S)
    tally.require(run.state().status == "finished", f"with room the run is {run.state()}")
    tally.require(run.records_path.read_bytes().startswith(logged), "a logged step is lost")


def _ask_for_all(queue: RunQueue, run: Run, tally: Tally) -> None:
    other = small_text()
    asked: dict[str, Callable[[], object]] = {
        "queue a run": lambda: queue.submit([run.config()]),
        "stop": lambda: queue.stop([]),
        "share": lambda: queue.share([run], "team", "viewer"),
        "name a ladder": lambda: keep_ladder(queue.root, [run], title="a ladder"),
        "upload a text": lambda: store_upload(
            other, name="other.txt", uploads=queue.root / "uploads"
        ),
        "start a worker": queue.ensure_ready,
    }
    for name, ask in asked.items():
        done_or_refused(name, ask, tally)
    for worker in queue.workers():
        worker.kill_group()


def small_text() -> bytes:
    """Return a text of a corpus's least size."""
    return b"".join(b"line %d of another text\n" % number for number in range(60_000))


def done_or_refused(name: str, ask: Callable[[], object], tally: Tally) -> None:
    """Ask for something that may be refused, but clearly."""
    try:
        ask()
        tally.counts["requests done"] += 1
    except IsoflopError:
        tally.counts["requests refused"] += 1
    except Exception as error:
        tally.violations.append(f"{name}: {type(error).__name__}: {error}")


def _of_server() -> Iterator[Tally]:
    tally = Tally(
        "disk full below a server",
        "pages open; saving and training are refused by a message, never as unexpected; with room "
        "saving works without a restart",
    )
    with small_disk() as disk:
        if disk is None:
            tally.note = NOT_HERE
        else:
            settings = {
                "XDG_DATA_HOME": str(disk.folder / "data"),
                "ISOFLOP_RUNS_FOLDER": str(disk.folder / "runs"),
                "ISOFLOP_READY_WORKER": "on",
            }
            with serve(1, settings) as servers:
                complete(_visit(servers.url, disk, tally))
                tally.require("Traceback" not in servers.logged(), "a traceback in the log")
    yield tally


async def _visit(url: str, disk: Disk, tally: Tally) -> None:
    visitor = Person(url)
    await visitor.open()
    await visitor.look("reality")
    await visitor.look(WORKSPACES)
    disk.fill()
    tally.n += 1
    is_saved = await visitor.save("kept", BODY["note"][:9000])
    said = " ".join(visitor.texts)
    tally.require(is_saved or "disk" in said or "written" in said, f"the page says: {said[:200]}")
    tally.counts["saves refused"] += not is_saved
    for page in ("", "plan", "train", WORKSPACES):
        await visitor.look(page)
        tally.counts["pages opened"] += 1
    disk.empty()
    await visitor.look("reality")
    await visitor.look(WORKSPACES)
    tally.require(await visitor.save("kept", "with room"), f"with room: {visitor.texts}")
    tally.violations += visitor.errors
    await visitor.close()
