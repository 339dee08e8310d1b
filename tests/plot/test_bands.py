"""Both bands of a prediction over compute."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.plot.helpers import small_fit, two_families

from isoflop import plot
from isoflop.fitting import band
from isoflop.planning import compute_optimal
from isoflop.planning.bands import bands_by_method

NAMES = ["One new run (prediction)", "Mean of such runs (confidence)", "Fitted law"]


def test_the_wider_band_is_drawn_first_and_the_ends_of_the_rows_are_marked() -> None:
    fit = small_fit()
    figure = plot.bands(fit, compute_flop=1e24)
    assert [trace.name for trace in figure.data] == NAMES
    prediction, confidence, _ = figure.data
    half = len(confidence.y) // 2
    assert np.median(prediction.y[:half] - confidence.y[:half]) > 0
    flop = two_families().values("compute_flop")
    assert [shape.x0 for shape in figure.layout.shapes] == [1e24, flop.min(), flop.max()]
    assert [note.text for note in figure.layout.annotations] == ["budget", "fitted rows"]
    assert figure.layout.meta["alt"].endswith("the budget is marked.")


def test_a_simultaneous_band_is_wider_and_says_so() -> None:
    each, whole = (plot.bands(small_fit(), is_simultaneous=flag) for flag in (False, True))
    assert whole.data[1].name == "Mean of such runs (confidence, whole curve)"
    assert np.ptp(whole.data[1].y) > np.ptp(each.data[1].y)


def test_distances_from_the_curve_are_in_percent() -> None:
    figure = plot.bands(small_fit(), is_relative=True)
    assert "(%)" in figure.layout.yaxis.title.text
    assert np.all(figure.data[-1].y == 0)
    assert "budget" not in figure.layout.meta["alt"]


def test_a_band_that_is_not_available_is_absent_with_its_reason() -> None:
    bare = replace(small_fit(), draws=None, covariance=None, covariance_reason="None is at hand.")
    figure = plot.bands(bare)
    assert [trace.name for trace in figure.data] == ["Fitted law"]
    assert "with no band" in figure.layout.meta["alt"]
    notes = figure.layout.meta["notes"]
    assert [note.split(":")[0] for note in notes[:2]] == [
        "No prediction band",
        "No confidence band",
    ]


def test_intervals_at_a_budget_are_those_of_each_method() -> None:
    fit = small_fit()
    found = bands_by_method(fit, 1e22)
    assert [row.method for row in found] == ["Bayesian bootstrap", "Residual covariance"]
    best = compute_optimal(fit.law, fit.theta, np.array([1e22]))
    inputs = {"N": best.params, "D": best.tokens}
    for row, source in zip(found, (fit, replace(fit, draws=None)), strict=True):
        assert row.confidence == band(source, inputs, 0.9, "confidence")
        assert row.prediction == band(source, inputs, 0.9, "prediction")
    assert bands_by_method(replace(fit, draws=None, covariance=None), 1e22) == ()
