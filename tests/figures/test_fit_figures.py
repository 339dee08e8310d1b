"""Figures of the Fit page: what is drawn, and what is said of it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from isoflop.figures import (
    contours,
    fit_before_after,
    fit_design,
    fit_influence,
    fit_landscape,
    fit_pairs,
    fit_profiles,
    fit_residuals,
    fit_sensitivity,
    residuals,
)
from isoflop.plot.theme import narrow_log_axis

AXIS = np.linspace(0.1, 1.0, 20)


def relief(*, n_axes: int = 2, n_minima: int = 2) -> fit_landscape.Relief:
    mesh = np.meshgrid(*[AXIS] * n_axes)
    excess = sum((part - 0.4) ** 2 for part in mesh)
    starts = np.full((4, n_axes), 0.2) + np.arange(4)[:, None] / 10
    return fit_landscape.Relief(
        names=("alpha", "beta")[:n_axes],
        axes=(AXIS,) * n_axes,
        is_log=(False,) * n_axes,
        excess=np.asarray(excess),
        starts=starts,
        ends=np.full((4, n_axes), 0.4),
        end_excess=np.array([0.0, 0.0, 0.0, 0.3]),
        minima=np.array([0, 3][:n_minima]),
    )


@pytest.mark.parametrize("n_axes", [1, 2])
def test_landscape_marks_the_optimum_apart_from_other_minima(n_axes: int) -> None:
    figure = fit_landscape.figure(relief(n_axes=n_axes))
    names = [trace.name for trace in figure.data]
    assert {"4 starts", "Reported optimum", "Other minima"} <= set(names)
    assert figure.data[0].type == ("contour" if n_axes == 2 else "scatter")
    assert json.loads(figure.to_json())
    alone = fit_landscape.figure(relief(n_axes=n_axes, n_minima=1))
    assert "Other minima" not in [trace.name for trace in alone.data]
    said = fit_landscape.alt(relief(n_axes=n_axes))
    assert "3 of them end at the reported optimum" in said
    assert "1 other minimum found" in said


def profile(**changes: object) -> fit_profiles.Profile:
    value = np.linspace(1.0, 3.0, 21)
    given: dict[str, object] = {
        "name": "E",
        "value": value,
        "statistic": ((value - 2) / 0.3) ** 2,
        "parabola": ((value - 2) / 0.35) ** 2,
        "estimate": 2.0,
        "lower": 1.5,
        "upper": 2.5,
        "threshold": 2.7,
        "is_log": False,
        "resampled": (1.2, 2.8),
    }
    return fit_profiles.Profile(**(given | changes))  # type: ignore[arg-type]  # fields by name


@pytest.mark.parametrize("count", [1, 3, 4, 7])
def test_each_profile_has_a_chart_of_its_own(count: int) -> None:
    figure = fit_profiles.figure([profile(name=f"p{i}") for i in range(count)], level=0.9)
    assert len({trace.xaxis for trace in figure.data}) == count
    assert sum(trace.name == "Profile" and trace.showlegend for trace in figure.data) == 1


def test_open_intervals_are_said_to_be_open() -> None:
    assert fit_profiles.interval(profile()) == "1.5 to 2.5"
    assert fit_profiles.interval(profile(lower=None)) == "up to 2.5"
    assert fit_profiles.interval(profile(upper=None)) == "from 1.5"
    assert fit_profiles.interval(profile(lower=None, upper=None)) == "open on both sides"


def test_profile_shows_all_of_the_bootstrap_interval() -> None:
    figure = fit_profiles.figure([profile(resampled=(0.2, 4.0))], level=0.9)
    low, high = figure.layout.xaxis.range
    assert low < 0.2
    assert high > 4.0


def test_pair_plot_has_clouds_below_and_correlations_above() -> None:
    random = np.random.default_rng(0)
    base = random.standard_normal(400)
    columns = [
        fit_pairs.Column(name="E", values=base, estimate=0.0, is_log=False),
        fit_pairs.Column(
            name="A", values=10 ** (2 * base + 0.01 * random.standard_normal(400)),
            estimate=1.0, is_log=True,
        ),
        fit_pairs.Column(name="same", values=np.ones(400), estimate=1.0, is_log=False),
    ]  # fmt: skip
    figure = fit_pairs.figure(columns)
    texts = [trace.text[0] for trace in figure.data if trace.mode == "text"]
    assert texts == ["+1.00", "+0.00", "+0.00"]
    assert sum(trace.type == "scattergl" for trace in figure.data) == 6
    assert "E and A" in fit_pairs.alt(columns[:2])


def group(n: int = 6, far: float = 0.0) -> residuals.Residuals:
    values = np.linspace(-0.01, 0.01, n)
    values[-1] += far
    return residuals.Residuals(
        family="one", x=np.geomspace(1e7, 1e9, n), residual=values, labels=("row",) * n
    )


def test_far_residuals_are_marked_at_the_edge() -> None:
    figure = fit_residuals.along(
        [group(far=0.5)], None, x_title="N", y_title="r", scale=0.01, limit=0.06
    )
    (edge,) = [trace for trace in figure.data if trace.name == "1 further out"]
    assert list(edge.y) == [0.06]
    assert "0.51" in edge.text[0]
    assert len(figure.data[0].x) == 5
    calm = fit_residuals.along([group()], None, x_title="N", y_title="r", limit=0.06)
    assert len(calm.data) == 1


def test_quantiles_tell_rows_inside_from_outside() -> None:
    normal = np.linspace(-2, 2, 9)
    observed = normal.copy()
    observed[-1] = 30.0
    ordered = fit_residuals.Quantiles(
        normal=normal,
        observed=observed,
        lower=normal - 1,
        upper=normal + 1,
        labels=tuple(f"row {i}" for i in range(9)),
    )
    figure = fit_residuals.quantiles(ordered, level=0.95, limit=6.0)
    outside = figure.data[-1]
    assert (outside.name, list(outside.y), list(outside.text)) == ("Rows outside", [6.0], ["row 8"])
    assert "1 lie outside" in fit_residuals.quantiles_alt(ordered)


def test_clickable_rows_carry_their_number_and_dropped_ones_are_hollow() -> None:
    rows = fit_influence.Rows(
        family="one",
        leverage=np.array([0.1, 0.2]),
        residual=np.array([1.0, -2.0]),
        weight=np.array([1.0, 0.1]),
        index=np.array([7, 9]),
        is_dropped=np.array([True, False]),
        labels=("a", "b"),
    )
    figure = fit_influence.figure([rows], n_params=1)
    assert list(figure.data[0].customdata) == [7, 9]
    assert list(figure.data[0].marker.symbol) == ["circle-open", "circle"]
    assert figure.layout.clickmode == "event+select"
    assert "1 of them left out; row 7 moves the fit most" in fit_influence.alt([rows])


def test_bars_name_the_furthest_first() -> None:
    change = np.array([-18.0, 7.0])
    figure = fit_influence.bars(["row 1", "row 2"], change, x_title="%", labels=["", ""])
    assert list(figure.data[0].y) == ["row 1", "row 2"]
    assert len(set(figure.data[0].marker.color)) == 2
    assert "-18" in fit_influence.bars_alt(["row 1", "row 2"], change, x_title="%")


def test_sensitivity_marks_the_fit_and_draws_the_limit_as_a_level() -> None:
    line = fit_sensitivity.Line(
        x=np.array([1e-4, 1e-3, np.inf]),
        params=np.array([1e10, 1.2e10, 2e10]),
        here=1e-3,
        limit="Least squares",
    )
    figure = fit_sensitivity.figure(
        line, x_title="delta", x_scale="log", band=(0.8e10, 1.5e10), level=0.9
    )
    by_name = {trace.name: trace for trace in figure.data}
    assert list(by_name["This fit"].y) == [1.2e10]
    assert list(by_name["Least squares"].y) == [2e10, 2e10]
    assert len(by_name["Optimal size"].x) == 2
    nothing = fit_sensitivity.Line(x=line.x, params=np.full(3, np.nan), here=1e-3)
    assert "no compute-optimal size" in fit_sensitivity.alt(nothing, x_title="delta")


def test_before_and_after_without_a_band_has_lines_alone() -> None:
    flop = np.geomspace(1e20, 1e24, 5)
    loss = 2 + 1 / np.arange(1, 6)
    band = fit_before_after.State(name="Now", loss=loss, lower=loss - 0.1, upper=loss + 0.1)
    bare = fit_before_after.State(name="Without", loss=loss, lower=None, upper=None)
    figure = fit_before_after.figure(
        flop, [band, bare], target_flop=1e23, y_title="Loss", level=0.9
    )
    assert [trace.name for trace in figure.data] == ["Now, 90% band", "Now", "Without"]


def test_repeated_runs_are_written_as_a_multiple() -> None:
    proposed = fit_design.Proposed(
        params=np.array([1e9, 2e9]),
        tokens=np.array([1e10, 2e10]),
        count=np.array([3, 1]),
        labels=("three", "one"),
    )
    nothing = contours.Path(params=np.array([]), tokens=np.array([]))
    figure = fit_design.figure([], proposed, nothing, (1e11, 1e12))
    (runs,) = [trace for trace in figure.data if trace.name == "Proposed runs"]
    assert list(runs.text) == ["×3", ""]
    widths = fit_design.widths((1, 2), np.array([0.9, 0.8]), 0.95, 2)
    assert list(widths.data[0].y) == pytest.approx([90.0, 80.0])
    assert "2: 80%" in fit_design.widths_alt((1, 2), np.array([0.9, 0.8]))


@pytest.mark.parametrize(
    ("low", "high"), [(90.0, 110.0), (0.01, 0.5), (1e3, 9e4), (1e10, 1e13), (1e-9, 1e9)]
)
def test_narrow_log_axes_have_a_few_round_ticks(low: float, high: float) -> None:
    axis = narrow_log_axis("x", np.array([low, high]))
    assert 2 <= len(axis["tickvals"]) <= 8
    assert all(low <= value <= high for value in axis["tickvals"])
    assert len(axis["ticktext"]) == len(set(axis["ticktext"]))
