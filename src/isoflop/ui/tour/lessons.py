"""The figures of the tour's lessons, with the sliders that change them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from isoflop import lessons, plot
from isoflop.lessons import (
    BandOfRuns,
    BudgetOfProfile,
    Decade,
    Floor,
    HeldBack,
    PowerLaw,
    Spread,
    Steps,
)
from isoflop.lessons.growth import families
from isoflop.options import from_mapping
from isoflop.plot import APP
from isoflop.plot.theme import Scale
from isoflop.ui import inputs, option_inputs, panels
from isoflop.ui.inputs import COMPUTE, SHARE, SMALL_COUNT, Quantity

Facts = Mapping[str, str]

PLAIN: Scale = "linear"
"""Axes on which a power law is a curve."""

FACTOR = replace(inputs.over(0.1, 10), stops=(0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0))
EXPONENT = inputs.over(-1, 1)
FLOOR = inputs.over(0, 3)
STEPS = inputs.over(0, 80)
SPREAD = replace(inputs.over(1.5, 100), stops=(1.5, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 100.0))
LEVEL = replace(SHARE, stops=(0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99))
BUDGET = replace(COMPUTE, stops=tuple(stop for stop in COMPUTE.stops if 1e18 <= stop <= 1e26))


def _quantity(owner: type, name: str, kind: Quantity) -> float:
    return option_inputs.quantity(owner, name, key=f"tour.{name}", kind=kind)


def _power() -> Facts:
    law = from_mapping(
        PowerLaw,
        {
            "factor": _quantity(PowerLaw, "factor", FACTOR),
            "exponent": _quantity(PowerLaw, "exponent", EXPONENT),
        },
    )
    curve = lessons.power_curve(law)
    left, right = panels.side_by_side()
    with left:
        panels.drawn(plot.power_law(curve, scale=PLAIN, theme=APP), key="tour.linear")
    with right:
        panels.drawn(plot.power_law(curve, theme=APP), key="tour.log")
    return curve.facts


def _floor() -> Facts:
    curve = lessons.floor_curve(Floor(loss=_quantity(Floor, "loss", FLOOR)))
    panels.drawn(plot.floor(curve, theme=APP), key="tour.floor")
    return curve.facts


def _early_stop() -> Facts:
    found = lessons.early_stop(Steps(steps=int(_quantity(Steps, "steps", STEPS))))
    panels.drawn(plot.early_stop(found, theme=APP), key="tour.early")
    return found.facts


def _both_vary() -> Facts:
    found = lessons.both_vary(Spread(factor=_quantity(Spread, "factor", SPREAD)))
    panels.drawn(plot.both_vary(found, theme=APP), key="tour.both")
    return found.facts


def _isoflop() -> Facts:
    budget = BudgetOfProfile(compute_flop=_quantity(BudgetOfProfile, "compute_flop", BUDGET))
    found = lessons.profile(budget)
    panels.drawn(plot.isoflop_profile(found, theme=APP), key="tour.isoflop")
    return found.facts


def _band() -> Facts:
    chosen = BandOfRuns(
        level=_quantity(BandOfRuns, "level", LEVEL),
        seed=int(_quantity(BandOfRuns, "seed", SMALL_COUNT)),
    )
    found = lessons.new_runs(chosen)
    panels.drawn(plot.new_runs(found, theme=APP), key="tour.band")
    return found.facts


def _decade() -> Facts:
    chosen = option_inputs.choice(Decade, "decades", key="tour.decades", style="row")
    found = lessons.decade_cost(from_mapping(Decade, {"decades": chosen}))
    panels.drawn(plot.decade_cost(found, theme=APP), key="tour.decade")
    return found.facts


def _growth() -> Facts:
    names = families()
    given = {
        "family": option_inputs.choice(
            HeldBack,
            "family",
            key="tour.family",
            default=names[-1],
            offered={name: name for name in names},
            style="row",
        ),
        "decades": option_inputs.choice(HeldBack, "decades", key="tour.held", style="row"),
    }
    found = lessons.growth(from_mapping(HeldBack, given))
    panels.drawn(plot.growth(found, theme=APP), key="tour.growth")
    return found.facts


DRAW: Mapping[str, Callable[[], Facts]] = MappingProxyType(
    {
        "power": _power,
        "floor": _floor,
        "early_stop": _early_stop,
        "both_vary": _both_vary,
        "isoflop": _isoflop,
        "band": _band,
        "decade": _decade,
        "growth": _growth,
    }
)
"""What draws the figure of each stop, by its key, and returns what its sentences leave open."""
