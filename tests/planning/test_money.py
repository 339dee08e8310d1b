"""What a run costs: parts that add up, ways to pay, and what the limit of money leaves."""

import pytest

from isoflop.errors import PlanError
from isoflop.planning import Budget, Failures, PlanOptions, Site, find_accelerator, plan
from isoflop.planning.acquisition import Acquisition, load_prices, purchase_price, reserved_price
from isoflop.planning.planned import planned
from isoflop.planning.scenario import Scenario

H100 = find_accelerator("h100-sxm")
EVERYTHING = Site(
    development_share=0.5,
    evaluation_share=0.02,
    data_usd=1e5,
    staff_usd_per_month=5e4,
    electricity_usd_per_kwh=0.1,
)


def test_the_parts_add_up_to_the_money(chinchilla, make_fit) -> None:
    budget = Budget(wall_time_s=30 * 86_400, accelerators=64, lifetime_inference_tokens=1e12)
    found = plan(make_fit(chinchilla), budget, H100, PlanOptions(site=EVERYTHING)).cost
    assert sum(found.usd_by_part.values()) == pytest.approx(found.usd)
    assert list(found.usd_by_part) == [
        "accelerators", "electricity", "development", "evaluation", "staff", "data", "storage",
        "inference",
    ]  # fmt: skip
    hourly = found.usd_compute + found.usd_power
    assert found.usd_development == pytest.approx(0.5 * hourly)
    assert found.usd_evaluation == pytest.approx(0.02 * hourly)
    assert found.usd_staff == pytest.approx(5e4 * 30 * 12 / 365.25, rel=0.02)
    # 0.7 kW a card, with hosts 1.05, at a PUE of 1.2, for 64 x 720 hours.
    assert found.energy_j == pytest.approx(0.7e3 * 1.5 * 1.2 * 64 * 720 * 3600)
    assert found.usd_interval.lower < found.usd < found.usd_interval.upper


def test_money_as_the_limit_pays_for_everything(chinchilla, make_fit) -> None:
    budget = Budget(usd=1e6, accelerators=64)
    alone = plan(make_fit(chinchilla), budget, H100)
    whole = plan(make_fit(chinchilla), budget, H100, PlanOptions(site=EVERYTHING))
    assert alone.cost.usd == pytest.approx(1e6, rel=1e-6)
    assert whole.cost.usd == pytest.approx(1e6, rel=1e-6)
    assert whole.tokens < alone.tokens


def test_ways_to_pay_by_hand() -> None:
    rented = H100.price_usd_per_hour
    assert Acquisition().usd_per_hour("h100-sxm", rented) == rented
    assert Acquisition(way="reserved").usd_per_hour("h100-sxm", rented) == 2.35
    half = Acquisition(way="reserved", reserved_usd_per_hour=2.0, used_share=0.5)
    assert half.usd_per_hour("h100-sxm", rented) == pytest.approx(4.0)
    bought = Acquisition(way="bought", purchase_usd=43_830, lifetime_years=5)
    assert bought.usd_per_hour("h100-sxm", rented) == pytest.approx(1.0, rel=1e-3)
    assert Acquisition(way="bought").usd_per_hour("tpu-v5p", 4.0) is None  # none is known
    with pytest.raises(PlanError, match="way to pay is not valid"):
        Acquisition(used_share=0.0)


def test_a_plan_is_paid_as_its_accelerators_are_acquired(chinchilla, make_fit) -> None:
    fit = make_fit(chinchilla)
    budget = Budget(wall_time_s=30 * 86_400, accelerators=64, acquisition=Acquisition(way="bought"))
    found = planned(fit, Scenario(accelerator=H100, budget=budget))
    per_hour = 43_000 / (5 * 365.25 * 24)
    assert found.plan.cost.usd_per_accelerator_hour == pytest.approx(per_hour, rel=2e-3)
    assert "bought at $43K for 5 years" in found.plan.assumptions["Price"]
    assert found.plan.assumptions["Electricity"] == "not counted: give a price per kWh"
    money = found.money()
    assert list(money.by_way) == ["Bought", "Rented", "Reserved"]
    assert sum(money.by_way["Bought"].values()) == pytest.approx(found.plan.cost.usd)
    assert money.by_way["Rented"]["accelerators"] == pytest.approx(64 * 720 * 2.5)
    assert money.summary().startswith("The run costs bought $")
    (sheet,) = found.sheets("money")
    assert list(sheet.columns) == ["", "Bought", "Rented", "Reserved"]
    given = planned(fit, Scenario(accelerator=H100, budget=Budget(usd=1e6, price_usd_per_hour=3.0)))
    assert next(iter(given.money().prices.items())) == ("Your own price", 3.0)


def test_a_plan_without_a_price_says_so(chinchilla, make_fit) -> None:
    budget = Budget(wall_time_s=86_400, accelerators=8, failures=Failures(stall_s=10))
    device = find_accelerator("tpu-v5p")
    acquired = Budget(wall_time_s=86_400, accelerators=8, acquisition=Acquisition(way="reserved"))
    assert planned(make_fit(chinchilla), Scenario(accelerator=H100, budget=budget)).money()
    without = planned(make_fit(chinchilla), Scenario(accelerator=device, budget=acquired))
    with pytest.raises(PlanError, match="has no price"):
        without.money()


def test_every_price_has_a_source_and_a_date() -> None:
    prices = load_prices()
    for kind in ("reserved", "purchase"):
        for key in prices[kind]:
            assert find_accelerator(key)
    for kind in ("lifetime", "hosts"):
        assert prices[kind]["source"]
    assert all(entry["source"] for entry in prices["development"])
    assert "2026-03" in reserved_price("h100-sxm").note
    assert "2024-08" in purchase_price("h100-sxm").note
    # The defaults and helps of options say these figures.
    assert Acquisition().lifetime_years == prices["lifetime"]["years"]
    assert Site().host_share == prices["hosts"]["share"]
