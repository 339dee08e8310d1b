"""The browser that benchmarks use."""

from __future__ import annotations

import os

from playwright.sync_api import Browser, Playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def launch(driver: Playwright) -> Browser:
    """Start Chromium without a window."""
    path = os.environ.get("ISOFLOP_TEST_CHROMIUM", "/usr/bin/chromium")
    return driver.chromium.launch(executable_path=path, args=FLAGS)
