from dataclasses import replace

import numpy as np
import pytest

from isoflop.planning import Budget, find_accelerator
from isoflop.planning.constraints import Setting
from isoflop.planning.plan import plan_within
from isoflop.planning.surface import loss_surface

H100 = find_accelerator("h100-sxm")
DAY = 86400.0
COUNTS, TIMES = np.array([8, 64, 512]), np.array([1, 10, 100]) * DAY


def test_every_point_is_the_plan_for_it(chinchilla, make_fit) -> None:
    fit = make_fit(chinchilla)
    setting = Setting(budget=Budget(usd=3e5, wall_time_s=DAY), accelerator=H100)
    surface = loss_surface(fit, setting, COUNTS, TIMES)
    for row, time in enumerate(TIMES):
        for column, count in enumerate(COUNTS):
            budget = replace(setting.budget, wall_time_s=time, accelerators=int(count))
            plan = plan_within(fit, replace(setting, budget=budget))
            assert surface.loss[row, column] == pytest.approx(plan.loss, rel=1e-10)
            assert surface.params[row, column] == pytest.approx(plan.params, rel=1e-6)


def test_equal_accelerator_hours_reach_equal_loss(chinchilla, make_fit) -> None:
    setting = Setting(budget=Budget(wall_time_s=DAY, goodput=0.9), accelerator=H100)
    surface = loss_surface(make_fit(chinchilla), setting, [10, 100], [DAY, 10 * DAY])
    assert surface.loss[1, 0] == pytest.approx(surface.loss[0, 1], rel=1e-12)
    assert np.all(np.diff(surface.loss, axis=0) < 0)


def test_what_cannot_be_trained_is_left_open(chinchilla, make_fit) -> None:
    setting = Setting(
        budget=Budget(wall_time_s=DAY),
        accelerator=H100,
        largest_params=lambda memory, count: 1e9 if count > 100 else 0.0,
    )
    surface = loss_surface(make_fit(chinchilla), setting, [64, 512], [1e-12, DAY])
    assert np.isnan(surface.loss[:, 0]).all()
    assert np.isnan(surface.loss[0, 1])
    assert surface.params[1, 1] == pytest.approx(1e9)


def test_accelerators_that_hold_no_whole_group_are_left_open(chinchilla, make_fit) -> None:
    setting = Setting(budget=Budget(wall_time_s=DAY, accelerators=24), accelerator=H100, group=8)
    fit = make_fit(chinchilla)
    surface = loss_surface(fit, setting, [12, 16], [DAY])
    assert np.isnan(surface.loss).tolist() == [[True, False]]
    around = loss_surface(fit, setting)
    assert not np.any(around.accelerators % 8)
    assert np.isfinite(around.loss).all()


def test_the_surface_spans_what_the_setting_gives_and_holds_it(chinchilla, make_fit) -> None:
    setting = Setting(budget=Budget(wall_time_s=10 * DAY, accelerators=64), accelerator=H100)
    surface = loss_surface(make_fit(chinchilla), setting)
    assert (surface.accelerators[0], surface.accelerators[-1]) == (2, 2048)
    assert 64 in surface.accelerators
    assert 10 * DAY in surface.wall_time_s
    frame = surface.to_frame()
    assert len(frame) == surface.loss.size
    row = frame[(frame["accelerators"] == 64) & (frame["wall_time_s"] == 10 * DAY)].iloc[0]
    plan = plan_within(make_fit(chinchilla), setting)
    assert row["loss"] == pytest.approx(plan.loss)
