"""The plans that the documentation shows are those that are drawn, and can be typed."""

import shlex
from pathlib import Path

import pytest
from benchmarks.pictures import IMAGES, PLANS, Plan

from isoflop.cli.main import build_parser
from isoflop.options import from_flags
from isoflop.planning import Budget, PlanOptions
from isoflop.units import parse_number

PAGE = (Path(__file__).parents[1] / "docs" / "plans.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_is_documented_with_its_command_and_its_picture(name: str) -> None:
    plan: Plan = PLANS[name]
    assert f"## {plan.title}\n" in PAGE
    assert shlex.join(["isoflop", *plan.arguments]) in " ".join(PAGE.replace("\\\n", "").split())
    assert f"(images/plan-{name}.png)" in PAGE
    assert (IMAGES / f"plan-{name}.png").is_file()


@pytest.mark.parametrize("name", PLANS)
def test_the_command_and_the_address_say_the_same(name: str) -> None:
    plan: Plan = PLANS[name]
    parsed = build_parser().parse_args(plan.arguments)
    budget, options = from_flags(Budget, parsed), from_flags(PlanOptions, parsed)
    asked = plan.address
    assert parsed.accelerator == asked["accelerator"]
    assert budget.accelerators == int(asked["count"])
    assert options.tokens == (parse_number(asked["own-tokens"]) if "own-tokens" in asked else None)
    read = {"time": "wall_time_s", "money": "usd", "inference": "lifetime_inference_tokens"}
    for key, field in read.items():
        held = getattr(budget, field)
        if key in asked:
            assert from_flags(Budget, build_parser().parse_args(
                [*plan.arguments, f"--{FLAGS[key]}", asked[key]])) == budget  # fmt: skip
        else:
            assert not held
    assert (options.params is not None) == (asked.get("size") == "chosen")


FLAGS = {
    "time": "time",
    "money": "usd",
    "inference": "inference-tokens",
}
