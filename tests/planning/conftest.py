"""Laws and fits to plan with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from isoflop.fitting.options import FitOptions
from isoflop.fitting.result import Certificate, Fit
from isoflop.laws.law import Input, Law, Param

N, D = (
    Input(symbol="N", column="params", label="Parameters N"),
    Input(symbol="D", column="tokens", label="Tokens D"),
)
HOFFMANN = np.array([1.69337368, 406.401018, 0.33917084, 410.722827, 0.2849083])
"""E, A, alpha, B, beta: approach 3 of arXiv 2203.15556, unrounded."""


def law(formula: str, inputs: tuple[Input, ...], params: str) -> Law:
    return Law(
        key="typed",
        label="Typed",
        formula=formula,
        inputs=inputs,
        params=tuple(Param(name=name) for name in params.split()),
    )


@pytest.fixture
def make_law() -> Callable[[str, tuple[Input, ...], str], Law]:
    return law


@pytest.fixture
def chinchilla() -> Law:
    return law("E + A/N**alpha + B/D**beta", (N, D), "E A alpha B beta")


@pytest.fixture
def make_fit() -> Callable[..., Fit]:
    def build(
        law: Law,
        theta: NDArray[np.float64] = HOFFMANN,
        draws: NDArray[np.float64] | None = None,
    ) -> Fit:
        return Fit(
            law=law,
            table_id="made",
            table_fingerprint="0" * 64,
            options=FitOptions(),
            values=dict(zip((param.name for param in law.params), map(float, theta), strict=True)),
            draws=draws,
            covariance=None,
            covariance_reason="made by hand",
            objective_value=0.0,
            residual_std=0.01,
            residuals=0.01 * np.sin(np.arange(1, 31)),
            row_index=np.arange(1, 31),
            certificate=Certificate(
                n_starts=1,
                share_at_optimum=1.0,
                n_minima=1,
                gap_to_second=None,
                gradient_norm=0.0,
                condition_number=1.0,
                at_bound=(),
                n_grid=1,
            ),
            n_rows=30,
            input_ranges={"N": (1e8, 1e10), "D": (1e9, 1e12)},
        )

    return build


@pytest.fixture
def draws() -> NDArray[np.float64]:
    spread = np.array([0.02, 0.05, 0.01, 0.05, 0.01])
    noise = np.random.default_rng(0).normal(size=(200, 5))
    return HOFFMANN * np.exp(noise * spread)
