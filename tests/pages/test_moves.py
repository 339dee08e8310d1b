"""What a slider's move sends to a browser, by a real session, and what a session fits."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import streamlit as st
from benchmarks.app.moves import moves
from benchmarks.app.server import REPOSITORY, Server, serve
from benchmarks.loop import complete
from tests.pages.helpers import SHIPPED, healthy, open_shipped

from isoflop.laws import Law
from isoflop.tables import list_datasets
from isoflop.ui.jobs import KeptByJob

# Page, what moves, the most messages and bytes: as measured, with room for a notice more. A chart,
# a column, a hover text or an input too many shows here.
MOST = {
    "explore": ("slider", "_time.slider", 30, 36_000),
    "explore, accelerators": ("slider", "_count.slider", 30, 36_000),
    "plan": ("slider", "_time.slider", 30, 31_000),
    "plan, accelerators": ("slider", "_count.slider", 30, 34_000),
    "fit": ("slider", "_time.slider", 36, 14_000),
    "compare": ("selectbox", "compare.x", 52, 42_000),
    "data": ("selectbox", "data.x", 52, 33_000),
    "train": ("selectbox", "ladder", 46, 31_000),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve(REPOSITORY / "app.py") as found:
        yield found


@pytest.mark.slow
@pytest.mark.parametrize("name", MOST)
def test_a_move_sends_no_more_than_it_must(server: Server, name: str) -> None:
    shipped = next(entry.id for entry in list_datasets() if entry.is_shipped)
    kind, key, n_messages, n_bytes = MOST[name]
    page = name.partition(",")[0].removeprefix("explore")
    cost = complete(moves(server, page, key, 3, kind=kind, query=f"table={shipped}"))
    assert cost.n_messages <= n_messages
    assert cost.n_bytes <= n_bytes


def forget_all() -> None:
    """Forget what pages and the engine keep, as a new process does."""
    st.cache_resource.clear()
    for name, module in list(sys.modules.items()):
        if name.startswith(("isoflop.fitting.", "isoflop.ui.")):
            for held in vars(module).values():
                if hasattr(held, "cache_clear"):
                    held.cache_clear()
                elif isinstance(held, KeptByJob):
                    held._results.clear()


@pytest.mark.slow
def test_a_session_fits_when_it_begins_and_never_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Explore weighs the laws and fits its own; Fit, Plan and every budget find that made."""
    forget_all()
    module = sys.modules["isoflop.fitting.fit"]
    search, fitted = module.search, []

    def counted(law: Law, *rest: Any) -> Any:
        fitted.append(law.key)
        return search(law, *rest)

    monkeypatch.setattr(module, "search", counted)
    opened = healthy(open_shipped("explore", bootstrap="0"))
    at_first = Counter(fitted)
    assert at_first[SHIPPED["law"]] == 2
    assert set(at_first.values()) == {1, 2}
    for at in (opened, *(healthy(open_shipped(page, bootstrap="0")) for page in ("fit", "plan"))):
        for name, value in (("time", "4 h"), ("count", "64"), ("time", "20 days")):
            at.text_input(key=name).set_value(value)
            healthy(at.run())
    assert Counter(fitted) == at_first
