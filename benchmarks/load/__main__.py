"""Measure the app under many people: ``python -m benchmarks.load``; on an idle machine.

Of it, ``--phases calm heavy replicas`` runs some, each for ``--minutes 2``, with ``--people 20``.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from benchmarks import measured
from benchmarks.load.people import Watch, crowd
from benchmarks.load.replicas import serve
from benchmarks.loop import complete
from benchmarks.measured import Measured, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One thing to hold out.

    Parameters
    ----------
    task : str
    n_people, n_servers : int
    n_heavy_rows : int
        Rows of the table that one more person works on; 0 for nobody.
    is_killed : bool
        Whether a server is killed half-way.
    p95_s : float
        The target.
    """

    task: str
    n_people: int
    n_servers: int = 1
    n_heavy_rows: int = 0
    is_killed: bool = False
    p95_s: float


PHASES = {
    "calm": Phase(task="50 people, one server", n_people=50, p95_s=1.0),
    "heavy": Phase(
        task="50 people, one server, heavy work beside",
        n_people=50,
        n_heavy_rows=1_000_000,
        p95_s=2.0,
    ),
    "replicas": Phase(
        task="100 people, two servers, one killed",
        n_people=100,
        n_servers=2,
        n_heavy_rows=100_000,
        is_killed=True,
        p95_s=1.0,
    ),
}
MINUTES = 10.0
"""Of each phase, as the targets say."""
SHORT_PEOPLE, SHORT_S, SHORT_ROWS = 3, 8.0, 20_000


def run(phase: Phase, *, n_people: int, seconds: float, n_heavy_rows: int) -> tuple[Watch, str]:
    """Run one phase; return what was seen, and the servers' logs."""
    with serve(phase.n_servers) as servers:
        watch = complete(
            crowd(
                servers.url,
                servers.processes,
                n_people=n_people,
                seconds=seconds,
                n_heavy_rows=n_heavy_rows,
                at_half=servers.kill_one if phase.is_killed else None,
            )
        )
        return watch, servers.logged()


def measure(
    is_short: bool,
    *,
    names: tuple[str, ...] = tuple(PHASES),
    minutes: float = MINUTES,
    people: int = 0,
) -> Iterator[Measured]:
    """Run the phases; the short version has few people for seconds, and no figure to keep.

    Raises
    ------
    RuntimeError
        If anything went wrong for anybody.
    """
    for name in names:
        phase = PHASES[name]
        if phase.n_servers > 1 and shutil.which("caddy") is None:
            print(f"{phase.task}: not run, as Caddy is not installed", flush=True)
            continue
        n_people = SHORT_PEOPLE if is_short else people or phase.n_people
        seconds = SHORT_S if is_short else 60 * minutes
        n_rows = min(phase.n_heavy_rows, SHORT_ROWS) if is_short else phase.n_heavy_rows
        watch, log = run(phase, n_people=n_people, seconds=seconds, n_heavy_rows=n_rows)
        if watch.errors or "Traceback" in log:
            raise RuntimeError(f"{phase.task}: {watch.faults()}\n{log[-4000:]}")
        if n_people != phase.n_people:
            phase = replace(
                phase, task=phase.task.replace(f"{phase.n_people} people", f"{n_people} people")
            )
        yield from _rows(phase, watch, seconds / 60)


def _rows(phase: Phase, watch: Watch, minutes: float) -> Iterator[Row]:
    moves = watch.moves
    yield Row(
        task=f"{phase.task}: a move, 95th percentile",
        value=watch.percentile(0.95),
        unit="s",
        at_most=phase.p95_s,
        note=f"median {watch.percentile(0.5):.3f} s of {len(moves):,} moves, {minutes:.3g} min",
    )
    if phase.is_killed:
        yield Row(task=f"{phase.task}: reloads", value=watch.n_reconnects, unit="reloads")
    yield Row(
        task=f"{phase.task}: a move, messages",
        value=sum(move.n_messages for move in moves) / len(moves),
        unit="messages",
        at_most=30,
        note=f"{sum(move.n_bytes for move in moves) / len(moves) / 1e3:.1f} KB each",
    )
    if not phase.is_killed:  # one that is started again takes its time for that
        yield Row(
            task=f"{phase.task}: a move, server CPU",
            value=watch.cpu_s / len(moves),
            unit="CPU s",
            note="with what the person with heavy work asks for" if watch.heavy else "",
        )
    yield Row(
        task=f"{phase.task}: memory of the servers",
        value=max(value for _, value in watch.rss_bytes) / 1e6,
        unit="MB",
        note=f"grew by {watch.growth_bytes() / 1e6:+.0f} MB from the second third to the last",
    )
    for what in dict.fromkeys(what for what, _ in watch.heavy):
        times = [seconds for name, seconds in watch.heavy if name == what]
        yield Row(
            task=f"{phase.task}: {what}",
            value=max(times),
            unit="s",
            note=f"longest of {len(times)}",
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--phases", nargs="+", choices=list(PHASES), default=list(PHASES))
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--people", type=int, default=0)
    own, sys.argv[1:] = parser.parse_known_args()
    measured.main(partial(measure, names=tuple(own.phases), minutes=own.minutes, people=own.people))
