"""What people do at once, and what they had to wait for it."""

from __future__ import annotations

import asyncio
import io
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.csv

from benchmarks.load.replicas import SECRET
from benchmarks.load.visitor import Move, Visitor

SLIDERS = ("_time.slider", "_count.slider")
"""Those of the budget: each place of the two together is a plan of its own."""

THINK_S = (1.5, 4.5)
"""Shortest and longest time between two moves of one person."""
ARRIVE_EVERY_S = 0.2
POLL_S = 0.1
N_DRAWS = "4000"
"""Resamples of the person with heavy work: the most that the page offers."""


@dataclass(slots=True)
class Watch:
    """What was seen while people were at it.

    Parameters
    ----------
    moves, openings : list of Move
    errors : list of str
    rss_bytes : list of (float, float)
        Seconds since the start, and the memory of the server's processes without jobs.
    heavy : list of (str, float)
        What was done beside, and the seconds until its result was on the page.
    n_reconnects : int
    known : set of str
        Ids that the servers gave the visitors: each is a person of its own.
    cpu_s : float
        What the servers used, without jobs; they serve the person with heavy work, too.
    """

    moves: list[Move] = field(default_factory=list)
    openings: list[Move] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    rss_bytes: list[tuple[float, float]] = field(default_factory=list)
    heavy: list[tuple[str, float]] = field(default_factory=list)
    n_reconnects: int = 0
    known: set[str] = field(default_factory=set)
    cpu_s: float = 0.0

    def meet(self, visitor: Visitor) -> None:
        """Note who a visitor is; one without a cookie, or with another's, is an error."""
        found = visitor.known_as(SECRET)
        if found is None or found.id in self.known:
            self.errors.append("a visitor is nobody, or somebody else")
        else:
            self.known.add(found.id)

    def percentile(self, share: float) -> float:
        """Return the seconds within which this share of the moves ended."""
        return float(np.quantile([move.wall_s for move in self.moves], share))

    def growth_bytes(self) -> float:
        """Return how much memory grew from the first third to the last, medians."""
        values = [value for _, value in self.rss_bytes]
        third = max(1, len(values) // 3)
        return float(np.median(values[-third:]) - np.median(values[third : 2 * third]))

    def faults(self) -> str:
        """Return the errors in words, with how often each came."""
        return "; ".join(f"{n} x {text}" for text, n in Counter(self.errors).most_common(5))


async def person(url: str, seed: int, watch: Watch, until_s: Callable[[], bool]) -> None:
    """Open the front page, then move its sliders with pauses until it is time to go."""
    rng = random.Random(seed)
    visitor = Visitor(url)
    try:
        watch.openings.append(await visitor.open())
        watch.meet(visitor)
        while not until_s():
            await asyncio.sleep(rng.uniform(*THINK_S))
            name = visitor.find("slider", rng.choice(SLIDERS))
            widget = visitor.widgets[name]  # a page without it is an error
            visitor.settle(name, "string_array_value", [rng.choice(list(widget.element.options))])
            watch.moves.append(await visitor.rerun(widget.fragment))
    except Exception as error:
        watch.errors.append(f"{type(error).__name__}: {error}"[:200])
    finally:
        watch.errors += visitor.errors
        watch.n_reconnects += visitor.n_reconnects
        await visitor.close()


async def heavy_person(url: str, n_rows: int, watch: Watch, until_s: Callable[[], bool]) -> None:
    """Upload a large table, then ask for the largest bootstrap of it; again with other rows."""
    seed = 0
    while not until_s():
        visitor = Visitor(url, query="objective=huber_log")  # has the fit options drawn
        try:
            await visitor.open()
            watch.meet(visitor)
            content = await asyncio.to_thread(table, n_rows, seed)
            begin = time.perf_counter()
            await visitor.upload("large.csv", content)
            while visitor.is_waiting():  # its laws are fitted by a job
                await asyncio.sleep(POLL_S)
            watch.heavy.append(("upload to answer", time.perf_counter() - begin))
            name = visitor.find("button_group", "bootstrap")
            begin = time.perf_counter()
            visitor.settle(name, "string_array_value", [N_DRAWS])
            await visitor.rerun()
            while visitor.is_waiting() and not until_s():
                await asyncio.sleep(POLL_S)
            if not until_s():
                watch.heavy.append((f"{N_DRAWS} resamples", time.perf_counter() - begin))
        except Exception as error:
            watch.errors.append(f"heavy: {type(error).__name__}: {error}"[:200])
        finally:
            watch.errors += [f"heavy: {text}" for text in visitor.errors]
            await visitor.close()
        seed += 1


def table(n_rows: int, seed: int) -> bytes:
    """Return a CSV of simulated runs."""
    rng = np.random.default_rng(seed)
    params, tokens = 10 ** rng.uniform(7, 10, n_rows), 10 ** rng.uniform(8, 12, n_rows)
    loss = 1.7 + 400 / params**0.34 + 410 / tokens**0.28
    loss *= np.exp(rng.normal(0, 0.003, n_rows))
    columns = {"N": np.round(params), "D": np.round(tokens), "loss": np.round(loss, 6)}
    file = io.BytesIO()
    pyarrow.csv.write_csv(pa.table(columns), file)
    return file.getvalue()


async def crowd(
    url: str,
    processes: list[psutil.Process],
    *,
    n_people: int,
    seconds: float,
    n_heavy_rows: int = 0,
    at_half: Callable[[], Any] | None = None,
) -> Watch:
    """Let people come one after the other and use the app for a while.

    Parameters
    ----------
    url : str
    processes : list of psutil.Process
        The servers, whose memory is watched.
    n_people : int
    seconds : float
        From when the last one's page has been drawn.
    n_heavy_rows : int
        Rows of the table of one more person, who has heavy work done; 0 for nobody.
    at_half : callable, optional
        Called after half of the time.
    """
    watch = Watch()
    end_s = float("inf")

    def is_over() -> bool:
        return time.perf_counter() > end_s

    tasks = []
    for seed in range(n_people):
        tasks.append(asyncio.create_task(person(url, seed, watch, is_over)))
        await asyncio.sleep(ARRIVE_EVERY_S)
    while len(watch.openings) + len(watch.errors) < n_people:
        await asyncio.sleep(0.1)
    watch.moves.clear()  # those during the arrival
    end_s = time.perf_counter() + seconds
    if n_heavy_rows:
        tasks.append(asyncio.create_task(heavy_person(url, n_heavy_rows, watch, is_over)))
    tasks.append(asyncio.create_task(_sample(processes, watch, is_over)))
    if at_half is not None:
        await asyncio.sleep(seconds / 2)
        at_half()
    await asyncio.gather(*tasks)
    return watch


async def _sample(
    processes: list[psutil.Process], watch: Watch, is_over: Callable[[], bool]
) -> None:
    begin = time.perf_counter()
    first_s = {process: _cpu_s(process) for process in processes}
    last_s = dict(first_s)
    while not is_over():
        total = 0.0
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
                last_s[process] = _cpu_s(process)
        watch.rss_bytes.append((time.perf_counter() - begin, total))
        await asyncio.sleep(1)
    watch.cpu_s = sum(last_s[process] - first_s[process] for process in processes)


def _cpu_s(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)
