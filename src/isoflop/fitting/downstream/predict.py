"""What curves by family predict: models of a family, and how far off held-out ones are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.fitting.bands import BandKind
from isoflop.fitting.downstream.families import (
    MIN_MODELS,
    FamilyCurves,
    families_of,
    fit_families,
    inputs_of,
    with_reference_loss,
)
from isoflop.fitting.downstream.measured import HeldOutErrors
from isoflop.fitting.fit import Progress
from isoflop.fitting.result import Fit
from isoflop.language import lazy_gettext
from isoflop.tables.schema import LossTable

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyPrediction:
    """The metric of models of one family, with prediction or confidence intervals.

    Parameters
    ----------
    loss, metric, lower, upper : ndarray, shape (n,)
        Reference loss, and the metric with its interval.
    level : float
    """

    loss: Array
    metric: Array
    lower: Array
    upper: Array
    level: float


def predict_family(
    curves: FamilyCurves,
    family: str,
    inputs: Mapping[str, Array],
    *,
    level: float = 0.9,
    kind: BandKind = "prediction",
) -> FamilyPrediction:
    """Predict the metric of models of one family.

    Parameters
    ----------
    curves : FamilyCurves
    family : str
    inputs : mapping of str to ndarray, shape (n,)
        Of the reference law.
    level : float
    kind : {"confidence", "prediction"}

    Raises
    ------
    FitError
        If the family is not among those fitted.
    """
    if family not in curves.families:
        raise FitError(
            lazy_gettext("There is no curve of {family}.", family=family),
            detail=lazy_gettext("Families: {families}.", families=", ".join(curves.families)),
        )
    law, reference = curves.law, curves.reference
    loss = reference.law.loss(reference.theta, inputs)
    losses = reference.law.loss(curves.reference_draws, inputs)
    flags = [np.float64(name == family) for name in curves.families]
    metric = law.loss(curves.theta, inputs_of(law, [loss, *flags]))
    values = law.loss(curves.draws, inputs_of(law, [losses, *flags]))
    if kind == "prediction":
        residuals = curves.residuals
        freedom = max(len(residuals) - len(law.params), 1)
        drawn = np.random.default_rng(curves.seed + 1).choice(residuals, size=(len(values), 1))
        values = values + drawn * np.sqrt(len(residuals) / freedom)
    tails = [50 * (1 - level), 50 * (1 + level)]
    lower, upper = np.percentile(np.clip(values, 0, 1), tails, axis=0)
    return FamilyPrediction(
        loss=loss,
        metric=metric,
        lower=np.minimum(lower, metric),
        upper=np.maximum(upper, metric),
        level=level,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LargestHeldOut(HeldOutErrors):
    """The largest model of each family, predicted from the smaller ones of all.

    Parameters
    ----------
    metric : str
    families : tuple of str
    observed, predicted, lower, upper : ndarray, shape (n_families,)
    """

    metric: str
    families: tuple[str, ...]
    observed: Array
    predicted: Array
    lower: Array
    upper: Array

    def summary(self) -> str:
        """Say how far off the held-out models were predicted."""
        return lazy_gettext(
            "The largest model of each of {families} families, held out, was "
            "predicted within {mean_absolute:.1f} points on average, "
            "{coverage:.0%} of them inside the 90% interval.",
            families=len(self.families),
            mean_absolute=100 * self.mean_absolute,
            coverage=self.coverage,
        )


def families_held_out(
    table: LossTable,
    metric: str,
    reference: Fit,
    *,
    min_models: int = MIN_MODELS,
    level: float = 0.9,
    seed: int = 0,
    progress: Progress | None = None,
) -> LargestHeldOut:
    """Predict the model of least reference loss of each family from all others.

    Parameters
    ----------
    table, metric, reference, seed, progress
        As `fit_families`.
    min_models : int
        Models that a family must keep.
    level : float

    Raises
    ------
    IsoflopError
        As `fit_families`.
    """
    scaled = with_reference_loss(table, metric, reference)
    families, _ = families_of(scaled, min_models + 1)
    best = [_row_of_least_loss(scaled, name) for name in families]
    rest = scaled.with_frame(scaled.frame.drop(index=best))
    curves = fit_families(
        rest, metric, reference, min_models=min_models, seed=seed, progress=progress
    )
    found = []
    for name, row in zip(families, best, strict=True):
        model = scaled.frame.loc[[row]]
        inputs = {i.symbol: model[i.column].to_numpy(np.float64) for i in reference.law.inputs}
        one = predict_family(curves, name, inputs, level=level)
        observed = model[metric].to_numpy(np.float64)[0]
        found.append((observed, one.metric[0], one.lower[0], one.upper[0]))
    values, predicted, lower, upper = np.array(found, dtype=np.float64).T
    return LargestHeldOut(
        metric=metric,
        families=families,
        observed=values,
        predicted=predicted,
        lower=lower,
        upper=upper,
    )


def _row_of_least_loss(table: LossTable, family: str) -> int:
    """Return the index of a family's model of least reference loss."""
    own = table.frame[table.frame["family"].astype(str) == family]
    return int(own.index[int(np.argmin(own["loss"].to_numpy(np.float64)))])
