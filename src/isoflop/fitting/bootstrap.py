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
from isoflop.language import lazy_gettext as _

CELLS_AT_ONCE, FEWEST_AT_ONCE = 2_000_000, 32
"""Resamples times rows that are drawn and solved as one batch."""

TOLERANCE = 1e-8
"""Share of the objective: moves an estimate by less than a hundredth of its standard error."""

FEWEST_CLUSTERS = 3

_WEBB = np.array([-np.sqrt(1.5), -1.0, -np.sqrt(0.5), np.sqrt(0.5), 1.0, np.sqrt(1.5)])


def resample_weights(
    clusters: Array,
    options: FitOptions,
    *,
    random: np.random.Generator | None = None,
    count: int | None = None,
) -> Array:
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
    random : numpy.random.Generator, optional
        One made from the options' seed by default.
    count : int, optional
        How many of all resamples to draw, all by default.

    Returns
    -------
    ndarray, shape (count, n_rows)

    Raises
    ------
    FitError
        If whole runs are to be resampled and there are too few.

    References
    ----------
    Rubin 1981, The Bayesian bootstrap, Annals of Statistics 9; Chatterjee and Bose 2005,
    Generalized bootstrap for estimating equations, Annals of Statistics 33, for any weights.
    """
    random = random or np.random.default_rng(options.seed)
    count = options.n_bootstrap if count is None else count
    n_rows = len(clusters)
    if options.bootstrap == "smooth":
        weights = random.standard_exponential((count, n_rows))
        return np.asarray(weights / weights.mean(axis=1, keepdims=True))
    n_units = n_rows if options.bootstrap == "rows" else _count_units(clusters)
    # Counting picks is eight times as fast as drawing multinomial counts.
    picks = random.integers(n_units, size=(count, n_units), dtype=np.int32).astype(np.int64)
    picks += n_units * np.arange(count)[:, None]
    counts = np.bincount(picks.ravel(), minlength=count * n_units).reshape(count, n_units)
    counts = counts.astype(np.float64)
    return counts if options.bootstrap == "rows" else counts[:, clusters]


def _count_units(clusters: Array) -> int:
    n_units = int(clusters.max()) + 1
    if n_units < FEWEST_CLUSTERS:
        raise FitError(
            _(
                "Resampling whole runs needs at least {fewest_clusters} runs; the "
                "table has {n_units}.",
                fewest_clusters=FEWEST_CLUSTERS,
                n_units=n_units,
            ),
            hint=_("Resample rows, or give each run its own run_id."),
        )
    return n_units


def wild_shifts(
    problem: Problem,
    theta: Array,
    clusters: Array,
    options: FitOptions,
    random: np.random.Generator,
    count: int,
) -> Array:
    """Draw what to add to each residual in each resample of the wild cluster bootstrap.

    Every run's residuals are multiplied by one number of Webb's six-point distribution, which has
    mean 0 and variance 1 and, unlike a bare sign, enough values for a handful of runs.

    Returns
    -------
    ndarray, shape (count, n_rows)

    References
    ----------
    Cameron, Gelbach and Miller 2008; Webb 2023, Canadian Journal of Economics 56.
    """
    n_units = _count_units(clusters)
    freedom = problem.n_rows - len(theta)
    if freedom <= 0:
        raise FitError(_("The wild bootstrap needs more rows than parameters."))
    (prediction,) = problem.predictions(theta[None])
    residual = problem.residual(prediction) * np.sqrt(problem.n_rows / freedom)
    factors = random.choice(_WEBB, size=(count, n_units))[:, clusters]
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
    random = np.random.default_rng(options.seed)
    n_rows, n_params = problem.n_rows, candidates.shape[1]
    at_once = max(FEWEST_AT_ONCE, CELLS_AT_ONCE // n_rows)
    candidates, penalties = _with_penalties(problem, candidates)
    parts = []
    for done in range(0, options.n_bootstrap, at_once):
        count = min(at_once, options.n_bootstrap - done)
        weights = shifts = None
        if options.bootstrap == "wild":
            shifts = wild_shifts(problem, candidates[0], clusters, options, random, count)
            starts = np.repeat(candidates[:1], count, axis=0)
        else:
            weights = resample_weights(clusters, options, random=random, count=count)
            weights = weights[(weights > 0).sum(axis=1) >= n_params]
            starts = candidates[np.argmin(weights @ penalties.T, axis=1)]
        solution = minimise(
            problem, coordinates, starts, weights, shifts, tolerance=TOLERANCE, damping=1e-4
        )
        parts.append(solution.theta[np.isfinite(solution.value)])
        if progress:
            progress(0.2 + 0.8 * (done + count) / options.n_bootstrap)
    draws = np.concatenate(parts)
    if len(draws) < options.n_bootstrap / 2:
        raise FitError(
            _(
                "Only {draws} of {n_bootstrap} resamples could be fitted.",
                draws=len(draws),
                n_bootstrap=options.n_bootstrap,
            ),
            detail=_(
                "The table has {n_rows} rows for {n_params} parameters.",
                n_rows=n_rows,
                n_params=n_params,
            ),
            hint=_("Choose a law with fewer parameters, or add rows."),
        )
    return draws


def _with_penalties(problem: Problem, candidates: Array) -> tuple[Array, Array]:
    """Return the candidates that hold on every row, the first in any case, with their penalties."""
    penalties = problem.penalties(candidates)
    usable = np.asarray(np.isfinite(penalties).all(axis=1))
    usable[0] = True
    return candidates[usable], penalties[usable]
