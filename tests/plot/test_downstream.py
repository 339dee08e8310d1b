"""A metric through the loss: against compute and loss, by family, and what was held out."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from tests.fitting.test_downstream import models, runs
from tests.plot.helpers import n_markers, named, small_fit

from isoflop import plot
from isoflop.fitting.downstream import (
    Downstream,
    FamilyCurves,
    LargestHeldOut,
    MetricHeldOut,
    downstream_held_out,
    fit_downstream,
    fit_families,
)
from isoflop.laws import load_laws
from isoflop.planning.downstream import downstream_curve, first_step_laws
from isoflop.plot import _metric_held_out
from isoflop.plot.theme import LIGHT


@cache
def found() -> Downstream:
    return fit_downstream(runs(), "accuracy", load_laws()["power_floor"], n_draws=60)


@cache
def held() -> MetricHeldOut:
    return downstream_held_out(runs(), "accuracy", load_laws()["power_floor"])


@cache
def by_family() -> FamilyCurves:
    return fit_families(models(small_fit()), "accuracy", small_fit(), n_draws=40)


def test_every_run_is_drawn_over_compute_and_over_loss() -> None:
    for figure in (plot.downstream(found()), plot.metric_of_loss(found())):
        assert n_markers(figure) == len(found().table.frame)
        assert named(figure, "90% band")
    assert plot.downstream(found()).layout.xaxis.type == "log"
    assert plot.metric_of_loss(found()).layout.xaxis.autorange == "reversed"


def test_the_curve_over_compute_is_what_is_said_of_it() -> None:
    along = downstream_curve(found())
    (line,) = named(plot.downstream(found()), "Both steps")
    np.testing.assert_array_equal(line.y, along.band.metric.centre)
    expected, source = along.sentences()
    assert "the best run is expected to reach" in expected
    assert "step" in source
    assert load_laws()["power_floor"].key in {law.key for law in first_step_laws(runs())}


def test_held_out_runs_are_drawn_inside_or_outside_their_interval() -> None:
    figure = plot.metric_held_out(held())
    inside = sum(len(trace.x) for trace in named(figure, "predicted, inside the interval"))
    assert inside == round(held().coverage * len(held().observed))
    predicted = [t for t in figure.data if t.name.startswith("predicted, ")]
    assert sum(len(trace.text) for trace in predicted) == len(held().observed)
    assert "from compute alone" in {trace.name for trace in figure.data}
    assert f"off by {100 * held().mean_absolute:.1f} points" in figure.layout.meta["alt"]
    scale = held().split.upper.values("compute_flop")
    np.testing.assert_array_equal(held().to_frame()["observed"], held().observed[scale.argsort()])


def test_a_run_outside_its_interval_is_hollow() -> None:
    picture = _metric_held_out._Picture(
        name="Accuracy",
        observed=np.array([0.5, 0.7]),
        predicted=np.array([0.52, 0.6]),
        lower=np.array([0.45, 0.55]),
        upper=np.array([0.6, 0.65]),
        labels=("a", "b"),
    )
    figure = _metric_held_out._draw(picture, LIGHT)
    assert list(named(figure, "predicted, inside the interval")[0].text) == ["a"]
    assert list(named(figure, "predicted, outside it")[0].text) == ["b"]
    assert "off by 6.0 points" in figure.layout.meta["alt"]


def test_the_largest_model_of_each_family_is_named() -> None:
    largest = LargestHeldOut(
        metric="accuracy",
        families=("Ours <b>", "Theirs"),
        observed=np.array([0.5, 0.7]),
        predicted=np.array([0.52, 0.6]),
        lower=np.array([0.45, 0.55]),
        upper=np.array([0.6, 0.65]),
    )
    figure = plot.metric_held_out(largest)
    assert {text for t in figure.data for text in t.text or ()} == {"Ours &lt;b&gt;", "Theirs"}
    assert "within 6.0 points on average, 50% of them" in largest.summary()


def test_families_are_drawn_with_a_curve_where_their_offset_is_known() -> None:
    curves = by_family()
    figure = plot.metric_by_family(curves, families=curves.families[:2])
    assert n_markers(figure) == sum(curves.n_models[name] for name in curves.families[:2])
    lines = [trace.name for trace in figure.data if trace.mode == "lines" and not trace.fill]
    assert lines == [name for name in curves.families[:2] if curves.has_offset(name)]
    everything = plot.metric_by_family(curves)
    assert n_markers(everything) == len(curves.table.frame)


def test_offsets_are_a_table_with_the_best_first() -> None:
    frame = by_family().to_frame()
    known = frame["offset"].dropna()
    assert list(known) == sorted(known, reverse=True)
    assert frame["n_models"].sum() == len(by_family().table.frame)
    assert replace(by_family()) == by_family()
    assert by_family().summary().startswith("One sigmoid for 3 families, each with its own offset")
