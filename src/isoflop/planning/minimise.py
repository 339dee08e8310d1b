"""Minimise many smooth functions of one variable at once.

A grid over the whole range finds the basin, golden sections shrink it, and Newton's method on wide
finite differences places the minimum far more finely than comparing function values could: those
are flat to rounding within about 1e-7 of it. Where the differences cannot be trusted (a kink), the
golden sections go on instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

N_GRID = 65
GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0
COARSE_WIDTH, FINE_WIDTH = 2e-3, 1e-8
STENCIL_STEP = 0.04
N_NEWTON = 3
AGREEMENT = 1e-8
FLAT = 1e-12
"""Relative depth of a minimum below the ends that may be rounding."""

_OFFSETS = np.arange(-3.0, 4.0)
_FIRST = np.array([-1 / 60, 3 / 20, -3 / 4, 0.0, 3 / 4, -3 / 20, 1 / 60])
_SECOND = np.array([1 / 90, -3 / 20, 3 / 2, -49 / 18, 3 / 2, -3 / 20, 1 / 90])

Function = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Minimum:
    """Where a batch of functions is smallest.

    Parameters
    ----------
    x, value : ndarray, shape (...)
    is_interior : ndarray of bool, shape (...)
        False where the smallest value lies at an end of the range, or no deeper than rounding.
    """

    x: NDArray[np.float64]
    value: NDArray[np.float64]
    is_interior: NDArray[np.bool_]


def minimise(function: Function, lower: ArrayLike, upper: ArrayLike) -> Minimum:
    """Find the global minimum of each of a batch of functions between two ends.

    Parameters
    ----------
    function : callable
        Maps x, shape (..., m) or (m,), to values, shape (..., m), where ``...`` is the batch.
        Values that are not finite are never chosen.
    lower, upper : array_like
        Ends of the range; scalars, or of a shape that broadcasts against the batch.

    Returns
    -------
    Minimum
        Exact to about 1e-10 in ``x`` where the function is smooth on the scale of 0.1, and to
        about 1e-7 elsewhere.
    """
    lower, upper = np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)
    steps = np.linspace(0.0, 1.0, N_GRID)
    grid = lower[..., None] + (upper - lower)[..., None] * steps
    values = _finite(function, grid)
    best = np.argmin(values, axis=-1)
    is_interior = (best > 0) & (best < N_GRID - 1) & _is_below_the_ends(values)
    grid = np.broadcast_to(grid, values.shape)
    left = _take(grid, np.maximum(best - 1, 0))
    right = _take(grid, np.minimum(best + 1, N_GRID - 1))
    left, right = _golden(function, left, right, COARSE_WIDTH)
    x, is_smooth = _newton(function, left, right)
    if not np.all(is_smooth | ~is_interior):
        fine = np.mean(_golden(function, left, right, FINE_WIDTH), axis=0)
        x = np.where(is_smooth, x, fine)
    x = np.where(is_interior, x, _take(grid, best))
    return Minimum(x=x, value=function(x[..., None])[..., 0], is_interior=is_interior)


def _is_below_the_ends(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say where the smallest value along the last axis is deeper than rounding makes a flat line.

    A law of compute is flat along a line of constant compute.
    """
    lowest = np.min(values, axis=-1)
    end = np.minimum(values[..., 0], values[..., -1])
    return np.asarray(np.isfinite(lowest) & (lowest + FLAT * np.abs(lowest) < end))


def _golden(
    function: Function, left: NDArray[np.float64], right: NDArray[np.float64], width: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shrink brackets around minima by golden sections until all are narrower than ``width``."""
    widest = float(np.max(right - left, initial=width))
    low, high = right - GOLDEN * (right - left), left + GOLDEN * (right - left)
    f_low, f_high = (_finite(function, x[..., None])[..., 0] for x in (low, high))
    for _ in range(int(np.ceil(np.log(width / widest) / np.log(GOLDEN)))):
        keep_left = f_low < f_high
        left, right = np.where(keep_left, left, low), np.where(keep_left, high, right)
        probe = np.where(keep_left, right - GOLDEN * (right - left), left + GOLDEN * (right - left))
        f_probe = _finite(function, probe[..., None])[..., 0]
        low, high = np.where(keep_left, probe, high), np.where(keep_left, low, probe)
        f_low, f_high = np.where(keep_left, f_probe, f_high), np.where(keep_left, f_low, f_probe)
    return left, right


def _newton(
    function: Function, left: NDArray[np.float64], right: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Polish minima inside brackets; say where two stencil widths agree on the place."""
    x = (left + right) / 2
    slack = right - left
    with np.errstate(all="ignore"):
        for _ in range(N_NEWTON):
            x = np.clip(x - _newton_step(function, x, STENCIL_STEP), left - slack, right + slack)
        check = _newton_step(function, x, STENCIL_STEP / 2)
    is_smooth = (np.abs(check) < AGREEMENT) & (x > left - slack / 2) & (x < right + slack / 2)
    return x - np.where(is_smooth, check, 0.0), is_smooth


def _newton_step(function: Function, x: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Return first over second derivative, by sixth-order central differences."""
    values = function(x[..., None] + step * _OFFSETS)
    slope, curvature = values @ _FIRST / step, values @ _SECOND / step**2
    return np.asarray(np.where(curvature > 0, slope / curvature, np.inf), dtype=np.float64)


def _finite(function: Function, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evaluate, with infinity in place of what is not finite."""
    with np.errstate(all="ignore"):
        values = function(x)
    return np.where(np.isfinite(values), values, np.inf)


def _take(values: NDArray[np.float64], index: NDArray[np.intp]) -> NDArray[np.float64]:
    """Pick one entry of the last axis for each of the batch."""
    return np.take_along_axis(values, index[..., None], axis=-1)[..., 0]
