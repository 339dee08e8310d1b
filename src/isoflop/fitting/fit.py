"""The global fit: seeds from variable projection, all polished at once, with a certificate."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from isoflop.errors import FitError, NotIdentified
from isoflop.fitting.binding import binding_bounds
from isoflop.fitting.bootstrap import bootstrap_draws
from isoflop.fitting.certificate import certify, gradient_size
from isoflop.fitting.covariance import residual_covariance
from isoflop.fitting.notices import fit_notices
from isoflop.fitting.objective import Array, Evaluation, Problem
from isoflop.fitting.options import FitOptions
from isoflop.fitting.result import Certificate, Fit
from isoflop.fitting.rows import Rows, problem_on, settled, usable_rows
from isoflop.fitting.search import finish, search
from isoflop.fitting.seeds import Surface
from isoflop.fitting.shelf import Found, shelved
from isoflop.fitting.solve import Coordinates, Solution
from isoflop.language import lazy_gettext, listed
from isoflop.laws.law import Law
from isoflop.laws.restrict import restricted
from isoflop.tables.schema import LossTable

Progress = Callable[[float], None]
"""Called with the share done, 0 to 1; may raise to cancel."""


def fit(
    law: Law,
    table: LossTable,
    options: FitOptions | None = None,
    *,
    starts: Sequence[Mapping[str, float]] | None = None,
    progress: Progress | None = None,
) -> Fit:
    """Fit a law to a loss table.

    Parameters
    ----------
    law : Law
    table : LossTable
        Excluded rows are left out.
    options : FitOptions, optional
        The fit holds them with what ``"auto"`` came to. Its law is the one with the parameters
        that they fix or bound.
    starts : sequence of mapping, optional
        Places to search around, within two decades, instead of the law's own search ranges.
    progress : callable, optional
        Called with the share of the work done.

    Raises
    ------
    TooFewRows, NotIdentified, NonFinite, FitError, TableError

    References
    ----------
    Hoffmann et al. 2022 (arXiv 2203.15556), appendix D.2, for the objective; Golub and Pereyra
    1973 for variable projection; Besiroglu et al. 2024 (arXiv 2404.10102) for the failures of
    fits that stop early.
    """
    options = options or FitOptions()
    law = restricted(law, options.params, options.positive)
    rows = usable_rows(law, table, options)
    options = settled(options, rows)
    problem = problem_on(law, rows, options)
    coordinates = law_coordinates(law)
    given = _given(law, starts) if starts else None

    def find() -> Found:
        solution, surface = search(law, problem, coordinates, given)
        best = _representative(law, problem, solution, given)
        theta = _sharpen(problem, coordinates, finish(law, problem, coordinates, best))
        certificate = certify(problem, coordinates, theta, solution, surface, law)
        _check_identified(law, rows, certificate)
        if certificate.at_bound:
            lowest = solution.theta[np.argsort(solution.value)]
            bounds = binding_bounds(law, problem, coordinates, theta, lowest)
            certificate = replace(certificate, bounds=bounds)
        if progress:
            progress(0.2 if options.n_bootstrap else 1.0)
        draws = None
        if options.n_bootstrap:
            candidates = _candidates(theta, solution, surface)
            draws = bootstrap_draws(
                problem, coordinates, candidates, rows.clusters, options, progress
            )
        return Found(theta=theta, certificate=certificate, draws=draws)

    question = (law, rows.inputs, rows.target, rows.weights, rows.clusters, options, given)
    found = shelved(find, table_id=table.id, question=question)
    return _assemble(law, table, options, rows, problem, found)


def law_coordinates(law: Law) -> Coordinates:
    """Return the solver's coordinates for a law's parameters."""
    return Coordinates(
        is_log=np.array([param.scale == "log" for param in law.params]),
        lower=np.array([param.lower for param in law.params]),
        upper=np.array([param.upper for param in law.params]),
    )


def _given(law: Law, starts: Sequence[Mapping[str, float]]) -> Array:
    try:
        return np.array([[float(start[name]) for name in law.param_names] for start in starts])
    except KeyError as missing:
        raise FitError(
            lazy_gettext("A start lacks the parameter {args}.", args=missing.args[0]),
            detail=lazy_gettext(
                "Parameters: {param_names}.", param_names=", ".join(law.param_names)
            ),
        ) from None


def _representative(law: Law, problem: Problem, solution: Solution, given: Array | None) -> Array:
    """Return the best end; of equivalent ones (signs flipped, terms swapped) always the same.

    Equivalent are ends with one objective. The one whose nonlinear parameters are nearest to a
    given start is taken; without starts, the one with the fewest negative parameters, then the one
    whose nonlinear parameters come first in order.
    """
    best = float(np.nanmin(solution.value))
    ends = solution.theta[solution.value <= best * (1 + 1e-9) + problem.rounding]
    nonlinear = [j for j in range(ends.shape[1]) if j not in law.derived.projected]
    if given is not None:
        near, start = ends[:, None, nonlinear], given[:, nonlinear]
        # Squares of decades keep the order of terms that can be swapped; a sign outweighs them.
        decades = np.log10((np.abs(near) + 1e-300) / (np.abs(start) + 1e-300))
        distance = (decades**2 + 1e6 * (near * start < 0)).sum(axis=2).min(axis=1)
        return np.asarray(ends[int(np.argmin(distance))])
    theta = min(ends, key=lambda end: (int(np.sum(end < 0)), *_rounded(end[nonlinear])))
    negative = np.flatnonzero(theta < 0)
    for flips in [*itertools.combinations(negative, 1), *itertools.combinations(negative, 2)]:
        flipped = theta.copy()
        flipped[list(flips)] *= -1
        if abs(float(problem.value(flipped[None])[0]) - best) <= 1e-9 * best + problem.rounding:
            return np.asarray(flipped)
    return np.asarray(theta)


def _rounded(values: Array) -> list[float]:
    """Drop the digits in which two runs to one optimum differ."""
    return [float(f"{value:.4e}") for value in values]


def _sharpen(problem: Problem, coordinates: Coordinates, theta: Array) -> Array:
    """Take undamped Newton steps while they shrink the gradient.

    The objective is flat to rounding near its minimum, the gradient is not: this gains several
    digits of the parameters.
    """
    internal = coordinates.inward(theta)[None]
    lower, upper = coordinates.inward(coordinates.lower), coordinates.inward(coordinates.upper)
    is_free = (internal > lower) & (internal < upper)
    point = coordinates.pull_back(theta[None], problem.evaluate(theta[None]))
    size = gradient_size(problem, point, is_free)
    for _ in range(30):
        moved = coordinates.project(internal + _full_step(point, is_free))
        there = coordinates.outward(moved)
        next_point = coordinates.pull_back(there, problem.evaluate(there))
        next_size = gradient_size(problem, next_point, is_free)
        worse = next_point.value[0] > point.value[0] * (1 + 1e-12) + 1e-300
        if not next_size < size or worse:
            break
        internal, point, size = moved, next_point, next_size
    return np.asarray(coordinates.outward(internal)[0])


def _full_step(point: Evaluation, is_free: Array) -> Array:
    """Return the undamped Newton step of one problem, by least squares where it is singular."""
    with np.errstate(all="ignore"):  # a parameter that ran off has derivatives without a number
        spread = np.sqrt(np.maximum(np.diagonal(point.gauss_newton[0]), 1e-290))
        scale = np.where(is_free[0], 1.0 / spread, 0.0)
        matrix = point.hessian[0] * np.outer(scale, scale)
        slope = point.gradient[0] * scale
    if not (np.isfinite(matrix).all() and np.isfinite(slope).all()):
        return np.zeros((1, len(slope)))
    step, *_ = np.linalg.lstsq(matrix, -slope, rcond=1e-15)
    return np.asarray(step * scale)[None]


def _check_identified(law: Law, rows: Rows, certificate: Certificate) -> None:
    constant = [
        (item, float(values[0]))
        for item, values in zip(law.inputs, rows.inputs, strict=True)
        if np.all(values == values[0])
    ]
    if constant and certificate.condition_number > 1e14:
        named = listed(
            lazy_gettext("the same {column} ({value:.4g})", column=item.column, value=value)
            for item, value in constant
        )
        raise NotIdentified(
            lazy_gettext(
                "All rows have {named}, so {label} cannot be fitted.", named=named, label=law.label
            ),
            detail=lazy_gettext("Its parameters cannot be told apart on these rows."),
            hint=lazy_gettext("Choose a law without that input, or add rows that vary it."),
        )


def _candidates(theta: Array, solution: Solution, surface: Surface) -> Array:
    """Return the optimum, then every other place where a resample's optimum may lie."""
    order = np.argsort(solution.value)
    ends = solution.theta[order[np.isfinite(solution.value[order])]]
    low = surface.lowest(32, apart=0.06)
    return np.concatenate([theta[None], ends[:16], low])


def _assemble(
    law: Law,
    table: LossTable,
    options: FitOptions,
    rows: Rows,
    problem: Problem,
    found: Found,
) -> Fit:
    theta, certificate = found.theta, found.certificate
    prediction = law.loss(theta, dict(zip(law.symbols, rows.inputs, strict=True)))
    residuals = -problem.residual(prediction)
    freedom = problem.n_rows - len(theta)
    held = np.array([name in certificate.at_bound for name in law.param_names])
    covariance, reason = residual_covariance(problem, theta, held)
    squares = float(np.sum(problem.standardised(residuals) ** 2))
    spread = float(np.sqrt(squares / freedom)) if freedom > 0 else float("nan")
    result = Fit(
        law=law,
        table_id=table.id,
        table_fingerprint=table.fingerprint,
        options=options,
        values={**dict(zip(law.param_names, map(float, theta), strict=True)), **dict(law.fixed)},
        draws=found.draws,
        covariance=covariance,
        covariance_reason=reason,
        objective_value=problem.reported(float(problem.value(theta[None])[0])),
        residual_std=spread,
        residuals=residuals,
        row_index=rows.index,
        weights=rows.weights,
        certificate=certificate,
        n_rows=problem.n_rows,
        n_clusters=int(rows.clusters.max()) + 1,
        input_ranges={
            symbol: (float(values.min()), float(values.max()))
            for symbol, values in zip(law.symbols, rows.inputs, strict=True)
        },
        loss_unit=table.loss_unit,
        param_convention=table.param_convention,
        table=table,
    )
    return fit_notices(result, rows.inputs, rows.clusters, rows.n_dropped)
