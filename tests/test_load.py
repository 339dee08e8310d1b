"""The load benchmark in its short version: nobody met an error, and messages are counted."""

import shutil

import pytest
from benchmarks.load.__main__ import SHORT_PEOPLE, measure
from benchmarks.measured import Row

MOST_MESSAGES = 80
"""Of a slider move on the front page."""


def measured(name: str) -> dict[str, Row]:
    """Return the rows of one phase by what they say after it."""
    rows = measure(True, names=(name,))
    return {row.task.split(": ")[1]: row for row in rows if isinstance(row, Row)}


@pytest.mark.slow
def test_people_and_heavy_work_share_a_server() -> None:
    rows = measured("heavy")
    assert rows["a move, messages"].value < MOST_MESSAGES
    assert "upload to answer" in rows


@pytest.mark.slow
def test_a_killed_replica_costs_its_people_one_reload() -> None:
    if shutil.which("caddy") is None:
        pytest.skip("needs Caddy")
    reloads = measured("replicas")["reloads"].value
    assert 1 <= reloads <= SHORT_PEOPLE + 1  # all of them, were all on the one that was killed
