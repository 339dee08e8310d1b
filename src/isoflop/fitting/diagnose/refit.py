"""Refits of one fit with some rows counting more, less or not at all: one batch, warm-started."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from isoflop.errors import FitError
from isoflop.fitting.fit import law_coordinates
from isoflop.fitting.objective import Array, Problem
from isoflop.fitting.result import Fit
from isoflop.fitting.rows import Rows, problem_on, usable_rows
from isoflop.fitting.solve import Coordinates, minimise
from isoflop.identity import NOT_IDENTITY, Keyed
from isoflop.language import lazy_gettext
from isoflop.once import once
from isoflop.tables.schema import LossTable

TOLERANCE = 1e-10
MAX_ITERATIONS = 200
SMALLEST_REST = 0.05
AT_OPTIMUM = 1e-5
"""Relative excess of the objective above its minimum up to which a fit counts as an optimum."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Diagnostics(Keyed):
    """A fit with the rows and the objective that it minimises.

    Parameters
    ----------
    fit : Fit
    rows : Rows
        In the order of ``fit.row_index``.
    problem : Problem
    coordinates : Coordinates
    table : LossTable
        That the rows are of.
    key : str
        Of the fit, from which all else follows.
    """

    fit: Fit
    rows: Rows = field(repr=False, metadata=NOT_IDENTITY)
    problem: Problem = field(repr=False, metadata=NOT_IDENTITY)
    coordinates: Coordinates = field(repr=False, metadata=NOT_IDENTITY)
    table: LossTable = field(repr=False, metadata=NOT_IDENTITY)
    key: str = field(init=False, repr=False)

    def __reduce__(self) -> tuple[object, ...]:
        """Go to another process as the fit and its rows, from which all else is laid out again."""
        return diagnostics, (self.fit, self.table)

    @property
    def n_params(self) -> int:
        """Number of parameters."""
        return len(self.fit.law.params)

    @property
    def inputs(self) -> dict[str, Array]:
        """Value of each of the law's inputs, shape (n_rows,), by symbol."""
        return dict(zip(self.fit.law.symbols, self.rows.inputs, strict=True))

    def residuals(self, theta: Array) -> Array:
        """Return observed minus fitted, in log loss for log objectives and in loss otherwise.

        Parameters
        ----------
        theta : ndarray, shape (..., n_params)

        Returns
        -------
        ndarray, shape (..., n_rows)
        """
        return -self.problem.residual(self.fit.law.loss(theta, self.inputs))

    def response(self, theta: Array, inputs: Mapping[str, Array]) -> Array:
        """Return what the law predicts as residuals are taken: log loss, or loss; NaN if invalid.

        Returns
        -------
        ndarray, shape (..., n)
        """
        loss = self.fit.law.loss(theta, inputs)
        return np.log(np.where(loss > 0, loss, np.nan)) if self.fit.is_log else loss

    def refit(self, weights: Array, starts: Array | None = None) -> Array:
        """Fit once more under each vector of row weights.

        Parameters
        ----------
        weights : ndarray, shape (n_batch, n_rows)
        starts : ndarray, shape (n_starts, n_params), optional
            Places to start from, of which each refit keeps the lowest end; by default the fit.

        Returns
        -------
        ndarray, shape (n_batch, n_params)
            Natural units; NaN where the rows left do not determine the parameters.
        """
        starts = self.fit.theta[None] if starts is None else np.atleast_2d(starts)
        n_batch, n_starts = len(weights), len(starts)
        solution = minimise(
            self.problem,
            self.coordinates,
            np.tile(starts, (n_batch, 1)),
            np.repeat(weights, n_starts, axis=0),
            tolerance=TOLERANCE,
            max_iterations=MAX_ITERATIONS,
        )
        value = solution.value.reshape(n_batch, n_starts)
        best = np.argmin(value, axis=1)
        found = np.arange(n_batch)
        theta = solution.theta.reshape(n_batch, n_starts, -1)[found, best]
        is_enough = (weights > 0).sum(axis=1) >= self.n_params
        is_usable = is_enough & np.isfinite(value[found, best])
        return np.where(is_usable[:, None], theta, np.nan)

    def stepped(self, change: Array) -> Array:
        """Return the fit's parameters after small changes, positive ones staying positive.

        Parameters
        ----------
        change : ndarray, shape (..., n_params)
            Natural units.

        Returns
        -------
        ndarray, shape (..., n_params)
        """
        theta, is_log = self.fit.theta, self.coordinates.is_log
        relative = np.divide(change, theta, out=np.zeros_like(change), where=is_log & (theta != 0))
        moved = np.where(is_log, theta * np.exp(np.clip(relative, -50, 50)), theta + change)
        return np.clip(moved, self.coordinates.lower, self.coordinates.upper)

    def is_optimum(self) -> bool:
        """Say whether the fit minimises its objective here, which a published one need not."""
        (theta,) = self.refit(np.ones((1, self.problem.n_rows)))
        here, best = self.problem.value(np.stack([self.fit.theta, theta]))
        return bool(here <= best * (1 + AT_OPTIMUM) + self.problem.rounding)


def diagnostics(fit: Fit, table: LossTable | None = None) -> Diagnostics:
    """Lay out what a fit was made of.

    Parameters
    ----------
    fit : Fit
    table : LossTable, optional
        The one it was fitted to; by default the rows that the fit still holds.

    Raises
    ------
    FitError
        If it was fitted to another table, or there are no rows.
    """
    rows = table or fit.table
    if rows is None:
        raise FitError(
            lazy_gettext("The rows of this fit are not at hand."),
            hint=lazy_gettext("Give them: diagnostics(fit, table)."),
        )
    return _diagnostics(fit, rows)


@once(max_entries=16)
def _diagnostics(fit: Fit, table: LossTable) -> Diagnostics:
    if fit.table_fingerprint != table.fingerprint:
        raise FitError(
            lazy_gettext("The fit was made on other rows than those of {id}.", id=table.id),
            detail=lazy_gettext("It was made on the table {table_id}.", table_id=fit.table_id),
            hint=lazy_gettext("Fit the law to this table first."),
        )
    rows = usable_rows(fit.law, table, fit.options)
    return Diagnostics(
        fit=fit,
        rows=rows,
        problem=problem_on(fit.law, rows, fit.options),
        coordinates=law_coordinates(fit.law),
        table=table,
    )


def weights_without(sets: Iterable[Array], n_rows: int) -> Array:
    """Return one vector of row weights for each set of row positions that is to be left out.

    Returns
    -------
    ndarray, shape (n_sets, n_rows)
    """
    left_out = list(sets)
    weights = np.ones((len(left_out), n_rows))
    for vector, positions in zip(weights, left_out, strict=True):
        vector[positions] = 0.0
    return weights


def one_step(setup: Diagnostics) -> Array:
    """Return the change of the parameters when each row is left out, to first order.

    One Newton step from the fit on the rows that remain: cheap enough for any table, and the order
    in which rows are worth an exact refit.

    Returns
    -------
    ndarray, shape (n_rows, n_params)
        Natural units.

    References
    ----------
    Giordano et al. 2019, A Swiss army infinitesimal jackknife, arXiv 1806.00550; Cook and Weisberg
    1982, Residuals and influence in regression, for the step on the remaining rows.
    """
    theta = setup.fit.theta
    jacobian, slope, inside = setup.problem.linearise(theta)
    point = setup.problem.evaluate(theta[None])
    spread = np.sqrt(np.maximum(np.diagonal(point.gauss_newton[0]), 1e-300))
    is_free = np.array([n not in setup.fit.certificate.at_bound for n in setup.fit.law.param_names])
    scale = np.where(is_free, 1.0 / spread, 0.0)
    scaled = jacobian * scale
    hessian = point.hessian[0] * np.outer(scale, scale)
    solved, *_ = np.linalg.lstsq(hessian, scaled.T, rcond=1e-13)
    # A row in the quadratic part also takes its own curvature with it.
    own = np.where(inside, np.einsum("nj,jn->n", scaled, solved), 0.0)
    return np.asarray((solved * slope / np.clip(1 - own, SMALLEST_REST, 1.0)).T * scale)
