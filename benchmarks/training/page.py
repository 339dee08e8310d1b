"""The Train page in a real browser: click to first loss, and how the app answers during runs.

``python -m benchmarks.training.page``. Needs Chromium and an idle machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page

from benchmarks.app.browser import TIMEOUT_MS, move, open_page, settle, slider
from benchmarks.app.server import REPOSITORY, Server, serve
from isoflop.training.queue import RunQueue
from isoflop.training.runs import ACTIVE, FOLDER_SETTING, list_runs

FIRST_POINT_TARGET_S = 5.0
MOVES = 6


def main() -> None:
    """Measure and print."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ[FOLDER_SETTING] = folder
        with serve(REPOSITORY / "app.py") as server:
            idle_s = slider_s(server)
            with open_page(server) as (page, _):
                first_s = click_to_first_loss(page, server)
            busy_s = slider_s(server)
            queue = RunQueue(Path(folder))
            was_busy = any(run.state().status in ACTIVE for run in list_runs(queue.root))
            queue.stop(list_runs(queue.root))
            while workers := queue.workers():
                for worker in workers:  # one that is ready for a next run would wait
                    worker.terminate()
                time.sleep(0.2)
    verdict = "" if first_s <= FIRST_POINT_TARGET_S else f"  over {FIRST_POINT_TARGET_S:g} s"
    print(f"click on Start to the first loss drawn: {first_s:6.2f} s{verdict}")
    print(f"slider of Explore, nothing training:    {idle_s:6.3f} s")
    note = "" if was_busy else "  (the runs had ended: not a measurement)"
    print(f"slider of Explore, two runs training:   {busy_s:6.3f} s{note}")


def slider_s(server: Server) -> float:
    """Return the median seconds from a key press on Explore's slider to the redrawn chart."""
    with open_page(server) as (page, _):
        handle = slider(page, "Time")
        for _ in range(MOVES):
            handle.press("ArrowLeft")
        settle(page)
        move(page, handle, "ArrowLeft")
        return statistics.median(move(page, handle, "ArrowRight") for _ in range(MOVES))


def click_to_first_loss(page: Page, server: Server) -> float:
    """Start the standard ladder; return the seconds until a chart of its losses is drawn."""
    page.goto(f"{server.url}/train?ladder=Standard&stage=Model")
    page.get_by_role("button", name="Start training").wait_for(timeout=TIMEOUT_MS)
    settle(page)
    start = time.perf_counter()
    page.get_by_role("button", name="Start training").click()
    page.wait_for_selector(".st-key-chart-training .scatterlayer path", timeout=TIMEOUT_MS)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
