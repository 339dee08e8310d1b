from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from tests.fitting.compare_helpers import LEAST_SQUARES, floor_law, line_table
from tests.fitting.helpers import chinchilla_table, table_of

from isoflop.errors import FitError, TooFewRows
from isoflop.fitting import FitOptions, fit
from isoflop.fitting.compare import (
    compare_laws,
    functional_forms,
    information_criteria,
    predict_held_out,
    rank,
    split_by_scale,
    subset,
)
from isoflop.fitting.compare.score import cross_validate, folds, prediction_errors
from isoflop.fitting.diagnose import diagnostics
from isoflop.laws import laws_for, load_laws, typed_law
from isoflop.tables import load_dataset

LAWS = load_laws()


# --- Information criteria


def test_criteria_of_least_squares_are_those_of_a_normal_linear_model():
    table = line_table(floor_law())
    law = typed_law("a + b*log(compute_flop)", ["compute_flop", "loss"])
    fitted = fit(law, table, FitOptions(objective="least_squares"))
    criteria = information_criteria(diagnostics(fitted, table).problem, fitted.theta)
    design = np.stack([np.ones(24), np.log(table.frame["compute_flop"])], axis=1)
    _, rss, *_ = np.linalg.lstsq(design, table.frame["loss"])
    scale = np.sqrt(rss[0] / 24)
    residuals = table.frame["loss"] - design @ np.linalg.lstsq(design, table.frame["loss"])[0]
    expected = stats.norm.logpdf(residuals, scale=scale).sum()
    assert criteria.log_likelihood == pytest.approx(expected, abs=1e-6)
    assert criteria.n_params == 3
    assert criteria.aicc == pytest.approx(-2 * expected + 2 * 3 + 2 * 3 * 4 / (24 - 4), abs=1e-6)
    assert criteria.bic == pytest.approx(-2 * expected + 3 * np.log(24), abs=1e-6)


@pytest.mark.parametrize(
    ("objective", "delta"),
    [("huber_log", 1e-3), ("huber_log", 0.02), ("huber", 0.02), ("asymmetric_mae", 1e-3)],
)
def test_the_implied_density_integrates_to_one_and_its_scale_is_the_best(objective, delta):
    """The likelihood equals that of the density found by numerical integration."""
    from scipy.integrate import quad
    from scipy.optimize import minimize_scalar

    table = line_table(floor_law(), noise=0.02)
    options = FitOptions(objective=objective, huber_delta=delta)
    fitted = fit(LAWS["power_floor"], table, options)
    problem = diagnostics(fitted, table).problem
    residuals = -fitted.residuals  # predicted less observed, as penalties take them

    def penalty(r):
        if objective == "asymmetric_mae":
            return abs(r) * (options.asymmetry if r > 0 else 1.0)
        return 0.5 * r * r if abs(r) <= delta else delta * (abs(r) - delta / 2)

    def negative(log_scale):
        scale = np.exp(log_scale)
        width = 60 * max(np.sqrt(scale), scale / delta if objective != "asymmetric_mae" else scale)
        area = sum(
            quad(lambda r: np.exp(-penalty(r) / scale), *ends, points=None, limit=400)[0]
            for ends in ((-width, -delta), (-delta, 0), (0, delta), (delta, width))
        )
        return sum(penalty(r) for r in residuals) / scale + len(residuals) * np.log(area)

    total = sum(penalty(r) for r in residuals) / len(residuals)
    centre = np.log(total)
    best = minimize_scalar(negative, bounds=(centre - 4, centre + 4), method="bounded")
    expected = -best.fun
    if objective == "huber_log":
        expected -= np.log(table.frame["loss"]).sum()
    criteria = information_criteria(problem, fitted.theta)
    assert criteria.log_likelihood == pytest.approx(expected, rel=1e-4)


def test_too_few_rows_for_aicc_give_infinity():
    table = line_table(floor_law(), n_rows=4)
    fitted = fit(LAWS["power_floor"], table, LEAST_SQUARES)
    assert information_criteria(diagnostics(fitted, table).problem, fitted.theta).aicc == np.inf


# --- Cross-validation


def test_leave_one_out_equals_fitting_without_each_row():
    table = chinchilla_table(noise=0.01)
    fitted = fit(LAWS["chinchilla"], table, LEAST_SQUARES)
    errors = cross_validate(diagnostics(fitted, table), folds(np.arange(30)))
    for row in (0, 13, 29):
        rest = subset(table, np.arange(30) != row)
        own = fit(LAWS["chinchilla"], rest, LEAST_SQUARES)
        left = table.frame.iloc[row]
        predicted = own.law.loss(own.theta, {"N": left["params"], "D": left["tokens"]})
        assert errors.error[row] == pytest.approx(float(predicted[0]) / left["loss"] - 1, abs=1e-7)


def test_leave_one_out_of_a_linear_law_is_the_hat_matrix():
    table = line_table(lambda flop: 4 - 0.05 * np.log(flop))
    law = typed_law("a + b*log(compute_flop)", ["compute_flop", "loss"])
    fitted = fit(law, table, FitOptions(objective="least_squares"))
    errors = cross_validate(diagnostics(fitted, table), folds(np.arange(24)))
    design = np.stack([np.ones(24), np.log(table.frame["compute_flop"])], axis=1)
    leverage = np.diag(design @ np.linalg.inv(design.T @ design) @ design.T)
    expected = -fitted.residuals / (1 - leverage) / table.frame["loss"]
    # Each refit ends where the next step would gain a 1e-10th: some 1e-7 from the exact one.
    np.testing.assert_allclose(errors.error, expected, atol=1e-6)


def test_leaving_out_runs_leaves_out_all_their_rows():
    sets = folds(np.array([0, 1, 0, 2, 1, 0]))
    assert sorted(sorted(s.tolist()) for s in sets) == [[0, 2, 5], [1, 4], [3]]


def test_a_large_table_leaves_out_several_rows_at_once():
    sets = folds(np.arange(1000))
    assert len(sets) == 300
    assert sorted(np.concatenate(sets).tolist()) == list(range(1000))


def test_errors_where_the_response_may_be_zero_are_absolute():
    errors = prediction_errors(np.array([0.1, 0.3]), np.array([0.0, 0.5]), np.arange(2))
    assert not errors.is_relative
    assert errors.mean_absolute == pytest.approx(0.15)
    assert errors.bias == pytest.approx(-0.05)


def test_the_spread_of_a_difference_goes_by_runs():
    one = prediction_errors(np.array([1.1, 1.1, 1.2, 1.2]), np.ones(4), np.array([0, 0, 1, 1]))
    none = prediction_errors(np.ones(4), np.ones(4), np.array([0, 0, 1, 1]))
    excess, spread = one.excess_over(none)
    assert excess == pytest.approx(0.15)
    assert spread == pytest.approx(0.05)  # two runs 0.1 apart
    _, by_row = replace(one, unit=np.arange(4)).excess_over(none)
    assert by_row == pytest.approx(0.1 / np.sqrt(12))


# --- Held-out scale


def test_the_largest_decade_is_held_out():
    split = split_by_scale(line_table(floor_law(), n_rows=41), decades=1.0)
    assert split.column == "compute_flop"
    assert split.cut == pytest.approx(1e21)
    assert len(split.upper.frame) == 10
    assert split.lower.frame["compute_flop"].max() < split.upper.frame["compute_flop"].min()
    assert split.lower.fingerprint != split.upper.fingerprint


def test_without_compute_tokens_are_the_scale():
    table = table_of(tokens=[1e9, 1e10, 1e11], loss=[3.0, 2.5, 2.2])
    assert split_by_scale(table).column == "tokens"


def test_a_table_without_scale_is_refused():
    with pytest.raises(FitError, match="no column for the scale of a run"):
        split_by_scale(table_of(epochs=[1, 2], loss=[3.0, 2.5]))


@pytest.mark.parametrize("decades", [0.0, -1.0, float("nan")])
def test_nothing_held_out_is_refused(decades):
    with pytest.raises(FitError, match="held out must reach over more than"):
        split_by_scale(line_table(floor_law()), decades=decades)


def test_everything_held_out_is_refused():
    with pytest.raises(TooFewRows, match="No rows are left below the largest 9 decades"):
        split_by_scale(line_table(floor_law()), decades=9)


@pytest.mark.slow
def test_the_true_law_predicts_the_held_out_rows_and_its_interval_covers():
    covered, n_rows, errors = 0.0, 0, []
    for seed in range(40):
        split = split_by_scale(line_table(floor_law(), n_rows=40, seed=seed))
        options = replace(LEAST_SQUARES, n_bootstrap=200)
        found = predict_held_out(LAWS["power_floor"], split, options)
        covered += found.coverage * len(found.observed)
        n_rows += len(found.observed)
        errors.append(found.errors.bias)
    assert 0.84 < covered / n_rows < 0.94
    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(40) + 0.002


def test_without_an_interval_the_reason_is_given():
    split = split_by_scale(line_table(floor_law(), n_rows=5, upper=1e20), decades=1.0)
    found = predict_held_out(LAWS["power_floor"], split, LEAST_SQUARES)
    assert np.isnan(found.coverage)
    assert found.reason


# --- Laws on one table


@pytest.mark.parametrize(
    ("truth", "winner"),
    [
        (floor_law(), "power_floor"),
        (lambda flop: 30 * flop**-0.055, "power"),
        (lambda flop: 9.5 - 0.15 * np.log(flop), "logarithmic"),
        (lambda flop: 2 + 1.5 * np.exp(-flop / 2e21), "exponential"),
        (lambda flop: 4 - 1.5e-22 * flop, "linear"),
    ],
)
def test_the_form_that_made_the_data_wins(truth, winner):
    table = line_table(truth, noise=0.002, n_rows=40, seed=3)
    found = compare_laws(table, functional_forms("compute_flop"), LEAST_SQUARES, decades=0.7)
    ranking = rank(found)
    assert ranking.criterion == "held_out"
    tied = [place.score.law.key for place in ranking.places if place.is_tied]
    assert winner in tied
    assert ranking.places[0].score.law.key == winner or len(tied) > 1
    best = min(found.fitted, key=lambda score: score.criteria.bic)
    assert best.law.key == winner
    text = " ".join(found.sentences())
    assert "Each law was fitted to the" in text
    assert all(law.label in text for law in laws_for("functional-form"))


def test_a_comparison_uses_the_same_rows_for_every_law():
    table = chinchilla_table(noise=0.005)
    frame = table.frame.assign(unique_tokens=table.frame["tokens"])
    frame.loc[[3, 4], "unique_tokens"] = np.nan
    full = table.with_frame(frame)
    laws = [LAWS["chinchilla"], LAWS["data_constrained"]]
    found = compare_laws(full, laws, LEAST_SQUARES)
    assert found.n_left_out == 2
    assert [score.fit.n_rows for score in found.fitted] == [28, 28]


def test_a_law_that_cannot_take_part_says_why_and_the_others_go_on():
    table = chinchilla_table(noise=0.005)
    laws = [LAWS["chinchilla"], LAWS["sparse"], replace(LAWS["sigmoid"], response="tokens")]
    found = compare_laws(table, laws, LEAST_SQUARES)
    assert found.scores[1].refusal == "The table has no column sparsity."
    assert found.scores[2].refusal == "It predicts tokens, the first law loss."
    assert found.scores[0].fit is not None
    assert "Sparsity is not ranked. The table has no column sparsity." in found.sentences()


def test_a_comparison_is_a_table_in_the_order_of_the_ranking():
    table = line_table(floor_law(), noise=0.002, n_rows=20)
    laws = [*functional_forms("compute_flop"), LAWS["sparse"]]
    found = compare_laws(table, laws, LEAST_SQUARES)
    frame = found.to_frame()
    ranking = found.ranking
    assert list(frame.index[:-1]) == [place.score.law.key for place in ranking.places]
    assert frame.index[-1] == "sparse"
    assert frame["reason"].iloc[-1] == "The table has no column params, sparsity, tokens."
    assert list(frame["held_out"].iloc[:-1]) == [p.errors.mean_absolute for p in ranking.places]
    for name in ("delta_aicc", "delta_bic"):
        assert frame[name].min() == 0
    assert frame["leave_run_out"].isna().all()
    assert found.summary().startswith("\n".join(found.sentences()))
    assert "leave_run_out" not in found.summary()


def test_a_comparison_is_known_by_its_content():
    table = line_table(floor_law(), n_rows=20)
    one, again, other = (
        compare_laws(table, functional_forms("compute_flop"), LEAST_SQUARES, decades=decades)
        for decades in (0.5, 0.5, 1.0)
    )
    assert one == again
    assert hash(one) == hash(again)
    assert one != other
    assert (one.input_column, one.response, one.objective) == (
        "compute_flop", "loss", LEAST_SQUARES.objective,
    )  # fmt: skip


def test_without_a_decade_to_spare_rows_are_left_out_one_by_one():
    table = line_table(floor_law(), lower=1e20, upper=5e20)
    found = compare_laws(table, functional_forms("compute_flop"), LEAST_SQUARES)
    assert found.split is None
    assert rank(found).criterion == "leave_one_out"
    text = found.sentences()[0]
    assert "Each row was predicted by a fit to all others." in text
    assert "No rows are left below" in text


def test_checkpoints_are_left_out_by_run():
    table = chinchilla_table(noise=0.01)
    frame = table.frame.assign(run_id=np.repeat([f"run {i}" for i in range(6)], 5))
    found = compare_laws(table.with_frame(frame), [LAWS["chinchilla"]], LEAST_SQUARES)
    (score,) = found.scores
    assert score.leave_run_out.n_folds == 6
    assert score.leave_one_out.n_folds == 30


def test_a_wild_error_does_not_make_a_tie():
    """A law that is 70% off is not 'as good' because one of five errors is huge."""
    table = load_dataset("pile-cerebras-pythia")
    found = compare_laws(table, functional_forms("compute_flop"), LEAST_SQUARES)
    places = {place.score.law.key: place for place in rank(found).places}
    assert not places["linear"].is_tied


def test_no_common_rows_is_refused():
    table = table_of(params=[1e8, np.nan], tokens=[np.nan, 1e9], loss=[3.0, 2.0])
    with pytest.raises(TooFewRows, match="No row has a value for every law"):
        compare_laws(table, [LAWS["chinchilla"]])


def test_progress_is_told():
    seen = []
    compare_laws(
        line_table(floor_law()),
        functional_forms("compute_flop"),
        LEAST_SQUARES,
        progress=seen.append,
    )
    assert seen == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
