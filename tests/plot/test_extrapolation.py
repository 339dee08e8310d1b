"""Predictions beyond the rows by each law, and their average."""

from __future__ import annotations

import numpy as np
import pytest

from isoflop import api, plot
from isoflop.errors import FitError
from isoflop.fitting.extrapolation.history import History, history

pytestmark = pytest.mark.slow  # nine laws, each fitted with its draws


def test_every_law_and_the_band_are_drawn() -> None:
    ahead = api.extrapolate("pile-cerebras-pythia", N="30B", D="600B")
    figure = plot.extrapolation(ahead)
    drawn = np.concatenate([np.ravel(trace.x) for trace in figure.data if trace.x is not None])
    for law in ahead.laws_used:
        assert np.isclose(drawn.astype(float), law.loss[0]).any()
    assert figure.layout.meta["alt"].endswith(".")
    with pytest.raises(FitError, match="There is no point 1: the prediction has 1"):
        plot.extrapolation(ahead, point=1)


@pytest.fixture(scope="module")
def past() -> History:
    return history(api.load("pile-cerebras-pythia"))


def test_what_came_is_drawn_against_what_was_said(past: History) -> None:
    figure = plot.rolling_origin(past)
    for said, trace in zip(past.cuts, figure.data, strict=True):
        np.testing.assert_allclose(trace.y, said.observed / said.centre - 1)
        # A bar reaches the line where, and only where, the run was in the band.
        reaches = (trace.y - trace.error_y.arrayminus <= 0) & (trace.y + trace.error_y.array >= 0)
        assert reaches.mean() == said.coverage
    assert "1 decades held out" in figure.layout.meta["alt"]


def test_a_cut_knows_nothing_of_what_it_predicts(past: History) -> None:
    """Losses above the cut change what came, and nothing of what was said."""
    table = api.load("pile-cerebras-pythia")
    cut = next(said for said in past.cuts if said.decades == 1.0)
    is_above = table.values("compute_flop") > cut.cut * (1 + 1e-9)
    loss = np.where(is_above, 1.1, 1.0) * table.values("loss")
    other = history(table.with_frame(table.included().assign(loss=loss)))
    same = next(said for said in other.cuts if said.decades == 1.0)
    np.testing.assert_allclose(same.centre, cut.centre)
    np.testing.assert_allclose(same.upper, cut.upper)
    np.testing.assert_allclose(same.observed, 1.1 * cut.observed)


def test_a_table_too_small_to_be_cut_says_so() -> None:
    table = api.load("pile-cerebras-pythia")
    with pytest.raises(FitError, match="too few rows below its largest runs"):
        history(table.with_frame(table.included().iloc[:4]))
