"""From a click on Start to text, files and a bet, in a real browser with real workers."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from isoflop.training.queue import RunQueue
from isoflop.training.runs import FOLDER_SETTING, list_runs

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
PATIENCE_MS = 180_000
GRID = "ladder=Own+grid&train_families=LSTM&widths=8,12,16,24&budgets=32Ki,64Ki"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Serve the app with a folder of runs of its own; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        FOLDER_SETTING: str(tmp_path / "runs"),
        "ISOFLOP_DATABASE_URL": f"sqlite:///{tmp_path / 'saved.sqlite3'}",
    }
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true"]
    process = subprocess.Popen(
        [*command, "--server.port", str(port)],
        cwd=ROOT,
        env={**os.environ, **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}/_stcore/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)
        queue = RunQueue(tmp_path / "runs")
        queue.stop(list_runs(queue.root))
        for worker in queue.workers():
            worker.kill_group()


def wait_until_healthy(url: str) -> None:
    deadline_s = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < deadline_s, "the server does not answer"
            time.sleep(0.1)
        else:
            return


@pytest.fixture
def page() -> Iterator[Page]:
    """Open a browser; fail on any error in the page."""
    path = os.environ.get("ISOFLOP_TEST_CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("needs Chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        opened = browser.new_page(viewport={"width": 1440, "height": 1000})
        opened.set_default_timeout(PATIENCE_MS)
        failures: list[str] = []
        opened.on("pageerror", lambda error: failures.append(str(error)))
        yield opened
        assert opened.locator("[data-testid=stException]").count() == 0
        assert failures == []
        browser.close()


def open_stage(page: Page, stage: str) -> None:
    page.get_by_role("tab", name=stage, exact=True).click()


def see(page: Page, text: str) -> None:
    expect(page.get_by_text(re.compile(text)).first).to_be_visible(timeout=PATIENCE_MS)


def test_from_start_to_bet(server: str, page: Page) -> None:
    page.goto(f"{server}/train?{GRID}")
    page.get_by_role("button", name="Start training").click()
    expect(page.locator(".js-plotly-plot .scatterlayer path").first).to_be_visible(
        timeout=PATIENCE_MS
    )
    see(page, "Own grid: 8 of 8 points")
    assert "run=ladder-" in page.url

    page.reload()
    see(page, "Own grid: 8 of 8 points")

    open_stage(page, "Law")
    see(page, "Largest residual")

    open_stage(page, "Generate")
    page.get_by_role("button", name="Write").click()
    see(page, "Distribution of token")

    open_stage(page, "Deploy")
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile(r"Download \(")).click()
    assert download.value.suggested_filename.endswith(".zip")

    open_stage(page, "Bet")
    page.get_by_role("button", name="Place the bet and train").click()
    decided = page.get_by_test_id("stMetric").filter(has_text="Decided").first
    expect(decided.get_by_test_id("stMetricValue")).to_have_text("1", timeout=PATIENCE_MS)


def test_stopped_and_resumed_the_page_follows(server: str, page: Page) -> None:
    """Without a reload: the view goes on refreshing itself after Resume."""
    page.goto(f"{server}/train?{GRID.replace('64Ki', '512Ki')}")
    page.get_by_role("button", name="Start training").click()
    expect(page.locator(".js-plotly-plot .scatterlayer path").first).to_be_visible(
        timeout=PATIENCE_MS
    )
    page.get_by_role("button", name="Stop", exact=True).click()
    resume = page.get_by_role("button", name="Resume")
    expect(resume).to_be_enabled(timeout=PATIENCE_MS)
    see(page, "points, stopped")
    resume.click()
    see(page, "Own grid: 8 of 8 points")


def test_a_run_out_of_memory_says_so(server: str, page: Page) -> None:
    page.goto(f"{server}/train?ladder=Own+grid&widths=2048&depth=8&budgets=64Ki&memory=0.5")
    page.get_by_role("button", name="Start training").click()
    see(page, "Out of memory: the run needs more than its memory limit allows")
    see(page, "allocate")  # the last lines
