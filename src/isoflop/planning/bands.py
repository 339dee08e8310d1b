"""The intervals of a prediction at a budget, by every method that a fit allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.fitting import Band, Fit, band
from isoflop.fitting.bands import BandKind
from isoflop.fitting.coverage import band_name
from isoflop.planning.inputs import inputs_at
from isoflop.planning.rule import SIX_ND, ComputeRule
from isoflop.planning.trajectory import line_of_models


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodBands:
    """Both intervals by one method, at one point.

    Parameters
    ----------
    method : str
        Such as ``"Row bootstrap"``.
    confidence, prediction : Band or None
        Of the mean of many runs, and of one new run; None where there is none.
    """

    method: str
    confidence: Band | None
    prediction: Band | None


def bands_by_method(
    fit: Fit,
    compute_flop: float,
    *,
    fixed: Mapping[str, float] | None = None,
    rule: ComputeRule = SIX_ND,
    level: float = 0.9,
) -> tuple[MethodBands, ...]:
    """Return the intervals at the models that a budget buys, by bootstrap and by covariance.

    Parameters
    ----------
    fit : Fit
    compute_flop : float
    fixed : mapping of str to float, optional
        Values of the law's other inputs, by table column.
    rule : ComputeRule
    level : float
        Nominal coverage.
    """
    _, params, tokens, _ = line_of_models(fit, np.array([compute_flop]), fixed, rule=rule)
    at = inputs_at(fit.law, params, tokens, fixed, rule=rule)
    return tuple(
        MethodBands(
            method=band_name(source).capitalize(),
            confidence=_band(source, at, level, "confidence"),
            prediction=_band(source, at, level, "prediction"),
        )
        for source in _sources(fit)
    )


def _sources(fit: Fit) -> Iterator[Fit]:
    """Yield the fit for each way to an interval that it allows."""
    if fit.draws is not None:
        yield fit
    if fit.covariance is not None:
        yield replace(fit, draws=None)


def _band(
    fit: Fit, at: Mapping[str, NDArray[np.float64]], level: float, kind: BandKind
) -> Band | None:
    try:
        return band(fit, at, level, kind)
    except FitError:
        return None
