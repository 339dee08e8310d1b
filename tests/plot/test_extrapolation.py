"""Predictions beyond the rows by each law, and their average."""

from __future__ import annotations

import numpy as np
import pytest

from isoflop import api, plot
from isoflop.errors import FitError


def test_every_law_and_the_band_are_drawn() -> None:
    ahead = api.extrapolate("pile-cerebras-pythia", N="30B", D="600B")
    figure = plot.extrapolation(ahead)
    drawn = np.concatenate([np.ravel(trace.x) for trace in figure.data if trace.x is not None])
    for law in ahead.laws_used:
        assert np.isclose(drawn.astype(float), law.loss[0]).any()
    assert figure.layout.meta["alt"].endswith(".")
    with pytest.raises(FitError, match="There is no point 1: the prediction has 1"):
        plot.extrapolation(ahead, point=1)
