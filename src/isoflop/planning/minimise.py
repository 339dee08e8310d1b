"""Minimise many smooth functions of one variable at once.

A grid over the whole range finds the basin, and Newton's method on wide finite differences places
the minimum far more finely than comparing function values could: those are flat to rounding within
about 1e-7 of it. Where the differences cannot be trusted (a kink), narrower ones are tried, then
golden sections shrink the basin first, and go on to the end where they still cannot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

N_GRID = 65
GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0
COARSE_WIDTH, FINE_WIDTH = 2e-3, 1e-8
STENCIL_STEP, NARROW_STEP = 0.04, 0.004
"""Of differences: the wide ones lose least to rounding, the narrow ones see past a nearby kink."""

MAX_NEWTON = 4
NEAR = 3e-5
"""A step of Newton's method this short ends within ``AGREEMENT`` of the minimum."""

AGREEMENT = 1e-8
ALIKE = 1e-5
"""Places of two stencils so near each other are one minimum: a curve through kept speeds has kinks
in its third derivative, at which they differ that much, while the place moves by a tenth of it."""

FLAT = 1e-12
"""Relative depth of a minimum below the ends that may be rounding."""

_OFFSETS = np.arange(-3.0, 4.0)
_FIRST = np.array([-1 / 60, 3 / 20, -3 / 4, 0.0, 3 / 4, -3 / 20, 1 / 60])
_SECOND = np.array([1 / 90, -3 / 20, 3 / 2, -49 / 18, 3 / 2, -3 / 20, 1 / 90])

Scalar = TypeVar("Scalar", bound=np.generic)
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
        Exact to about 1e-10 in ``x`` where the function is smooth on the scale of 0.1, to about
        1e-6 where its third derivative jumps there, and to about 1e-7 elsewhere.
    """
    lower, upper = np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)
    steps = np.linspace(0.0, 1.0, N_GRID)
    grid = lower[..., None] + (upper - lower)[..., None] * steps
    best, values = _lowest(function, grid)
    is_interior = (best > 0) & (best < N_GRID - 1) & _is_below_the_ends(values)
    grid = np.broadcast_to(grid, (*best.shape, N_GRID))
    start = _take(grid, best)
    left = _take(grid, np.maximum(best - 1, 0))
    right = _take(grid, np.minimum(best + 1, N_GRID - 1))
    near = np.where(is_interior, start + (right - start) * _vertex(values[..., 1:4]), start)
    x, is_smooth = _newton(function, near, left, right, is_interior, STENCIL_STEP)
    if not np.all(is_smooth | ~is_interior):
        again, is_narrow = _newton(function, x, left, right, is_interior & ~is_smooth, NARROW_STEP)
        x, is_smooth = np.where(is_smooth, x, again), is_smooth | is_narrow
    if not np.all(is_smooth | ~is_interior):
        left, right = _golden(function, left, right, COARSE_WIDTH)
        middle = (left + right) / 2
        finer, is_finer = _newton(function, middle, left, right, is_interior, STENCIL_STEP)
        if not np.all(is_smooth | is_finer | ~is_interior):
            fine = np.mean(_golden(function, left, right, FINE_WIDTH), axis=0)
            finer = np.where(is_finer, finer, fine)
        x = np.where(is_smooth, x, finer)
    x = np.where(is_interior, x, start)
    return Minimum(x=x, value=function(x[..., None])[..., 0], is_interior=is_interior)


def confirmed(
    function: Function, x: NDArray[np.float64], lower: ArrayLike, upper: ArrayLike
) -> Minimum | None:
    """Return the minima of a batch of functions of one minimum each, known beforehand; else None.

    Parameters
    ----------
    function, lower, upper
        As `minimise`.
    x : ndarray
        Where the minima should be, from a closed form. Each is confirmed by the slope and the
        curvature there, and by lying below both ends; if any is not, none is returned.
    """
    lower, upper = np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)
    x, lower, upper = np.broadcast_arrays(x, lower, upper)
    if not np.all((x > lower) & (x < upper)):
        return None
    with np.errstate(all="ignore"):
        step = _newton_step(function, x, STENCIL_STEP / 2)
    values = _finite(function, np.stack([lower, x, upper], axis=-1))
    if not np.all((np.abs(step) < AGREEMENT) & _is_below_the_ends(values)):
        return None
    return Minimum(x=x, value=values[..., 1], is_interior=np.ones(x.shape, dtype=np.bool_))


def _lowest(
    function: Function, grid: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return where on a grid the functions are lowest, and the values around and at both ends.

    Every other place is tried, and then the neighbours of the lowest.
    """
    values = _finite(function, grid[..., ::2])
    best = 2 * np.argmin(values, axis=-1)
    near = np.clip(best[..., None] + np.array([-1, 0, 1]), 0, grid.shape[-1] - 1)
    whole = np.broadcast_to(grid, (*best.shape, grid.shape[-1]))
    found = _finite(function, np.take_along_axis(whole, near, axis=-1))
    best = _take(near, np.argmin(found, axis=-1))
    return best, np.concatenate([values[..., :1], found, values[..., -1:]], axis=-1)


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
    function: Function,
    start: NDArray[np.float64],
    left: NDArray[np.float64],
    right: NDArray[np.float64],
    is_asked: NDArray[np.bool_],
    step: float,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Polish minima inside brackets; say where two stencil widths agree on the place."""
    x, slack = start, right - left
    with np.errstate(all="ignore"):
        for _ in range(MAX_NEWTON):
            before = x
            x = np.clip(x - _newton_step(function, x, step), left - slack, right + slack)
            if np.all((np.abs(x - before) < NEAR) | ~is_asked):
                break
        check = _newton_step(function, x, step / 2)
    is_smooth = (np.abs(check) < ALIKE) & (x > left - slack / 2) & (x < right + slack / 2)
    return x - np.where(is_smooth, check, 0.0), is_smooth


def _vertex(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where a parabola through values at -1, 0 and 1 is lowest; 0 where one is not finite.

    The value in the middle is the least, so that it lies within half a step of it.
    """
    before, middle, after = (values[..., place] for place in range(3))
    with np.errstate(all="ignore"):
        place = (before - after) / (before - 2 * middle + after) / 2
    return np.where(np.abs(place) <= 0.5, place, 0.0)


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


def _take(values: NDArray[Scalar], index: NDArray[np.intp]) -> NDArray[Scalar]:
    """Pick one entry of the last axis for each of the batch."""
    return np.take_along_axis(values, index[..., None], axis=-1)[..., 0]
