"""Prediction beyond the data: known answers, invariances, errors by their text."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.fitting.compare_helpers import floor_law, line_table
from tests.fitting.helpers import TRUTH, chinchilla_table, table_of

from isoflop import plot
from isoflop.errors import CatalogError, FitError, TableError, TooFewRows, UnitError
from isoflop.fitting import FitOptions, fit, predict
from isoflop.fitting.compare.held_out import predict_held_out, split_by_scale
from isoflop.fitting.extrapolation import (
    Extrapolation,
    constants,
    extrapolate,
    load_constants,
    pool_of_fit,
    predict_with,
)
from isoflop.fitting.extrapolation.calibration import Trial, estimate, overall, report, trials
from isoflop.fitting.extrapolation.members import members, suitable_laws
from isoflop.fitting.extrapolation.origins import Record, rolling_origin
from isoflop.laws import laws_for, load_laws
from isoflop.tables import load_dataset

LAWS = load_laws()
pytestmark = pytest.mark.slow  # nine laws, each fitted with its draws


@pytest.fixture(scope="module")
def table():
    return chinchilla_table(noise=0.004)


@pytest.fixture(scope="module")
def ahead(table) -> Extrapolation:
    return extrapolate(table, N=[1e10, 3e10], D=[5e11, 1.5e12])


def truth(params: float, tokens: float) -> float:
    return TRUTH["E"] + TRUTH["A"] / params ** TRUTH["alpha"] + TRUTH["B"] / tokens ** TRUTH["beta"]


# --- Known answers


def test_the_band_holds_the_truth_and_weights_sum_to_one(ahead):
    assert ahead.laws["weight"].sum() == pytest.approx(1.0)
    assert len(ahead.laws) == len(laws_for("extrapolation")) - 3  # experts, repeats, one twice
    assert ahead.lower[0] < truth(1e10, 5e11) < ahead.upper[0]
    assert (ahead.lower < ahead.centre).all()
    np.testing.assert_allclose(ahead.width_parts.drop(columns="half_width").sum(axis=1), 1.0)


def test_the_centre_is_the_weighted_mean_of_the_logs(ahead):
    shares = np.array([law.weight for law in ahead.laws_used])
    losses = np.stack([law.loss for law in ahead.laws_used])
    np.testing.assert_allclose(np.log(ahead.centre), shares @ np.log(losses))


def test_a_perfect_law_gets_the_weight():
    found = extrapolate(line_table(floor_law(), noise=0.0, n_rows=40), x=1e24)
    exact = [law for law in found.laws_used if law.key in ("power_floor", "shifted_power")]
    assert sum(law.weight for law in exact) > 0.999
    (only,) = (law.loss[0] for law in found.laws_used if law.key == "power_floor")
    assert found.centre[0] == pytest.approx(only, rel=1e-5)


def test_a_law_written_in_other_variables_has_no_second_voice(ahead):
    """With C = 6 N D, over-training is Chinchilla of one exponent."""
    assert "overtraining" not in ahead.laws.index
    (twin,) = (reason for label, reason in ahead.refused if label.startswith("Over-training"))
    assert twin == "On these rows it is Chinchilla, one exponent in other variables."


def test_compute_goes_by_its_usual_symbol(table):
    by_symbol = extrapolate(table, N=1e10, C=3e22)
    assert by_symbol.key == extrapolate(table, params=1e10, compute_flop=3e22).key


def test_a_run_that_would_decide_lies_beyond_the_rows_and_short_of_the_point(table):
    found = extrapolate(table, N=[1e9, 1e14], D=[2e10, 1e16])
    assert np.isnan(found.deciding[0]).all()  # among the rows the laws agree
    low, high = found.deciding[1]
    assert table.values("compute_flop").max() < low <= high <= found.inputs["compute_flop"][1]
    assert not found.disagreement_dominates(1)  # so far out the distance does
    assert found.advice(1) == ""
    torn = replace(found, disagreement=10 * found.half_width)
    assert torn.advice(1).startswith("The laws disagree: a run between")
    assert torn.advice(0).endswith("repeat runs to tell them apart.")


def test_a_fit_as_it_is_carries_the_distance_too(table):
    fitted = fit(LAWS["chinchilla"], table, FitOptions(objective="least_squares", n_bootstrap=100))
    alone = predict_with(pool_of_fit(fitted, table), N=3e10, D=5e12)
    at = {"N": np.array([3e10]), "D": np.array([5e12])}
    assert alone.centre[0] == pytest.approx(predict(fitted, at)[0])
    assert alone.distance[0] > 0
    assert alone.by == "one law alone (Chinchilla)"


def test_an_error_ten_times_smaller_counts_a_hundred_times():
    record = Record(error=np.array([[0.01, 0.02], [0.1, 0.2], [np.nan, np.nan]]))
    np.testing.assert_allclose(record.weights(2.0), np.array([100, 1, 0]) / 101)
    np.testing.assert_allclose(record.past_error, [0.015, 0.15, np.nan])
    assert record.n_cuts == 2


def test_laws_that_no_cut_judges_count_alike():
    record = Record(error=np.empty((4, 0)))
    np.testing.assert_allclose(record.weights(2.0), 0.25)
    assert record.n_cuts == 0


def test_a_rolling_origin_fit_is_the_fit_to_the_lower_rows(table):
    """The batch of weighted problems must reach what a search of its own reaches."""
    law = LAWS["chinchilla"]
    record = rolling_origin(members(table, (law,), 50, 0), (1.0,))
    held = predict_held_out(law, split_by_scale(table, 1.0))
    expected = np.mean(np.abs(np.log(held.predicted / held.observed)))
    assert record.error[0, 0] == pytest.approx(expected, rel=1e-4)


# --- What the width does


def test_the_band_grows_with_distance(table):
    found = extrapolate(table, N=[1e10, 2e10, 4e10, 1e11], D=[1e12, 2e12, 4e12, 1e13])
    assert (np.diff(found.half_width) > 0).all()
    assert (np.diff(found.width_parts["distance"]) > 0).all()
    assert (np.diff(found.decades) > 0).all()


def test_inside_the_rows_distance_adds_nothing(table):
    found = extrapolate(table, N=1e9, D=2e10)
    assert found.decades[0] == found.distance[0] == 0
    assert "within the compute of the data" in found.summary()


def test_what_was_never_tested_is_a_scenario(table):
    found = extrapolate(table, N=[1e10, 1e12], D=[1e12, 2e13])
    assert found.is_scenario.tolist() == [False, True]
    assert "scenario" in found.verdict(1)
    assert "90% band" in found.verdict(0)


def test_one_law_carries_distance_but_no_disagreement(table):
    one = extrapolate(table, N=3e10, D=5e12, law=LAWS["chinchilla"])
    assert one.disagreement[0] == 0
    assert one.distance[0] > 0
    assert one.laws["weight"].tolist() == [1.0]
    assert "One law alone predicts" in one.summary()
    quick = extrapolate(table, N=3e10, D=5e12, method="one")
    found = members(table, suitable_laws(table), 100, 0)
    assert quick.laws.index[0] == found.lowest_aicc.fit.law.key


def test_few_rows_take_the_wider_constants():
    few = extrapolate(chinchilla_table(3, 4, noise=0.004), N=1e10, D=1e12)
    assert few.has_few
    assert "few rows or cuts" in few.summary()
    shipped = load_constants()
    for method in ("average", "one"):
        usual, wide = shipped.widths[method], shipped.widths_of_few[method]
        assert wide.factor >= usual.factor
        assert wide.distance >= usual.distance


# --- Invariances


def test_the_order_of_rows_changes_nothing(table, ahead):
    other = table.with_frame(table.frame.iloc[::-1])
    found = extrapolate(other, N=[1e10, 3e10], D=[5e11, 1.5e12])
    np.testing.assert_allclose(found.centre, ahead.centre, rtol=2e-3)
    np.testing.assert_allclose(found.half_width, ahead.half_width, rtol=0.15)  # other draws


def test_quantities_symbols_and_columns_ask_for_the_same(table):
    asked = extrapolate(table, N="10B", D="500B")
    assert extrapolate(table, {"params": 1e10, "tokens": 5e11}) == asked
    frame = pd.DataFrame({"N": [1e10], "D": [5e11], "note": ["large"]})
    assert extrapolate(table, frame) == asked
    assert asked.inputs["compute_flop"][0] == pytest.approx(6 * 1e10 * 5e11)
    by_compute = extrapolate(table, N=1e10, compute_flop=3e22)
    assert by_compute.inputs["tokens"][0] == pytest.approx(5e11)


def test_a_prediction_is_known_by_its_content(table, ahead):
    again = extrapolate(table, N=[1e10, 3e10], D=[5e11, 1.5e12])
    assert again == ahead
    assert hash(again) == hash(ahead)
    assert replace(ahead, has_few=True) != ahead
    assert Extrapolation.from_json(ahead.to_json()) == ahead
    assert repr(ahead) == "<Extrapolation of test by the average of 8 laws: 2 points>"
    assert list(ahead.to_frame())[-5:] == ["lower", "centre", "upper", "decades", "is_scenario"]
    assert list(ahead.laws)[-2:] == ["prediction", "prediction_2"]
    assert "Prediction by the average" in ahead._repr_html_()


# --- Errors and notes


@pytest.mark.parametrize(
    ("at", "error", "message"),
    [
        ({}, TableError, "needs to know how large the run is"),
        ({"N": 1e10}, TableError, "needs to know how large the run is"),
        ({"N": 1e10, "speed": 3}, TableError, "No law of this table takes speed"),
        ({"N": 1e10, "params": 1e10}, TableError, "by its symbol and by its column"),
        ({"N": [1e10, 2e10], "D": [1e12, 2e12, 3e12]}, TableError, "different numbers of values"),
        ({"N": -1e10, "D": 1e12}, TableError, "must be a positive number"),
        ({"N": "ten", "D": 1e12}, UnitError, "ten"),
    ],
)
def test_points_that_cannot_be_read(table, at, error, message):
    with pytest.raises(error, match=message):
        extrapolate(table, at)


def test_tables_that_say_nothing_of_larger_runs():
    with pytest.raises(TooFewRows, match="Nothing can be predicted beyond 3 rows"):
        extrapolate(table_of(compute_flop=[1e18, 1e19, 1e20], loss=[3, 2.5, 2.2]), C=1e21)
    with pytest.raises(FitError, match="have one scale"):
        extrapolate(table_of(compute_flop=[1e18] * 5, loss=[3, 2.5, 2.2, 2, 1.9]), C=1e21)


def test_pooled_families_are_named():
    found = extrapolate(load_dataset("pile-cerebras-pythia"), N=2e10, D=4e11)
    assert found.notes[0].startswith("Rows of 2 families are taken as one (Cerebras-GPT, Pythia)")


def test_a_bad_file_of_constants_is_an_error(monkeypatch):
    monkeypatch.setattr(constants, "read_toml", lambda name: {"retrieved": "today"})
    with pytest.raises(CatalogError, match=r"entry extrapolation.toml is malformed"):
        load_constants.__wrapped__()


# --- The constants


def made_trial(source: str, *, has_few: bool = False, seed: int = 0, n: int = 400) -> Trial:
    random = np.random.default_rng(seed)
    fall = random.uniform(0.05, 0.3, n)
    return Trial(
        source=source,
        family="",
        decades=1.0,
        method="average",
        has_few=has_few,
        error=np.abs(random.standard_normal(n)) * 0.2 * fall,
        noise=np.full(n, 1e-4),
        draws=np.full(n, 1e-4),
        spread=np.full(n, 1e-4),
        fall=fall,
        best_error=0.01,
    )


def test_constants_come_back_from_errors_made_with_them():
    made = [made_trial(name, seed=i) for i, name in enumerate("abcd")]
    made += [replace(one, method="one") for one in made]
    found = estimate(made, load_constants()).widths["average"]
    assert found.distance > 0
    assert found.factor * found.distance == pytest.approx(1.645 * 0.2, rel=0.1)
    (row,) = (
        entry
        for name, entry in overall(report(made, load_constants())).iterrows()
        if name == "average"
    )
    assert row["coverage"] == pytest.approx(0.9, abs=0.03)
    assert row["sources"] == 4


def test_constants_need_trials():
    with pytest.raises(FitError, match="No trial of the method average"):
        estimate([], load_constants())


def test_trials_hold_out_the_largest_runs(table):
    made = list(trials(table, load_constants(), n_draws=30))
    assert {(one.decades, one.method) for one in made} == {
        (decades, method) for decades in (0.5, 1.0, 1.5) for method in ("average", "one")
    }
    assert all((one.error >= 0).all() and one.best_error > 0 for one in made)


# --- The figure


def test_the_figure_has_a_tick_a_law_and_a_bar_of_parts(ahead):
    figure = plot.extrapolation(ahead, point=1)
    band, laws, *bars = figure.data
    assert len(laws.x) == len(ahead.laws)
    assert band.x[0] == pytest.approx(ahead.centre[1])
    assert sum(bar.x[0] for bar in bars) == pytest.approx(1.0)
    assert "past error" in laws.y[0]
    assert f": loss {ahead.centre[1]:.4g} at" in figure.layout.meta["alt"]
    with pytest.raises(FitError, match="There is no point 2"):
        plot.extrapolation(ahead, point=2)
