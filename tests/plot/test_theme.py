"""One look for all figures: colours that can be told apart, text that can be read, round ticks."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.plot.helpers import named, small_fit, small_plan

from isoflop import plot
from isoflop.plot import theme


@pytest.mark.parametrize("look", [theme.LIGHT, theme.DARK, theme.APP], ids=["light", "dark", "app"])
def test_figures_stand_on_their_own(look: theme.Theme) -> None:
    """A figure has its own template: Streamlit replaces Plotly's default by placeholders."""
    pio.templates["placeholders"] = go.layout.Template(layout={"colorway": ["#000001"]})
    former = pio.templates.default
    pio.templates.default = "placeholders"
    try:
        figure = plot.loss_curve(small_fit(), plan=small_plan(), theme=look)
    finally:
        pio.templates.default = former
        del pio.templates["placeholders"]
    assert figure.layout.template.layout.colorway == theme.FAMILIES
    assert [
        trace.marker.color for name in ("one", "&lt;two&gt;") for trace in named(figure, name)
    ] == list(theme.FAMILIES[:2])


def test_light_and_dark_text_can_be_read() -> None:
    for look in (theme.LIGHT, theme.DARK):
        paper = look.template.layout.paper_bgcolor
        assert contrast(look.ink, paper) > 7
        for colour in (*theme.FAMILIES, theme.ACCENT):
            assert contrast(colour, paper) > 1.7


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours as WCAG 2 defines it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_families_differ_in_shape_as_well_as_colour() -> None:
    looks = {(theme.colour(i), theme.symbol(i)) for i in range(50)}
    assert len(looks) == 50


@pytest.mark.parametrize(("low", "high"), [(1.8, 3.9), (0.001, 0.0042), (2.0, 2.01), (10, 90)])
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    ticks = theme.round_ticks(low, high)
    assert 3 <= len(ticks) <= 8
    assert ticks[0] >= low - 1e-12
    assert ticks[-1] <= high + 1e-12
    step = np.diff(ticks)
    np.testing.assert_allclose(step, step[0])


def test_ticks_of_one_value() -> None:
    assert theme.round_ticks(2.0, 2.0).tolist() == [2.0]


@given(st.integers(-(10**6), 10**6), st.just(0.0) | st.floats(1e-3, 1e3), st.integers(0, 3))
def test_round_ends_enclose_what_is_shown(thousandths: int, span: float, n_missing: int) -> None:
    low = thousandths / 1000
    first, last = theme.round_range(np.array([low, low + span, *[np.nan] * n_missing]))
    assert first < low
    assert last > low + span
    if span:
        assert last - first < 2.1 * span
