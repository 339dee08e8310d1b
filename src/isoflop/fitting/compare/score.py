"""How well a law describes rows: information criteria, and errors on rows that it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import erf

from isoflop.fitting.diagnose import Diagnostics, weights_without
from isoflop.fitting.objective import Problem

Array = NDArray[np.float64]

MAX_FOLDS = 300
"""Refits of a cross-validation; larger tables leave out several rows, or runs, at once."""

MIN_SHARE_OF_FOLDS = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Errors of predictions of rows that were left out.

    Parameters
    ----------
    error : ndarray, shape (n,)
        Predicted over observed, minus 1; or predicted minus observed where the response may be
        zero or negative. NaN where there is no prediction.
    unit : ndarray of int, shape (n,)
        Which run each row belongs to; rows of one run err together.
    is_relative : bool
    n_folds : int
        Refits they rest on.
    """

    error: Array
    unit: NDArray[np.intp]
    is_relative: bool
    n_folds: int = 1

    @property
    def mean_absolute(self) -> float:
        """Mean size of the errors."""
        return float(np.nanmean(np.abs(self.error)))

    @property
    def bias(self) -> float:
        """Mean error: positive where predictions lie too high."""
        return float(np.nanmean(self.error))

    @property
    def root_mean_square(self) -> float:
        """Root of the mean squared error, which single bad rows dominate."""
        return float(np.sqrt(np.nanmean(self.error**2)))

    def excess_over(self, other: Errors) -> tuple[float, float]:
        """Return how much larger these errors are on the same rows, and the standard error of that.

        Runs are taken as independent.

        Parameters
        ----------
        other : Errors
            Of the same rows.
        """
        difference = np.abs(self.error) - np.abs(other.error)
        is_known = np.isfinite(difference)
        _, unit = np.unique(self.unit[is_known], return_inverse=True)
        difference = difference[is_known]
        mean, n_units = float(difference.mean()), int(unit.max(initial=-1)) + 1
        if n_units < 2:
            return mean, float("nan")
        sums = np.bincount(unit, weights=difference - mean)
        variance = float(sums @ sums) * n_units / (n_units - 1) / len(difference) ** 2
        return mean, float(np.sqrt(variance))


def prediction_errors(
    predicted: Array, observed: Array, unit: NDArray[np.intp], n_folds: int = 1
) -> Errors:
    """Return the errors of predictions, relative ones where all observations are positive."""
    is_relative = bool(np.all(observed > 0))
    error = predicted / observed - 1 if is_relative else predicted - observed
    finite = np.where(np.isfinite(error), error, np.nan)
    return Errors(error=finite, unit=unit, is_relative=is_relative, n_folds=n_folds)


# --- Information criteria


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What a law gains by its fit, less what its parameters cost.

    Parameters
    ----------
    log_likelihood : float
        Of the observed losses.
    n_params : int
        With the scale of the residuals counted.
    aicc : float
        Akaike's criterion corrected for few rows; infinite where there are too few for it.
    bic : float
    """

    log_likelihood: float
    n_params: int
    aicc: float
    bic: float


def information_criteria(problem: Problem, theta: Array) -> Criteria:
    """Return AICc and BIC of a fit under the error distribution that its objective implies.

    Minimising a sum of penalties is maximum likelihood for errors of density proportional to
    exp(-penalty / scale): normal for least squares, normal with exponential tails for Huber, an
    asymmetric Laplace for the asymmetric absolute error. The scale is estimated too. Likelihoods
    are of the loss itself, so that objectives on log loss and on loss can be compared.

    Parameters
    ----------
    problem : Problem
    theta : ndarray, shape (n_params,)
        Its minimum.

    References
    ----------
    Burnham and Anderson 2002, Model selection and multimodel inference, section 2.4.
    """
    n_rows, n_params = problem.n_rows, len(theta) + 1
    total = max(problem.reported(float(problem.value(theta[None])[0])), problem.rounding)
    log_likelihood = -_negative_log_likelihood(problem, total)
    if problem.is_log:
        log_likelihood -= float(np.sum(np.log(problem.target)))
    deviance = -2 * log_likelihood
    spare = n_rows - n_params - 1
    correction = 2 * n_params * (n_params + 1) / spare if spare > 0 else np.inf
    return Criteria(
        log_likelihood=log_likelihood,
        n_params=n_params,
        aicc=deviance + 2 * n_params + correction,
        bic=deviance + n_params * float(np.log(n_rows)),
    )


def _negative_log_likelihood(problem: Problem, total: float) -> float:
    """Return it at the best scale, given the sum of penalties.

    A row of weight w has its own scale, the common one over w.
    """
    n = problem.n_rows
    weights = np.ones(1) if problem.row_weights is None else problem.row_weights
    log_weights = n * float(np.mean(np.log(weights)))
    if problem.below != 1.0:
        scale = total / n
        return n * float(np.log(scale * (1 + 1 / problem.below))) + n - log_weights
    if not np.isfinite(problem.delta):
        variance = 2 * total / n
        return 0.5 * n * float(np.log(2 * np.pi * variance) + 1) - 0.5 * log_weights
    delta = problem.delta

    def at(log_scale: float) -> float:
        scale = np.exp(log_scale) / weights
        inside = np.sqrt(2 * np.pi * scale) * erf(delta / np.sqrt(2 * scale))
        tails = 2 * scale / delta * np.exp(-(delta**2) / (2 * scale))
        return float(n * np.mean(np.log(inside + tails)) + total * np.exp(-log_scale))

    centre = float(np.log(total / n))
    return float(minimize_scalar(at, bounds=(centre - 12, centre + 12), method="bounded").fun)


# --- Cross-validation


def folds(unit: NDArray[np.intp], seed: int = 0) -> list[NDArray[np.intp]]:
    """Return sets of row positions to leave out: one unit each, or a few where units are many."""
    _, unit = np.unique(unit, return_inverse=True)
    n_units = int(unit.max()) + 1
    fold_of = np.arange(n_units)
    if n_units > MAX_FOLDS:
        fold_of = np.random.default_rng(seed).permutation(n_units) % MAX_FOLDS
    fold = fold_of[unit]
    order = np.argsort(fold, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(fold[order])) + 1)


def cross_validate(setup: Diagnostics, left_out: Sequence[NDArray[np.intp]]) -> Errors | None:
    """Predict each set of rows by a fit to all others; every fit in one batch.

    Parameters
    ----------
    setup : Diagnostics
    left_out : sequence of ndarray of int
        Row positions; each row in one set.

    Returns
    -------
    Errors or None
        None if the others do not determine the law in more than a tenth of the sets.
    """
    law, rows = setup.fit.law, setup.rows
    theta = setup.refit(weights_without(left_out, setup.problem.n_rows))
    is_fitted = np.asarray(np.isfinite(theta).all(axis=1))
    if is_fitted.mean() < MIN_SHARE_OF_FOLDS:
        return None
    fold = np.empty(setup.problem.n_rows, dtype=np.intp)
    for number, positions in enumerate(left_out):
        fold[positions] = number
    inputs = {s: x[:, None] for s, x in zip(law.symbols, rows.inputs, strict=True)}
    predicted = law.loss(np.where(is_fitted[:, None], theta, setup.fit.theta)[fold], inputs)[:, 0]
    predicted[~is_fitted[fold]] = np.nan
    return prediction_errors(predicted, rows.target, rows.clusters, n_folds=len(left_out))
