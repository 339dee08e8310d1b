"""Isoloss contours: lines where they say, the compute-optimal line, the plan among the rows."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from tests.plot.helpers import n_markers, small_fit, small_plan, two_families

from isoflop import plot
from isoflop.errors import FitError
from isoflop.planning.inputs import inputs_at
from isoflop.planning.rule import SIX_ND
from isoflop.plot import LIGHT
from isoflop.plot._contours import _draw, _Picture, _Surface


def waves() -> _Surface:
    """Return a surface whose lines turn back."""
    params, tokens = np.geomspace(1e7, 1e11, 80), np.geomspace(1e9, 1e13, 80)
    loss = 2 + 0.3 * np.sin(np.log10(params)[None, :] * 3) + 0 * tokens[:, None]
    return _Surface(params=params, tokens=tokens, loss=loss, frontier=None)


def labels_of(figure):
    (found,) = (trace for trace in figure.data if trace.mode == "text")
    return found


def drawn(surface: _Surface):
    picture = _Picture(surface=surface, loss_label="Loss", groups=(), plan=None, same_budget=None)
    return _draw(picture, LIGHT)


def test_contours_show_frontier_budget_and_the_plan() -> None:
    figure = plot.contours(small_fit(), plan=small_plan())
    assert [trace.name for trace in figure.data] == [
        "Loss (nats/token)", *["Levels"] * 4, "Compute-optimal", "one", "&lt;two&gt;",
        "Same budget", "You are here",
    ]  # fmt: skip
    assert len(figure.data[0].customdata) == 17 * 17
    assert n_markers(figure) == len(two_families().frame)
    assert "and the chosen model: loss" in figure.layout.meta["alt"]


def test_contours_without_optimum_or_plan() -> None:
    figure = plot.contours(small_fit("kaplan_n"), table=two_families())
    assert [trace.name for trace in figure.data] == [
        "Loss (nats/token)", *["Levels"] * 4, "one", "&lt;two&gt;",
    ]  # fmt: skip


def test_a_law_of_size_alone_has_no_plane_without_rows() -> None:
    with pytest.raises(FitError, match="no plane of model size and data"):
        plot.contours(replace(small_fit("kaplan_n"), table=None))


def test_labels_lie_on_the_lines_they_name() -> None:
    fit = small_fit()
    labels = labels_of(plot.contours(fit))
    assert len(labels.text) >= 5
    inputs = inputs_at(fit.law, np.array(labels.x), np.array(labels.y), rule=SIX_ND)
    np.testing.assert_allclose(
        fit.law.loss(fit.theta, inputs), [float(text) for text in labels.text], rtol=2e-3
    )


def test_labels_of_a_surface_that_turns_lie_on_it() -> None:
    labels = labels_of(drawn(waves()))
    for value, text in zip(labels.x, labels.text, strict=True):
        assert 2 + 0.3 * np.sin(np.log10(value) * 3) == pytest.approx(float(text), abs=0.01)


def losses_along(trace, fit) -> list[np.ndarray]:
    """Return the losses along each line of a trace."""
    x, y = np.array(trace.x), np.array(trace.y)
    ends = np.flatnonzero(np.isnan(x))
    assert ends.tolist() == np.flatnonzero(np.isnan(y)).tolist()
    inputs = inputs_at(fit.law, x, y, rule=SIX_ND)
    return [part[~np.isnan(part)] for part in np.split(fit.law.loss(fit.theta, inputs), ends)]


def test_lines_lie_where_the_loss_is_theirs_from_low_to_high() -> None:
    fit = small_fit()
    found = [
        [float(np.median(line)) for line in losses_along(trace, fit) if len(line)]
        for trace in plot.contours(fit).data
        if trace.name == "Levels" and trace.mode == "lines"
    ]
    assert len(found) == 3
    for trace in plot.contours(fit).data[1:4]:
        for line in losses_along(trace, fit):
            np.testing.assert_allclose(line, np.median(line) if len(line) else [], rtol=2e-3)
    assert all(max(low) < min(high) for low, high in itertools.pairwise(found))
    levels = np.unique(np.round(np.concatenate(found), 2))
    assert 6 <= len(levels) <= 20
    step = np.median(np.diff(levels))
    assert min(abs(step / round_step - 1) for round_step in (0.05, 0.1, 0.2, 0.25, 0.5)) < 0.02


def test_lines_of_a_surface_that_turns_are_each_in_one_piece() -> None:
    surface = waves()
    for lines in surface.lines:
        parts = np.split(lines.params, np.flatnonzero(np.isnan(lines.params)))
        lengths = [len(part) for part in parts if np.isfinite(part).sum()]
        assert all(length >= 80 for length in lengths)


def test_lines_end_where_there_is_no_loss() -> None:
    surface = waves()
    loss = np.where(surface.params > 1e9, np.nan, surface.loss)
    lines = [drawn(replace(surface, loss=loss)).data[place] for place in (1, 2, 3)]
    reached = np.concatenate([line.x for line in lines])
    assert np.nanmax(reached) <= 1e9
    assert np.isfinite(reached).sum() > 100


def test_the_loss_is_read_anywhere() -> None:
    fit = small_fit()
    grid = plot.contours(fit).data[0]
    inputs = inputs_at(fit.law, np.array(grid.x), np.array(grid.y), rule=SIX_ND)
    np.testing.assert_allclose(
        fit.law.loss(fit.theta, inputs), np.array(grid.customdata), rtol=1e-12
    )
    assert grid.mode == "none"
