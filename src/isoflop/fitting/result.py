"""What comes out of a fit: immutable data that predicts, describes itself, and can be saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop import document
from isoflop.errors import DocumentError, IsoflopError
from isoflop.fitting.bands import Band, BandKind
from isoflop.fitting.options import LOG_OBJECTIVES, FitOptions
from isoflop.fitting.points import points_of
from isoflop.fitting.predict import band, predict
from isoflop.fitting.summary import fit_html, fit_text, params_frame, uncertainty
from isoflop.identity import NOT_IDENTITY, Keyed
from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.laws.formula import parse
from isoflop.laws.law import Law, derive
from isoflop.notices import Notice, Severity, require_none
from isoflop.tables.schema import LossTable
from isoflop.units import counted

__all__ = ["Band", "BandKind", "Certificate", "Fit"]

FORMAT = "isoflop-fit-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingBound:
    """A bound that an optimum lies at.

    Parameters
    ----------
    name : str
        Of the parameter.
    end : float
        The bound, natural units.
    is_upper : bool
    step : float
        A hundredth of the bound; where that is zero, what moves the predictions by a hundredth.
    fall : float
        Share by which the objective would fall, to first order, by that step beyond the bound.
    value_without : float or None
        Of the parameter in the fit without its bounds; None where there is no such fit.
    objective_ratio : float or None
        Of the objective here to that of the fit without the bounds.
    """

    name: str
    end: float
    is_upper: bool
    step: float
    fall: float
    value_without: float | None
    objective_ratio: float | None

    def __str__(self) -> str:
        """Say in a sentence what the bound does."""
        said = _(
            "{name} stops at its {is_upper} end {end:g}: {step:.2g} beyond it "
            "the objective would be {fall:.1%} lower, to first order",
            name=self.name,
            is_upper=_("upper") if self.is_upper else _("lower"),
            end=self.end,
            step=self.step,
            fall=self.fall,
        )
        if self.value_without is None or self.objective_ratio is None:
            return _("{said}; without that end the law has no finite fit.", said=said)
        ratio = self.objective_ratio
        better = f"{1 - 1 / ratio:.1%}" if ratio < 2 else _("{ratio:.3g} times", ratio=ratio)
        better = _("over a million times") if ratio > 1e6 else better
        return _(
            "{said}; without that end it would be {value_without:.4g}, and the "
            "objective {better} lower.",
            said=said,
            value_without=self.value_without,
            better=better,
        )


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
        Parameters that ended at a bound, or ran off to where they change nothing.
    n_grid : int
        Points of the seeding surface that were evaluated.
    bounds : tuple of BindingBound
        Of those that ended at a bound.
    """

    n_starts: int
    share_at_optimum: float
    n_minima: int
    gap_to_second: float | None
    gradient_norm: float
    condition_number: float
    at_bound: tuple[str, ...]
    n_grid: int
    bounds: tuple[BindingBound, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Fit(Keyed):
    """One fitted law. Everything needed to predict from it, reproduce it and judge it.

    Parameters
    ----------
    law : Law
    table_id, table_fingerprint : str
        Which rows it was fitted to.
    options : FitOptions
    values : mapping of str to float
        Parameter estimates in the law's natural units, in the order of ``law.params``, then those
        that are fixed.
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
        ``n_rows - n_params`` degrees of freedom; NaN where that is zero. With weights, of a row
        of weight 1.
    residuals : ndarray, shape (n_rows,)
        Observed minus fitted, in log loss for log objectives and in loss otherwise.
    row_index : ndarray, shape (n_rows,)
        Index of each fitted row in the table's frame.
    weights : ndarray, shape (n_rows,), or None
        How much each row counted; None where all did alike.
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
    weights: NDArray[np.float64] | None = None
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
    def largest_residual(self) -> float:
        """The largest absolute residual."""
        return float(np.max(np.abs(self.residuals), initial=0.0))

    @property
    def theta(self) -> NDArray[np.float64]:
        """Parameter estimates as a vector, shape (n_params,)."""
        return np.array([self.values[param.name] for param in self.law.params])

    @property
    def standardised_residuals(self) -> NDArray[np.float64]:
        """Residuals in units of those of a row of weight 1, shape (n_rows,)."""
        return self.residuals if self.weights is None else self.residuals * np.sqrt(self.weights)

    @property
    def uncertainty(self) -> str:
        """What standard errors and intervals rest on, or why there are none."""
        return uncertainty(self)

    def __repr__(self) -> str:
        return f"<Fit {self.law.label}: {counted(self.n_rows, 'row')} of {self.table_id}>"

    def summary(self, *, notices: bool = True) -> str:
        """Return the fit as text: law, rows, parameters with intervals, certificate, notices.

        Parameters
        ----------
        notices : bool
            Whether the notices stand below.
        """
        return fit_text(self, notices=notices)

    def params(self, level: float = 0.9) -> pd.DataFrame:
        """Return a row a parameter: value, std_error, lower, upper, unit and help.

        Parameters
        ----------
        level : float
            Nominal coverage of the interval.

        Raises
        ------
        FitError
            If the level does not lie between 0 and 1.
        """
        return params_frame(self, level)

    def predict(
        self, inputs: Mapping[str, Any] | pd.DataFrame | None = None, /, **named: Any
    ) -> NDArray[np.float64]:
        """Return the fitted loss.

        Parameters
        ----------
        inputs : mapping or DataFrame, optional
            Value of every input, by its symbol in the law or by its column; a frame may have other
            columns as well. Numbers in canonical units, or quantities as text.
        **named
            The same, by keyword, such as ``N="70B", D="1.4T"``.

        Returns
        -------
        ndarray, shape (n,)

        Raises
        ------
        TableError
            If an input is missing or unknown.
        UnitError
            If a value cannot be read.
        """
        return predict(self, points_of(self.law, inputs, named))

    def band(
        self,
        inputs: Mapping[str, Any] | pd.DataFrame | None = None,
        /,
        *,
        level: float = 0.9,
        kind: BandKind = "confidence",
        is_simultaneous: bool = False,
        **named: Any,
    ) -> Band:
        """Return an interval around the predicted loss at each point.

        Parameters
        ----------
        inputs, **named
            As `predict`.
        level : float
            Nominal coverage.
        kind : {"confidence", "prediction"}
            Of the mean curve, or of one new run.
        is_simultaneous : bool
            Let the level be that of the whole curve at once.

        Raises
        ------
        FitError
            If there are neither draws nor a covariance, with the reason.
        TableError, UnitError
            As `predict`.
        """
        points = points_of(self.law, inputs, named)
        return band(self, points, level, kind, is_simultaneous=is_simultaneous)

    def raise_for_notices(self, severity: Severity = "serious") -> None:
        """Refuse the fit if it has a notice of this severity, or a worse one.

        Raises
        ------
        NoticeError
            Listing them.
        """
        require_none(
            self.notices,
            severity,
            _("The fit of {label} to {table_id}", label=self.law.label, table_id=self.table_id),
        )

    def to_json(self, *, derived: Mapping[str, Any] | None = None) -> str:
        """Return the fit as JSON that `from_json` reads; the rows stay behind.

        Parameters
        ----------
        derived : mapping, optional
            Plain data for other readers, beside the intervals of the parameters.
        """
        parameters = self.params().reset_index().to_dict("records")
        return document.to_json(self, FORMAT, derived={"parameters": parameters, **(derived or {})})

    @classmethod
    def from_json(cls, text: str | bytes) -> Fit:
        """Read what `to_json` wrote.

        Returns
        -------
        Fit
            Equal to the one that was written, without its rows.

        Raises
        ------
        DocumentError
            If it is anything else, or of a newer version.
        """
        return _checked(document.from_json(cls, text, FORMAT))

    def save(self, path: str | Path) -> None:
        """Write the fit to a file that `load` reads.

        Raises
        ------
        DocumentError
            If it cannot be written.
        """
        document.save(self.to_json(), path)

    @classmethod
    def load(cls, path: str | Path) -> Fit:
        """Read a fit that `save` wrote.

        Raises
        ------
        DocumentError
            If the file cannot be read or holds anything else.
        """
        return cls.from_json(document.load(path))

    def _repr_html_(self) -> str:
        return fit_html(self)


def _checked(fit: Fit) -> Fit:
    """Refuse a fit from outside whose parts do not belong together."""
    names, n_params = fit.law.param_names, len(fit.law.params)
    faults = []
    try:
        if set(parse(fit.law.formula).names) != set(names) | set(fit.law.symbols):
            faults.append(_("law: the formula's names are not its inputs and parameters"))
        else:
            derive(fit.law.formula, fit.law.symbols, names)  # what a prediction needs
    except IsoflopError as error:
        faults.append(_("law.formula: {summary}", summary=error.summary))
    if tuple(fit.values) != (*names, *dict(fit.law.fixed)):
        faults.append(_("values: they must be of {names}, in that order", names=", ".join(names)))
    if fit.weights is not None and fit.weights.shape != (fit.n_rows,):
        faults.append(_("weights: they must be of {n_rows} rows", n_rows=fit.n_rows))
    if fit.draws is not None and (fit.draws.ndim != 2 or fit.draws.shape[1] != n_params):
        faults.append(
            _(
                "draws: {shape}, with {n_params} parameters",
                shape=fit.draws.shape,
                n_params=n_params,
            )
        )
    if fit.covariance is not None and fit.covariance.shape != (n_params, n_params):
        faults.append(
            _(
                "covariance: {shape}, with {n_params} parameters",
                shape=fit.covariance.shape,
                n_params=n_params,
            )
        )
    if not fit.residuals.shape == fit.row_index.shape == (fit.n_rows,):
        faults.append(
            _("residuals and row_index: they must be of {n_rows} rows", n_rows=fit.n_rows)
        )
    if not set(fit.input_ranges) <= set(fit.law.symbols):
        faults.append(_("input_ranges: an input that the law does not have"))
    if faults:
        raise DocumentError(
            _("This saved fit does not hold together."),
            detail=joined("\n", faults)[:1000],
            hint=_("Give the file as Isoflop saved it."),
        )
    return fit
