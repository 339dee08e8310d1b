"""What a slider's move sends to a browser, by a real session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from benchmarks.app.moves import moves
from benchmarks.app.server import REPOSITORY, Server, serve
from benchmarks.loop import complete

from isoflop.tables import list_datasets

# As measured, with room for a notice more: a chart, a column or a hover text too many shows here.
MOST = {"": (75, 66_000), "plan": (225, 95_000)}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve(REPOSITORY / "app.py") as found:
        yield found


@pytest.mark.slow
@pytest.mark.parametrize("page", MOST)
def test_a_move_sends_no_more_than_it_must(server: Server, page: str) -> None:
    shipped = next(entry.id for entry in list_datasets() if entry.is_shipped)
    cost = complete(moves(server, page, "_time.slider", 3, query=f"table={shipped}"))
    messages, size = MOST[page]
    assert cost.n_messages <= messages
    assert cost.n_bytes <= size
