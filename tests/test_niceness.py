"""What runs for long lets pages go first."""

import os
import subprocess
import sys

import pytest

from isoflop.niceness import GROUP, be_nice

CODE = f"""
import os
from pathlib import Path
from isoflop.niceness import be_nice
be_nice(7)
print(os.nice(0), Path({str(GROUP)!r}).read_text() if Path({str(GROUP)!r}).exists() else "")
"""


@pytest.mark.skipif(not hasattr(os, "nice"), reason="niceness is of POSIX")
@pytest.mark.parametrize("leads", [True, False], ids=["own session", "ours"])
def test_a_session_of_its_own_is_nice_as_a_whole(leads: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        check=True,
        start_new_session=leads,
    )
    niceness, _, group = done.stdout.strip().partition(" ")
    assert int(niceness) == os.nice(0) + 7
    if group:  # a kernel that shares among sessions first
        assert group.endswith("nice 7") == leads


def test_without_a_change_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getsid", lambda _: -1)
    before = os.nice(0)
    be_nice(0)
    assert os.nice(0) == before
