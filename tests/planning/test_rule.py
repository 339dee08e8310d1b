"""How size and tokens make compute."""

from __future__ import annotations

import numpy as np
import pytest

from isoflop.accounting import find_family
from isoflop.planning.family_rule import family_rule
from isoflop.planning.rule import SIX_ND, ComputeRule

LLAMA = find_family("llama-3")
FLOP = np.geomspace(1e16, 1e27, 12)


@pytest.mark.parametrize("served", [0.0, 1e12])
@pytest.mark.parametrize("convention", ["6N", "6N_attention", "appendix_f"])
def test_size_tokens_and_compute_follow_from_one_another(convention, served) -> None:
    made = family_rule(LLAMA, convention)
    rule = ComputeRule(correction=made.correction, lifetime_inference_tokens=served)
    for ratio in (0.5, 20.0, 3000.0):
        params = rule.params(FLOP, ratio)
        np.testing.assert_allclose(rule.lifetime_flop(params, ratio * params), FLOP, rtol=1e-12)
        rest = rule.tokens(params, FLOP)
        # Where nearly all goes into inference, what is left is a small difference of two sums.
        np.testing.assert_allclose(rest, ratio * params, rtol=1e-12, atol=1e-12 * served)


def test_by_six_nd_the_size_is_a_root() -> None:
    assert SIX_ND.params(5.76e23, 20.0) == pytest.approx(np.sqrt(5.76e23 / 120), rel=1e-13)
    assert SIX_ND.training_flop(70e9, 1.4e12) == 6 * 70e9 * 1.4e12


def test_rules_of_the_same_shapes_are_equal() -> None:
    """Curves are kept by their rule, so that another of the same content must be the same."""
    one, same = (family_rule(LLAMA, "appendix_f", context=4096) for _ in range(2))
    assert one == same
    assert hash(one) == hash(same)
    assert one != family_rule(LLAMA, "appendix_f", context=8192)
