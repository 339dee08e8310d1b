"""How fast models of any size train on some accelerators, each in its fastest layout.

The layouts of a family's shapes are searched once for a number of accelerators, at several batches;
between the sizes the speed is smooth. A plan reads it along the edge of its limits.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from math import factorial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import make_smoothing_spline
from scipy.ndimage import spline_filter1d

from isoflop.accounting import find_family
from isoflop.accounting.shapes import CountedParams, propose_shape
from isoflop.errors import PlanError
from isoflop.identity import Keyed
from isoflop.once import once
from isoflop.planning.family_rule import shapes_of
from isoflop.planning.layout_search import (
    Candidates,
    LayoutSearch,
    best_layout,
    candidates,
    joined,
    speeds,
)
from isoflop.planning.types import Accelerator
from isoflop.tables.derive import FLOP_PER_PARAM_TOKEN

Array = NDArray[np.float64]

LOG_SIZES = np.linspace(np.log(1e5), np.log(1e14), 121)
"""Where the speed is kept, in the logarithm of the size: a fifth apart."""
SIZES: Array = np.exp(LOG_SIZES)
BATCHES: Array = 2.0 ** np.arange(15.0, 30.0)
"""Tokens of a step at which layouts are searched."""
LOG_BATCHES = np.log(BATCHES)
SMOOTHING = 0.5
"""Of the spline through the shapes' speeds: irregular divisors make neighbours differ by some
percent, which would pull the best size to a lucky one."""
FEWEST_SHAPES = 5
SMALLER, N_SMALLER = 0.985, 24
"""Steps down from where the memory is full between shapes to one that fits."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayoutRates(Keyed):
    """The speed of a family's models under a search of layouts.

    Parameters
    ----------
    family : str
        Its key.
    count : {"total", "active", "nonembedding"}
        What N counts.
    search : LayoutSearch
    """

    family: str
    count: CountedParams
    search: LayoutSearch
    key: str = field(init=False, repr=False)

    def on(self, accelerator: Accelerator) -> LayoutRates:
        """Return the same on another accelerator, such as one with more memory."""
        if self.search.accelerator is accelerator:
            return self
        return replace(self, search=replace(self.search, accelerator=accelerator))

    def __call__(self, memory_bytes: float, accelerators: int) -> float:
        """Return the largest model that so many accelerators of a memory hold; 0 where none."""
        device = self.search.accelerator
        if memory_bytes != device.memory_bytes:
            device = replace(device, memory_bytes=memory_bytes)
        return self.on(device).table(accelerators).largest_params

    def table(self, accelerators: int) -> RateTable:
        """Return the speeds on so many accelerators."""
        return _table(self, accelerators)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RateTable:
    """The speed of models of any size at any batch, on some accelerators.

    Parameters
    ----------
    log_share : ndarray, shape (n_sizes, n_batches)
        Log of the share of the peak that 6 N FLOP a token make, at `LOG_SIZES` and `BATCHES`.
    largest_params : float
        The largest model that any layout fits; 0 where none fits.
    can_be_cut : bool
        Whether the degrees asked for divide any model of the family.
    """

    log_share: Array
    largest_params: float
    can_be_cut: bool = True

    def share(self, params: ArrayLike, batch_tokens: ArrayLike) -> Array:
        """Return the share of the peak that 6 N FLOP a token make.

        Parameters
        ----------
        params, batch_tokens : array_like
            Broadcast against each other. Beyond the sizes searched it is that of the nearest.
        """
        if _is_at_sizes(params):
            j, v = _place(np.log(batch_tokens), LOG_BATCHES)
            i = np.arange(len(SIZES))
            found = (1 - v) * self.log_share[i, j] + v * self.log_share[i, j + 1]
            return np.asarray(np.exp(found + np.zeros_like(params)))
        size, batch = np.broadcast_arrays(np.log(params), np.log(batch_tokens))
        i, u = _place(size, LOG_SIZES)
        j, v = _place(batch, LOG_BATCHES)
        low = (1 - v) * self.log_share[i, j] + v * self.log_share[i, j + 1]
        high = (1 - v) * self.log_share[i + 1, j] + v * self.log_share[i + 1, j + 1]
        return np.asarray(np.exp((1 - u) * low + u * high))


def _place(values: Array, grid: Array) -> tuple[NDArray[np.intp], Array]:
    """Return the cell of an even grid that each value lies in, and how far along, 0 to 1."""
    position = np.clip((values - grid[0]) / (grid[1] - grid[0]), 0, len(grid) - 1)
    cell = np.minimum(np.nan_to_num(position).astype(np.intp), len(grid) - 2)
    return cell, position - cell


_SPLINE = np.array(
    [[1, -3, 3, -1], [4, 0, -6, 3], [1, 3, 3, -3], [0, 0, 0, 1]]
) / factorial(3)  # fmt: skip
"""Weights of the four cubic B-splines around a place, as polynomials of how far along it lies."""


def _is_at_sizes(params: ArrayLike) -> bool:
    """Say whether sizes are `SIZES`, once or in each row: what is known there needs no curve."""
    sizes = np.asarray(params)
    return sizes.shape[-1:] == SIZES.shape and bool((sizes == SIZES).all())


@dataclass(frozen=True, kw_only=True, eq=False)
class ShareCurve:
    """The share of the peak along the edge of some limits: a cubic spline over the size.

    Parameters
    ----------
    log_share : ndarray, shape (..., n_sizes)
        Its logarithm at `SIZES`; one row for each of a batch of edges.
    """

    log_share: Array

    @cached_property
    def coefficients(self) -> Array:
        """Of B-splines at `LOG_SIZES`, shape (..., n_sizes)."""
        return np.asarray(spline_filter1d(self.log_share, order=3, axis=-1, mode="mirror"))

    def __call__(self, params: ArrayLike) -> Array:
        """Return the share at sizes of shape (m,) or (..., m); the rows of the batch lead."""
        if _is_at_sizes(params):
            return np.asarray(np.exp(self.log_share + np.zeros_like(params)))
        cell, t = _place(np.log(np.asarray(params, dtype=np.float64)), LOG_SIZES)
        weights = np.tensordot(_SPLINE, t ** np.arange(4).reshape(4, *(1,) * t.ndim), axes=1)
        last = len(LOG_SIZES) - 1
        found: Array | float = 0.0
        for step, weight in zip((-1, 0, 1, 2), weights, strict=True):
            index = np.abs(cell + step)
            index = last - np.abs(last - index)  # mirrored at both ends
            found = found + weight * self._taken(index)
        return np.asarray(np.exp(found))

    def _taken(self, index: NDArray[np.intp]) -> Array:
        rows = self.coefficients
        if rows.ndim == 1:
            return np.asarray(rows[index])
        shape = (*rows.shape[:-1], index.shape[-1] if index.ndim else 1)
        return np.take_along_axis(rows, np.broadcast_to(index, shape), axis=-1)


@once(max_entries=512)
def _table(rates: LayoutRates, accelerators: int) -> RateTable:
    sizes, starts, found = _family_candidates(rates)
    if not len(sizes):
        return _none(can_be_cut=False)
    search = rates.search
    speed = speeds(search, found, accelerators, BATCHES)
    best: Array = np.maximum.reduceat(speed.tokens_per_s, starts, axis=1)
    filled = np.minimum.reduceat(speed.filled, starts)
    # A smaller batch is allowed, too.
    best = np.maximum.accumulate(best, axis=0)
    peak = accelerators * search.accelerator.peak(search.dtype)
    is_any = best[-1] > 0
    largest = float(np.exp(LOG_SIZES[-1]))
    if search.must_fit:
        largest = _held(rates, accelerators, _largest(sizes, filled), float(sizes[-1]))
    if not np.any(is_any):
        return _none(can_be_cut=True)
    known, rate = sizes[is_any], best[:, is_any]
    # At a batch that no layout of a size fits, the next larger batch with fewer tokens.
    rate = np.where(rate > 0, rate, np.nanmin(np.where(rate > 0, rate, np.nan), axis=0))
    log_share = np.log(rate * FLOP_PER_PARAM_TOKEN * known / peak)
    smooth = [smoothed(np.log(known), row) for row in log_share]
    # Smoothing over sizes must not make a larger batch slower, by however little.
    rising = np.maximum.accumulate(np.stack(smooth, axis=-1), axis=-1)
    return RateTable(
        log_share=np.minimum(rising, np.log(search.accelerator.mfu_ceiling)),
        largest_params=largest,
    )


def _none(*, can_be_cut: bool) -> RateTable:
    return RateTable(
        log_share=np.zeros((len(LOG_SIZES), len(BATCHES))),
        largest_params=0.0,
        can_be_cut=can_be_cut,
    )


def smoothed(log_sizes: Array, log_share: Array) -> Array:
    """Return a smooth curve through shapes' speeds at `LOG_SIZES`; level beyond them."""
    inside = np.clip(LOG_SIZES, log_sizes[0], log_sizes[-1])
    if len(log_sizes) < FEWEST_SHAPES:
        return np.interp(inside, log_sizes, log_share)
    return np.asarray(make_smoothing_spline(log_sizes, log_share, lam=SMOOTHING)(inside))


def _held(rates: LayoutRates, accelerators: int, size: float, last: float) -> float:
    """Return the largest size at or a little below one that really fits: shapes come in steps."""
    if not size or size >= last:
        return size
    family, batch = find_family(rates.family), float(BATCHES[-1])
    heads = rates.search.tensor or 1
    for _ in range(N_SMALLER):
        try:
            shape = propose_shape(family, size, count=rates.count, heads_multiple=heads)
        except PlanError:
            return size
        if best_layout(rates.search, shape.architecture, accelerators, batch) is not None:
            break
        size *= SMALLER
    return size


def _largest(sizes: Array, filled: Array) -> float:
    """Return the size at which the memory is full, between shapes; the largest where none is."""
    over = np.flatnonzero(filled > 1)
    if not len(over):
        return float(sizes[-1])
    after = int(over[0])
    if not after:
        return 0.0
    log_filled = np.log(np.minimum(filled[after - 1 : after + 1], 1e6))
    share = -log_filled[0] / (log_filled[1] - log_filled[0])
    return float(sizes[after - 1] * (sizes[after] / sizes[after - 1]) ** share)


@once(max_entries=32)
def _family_candidates(rates: LayoutRates) -> tuple[Array, NDArray[np.intp], Candidates]:
    """Return the sizes of shapes that can be cut, where each one's layouts start, and all."""
    shapes = shapes_of(rates.family, rates.count)
    found = {size: candidates(rates.search, shapes[size]) for size in sorted(shapes)}
    found = {size: item for size, item in found.items() if len(item)}
    sizes = np.array(list(found), dtype=np.float64)
    counts = [len(item) for item in found.values()]
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.intp)
    return sizes, starts, joined(list(found.values()))
