"""Simulated tables say so, and hold exactly the law they claim."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import TableError
from isoflop.tables import simulated_table
from isoflop.tables.simulated import CHINCHILLA_VALUES, Design

DESIGNS: list[Design] = ["isoflop", "grid", "random"]


@pytest.mark.parametrize("design", DESIGNS)
def test_without_noise_it_is_the_law(design: Design) -> None:
    table = simulated_table(noise=0.0, design=design)
    v = CHINCHILLA_VALUES
    N, D = table.values("params"), table.values("tokens")
    expected = v["E"] + v["A"] / N ** v["alpha"] + v["B"] / D ** v["beta"]
    np.testing.assert_allclose(table.values("loss"), expected, rtol=1e-15)
    np.testing.assert_allclose(table.values("compute_flop"), 6 * N * D, rtol=1e-15)


@pytest.mark.parametrize("design", DESIGNS)
def test_it_says_that_it_is_simulated(design: Design) -> None:
    provenance = simulated_table(design=design).provenance
    assert provenance.is_simulated
    assert "Simulated" in provenance.title
    assert "alpha = 0.34731" in provenance.source
    assert "nobody trained" in provenance.known_problems[0]


@given(design=st.sampled_from(DESIGNS), n_rows=st.integers(9, 300), seed=st.integers(0, 2**32 - 1))
def test_rows_range_and_reproducibility(design: Design, n_rows: int, seed: int) -> None:
    table = simulated_table(design=design, n_rows=n_rows, seed=seed)
    flop = table.values("compute_flop")
    assert len(flop) == (int(np.sqrt(n_rows)) ** 2 if design == "grid" else n_rows)
    assert flop.min() >= 1e18 * (1 - 1e-9)
    assert flop.max() <= 1e22 * (1 + 1e-9)
    again = simulated_table(design=design, n_rows=n_rows, seed=seed)
    assert again.fingerprint == table.fingerprint


def test_outliers_lie_above_and_are_marked() -> None:
    plain = simulated_table(noise=0.0, n_rows=50).values("loss")
    spoilt = simulated_table(noise=0.0, n_rows=50, outliers=4)
    ratio = spoilt.values("loss") / plain
    is_outlier = spoilt.values("is_outlier") == 1
    assert is_outlier.sum() == 4
    assert (ratio[is_outlier] > 1.04).all()
    np.testing.assert_allclose(ratio[~is_outlier], 1)


def test_noise_has_the_size_asked_for() -> None:
    plain = simulated_table(noise=0.0, n_rows=5000).values("loss")
    noisy = simulated_table(noise=0.02, n_rows=5000).values("loss")
    # 5000 draws give the standard deviation to 1 in 100 (one sigma); allow five.
    assert np.std(np.log(noisy / plain)) == pytest.approx(0.02, rel=0.05)


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(TableError) as caught:
        simulated_table({"E": 1.8, "A": -1, "B": 1e3, "alpha": 0.3, "gamma": 1}, n_rows=1)
    assert caught.value.detail == (
        "beta is missing; gamma is not a parameter of the law; A is -1; it must be positive; "
        "n_rows is 1; it must lie between 4 and 100,000"
    )
