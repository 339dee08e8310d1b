"""The lower envelope (approach 1 of Hoffmann et al.) of all learning curves.

On axes of log compute and log loss the loss of an optimally sized run is convex wherever it is a
power law with a floor, so the envelope is the lower convex hull of all checkpoints. Its corners
name the best run for their compute.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import NotIdentified
from isoflop.fitting.isoflop.budgets import Checkpoints, checkpoints
from isoflop.fitting.isoflop.line import PowerLine
from isoflop.language import lazy_gettext
from isoflop.tables.schema import LossTable

Array = NDArray[np.float64]

MIN_CORNERS = 4
MIN_SIZES = 3
MIN_SHARE_OF_DRAWS = 0.5
N_BOOTSTRAP = 400
N_POINTS = 200
"""Budgets along the envelope that its line is fitted through, evenly spaced in log compute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corners:
    """The lower envelope: the checkpoints that are best for their compute.

    Parameters
    ----------
    compute_flop, loss, params, tokens : ndarray, shape (n_corners,)
        By ascending compute.
    is_used : ndarray of bool, shape (n_corners,)
        Whether a corner counts: at those of the smallest and the largest size trained the best
        size may lie beyond.
    """

    compute_flop: Array
    loss: Array
    params: Array
    tokens: Array
    is_used: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What the lower envelope says of the best size.

    Parameters
    ----------
    corners : Corners
    params_line, tokens_line : PowerLine
        Best size and tokens against compute.
    n_runs : int
    has_learning_curves : bool
        Whether any run has several rows; otherwise the envelope is that of final losses.
    """

    corners: Corners
    params_line: PowerLine
    tokens_line: PowerLine
    n_runs: int
    has_learning_curves: bool


def lower_hull(x: Array, y: Array) -> NDArray[np.intp]:
    """Return the falling part of the lower convex hull of points, by ascending x.

    Parameters
    ----------
    x, y : ndarray, shape (n,)

    Returns
    -------
    ndarray of int, shape (n_corners,)

    References
    ----------
    Andrew 1979, Another efficient algorithm for convex hulls in two dimensions.
    """
    corners: list[int] = []
    for i in np.lexsort((y, x)):
        if corners and (x[i] == x[corners[-1]] or y[i] >= y[corners[-1]]):
            continue  # not below the last corner, so above every falling line that passes it
        while len(corners) >= 2 and _is_above(x, y, corners[-2], corners[-1], i):
            corners.pop()
        corners.append(int(i))
    return np.array(corners, dtype=np.intp)


def _is_above(x: Array, y: Array, a: int, b: int, c: int) -> bool:
    """Say whether b lies on or above the line from a to c."""
    return bool((y[b] - y[a]) * (x[c] - x[a]) >= (y[c] - y[a]) * (x[b] - x[a]))


def lower_envelope(table: LossTable, *, n_bootstrap: int = N_BOOTSTRAP, seed: int = 0) -> Envelope:
    """Find the envelope of a table's learning curves and the best size along it.

    Parameters
    ----------
    table : LossTable
        With ``params``, ``tokens``, ``compute_flop`` and ``loss``; rows of one ``run_id`` are one
        learning curve.
    n_bootstrap : int
        Resamples of whole runs, for the intervals; 0 for none.
    seed : int

    Raises
    ------
    TableError
        If the table lacks a column.
    NotIdentified
        If too little of the envelope is left to fit a line through, with the reason.

    References
    ----------
    Hoffmann et al. 2022 (arXiv 2203.15556), section 3.1.
    """
    rows = checkpoints(table)
    corners = falling_corners(rows)
    is_used = _is_inside(rows, corners)
    problem = _problem(rows, corners[is_used])
    if problem:
        raise NotIdentified(
            lazy_gettext("The lower envelope says too little about the best size."),
            detail=problem,
            hint=lazy_gettext(
                "Add runs of more sizes, or use isoFLOP profiles or the parametric law."
            ),
        )
    draws = _resampled(rows, n_bootstrap, seed)
    reason = ""
    if draws is None:
        reason = lazy_gettext("No runs were resampled.")
        if n_bootstrap:
            reason = lazy_gettext(
                "In most resamples of the runs too little of the envelope is left."
            )
    params_line, tokens_line = (
        PowerLine(
            exponent=float(exponent),
            intercept=float(intercept),
            draws=None if draws is None else draws[:, k],
            reason=reason,
        )
        for k, (exponent, intercept) in enumerate(_lines(rows, corners[is_used]))
    )
    return Envelope(
        corners=envelope_corners(rows),
        params_line=params_line,
        tokens_line=tokens_line,
        n_runs=rows.n_runs,
        has_learning_curves=rows.has_learning_curves,
    )


def envelope_corners(rows: Checkpoints) -> Corners:
    """Return the lower envelope of some rows, whether or not it can carry a line."""
    corners = falling_corners(rows)
    return Corners(
        compute_flop=rows.compute_flop[corners],
        loss=rows.loss[corners],
        params=rows.params[corners],
        tokens=rows.tokens[corners],
        is_used=_is_inside(rows, corners),
    )


def envelope_lines(rows: Checkpoints) -> Array | None:
    """Return exponent and intercept of size and tokens, shape (2, 2); None if not identified."""
    corners = falling_corners(rows)
    corners = corners[_is_inside(rows, corners)]
    return None if _problem(rows, corners) else _lines(rows, corners)


def falling_corners(rows: Checkpoints) -> NDArray[np.intp]:
    """Return the checkpoints at the corners of the lower envelope, by ascending compute."""
    return lower_hull(np.log10(rows.compute_flop), np.log10(rows.loss))


def _is_inside(rows: Checkpoints, corners: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return which corners belong to neither the smallest nor the largest size."""
    size = rows.params[corners]
    return np.asarray((size > rows.params.min()) & (size < rows.params.max()))


def _lines(rows: Checkpoints, corners: NDArray[np.intp]) -> Array:
    """Return exponent and intercept of size and tokens along the envelope, shape (2, 2).

    Corners crowd where a run has many checkpoints; points evenly spaced along the envelope weigh
    every part of it alike.
    """
    x = np.log10(rows.compute_flop[corners])
    points = np.linspace(x[0], x[-1], N_POINTS)
    design = np.stack([points, np.ones(N_POINTS)], axis=1)
    values = [np.interp(points, x, np.log10(v[corners])) for v in (rows.params, rows.tokens)]
    solved, *_ = np.linalg.lstsq(design, np.stack(values, axis=1))
    return np.asarray(solved.T)


def _problem(rows: Checkpoints, corners: NDArray[np.intp]) -> str:
    """Return why these corners cannot carry a line; empty if they can."""
    n_sizes = len(np.unique(rows.params[corners]))
    if n_sizes >= MIN_SIZES and len(corners) >= MIN_CORNERS:
        return ""
    return lazy_gettext(
        "Between the smallest and the largest size trained it has {corners} "
        "corners of {n_sizes} sizes; at least {min_corners} corners of "
        "{min_sizes} sizes are needed.",
        corners=len(corners),
        n_sizes=n_sizes,
        min_corners=MIN_CORNERS,
        min_sizes=MIN_SIZES,
    )


def _resampled(rows: Checkpoints, n_bootstrap: int, seed: int) -> Array | None:
    """Return the lines of resamples of whole runs, shape (n_draws, 2, 2); None if most fail."""
    # A corner of any resample's hull is a corner of its own run's hull.
    by_run = [np.flatnonzero(rows.run == run) for run in range(rows.n_runs)]
    few = rows.at(np.concatenate([of[falling_corners(rows.at(of))] for of in by_run]))
    random = np.random.default_rng(seed)
    draws = []
    for _ in range(n_bootstrap):
        is_drawn = np.zeros(rows.n_runs, dtype=bool)
        is_drawn[random.integers(rows.n_runs, size=rows.n_runs)] = True
        lines = envelope_lines(few.at(is_drawn[few.run]))
        if lines is not None:
            draws.append(lines)
    if not draws or len(draws) < MIN_SHARE_OF_DRAWS * n_bootstrap:
        return None
    return np.array(draws)
