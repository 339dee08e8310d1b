"""The certificate as a surface: the objective over parameters, every start and every minimum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from isoflop.errors import FitError
from isoflop.fitting.certificate import find_minima
from isoflop.fitting.diagnose.conditional import minimise_held
from isoflop.fitting.diagnose.refit import Diagnostics
from isoflop.fitting.objective import Array, Problem
from isoflop.fitting.search import choose_seeds, polish
from isoflop.fitting.seeds import make_surface, project_linear, thin
from isoflop.fitting.solve import minimise
from isoflop.language import lazy_gettext
from isoflop.laws.law import Law
from isoflop.once import once

Extent = Literal["search", "near"]
Progress = Callable[[float], object]

N_SIDE = 36
N_ALONG = 160
NEAR_SIGMAS = 6.0
MARGIN = 0.04
N_BASES, N_SWEEPS = 3, 6
"""Minima that a grid point may start from, and times that neighbours help each other along."""

SHARE_OF_RINGS = 0.6
"""Share of the work before neighbours help each other."""

RUN_OFF = 20.0
"""E-foldings from the optimum beyond which a minimum lies outside any picture."""

TOLERANCE, MAX_ITERATIONS = 1e-4, 30
"""Of each grid point: fine enough for a picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Multistart:
    """Every start of a fit and where it ended, lowest end first.

    Parameters
    ----------
    starts, ends : ndarray, shape (n_starts, n_params)
        Natural units.
    excess : ndarray, shape (n_starts,)
        Of the objective at the end over the reported minimum, relative; infinite where a start
        reached no finite value.
    is_best : ndarray of bool, shape (n_starts,)
        Whether a start ended at the reported optimum.
    minima : ndarray of int
        Positions of the distinct local minima among the ends, the reported optimum first.
    """

    starts: Array
    ends: Array
    excess: Array
    is_best: Array
    minima: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveSurface:
    """The objective over one or two parameters, all others at their best.

    Parameters
    ----------
    names : tuple of str
        One parameter or two.
    axes : tuple of ndarray
        Values of each, ascending, natural units.
    is_log : tuple of bool
        Whether the values are spaced by ratio.
    excess : ndarray, shape (n,) or (n_second, n_first)
        Relative excess over the reported minimum; NaN where the law has no finite value.
    n_rows : int
        Rows it was computed on; fewer than the fit's on a large table.
    starts, ends : ndarray, shape (n_starts, 1 or 2)
        Of the search, in these parameters.
    search : Multistart
    """

    names: tuple[str, ...]
    axes: tuple[Array, ...]
    is_log: tuple[bool, ...]
    excess: Array
    n_rows: int
    starts: Array
    ends: Array
    search: Multistart


@once(max_entries=16)
def multistart(setup: Diagnostics) -> Multistart:
    """Repeat the search of a fit, keeping every start and its end."""
    law, problem = setup.fit.law, setup.problem
    starts = choose_seeds(law, make_surface(law, problem))
    solution = polish(law, problem, setup.coordinates, starts)
    theta = setup.fit.theta
    best = float(problem.value(theta[None])[0])
    minima = find_minima(problem, theta, best, solution)
    excess = (solution.value - best) / max(best, problem.rounding)
    excess = np.where(np.isfinite(excess), np.maximum(excess, 0.0), np.inf)
    order = np.argsort(excess, kind="stable")
    place = np.argsort(order)
    return Multistart(
        starts=starts[order],
        ends=solution.theta[order],
        excess=excess[order],
        is_best=minima.is_best[order],
        minima=np.array([0, *place[minima.others]], dtype=int),
    )


def drawn_parameters(law: Law) -> tuple[str, ...]:
    """Return the parameters that a picture is best drawn over, the most telling first.

    The nonlinear ones, exponents before those that span decades; all where the law is linear.
    """
    closed = {law.params[j].name for j in law.derived.projected}
    nonlinear = [param for param in law.params if param.name not in closed] or law.params
    return tuple(param.name for param in sorted(nonlinear, key=lambda p: p.scale == "log"))


def drawn_pairs(law: Law) -> tuple[tuple[str, ...], ...]:
    """Return what the objective can be drawn over, the most telling first.

    Pairs of parameters, or the only nonlinear one.
    """
    names = drawn_parameters(law)
    return tuple(combinations(names, 2)) or (names[:1],)


def objective_surface(
    setup: Diagnostics,
    names: tuple[str, ...] | None = None,
    *,
    extent: Extent = "search",
    progress: Progress | None = None,
) -> ObjectiveSurface:
    """Evaluate the objective over one or two parameters, all others at their best.

    Parameters
    ----------
    setup : Diagnostics
    names : tuple of str, optional
        One parameter or two; by default the first of `drawn_pairs`.
    extent : {"search", "near"}
        Over everything that was searched, or a few standard errors around the optimum.
    progress : callable, optional
        Called with the share of the work done, 0 to 1; may raise to cancel.

    Raises
    ------
    FitError
        If the law has no such parameters.
    """
    law = setup.fit.law
    names = names or drawn_pairs(law)[0]
    if not 1 <= len(set(names)) == len(names) <= 2 or not set(names) <= set(law.param_names):
        raise FitError(
            lazy_gettext(
                "A picture of the objective is drawn over one or two parameters of {label}.",
                label=law.label,
            ),
            detail=lazy_gettext(
                "Given: {names}. It has {param_names}.",
                names=", ".join(names) or lazy_gettext("none"),
                param_names=", ".join(law.param_names),
            ),
        )
    held = [law.param_names.index(name) for name in names]
    is_log = tuple(bool(setup.coordinates.is_log[j]) for j in held)
    count = N_SIDE if len(held) == 2 else N_ALONG
    found = multistart(setup)
    axes = []
    for j, by_ratio in zip(held, is_log, strict=True):
        low, high = _span(setup, found, j, extent)
        spaced = np.geomspace if by_ratio else np.linspace
        axes.append(spaced(low, high, count))
    grid = np.stack([part.ravel() for part in np.meshgrid(*axes)], axis=1)
    problem = thin(setup.problem)
    excess = _conditional_excess(setup, problem, found, held, grid, progress or _silent)
    return ObjectiveSurface(
        names=names,
        axes=tuple(axes),
        is_log=is_log,
        excess=excess.reshape([count] * len(held)),
        n_rows=problem.n_rows,
        starts=found.starts[:, held],
        ends=found.ends[:, held],
        search=found,
    )


def _span(setup: Diagnostics, found: Multistart, j: int, extent: Extent) -> tuple[float, float]:
    """Return the range of one parameter that the picture is to show."""
    param, centre = setup.fit.law.params[j], float(setup.fit.theta[j])
    is_log = bool(setup.coordinates.is_log[j])
    if extent == "near":
        error = _error(setup, j)
        reach = NEAR_SIGMAS * error / abs(centre) if is_log else NEAR_SIGMAS * error
        low, high = centre - reach, centre + reach
        if is_log:
            low, high = centre * np.exp(-min(reach, 10.0)), centre * np.exp(min(reach, 10.0))
    else:
        ends = found.ends[found.minima, j]
        far = np.abs(np.log(np.abs(ends / centre))) if centre else np.zeros(len(ends))
        shown = np.concatenate([found.starts[:, j], ends[~(far > RUN_OFF)], [centre]])
        shown = shown[np.isfinite(shown)]
        if param.search and not param.search_input:
            shown = np.concatenate([shown, param.search])
        if is_log:
            shown = shown[shown > 0]
        low, high = float(np.min(shown)), float(np.max(shown))
        margin = MARGIN * (high - low) or 0.5 * abs(centre) or 1.0
        low, high = (low / 1.3, high * 1.3) if is_log else (low - margin, high + margin)
    smallest = 1e-300 if is_log else -np.inf
    return max(low, param.lower, smallest), min(high, param.upper)


def _error(setup: Diagnostics, j: int) -> float:
    """Return a standard error of one parameter, or a tenth of it where none is known."""
    fit = setup.fit
    if fit.covariance is not None and np.isfinite(fit.covariance[j, j]):
        return float(np.sqrt(fit.covariance[j, j]))
    if fit.draws is not None:
        return float(np.std(fit.draws[:, j]))
    return 0.1 * (abs(float(fit.theta[j])) or 1.0)


def _conditional_excess(
    setup: Diagnostics,
    problem: Problem,
    found: Multistart,
    held: list[int],
    grid: Array,
    progress: Progress,
) -> Array:
    """Return the relative excess of the objective at each grid point, the others at their best."""
    best = float(minimise(problem, setup.coordinates, setup.fit.theta[None]).value[0])
    place, lowest = np.tile(setup.fit.theta, (len(grid), 1)), np.full(len(grid), np.inf)
    place[:, held] = grid
    starts = _starts_of_minima(setup, problem, found, held, grid)
    values = [problem.value(start) for start in starts]
    steps = (1, -1) if len(held) == 1 else (1, -1, N_SIDE, -N_SIDE)
    rings = _rings(setup.fit.theta[held], grid, N_ALONG if len(held) == 1 else N_SIDE)
    # From the optimum outwards: next to a point whose others are at their best, few steps are left.
    # A value takes a small part of what derivatives take: only the best start goes on.
    for done, ring in enumerate(rings):
        around = [np.roll(place, step, axis=0)[ring] for step in steps]
        for start in around:
            start[:, held] = grid[ring]
        is_settled = [np.isfinite(np.roll(lowest, step)[ring]) for step in steps]
        tried = [
            np.where(ok, problem.value(s), np.inf) for ok, s in zip(is_settled, around, strict=True)
        ]
        options = np.stack([*(start[ring] for start in starts), *around])
        choice = np.argmin(np.stack([*(value[ring] for value in values), *tried]), axis=0)
        _settle(setup, problem, held, ring, options[choice, np.arange(len(ring))], place, lowest)
        progress(SHARE_OF_RINGS * (done + 1) / len(rings))
    for sweep in range(N_SWEEPS):
        n_better = 0
        for i, step in enumerate(steps):
            swept = (sweep + i / len(steps)) / N_SWEEPS
            progress(SHARE_OF_RINGS + (1 - SHARE_OF_RINGS) * swept)
            start = np.roll(place, step, axis=0)
            start[:, held] = grid
            better = np.flatnonzero(problem.value(start) < lowest * (1 - TOLERANCE))
            _settle(setup, problem, held, better, start[better], place, lowest)
            n_better += len(better)
        if not n_better:
            break
    excess = (lowest - best) / max(best, problem.rounding)
    return np.where(np.isfinite(excess), np.maximum(excess, 0.0), np.nan)


def _starts_of_minima(
    setup: Diagnostics, problem: Problem, found: Multistart, held: list[int], grid: Array
) -> list[Array]:
    """Return starts at every grid point: each low minimum, as it is and with closed forms."""
    starts = []
    for basis in found.ends[found.minima][:N_BASES]:
        start = np.tile(basis, (len(grid), 1))
        start[:, held] = grid
        starts.append(start)
        if not set(held) & set(setup.fit.law.derived.projected):
            starts.append(project_linear(setup.fit.law, problem, start))
    return starts


def _rings(centre: Array, grid: Array, count: int) -> list[Array]:
    """Return the positions of grid points by their distance from a centre, in steps of the grid."""
    distance = np.zeros(len(grid), dtype=int)
    for column, middle in zip(grid.T, centre, strict=True):
        axis, place = np.unique(column, return_inverse=True)
        at = min(int(np.searchsorted(axis, middle)), count - 1)
        distance = np.maximum(distance, np.abs(place - at))
    return [np.flatnonzero(distance == d) for d in range(distance.max() + 1)]


def _silent(_: float) -> None:
    """Report progress to nobody."""


def _settle(
    setup: Diagnostics,
    problem: Problem,
    held: list[int],
    at: Array,
    start: Array,
    place: Array,
    lowest: Array,
) -> None:
    """Minimise from more starts at some grid points, and put what is lower in place."""
    if not len(at):
        return
    ends = minimise_held(
        problem,
        setup.coordinates,
        start,
        *held,
        tolerance=TOLERANCE,
        max_iterations=MAX_ITERATIONS,
    )
    is_lower = ends.value < lowest[at]
    place[at[is_lower]] = ends.theta[is_lower]
    lowest[at[is_lower]] = ends.value[is_lower]
