"""The one way from draws to intervals."""

import numpy as np
import pytest
from scipy.stats import t
from tests.fitting.helpers import chinchilla_table

from isoflop.fitting import FitOptions, fit
from isoflop.fitting.intervals import interval, parameter_interval
from isoflop.laws import load_laws

LAW = load_laws()["chinchilla"]


def test_an_interval_reaches_as_far_as_its_share_of_the_draws() -> None:
    draws = np.exp(np.random.default_rng(0).standard_normal((2, 1000)))
    centre = np.array([1.0, 1.2])
    lower, upper = interval(centre, draws, 0.8)
    inside = ((draws >= lower[:, None]) & (draws <= upper[:, None])).mean(axis=1)
    np.testing.assert_allclose(inside, 0.8, atol=2e-3)
    np.testing.assert_allclose(upper / centre, centre / lower)
    wide = interval(centre, draws, 0.8, factor=2.0)
    np.testing.assert_allclose(wide[1] / centre, (upper / centre) ** 2)
    flat = interval(centre, draws, 0.8, is_positive=False)
    np.testing.assert_allclose(flat[1] - centre, centre - flat[0])


@pytest.mark.parametrize(("n_missing", "has_one"), [(0, True), (9, True), (11, False), (60, False)])
def test_draws_without_the_quantity_count(n_missing: int, has_one: bool) -> None:
    """They were dropped: half of the draws could lack an optimum without a word."""
    draws = np.exp(0.1 * np.random.default_rng(0).standard_normal(100))
    full = interval(1.0, draws, 0.9)
    draws[:n_missing] = np.nan
    lower, upper = interval(1.0, draws, 0.9)
    assert np.isfinite([lower, upper]).all() == has_one
    if has_one and n_missing:
        assert upper > full[1]


def test_intervals_of_positive_parameters_are_positive_by_the_covariance_too() -> None:
    """Bug: B was printed as -7.24e6 to 1.72e7."""
    table = chinchilla_table(n_sizes=3, n_ratios=4, noise=0.03)
    found = fit(LAW, table, FitOptions(objective="least_squares_log"))
    rows = found.params()
    error = rows["std_error"]["B"]
    assert error * t.ppf(0.95, 12 - 5) > rows["value"]["B"]  # a plain interval would be negative
    assert rows["lower"]["B"] > 0
    reach = error / rows["value"]["B"] * t.ppf(0.95, 12 - 5)
    assert rows["upper"]["B"] == pytest.approx(rows["value"]["B"] * np.exp(reach))
    assert (rows["lower"] >= 0).all()
    assert (rows["upper"][["alpha", "beta"]] <= 3).all()


def test_intervals_of_parameters_are_wider_where_rows_are_few() -> None:
    table = chinchilla_table(noise=0.01)
    found = fit(LAW, table, FitOptions(objective="least_squares_log", n_bootstrap=200))
    _, lower, upper = parameter_interval(found, 0.9)
    reach = np.log(upper / lower)[1] / 2
    off = np.abs(np.log(found.draws[:, 1] / found.theta[1]))
    factor = 30 / 25 * t.ppf(0.95, 25) / 1.6448536
    assert reach == pytest.approx(factor * np.quantile(off, 0.9, method="higher"), rel=1e-6)
