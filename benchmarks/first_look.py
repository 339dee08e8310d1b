"""Draw the README's pictures with the real app: ``python -m benchmarks.first_look``.

Explore in both themes, and its budget as it moves. What the page called its parts is kept beside
them, by which a test finds pictures of a page that has changed since.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.app.server import serve
from benchmarks.browser import launch
from benchmarks.pictures import IMAGES, REPOSITORY, SETTLED, TIMEOUT_MS
from isoflop.tables import load_dataset

TABLE = "chinchilla"
THEMES = {"light": "explore.png", "dark": "explore-dark.png"}
MOVED = "explore-moves.webp"
SHOWN = "explore.json"
"""What the pictures show, by name."""
NAMES = """() => [...new Set(
  [...document.querySelectorAll("h2, label, dt, nav a, button")]
    .filter(part => part.offsetParent !== null)
    .map(part => part.innerText.replace(/[0-9][0-9.,e+]*/g, "#").replace(/\\s+/g, " ").trim())
    .filter(Boolean)
)].sort()"""
"""Headings, controls and figures of a page in the order of the alphabet, without their numbers."""
KNOWN = "localStorage.setItem('isoflop.tour', '1')"
"""A browser that was here before: nothing is offered to it."""
WIDTH_PX, HEIGHT_PX = 1280, 960
STEPS, FRAME_MS, PAUSE_MS = 8, 220, 1400
WAIT_MS = 1500
QUALITY = 80


def opened(browser: Browser, url: str, theme: str) -> Page:
    """Open Explore in a theme and wait until it is drawn."""
    page = browser.new_page(
        viewport={"width": WIDTH_PX, "height": HEIGHT_PX},
        color_scheme="dark" if theme == "dark" else "light",
    )
    page.add_init_script(KNOWN)
    page.goto(f"{url}/?{urlencode({'table': TABLE})}")
    settle(page)
    return page


def settle(page: Page) -> None:
    """Wait until everything that a picture shows is there."""
    page.wait_for_function(SETTLED, timeout=TIMEOUT_MS)
    # All laws are fitted after the page is there.
    page.get_by_role("button", name="Cancel").wait_for(state="detached", timeout=TIMEOUT_MS)
    page.wait_for_timeout(WAIT_MS)


def moves(page: Page) -> Iterator[Image.Image]:
    """Yield the page before and after each move of its budget."""
    handle = page.get_by_role("slider").first
    handle.focus()
    for step in range(STEPS + 1):
        if step:
            page.keyboard.press("ArrowRight")
            page.wait_for_timeout(WAIT_MS)
        yield Image.open(BytesIO(page.screenshot())).convert("RGB")


def main() -> None:
    """Draw all."""
    load_dataset(TABLE)
    with serve(REPOSITORY / "app.py") as server, sync_playwright() as driver:
        browser = launch(driver)
        for theme, name in THEMES.items():
            page = opened(browser, server.url, theme)
            page.screenshot(path=str(IMAGES / name))
            if theme == "light":
                names = page.evaluate(NAMES)
                frames = list(moves(page))
            page.close()
        browser.close()
    (IMAGES / SHOWN).write_text(json.dumps(names, indent=2) + "\n", encoding="utf-8")
    there = [*frames, *frames[-2:0:-1]]
    still = {0: PAUSE_MS, STEPS: PAUSE_MS}
    there[0].save(
        IMAGES / MOVED,
        save_all=True,
        append_images=there[1:],
        duration=[still.get(number, FRAME_MS) for number in range(len(there))],
        loop=0,
        quality=QUALITY,
        method=6,
    )
    for name in (*THEMES.values(), MOVED):
        print(
            f"{(IMAGES / name).relative_to(REPOSITORY)}: {(IMAGES / name).stat().st_size:,} bytes"
        )


if __name__ == "__main__":
    main()
