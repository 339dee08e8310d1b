"""The load benchmark in its short version: nobody met an error, and messages are counted."""

import shutil

import pytest
from benchmarks.load.__main__ import PHASES, SHORT_PEOPLE, measure
from benchmarks.measured import Row

MOST_MESSAGES = 80
"""Of a slider move on the front page."""


@pytest.mark.slow
def test_people_and_heavy_work_share_a_server() -> None:
    rows = {row.task: row for row in measure(True, names=("heavy",)) if isinstance(row, Row)}
    task = PHASES["heavy"].task
    assert rows[f"{task}: a move, messages"].value < MOST_MESSAGES
    assert f"{task}: upload to answer" in rows


@pytest.mark.slow
def test_a_killed_replica_costs_its_people_one_reload() -> None:
    if shutil.which("caddy") is None:
        pytest.skip("needs Caddy")
    rows = {row.task: row for row in measure(True, names=("replicas",)) if isinstance(row, Row)}
    reloads = rows[f"{PHASES['replicas'].task}: reloads"].value
    assert 1 <= reloads <= SHORT_PEOPLE + 1  # all of them, were all on the one that was killed
