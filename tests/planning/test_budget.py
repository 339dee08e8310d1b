from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import PlanError
from isoflop.planning import Budget, compute_flop, cost, find_accelerator
from isoflop.planning.budget import accelerator_hours, wall_time_s
from isoflop.planning.cost import Site

H100 = find_accelerator("h100-sxm")
DAY = 86400.0


def test_time_makes_flop() -> None:
    budget = Budget(wall_time_s=DAY, accelerators=1000, mfu=0.4, goodput=0.9)
    assert compute_flop(budget, H100) == pytest.approx(1000 * 989e12 * 0.4 * 0.9 * 86400)


def test_money_makes_the_same_flop_whatever_the_number_of_accelerators() -> None:
    one = Budget(usd=1e6, mfu=0.38, goodput=0.9, accelerators=1)
    assert compute_flop(one, H100) == pytest.approx(
        compute_flop(Budget(usd=1e6, mfu=0.38, goodput=0.9, accelerators=512), H100)
    )
    hours = 1e6 / 2.5
    assert compute_flop(one, H100) == pytest.approx(989e12 * 0.38 * 0.9 * hours * 3600)


@given(
    count=st.integers(1, 10**5),
    seconds=st.floats(60, 1e8),
    mfu=st.floats(0.01, 0.8),
    goodput=st.floats(0.1, 1),
)
def test_hours_and_money_invert_flop(
    count: int, seconds: float, mfu: float, goodput: float
) -> None:
    budget = Budget(wall_time_s=seconds, accelerators=count, mfu=mfu, goodput=goodput)
    flop = compute_flop(budget, H100)
    assert wall_time_s(flop, budget, H100) == pytest.approx(seconds)
    assert accelerator_hours(flop, budget, H100) == pytest.approx(count * seconds / 3600)
    money = cost(flop, budget, H100).usd
    assert money == pytest.approx(count * seconds / 3600 * 2.5)
    paid = Budget(usd=money, accelerators=count, mfu=mfu, goodput=goodput)
    assert compute_flop(paid, H100) == pytest.approx(flop)


def test_a_published_run_comes_out() -> None:
    # Llama 3.1 405B: 3.8e25 FLOP in 30.84M H100-hours is an MFU of 34.6%, goodput included.
    budget = Budget(compute_flop=3.8e25, accelerators=16384, mfu=0.346, goodput=1.0)
    assert accelerator_hours(3.8e25, budget, H100) == pytest.approx(30.84e6, rel=1e-3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "FLOP, money or time is needed, got none"),
        ({"compute_flop": 1e20, "accelerators": 0}, "At least one accelerator is needed, got 0"),
        ({"compute_flop": float("nan")}, "compute_flop must be positive and finite, got nan"),
        ({"usd": -5.0}, "usd must be positive and finite, got -5"),
        ({"usd": 5.0, "mfu": 1.2}, r"MFU is a share of the peak in \(0, 1\], got 1.2"),
        ({"usd": 5.0, "goodput": 0.0}, r"Goodput is a share of the time in \(0, 1\], got 0"),
        ({"usd": 5.0, "unique_tokens": 0.0}, "unique_tokens must be positive"),
        ({"usd": 5.0, "lifetime_inference_tokens": -1.0}, "Inference tokens must be zero or more"),
        ({"usd": 5.0, "price_usd_per_hour": -1.0}, "price must be zero or more"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(values: dict, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        Budget(**values)


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(PlanError, match=r"got 0\.\n.*\n?.*goodput|Goodput") as caught:
        Budget(accelerators=0, goodput=2.0)
    assert len(caught.value.detail.splitlines()) == 3


def test_an_mfu_above_the_measured_ceiling_is_refused() -> None:
    with pytest.raises(
        PlanError, match=r"MFU of 90% is more than NVIDIA H100 SXM can reach.*\n.*80.3%"
    ):
        compute_flop(Budget(wall_time_s=DAY, mfu=0.9), H100)
    with pytest.raises(PlanError, match="more than NVIDIA H100 SXM can reach"):
        compute_flop(Budget(compute_flop=1e22, mfu=0.9), H100)


def test_a_budget_below_a_step_is_refused() -> None:
    with pytest.raises(PlanError, match=r"below a single training step\.\nIt makes 1e"):
        compute_flop(Budget(compute_flop=1e3), H100)


def test_money_needs_a_price() -> None:
    with pytest.raises(PlanError, match=r"H20 has no price\.\nGive a price"):
        compute_flop(Budget(usd=100.0), find_accelerator("h20"))
    with pytest.raises(PlanError, match="costs nothing"):
        compute_flop(Budget(usd=100.0), find_accelerator("cpu-laptop-8-core"))
    own = Budget(usd=100.0, price_usd_per_hour=1.0)
    assert compute_flop(own, find_accelerator("h20")) > 1e18


def test_the_type_decides_the_peak() -> None:
    day = Budget(wall_time_s=DAY, mfu=0.3)
    ratio = compute_flop(replace(day, dtype="fp8"), H100) / compute_flop(day, H100)
    assert ratio == pytest.approx(1979 / 989)


def test_less_of_the_fp8_peak_is_expected() -> None:
    """Matrix products reach 0.8 of it, and attention stays in 16 bit."""
    day = Budget(wall_time_s=DAY)
    ratio = compute_flop(replace(day, dtype="fp8"), H100) / compute_flop(day, H100)
    assert 1.1 < ratio < 1.5


def test_energy_and_carbon_follow_from_power() -> None:
    budget = Budget(wall_time_s=3600.0, accelerators=10)
    spent = cost(
        compute_flop(budget, H100),
        budget,
        H100,
        Site(pue=1.5, host_share=1.0, carbon_kg_per_kwh=0.4),
    )
    assert spent.energy_j == pytest.approx(10 * 700 * 3600 * 1.5)
    assert spent.carbon_kg == pytest.approx(10 * 0.7 * 1.5 * 0.4)
    assert spent.accelerator_hours == pytest.approx(10)
    assert spent.usd == pytest.approx(25)


def test_what_is_not_known_stays_unknown() -> None:
    v5e, h20 = find_accelerator("tpu-v5e"), find_accelerator("h20")
    assert cost(1e20, Budget(compute_flop=1e20), v5e).energy_j is None
    assert cost(1e20, Budget(compute_flop=1e20), v5e).carbon_kg is None
    assert cost(1e20, Budget(compute_flop=1e20), h20).usd is None


def test_an_impossible_site_is_refused() -> None:
    with pytest.raises(PlanError, match=r"PUE of 0\.9 is below 1"):
        Site(pue=0.9)
    with pytest.raises(PlanError, match=r"Nodes draw 0\.5 times"):
        Site(host_share=0.5)
    with pytest.raises(PlanError, match="carbon intensity must be zero or more, got -1"):
        Site(carbon_kg_per_kwh=-1)


def test_the_least_of_several_limits_counts() -> None:
    both = Budget(compute_flop=1e21, wall_time_s=DAY)
    assert compute_flop(both, H100) == compute_flop(Budget(wall_time_s=DAY), H100)
    assert compute_flop(replace(both, wall_time_s=1e4 * DAY), H100) == 1e21


def test_electricity_and_storage_are_paid_apart() -> None:
    budget = Budget(wall_time_s=3600.0, accelerators=10)
    site = Site(pue=1.0, electricity_usd_per_kwh=0.1, storage_months=2)
    spent = cost(compute_flop(budget, H100), budget, H100, site, storage_bytes=1e12)
    assert spent.usd_compute == pytest.approx(25)
    assert spent.usd_power == pytest.approx(10 * 0.7 * 1.5 * 0.1)
    assert spent.usd_storage == pytest.approx(1000 * 0.023 * 2)
    assert spent.usd == pytest.approx(25 + 1.05 + 46)
