"""What tests of pages rely on."""

import math

import pytest

from isoflop.ui import chart


@pytest.fixture(autouse=True)
def whole_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send charts whole each time, so that a test sees what is drawn in the message alone."""
    monkeypatch.setattr(chart, "WORTH_KEEPING", math.inf)
