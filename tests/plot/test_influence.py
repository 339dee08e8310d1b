"""Influence: what leaving out each row changes, beside its leverage; the optimum along a choice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.plot.helpers import n_markers, named, small_fit, two_families

from isoflop import plot
from isoflop.errors import FitError
from isoflop.fitting import FitOptions, fit
from isoflop.fitting.diagnose import diagnostics
from isoflop.planning.sensitivity import (
    Influence,
    Optima,
    SensitivityCurve,
    Target,
    influence,
    optimum_draws,
)
from isoflop.plot import LIGHT
from isoflop.plot._optimum_sensitivity import _draw, _Picture

TARGET = Target(compute_flop=1e23)


def leave_one_out() -> Influence:
    return influence(diagnostics(small_fit()), TARGET)


def test_bars_are_fits_without_the_row_the_furthest_first() -> None:
    found = leave_one_out()
    figure = plot.influence(small_fit(), compute_flop=1e23)
    (bars,) = figure.data
    change = found.quantities["N*"].change
    assert np.abs(bars.x) == pytest.approx(np.sort(np.abs(change))[::-1][: len(bars.x)])
    index = small_fit().row_index[int(np.argmax(np.abs(change)))]
    assert bars.y[0] == f"row {index}"
    assert f"most without row {index}, {bars.x[0]:+.3g}" in figure.layout.meta["alt"]
    assert figure.layout.xaxis.title.text == "Change of N* when left out (%)"


def test_influence_on_a_parameter_and_by_runs() -> None:
    table = two_families()
    runs = np.arange(len(table.frame)) // 3
    whole = table.with_frame(table.frame.assign(run_id=[f"<run {run}>" for run in runs]))
    fitted = fit(small_fit().law, whole)
    figure = plot.influence(fitted, quantity="alpha", unit="runs")
    assert figure.layout.xaxis.title.text == "Change of alpha when left out"
    assert len(figure.data[0].y) == runs.max() + 1
    assert all(name.startswith("&lt;run ") and "(3 rows)" in name for name in figure.data[0].y)
    frame = influence(diagnostics(fitted), TARGET, unit="runs").to_frame()
    assert list(frame.columns[:3]) == ["N*", "a", "E"]
    assert frame.index[0] == "<run 0> (3 rows)"


def test_a_law_without_an_optimum_has_influence_on_its_parameters() -> None:
    found = influence(diagnostics(small_fit("power_floor")), TARGET)
    assert list(found.quantities) == list(small_fit("power_floor").law.param_names)
    figure = plot.leverage(small_fit("power_floor"), found=found)
    assert n_markers(figure) == small_fit("power_floor").n_rows


def test_rows_carry_their_number_and_those_left_out_are_hollow() -> None:
    rows = small_fit().row_index
    figure = plot.leverage(small_fit(), found=leave_one_out(), left_out=rows[[0, 2]].tolist())
    assert sorted(np.concatenate([trace.customdata for trace in figure.data])) == sorted(rows)
    hollow = [
        number
        for trace in figure.data
        for number, symbol in zip(trace.customdata, trace.marker.symbol, strict=True)
        if symbol.endswith("-open")
    ]
    assert hollow == rows[[0, 2]].tolist()
    assert figure.layout.clickmode == "event+select"
    heaviest = rows[int(np.argmax(np.abs(leave_one_out().quantities["N*"].change)))]
    said = f"2 of them left out; row {heaviest} has the largest influence."
    assert figure.layout.meta["alt"].endswith(said)
    sizes = {
        number: size
        for trace in figure.data
        for number, size in zip(trace.customdata, trace.marker.size, strict=True)
    }
    assert max(sizes, key=sizes.__getitem__) == heaviest


def test_the_fit_is_marked_and_least_squares_is_a_level() -> None:
    curve = SensitivityCurve(
        along="huber_delta",
        x=np.array([1e-4, 1e-3, np.inf]),
        optima=Optima(params=np.array([1e10, 1.2e10, 2e10]), exponent=np.full(3, 0.5)),
        theta=np.zeros((3, 1)),
        here=1e-3,
    )
    figure = _draw(_Picture(curve=curve, band=(0.8e10, 1.5e10), level=0.9), LIGHT)
    by_name = {trace.name: trace for trace in figure.data}
    assert list(by_name["This fit"].y) == [1.2e10]
    assert list(by_name["Least squares"].y) == [2e10, 2e10]
    assert len(by_name["Compute-optimal size"].x) == 2
    nothing = replace(curve, optima=Optima(params=np.full(3, np.nan), exponent=np.full(3, np.nan)))
    figure = _draw(_Picture(curve=nothing, band=None, level=0.9), LIGHT)
    assert "no compute-optimal size" in figure.layout.meta["alt"]


def test_the_optimum_along_rows_left_out_starts_at_the_fits_own() -> None:
    figure = plot.optimum_sensitivity(small_fit(), compute_flop=1e23)
    optimum = optimum_draws(diagnostics(small_fit()), TARGET)
    (here,) = named(figure, "This fit")
    assert (here.x[0], here.y[0]) == pytest.approx((0, optimum.params), rel=1e-4)
    (band,) = named(figure, "90% interval of the fit")
    assert (min(band.y), max(band.y)) == optimum.interval("params")
    assert "furthest from the curve" in (
        plot.optimum_sensitivity(small_fit(), along="residuals").layout.xaxis.title.text
    )


def test_an_objective_without_delta_has_no_curve_along_it() -> None:
    options = FitOptions(objective="asymmetric_mae")
    fitted = fit(small_fit().law, two_families(), options)
    with pytest.raises(FitError, match="asymmetric objective has no Huber δ"):
        plot.optimum_sensitivity(fitted, along="huber_delta")
