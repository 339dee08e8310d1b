"""Draw the four plans of ``docs/planning.md`` with the real app: ``python -m benchmarks.pictures``.

Each plan is an address of the Plan page and the command line that says the same. The table is
downloaded when it is first asked for.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Page, sync_playwright

from benchmarks.app.server import serve
from benchmarks.browser import launch

REPOSITORY = Path(__file__).resolve().parents[1]
IMAGES = REPOSITORY / "docs" / "images"
WIDTH_PX, HEIGHT_PX, MOST_PX = 1280, 900, 2400
TIMEOUT_MS = 120_000
SETTLED = """() => !document.querySelector('[data-testid="stStatusWidget"]')
    && document.querySelectorAll('.js-plotly-plot .main-svg').length > 3"""
MAIN = '[data-testid="stMain"]'

COMMAND = ("plan", "chinchilla", "--published", "besiroglu")
ADDRESS = {
    "table": "chinchilla",
    "law": "published-besiroglu",
    "limit.money": "false",
    "limit.storage": "false",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One plan: what is typed, and where the app shows it.

    Parameters
    ----------
    title : str
    command : tuple of str
        What follows ``isoflop plan chinchilla --published besiroglu``.
    address : mapping of str to str
        Of the Plan page, besides `ADDRESS`.
    """

    title: str
    command: tuple[str, ...]
    address: Mapping[str, str]

    @property
    def arguments(self) -> tuple[str, ...]:
        """The whole command line, without the program's name."""
        return (*COMMAND, *self.command)

    @property
    def query(self) -> str:
        """The address, behind the page's name."""
        return urlencode({**ADDRESS, **self.address})


PLANS: Mapping[str, Plan] = {
    "1b-on-8-rtx-4090": Plan(
        title="1B parameters on 20B tokens with 8 RTX 4090",
        command=(
            *("--accelerator", "rtx-4090", "--count", "8", "--time", "30 days"),
            *("--params", "1B", "--tokens", "20B"),
        ),
        address={
            "accelerator": "rtx-4090", "count": "8", "time": "30 days", "size": "chosen",
            "params": "1B", "own.own-tokens": "true", "own-tokens": "20B",
            "plan.tab": "Memory",
        },
    ),
    "7b-on-256-h100": Plan(
        title="7B parameters on 2T tokens with 256 H100 in 14 days",
        command=(
            *("--accelerator", "h100-sxm", "--count", "256", "--time", "14 days"),
            *("--params", "7B", "--tokens", "2T"),
        ),
        address={
            "accelerator": "h100-sxm", "count": "256", "time": "14 days", "size": "chosen",
            "params": "7B", "own.own-tokens": "true", "own-tokens": "2T",
            "plan.tab": "Time and layout",
        },
    ),
    "deepseek-v3-on-2048-h800": Plan(
        title="DeepSeek-V3 on 14.8T tokens with 2,048 H800",
        command=(
            *("--accelerator", "h800-sxm", "--count", "2048", "--dtype", "fp8"),
            *("--model-family", "deepseek-v3", "--params", "37.6B", "--tokens", "14.8T"),
            *("--time", "365 days"),
        ),
        address={
            "accelerator": "h800-sxm", "count": "2048", "time": "365 days", "dtype": "fp8",
            "family": "deepseek-v3", "size": "chosen", "params": "37.6B",
            "own.own-tokens": "true", "own-tokens": "14.8T", "plan.tab": "Time and layout",
        },
    ),
    "1e13-inference-tokens": Plan(
        title="The model to serve 1e13 tokens, for $20M in all",
        command=(
            *("--accelerator", "h100-sxm", "--count", "1024", "--time", "365 days"),
            *("--usd", "20M", "--inference-tokens", "1e13"),
        ),
        address={
            "accelerator": "h100-sxm", "count": "1024", "time": "365 days", "limit.money": "true",
            "money": "$20M", "limit.inference": "true", "inference": "10T",
            "plan.tab": "Smaller and longer",
        },
    ),
}  # fmt: skip


def draw(page: Page, url: str, path: Path) -> None:
    """Open one address and keep a picture of the page's main part."""
    page.goto(url)
    page.wait_for_selector(MAIN, timeout=TIMEOUT_MS)
    page.wait_for_function(SETTLED, timeout=TIMEOUT_MS)
    page.wait_for_timeout(1500)
    height = page.evaluate(f"() => document.querySelector('{MAIN}').scrollHeight")
    page.set_viewport_size({"width": WIDTH_PX, "height": min(int(height) + 40, MOST_PX)})
    page.wait_for_timeout(1500)
    page.locator(MAIN).screenshot(path=str(path))


def main() -> None:
    """Draw those that are named, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[[], *PLANS], help="which; all unless given")
    given = parser.parse_args()
    with serve(REPOSITORY / "app.py") as server, sync_playwright() as driver:
        browser = launch(driver)
        for name in given.names or PLANS:
            page = browser.new_page(viewport={"width": WIDTH_PX, "height": HEIGHT_PX})
            path = IMAGES / f"plan-{name}.png"
            draw(page, f"{server.url}/plan?{PLANS[name].query}", path)
            page.close()
            print(path.relative_to(REPOSITORY))
        browser.close()


if __name__ == "__main__":
    main()
