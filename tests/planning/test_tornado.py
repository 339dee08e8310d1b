from dataclasses import replace

import numpy as np
import pytest

from isoflop.fitting.extrapolation import Extrapolation
from isoflop.fitting.extrapolation.result import LawPrediction
from isoflop.planning import Budget, find_accelerator
from isoflop.planning.constraints import Setting
from isoflop.planning.plan import plan_within
from isoflop.planning.scenario import Scenario, setting_of
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


def test_what_is_predicted_moves_over_its_interval(chinchilla, make_fit) -> None:
    setting = Setting(budget=Budget(usd=1e6, accelerators=64), accelerator=H100)
    setting = setting_of(Scenario(accelerator=H100, budget=setting.budget))
    fit = make_fit(chinchilla)
    plan = plan_within(fit, setting)
    found = {bar.label: bar for bar in tornado(fit, setting, plan).entries}
    lower, upper = plan.training.mfu_interval.lower, plan.training.mfu_interval.upper
    assert (found["MFU"].low.value, found["MFU"].high.value) == (f"{lower:.0%}", f"{upper:.0%}")
    assert found["Goodput"].low.loss > plan.loss > found["Goodput"].high.loss


def test_the_laws_of_the_table_are_bars_too_and_named_where_they_disagree(
    chinchilla, make_fit
) -> None:
    setting = Setting(budget=Budget(compute_flop=1e22), accelerator=H100)
    fit = make_fit(chinchilla)
    ahead = beyond(low=2.0, high=2.2)
    found = tornado(fit, setting, plan_within(fit, setting), ahead=ahead).entries
    by_label = {bar.label: bar for bar in found}
    assert (by_label["Law"].low.value, by_label["Law"].high.value) == ("Law A", "Law B")
    assert by_label["Law"].loss_span == pytest.approx(0.2)
    band = by_label["Beyond the rows (90% band)"]
    assert (band.low.loss, band.high.loss) == (ahead.lower[0], ahead.upper[0])
    assert ahead.disagreement_text() == "The laws disagree, from 2.000 (Law A) to 2.200 (Law B)."
    assert beyond(low=2.0, high=2.005).disagreement_text() == ""
    # A law that its own past leaves next to no weight is not heard.
    unheard = beyond(low=2.0, high=2.2, weights=(0.02, 0.98))
    assert unheard.extremes(0) is None
    assert unheard.disagreement_text() == ""


def beyond(*, low: float, high: float, weights: tuple[float, float] = (0.5, 0.5)) -> Extrapolation:
    """Return what two laws say of one run, by hand."""
    one = np.ones(1)
    voices = tuple(
        LawPrediction(
            key=name, label=f"Law {name}", formula="E", weight=weight, past_error=0.01, n_cuts=3,
            loss=loss * one,
        )
        for name, loss, weight in zip("AB", (low, high), weights, strict=True)
    )  # fmt: skip
    return Extrapolation(
        table_id="made", table_fingerprint="0" * 64, loss_unit="nats/token", n_rows=30,
        method="average", scale="compute_flop", inputs={"compute_flop": 1e22 * one},
        laws_used=voices, refused=(), centre=(low + high) / 2 * one, noise=0.01 * one,
        draws=0.01 * one, disagreement=0.05 * one, distance=0.02 * one, decades=one,
        decades_of_any_input=one, most_decades=2.0, has_few=False,
        deciding=np.full((1, 2), np.nan), notes=(), constants_made="2026-11-26",
    )  # fmt: skip


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
    # Of 64 accelerators the goodput is known to a point.
    assert {entry.label for entry in found.moving("usd")} == {"MFU", "Price"}
    spans = [entry.usd_span for entry in found.moving("usd")]
    assert spans == sorted(spans, reverse=True)
    assert all(entry.loss_span > 0 for entry in found.moving("loss"))
    frame = found.to_frame().set_index("assumption")
    assert len(frame) == len(found.entries)
    assert frame.loc["Price", "usd_low"] < found.plan.cost.usd < frame.loc["Price", "usd_high"]
