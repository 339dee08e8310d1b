"""Isoloss contours: lines where they say, the compute-optimal line, the plan among the rows."""

from __future__ import annotations

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


def drawn(surface: _Surface):
    picture = _Picture(surface=surface, loss_label="Loss", groups=(), plan=None, same_budget=None)
    return _draw(picture, LIGHT)


def test_contours_show_frontier_budget_and_the_plan() -> None:
    figure = plot.contours(small_fit(), plan=small_plan())
    assert [trace.name for trace in figure.data] == [
        "Loss (nats/token)", "Levels", "Same budget", "Compute-optimal", "one", "&lt;two&gt;",
        "You are here",
    ]  # fmt: skip
    assert figure.data[0].z.shape == (32, 32)
    assert n_markers(figure) == len(two_families().frame)
    assert "and the chosen model: loss" in figure.layout.meta["alt"]


def test_contours_without_optimum_or_plan() -> None:
    figure = plot.contours(small_fit("kaplan_n"), table=two_families())
    assert [trace.name for trace in figure.data] == [
        "Loss (nats/token)", "Levels", "one", "&lt;two&gt;",
    ]  # fmt: skip


def test_a_law_of_size_alone_has_no_plane_without_rows() -> None:
    with pytest.raises(FitError, match="no plane of model size and data"):
        plot.contours(replace(small_fit("kaplan_n"), table=None))


def test_labels_lie_on_the_lines_they_name() -> None:
    fit = small_fit()
    labels = plot.contours(fit).data[1]
    assert len(labels.text) >= 5
    inputs = inputs_at(fit.law, np.array(labels.x), np.array(labels.y), rule=SIX_ND)
    np.testing.assert_allclose(
        fit.law.loss(fit.theta, inputs), [float(text) for text in labels.text], rtol=2e-3
    )


def test_labels_of_a_surface_that_turns_lie_on_it() -> None:
    labels = drawn(waves()).data[1]
    for value, text in zip(labels.x, labels.text, strict=True):
        assert 2 + 0.3 * np.sin(np.log10(value) * 3) == pytest.approx(float(text), abs=0.01)


def test_contour_levels_are_round_and_many() -> None:
    levels = plot.contours(small_fit()).data[0].contours
    count = (levels.end - levels.start) / levels.size + 1
    assert 6 <= count <= 20
    assert min(abs(levels.size / step - 1) for step in (0.05, 0.1, 0.2, 0.25, 0.5)) < 1e-9
