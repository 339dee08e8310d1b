"""Resampling: the same batched solver over resamples of the rows, of whole runs, or of signs.

A resample is a vector of row weights (how much each row counts), or of shifts of the residuals
(wild bootstrap), so all resamples share their inputs and are one batch.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from isoflop.errors import FitError
from isoflop.fitting.objective import Array, Problem
from isoflop.fitting.options import FitOptions
from isoflop.fitting.solve import Coordinates, minimise

CELLS_AT_ONCE = 2_000_000
"""Resamples times rows that are solved as one batch."""

TOLERANCE = 1e-8
"""Share of the objective: moves an estimate by less than a hundredth of its standard error."""

FEWEST_CLUSTERS = 3

_WEBB = np.array([-np.sqrt(1.5), -1.0, -np.sqrt(0.5), np.sqrt(0.5), 1.0, np.sqrt(1.5)])


def resample_weights(clusters: Array, options: FitOptions) -> Array:
    """Draw how much each row counts in each resample.

    Under ``bootstrap="smooth"`` rows get smooth random weights (the Bayesian bootstrap): their mean
    and variance are those of rows drawn with replacement, but no row is ever missing. A law of five
    parameters fitted to 15 rows, a third of which are missing, is far less sure than the table is;
    and a robust objective, whose curve passes through some rows exactly, jumps when one of them
    goes.

    Parameters
    ----------
    clusters : ndarray of int, shape (n_rows,)
        Numbered from 0; under ``bootstrap="clusters"`` rows of one cluster move together.

    Returns
    -------
    ndarray, shape (n_bootstrap, n_rows)

    Raises
    ------
    FitError
        If whole runs are to be resampled and there are too few.

    References
    ----------
    Rubin 1981, The Bayesian bootstrap, Annals of Statistics 9; Chatterjee and Bose 2005,
    Generalized bootstrap for estimating equations, Annals of Statistics 33, for any weights.
    """
    random = np.random.default_rng(options.seed)
    n_rows = len(clusters)
    if options.bootstrap == "smooth":
        weights = random.standard_exponential((options.n_bootstrap, n_rows))
        return np.asarray(weights / weights.mean(axis=1, keepdims=True))
    units = np.arange(n_rows) if options.bootstrap == "rows" else clusters
    n_units = n_rows if options.bootstrap == "rows" else _count_units(clusters)
    counts = random.multinomial(n_units, np.full(n_units, 1 / n_units), size=options.n_bootstrap)
    return counts.astype(np.float64)[:, units]


def _count_units(clusters: Array) -> int:
    n_units = int(clusters.max()) + 1
    if n_units < FEWEST_CLUSTERS:
        raise FitError(
            f"Resampling whole runs needs at least {FEWEST_CLUSTERS} runs; "
            f"the table has {n_units}.",
            hint="Resample rows, or give each run its own run_id.",
        )
    return n_units


def wild_shifts(problem: Problem, theta: Array, clusters: Array, options: FitOptions) -> Array:
    """Draw what to add to each residual in each resample of the wild cluster bootstrap.

    Every run's residuals are multiplied by one number of Webb's six-point distribution, which has
    mean 0 and variance 1 and, unlike a bare sign, enough values for a handful of runs.

    Returns
    -------
    ndarray, shape (n_bootstrap, n_rows)

    References
    ----------
    Cameron, Gelbach and Miller 2008; Webb 2023, Canadian Journal of Economics 56.
    """
    n_units = _count_units(clusters)
    freedom = problem.n_rows - len(theta)
    if freedom <= 0:
        raise FitError("The wild bootstrap needs more rows than parameters.")
    (prediction,) = problem.predictions(theta[None])
    residual = problem.residual(prediction) * np.sqrt(problem.n_rows / freedom)
    random = np.random.default_rng(options.seed)
    factors = random.choice(_WEBB, size=(options.n_bootstrap, n_units))[:, clusters]
    return np.asarray(residual * factors - problem.residual(prediction))


def bootstrap_draws(
    problem: Problem,
    coordinates: Coordinates,
    candidates: Array,
    clusters: Array,
    options: FitOptions,
    progress: Callable[[float], None] | None = None,
) -> Array:
    """Fit every resample.

    Parameters
    ----------
    candidates : ndarray, shape (n_candidates, n_params)
        The optimum of all rows first, then other places worth starting from. Each resample starts
        from the one that is best for it.

    Returns
    -------
    ndarray, shape (n_kept, n_params)
        Natural units. Resamples with too few distinct rows, or without a finite optimum, are left
        out.

    Raises
    ------
    FitError
        If fewer than half of the draws can be fitted.
    """
    weights = shifts = None
    if options.bootstrap == "wild":
        shifts = wild_shifts(problem, candidates[0], clusters, options)
        starts = np.repeat(candidates[:1], len(shifts), axis=0)
    else:
        weights = resample_weights(clusters, options)
        weights = weights[(weights > 0).sum(axis=1) >= candidates.shape[1]]
        starts = _best_starts(problem, candidates, weights)
    parts = []
    at_once = max(250, CELLS_AT_ONCE // problem.n_rows)
    for i in range(0, len(starts), at_once):
        part = slice(i, i + at_once)
        solution = minimise(
            problem,
            coordinates,
            starts[part],
            None if weights is None else weights[part],
            None if shifts is None else shifts[part],
            tolerance=TOLERANCE,
            damping=1e-4,
        )
        parts.append(solution.theta[np.isfinite(solution.value)])
        if progress:
            progress(0.2 + 0.8 * min(i + at_once, len(starts)) / len(starts))
    draws = np.concatenate(parts) if parts else np.empty((0, candidates.shape[1]))
    if len(draws) < options.n_bootstrap / 2:
        raise FitError(
            f"Only {len(draws)} of {options.n_bootstrap} resamples could be fitted.",
            detail=f"The table has {problem.n_rows} rows for {candidates.shape[1]} parameters.",
            hint="Choose a law with fewer parameters, or add rows.",
        )
    return draws


def _best_starts(problem: Problem, candidates: Array, weights: Array) -> Array:
    """Return, for each resample, the candidate with the lowest objective on it."""
    penalties = problem.penalties(candidates)
    usable = np.asarray(np.isfinite(penalties).all(axis=1))
    usable[0] = True
    values = weights @ penalties[usable].T
    return np.asarray(candidates[usable][np.argmin(values, axis=1)])
