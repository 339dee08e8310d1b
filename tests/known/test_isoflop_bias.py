"""Known answer 7: the parabola's intercept is biased when alpha and beta differ, and we say so."""

import numpy as np
import pytest
from tests.fitting.helpers import table_of

from isoflop.fitting import FitOptions, fit
from isoflop.fitting.isoflop import compare_approaches, fit_profiles
from isoflop.laws import load_laws

E, A, B, ALPHA, BETA = 1.69, 406.4, 410.7, 0.34, 0.28
TRUE_SLOPE = ALPHA / (ALPHA + BETA)
TRUE_INTERCEPT = -0.555357
SIX_DIGITS = 6e-7  # the answers are given to six digits


def best_params(compute_flop):
    scale = (ALPHA * A / (BETA * B)) ** (1 / (ALPHA + BETA))
    return scale * (compute_flop / 6) ** (BETA / (ALPHA + BETA))


@pytest.fixture(scope="module")
def surface():
    """Noise-free runs at five budgets, 15 sizes over a factor of 16 each side of the best."""
    flop = np.repeat(np.logspace(17, 21, 5), 15)
    params = best_params(flop) * np.tile(np.geomspace(1 / 16, 16, 15), 5)
    tokens = flop / (6 * params)
    loss = E + A / params**ALPHA + B / tokens**BETA
    return table_of(params=params, tokens=tokens, compute_flop=flop, loss=loss)


def test_the_parabola_gives_the_known_line(surface):
    line = fit_profiles(surface, curve="parabola").tokens_line
    assert line.exponent == pytest.approx(0.548387, abs=SIX_DIGITS)
    assert line.intercept == pytest.approx(-0.578092, abs=SIX_DIGITS)
    assert line.exponent == pytest.approx(TRUE_SLOPE, abs=1e-9)


@pytest.mark.parametrize("curve", ["cubic", "akima"])
def test_curves_that_may_be_asymmetric_are_less_biased(surface, curve):
    line = fit_profiles(surface, curve=curve).tokens_line
    assert line.exponent == pytest.approx(TRUE_SLOPE, abs=1e-9)
    assert abs(line.intercept - TRUE_INTERCEPT) < 0.1 * abs(-0.578092 - TRUE_INTERCEPT)


def test_the_bias_is_estimated_from_a_fit_and_named(surface):
    law = load_laws()["chinchilla"]
    fitted = fit(law, surface, FitOptions(objective="least_squares_log"))
    found = compare_approaches(surface, fitted)
    profiles = found.approaches[1]
    assert profiles.bias is not None
    assert profiles.bias.tokens_line.intercept == pytest.approx(
        -0.578092 - TRUE_INTERCEPT, abs=1e-5
    )
    assert profiles.bias.tokens_line.exponent == pytest.approx(0, abs=1e-6)
    corrected = profiles.corrected()
    assert corrected[1].intercept == pytest.approx(TRUE_INTERCEPT, abs=1e-5)
    assert corrected[0].at(1e21) == pytest.approx(best_params(1e21), rel=1e-4)
    (notice,) = (notice for notice in found.notices if notice.code == "biased-profiles")
    assert "5% too large at 1e21 FLOP" in notice.text


def test_the_bias_vanishes_when_the_exponents_are_equal():
    flop = np.repeat(np.logspace(17, 21, 5), 15)
    best = np.sqrt(A / B) ** (1 / ALPHA) * np.sqrt(flop / 6)
    params = best * np.tile(np.geomspace(1 / 16, 16, 15), 5)
    tokens = flop / (6 * params)
    loss = E + A / params**ALPHA + B / tokens**ALPHA
    line = fit_profiles(
        table_of(params=params, tokens=tokens, compute_flop=flop, loss=loss)
    ).params_line
    assert line.exponent == pytest.approx(0.5, abs=1e-9)
    assert line.at(1e21) == pytest.approx(best[-1], rel=1e-9)
