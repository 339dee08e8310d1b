"""The pair plot of bootstrap draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.plot.helpers import small_fit

from isoflop import plot
from isoflop.errors import FitError
from isoflop.plot import LIGHT
from isoflop.plot._pairs import _Column, _draw


def test_clouds_are_below_the_diagonal_and_correlations_above() -> None:
    random = np.random.default_rng(0)
    base = random.standard_normal(400)
    power = 10 ** (2 * base + 0.01 * random.standard_normal(400))
    columns = (
        _Column(name="E", values=base, estimate=0.0, is_log=False),
        _Column(name="A", values=power, estimate=1.0, is_log=True),
        _Column(name="same", values=np.ones(400), estimate=1.0, is_log=False),
    )
    figure = _draw(columns, LIGHT)
    texts = [trace.text[0] for trace in figure.data if trace.mode == "text"]
    assert texts == ["+1.00", "+0.00", "+0.00"]
    assert sum(trace.type == "scattergl" for trace in figure.data) == 6
    assert "most correlated are E and A (1.00)" in figure.layout.meta["alt"]


def test_every_parameter_of_a_fit_is_shown() -> None:
    fit = small_fit()
    said = plot.pairs(fit).layout.meta["alt"]
    assert said.startswith("Pair plot of 100 bootstrap draws of E, A, B, alpha, beta;")


def test_a_fit_without_draws_is_refused() -> None:
    with pytest.raises(FitError, match="no bootstrap draws"):
        plot.pairs(replace(small_fit(), draws=None))
