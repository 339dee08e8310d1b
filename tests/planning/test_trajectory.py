"""A law's loss along lines of models, under any rule of compute."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.planning.conftest import HOFFMANN, law

from isoflop.accounting import find_family
from isoflop.laws.law import Input
from isoflop.planning.family_rule import family_rule
from isoflop.planning.rule import ComputeRule
from isoflop.planning.trajectory import curve, equal_compute, line_of_models

APPENDIX_F = family_rule(find_family("llama-3"), "appendix_f")
SPAN = (1e18, 1e24)


@pytest.fixture
def of_compute(make_fit):
    one = law("E + k*x**(-a)", (Input(symbol="x", column="compute_flop"),), "E k a")
    return replace(make_fit(one, np.array([1.7, 400.0, 0.1])), input_ranges={"x": (1e18, 1e21)})


def test_a_curve_of_compute_is_the_law_at_the_compute_of_the_rule(of_compute) -> None:
    along = curve(of_compute, SPAN, rule=APPENDIX_F)
    np.testing.assert_allclose(along.compute_flop, np.geomspace(*SPAN, 120), rtol=1e-12)
    np.testing.assert_allclose(along.loss, 1.7 + 400.0 * along.compute_flop**-0.1, rtol=1e-12)
    np.testing.assert_allclose(along.tokens, 20 * along.params, rtol=1e-12)
    assert along.is_extrapolation.sum() == (along.compute_flop > 1.0000001e21).sum()


def test_the_best_models_of_a_dearer_rule_are_smaller(chinchilla, make_fit) -> None:
    fit, flop = make_fit(chinchilla, HOFFMANN), np.geomspace(*SPAN, 12)
    _, six, _, models = line_of_models(fit, flop)
    rule = ComputeRule(flop_per_param_token=8.0)
    _, fewer, tokens, _ = line_of_models(fit, flop, rule=rule)
    assert models == "best N and D"
    assert np.all(fewer < six)
    np.testing.assert_allclose(rule.training_flop(fewer, tokens), flop, rtol=1e-12)


def test_models_of_equal_compute_share_training_and_inference(chinchilla, make_fit) -> None:
    rule = ComputeRule(correction=APPENDIX_F.correction, lifetime_inference_tokens=3e10)
    others = equal_compute(make_fit(chinchilla, HOFFMANN), 1e9, 2e10, rule=rule)
    cost = rule.lifetime_flop(others.params, others.tokens)
    np.testing.assert_allclose(cost, rule.lifetime_flop(1e9, 2e10), rtol=1e-12)
    # Beyond some three times the size inference alone costs more than the whole.
    assert others.params.max() < 3.5e9
    assert np.all(others.tokens > 0)
    np.testing.assert_array_equal(
        others.compute_flop, rule.training_flop(others.params, others.tokens)
    )


def test_a_law_of_compute_is_flat_among_models_of_equal_compute(of_compute) -> None:
    others = equal_compute(of_compute, 1e9, 2e10, rule=APPENDIX_F)
    np.testing.assert_allclose(others.loss, others.loss[0], rtol=1e-12)


def test_a_curve_has_a_short_name_and_shows_why_it_has_no_band(chinchilla, make_fit) -> None:
    found = curve(make_fit(chinchilla), (1e20, 1e22))
    assert repr(found) == "<Curve of best N and D: 120 points, Typed>"
    assert "No band: " in found._repr_html_()
