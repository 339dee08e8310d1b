"""A real browser: how long from a slider's key press to the redrawn chart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
from playwright.sync_api import Locator, Page, sync_playwright

from benchmarks.app.server import Server
from benchmarks.browser import launch

TIMEOUT_MS = 120_000

# Resolves with the milliseconds from the next key press to the first frame in which the first
# chart shows other data, drawn.
WATCH = """
() => {
  const chart = () => document.querySelector('.js-plotly-plot');
  const before = {node: chart(), data: chart().data, drawn: chart().dataset.drawn};
  window.redrawn = new Promise((resolve) => {
    document.addEventListener('keydown', () => {
      const begin = performance.now();
      const look = () => {
        const now = chart();
        const isOurs = now && now.dataset.drawn !== before.drawn;
        const changed = now && (now !== before.node || now.data !== before.data || isOurs);
        if (changed && now.querySelector('.scatterlayer .trace path')) {
          resolve(performance.now() - begin);
        } else {
          requestAnimationFrame(look);
        }
      };
      requestAnimationFrame(look);
    }, {once: true, capture: true});
  });
}
"""
IDLE = """
() => document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'
"""


NO_JOB = "() => document.querySelector('[data-testid=stProgress]') === null"


@contextmanager
def open_page(server: Server) -> Iterator[tuple[Page, float]]:
    """Open a server's front page; yield it with the seconds until its first chart was drawn."""
    with sync_playwright() as driver:
        browser = launch(driver)
        try:
            page = browser.new_page(viewport={"width": 1440, "height": 1200})
            page.goto(server.url)
            page.wait_for_selector(".js-plotly-plot .scatterlayer path", timeout=TIMEOUT_MS)
            drawn_s = float(page.evaluate("() => performance.now() / 1000"))
            settle(page)
            # What a first visit starts in the background is no part of a move.
            page.wait_for_function(NO_JOB, timeout=TIMEOUT_MS)
            settle(page)
            yield page, drawn_s
        finally:
            browser.close()


def browser_cpu_s() -> float:
    """Return the CPU seconds that this process's browser has used so far."""
    used = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if "chrom" in process.name():
                used.append(process.cpu_times())
    return sum(times.user + times.system for times in used)


def slider(page: Page, label: str) -> Locator:
    """Return the handle of a slider by its label."""
    group = page.get_by_role("group", name=label, exact=True)
    return group.locator("input[type=range]")


def settle(page: Page) -> None:
    """Wait until the script has run and the page is quiet."""
    page.wait_for_timeout(500)
    page.wait_for_function(IDLE, timeout=TIMEOUT_MS)
    page.wait_for_timeout(700)


def move(page: Page, handle: Locator, key: str) -> float:
    """Move a slider by a key; return the seconds from the key press to the redrawn chart."""
    page.evaluate(WATCH)
    handle.focus()
    handle.press(key)
    wall_s = float(page.evaluate("() => window.redrawn")) / 1000
    settle(page)
    return wall_s
