"""Figures of the Train page: what is drawn, and what is said of it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from isoflop.accounting import (
    SMALL_FAMILIES,
    SmallFamily,
    SmallModel,
    count_small_flop,
    count_small_parameters,
)
from isoflop.figures import (
    train_bars,
    train_bets,
    train_corpus,
    train_curves,
    train_fit,
    train_rates,
)
from isoflop.plot import theme


def run_curve(n: int = 1000) -> train_curves.RunCurve:
    tokens = np.append(np.arange(1, n + 1) * 512.0, np.nan)
    return train_curves.RunCurve(
        label="lstm w32 d1 s0",
        colour_index=1,
        tokens=tokens,
        loss=np.append(2 + 3 * tokens[:-1] ** -0.2, np.nan),
        point_tokens=np.array([5e4, 1e5]),
        point_loss=np.array([2.4, 2.3]),
    )


def test_curves_have_a_line_and_their_points() -> None:
    figure = train_curves.figure([run_curve()], y_title="Loss (nats/byte)")
    line, points = figure.data
    assert line.mode == "lines"
    assert points.y.tolist() == [2.4, 2.3]
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"
    assert json.loads(figure.to_json())


def test_the_steep_start_does_not_set_the_range() -> None:
    curve = run_curve()
    curve.loss[0] = 900.0
    figure = train_curves.figure([curve], y_title="Loss")
    assert 10 ** figure.layout.yaxis.range[1] < 10


@pytest.mark.filterwarnings("error")
def test_curves_without_records_are_drawn_empty() -> None:
    nothing = np.array([np.nan])
    empty = train_curves.RunCurve(
        label="queued", colour_index=0, tokens=nothing, loss=nothing,
        point_tokens=np.empty(0), point_loss=np.empty(0),
    )  # fmt: skip
    assert len(train_curves.figure([empty], y_title="Loss").data) == 2
    assert train_curves.alt([empty]) == (
        "Training loss of 1 run against tokens, 0 budgets reached."
    )


def test_thinning_keeps_the_mean_and_the_ends() -> None:
    tokens = np.arange(1, 5001) * 512.0
    loss = 2 + 10 / np.sqrt(tokens)
    x, y = train_curves.thinned(tokens, loss, np.full(5000, 8.0))
    assert len(x) < 120
    assert np.all(np.diff(x) > 0)
    assert np.allclose(y, 2 + 10 / np.sqrt(x), rtol=0.01)
    assert x[0] == 512
    nothing = np.empty(0)
    assert train_curves.thinned(nothing, nothing, nothing)[0].size == 0


def test_losses_of_few_steps_join_the_next() -> None:
    """A record that two steps alone went into weighs as such, and is no point of its own."""
    tokens, loss = np.array([1e5, 1.2e5, 1.4e5]), np.array([9.0, 2.0, 1.8])
    x, y = train_curves.thinned(tokens, loss, np.array([2.0, 8.0, 8.0]))
    assert x == pytest.approx([1.16e5, 1.4e5])
    assert y == pytest.approx([(2 * 9 + 8 * 2) / 10, 1.8])


def test_the_token_drawn_stands_out() -> None:
    figure = train_bars.next_token(["a", "b"], [0.75, 0.25], chosen=1)
    (bars,) = figure.data
    assert list(bars.marker.color) == [theme.colour(0), theme.ACCENT]
    assert list(bars.text) == ["75.0%", "25.0%"]


def test_components_stack_to_their_models() -> None:
    models = {
        "small": {"token_embedding": 1.0, "mlp": 2.0},
        "large": {"token_embedding": 2.0, "attention": 4.0},
    }
    figure = train_bars.components(models, x_title="Parameters")
    totals = sum(np.asarray(bar.x) for bar in figure.data)
    assert totals.tolist() == [3.0, 6.0]
    assert figure.layout.barmode == "stack"


@pytest.mark.parametrize("family", SMALL_FAMILIES)
def test_a_component_has_one_colour_in_every_figure(family: SmallFamily) -> None:
    model = SmallModel(family=family, width=32, depth=2, vocab=100, context=64)
    params = count_small_parameters(model).by_component
    flop = count_small_flop(model).forward_by_component_flop
    colours: dict[str, str] = {}
    for sizes in (params, flop):
        bars = train_bars.components({"m": sizes}, x_title="Size").data
        assert sum(bar.x[0] for bar in bars) == pytest.approx(sum(sizes.values()))
        for bar in bars:
            assert colours.setdefault(bar.name, bar.marker.color) == bar.marker.color


def test_tokens_are_ranked_by_frequency() -> None:
    counts = np.array([5, 0, 50, 45])
    figure = train_corpus.figure(counts, ["a", "b", "c", "d"])
    (dots,) = figure.data
    assert list(dots.text) == ["c", "d", "a"]
    assert dots.y.tolist() == [0.5, 0.45, 0.05]


def test_the_best_rate_is_ringed_and_the_default_marked() -> None:
    sweep = train_rates.Sweep(
        label="LSTM",
        rates=np.array([0.01, 0.02, 0.04]),
        loss=np.array([2.1, 2.0, 2.2]),
        default=0.02,
    )
    figure = train_rates.figure([sweep])
    sizes = list(figure.data[0].marker.size)
    assert sizes.index(max(sizes)) == 1
    assert figure.layout.shapes[0].x0 == 0.02


def sizes() -> list[train_fit.Size]:
    tokens = np.array([1e5, 1e6])
    return [
        train_fit.Size(
            label="10K parameters", tokens=tokens, loss=np.array([2.2, 2.0]),
            curve_tokens=tokens, curve_loss=np.array([2.21, 1.99]),
        )
    ]  # fmt: skip


def test_a_bet_is_drawn_with_its_band_and_its_outcome() -> None:
    target = train_fit.Target(label="w64", tokens=2e6, loss=1.8, lower=1.7, upper=1.95)
    figure = train_fit.figure(sizes(), target)
    bet = figure.data[-1]
    assert bet.error_y.array[0] == pytest.approx(0.15)
    assert bet.error_y.arrayminus[0] == pytest.approx(0.1)
    assert "w64 predicted at 1.800 (1.700 to 1.950)" in train_fit.alt(sizes(), target)
    decided = train_fit.Target(
        label="w64", tokens=2e6, loss=1.8, lower=1.7, upper=1.95, outcome=1.82
    )
    assert train_fit.figure(sizes(), decided).data[-1].y.tolist() == [1.82]
    assert len(train_fit.figure(sizes()).data) == 2


def test_hits_and_misses_differ_in_shape() -> None:
    outcomes = [
        train_bets.Outcome(label="a", lower=-0.01, upper=0.01, error=0.005),
        train_bets.Outcome(label="b", lower=-0.01, upper=0.01, error=-0.03),
        train_bets.Outcome(label="c", lower=-0.01, upper=0.01, error=None),
    ]
    bands, hits, misses = train_bets.figure(outcomes, level=0.9).data
    assert len(bands.y) == 3
    assert (hits.x.tolist(), misses.x.tolist()) == ([1], [2])
    assert hits.marker.symbol != misses.marker.symbol
    assert train_bets.alt(outcomes) == "3 bets: 2 decided, 1 of them within their band."
