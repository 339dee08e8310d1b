from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.planning.minimise import minimise


@given(centre=st.floats(-8, 8), scale=st.floats(0.05, 2))
def test_finds_a_smooth_minimum_to_ten_digits(centre: float, scale: float) -> None:
    found = minimise(lambda x: np.cosh(scale * (x - centre)), -10, 10)
    assert found.is_interior
    assert found.x == pytest.approx(centre, abs=1e-10 / scale**2 + 1e-10)


def test_a_batch_gives_what_each_function_alone_gives() -> None:
    centres = np.linspace(-5, 5, 7)
    batch = minimise(lambda x: (x - centres[:, None]) ** 4 + (x - centres[:, None]) ** 2, -9, 9)
    for centre, x in zip(centres, batch.x, strict=True):
        assert x == pytest.approx(centre, abs=1e-10)


def test_a_kink_is_found_by_sections() -> None:
    found = minimise(lambda x: np.abs(x - 0.3) + 0.1 * x, -7, 5)
    assert found.is_interior
    assert found.x == pytest.approx(0.3, abs=1e-7)


def test_a_jump_in_curvature_does_not_mislead() -> None:
    def bent(x: np.ndarray) -> np.ndarray:
        return np.where(x < 0.0101, 40.0, 1.0) * (x - 0.01) ** 2

    assert minimise(bent, -3, 4).x == pytest.approx(0.01, abs=1e-6)


def test_the_deeper_of_two_minima_is_chosen() -> None:
    found = minimise(lambda x: (x**2 - 4) ** 2 + 0.5 * x, -5, 5)
    assert found.x < 0


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_monotone_function_has_no_interior_minimum(sign: float) -> None:
    found = minimise(lambda x: sign * x, -1, 1)
    assert not found.is_interior
    assert found.x == -sign


def test_a_constant_has_no_interior_minimum() -> None:
    assert not minimise(np.zeros_like, -1, 1).is_interior


def test_rounding_makes_no_minimum() -> None:
    """A sum that is constant but for its last digit has its least value somewhere by chance."""
    dip = 1e-3
    assert minimise(lambda x: np.where(np.abs(x) < 0.5, 2 - dip, 2.0), -1, 1).is_interior
    dip = 2 * np.spacing(2.0)
    assert not minimise(lambda x: np.where(np.abs(x) < 0.5, 2 - dip, 2.0), -1, 1).is_interior


def test_values_that_are_not_finite_are_never_chosen() -> None:
    with np.errstate(invalid="ignore"):
        found = minimise(lambda x: np.where(x < 0, np.nan, (x - 1) ** 2), -3, 3)
    assert found.x == pytest.approx(1.0, abs=1e-10)
    assert not minimise(lambda x: np.full_like(x, np.nan), -1, 1).is_interior


class Counted:
    """A function that counts the places it is evaluated at, for each of its batch."""

    def __init__(self, function: Callable[[np.ndarray], np.ndarray]) -> None:
        self.function = function
        self.n_places = 0

    def __call__(self, x: np.ndarray) -> np.ndarray:
        self.n_places += x.shape[-1]
        return self.function(x)


def test_a_smooth_minimum_takes_few_evaluations() -> None:
    """Half a grid of 65, its neighbours, three steps of Newton's method, a check and the value."""
    centres = np.linspace(-5, 5, 200)[:, None]
    counted = Counted(lambda x: np.exp(-0.4 * (x - centres)) + np.exp(0.3 * (x - centres)))
    minimise(counted, -15, 15)
    assert counted.n_places <= 33 + 3 + 3 * 7 + 7 + 1


def test_a_minimum_between_the_places_first_tried_is_found() -> None:
    """It lies in the first and in the last cell of the grid, of which half is tried."""
    step = 20 / 64
    for centre in (-10 + 0.8 * step, 10 - 0.8 * step):
        found = minimise(lambda x, c=centre: np.cosh(x - c), -10, 10)
        assert found.is_interior
        assert found.x == pytest.approx(centre, abs=1e-9)
