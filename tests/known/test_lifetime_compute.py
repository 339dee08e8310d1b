"""What the README of Sardana et al. (github.com/nikhilsardana/beyond-chinchilla) prints.

Its coefficients are the two-digit ones of its ``utils.py``, its prices those of the commands.
"""

import numpy as np
import pytest

from isoflop.laws import load_laws
from isoflop.planning import ComputeRule
from isoflop.planning.inverse import cheapest

LAW = load_laws()["chinchilla"]
VALUES = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.336, "beta": 0.283}
THETA = np.array([VALUES[param.name] for param in LAW.params])

# Half a unit of the last digit printed.
PRINTED = 2.5e-4


def loss(params: float, tokens: float) -> float:
    return float(LAW.loss(THETA, {"N": np.array([params]), "D": np.array([tokens])})[0])


def test_loss_of_70b_on_1t() -> None:
    assert loss(70e9, 1e12) == pytest.approx(1.947, abs=5e-4)


def test_least_lifetime_compute() -> None:
    rule = ComputeRule(lifetime_inference_tokens=2e12)
    best, plain = cheapest(LAW, THETA, 1.947, rule=rule), cheapest(LAW, THETA, 1.947)
    assert best.params == pytest.approx(2.418e10, rel=PRINTED)
    assert best.tokens == pytest.approx(2.657e12, rel=PRINTED)
    assert best.params / plain.params == pytest.approx(0.7096, abs=5e-5)
    assert best.tokens / plain.tokens == pytest.approx(1.4677, abs=5e-5)
    spent = best.compute_flop / rule.lifetime_flop(plain.params, plain.tokens)
    assert spent == pytest.approx(0.9522, abs=5e-5)


def test_least_lifetime_cost() -> None:
    hour = 3600.0
    training = 3 * 1.40 / hour / (312e12 * 0.5)  # for each FLOP of a forward pass
    prefill = 0.60 / hour / (624e12 * 0.4)  # A100 40 GB in INT8
    decode = 0.60 / hour / (624e12 * 0.2)
    ratio = (1000 * prefill + 250 * decode) / 1250 / training
    rule = ComputeRule(
        lifetime_inference_tokens=1e10 * 1250,
        inference_ratio=lambda params: np.full(params.shape, ratio),
    )
    best, plain = cheapest(LAW, THETA, 1.947, rule=rule), cheapest(LAW, THETA, 1.947)
    assert best.params == pytest.approx(2.053e10, rel=PRINTED)
    assert best.tokens == pytest.approx(3.302e12, rel=PRINTED)
    assert best.params / plain.params == pytest.approx(0.6023, abs=5e-5)
    assert best.tokens / plain.tokens == pytest.approx(1.8241, abs=5e-5)
    spent = best.compute_flop / rule.lifetime_flop(plain.params, plain.tokens)
    assert spent == pytest.approx(0.8876, abs=5e-5)


def test_compute_and_cost_of_30b() -> None:
    assert loss(30e9, 1.556e12) == pytest.approx(1.958253360475841, abs=2e-5)
    rule = ComputeRule(lifetime_inference_tokens=600 * 1e9)
    assert rule.training_flop(30e9, 1.556e12) == pytest.approx(2.801e23, rel=PRINTED)
    assert rule.lifetime_flop(30e9, 1.556e12) == pytest.approx(3.161e23, rel=PRINTED)
