"""The two terms of a law that trade one input for another, found in its formula.

A law such as ``E + A/N**alpha + B/D**beta``, or a power of such a sum, changes with two terms, each
of one input alone. Where each is a power of its input, the best size at a given compute has a
closed form; whether it is one is seen from its values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.laws.formula import parse
from isoflop.laws.graph import Graph, build
from isoflop.laws.law import Law
from isoflop.laws.program import Program
from isoflop.once import once

Array = NDArray[np.float64]

PLACES = np.log([1e6, 1e9, 1e12])
"""Logarithms of the inputs at which a term is looked at."""
STRAIGHT = 1e-9
"""How far the logarithm of a power may lie off a line through them, by rounding."""


@dataclass(frozen=True, slots=True)
class Trade:
    """Two terms whose sum is all that a law depends on its inputs by.

    Parameters
    ----------
    inputs : (int, int)
        Position of the one input of each.
    terms : (Program, Program)
    """

    inputs: tuple[int, int]
    terms: tuple[Program, Program]


@dataclass(frozen=True, slots=True)
class Power:
    """A term as exp(height - slope * log(input)); NaN where it is no falling power.

    Parameters
    ----------
    height, slope : ndarray, shape (...)
    """

    height: Array
    slope: Array


def powers(law: Law, theta: Array) -> dict[str, Power] | None:
    """Return the two terms that a law trades, as powers, by the table column of their input.

    Parameters
    ----------
    law : Law
    theta : ndarray, shape (..., n_params)

    Returns
    -------
    dict or None
        None where the law has no two such terms.
    """
    found = _trade(law.formula, law.symbols, law.param_names)
    if found is None:
        return None
    vectors = np.moveaxis(np.asarray(theta, dtype=np.float64), -1, 0)[..., None]
    rows = [np.exp(PLACES)] * len(law.inputs)
    return {
        law.inputs[position].column: _power(term, vectors, rows)
        for position, term in zip(found.inputs, found.terms, strict=True)
    }


def _power(term: Program, vectors: Array, rows: list[Array]) -> Power:
    with np.errstate(all="ignore"):
        (values,) = term.run(vectors, rows)
        logs = np.log(np.broadcast_to(values, (*vectors.shape[1:-1], len(PLACES))))
        slope = (logs[..., 0] - logs[..., 2]) / (PLACES[2] - PLACES[0])
        bend = logs[..., 1] - (logs[..., 0] + logs[..., 2]) / 2
        is_power = (np.abs(bend) <= STRAIGHT * np.maximum(1.0, np.abs(logs[..., 1]))) & (slope > 0)
        height = logs[..., 1] + slope * PLACES[1]
    return Power(height=np.where(is_power, height, np.nan), slope=np.where(is_power, slope, np.nan))


@once(max_entries=256)
def _trade(formula: str, symbols: tuple[str, ...], params: tuple[str, ...]) -> Trade | None:
    graph, root = build(parse(formula), symbols, params)
    terms = _terms(graph, root)
    read = [_inputs(graph, term) for term in terms]
    if len(terms) != 2 or any(len(one) != 1 for one in read) or read[0] == read[1]:
        return None
    (first,), (second,) = read
    return Trade((first, second), (Program(graph, [terms[0]]), Program(graph, [terms[1]])))


def _terms(graph: Graph, root: int) -> list[int]:
    """Return the terms of the one sum through which all inputs enter; of other laws, one node."""
    node = root
    while True:
        op, args = graph.nodes[node]
        if op not in ("add", "mul", "pow", "exp", "log"):
            return [node]
        reading = [int(arg) for arg in args if graph.reads(int(arg))]
        if len(reading) != 1:
            return reading if op == "add" else [node]
        (node,) = reading


def _inputs(graph: Graph, term: int) -> set[int]:
    nodes = (graph.nodes[node] for node in graph.uses(term))
    return {int(args[0]) for op, args in nodes if op == "input"}
