"""Parameters that multiply a term, and what they multiply.

How large such a parameter is depends on the units and on the other parameters: with A/N**alpha of
the order of 1, A may be 3 or 3e7. What is comparable is the size of the term.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isoflop.laws.graph import Graph
from isoflop.laws.program import Array, Program


@dataclass(frozen=True, slots=True)
class Multiplier:
    """A parameter p that a formula holds once, as p or 1/p times a rest that inputs enter.

    Parameters
    ----------
    param : int
    is_divisor : bool
    needs : frozenset of int
        Parameters that the rest depends on.
    rest : Program
    """

    param: int
    is_divisor: bool
    needs: frozenset[int]
    rest: Program

    def per_unit(self, theta: Array, inputs: Sequence[Array]) -> Array:
        """Return what turns the term's size into the parameter, or NaN.

        Parameters
        ----------
        theta : ndarray, shape (n_points, n_params)
        inputs : sequence of ndarray, shape (n_rows,)

        Returns
        -------
        ndarray, shape (n_points,)
            Of the geometric mean of the rest over rows.
        """
        with np.errstate(all="ignore"):
            (rest,) = self.rest.run(np.ascontiguousarray(theta.T)[..., None], inputs)
            logs = np.log(np.abs(rest))
            logs = np.where(np.isfinite(logs), logs, np.nan)
            logs = np.broadcast_to(logs, (len(theta), logs.shape[-1] if logs.ndim else 1))
            size = np.exp(_mean_of_finite(logs))
            return size if self.is_divisor else 1.0 / size


def _mean_of_finite(values: Array) -> Array:
    is_finite = np.isfinite(values)
    return np.asarray(np.where(is_finite, values, 0.0).sum(axis=1) / is_finite.sum(axis=1))


def find_multipliers(graph: Graph, root: int) -> tuple[Multiplier, ...]:
    """Return the multipliers of a formula, such that each needs only earlier ones of them.

    Those that need each other (a and b in a*b*N) are left out but for the first.
    """
    uses = graph.uses(root)
    found: dict[int, Multiplier] = {}
    for node, users in uses.items():
        op, args = graph.nodes[node]
        if op != "param" or len(users) != 1:
            continue
        (user,) = users
        is_divisor = (
            graph.nodes[user][0] == "pow" and graph.value(int(graph.nodes[user][1][1])) == -1
        )
        factor = user if is_divisor else node
        if is_divisor:
            if len(uses[user]) != 1:
                continue
            (user,) = uses[user]
        if graph.nodes[user][0] != "mul":
            continue
        rest = graph.mul(*(int(arg) for arg in graph.nodes[user][1] if int(arg) != factor))
        if graph.reads(rest):
            param = int(args[0])
            found[param] = Multiplier(
                param, is_divisor, graph.depends(rest), Program(graph, [rest])
            )
    return _ordered(found)


def _ordered(found: dict[int, Multiplier]) -> tuple[Multiplier, ...]:
    ordered: list[Multiplier] = []
    waiting = dict(found)
    while waiting:
        ready = [m for m in waiting.values() if not (m.needs & waiting.keys())]
        if not ready:  # they need each other
            waiting.pop(next(iter(waiting)))
            continue
        for multiplier in ready:
            ordered.append(multiplier)
            del waiting[multiplier.param]
    return tuple(ordered)
