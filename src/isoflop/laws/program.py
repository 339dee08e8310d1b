"""A graph lowered to a list of numpy operations, run over a batch of parameter vectors at once.

Sub-expressions keep the smallest shape that they need: what depends on parameters only is one
number a vector, what depends on inputs only is one number a row, and products and sums are ordered
so that only their last steps run over the whole batch times the rows. Powers become
``exp(exponent * log(base))``, which is several times faster than numpy's power and shares the
logarithm with the derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from isoflop.laws.graph import Graph

Array: TypeAlias = NDArray[Any]

ENDLESS = 1e100
"""Stands for infinity where the base of a power is zero; its square is finite, and 0 times it 0."""


def _step(values: Array) -> Array:
    return np.asarray(np.real(values) > 0, dtype=np.float64)


def _square(values: Array) -> Array:
    return values * values


def _base_log(values: Array) -> Array:
    return np.maximum(np.log(values), -ENDLESS)


def _base_recip(values: Array) -> Array:
    return np.minimum(1.0 / (values + 0.0), ENDLESS)  # the sum turns -0 into 0


_UNARY: dict[str, Callable[[Array], Array]] = {
    "exp": np.exp,
    "log": np.log,
    "base_log": _base_log,
    "base_recip": _base_recip,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "sin": np.sin,
    "arctan": np.arctan,
    "step": _step,
    "recip": lambda values: 1.0 / values,
    "square": _square,
}
_BINARY: dict[str, Callable[[Array, Array], Array]] = {
    "add": np.add,
    "mul": np.multiply,
    "max": np.maximum,
    "power": np.power,
}


@dataclass(frozen=True, slots=True)
class _Step:
    function: Callable[..., Array]
    args: tuple[int, ...]
    frees: tuple[int, ...]


class _Lowering:
    """Turns graph nodes into registers: constants, parameters, inputs, then one an operation."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.leaves: list[tuple[str, float]] = []
        self.operations: list[tuple[str, tuple[int, ...]]] = []
        self._registers: dict[tuple[Any, ...], int] = {}
        self._kinds: dict[int, int] = {}  # bit 1: depends on parameters, bit 2: on inputs
        self._of_node: dict[int, int] = {}

    def _leaf(self, kind: str, value: float, bits: int) -> int:
        key = ("leaf", kind, value)
        if key not in self._registers:
            self._registers[key] = -1 - len(self.leaves)
            self.leaves.append((kind, value))
            self._kinds[self._registers[key]] = bits
        return self._registers[key]

    def _emit(self, name: str, *args: int) -> int:
        key = (name, args)
        if key not in self._registers:
            register = len(self.operations)
            self.operations.append((name, args))
            self._registers[key] = register
            bits = 0
            for arg in args:
                bits |= self._kinds[arg]
            self._kinds[register] = bits
        return self._registers[key]

    def lower(self, node: int) -> int:
        if node not in self._of_node:
            self._of_node[node] = self._lower(node)
        return self._of_node[node]

    def _lower(self, node: int) -> int:
        op, raw = self.graph.nodes[node]
        if op == "const":
            return self._leaf("const", float(raw[0]), 0)
        args = [int(arg) for arg in raw]
        match op:
            case "param":
                return self._leaf("param", args[0], 1)
            case "input":
                return self._leaf("input", args[0], 2)
            case "add" | "mul":
                return self._chain(op, [self.lower(arg) for arg in args])
            case "pow":
                return self._power(*args)
        return self._emit(op, *(self.lower(arg) for arg in args))

    def _chain(self, op: str, registers: list[int]) -> int:
        """Combine the small shapes first, then the full ones, longest shared prefix first."""
        groups: dict[int, list[int]] = {0: [], 1: [], 2: [], 3: []}
        for register in sorted(registers):
            groups[self._kinds[register]].append(register)
        groups[1] = groups[0] + groups[1]
        chain = groups[3]
        for group in (groups[1], groups[2]):
            if group:
                chain = [*chain, self._fold(op, group)]
        return self._fold(op, chain)

    def _fold(self, op: str, registers: list[int]) -> int:
        result = registers[0]
        for register in registers[1:]:
            result = self._emit(op, result, register)
        return result

    def _power(self, base: int, exponent: int) -> int:
        value = self.graph.value(exponent)
        if value is None or not value.is_integer():
            if value == 0.5:
                return self._emit("sqrt", self.lower(base))
            graph = self.graph
            return self.lower(graph.exp(graph.mul(exponent, graph.base_log(base))))
        register = self.lower(base)
        if value in (-1.0, -2.0):
            return self._emit(
                "recip", register if value == -1.0 else self._emit("square", register)
            )
        if value == 2.0:
            return self._emit("square", register)
        return self._emit("power", register, self.lower(exponent))


class Program:
    """Several graph nodes as one run over a batch.

    Parameters
    ----------
    graph : Graph
    outputs : sequence of int
        Nodes to compute.
    """

    def __init__(self, graph: Graph, outputs: Sequence[int]) -> None:
        lowering = _Lowering(graph)
        registers = [lowering.lower(node) for node in outputs]
        # Registers in one list: the leaves, then the results of the operations in order.
        n_leaves = len(lowering.leaves)
        self._leaves = tuple(lowering.leaves)

        def place(register: int) -> int:
            return -1 - register if register < 0 else n_leaves + register

        self._outputs = tuple(place(register) for register in registers)
        operations = [
            (name, tuple(place(arg) for arg in args)) for name, args in lowering.operations
        ]
        self._steps = _with_lifetimes(operations, n_leaves, set(self._outputs))

    def count(self, operation: str) -> int:
        """Return how often a run computes an operation, such as ``"exp"``."""
        function = _UNARY.get(operation) or _BINARY[operation]
        return sum(step.function is function for step in self._steps)

    def run(self, theta: Array, inputs: Sequence[Array]) -> list[Array]:
        """Evaluate all outputs.

        Parameters
        ----------
        theta : ndarray, shape (n_params, ..., 1)
            Parameters first, so that each is contiguous; the last axis meets the rows.
        inputs : sequence of ndarray, shape (n_rows,) or (..., n_rows)

        Returns
        -------
        list of ndarray
            One an output, each broadcastable to (..., n_rows).
        """
        values: list[Array | None] = []
        for kind, value in self._leaves:
            if kind == "const":
                values.append(np.asarray(value))
            else:
                values.append(theta[int(value)] if kind == "param" else inputs[int(value)])
        for step in self._steps:
            values.append(step.function(*[values[arg] for arg in step.args]))
            for dead in step.frees:
                values[dead] = None
        return [np.asarray(values[place]) for place in self._outputs]


def _with_lifetimes(
    operations: list[tuple[str, tuple[int, ...]]], n_leaves: int, kept: set[int]
) -> tuple[_Step, ...]:
    """Say after which step each intermediate result can be forgotten."""
    last_use: dict[int, int] = {}
    for i, (_, args) in enumerate(operations):
        for arg in args:
            last_use[arg] = i
    steps = []
    for i, (name, args) in enumerate(operations):
        frees = tuple(
            arg for arg in set(args) if arg >= n_leaves and last_use[arg] == i and arg not in kept
        )
        function = _UNARY.get(name) or _BINARY[name]
        steps.append(_Step(function, args, frees))
    return tuple(steps)
