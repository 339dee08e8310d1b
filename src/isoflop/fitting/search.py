"""Where the objective is lowest: seeds, polished side by side, and searches around their ends."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from isoflop.errors import NonFinite
from isoflop.fitting.certificate import find_minima
from isoflop.fitting.objective import Array, Problem
from isoflop.fitting.seeds import (
    Surface,
    make_surface,
    project_linear,
    surface_around,
    thin,
)
from isoflop.fitting.solve import Coordinates, Projector, Solution, anneal, descend, minimise
from isoflop.language import lazy_gettext as _
from isoflop.laws.law import Law

N_SEEDS = 16
N_SEEDS_UNDECLARED = 48
"""Seeds that are polished; more where the law does not say where its parameters lie."""

CONFIRMED, CONFIRMED_SHARE = 3, 0.5
"""Starts that have to agree on the lowest end before searching on ends; and their share, with
which it does not begin."""

MAX_MORE_SEARCHES = 4
N_SEARCHED_AROUND = 4
SPREADS = (0.1, 0.5, 1.5)
"""By how many e-folds starts are scattered around low ends, in turn."""

FINISHING_ITERATIONS = 1000

POLISH_ROWS = 5000
"""Rows that seeds are polished on first, where there are more; spread evenly along the loss."""


def search(
    law: Law, problem: Problem, coordinates: Coordinates, given: Array | None
) -> tuple[Solution, Surface]:
    """Find low ends of the objective.

    Parameters
    ----------
    given : ndarray, shape (n_given, n_params), or None
        Starts to search around, instead of the law's own ranges.

    Returns
    -------
    solution : Solution
        Where every start ended.
    surface : Surface
        Where the starts came from.

    Raises
    ------
    NonFinite
        If the law has no finite value anywhere.
    """
    if given is not None:
        surface = surface_around(law, problem, given)
        seeds = np.concatenate([given, surface.lowest(N_SEEDS, apart=0.05)])
    else:
        surface = make_surface(law, problem)
        seeds = choose_seeds(law, surface)
    solution = polish(law, problem, coordinates, seeds) if len(seeds) else None
    if solution is not None and not _is_declared(law):
        solution = _search_again(law, problem, coordinates, solution)
    if solution is None or not np.isfinite(solution.value).any():
        raise NonFinite(
            _("The law {label} has no finite value on these rows.", label=law.label),
            detail=_("Tried {points} parameter vectors.", points=len(surface.points)),
            hint=_("Check the formula for logarithms or powers of negative numbers on this table."),
        )
    return solution, surface


def choose_seeds(law: Law, surface: Surface) -> Array:
    """Return low points of a surface that are apart, shape (n_seeds, n_params)."""
    if _is_declared(law):
        return surface.lowest(N_SEEDS, apart=0.1)
    return surface.lowest(N_SEEDS_UNDECLARED, apart=0.02)


def _is_declared(law: Law) -> bool:
    """Say whether the law says where to look for each parameter without a closed form."""
    closed = law.derived.projected
    return all(param.search for j, param in enumerate(law.params) if j not in closed)


def _search_again(
    law: Law, problem: Problem, coordinates: Coordinates, solution: Solution
) -> Solution:
    """Search around the lowest ends as well, until several starts agree on the lowest of all.

    Where a law does not say where its parameters lie, the first search may have been too wide.
    """
    random = np.random.default_rng(0)
    if _n_agreeing(problem, solution) >= CONFIRMED_SHARE * len(solution.value):
        return solution
    for i in range(MAX_MORE_SEARCHES):
        best = float(np.nanmin(solution.value))
        lowest = np.argsort(solution.value)[:N_SEARCHED_AROUND]
        ends = solution.theta[lowest[np.isfinite(solution.value[lowest])]]
        around = surface_around(law, problem, ends).lowest(N_SEEDS, apart=0.05)
        copies = np.resize(ends, (N_SEEDS, ends.shape[1]))
        spread = SPREADS[i % len(SPREADS)]
        scattered = copies * np.exp(spread * random.standard_normal(copies.shape))
        seeds = np.concatenate([around, project_linear(law, problem, scattered)])
        seeds = seeds[np.isfinite(seeds).all(axis=1)]
        if not len(seeds):
            break
        more = polish(law, problem, coordinates, seeds)
        solution = solution.joined(more)
        is_lower = np.nanmin(more.value) < best * (1 - 1e-9)
        if not is_lower and _n_agreeing(problem, solution) >= CONFIRMED:
            break
    return solution


def _n_agreeing(problem: Problem, solution: Solution) -> int:
    """Return how many starts ended at the lowest end of all."""
    values = np.where(np.isfinite(solution.value), solution.value, np.inf)
    lowest = int(np.argmin(values))
    minima = find_minima(problem, solution.theta[lowest], float(values[lowest]), solution)
    return int(minima.is_best.sum())


def polish(law: Law, problem: Problem, coordinates: Coordinates, seeds: Array) -> Solution:
    """Bring every seed to its minimum; where the linear parameters have a closed form, both ways.

    Eliminating the linear parameters straightens curved valleys, but a start that is good as a
    whole can be better than its projection; each seed keeps the lower of its two ends. On many rows
    most of the way is gone on a part of them.
    """
    if problem.n_rows > POLISH_ROWS:
        ends = polish(law, thin(problem, POLISH_ROWS), coordinates, seeds).theta
        return anneal(problem, coordinates, ends)
    if _is_declared(law):
        found = anneal(problem, coordinates, seeds)
    else:
        # A robust objective has many kinks in a long valley: half of the seeds first go down a
        # wider one. And a curved valley in the parameters is often straight in the logarithms of
        # their sizes; where a sign may change, it does so on the way on from there.
        bent = _by_size(law, coordinates)
        ends = np.empty_like(seeds)
        ends[::2] = anneal(problem, bent, seeds[::2]).theta
        ends[1::2] = descend(problem, bent, seeds[1::2]).theta
        found = anneal(problem, coordinates, ends)
    if not (problem.is_least_squares and law.derived.projected):
        return found
    projector: Projector = partial(project_linear, law, problem)
    return found.lower_of(anneal(problem, coordinates, projector(seeds), projector=projector))


def _by_size(law: Law, coordinates: Coordinates) -> Coordinates:
    """Return coordinates that take parameters that multiply a term by the logarithm of size."""
    is_signed_log = np.zeros(len(law.params), dtype=bool)
    for multiplier in law.derived.multipliers:
        is_signed_log[multiplier.param] = True
    return replace(coordinates, is_signed_log=is_signed_log & ~coordinates.is_log)


def finish(law: Law, problem: Problem, coordinates: Coordinates, theta: Array) -> Array:
    """Go on from the best end to its minimum, if it had not yet got there.

    Parameters
    ----------
    theta : ndarray, shape (n_params,)
    """
    end = minimise(problem, coordinates, theta[None])
    for own in (_by_size(law, coordinates), coordinates):
        if end.is_converged[0] or not np.isfinite(end.value[0]):
            break
        end = minimise(problem, own, end.theta, max_iterations=FINISHING_ITERATIONS)
    return end.theta[0] if np.isfinite(end.value[0]) else theta
