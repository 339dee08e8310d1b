"""What comes out of a fit: plain immutable data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting.options import LOG_OBJECTIVES, FitOptions
from isoflop.identity import NOT_IDENTITY, Keyed
from isoflop.laws.law import Law
from isoflop.notices import Notice
from isoflop.tables.schema import LossTable

BandKind = Literal["confidence", "prediction"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Evidence that the reported parameters are the global optimum.

    Parameters
    ----------
    n_starts : int
        Starts that were polished to convergence.
    share_at_optimum : float
        Share of them that ended at the reported optimum.
    n_minima : int
        Distinct local minima found.
    gap_to_second : float or None
        Relative gap of the objective to the next minimum; None if there is no other.
    gradient_norm : float
        Largest scaled gradient component at the optimum (dimensionless).
    condition_number : float
        Of the scaled Hessian at the optimum.
    at_bound : tuple of str
        Parameters that ended at a bound.
    n_grid : int
        Points of the seeding surface that were evaluated.
    """

    n_starts: int
    share_at_optimum: float
    n_minima: int
    gap_to_second: float | None
    gradient_norm: float
    condition_number: float
    at_bound: tuple[str, ...]
    n_grid: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit(Keyed):
    """One fitted law. Everything needed to predict from it, reproduce it and judge it.

    Parameters
    ----------
    law : Law
    table_id, table_fingerprint : str
        Which rows it was fitted to.
    options : FitOptions
    values : mapping of str to float
        Parameter estimates in the law's natural units, in the order of ``law.params``.
    draws : ndarray, shape (n_draws, n_params), or None
        Bootstrap estimates, natural units.
    covariance : ndarray, shape (n_params, n_params), or None
        Residual-based covariance of the estimates, natural units; NaN for parameters at a bound.
    covariance_reason : str
        Why there is no covariance; empty otherwise.
    objective_value : float
        Minimum of the objective (a sum over rows).
    residual_std : float
        Standard deviation of the residuals (of log loss for log objectives, else of the loss), with
        ``n_rows - n_params`` degrees of freedom; NaN where that is zero.
    residuals : ndarray, shape (n_rows,)
        Observed minus fitted, in log loss for log objectives and in loss otherwise.
    row_index : ndarray, shape (n_rows,)
        Index of each fitted row in the table's frame.
    certificate : Certificate
    notices : tuple of Notice
    n_rows : int
    n_clusters : int
        Runs that the rows come from; as many as rows where no run has several, 0 if not known.
    input_ranges : mapping of str to (float, float)
        Smallest and largest value of every input symbol among the fitted rows.
    loss_unit, param_convention : str
        Carried from the table.
    table : LossTable or None
        The rows, where they are at hand; a saved fit, or one from another process, has none. They
        are no part of the key.
    key : str
        Of all that is said above.
    """

    law: Law
    table_id: str
    table_fingerprint: str
    options: FitOptions
    values: Mapping[str, float]
    draws: NDArray[np.float64] | None
    covariance: NDArray[np.float64] | None
    covariance_reason: str
    objective_value: float
    residual_std: float
    residuals: NDArray[np.float64]
    row_index: NDArray[np.int64]
    certificate: Certificate
    notices: tuple[Notice, ...] = ()
    n_rows: int
    n_clusters: int = 0
    input_ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    loss_unit: str = "unknown"
    param_convention: str = "unknown"
    table: LossTable | None = field(default=None, repr=False, metadata=NOT_IDENTITY)
    key: str = field(init=False, repr=False)

    def __getstate__(self) -> list[object]:
        """Leave the rows behind on the way to another process: they are dear, and known there."""
        return [None if item.name == "table" else getattr(self, item.name) for item in fields(self)]

    @property
    def is_log(self) -> bool:
        """Whether residuals are differences of logarithms."""
        return self.options.objective in LOG_OBJECTIVES

    @property
    def theta(self) -> NDArray[np.float64]:
        """Parameter estimates as a vector, shape (n_params,)."""
        return np.array([self.values[param.name] for param in self.law.params])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Band(Keyed):
    """An interval around a prediction at each of n points.

    Parameters
    ----------
    lower, centre, upper : ndarray, shape (n,)
        In the unit of the loss.
    level : float
        Nominal coverage, such as 0.9.
    kind : {"confidence", "prediction"}
        Of the mean curve, or of one new run.
    is_extrapolation : ndarray of bool, shape (n,)
        Whether the point lies outside the range of any input of the fitted rows.
    is_simultaneous : bool
        Whether the level is that of the whole curve at once instead of each point alone.
    """

    lower: NDArray[np.float64]
    centre: NDArray[np.float64]
    upper: NDArray[np.float64]
    level: float
    kind: BandKind
    is_extrapolation: NDArray[np.bool_]
    is_simultaneous: bool = False
    key: str = field(init=False, repr=False)
