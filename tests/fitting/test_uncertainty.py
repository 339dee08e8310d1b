from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm, t
from tests.fitting.helpers import TRUTH, chinchilla_table, table_of

from isoflop.errors import FitError
from isoflop.fitting import FitOptions, band, fit, predict
from isoflop.fitting.bootstrap import resample_weights
from isoflop.laws import load_laws

CHINCHILLA = load_laws()["chinchilla"]
POINTS = {"N": np.array([1e8, 1e9, 1e12]), "D": np.array([1e10, 1e11, 1e13])}


@pytest.fixture(scope="module")
def table():
    return chinchilla_table(noise=0.01)


@pytest.fixture(scope="module")
def booted(table):
    return fit(CHINCHILLA, table, FitOptions(objective="least_squares_log", n_bootstrap=1000))


def test_the_same_seed_gives_the_same_draws(table, booted):
    again = fit(CHINCHILLA, table, booted.options)
    np.testing.assert_array_equal(again.draws, booted.draws)


def test_bootstrap_agrees_with_the_covariance(booted):
    spread = np.sqrt(np.diag(booted.covariance))
    assert np.std(booted.draws[:, 3:], axis=0) == pytest.approx(spread[3:], rel=0.35)


def test_every_draw_is_at_its_optimum(table):
    """Polishing the draws again, from elsewhere and harder, finds nothing lower."""
    from isoflop.fitting.fit import law_coordinates
    from isoflop.fitting.objective import make_problem
    from isoflop.fitting.rows import usable_rows
    from isoflop.fitting.solve import minimise

    options = FitOptions(n_bootstrap=300)
    result = fit(CHINCHILLA, table, options)
    rows = usable_rows(CHINCHILLA, table)
    problem = make_problem(CHINCHILLA.derived, rows.inputs, rows.target, options)
    weights = resample_weights(rows.clusters, options)
    value = problem.value(result.draws, weights)
    random = np.random.default_rng(5)
    start = result.theta * np.exp(0.1 * random.standard_normal((300, 5)))
    other = minimise(
        problem, law_coordinates(CHINCHILLA), start, weights, tolerance=1e-13, max_iterations=400
    )
    assert np.all(value <= other.value * (1 + 1e-6) + 1e-12)


def test_bands_hold_their_centre_and_widen_beyond_the_data(booted):
    inside = band(booted, POINTS)
    np.testing.assert_array_equal(inside.centre, predict(booted, POINTS))
    assert np.all((inside.lower < inside.centre) & (inside.centre < inside.upper))
    assert inside.is_extrapolation.tolist() == [False, False, True]
    width = (inside.upper - inside.lower) / inside.centre
    assert width[2] > width[1]


def test_a_prediction_band_is_wider_than_a_confidence_band(booted):
    mean, new = band(booted, POINTS), band(booted, POINTS, kind="prediction")
    assert np.all(new.upper - new.lower > mean.upper - mean.lower)
    assert (mean.kind, new.kind) == ("confidence", "prediction")


def test_a_higher_level_is_a_wider_band(booted):
    narrow, wide = band(booted, POINTS, level=0.5), band(booted, POINTS, level=0.95)
    assert np.all(wide.upper - wide.lower > narrow.upper - narrow.lower)


def test_without_draws_the_band_comes_from_the_covariance(table, booted):
    plain = fit(CHINCHILLA, table, FitOptions(objective="least_squares_log"))
    assert plain.draws is None
    first, second = band(plain, POINTS), band(booted, POINTS)
    assert (first.upper - first.lower)[:2] == pytest.approx(
        (second.upper - second.lower)[:2], rel=0.35
    )


def test_no_band_is_an_error_with_its_reason():
    law = load_laws()["power"]
    exact = fit(law, table_of(compute_flop=[1e18, 1e20], loss=[3.0, 2.5]))
    with pytest.raises(FitError) as caught:
        band(exact, {"x": [1e19]})
    assert caught.value.summary == "No band is available."
    assert "2 rows leave nothing to judge 2 parameters by" in caught.value.detail


def test_a_level_outside_0_and_1_is_refused(booted):
    with pytest.raises(FitError, match="must lie between 0 and 1"):
        band(booted, POINTS, level=1.5)


def test_clusters_move_together(table):
    runs = np.repeat(np.arange(6), 5)
    frame = table.frame
    random = np.random.default_rng(3)
    loss = frame["loss"] * np.exp(0.03 * random.standard_normal(6))[runs]
    clustered = table_of(
        params=frame["params"], tokens=frame["tokens"], loss=loss, run_id=[f"r{i}" for i in runs]
    )
    rows, clusters = (
        fit(CHINCHILLA, clustered, FitOptions(n_bootstrap=300, bootstrap=kind))
        for kind in ("rows", "clusters")
    )
    assert "clustered-rows" in {notice.code for notice in rows.notices}
    assert "clustered-rows" not in {notice.code for notice in clusters.notices}


def test_too_few_runs_to_resample(table):
    frame = table.frame
    two = table_of(
        params=frame["params"], tokens=frame["tokens"], loss=frame["loss"], run_id=["a", "b"] * 15
    )
    with pytest.raises(FitError, match="needs at least 3 runs; the table has 2"):
        fit(CHINCHILLA, two, FitOptions(n_bootstrap=100, bootstrap="clusters"))


def test_the_wild_bootstrap_agrees_with_the_covariance(table, booted):
    wild = fit(
        CHINCHILLA,
        table,
        FitOptions(objective="least_squares_log", n_bootstrap=1000, bootstrap="wild"),
    )
    spread = np.sqrt(np.diag(booted.covariance))
    assert np.std(wild.draws[:, 3:], axis=0) == pytest.approx(spread[3:], rel=0.35)
    assert np.mean(wild.draws[:, 3:], axis=0) == pytest.approx(booted.theta[3:], rel=0.05)


def test_a_simultaneous_band_holds_whole_curves(booted):
    n = np.logspace(8, 11, 40)
    points = {"N": n, "D": 20 * n}
    each, whole = band(booted, points), band(booted, points, is_simultaneous=True)
    curves = CHINCHILLA.loss(booted.draws, points)

    def share_inside(some):
        return np.mean(((curves >= some.lower) & (curves <= some.upper)).all(axis=1))

    assert whole.is_simultaneous
    # 0.9 of the draws, and more by the factor for 30 rows and 5 parameters.
    assert 0.9 <= share_inside(whole) <= 0.99
    assert share_inside(each) < share_inside(whole) - 0.02


def test_a_simultaneous_band_needs_draws(table):
    with pytest.raises(FitError, match="A simultaneous band needs bootstrap draws"):
        band(fit(CHINCHILLA, table), POINTS, is_simultaneous=True)


def test_a_narrow_huber_has_no_standard_error_on_few_rows():
    """It passes through as many rows as it has parameters, which look like small residuals."""
    few = fit(CHINCHILLA, chinchilla_table(4, 4, noise=0.01))
    assert few.covariance is None
    assert "residuals lie inside the Huber delta" in few.covariance_reason


def test_the_wild_bootstrap_warns_under_a_robust_objective(table):
    result = fit(CHINCHILLA, table, FitOptions(n_bootstrap=100, bootstrap="wild"))
    assert "wild-under-huber" in {notice.code for notice in result.notices}


# --- Against independent calculations


def test_the_covariance_is_that_of_finite_differences(table):
    """``s**2 inv(J'J)`` with the Jacobian of log loss by central differences."""
    found = fit(CHINCHILLA, table, FitOptions(objective="least_squares_log"))
    inputs = {"N": table.values("params"), "D": table.values("tokens")}
    columns = []
    for j, value in enumerate(found.theta):
        step = np.zeros(5)
        step[j] = 1e-5 * value
        up, down = (np.log(CHINCHILLA.loss(found.theta + s * step, inputs)) for s in (1, -1))
        columns.append((up - down) / (2 * step[j]))
    jacobian = np.stack(columns, axis=1)
    variance = np.sum(found.residuals**2) / (len(jacobian) - 5)
    expected = variance * np.linalg.inv(jacobian.T @ jacobian)
    np.testing.assert_allclose(found.covariance, expected, rtol=1e-4)


def test_the_covariance_band_is_the_delta_method(table):
    found = fit(CHINCHILLA, table, FitOptions(objective="least_squares_log"))
    steps = 1e-5 * np.diag(found.theta)
    up, down = (CHINCHILLA.loss(found.theta + s * steps, at(1e11, 1e12)) for s in (1, -1))
    gradient = ((up - down)[:, 0]) / (2 * np.diag(steps))
    error = np.sqrt(gradient @ found.covariance @ gradient)
    interval = band(found, at(1e11, 1e12), 0.9)
    assert (interval.upper - interval.centre)[0] == pytest.approx(t.ppf(0.95, 25) * error, rel=1e-4)
    scatter = found.residual_std * interval.centre[0]
    new = band(found, at(1e11, 1e12), 0.9, "prediction")
    reach = t.ppf(0.95, 25) * np.hypot(error, scatter)
    assert (new.upper - new.centre)[0] == pytest.approx(reach, rel=1e-4)


def at(params, tokens):
    return {"N": np.array([params]), "D": np.array([tokens])}


def test_row_weights_have_the_moments_of_resampling_and_leave_no_row_out():
    weights = resample_weights(np.arange(40), FitOptions(n_bootstrap=4000, bootstrap="smooth"))
    np.testing.assert_allclose(weights.mean(axis=1), 1.0)
    assert weights.min() > 0
    np.testing.assert_allclose(weights.mean(axis=0), 1.0, atol=0.08)
    assert weights.var(axis=0).mean() == pytest.approx(1 - 1 / 40, rel=0.05)
    np.testing.assert_allclose(np.corrcoef(weights.T)[0, 1:], -1 / 39, atol=0.08)


def test_rows_are_drawn_with_replacement_as_papers_do():
    weights = resample_weights(np.arange(40), FitOptions(n_bootstrap=400, bootstrap="rows"))
    assert set(np.unique(weights)) <= set(range(41))
    np.testing.assert_array_equal(weights.sum(axis=1), 40)


def test_whole_runs_are_drawn_with_replacement():
    clusters = np.repeat(np.arange(5), 3)
    weights = resample_weights(clusters, FitOptions(n_bootstrap=500, bootstrap="clusters"))
    assert set(np.unique(weights)) <= set(range(6))
    np.testing.assert_array_equal(weights[:, ::3], weights[:, 2::3])
    np.testing.assert_array_equal(weights.sum(axis=1), 15)


def test_a_confidence_band_is_symmetric_and_holds_its_share_of_the_draws(booted):
    robust = with_options(booted, 0, objective="huber_log")
    found = band(robust, POINTS, level=0.8)
    np.testing.assert_allclose(found.upper / found.centre, found.centre / found.lower)
    curves = CHINCHILLA.loss(robust.draws, POINTS)
    inside = ((curves >= found.lower) & (curves <= found.upper)).mean(axis=0)
    np.testing.assert_allclose(inside, 0.8, atol=2 / len(curves))


def test_small_samples_widen_the_band_by_what_they_lack(booted):
    """Student's t of the runs; under least squares the jackknife's factor, too."""
    reach = {
        name: np.log(interval.upper / interval.centre)
        for name, interval in {
            "rows": band(booted, POINTS),
            "runs": band(with_options(booted, 6, bootstrap="clusters"), POINTS),
            "narrow": band(with_options(booted, 0, objective="huber_log"), POINTS),
            "wide": band(with_options(booted, 0, objective="huber_log", huber_delta=1.0), POINTS),
        }.items()
    }
    normal = norm.ppf(0.95)
    np.testing.assert_allclose(reach["runs"] / reach["narrow"], t.ppf(0.95, 5) / normal)
    of_rows = 30 / 25 * t.ppf(0.95, 25) / normal
    np.testing.assert_allclose(reach["rows"] / reach["narrow"], of_rows)
    np.testing.assert_array_equal(reach["wide"], reach["rows"])


def with_options(found, n_clusters, **options):
    return replace(found, options=replace(found.options, **options), n_clusters=n_clusters)


def test_a_prediction_band_holds_new_runs_as_it_says(table):
    """At one point, over new noise: the band of a sure fit is that of the noise alone."""
    sure = fit(CHINCHILLA, chinchilla_table(20, 15, noise=0.01), FitOptions(n_bootstrap=300))
    random = np.random.default_rng(8)
    found = band(sure, at(1e9, 2e10), kind="prediction")
    truth = CHINCHILLA.loss([*TRUTH.values()], at(1e9, 2e10))
    new = truth * np.exp(0.01 * random.standard_normal(4000))
    assert np.mean((new > found.lower) & (new < found.upper)) == pytest.approx(0.9, abs=0.035)


def test_simultaneous_bands_hold_the_whole_truth():
    """Over 80 tables; the chance of fewer than 64 or more than 79 inside at 90% is 1%."""
    law = load_laws()["power"]
    x = np.geomspace(1e18, 1e22, 24)
    line = {"x": np.geomspace(1e18, 1e24, 30)}
    truth, n_inside = law.loss([60.0, 0.07], line), 0
    for seed in range(80):
        noise = 0.02 * np.random.default_rng(seed).standard_normal(24)
        loss = law.loss([60.0, 0.07], {"x": x}) * np.exp(noise)
        options = FitOptions(objective="least_squares_log", n_bootstrap=199, seed=seed)
        found = fit(law, table_of(compute_flop=x, loss=loss), options)
        whole = band(found, line, is_simultaneous=True)
        n_inside += bool(np.all((whole.lower <= truth) & (truth <= whole.upper)))
    assert 64 <= n_inside <= 79


def test_whole_runs_are_resampled_by_themselves_where_they_share_rows():
    auto = FitOptions(n_bootstrap=20, bootstrap="auto")
    table = chinchilla_table(noise=0.01)
    assert fit(CHINCHILLA, table, auto).options == replace(auto, bootstrap="smooth")
    runs = table.with_frame(table.frame.assign(run_id=[f"run-{i // 3}" for i in range(30)]))
    result = fit(CHINCHILLA, runs, auto)
    assert result.options == replace(auto, bootstrap="clusters")
    assert result == fit(CHINCHILLA, runs, replace(auto, bootstrap="clusters"))
    two = table.with_frame(table.frame.assign(run_id=[f"run-{i % 2}" for i in range(30)]))
    assert fit(CHINCHILLA, two, auto).options.bootstrap == "smooth"  # too few runs to resample
