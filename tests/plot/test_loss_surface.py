"""The loss over accelerators and time: what is drawn, what is left open, the plan on it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.plot.helpers import limited_plan, named, small_fit, small_setting

from isoflop import plot
from isoflop.planning import loss_surface
from isoflop.planning.surface import Surface
from isoflop.units import DAY_S

COUNTS, TIMES = np.array([8.0, 64.0, 512.0]), np.array([1.0, 10.0]) * DAY_S


def surface() -> Surface:
    return loss_surface(small_fit(), small_setting(), COUNTS, TIMES)


def test_the_surface_is_drawn_over_accelerators_and_days_with_the_plan() -> None:
    figure = plot.loss_surface(surface(), plan=limited_plan())
    contour, hours, star = figure.data
    np.testing.assert_array_equal(contour.x, COUNTS)
    np.testing.assert_allclose(contour.y, [1, 10])
    np.testing.assert_allclose(hours.x * hours.y, 640)
    assert (star.x[0], star.y[0]) == (64, 10)
    assert figure.layout.xaxis.title.text == "Accelerators"
    assert figure.layout.yaxis.title.text == "Duration (days)"
    at_plan = contour.z[1][1]
    assert abs(at_plan - limited_plan().loss) < 1e-5


def test_what_cannot_be_trained_is_left_open() -> None:
    found = surface()
    loss = found.loss.copy()
    loss[1, 2] = np.nan
    figure = plot.loss_surface(replace(found, loss=loss))
    (contour,) = figure.data
    assert np.isnan(contour.z[1][2])
    assert contour.connectgaps is False


def test_the_alternative_text_gives_the_range_and_the_plan() -> None:
    found = surface()
    alt = plot.loss_surface(found, plan=limited_plan()).layout.meta["alt"]
    assert f"from {found.loss.max():.3f} to {found.loss.min():.3f}" in alt
    assert "and the plan: loss" in alt
    assert "plan" not in plot.loss_surface(found).layout.meta["alt"]


def test_a_flat_surface_is_drawn() -> None:
    found = surface()
    assert plot.loss_surface(replace(found, loss=np.full_like(found.loss, 2.0))).to_json()
    empty = plot.loss_surface(replace(found, loss=np.full_like(found.loss, np.nan)))
    assert named(empty, "Loss (nats/token)")
