"""Sums over rows of derivatives and of products of two of them, with few passes over the batch.

Derivatives that share a core (`isoflop.laws.products`) differ by factors of rows, which all
parameter vectors share, and by scales, which come last. So the sums with many derivatives are one
pass over parameter vectors times rows, and a product with a matrix.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from isoflop.laws.law import Derived
from isoflop.laws.program import Array

Factors: TypeAlias = tuple[tuple[int, ...], ...]
"""For each sum, the row factors, by number, whose product it has."""

KEPT_ELEMENTS = 200_000
"""Rows times sums of shared matrices that are kept; larger ones are made for each use."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Which sums there are, and where each derivative finds its own.

    Parameters
    ----------
    single : tuple of (int, Factors)
        A core and its row factors, for sums with one derivative.
    single_at : ndarray of int, shape (n_derivatives,)
        Position of each derivative among all sums of ``single``.
    double : tuple of (int, int, Factors)
        Two cores and their row factors, for sums with two first derivatives.
    double_at : ndarray of int, shape (n_params * (n_params + 1) / 2,)
        Position of each pair of the upper triangle among all sums of ``double``.
    scale_of : ndarray of int, shape (n_derivatives,)
    n_single, n_double : int
        Numbers of sums.
    """

    single: tuple[tuple[int, Factors], ...]
    single_at: Array
    double: tuple[tuple[int, int, Factors], ...]
    double_at: Array
    scale_of: Array
    n_single: int
    n_double: int


def _grouped(
    wanted: Iterable[tuple[tuple[int, ...], tuple[int, ...]]],
) -> tuple[dict[tuple[int, ...], Factors], Array]:
    """Gather the row factors of each key, and say at which of all sums each one wanted stands."""
    groups: dict[tuple[int, ...], dict[tuple[int, ...], int]] = {}
    places = []
    for key, rows in wanted:
        group = groups.setdefault(key, {})
        places.append((key, group.setdefault(rows, len(group))))
    starts, total = {}, 0
    for key, group in groups.items():
        starts[key] = total
        total += len(group)
    return (
        {key: tuple(group) for key, group in groups.items()},
        np.array([starts[key] + place for key, place in places], dtype=int),
    )


@lru_cache(maxsize=256)
def layout(derived: Derived) -> Layout:
    """Lay out the sums of a law."""
    parts, n = derived.products.parts, derived.n_params
    single, single_at = _grouped(((part.core,), (part.row,)) for part in parts)
    pairs = []
    for j, k in zip(*np.triu_indices(n), strict=True):
        first, second = sorted((parts[j], parts[k]), key=lambda part: part.core)
        pairs.append(((first.core, second.core), tuple(sorted((first.row, second.row)))))
    double, double_at = _grouped(pairs)
    return Layout(
        single=tuple((core, rows) for (core,), rows in single.items()),
        single_at=single_at,
        double=tuple((first, second, rows) for (first, second), rows in double.items()),
        double_at=double_at,
        scale_of=np.array([part.scale for part in parts], dtype=int),
        n_single=sum(map(len, single.values())),
        n_double=sum(map(len, double.values())),
    )


@dataclass(frozen=True, slots=True)
class RowSums:
    """The sums of one law on one set of rows.

    Parameters
    ----------
    derived : Derived
    inputs : sequence of ndarray, shape (n_rows,)
    """

    derived: Derived
    inputs: Sequence[Array]
    _kept: dict[Factors, Array | None] = field(default_factory=dict, init=False)

    def _matrix(self, factors: Factors) -> Array | None:
        """Return products of row factors, shape (n_sums, n_rows); None for a single 1."""
        if factors in self._kept:
            return self._kept[factors]
        matrix = None
        if factors not in (((0,),), ((0, 0),)):
            values = self.derived.products.row_factors(self.inputs)
            matrix = np.empty((len(factors), len(self.inputs[0])))
            for row, numbers in zip(matrix, factors, strict=True):
                row[:] = values[numbers[0]]
                for number in numbers[1:]:
                    row *= values[number]
        if matrix is None or matrix.size <= KEPT_ELEMENTS:
            self._kept[factors] = matrix
        return matrix

    def single(self, weights: Array, cores: Sequence[Array], out: Array) -> None:
        """Sum weights times derivatives, but for their scales.

        Parameters
        ----------
        weights : ndarray, shape (n_batch or 1, n_rows)
        cores : sequence of ndarray, shape (n_batch, n_rows)
        out : ndarray, shape (n_single, n_batch)
        """
        start = 0
        for core, factors in layout(self.derived).single:
            part = out[start : start + len(factors)]
            start += len(factors)
            self._sum(weights, cores[core], factors, part)

    def double(self, weights: Array, cores: Sequence[Array], out: Array) -> None:
        """Sum weights times products of two first derivatives, but for their scales.

        Parameters
        ----------
        weights, cores
            As `single`.
        out : ndarray, shape (n_double, n_batch)
        """
        start = 0
        weighted: dict[int, Array] = {}
        for first, second, factors in layout(self.derived).double:
            if first not in weighted:
                weighted = {first: weights * cores[first]}
            part = out[start : start + len(factors)]
            start += len(factors)
            self._sum(weighted[first], cores[second], factors, part)

    def _sum(self, weights: Array, core: Array, factors: Factors, out: Array) -> None:
        matrix = self._matrix(factors)
        if matrix is None:
            np.vecdot(weights, core, out=out[0])
        else:
            np.matvec(weights * core, matrix, out=out)
