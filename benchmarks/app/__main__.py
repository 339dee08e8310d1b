"""Measure the app: ``python -m benchmarks.app``. Needs Chromium; the target is 1.5 for each ratio.

The app and what it is compared with take turns, so that other load on the machine meets both.
Medians; wall times need an idle machine, CPU times do not.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from playwright.sync_api import Page

from benchmarks.app.browser import browser_cpu_s, move, open_page, settle, slider
from benchmarks.app.server import REPOSITORY, Server, serve

HERE = Path(__file__).parent
APP = REPOSITORY / "app.py"
TARGET = 1.5

Sample = dict[str, list[float]]


def measure_starts(port: int, repeats: int) -> dict[str, Sample]:
    """Start each app some times; return wall and CPU seconds to healthy."""
    scripts = {"app": APP, "floor": HERE / "empty.py"}
    samples: dict[str, Sample] = {name: {"wall": [], "cpu": []} for name in scripts}
    for repeat in range(repeats + 1):
        for name, script in scripts.items():
            with serve(script, port) as server:
                if repeat:  # the first one fills the file system's cache
                    samples[name]["wall"].append(server.start_wall_s)
                    samples[name]["cpu"].append(server.start_cpu_s)
    return samples


def measure_slider(port: int, repeats: int) -> dict[str, Sample]:
    """Move a slider over new values; return seconds to the redrawn chart and CPU seconds."""
    samples: dict[str, Sample] = {}
    with serve(APP, port) as app, serve(HERE / "bare.py", port + 1) as bare:
        for name, server, label in (("app", app, "Time"), ("floor", bare, "Days")):
            with open_page(server) as (page, drawn_s):
                samples[name] = _moves(page, server, label, repeats) | {"first": [drawn_s]}
    return samples


def _moves(page: Page, server: Server, label: str, repeats: int) -> Sample:
    handle = slider(page, label)
    for _ in range(repeats):  # to the left, so that every move to the right meets a new value
        handle.press("ArrowLeft")
    settle(page)
    move(page, handle, "ArrowLeft")
    server_s, browser_s = server.cpu_s(), browser_cpu_s()
    walls_s = [move(page, handle, "ArrowRight") for _ in range(repeats)]
    # Processor time is counted in steps of 10 ms: too coarse for one move, not for all of them.
    server_cpu_s, browser_cpu = server.cpu_s() - server_s, browser_cpu_s() - browser_s
    return {
        "wall": walls_s,
        "server": [server_cpu_s / repeats],
        "browser": [browser_cpu / repeats],
    }


def print_table(rows: list[tuple[str, list[float], list[float]]], n_targets: int) -> None:
    """Print medians side by side, with their ratio; the first rows have a target."""
    print(f"{'':38}{'app':>10}{'floor':>10}{'ratio':>8}")
    for row, (label, ours, floor) in enumerate(rows):
        mine, least = statistics.median(ours), statistics.median(floor)
        ratio = mine / least if least else float("nan")
        verdict = f"  over {TARGET:g}" if row < n_targets and ratio > TARGET else ""
        print(f"{label:38}{mine:9.3f}s{least:9.3f}s{ratio:8.2f}{verdict}")


def main() -> None:
    """Run both measurements and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8610)
    parser.add_argument("--repeats", type=int, default=10)
    given = parser.parse_args()
    starts = measure_starts(given.port, given.repeats)
    slides = measure_slider(given.port, given.repeats)
    print_table(
        [
            (label, samples["app"][key], samples["floor"][key])
            for label, samples, key in (
                ("start to healthy, wall", starts, "wall"),
                ("start to healthy, CPU", starts, "cpu"),
                ("slider to redrawn chart, wall", slides, "wall"),
                ("slider to redrawn chart, server CPU", slides, "server"),
                ("slider to redrawn chart, browser CPU", slides, "browser"),
                ("first visit to chart, wall", slides, "first"),
            )
        ],
        n_targets=4,
    )


if __name__ == "__main__":
    main()
