"""What each row does to the parameters: the fit without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from isoflop.fitting.diagnose.refit import Diagnostics, one_step, weights_without
from isoflop.fitting.objective import Array

Unit = Literal["rows", "runs"]

MAX_EXACT = 400
"""Units left out by an exact refit; beyond, the least promising are left out to first order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveOut:
    """The fit without each row, or without each run.

    Parameters
    ----------
    unit : {"rows", "runs"}
    members : tuple of ndarray of int
        Row positions of each unit.
    theta : ndarray, shape (n_units, n_params)
        Parameters without it, natural units; NaN where the rest does not determine them.
    is_exact : ndarray of bool, shape (n_units,)
        Whether it is a refit, not one Newton step.
    """

    unit: Unit
    members: tuple[Array, ...]
    theta: Array
    is_exact: Array


def has_runs(setup: Diagnostics) -> bool:
    """Say whether several rows come from one run."""
    return int(setup.rows.clusters.max()) + 1 < setup.problem.n_rows


def leave_out(setup: Diagnostics, *, unit: Unit = "rows") -> LeaveOut:
    """Fit without each row, or without each run, in turn.

    Parameters
    ----------
    setup : Diagnostics
    unit : {"rows", "runs"}
        Rows of one run share its noise, so that single rows of it can hide each other.
    """
    n_rows = setup.problem.n_rows
    clusters = np.arange(n_rows) if unit == "rows" else setup.rows.clusters
    n_units = int(clusters.max()) + 1
    order = np.argsort(clusters, kind="stable")
    counts = np.bincount(clusters, minlength=n_units)
    members = tuple(np.split(order, np.cumsum(counts)[:-1]))
    change = np.zeros((n_units, setup.n_params))
    np.add.at(change, clusters, one_step(setup))
    theta = setup.stepped(change)
    is_exact = np.zeros(n_units, dtype=bool)
    is_exact[_most_promising(setup, change)] = True
    chosen = np.flatnonzero(is_exact)
    theta[chosen] = setup.refit(weights_without([members[i] for i in chosen], n_rows))
    return LeaveOut(unit=unit, members=members, theta=theta, is_exact=is_exact)


def _most_promising(setup: Diagnostics, change: Array) -> Array:
    """Return the units whose removal moves the predictions most, to first order."""
    if len(change) <= MAX_EXACT:
        return np.arange(len(change))
    jacobian, _, _ = setup.problem.linearise(setup.fit.theta)
    size = np.einsum("uj,jk,uk->u", change, jacobian.T @ jacobian, change)
    return np.argsort(-size, kind="stable")[:MAX_EXACT]
