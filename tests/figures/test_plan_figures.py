"""Figures of the Plan and Reality check pages: what is drawn, and that it can be read."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import pytest

from isoflop.figures import (
    plan_bars,
    plan_compare,
    plan_frontier,
    plan_longer,
    plan_reality,
    plan_surface,
)
from isoflop.plot import theme

COUNTS, DAYS = np.array([8.0, 64.0, 512.0]), np.array([1.0, 10.0])
LOSS = np.array([[2.4, 2.2, 2.0], [2.2, 2.0, np.nan]])
GRID = plan_surface.Grid(
    accelerators=COUNTS,
    days=DAYS,
    loss=LOSS,
    params=np.full((2, 3), 1e9),
    tokens=np.full((2, 3), 2e10),
    loss_label="Loss (nats/token)",
)
HERE = plan_surface.Chosen(accelerators=64, days=10, label="loss 2")


def line(title: str, scale: float) -> plan_frontier.Line:
    values = scale * np.array([1.0, 3.0, 10.0, 30.0])
    return plan_frontier.Line(
        title=title, values=values, lower=values * 0.8, upper=values * 1.2, chosen=5 * scale
    )


def frontier() -> go.Figure:
    return plan_frontier.figure(
        np.array([1e20, 1e21, 1e22, 1e23]),
        (line("N (parameters)", 1e9), line("D (tokens)", 1e10)),
        chosen_flop=3e21,
        is_extrapolation=np.array([False, False, True, True]),
        level=0.9,
    )


LIMITS = [
    plan_bars.Limit(label="Time", share=1.0, is_binding=True, text="30 days of 30 days"),
    plan_bars.Limit(label="Money", share=0.4, is_binding=False, text="$1M of $2M"),
]
STACKS = {
    "As laid out": {"weights": 40e9, "gradients": 0.0, "optimiser": 20e9},
    "ZeRO 0": {"weights": 80e9, "gradients": 0.0, "optimiser": 480e9},
}
SWINGS = [
    plan_bars.Swing(label="MFU", low=2.1, high=1.9, low_text="32%", high_text="46%"),
    plan_bars.Swing(label="Price", low=1.95, high=2.05, low_text="2", high_text="3"),
]
POINTS = [
    plan_compare.Point(name="a", x=1e6, loss=2.0, lower=1.9, upper=2.1, text="a"),
    plan_compare.Point(name="b", x=4e6, loss=1.8, lower=None, upper=None, text="b"),
]
RATIOS = [
    plan_reality.Ratio(label="One", ratios={"6ND": 1.0, "exact": None}, reason="Word. " * 40),
    plan_reality.Ratio(label="Two", ratios={"6ND": 0.7, "exact": 0.9}, reason="Because."),
]
USES = [
    plan_reality.Utilisation(label="One", hardware="A", implied=0.4, reported=(0.4, 0.5)),
    plan_reality.Utilisation(label="Two", hardware="B", implied=0.2, reported=None),
]
SMALLER = plan_longer.Smaller(
    params=np.array([4e9, 2e9]),
    compute_ratio=np.array([1.0, 1.2]),
    tokens_ratio=np.array([1.0, 2.4]),
    labels=("the plan", "half"),
)
LIFETIME = plan_longer.Lifetime(
    inference_tokens=np.array([1e11, 1e13]),
    params=np.array([4e9, 2e9]),
    tokens=np.array([1e11, 4e11]),
)

FIGURES = {
    "surface": lambda **t: plan_surface.figure(GRID, HERE, **t),
    "limits": lambda **t: plan_bars.limits(LIMITS, **t),
    "stacks": lambda **t: plan_bars.stacks(
        STACKS, capacity_bytes=80e9, usable_bytes=72e9, title="Memory", **t
    ),
    "tornado": lambda **t: plan_bars.tornado(SWINGS, 2.0, title="Loss (nats/token)", **t),
    "compare": lambda **t: plan_compare.figure(
        POINTS, x_title="Money (US dollars)", loss_title="Loss (nats/token)", **t
    ),
    "ratios": lambda **t: plan_reality.flop_ratios(RATIOS, **t),
    "uses": lambda **t: plan_reality.utilisations(USES, {"A": 0.36, "B": 0.3}, **t),
    "smaller": lambda **t: plan_longer.smaller(SMALLER, **t),
    "lifetime": lambda **t: plan_longer.lifetime(LIFETIME, chosen_tokens=1e12, **t),
}


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("look", [theme.LIGHT, theme.DARK])
def test_every_figure_carries_its_own_template(name: str, look: theme.Theme) -> None:
    figure = FIGURES[name](theme=look)
    assert figure.layout.template.layout.paper_bgcolor == look.template.layout.paper_bgcolor
    assert figure.to_json()


def test_axes_name_their_units() -> None:
    titles = {
        name: (draw().layout.xaxis.title.text, draw().layout.yaxis.title.text)
        for name, draw in FIGURES.items()
    }
    assert titles["surface"] == ("Accelerators S", "Time R (days)")
    assert titles["stacks"][0] == "Memory (GB)"
    assert titles["limits"][0] == "Used of the limit (%)"
    assert titles["compare"] == ("Money (US dollars)", "Loss (nats/token)")
    assert titles["uses"][1] == "Utilisation of the dense peak (%)"


def test_the_surface_leaves_open_what_cannot_be_trained() -> None:
    contour, hours, star = FIGURES["surface"]().data
    assert np.isnan(contour.z[1][2])
    assert contour.connectgaps is False
    np.testing.assert_allclose(hours.x * hours.y, 640)
    assert (star.x[0], star.y[0]) == (64, 10)


def test_the_frontier_is_dashed_beyond_the_data_without_a_gap() -> None:
    within, beyond = (
        next(t for t in frontier().data if t.name == name and t.yaxis == "y")
        for name in ("Within the data", "Beyond the data")
    )
    assert np.isfinite(within.y).tolist() == [True, True, False, False]
    assert np.isfinite(beyond.y).tolist() == [False, True, True, True]
    assert beyond.line.dash == "dash"


def test_a_binding_limit_stands_out_and_is_named() -> None:
    (bars,) = FIGURES["limits"]().data
    assert bars.marker.color == (theme.ACCENT, theme.MUTED)
    assert plan_bars.limits_alt(LIMITS).endswith("Binding: Time.")


def test_empty_components_are_left_out_and_the_card_is_drawn() -> None:
    figure = FIGURES["stacks"]()
    assert [trace.name for trace in figure.data] == ["Weights", "Optimiser"]
    assert [shape.x0 for shape in figure.layout.shapes] == [80, 72]
    assert "As laid out: 60.0 GB" in plan_bars.stacks_alt(STACKS, "Memory")


def test_the_tornado_starts_at_the_plan() -> None:
    low, high = FIGURES["tornado"]().data
    assert (low.base, high.base) == (2.0, 2.0)
    np.testing.assert_allclose(low.x, [0.1, -0.05])
    np.testing.assert_allclose(high.x, [-0.1, 0.05])


def test_a_scenario_without_an_interval_has_none_drawn() -> None:
    with_band, without = FIGURES["compare"]().data
    assert with_band.error_y.array == (pytest.approx(0.1),)
    assert without.error_y.array is None


def test_an_unknown_ratio_is_not_drawn_and_reasons_are_wrapped() -> None:
    exact, plain = FIGURES["ratios"]().data
    assert (exact.name, plain.name) == ("exact", "6ND")
    assert np.isnan(exact.x[0])
    assert max(map(len, plain.text[0].split("<br>"))) <= plan_reality.HOVER_CHARACTERS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (plan_surface.alt(GRID, HERE), "from 2.400 to 2.000"),
        (plan_frontier.alt((line("N", 1.0),)), "N of compute-optimal models"),
        (plan_bars.tornado_alt(SWINGS, "Loss"), "MFU 2.1 to 1.9"),
        (plan_compare.alt(POINTS), "a: loss 2.000; b: loss 1.800"),
        (plan_reality.flop_ratios_alt(RATIOS), "2 training runs"),
        (plan_reality.utilisations_alt(USES), "20% to 40%"),
        (plan_longer.smaller_alt(SMALLER), "the plan; half"),
        (plan_longer.lifetime_alt(), "least lifetime compute"),
    ],
)
def test_figures_can_be_read_aloud(text: str, words: str) -> None:
    assert words in text
