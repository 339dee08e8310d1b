"""Compute-optimal size and data over compute."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.plot.helpers import named, small_fit, small_plan, two_families

from isoflop import plot
from isoflop.planning import Frontier
from isoflop.planning.frontier import frontier_over
from isoflop.planning.trajectory import compute_range


def found() -> Frontier:
    fit = small_fit()
    return frontier_over(fit, compute_range(fit, two_families(), small_plan().compute_flop))


def test_each_panel_has_band_line_and_plan_and_names_its_unit() -> None:
    figure = plot.frontier(found(), plan=small_plan())
    assert figure.layout.yaxis.title.text == "Model size N (parameters)"
    assert figure.layout.yaxis2.title.text == "Training data D (tokens)"
    assert figure.layout.xaxis.title.text == "Training compute C (FLOP)"
    stars = named(figure, "Your plan")
    assert [star.y[0] for star in stars] == [small_plan().params, small_plan().tokens]
    assert len(named(figure, "90% band")) == 2
    assert len(named(plot.frontier(found()), "Your plan")) == 0


def test_the_line_is_dashed_beyond_the_rows_without_a_gap() -> None:
    figure = plot.frontier(found())
    within, beyond = (
        next(trace for trace in named(figure, name) if trace.yaxis == "y")
        for name in ("Within the rows", "Extrapolation")
    )
    shown = [np.isfinite(trace.y) for trace in (within, beyond)]
    assert np.all(shown[0] | shown[1])
    assert np.any(shown[0] & shown[1])  # where they meet
    assert beyond.line.dash == "dash"
    lines = np.where(shown[0], within.y, beyond.y)
    np.testing.assert_array_equal(lines, found().params)


def test_the_note_says_how_size_and_data_grow_and_what_the_bands_are() -> None:
    (note,) = plot.frontier(found()).layout.meta["notes"]
    size, data = found().exponents
    assert size + data == pytest.approx(1)
    assert f"N grows as C to the {size:.3f}, D as C to the {data:.3f}" in note
    assert "bootstrap fits" in note
    bare = replace(found(), params_band=None, tokens_band=None, loss_band=None, reason="No draws.")
    figure = plot.frontier(bare)
    assert not [trace for trace in figure.data if trace.fill]
    assert figure.layout.meta["notes"][0].endswith("No draws.")
    assert "with bands" not in figure.layout.meta["alt"]
