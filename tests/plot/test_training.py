"""Figures of live training: what is drawn, and what is said of it."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pytest
from tests.fitting.helpers import TRUTH, table_of
from tests.plot.helpers import named

from isoflop import plot
from isoflop.accounting import (
    SMALL_FAMILIES,
    SmallFamily,
    SmallModel,
    count_small_flop,
    count_small_parameters,
)
from isoflop.accounting.counts import ParameterCount
from isoflop.fitting import FitOptions, fit
from isoflop.laws import load_laws
from isoflop.plot import theme
from isoflop.training.attention import AttentionWeights
from isoflop.training.following import RunCurve, Sweep, thinned
from isoflop.training.forecasts import Forecast, Prediction
from isoflop.training.token_counts import TokenCounts


def run_curve(n: int = 1000, first: float | None = None) -> RunCurve:
    tokens = np.append(np.arange(1, n + 1) * 512.0, np.nan)
    loss = np.append(2 + 3 * tokens[:-1] ** -0.2, np.nan)
    if first is not None:
        loss[0] = first
    return RunCurve(
        label="lstm w32 d1 s0",
        group=1,
        tokens=tokens,
        loss=loss,
        point_tokens=np.array([5e4, 1e5]),
        point_loss=np.array([2.4, 2.3]),
    )


def test_curves_have_a_line_and_their_points() -> None:
    figure = plot.training([run_curve()])
    line, points = figure.data
    assert line.mode == "lines"
    assert points.y.tolist() == [2.4, 2.3]
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"
    assert figure.layout.yaxis.title.text == "Loss (nats/byte)"
    assert figure.layout.meta["alt"] == (
        "Training loss of 1 run against tokens, 2 budgets reached; the lowest held-out loss is "
        "2.300."
    )


def test_runs_of_other_code_are_not_said_to_have_branches() -> None:
    loss = np.array([np.nan, 3.0, 2.5, np.nan])
    nothing = np.empty(0)
    plain = RunCurve(label="a", group=0, tokens=np.array([np.nan, 1e5, 2e5, np.nan]), loss=loss,
                     point_tokens=nothing, point_loss=nothing)  # fmt: skip
    branched = dataclasses.replace(plain, loss=np.array([3.0, np.nan, 2.2, np.nan]))
    [said] = plot.training([plain]).layout.meta["notes"]
    assert said == "Lines: training loss. Dots: held-out loss at the budgets."
    [said] = plot.training([plain, branched]).layout.meta["notes"]
    assert "of the trunk and of the branch" in said


def test_the_steep_start_does_not_set_the_range() -> None:
    assert 10 ** plot.training([run_curve(first=900.0)]).layout.yaxis.range[1] < 10


def test_curves_without_records_are_drawn_empty() -> None:
    nothing = np.array([np.nan])
    empty = RunCurve(
        label="queued", group=0, tokens=nothing, loss=nothing,
        point_tokens=np.empty(0), point_loss=np.empty(0),
    )  # fmt: skip
    assert not empty.is_started
    figure = plot.training([empty])
    assert len(figure.data) == 2
    assert figure.layout.meta["alt"] == "Training loss of 1 run against tokens, 0 budgets reached."


def test_thinning_keeps_the_mean_and_the_ends() -> None:
    tokens = np.arange(1, 5001) * 512.0
    loss = 2 + 10 / np.sqrt(tokens)
    x, y = thinned(tokens, loss, np.full(5000, 8.0))
    assert len(x) < 120
    assert np.all(np.diff(x) > 0)
    assert np.allclose(y, 2 + 10 / np.sqrt(x), rtol=0.01)
    assert x[0] == 512
    nothing = np.empty(0)
    assert thinned(nothing, nothing, nothing)[0].size == 0


def test_losses_of_few_steps_join_the_next() -> None:
    """A record that two steps alone went into weighs as such, and is no point of its own."""
    tokens, loss = np.array([1e5, 1.2e5, 1.4e5]), np.array([9.0, 2.0, 1.8])
    x, y = thinned(tokens, loss, np.array([2.0, 8.0, 8.0]))
    assert x == pytest.approx([1.16e5, 1.4e5])
    assert y == pytest.approx([(2 * 9 + 8 * 2) / 10, 1.8])


def test_the_token_drawn_stands_out() -> None:
    figure = plot.next_token([(b"a", 0.75), (b"<", 0.25)], drawn=b"<")
    (bars,) = figure.data
    assert list(bars.marker.color) == [theme.colour(0), theme.ACCENT]
    assert list(bars.text) == ["75.0%", "25.0%"]
    assert list(figure.layout.yaxis.ticktext) == ["a", "&lt;"]
    assert figure.layout.meta["alt"] == "The 2 likeliest tokens; a leads."


def test_a_token_drawn_from_beyond_the_likeliest_marks_none() -> None:
    (bars,) = plot.next_token([(b"a", 0.75), (b"b", 0.2)], drawn=b"z").data
    assert theme.ACCENT not in bars.marker.color


def test_components_stack_to_their_models() -> None:
    def model(**sizes: int) -> ParameterCount:
        return ParameterCount(by_component=sizes, active_by_component=sizes)

    models = {
        "small": model(token_embedding=1, mlp=2),
        "large": model(token_embedding=2, attention=4),
    }
    figure = plot.components(models)
    totals = sum(np.asarray(bar.x) for bar in figure.data)
    assert totals.tolist() == [3.0, 6.0]
    assert figure.layout.barmode == "stack"
    assert figure.layout.meta["alt"] == "Parameters of 2 models, stacked by component."


@pytest.mark.parametrize("family", SMALL_FAMILIES)
def test_a_component_has_one_colour_in_every_figure(family: SmallFamily) -> None:
    model = SmallModel(family=family, width=32, depth=2, vocab=100, context=64)
    params, flop = count_small_parameters(model), count_small_flop(model)
    colours: dict[str, str] = {}
    for figure, total in (
        (plot.components({"m": params}), params.total),
        (plot.components({"m": flop}), flop.training_flop),
    ):
        assert sum(bar.x[0] for bar in figure.data) == pytest.approx(total)
        for bar in figure.data:
            assert colours.setdefault(bar.name, bar.marker.color) == bar.marker.color


def test_tokens_are_ranked_by_frequency() -> None:
    counted = TokenCounts(
        train_tokens=100, validation_tokens=7, bytes_per_token=1.0,
        pieces=(b"a", b"b", b"c", b"<"), counts=np.array([5, 0, 50, 45]),
    )  # fmt: skip
    (dots,) = plot.token_frequencies(counted).data
    assert list(dots.text) == ["c", "&lt;", "a"]
    assert dots.y.tolist() == [0.5, 0.45, 0.05]


def test_the_best_rate_is_ringed_and_the_default_marked() -> None:
    sweep = Sweep(
        label="LSTM",
        rates=np.array([0.01, 0.02, 0.04]),
        loss=np.array([2.1, 2.0, 2.2]),
        default=0.02,
    )
    figure = plot.learning_rates([sweep])
    sizes = list(figure.data[0].marker.size)
    assert sizes.index(max(sizes)) == 1
    assert figure.layout.shapes[0].x0 == 0.02
    assert figure.layout.meta["notes"] == [
        "LSTM: best 0.02, own 0.02. Dotted: the family's own rate."
    ]


@cache
def points():
    """Return the points of three sizes at four budgets."""
    params, tokens = (np.ravel(a) for a in np.meshgrid([1e4, 4e4, 9e4], [1e5, 2e5, 4e5, 8e5]))
    loss = TRUTH["E"] + TRUTH["A"] / params ** TRUTH["alpha"] + TRUTH["B"] / tokens ** TRUTH["beta"]
    return table_of(params=params, tokens=tokens, loss=loss)


def forecast(outcome: float | None = None, lower: float = 1.7, upper: float = 1.95) -> Forecast:
    prediction = Prediction(
        loss=1.8, lower=lower, upper=upper, level=0.9, law_key="chinchilla", table_fingerprint="",
        n_rows=12, params=2e5, tokens=2e6, compute_flop=2.4e12, extrapolation=5.0,
    )  # fmt: skip
    return Forecast(
        id="", run_id="", made="", label="w64", prediction=prediction, outcome_loss=outcome
    )


def test_a_ladder_is_drawn_size_by_size_with_the_law_through_each() -> None:
    table = points()
    law = fit(load_laws()["chinchilla"], table, FitOptions(objective="least_squares_log"))
    figure = plot.ladder(table, fit=law)
    assert len(figure.data) == 6
    for line, dots in zip(figure.data[::2], figure.data[1::2], strict=True):
        near = np.exp(np.interp(np.log(dots.x), np.log(line.x), np.log(line.y)))
        np.testing.assert_allclose(near, dots.y, rtol=1e-3)
    assert "12 points of 3 sizes and the fitted law." in figure.layout.meta["alt"]
    assert all(len(line.x) == 0 for line in plot.ladder(table).data[::2])


def test_a_forecast_is_drawn_with_its_band_and_its_outcome() -> None:
    figure = plot.ladder(points(), forecast=forecast())
    (drawn,) = named(figure, "Forecast")
    assert drawn.error_y.array[0] == pytest.approx(0.15)
    assert drawn.error_y.arrayminus[0] == pytest.approx(0.1)
    assert "w64 predicted at 1.800 (1.700 to 1.950)" in figure.layout.meta["alt"]
    assert not named(figure, "Outcome")
    (reached,) = named(plot.ladder(points(), forecast=forecast(1.82)), "Outcome")
    assert reached.y.tolist() == [1.82]


def test_forecasts_inside_and_outside_their_band_differ_in_shape() -> None:
    figure = plot.forecasts([forecast(1.82), forecast(1.5), forecast(None)])
    bands, inside, outside = figure.data
    assert len(bands.y) == 3
    assert (inside.x.tolist(), outside.x.tolist()) == ([1], [2])
    assert inside.marker.symbol != outside.marker.symbol
    assert figure.layout.meta["alt"] == "3 forecasts: 2 decided, 1 of them within their band."


def test_attention_is_shaded_up_to_the_token_itself() -> None:
    shares = np.tril(np.ones((3, 3))) / np.arange(1, 4)[:, None]
    weights = AttentionWeights(pieces=(b"a", b"<", b" "), weights=shares[None, None])
    figure = plot.attention(weights)
    (shades,) = figure.data
    assert np.isnan(np.asarray(shades.z)[0, 1])
    assert np.asarray(shades.z)[2, 0] == pytest.approx(1 / 3)
    assert list(figure.layout.xaxis.ticktext) == ["a", "&lt;", "\u2423"]
    assert figure.layout.meta["alt"] == (
        "Attention of layer 1, head 1 over 3 tokens: on average 61% on the token itself and 42% on "
        "the one before."
    )


def test_the_gap_is_held_out_less_training_loss() -> None:
    curve = dataclasses.replace(run_curve(), point_training=np.array([2.35, 2.2]))
    (line,) = plot.gap([curve, run_curve()]).data
    assert np.asarray(line.y).tolist() == pytest.approx([0.05, 0.1])
    assert plot.gap([curve]).layout.meta["alt"].endswith("+0.100 to +0.100.")


def test_sizes_of_a_family_are_told_apart_by_strength() -> None:
    small, large = (dataclasses.replace(run_curve(), shade=shade) for shade in (0.0, 1.0))
    figure = plot.training([small, large])
    thin, wide = figure.data[0], figure.data[2]
    assert thin.line.color != wide.line.color
    assert thin.line.width < wide.line.width
