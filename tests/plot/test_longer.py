"""Smaller models of one loss, and those of least lifetime compute."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.plot.helpers import limited_plan, small_fit

from isoflop import plot
from isoflop.planning.longer import lifetime, smaller_models


def test_every_model_that_reaches_the_loss_is_drawn() -> None:
    plan = limited_plan()
    found = smaller_models(small_fit(), plan.params, plan.tokens)
    figure = plot.smaller_models(found)
    tokens, compute = figure.data
    assert (tokens.name, compute.name) == ("Tokens", "Training compute")
    assert len(tokens.x) == len(found.reachable)
    assert (tokens.y[0], compute.y[0]) == pytest.approx((1, 1))
    assert figure.layout.xaxis.title.text == "Model size N (parameters)"
    assert "1.00 times the compute" in figure.layout.meta["alt"]


def test_the_inference_of_the_plan_is_marked_where_it_has_any() -> None:
    plan = limited_plan()
    found = lifetime(small_fit(), plan.params, plan.tokens)
    size, data = plot.lifetime(found).data
    np.testing.assert_array_equal(size.y, found.params)
    np.testing.assert_array_equal(data.y, found.tokens)
    assert not plot.lifetime(found, plan=plan).layout.shapes
    served = replace(plan, budget=replace(plan.budget, lifetime_inference_tokens=1e12))
    (line,) = plot.lifetime(found, plan=served).layout.shapes
    assert line.x0 == 1e12
