import numpy as np
import pytest
from tests.planning.conftest import HOFFMANN

from isoflop.planning import compute_optimal
from isoflop.planning.longer import FACTORS, LISTED_FACTORS, lifetime, smaller_models


def test_a_smaller_model_reaches_the_same_loss(chinchilla, make_fit) -> None:
    fit = make_fit(chinchilla)
    best = compute_optimal(chinchilla, HOFFMANN, 1e22)
    found = smaller_models(fit, float(best.params), float(best.tokens), [1, 2, 4, 1e4])
    same, half, tenth, tiny = found.models
    assert same.compute_ratio == pytest.approx(1)
    assert 1 < half.compute_ratio < tenth.compute_ratio
    loss = chinchilla.loss(HOFFMANN, {"N": [half.params], "D": [half.tokens]})[0]
    assert loss == pytest.approx(float(best.loss))
    extra = half.compute_flop - float(best.compute_flop)
    saved = 2 * (float(best.params) - half.params)
    assert half.break_even_tokens == pytest.approx(extra / saved)
    assert np.isinf(tiny.tokens)
    assert np.isinf(tiny.compute_ratio)
    assert found.loss == pytest.approx(float(best.loss))
    assert found.reachable == (same, half, tenth)
    assert found.listed == (same, half, tenth)
    assert found.smallest == tenth
    assert found.to_frame()["factor"].tolist() == [1, 2, 4, 1e4]


def test_the_usual_factors_hold_those_that_are_listed(chinchilla, make_fit) -> None:
    found = smaller_models(make_fit(chinchilla), 1e9, 1e12)
    assert np.all(np.diff(FACTORS) > 0)
    assert {model.factor for model in found.listed} <= set(LISTED_FACTORS)
    assert found.models[0].factor == 1
    assert found.smallest is not None  # far more tokens than compute-optimal: hardly any smaller


def test_the_more_inference_the_smaller_the_model_of_least_lifetime_compute(
    chinchilla, make_fit
) -> None:
    fit = make_fit(chinchilla)
    best = compute_optimal(chinchilla, HOFFMANN, 1e22)
    params, tokens = float(best.params), float(best.tokens)
    found = lifetime(fit, params, tokens)
    assert np.all(np.diff(found.params) < 0)
    assert np.all(np.diff(found.tokens) > 0)
    assert found.loss == pytest.approx(float(best.loss))
    none = lifetime(fit, params, tokens, [0.0])
    # A minimum is flat: its place is known to half the digits of its value.
    assert none.params[0] == pytest.approx(params, rel=1e-6)
    assert none.compute_flop[0] == pytest.approx(1e22)
    assert "<td>" in found._repr_html_()
    assert list(found.to_frame()) == ["inference_tokens", "params", "tokens", "compute_flop"]
