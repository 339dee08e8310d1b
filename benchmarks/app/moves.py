"""What a slider's move, and the opening of a page, cost the server and send to a browser."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import numpy as np

from benchmarks.app.server import Server
from benchmarks.load.visitor import Move, Visitor
from isoflop.ui.compare.page import SECTIONS as COMPARE
from isoflop.ui.data.page import TABS as DATA
from isoflop.ui.explore.page import EVIDENCE
from isoflop.ui.fit.page import SECTIONS as FIT
from isoflop.ui.plan.tabs import TAB
from isoflop.ui.plan.tabs import TABS as PLAN
from isoflop.ui.shell import PAGES

TABS = (
    ("", "evidence", tuple(EVIDENCE.values())),
    ("data", "view", tuple(DATA)),
    ("fit", "section", tuple(FIT)),
    ("compare", "compare", tuple(COMPARE)),
    ("plan", TAB, tuple(PLAN.values())),
)
"""Pages with tabs: the page, what holds the tab in the address, the tabs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The medians of some moves, or openings.

    Parameters
    ----------
    cpu_s : float
        Of the server, mean: it counts in steps of 10 ms.
    n_messages, n_bytes, n_parts : float
        Sent to the browser; parts are elements and containers drawn again.
    """

    cpu_s: float
    n_messages: float
    n_bytes: float
    n_parts: float


FIELDS = {"slider": "string_array_value", "selectbox": "string_value"}
"""Where a message holds the value of a widget, by its kind."""


async def moves(
    server: Server, page: str, key: str, repeats: int, *, kind: str = "slider", query: str = ""
) -> Cost:
    """Move a slider to its right, from its start, so that each value is new; or choose in turn."""
    visitor = Visitor(server.url, page=page, query=query)
    await visitor.open()
    await _settled(visitor)  # what a job brings is no part of a move
    found = visitor.find(kind, key)
    options = list(visitor.widgets[found].element.options)
    costs: list[Move] = []
    begin_s = 0.0
    for option in [*options[1:], *options][: repeats + 1]:
        visitor.settle(found, FIELDS[kind], [option] if kind == "slider" else option)
        costs.append(await visitor.rerun(visitor.widgets[found].fragment))
        if len(costs) == 1:  # the first one fills caches
            await _settled(visitor)
            await asyncio.to_thread(server.rest)
            begin_s = server.cpu_s()
    cpu_s = (server.cpu_s() - begin_s) / repeats
    await _leave(visitor)
    return _cost(costs[1:], cpu_s)


async def opening(server: Server, page: str, query: str = "") -> Cost:
    """Open a page, or a tab of it, in a session of its own."""
    begin_s = server.cpu_s()
    visitor = Visitor(server.url, page=page, query=query)
    cost = await visitor.open()
    await _leave(visitor)
    return _cost([cost], server.cpu_s() - begin_s)


def pages() -> dict[str, str]:
    """Return the title of each page by its name in the address; the front page has none."""
    return {"" if page.key == PAGES[0].key else page.key: page.title for page in PAGES}


def tabs() -> Iterator[tuple[str, str, str]]:
    """Yield each tab: its page, what stands in the address, and its name."""
    for page, key, names in TABS:
        for name in names:
            yield page, urlencode({key: name}), name


async def _settled(visitor: Visitor) -> None:
    while visitor.is_waiting():
        await asyncio.sleep(0.2)


async def _leave(visitor: Visitor) -> None:
    await _settled(visitor)
    errors = list(visitor.errors)
    await visitor.close()
    if errors:
        raise RuntimeError(f"{visitor.page or 'the front page'}: {'; '.join(errors)}")


def _cost(found: Sequence[Move], cpu_s: float) -> Cost:
    return Cost(
        cpu_s=cpu_s,
        n_messages=float(np.median([move.n_messages for move in found])),
        n_bytes=float(np.median([move.n_bytes for move in found])),
        n_parts=float(np.median([move.n_parts for move in found])),
    )
