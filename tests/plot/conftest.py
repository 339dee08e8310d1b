"""Every figure that a test draws is one that Plotly accepts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import plotly.graph_objects as go
import pytest

from isoflop.plot import _figure


@pytest.fixture(autouse=True)
def _only_valid_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validate each figure as soon as it is made, which `isoflop.plot` itself does not."""

    def checked(**parts: Any) -> go.Figure:
        figure = go.Figure(**parts)
        go.Figure(figure.to_dict())
        return figure

    monkeypatch.setattr(_figure, "go", SimpleNamespace(Figure=checked))
