from dataclasses import replace

import pytest

from isoflop.planning import Budget, find_accelerator
from isoflop.planning.constraints import Setting
from isoflop.planning.plan import plan_within
from isoflop.planning.tornado import tornado

H100 = find_accelerator("h100-sxm")


def bars(fit, setting):
    found = tornado(fit, setting, plan_within(fit, setting))
    return {bar.label: bar for bar in found.entries}


def test_each_bar_is_a_plan_of_its_own(chinchilla, draws, make_fit) -> None:
    fit = make_fit(chinchilla, draws=draws)
    setting = Setting(budget=Budget(usd=1e6, accelerators=64), accelerator=H100)
    found = bars(fit, setting)
    cheap = replace(setting, budget=replace(setting.budget, price_usd_per_hour=2.5 / 1.2))
    assert found["Price"].low.loss == pytest.approx(plan_within(fit, cheap).loss)
    assert found["Price"].low.value == "2.08 USD/h"
    assert found["MFU"].high.loss < plan_within(fit, setting).loss < found["MFU"].low.loss
    assert found["FLOP per parameter and token"].low.loss < found["MFU"].low.loss


def test_the_widest_bar_comes_first_and_the_fit_is_one_of_them(chinchilla, draws, make_fit) -> None:
    fit = make_fit(chinchilla, draws=draws)
    setting = Setting(budget=Budget(compute_flop=1e22), accelerator=H100)
    found = tornado(fit, setting, plan_within(fit, setting)).entries
    spans = [bar.loss_span for bar in found]
    assert spans == sorted(spans, reverse=True)
    assert found[0].label == "The fit itself (90% interval)"


def test_with_flop_given_the_utilisation_moves_money_and_not_loss(chinchilla, make_fit) -> None:
    setting = Setting(budget=Budget(compute_flop=1e22), accelerator=H100)
    bar = bars(make_fit(chinchilla), setting)["MFU"]
    assert bar.loss_span == 0
    assert bar.low.usd > bar.high.usd
    assert bar.usd_span > 0


def test_an_assumption_stops_at_what_is_possible(chinchilla, make_fit) -> None:
    budget = Budget(wall_time_s=86400.0, mfu=0.75, goodput=1.0)
    found = bars(make_fit(chinchilla), Setting(budget=budget, accelerator=H100))
    assert found["MFU"].high.value == "80%"
    assert found["Goodput"].high.value == "100%"


def test_only_what_the_plan_assumes_is_moved(chinchilla, make_fit) -> None:
    fit = make_fit(chinchilla)
    plain = bars(fit, Setting(budget=Budget(compute_flop=1e22), accelerator=H100))
    assert "Unique tokens" not in plain
    assert "Inference tokens" not in plain
    full = Budget(compute_flop=1e22, unique_tokens=1e10, lifetime_inference_tokens=1e12)
    found = bars(fit, Setting(budget=full, accelerator=H100))
    assert found["Unique tokens"].low.loss > found["Unique tokens"].high.loss
    assert found["Inference tokens"].low.loss < found["Inference tokens"].high.loss


def test_what_moves_the_money_comes_widest_first_and_nothing_tiny(chinchilla, draws, make_fit):
    fit = make_fit(chinchilla, draws=draws)
    setting = Setting(budget=Budget(compute_flop=1e22, accelerators=64), accelerator=H100)
    found = tornado(fit, setting, plan_within(fit, setting))
    assert {entry.label for entry in found.moving("usd")} == {"MFU", "Goodput", "Price"}
    spans = [entry.usd_span for entry in found.moving("usd")]
    assert spans == sorted(spans, reverse=True)
    assert all(entry.loss_span > 0 for entry in found.moving("loss"))
    frame = found.to_frame().set_index("assumption")
    assert len(frame) == len(found.entries)
    assert frame.loc["Price", "usd_low"] < found.plan.cost.usd < frame.loc["Price", "usd_high"]
