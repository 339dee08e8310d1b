"""One server and one browser for each process of tests, and pages that notice every failure."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from isoflop.training.queue import RunQueue
from isoflop.training.runs import FOLDER_SETTING, list_runs

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
PATIENCE_MS = 360_000

Visit = Callable[..., Page]


@pytest.fixture(scope="package")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the app, with downloads from the local mirror and real workers; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    home = tmp_path_factory.mktemp("served")
    settings = {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_DATA_HOME": str(home / "data"),
        "ISOFLOP_DATA_MIRROR": str(ROOT.parent / "shared" / "datasets"),
        FOLDER_SETTING: str(home / "runs"),
        "ISOFLOP_MAX_STORED_MB": "20000",  # a model too large for its memory, not for its room
    }
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true"]
    with (home / "log.txt").open("w") as log:
        process = subprocess.Popen(
            [*command, "--server.port", str(port)],
            cwd=ROOT,
            env={**os.environ, **settings},
            stdout=log,
            stderr=log,
        )
        try:
            _wait_until_healthy(f"http://127.0.0.1:{port}/_stcore/health")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=30)
            _end_runs(RunQueue(home / "runs"))
    assert "Traceback" not in (home / "log.txt").read_text(encoding="utf-8")


def _wait_until_healthy(url: str) -> None:
    deadline_s = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except (urllib.error.URLError, ConnectionError, TimeoutError):  # it is still importing
            assert time.monotonic() < deadline_s, "the server does not answer"
            time.sleep(0.1)
        else:
            return


def _end_runs(queue: RunQueue) -> None:
    queue.stop(list_runs(queue.root))
    for worker in queue.workers():
        worker.kill_group()


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    path = os.environ.get("ISOFLOP_TEST_CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("needs Chromium")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(app: str, chromium: Browser) -> Iterator[Visit]:
    """Return a function that opens an address of the app as a person of its own.

    Whatever was opened must end without an exception on the page, an error in its scripts, or a
    request to another host.
    """
    failures: list[str] = []
    people: list[BrowserContext] = []

    def open_address(
        address: str = "/",
        *,
        width: int = 1280,
        height: int = 800,
        is_dark: bool = False,
        locale: str = "en-US",
    ) -> Page:
        person = chromium.new_context(
            locale=locale,
            viewport={"width": width, "height": height},
            color_scheme="dark" if is_dark else "light",
            has_touch=width < 500,
            accept_downloads=True,
        )
        people.append(person)
        page = person.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: failures.append(f"script: {error}"))
        page.on("console", lambda said: failures.extend(_refused(said.text)))
        page.on("request", lambda request: failures.extend(_elsewhere(request.url)))
        page.goto(app + address)
        settle(page)
        return page

    yield open_address
    shown = [page.locator("[data-testid=stException]").count() for p in people for page in p.pages]
    for person in people:
        person.close()
    assert not any(shown)
    assert failures == []


def _refused(text: str) -> list[str]:
    return [text] if "Content Security Policy" in text else []


def _elsewhere(url: str) -> list[str]:
    host = urlsplit(url).hostname
    return [] if host in (None, "127.0.0.1", "localhost") else [f"request: {url}"]


def settle(page: Page) -> None:
    """Wait until the script has run and what it sent is drawn."""
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_timeout(700)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
