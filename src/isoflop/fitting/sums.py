"""Sums over rows of derivatives and of products of two of them, with few passes over the batch.

Derivatives that share a core (`isoflop.laws.products`) differ by factors of rows, which all
parameter vectors share, and by scales, which come last. So the sums with many derivatives are one
pass over parameter vectors times rows, and a product with a matrix.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from isoflop.laws.products import Products
from isoflop.laws.program import Array
from isoflop.once import once

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
    double_at : ndarray of int, shape (n_pairs,)
        Position of each pair of the upper triangle among all sums of ``double``.
    scale_of : ndarray of int, shape (n_derivatives,)
    upper, lower : ndarray of int, shape (n_pairs,)
        The pairs of the upper triangle.
    bent : ndarray of int, shape (n_second,)
        Which pair each second derivative is of.
    n_single, n_double, n_scales : int
        Numbers of sums and of scales.
    """

    single: tuple[tuple[int, Factors], ...]
    single_at: Array
    double: tuple[tuple[int, int, Factors], ...]
    double_at: Array
    scale_of: Array
    upper: Array
    lower: Array
    bent: Array
    n_single: int
    n_double: int
    n_scales: int


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


@once(max_entries=512)
def layout(products: Products) -> Layout:
    """Lay out the sums of a law."""
    parts, n = products.parts, products.n_first
    single, single_at = _grouped(((part.core,), (part.row,)) for part in parts)
    pairs = [(j, k) for j in range(n) for k in range(j, n)]
    wanted = []
    for j, k in pairs:
        first, second = sorted((parts[j], parts[k]), key=lambda part: part.core)
        wanted.append(((first.core, second.core), tuple(sorted((first.row, second.row)))))
    double, double_at = _grouped(wanted)
    numbers = {pair: i for i, pair in enumerate(pairs)}
    return Layout(
        single=tuple((core, rows) for (core,), rows in single.items()),
        single_at=single_at,
        double=tuple((first, second, rows) for (first, second), rows in double.items()),
        double_at=double_at,
        scale_of=np.array([part.scale for part in parts], dtype=int),
        upper=np.array([j for j, _ in pairs], dtype=int),
        lower=np.array([k for _, k in pairs], dtype=int),
        bent=np.array([numbers[pair] for pair in products.pairs], dtype=int),
        n_single=sum(map(len, single.values())),
        n_double=sum(map(len, double.values())),
        n_scales=1 + max((part.scale for part in parts), default=0),
    )


@dataclass(frozen=True, slots=True)
class RowSums:
    """The sums of one law on one set of rows.

    Parameters
    ----------
    products : Products
    inputs : sequence of ndarray, shape (n_rows,)
    """

    products: Products
    inputs: Sequence[Array]
    _kept: dict[Factors, Array | None] = field(default_factory=dict, init=False)
    _row_factors: list[Array] = field(default_factory=list, init=False)

    def _matrix(self, factors: Factors) -> Array | None:
        """Return products of row factors, shape (n_sums, n_rows); None for a single 1."""
        if factors in self._kept:
            return self._kept[factors]
        matrix = None
        if factors not in (((0,),), ((0, 0),)):
            if not self._row_factors:
                self._row_factors.extend(self.products.row_factors(self.inputs))
            values = self._row_factors
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
        for core, factors in layout(self.products).single:
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
        start, last, weighted = 0, -1, weights
        for first, second, factors in layout(self.products).double:
            if first != last:
                last, weighted = first, weights * cores[first]
            part = out[start : start + len(factors)]
            start += len(factors)
            self._sum(weighted, cores[second], factors, part)

    def _sum(self, weights: Array, core: Array, factors: Factors, out: Array) -> None:
        matrix = self._matrix(factors)
        if matrix is None:
            np.vecdot(weights, core, out=out[0])
        else:
            np.matvec(weights * core, matrix, out=out)

    def vectors(self, single: Array, scales: Array) -> Array:
        """Return the sums with each first and second derivative, shape (n_derivatives, n_batch)."""
        plan = layout(self.products)
        return np.asarray(single[plan.single_at] * scales[plan.scale_of])

    def matrices(self, double: Array, scales: Array, bends: Array | None = None) -> Array:
        """Return the sums with two first derivatives as symmetric matrices.

        Parameters
        ----------
        double : ndarray, shape (n_double, n_batch)
        scales : ndarray, shape (n_scales, n_batch)
        bends : ndarray, shape (n_second, n_batch), optional
            Sums with second derivatives, to be added.

        Returns
        -------
        ndarray, shape (n_batch, n_params, n_params)
        """
        plan, n = layout(self.products), self.products.n_first
        scale = scales[plan.scale_of[:n]]
        entries = double[plan.double_at] * scale[plan.upper] * scale[plan.lower]
        if bends is not None:
            entries[plan.bent] += bends
        result = np.empty((double.shape[1], n, n))
        result[:, plan.upper, plan.lower] = result[:, plan.lower, plan.upper] = entries.T
        return result
