from dataclasses import replace

import numpy as np
import pytest
from tests.fitting.helpers import chinchilla_table, table_of

from isoflop.errors import FitError, TableError, TooFewRows
from isoflop.fitting import FitOptions, fit
from isoflop.fitting.downstream import (
    downstream_held_out,
    downstream_notices,
    error_source,
    families_held_out,
    family_curve_notices,
    fit_downstream,
    fit_families,
    metrics,
    predict_downstream,
    predict_family,
)
from isoflop.laws import load_laws
from isoflop.tables import load_dataset

LAWS = load_laws()


def accuracy_of(loss, floor=0.25, top=0.9, k=3.0, offset=2.6):
    return floor + (top - floor) / (1 + np.exp(k * (loss - offset)))


def runs(noise=0.01, metric_noise=0.01, n_rows=40, seed=0):
    random = np.random.default_rng(seed)
    flop = np.geomspace(1e18, 1e22, n_rows)
    loss = (1.7 + 1500 * flop**-0.16) * np.exp(noise * random.standard_normal(n_rows))
    accuracy = accuracy_of(loss) + metric_noise * random.standard_normal(n_rows)
    return replace(
        table_of(compute_flop=flop, loss=loss, accuracy=accuracy.clip(0, 1), epochs=np.ones(n_rows))
    )


def truth_at(flop):
    return accuracy_of(1.7 + 1500 * flop**-0.16)


# --- Measured losses


@pytest.mark.slow
def test_two_steps_find_the_sigmoid_and_its_band_holds_the_truth():
    held, flop = 0, np.array([1e20, 1e21, 1e22, 1e23])
    for seed in range(20):
        found = fit_downstream(runs(seed=seed), "accuracy", LAWS["power_floor"], n_draws=200)
        band = predict_downstream(found, {"x": flop}).metric
        held += np.sum((band.lower <= truth_at(flop)) & (truth_at(flop) <= band.upper))
    assert 0.8 < held / 80 <= 1.0
    assert list(band.is_extrapolation) == [False, False, False, True]


@pytest.mark.slow
def test_prediction_bands_cover_new_runs():
    covered = []
    for seed in range(20):
        found = fit_downstream(runs(seed=seed), "accuracy", LAWS["power_floor"], n_draws=200)
        new = runs(seed=1000 + seed)
        band = predict_downstream(
            found, {"x": new.values("compute_flop")}, kind="prediction"
        ).metric
        values = new.values("accuracy")
        covered.append(np.mean((values >= band.lower) & (values <= band.upper)))
    assert 0.85 < np.mean(covered) < 0.95


def test_the_error_of_the_first_step_is_carried_through():
    """With noise in the loss alone, the interval is the first step's; and the other way round."""
    flop = np.array([1e23])
    noisy_loss = fit_downstream(
        runs(noise=0.03, metric_noise=0.0005), "accuracy", LAWS["power_floor"], n_draws=200
    )
    band = predict_downstream(noisy_loss, {"x": flop})
    assert "first step" in error_source(band)
    width = float(band.metric.upper[0] - band.metric.lower[0])
    assert width == pytest.approx(float(band.from_loss[1][0] - band.from_loss[0][0]), rel=0.2)
    noisy_metric = fit_downstream(
        runs(noise=0.0005, metric_noise=0.03), "accuracy", LAWS["power_floor"], n_draws=200
    )
    assert "second step" in error_source(predict_downstream(noisy_metric, {"x": flop}))


def test_both_steps_of_a_draw_rest_on_the_same_runs():
    """A run that is far off in both moves both draws: their errors are correlated."""
    table = runs(noise=0.002, metric_noise=0.002)
    frame = table.frame.copy()
    frame.loc[40, "loss"] *= 1.1
    frame.loc[40, "accuracy"] = accuracy_of(frame.loc[40, "loss"])
    bent = table.with_frame(frame)
    least_squares = FitOptions(objective="least_squares_log")
    found = fit_downstream(bent, "accuracy", LAWS["power_floor"], least_squares, n_draws=300)
    assert len(found.loss_draws) == len(found.metric_draws)
    again = fit_downstream(bent, "accuracy", LAWS["power_floor"], least_squares, n_draws=300)
    np.testing.assert_array_equal(found.metric_draws, again.metric_draws)
    floors = found.loss_draws[:, 0]
    assert floors.std() > 0.01  # with and without that run


def test_sardanas_runs_are_predicted_better_through_the_loss_than_from_compute_alone(mirror):
    """Largest decade held out: 0.4 points off through the loss, 4.6 by compute alone."""
    table = load_dataset("sardana")
    found = downstream_held_out(table, "eval_gauntlet/core_average", LAWS["kaplan_joint"])
    assert len(found.observed) == 5
    assert found.mean_absolute < 0.01
    assert found.mean_absolute_one_step > 0.03
    assert found.coverage == 1.0


def test_a_metric_at_chance_is_named(mirror):
    table = load_dataset("sardana")
    found = fit_downstream(table, "mmlu_5_shot_avg", LAWS["kaplan_joint"], n_draws=60)
    codes = {notice.code for notice in downstream_notices(found)}
    assert "metric-hardly-moves" in codes


def test_a_top_that_no_run_comes_near_is_named():
    table = runs()
    frame = table.frame[table.frame["accuracy"] < 0.5]
    low = table.with_frame(frame)
    found = fit_downstream(low, "accuracy", LAWS["power_floor"], n_draws=100)
    (notice,) = downstream_notices(found)
    assert notice.code == "top-not-identified"
    assert "the most that a share can be, while the best run reaches 48%" in notice.text


def test_metrics_are_numbers_between_0_and_1_that_vary(mirror):
    assert metrics(runs()) == ("accuracy",)
    assert "MMLU" in metrics(load_dataset("observational"))
    assert "loss" not in metrics(load_dataset("revisiting-language"))


def test_what_is_not_a_share_is_refused():
    table = runs()
    percent = table.with_frame(table.frame.assign(accuracy=100 * table.frame["accuracy"]))
    with pytest.raises(FitError, match="accuracy is not a bounded metric") as caught:
        fit_downstream(percent, "accuracy", LAWS["power_floor"])
    assert "not 0 and 1" in caught.value.detail


def test_missing_columns_and_values_are_refused():
    with pytest.raises(TableError, match="has no column MMLU"):
        fit_downstream(runs(), "MMLU", LAWS["power_floor"])
    table = runs()
    empty = table.with_frame(table.frame.assign(accuracy=np.nan))
    with pytest.raises(TooFewRows, match="No row has a value of accuracy"):
        fit_downstream(empty, "accuracy", LAWS["power_floor"])
    apart = table.frame.assign(loss=np.where(np.arange(40) < 20, table.frame["loss"], np.nan))
    apart.loc[apart.index[:20], "accuracy"] = np.nan
    with pytest.raises(TooFewRows, match="No row has all that the two steps need"):
        fit_downstream(table.with_frame(apart), "accuracy", LAWS["power_floor"])


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_an_impossible_level_is_refused(level):
    found = fit_downstream(runs(), "accuracy", LAWS["power_floor"], n_draws=20)
    with pytest.raises(FitError, match="level of a band must lie between 0 and 1"):
        predict_downstream(found, {"x": np.array([1e22])}, level=level)


# --- By family


@pytest.fixture(scope="module")
def reference():
    options = FitOptions(objective="least_squares_log", n_bootstrap=200)
    return fit(LAWS["chinchilla"], chinchilla_table(noise=0.01), options)


def models(reference, offsets=(2.4, 2.6, 2.5), noise=0.01, n_models=6, seed=0):
    """Families of one steepness, each half-way up at its own reference loss."""
    random = np.random.default_rng(seed)
    params = np.tile(np.geomspace(1e8, 3e10, n_models), len(offsets))
    tokens = 1e12 * np.ones(len(params))
    loss = reference.law.loss(reference.theta, {"N": params, "D": tokens})
    offset = np.repeat(offsets, n_models)
    accuracy = accuracy_of(loss, floor=0.25, top=1.0, k=5.0, offset=offset)
    accuracy = accuracy + noise * random.standard_normal(len(accuracy))
    return replace(
        table_of(
            params=params,
            tokens=tokens,
            compute_flop=6 * params * tokens,
            accuracy=accuracy.clip(0, 1),
            family=np.repeat([f"family {i}" for i in range(len(offsets))], n_models),
        )
    )


def test_each_family_finds_its_place(reference):
    offsets = (2.2, 2.35, 2.3)
    found = fit_families(models(reference, offsets), "accuracy", reference, n_draws=60)
    assert found.families == ("family 0", "family 1", "family 2")
    for name, offset in zip(found.families, offsets, strict=True):
        centre, lower, upper = found.offset(name)
        assert centre == pytest.approx(offset, abs=0.03)
        assert lower < centre < upper
        assert found.has_offset(name)
    assert found.r_squared > 0.98
    assert dict(zip(found.law.param_names, found.theta, strict=True))["k"] == pytest.approx(
        5, abs=1
    )


def test_the_error_of_the_reference_is_carried_into_the_offsets(reference):
    table = models(reference, noise=0.0005)
    sharp = replace(reference, draws=np.tile(reference.theta, (200, 1)))
    wide = fit_families(table, "accuracy", reference, n_draws=60)
    narrow = fit_families(table, "accuracy", sharp, n_draws=60)
    widths = [np.ptp(found.offset("family 1")[1:]) for found in (wide, narrow)]
    assert widths[0] > 3 * widths[1]


def test_the_largest_of_each_family_is_predicted(reference):
    found = families_held_out(models(reference, n_models=8), "accuracy", reference)
    assert len(found.observed) == 3
    assert found.mean_absolute < 0.04


def test_small_families_are_left_out_and_named(reference):
    table = models(reference)
    few = table.with_frame(table.frame.iloc[:14])
    found = fit_families(few, "accuracy", reference, n_draws=20)
    assert found.dropped == (("family 2", 2),)
    with pytest.raises(TooFewRows, match="1 families have 3 models or more"):
        fit_families(table.with_frame(table.frame.iloc[:8]), "accuracy", reference)


def test_a_family_at_chance_is_not_placed(reference):
    table = models(reference, offsets=(2.3, 2.35, 0.2), noise=0.004)
    found = fit_families(table, "accuracy", reference, n_draws=60)
    assert not found.has_offset("family 2")
    codes = [notice.code for notice in family_curve_notices(found)]
    assert codes == ["loss-not-measured", "family-at-chance"]


def test_a_reference_needs_draws_and_a_family_must_be_there(reference):
    table = models(reference)
    with pytest.raises(FitError, match="no bootstrap draws"):
        fit_families(table, "accuracy", replace(reference, draws=None))
    found = fit_families(table, "accuracy", reference, n_draws=20)
    with pytest.raises(FitError, match="There is no curve of GPT-5"):
        predict_family(found, "GPT-5", {"N": np.array([1e9]), "D": np.array([1e12])})


def test_a_table_without_families_is_refused(reference):
    table = models(reference)
    nameless = table.with_frame(table.frame.drop(columns="family"))
    with pytest.raises(TooFewRows, match="names no families"):
        fit_families(nameless, "accuracy", reference)


def test_benchmarks_of_148_models_by_family(mirror):
    """Offsets are as they should be: code models need more effort for HellaSwag than text."""
    chinchilla = load_dataset("chinchilla")
    law_of_loss = fit(LAWS["chinchilla"], chinchilla, FitOptions(n_bootstrap=100))
    found = fit_families(load_dataset("observational"), "HellaSwag", law_of_loss, n_draws=30)
    assert len(found.families) >= 20
    assert found.r_squared > 0.9
    assert found.offset("StarCoder")[2] < found.offset("Pythia")[1]
