"""Figures of the Compare page: what is drawn, what is left out, and what is said of it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from isoflop.figures import (
    compare_backtest,
    compare_curves,
    compare_errors,
    compare_metric,
    compare_multiplier,
    compare_offsets,
    compare_proof,
    isoflop_envelope,
    isoflop_profiles,
    isoflop_sizes,
)
from isoflop.figures.loss_curve import Points
from isoflop.plot import theme as look

FLOP = np.geomspace(1e18, 1e22, 9)


def traces(figure):
    return {trace.name: trace for trace in figure.data}


def points(name="Rows"):
    loss = 2 + FLOP**-0.05
    return Points(family=name, x=FLOP, loss=loss, labels=tuple(f"row {i}" for i in range(9)))


def test_errors_are_drawn_in_the_given_order_without_missing_ones():
    kinds = [
        compare_errors.Errors(name="Held out", error=np.array([0.5, 2.0, np.nan])),
        compare_errors.Errors(name="Rows left out", error=np.array([0.4, 1.0, 3.0])),
    ]
    figure = compare_errors.figure(["A", "B", "C"], kinds, x_title="Mean error (%)")
    assert list(traces(figure)["Held out"].y) == ["A", "B"]
    assert figure.layout.yaxis.categoryarray == ("C", "B", "A")
    assert "A comes closest" in compare_errors.alt(["A", "B", "C"], kinds)
    assert compare_errors.alt([], []) == "No errors to show."


def test_a_law_that_is_far_off_does_not_squeeze_the_rows():
    wild = compare_curves.Line(name="Linear", x=FLOP, loss=-1e3 * FLOP / 1e22)
    figure = compare_curves.figure([points()], [wild], x_title="C (FLOP)", y_title="Loss", cut=1e21)
    low, high = 10.0 ** np.array(figure.layout.yaxis.range)
    loss = points().loss
    assert 0.8 * loss.min() < low < loss.min()
    assert loss.max() < high < 1.2 * loss.max()
    assert figure.layout.shapes[0].x0 == 1e21
    assert json.loads(figure.to_json())


def test_families_take_the_colours_of_their_curves():
    lines = [
        compare_curves.Line(
            name=name, x=FLOP, loss=points().loss, lower=points().loss * 0.9,
            upper=points().loss * 1.1, colour=i,
        )
        for i, name in enumerate(("one", "other"))
    ]  # fmt: skip
    figure = compare_curves.figure(
        [points("One"), points("Other")],
        lines,
        x_title="C",
        y_title="Loss",
        is_one_group=False,
    )
    found = traces(figure)
    assert found["One"].marker.color == found["one"].line.color
    assert found["Other"].marker.color == found["other"].line.color
    assert sum(trace.fill == "toself" for trace in figure.data) == 2


def test_a_multiplier_without_end_is_not_drawn():
    centre = np.array([0.0, 0.5, 1.0, 2.0, np.inf])
    found = compare_multiplier.Multiplier(
        name="Compute",
        unit="FLOP",
        scale=np.geomspace(1e18, 1e22, 5),
        centre=centre,
        lower=centre * 0.8,
        upper=np.where(np.isinf(centre), np.inf, centre * 1.2),
        is_extrapolation=np.array([True, False, False, True, True]),
        level=0.9,
    )
    figure = compare_multiplier.figure(found, one="A", other="B")
    inside = traces(figure)["within rows of both"].y
    np.testing.assert_array_equal(np.isfinite(inside), [False, True, True, False, False])
    band = traces(figure)["90% band"].y
    assert np.isfinite(band).all()
    assert "Compute that B needs" in compare_multiplier.alt(found, one="A", other="B")
    nowhere = replace(found, centre=np.full(5, np.inf))
    assert not np.isfinite(
        traces(compare_multiplier.figure(nowhere, one="A", other="B"))["beyond rows of either"].y
    ).any()


def test_exceptions_are_hollow_and_named():
    group = compare_offsets.Offsets(
        name="Hoffmann",
        x=FLOP[:3],
        offset=np.array([0.01, -0.02, 0.05]),
        is_filled=np.array([True, True, False]),
        labels=("a", "b", "c"),
    )
    figure = compare_offsets.figure(
        [group], x_title="C", y_title="%", x_is_compute=True, exception="beyond its range"
    )
    filled, hollow = figure.data
    assert list(filled.y) == [1.0, -2.0]
    assert list(hollow.y) == [5.0]
    assert not hollow.showlegend
    assert "beyond its range" in hollow.hovertemplate
    assert "Hoffmann +1.0%" in compare_offsets.alt([group])


@pytest.mark.parametrize("is_compute", [True, False])
def test_a_metric_is_drawn_with_its_band(is_compute):
    x = FLOP if is_compute else np.linspace(2, 4, 9)
    curve = compare_metric.Curve(
        name="Sigmoid", x=x, metric=np.full(9, 0.5), lower=np.full(9, 0.4), upper=np.full(9, 0.6)
    )
    models = compare_metric.Models(name="Runs", x=x, metric=np.full(9, 0.5), labels=("",) * 9)
    figure = compare_metric.figure(
        [models], [curve], x_title="x", y_title="Accuracy", x_is_compute=is_compute
    )
    assert {"90% band", "Sigmoid", "Runs"} == set(traces(figure))
    assert figure.layout.xaxis.autorange == (None if is_compute else "reversed")
    assert "9 models" in compare_metric.alt([models], [curve], x_title="x", y_title="Accuracy")


def test_the_backtest_shades_only_complete_figures_against_the_best():
    error = np.array([[0.01, 0.2], [0.02, np.nan], [0.3, 0.1]])
    is_complete = np.array([[True, False], [True, False], [True, True]])
    figure = compare_backtest.figure(
        ["a", "b", "c"], ["t", "u"], error, is_complete=is_complete, coverage=np.full((3, 2), 0.9)
    )
    partial, trace = figure.data
    np.testing.assert_allclose(trace.z[:, 0], [0, np.log10(2), 1])
    assert np.isnan(trace.z[0, 1])
    assert trace.z[2, 1] == 0
    assert list(trace.text[0]) == ["1.0%", "(20%)"]
    assert list(trace.text[1]) == ["2.0%", ""]
    np.testing.assert_array_equal(np.isfinite(partial.z), [[0, 1], [0, 0], [0, 0]])
    shown = compare_backtest.figure(
        ["a", "b", "c"],
        ["t", "u"],
        error,
        is_complete=is_complete,
        coverage=np.full((3, 2), 0.9),
        shows_coverage=True,
    )
    assert list(shown.data[1].text[0]) == ["90%", "(90%)"]
    assert "3 laws" in compare_backtest.alt(["a", "b", "c"], ["t", "u"])


def profile(refusal=""):
    sizes = np.geomspace(1e8, 1e9, 7)
    return isoflop_profiles.Profile(
        name="1e20 FLOP",
        params=sizes,
        loss=2 + np.linspace(-1, 1, 7) ** 2,
        curve_params=sizes if not refusal else np.array([]),
        curve_loss=np.full(7, 2.0) if not refusal else np.array([]),
        optimal_params=3e8 if not refusal else np.nan,
        optimal_loss=2.0 if not refusal else np.nan,
        refusal=refusal,
    )


def test_refused_profiles_are_grey_with_their_reason():
    figure = isoflop_profiles.figure([profile(), profile("Too flat.")], y_title="Loss")
    refused = traces(figure)["Refused"]
    assert refused.text[0].endswith("Too flat.")
    assert len(traces(figure)["Lowest points"].x) == 1
    assert "1 enclose a minimum" in isoflop_profiles.alt([profile(), profile("Too flat.")])


def test_refused_profiles_alone_are_joined():
    figure = isoflop_profiles.figure([profile("Too flat."), profile("Too few.")], y_title="Loss")
    assert set(traces(figure)) == {"Refused"}
    assert figure.data[0].mode == "lines+markers"
    assert np.isnan(figure.data[0].x).sum() == 2


def test_a_wild_row_does_not_squeeze_the_offsets():
    group = compare_offsets.Offsets(
        name="Hoffmann",
        x=np.geomspace(1e18, 1e22, 100),
        offset=np.append(np.linspace(-0.02, 0.02, 99), 3.0),
        is_filled=np.ones(100, dtype=bool),
        labels=("",) * 100,
    )
    settings = {"x_title": "C", "y_title": "%", "x_is_compute": True, "exception": "beyond"}
    figure = compare_offsets.figure([group], **settings)
    assert figure.layout.yaxis.range[1] < 10
    assert "1 further off" in figure.layout.annotations[0].text
    calm = compare_offsets.figure(
        [replace(group, offset=np.linspace(-0.02, 0.02, 100))], **settings
    )
    assert calm.layout.yaxis.range is None


def test_what_was_foretold_stands_against_what_was_measured():
    proof = compare_proof.Proof(
        observed=np.array([0.5, 0.7]),
        predicted=np.array([0.52, 0.6]),
        lower=np.array([0.45, 0.55]),
        upper=np.array([0.6, 0.65]),
        rival=np.array([0.4, np.nan]),
        rival_name="from compute alone",
        labels=("a", "b"),
    )
    found = traces(compare_proof.figure(proof, name="Accuracy"))
    assert list(found["predicted, inside the interval"].text) == ["a"]
    assert list(found["predicted, outside it"].text) == ["b"]
    assert "from compute alone" in found
    assert "off by 6.0 points" in compare_proof.alt(proof, name="Accuracy")


def test_corners_that_do_not_count_are_hollow():
    corners = isoflop_envelope.Corners(
        compute_flop=FLOP[:3],
        loss=np.array([3.0, 2.5, 2.2]),
        params=np.array([1e8, 3e8, 1e9]),
        is_used=np.array([False, True, False]),
    )
    figure = isoflop_envelope.figure([(FLOP, points().loss)], corners, y_title="Loss")
    found = traces(figure)
    assert list(found["Corners used"].x) == [FLOP[1]]
    assert len(found["Smallest or largest size: not used"].x) == 2
    assert found["Learning curves"].mode == "lines+markers"
    alone = isoflop_envelope.figure([(FLOP[:1], np.array([3.0]))], corners, y_title="Loss")
    assert "Final losses" in traces(alone)
    assert "3 corners, of which 1 are used" in isoflop_envelope.alt(1, corners)


def test_lines_of_best_sizes_show_what_they_go_through():
    line = isoflop_sizes.Line(
        name="2. IsoFLOP profiles",
        place=1,
        compute_flop=FLOP,
        params=FLOP**0.5,
        lower=None,
        upper=None,
        point_flop=FLOP[:2],
        point_params=FLOP[:2] ** 0.5,
    )
    figure = isoflop_sizes.figure([line], compute_range=(1e18, 1e22))
    assert [trace.mode for trace in figure.data] == ["lines", "markers"]
    assert {trace.marker.color or trace.line.color for trace in figure.data} == {look.colour(1)}
    assert figure.layout.shapes[0].x1 == 1e22
    assert "IsoFLOP profiles 1e+11 parameters" in isoflop_sizes.alt([line])
