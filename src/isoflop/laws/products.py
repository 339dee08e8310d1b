"""Derivatives as products: of what depends on parameters and rows, on rows, on parameters.

The derivatives of a sum of power laws differ only in factors that are one number a row (``log N``)
or one a parameter vector (``A``); what runs over both (``N**-alpha``) is shared. Sums over rows of
products of derivatives can then be taken with few passes over the whole batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from isoflop.laws.graph import Graph
from isoflop.laws.program import Array, Program


@dataclass(frozen=True, slots=True)
class Part:
    """One derivative as a product.

    Parameters
    ----------
    core : int
        Which core; cores are of shape (..., n_rows).
    row : int
        Which row factor, one number a row; number 0 is 1.
    scale : int
        Which scale, one number a parameter vector; number 0 is 1.
    """

    core: int
    row: int
    scale: int


class Products:
    """The value of a formula and its derivatives, these as products.

    Parameters
    ----------
    graph : Graph
    root : int
        Node of the formula's value.
    first : sequence of int
        Nodes of its first derivatives.
    second : mapping of (int, int) to int
        Nodes of second derivatives, by their positions in ``first``, j <= k.
    """

    def __init__(
        self,
        graph: Graph,
        root: int,
        first: Sequence[int],
        second: Mapping[tuple[int, int], int] | None = None,
    ) -> None:
        second = second or {}
        cores: dict[int, int] = {}
        rows, scales = {graph.const(1.0): 0}, {graph.const(1.0): 0}
        parts = []
        for node in [*first, *second.values()]:
            core, row, scale = graph.split(node)
            parts.append(
                Part(
                    cores.setdefault(core, len(cores)),
                    rows.setdefault(row, len(rows)),
                    scales.setdefault(scale, len(scales)),
                )
            )
        self.parts = tuple(parts)
        self.n_first = len(first)
        self.pairs = tuple(second)
        self.n_cores = len(cores)
        self._run = Program(graph, [root, *cores, *scales])
        self._rows = Program(graph, list(rows))

    def run(self, theta: Array, inputs: Sequence[Array]) -> tuple[Array, list[Array], list[Array]]:
        """Return the value, every core and every scale.

        Parameters
        ----------
        theta, inputs
            As `Program.run`.

        Returns
        -------
        value : ndarray
        cores : list of ndarray
            Each broadcastable to (..., n_rows).
        scales : list of ndarray
            Each broadcastable to (..., 1).
        """
        value, *rest = self._run.run(theta, inputs)
        return value, rest[: self.n_cores], rest[self.n_cores :]

    def row_factors(self, inputs: Sequence[Array]) -> list[Array]:
        """Return every row factor, each broadcastable to (n_rows,)."""
        return self._rows.run(np.empty((0, 1)), inputs)

    def count(self, operation: str) -> int:
        """Return how often a run computes an operation, as `Program.count`."""
        return self._run.count(operation)

    def derivatives(self, theta: Array, inputs: Sequence[Array]) -> list[Array]:
        """Return every derivative, multiplied out, each broadcastable to (..., n_rows)."""
        _, cores, scales = self.run(theta, inputs)
        rows = self.row_factors(inputs)
        return [cores[p.core] * rows[p.row] * scales[p.scale] for p in self.parts]
