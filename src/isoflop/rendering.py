"""What takes a browser to draw: a page as PDF, figures as SVG and PNG.

Plotly draws in a browser alone, so a Chromium without a window does what a person's own would:
kaleido, which is Plotly's own way, draws figures, and the library below it prints pages. It takes
any Chromium, Chrome or Edge of this machine, or the one that ``BROWSER_PATH`` names. One takes some
300 MB: whoever draws for many people does so by jobs (`isoflop.work`), which are bounded.
"""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from isoflop import document
from isoflop.errors import RenderError
from isoflop.language import lazy_gettext as _

if TYPE_CHECKING:
    from isoflop.plot import Figure

ImageFormat = Literal["svg", "png", "pdf"]
FORMATS: tuple[ImageFormat, ...] = ("svg", "png", "pdf")

DEADLINE_S = 60.0
"""A page or a figure takes a second or two."""
PRINT = {"printBackground": True, "preferCSSPageSize": True}

_T = TypeVar("_T")


def missing() -> str:
    """Say what a page or a figure cannot be drawn for want of; empty if nothing is missing."""
    if find_spec("kaleido") is None:
        return _("Install the extra 'images': pip install 'isoflop[images]'.")
    from choreographer.browsers import Chromium

    found = Chromium.find_browser(skip_local=False)
    if found is None or not Path(found).is_file():
        return _("Install Chromium or Chrome on the machine that Isoflop runs on.")
    return ""


def pdf(page: str) -> bytes:
    """Return an HTML page as PDF, by its print style.

    Parameters
    ----------
    page : str
        That needs nothing else.

    Raises
    ------
    RenderError
        If there is no browser, or it fails.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        path.write_text(page, encoding="utf-8")
        return _run(lambda: _printed(path.as_uri()))


def images(
    figures: Mapping[str, Figure],
    format: ImageFormat = "svg",
    *,
    width_px: int = 900,
    scale: float = 2.0,
) -> dict[str, bytes]:
    """Return figures as SVG, PNG or PDF, by their names.

    Parameters
    ----------
    figures : mapping of str to plotly.graph_objects.Figure
    format : {"svg", "png", "pdf"}
    width_px : int
        The height is the figure's own.
    scale : float
        Pixels of a PNG by pixels of the page.

    Raises
    ------
    RenderError
        If the format is none of these, there is no browser, or it fails.
    """
    if format not in FORMATS:
        raise RenderError(
            _("A figure cannot be written as {format}.", format=format),
            hint=_(
                "Choose {formats}, or html by the figure's own write_html.",
                formats=", ".join(FORMATS),
            ),
        )

    async def drawn() -> dict[str, bytes]:
        from kaleido import Kaleido

        found = {}
        async with Kaleido(timeout=DEADLINE_S, mathjax=False) as browser:
            for name, figure in figures.items():
                options = {"format": format, "width": width_px, "scale": scale}
                height = figure.layout.height
                options |= {} if height is None else {"height": height}
                found[name] = await browser.calc_fig(figure, opts=options)
        return found

    return _run(drawn)


def save_figure(
    figure: Figure, path: str | Path, *, width_px: int = 900, scale: float = 2.0
) -> None:
    """Write a figure to a file of the kind that its name ends in: svg, png, pdf or html.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
    path : path
    width_px : int
    scale : float
        Pixels of a PNG by pixels of the page.

    Raises
    ------
    RenderError
        If the kind is none of these, there is no browser, or it fails.
    DocumentError
        If the file cannot be written.
    """
    kind: Any = Path(path).suffix.lower().removeprefix(".")
    if kind == "html":  # which takes no browser
        document.save(figure.to_html(include_plotlyjs=True), path)
        return
    (content,) = images({"figure": figure}, kind, width_px=width_px, scale=scale).values()
    document.save(content, path)


def _run(start: Callable[[], Awaitable[_T]]) -> _T:
    """Run what drives a browser, apart from any loop of the caller's."""
    if reason := missing():
        raise RenderError(_("There is no browser to draw with."), hint=reason)

    async def within_deadline() -> _T:
        return await asyncio.wait_for(start(), DEADLINE_S)

    with _memory_of_its_own(), ThreadPoolExecutor(1) as thread:
        try:
            return thread.submit(asyncio.run, within_deadline()).result()
        except TimeoutError:
            reason = _("It was not done within {deadline_s:.0f} s.", deadline_s=DEADLINE_S)
        except Exception as error:  # of two libraries, and of a program that may do anything
            reason = f"{type(error).__name__}: {error}"[:500]
    raise RenderError(
        _("The browser did not draw this."),
        detail=reason,
        hint=_("Check that the browser starts: Isoflop takes the one that BROWSER_PATH names."),
    )


@contextmanager
def _memory_of_its_own() -> Iterator[None]:
    """Lift the memory limit of a job, which a browser would inherit: it maps more than it uses."""
    if sys.platform == "win32":  # which has no such limits
        yield
        return
    import resource

    held = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (held[1], held[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, held)


async def _printed(address: str) -> bytes:
    from choreographer import Browser

    async with Browser(headless=True) as browser:
        tab = await browser.create_tab("")
        await tab.send_command("Page.enable")
        loaded = tab.subscribe_once("Page.loadEventFired")
        await tab.send_command("Page.navigate", params={"url": address})
        await loaded  # figures are drawn by then: their scripts stand in the page
        answer = await tab.send_command("Page.printToPDF", params=PRINT)
        if "error" in answer:
            raise RuntimeError(answer["error"].get("message", _("no reason given")))
        return base64.b64decode(answer["result"]["data"])
