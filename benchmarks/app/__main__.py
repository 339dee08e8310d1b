"""Measure the app: ``python -m benchmarks.app``. Needs Chromium.

The app and what it is compared with take turns, so that other load on the machine meets both.
Medians; wall times need an idle machine, CPU times do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from playwright.sync_api import Page

from benchmarks import measured
from benchmarks.app.browser import browser_cpu_s, move, open_page, settle, slider
from benchmarks.app.moves import moves, opening, pages, tabs
from benchmarks.app.server import REPOSITORY, Server, serve
from benchmarks.loop import complete
from benchmarks.measured import Measured, Row

HERE = Path(__file__).parent
APP = REPOSITORY / "app.py"
STEPS = 17
"""Moves from one end of the slider, which has 21 stops, towards the other."""
SLIDERS = (("", "Explore", 0.045, 30.0, 45.0), ("plan", "Plan", 0.09, None, None))
"""Pages with a slider of time: address, title, and the most CPU seconds, messages and KB a move."""

PEER = "the least of Streamlit"

Sample = dict[str, list[float]]


def measure_starts(repeats: int) -> dict[str, Sample]:
    """Start each app some times; return wall and CPU seconds to healthy."""
    scripts = {"app": APP, "floor": HERE / "empty.py"}
    samples: dict[str, Sample] = {name: {"wall": [], "cpu": []} for name in scripts}
    for repeat in range(repeats + 1):
        for name, script in scripts.items():
            with serve(script) as server:
                if repeat:  # the first one fills the file system's cache
                    samples[name]["wall"].append(server.start_wall_s)
                    samples[name]["cpu"].append(server.start_cpu_s)
    return samples


def measure_first_visits(repeats: int) -> dict[str, list[float]]:
    """Open the front page of servers that have just started; return seconds to the first chart."""
    samples: dict[str, list[float]] = {"app": [], "floor": []}
    for repeat in range(repeats + 1):
        for name, script in {"app": APP, "floor": HERE / "bare.py"}.items():
            with serve(script) as server, open_page(server) as (_page, drawn_s):
                if repeat:  # the first one compiles modules and keeps fits
                    samples[name].append(drawn_s)
    return samples


def measure_slider(repeats: int) -> dict[str, Sample]:
    """Move a slider over new values; return seconds to the redrawn chart and CPU seconds."""
    samples: dict[str, Sample] = {}
    with serve(APP) as app, serve(HERE / "bare.py") as bare:
        for name, server, *labels in (
            ("app", app, "Time", "Accelerators"),
            ("floor", bare, "Days"),
        ):
            with open_page(server) as (page, _drawn_s):
                server.rest()
                samples[name] = _moves(page, server, labels, repeats)
    return samples


def _moves(page: Page, server: Server, labels: Sequence[str], repeats: int) -> Sample:
    """Move the first slider to the right, from its start again and again.

    Another slider moves before each pass, where there is one, so that every value is new.
    """
    handle, *others = (slider(page, label) for label in labels)
    walls_s: list[float] = []
    server_cpu_s = browser_cpu = 0.0
    while len(walls_s) < repeats:
        for other in others:
            other.press("ArrowLeft")
        handle.press("Home")
        settle(page)
        move(page, handle, "ArrowRight")
        # Processor time is counted in steps of 10 ms: too coarse for one move, not for all of them.
        server_s, browser_s = server.cpu_s(), browser_cpu_s()
        steps = range(min(STEPS, repeats - len(walls_s)))
        walls_s += [move(page, handle, "ArrowRight") for _ in steps]
        server_cpu_s += server.cpu_s() - server_s
        browser_cpu += browser_cpu_s() - browser_s
    return {
        "wall": walls_s,
        "server": [server_cpu_s / repeats],
        "browser": [browser_cpu / repeats],
    }


def measure(is_short: bool) -> Iterator[Measured]:
    """Yield starts, slider moves and first visits against the least that Streamlit can do."""
    repeats = 1 if is_short else 5
    starts = measure_starts(repeats)
    yield _row("start to healthy, wall", "s", starts, "wall", 1.5)
    yield _row("start to healthy, CPU", "CPU s", starts, "cpu", 1.5)
    slides = measure_slider(3 if is_short else 50)
    yield _row("slider to redrawn chart, p50", "s", slides, "wall", 1.5)
    yield _row("slider to redrawn chart, p95", "s", slides, "wall", 1.5, percentile=95)
    yield _row("slider to redrawn chart, server", "CPU s", slides, "server", 1.5)
    yield _row("slider to redrawn chart, browser", "CPU s", slides, "browser", 2.0)
    visits = {name: {"wall": found} for name, found in measure_first_visits(repeats).items()}
    yield _row("first visit to chart", "s", visits, "wall", 1.3)
    with serve(APP) as app:
        yield from _costs(app, is_short=is_short)


def _costs(app: Server, *, is_short: bool) -> Iterator[Row]:
    """Yield what moves and openings cost the server, and what they send."""
    for page, title, cpu_s, n_messages, n_kb in SLIDERS:
        cost = complete(moves(app, page, "_time.slider", 2 if is_short else 18))
        task = f"slider of {title}"
        yield Row(task=f"{task}, server", value=cost.cpu_s, unit="CPU s", at_most=cpu_s)
        yield Row(task=task, value=cost.n_messages, unit="messages", at_most=n_messages)
        yield Row(task=task, value=cost.n_bytes / 1e3, unit="KB", at_most=n_kb)
        yield Row(task=task, value=cost.n_parts, unit="parts redrawn")
    titles = pages()
    for page, title in [] if is_short else titles.items():
        complete(opening(app, page))
        cost = complete(opening(app, page))
        yield Row(task=f"{title}, opened warm", value=cost.cpu_s, unit="CPU s", at_most=1.0)
    for page, query, name in [] if is_short else tabs():
        cost = complete(opening(app, page, query))
        task = f"{titles[page]}, {name}: first opening"
        yield Row(task=task, value=cost.cpu_s, unit="CPU s", at_most=1.5)


def _row(
    task: str,
    unit: str,
    samples: dict[str, Sample],
    key: str,
    at_most: float,
    *,
    percentile: float = 50,
) -> Row:
    ours, least = (
        float(np.percentile(samples[name][key], percentile)) for name in ("app", "floor")
    )
    return Row(task=task, value=ours, unit=unit, peer=PEER, peer_value=least, at_most=at_most)


if __name__ == "__main__":
    measured.main(measure)
