"""From compute to loss to accuracy, where both were measured: two fits, one resampling.

A bounded metric is seldom a simple function of compute, but often a sigmoid in the loss. Each
resample of the runs refits both steps on the same runs, so that the error of the first is carried
through the second, together with what the two have in common.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from isoflop.errors import FitError, TooFewRows
from isoflop.fitting.bands import BandKind
from isoflop.fitting.bootstrap import resample_weights
from isoflop.fitting.compare.held_out import SCALES, Split, split_by_scale, subset, write_scale
from isoflop.fitting.diagnose import diagnostics
from isoflop.fitting.fit import fit
from isoflop.fitting.options import FitOptions
from isoflop.fitting.result import Band, Fit
from isoflop.identity import Keyed
from isoflop.language import lazy_gettext as _
from isoflop.language import lazy_ngettext as n_
from isoflop.laws import Law, law_for_role, rebind
from isoflop.tables.schema import LossTable

Array = NDArray[np.float64]

N_DRAWS = 500
MIN_SHARE_OF_DRAWS = 0.5
NOT_METRICS = frozenset(
    {"params", "tokens", "compute_flop", "loss", "unique_tokens", "epochs", "step", "seed"}
)
"""Columns that lie between 0 and 1 by chance at most."""
PREFERRED = ("average", "HellaSwag", "accuracy")
"""Parts of the names of metrics that say most of a model, the best first."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Downstream(Keyed):
    """A law of the loss, and a sigmoid of a bounded metric in that loss.

    Parameters
    ----------
    metric : str
        Column of the metric, between 0 and 1.
    table : LossTable
        The runs that have all that both steps need.
    loss_fit, metric_fit : Fit
        The two steps, to all rows.
    loss_draws, metric_draws : ndarray, shape (n_draws, n_params of each)
        Row by row of the same resample of runs.
    losses, values : ndarray, shape (n_rows,)
        Of the runs that have both.
    residuals : ndarray, shape (n_rows, 2)
        Of log loss and of the metric, of each of them.
    seed : int
    """

    metric: str
    table: LossTable
    loss_fit: Fit
    metric_fit: Fit
    loss_draws: Array
    metric_draws: Array
    losses: Array
    values: Array
    residuals: Array
    seed: int
    key: str = field(init=False, repr=False)

    def __repr__(self) -> str:
        return f"Downstream({self.name} through {self.loss_fit.law.label} on {self.table.id})"

    @property
    def name(self) -> str:
        """The metric as a person calls it."""
        return metric_name(self.metric)

    @property
    def r_squared(self) -> float:
        """Share of the metric's variance that the loss explains."""
        left = self.residuals[:, 1]
        spread = self.values - self.values.mean()
        return float(1 - np.sum(left**2) / np.sum(spread**2))


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricBand:
    """A predicted metric with its interval, and what each step adds to that.

    Parameters
    ----------
    loss, metric : Band
        After the first and after the second step.
    from_loss, from_metric : (ndarray, ndarray)
        Ends of the interval if only the first, or only the second step were uncertain.
    """

    loss: Band
    metric: Band
    from_loss: tuple[Array, Array]
    from_metric: tuple[Array, Array]


class HeldOutErrors:
    """How far held-out values of a metric lie from what was predicted."""

    __slots__ = ()
    observed: Array
    predicted: Array
    lower: Array
    upper: Array

    @property
    def coverage(self) -> float:
        """Share of observed values inside the interval."""
        return float(np.mean((self.observed >= self.lower) & (self.observed <= self.upper)))

    @property
    def mean_absolute(self) -> float:
        """Mean absolute error, in the metric's unit."""
        return float(np.mean(np.abs(self.predicted - self.observed)))


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricHeldOut(HeldOutErrors):
    """The two steps, and one step alone, on runs above those that they were fitted to.

    Parameters
    ----------
    metric : str
        Column of the metric.
    split : Split
    observed, predicted, lower, upper : ndarray, shape (n,)
        Of the metric, with the prediction interval.
    one_step : ndarray, shape (n,)
        Prediction of a sigmoid in log compute, fitted to the same lower part; NaN where that
        cannot be fitted.
    level : float
    """

    metric: str
    split: Split
    observed: Array
    predicted: Array
    lower: Array
    upper: Array
    one_step: Array
    level: float

    @property
    def mean_absolute_one_step(self) -> float:
        """The same of one step alone."""
        return float(np.mean(np.abs(self.one_step - self.observed)))

    @property
    def labels(self) -> tuple[str, ...]:
        """The scale of each run, in words."""
        scale = self.split.upper.values(self.split.column)
        return tuple(write_scale(value, self.split.column) for value in scale)

    @property
    def one_step_name(self) -> str:
        """What the one step rests on, in words."""
        return _("from {column} alone", column=SCALES.get(self.split.column, self.split.column))

    def summary(self) -> str:
        """Say how far off the held-out runs were predicted, and how far from the scale alone."""
        text = _(
            "On the {runs} of the largest decade, held out, predictions were "
            "{mean_absolute:.1f} points off on average, {coverage:.0%} of the "
            "runs inside their {level:.0%} interval",
            runs=n_("{n:,} run", "{n:,} runs", len(self.observed)),
            mean_absolute=100 * self.mean_absolute,
            coverage=self.coverage,
            level=self.level,
        )
        if np.isfinite(self.mean_absolute_one_step):
            scale = SCALES.get(self.split.column, self.split.column)
            text += _(
                "; {scale} alone would have been {mean_absolute_one_step:.1f} off",
                scale=scale,
                mean_absolute_one_step=100 * self.mean_absolute_one_step,
            )
        return _("{sentence}.", sentence=text)

    def to_frame(self) -> pd.DataFrame:
        """Return the held-out runs by ascending scale."""
        frame = pd.DataFrame(
            {
                "run": self.labels,
                "observed": self.observed,
                "predicted": self.predicted,
                "lower": self.lower,
                "upper": self.upper,
                "one_step": self.one_step,
            }
        )
        return frame.iloc[np.argsort(self.split.upper.values(self.split.column))]


def metric_name(column: str) -> str:
    """Return a metric as a person calls it: without the folder that a logger puts before it."""
    return column.rpartition("/")[2]


def default_metric(table: LossTable) -> str:
    """Return the metric that says most of a model: an average, if the table has one.

    Raises
    ------
    FitError
        If the table has no bounded metric.
    """
    found = metrics(table)
    if not found:
        raise FitError(
            _("{title} has no metric between 0 and 1.", title=table.provenance.title),
            hint=_("Choose a table with accuracies."),
        )
    return next((name for part in PREFERRED for name in found if part in name), found[0])


def metrics(table: LossTable) -> tuple[str, ...]:
    """Return the columns that may be bounded metrics: numbers between 0 and 1 that vary.

    Parameters
    ----------
    table : LossTable
    """
    frame = table.included().select_dtypes("number")
    found = []
    for name in frame:
        values = frame[name].to_numpy(np.float64)
        values = values[np.isfinite(values)]
        is_bounded = len(values) > 0 and values.min() >= 0 and values.max() <= 1
        if is_bounded and name not in NOT_METRICS and len(np.unique(values)) > 2:
            found.append(str(name))
    return tuple(found)


def fit_downstream(
    table: LossTable,
    metric: str,
    loss_law: Law,
    options: FitOptions | None = None,
    *,
    n_draws: int = N_DRAWS,
) -> Downstream:
    """Fit both steps and resample them together.

    Parameters
    ----------
    table : LossTable
        With the columns of the law, ``loss`` and the metric.
    metric : str
        Column of the metric.
    loss_law : Law
        Of the loss.
    options : FitOptions, optional
        Of the first step, and whether rows or whole runs are resampled; the second is fitted by
        least squares.
    n_draws : int

    Raises
    ------
    TableError
        If a column is missing.
    TooFewRows, NotIdentified
        If either step cannot be fitted.
    FitError
        If the metric does not lie between 0 and 1, or too few resamples can be fitted.

    References
    ----------
    Bhagia et al. 2024 (arXiv 2412.04403); Gadre et al. 2024 (arXiv 2403.08540), section 3.
    """
    options = replace(options or FitOptions(), n_bootstrap=0, weights=None)
    check_metric(table, metric)
    both = _rows_with(table, (metric, loss_law.response, *(i.column for i in loss_law.inputs)))
    metric_law = rebind(law_for_role("metric-of-loss"), {}, response=metric)
    first = diagnostics(fit(loss_law, both, options), both)
    plain = replace(options, objective="least_squares", params=(), positive=())
    second = diagnostics(fit(metric_law, both, plain), both)
    weights = resample_weights(first.rows.clusters, replace(first.fit.options, n_bootstrap=n_draws))
    loss_draws, metric_draws = first.refit(weights), second.refit(weights)
    is_fitted = np.isfinite(loss_draws).all(axis=1) & np.isfinite(metric_draws).all(axis=1)
    if is_fitted.mean() < MIN_SHARE_OF_DRAWS:
        raise FitError(
            _(
                "Only {sum} of {n_draws} resamples of the runs could be fitted.",
                sum=int(is_fitted.sum()),
                n_draws=n_draws,
            ),
            hint=_("Choose a law with fewer parameters, or add runs."),
        )
    log_residuals = first.fit.residuals
    if not first.fit.is_log:
        log_residuals = np.log(first.rows.target / (first.rows.target - log_residuals))
    return Downstream(
        metric=metric,
        table=both,
        loss_fit=first.fit,
        metric_fit=second.fit,
        loss_draws=loss_draws[is_fitted],
        metric_draws=metric_draws[is_fitted],
        losses=first.rows.target,
        values=second.rows.target,
        residuals=np.stack([log_residuals, second.fit.residuals], axis=1),
        seed=options.seed,
    )


def check_metric(table: LossTable, metric: str) -> None:
    """Refuse a column that is not a metric between 0 and 1.

    Raises
    ------
    TableError, TooFewRows, FitError
        If the table has no such column, no value in it, or one out of range.
    """
    values = table.values(metric)
    values = values[np.isfinite(values)]
    if not len(values):
        raise TooFewRows(_("No row has a value of {metric}.", metric=metric))
    if values.min() < 0 or values.max() > 1:
        raise FitError(
            _("{metric} is not a bounded metric.", metric=metric),
            detail=_(
                "It lies between {min:.3g} and {max:.3g}, not 0 and 1.",
                min=values.min(),
                max=values.max(),
            ),
            hint=_("Choose an accuracy or another share, or rescale the column."),
        )


def _rows_with(table: LossTable, columns: tuple[str, ...]) -> LossTable:
    known = np.all([np.isfinite(table.values(column)) for column in columns], axis=0)
    if not known.any():
        raise TooFewRows(
            _("No row has all that the two steps need."),
            detail=_("Needed: {columns}.", columns=", ".join(dict.fromkeys(columns))),
        )
    return table if known.all() else subset(table, known)


def predict_downstream(
    found: Downstream,
    inputs: Mapping[str, ArrayLike],
    *,
    level: float = 0.9,
    kind: BandKind = "confidence",
) -> MetricBand:
    """Predict loss and metric with intervals that carry the error of both steps.

    Parameters
    ----------
    found : Downstream
    inputs : mapping of str to array_like, shape (n,)
        Of the law of the loss.
    level : float
    kind : {"confidence", "prediction"}
        Of the mean run, or of one new run, which adds the residuals of both steps of a run.

    Raises
    ------
    FitError
        If the level is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise FitError(
            _("The level of a band must lie between 0 and 1, not {level:g}.", level=level)
        )
    law, metric_law = found.loss_fit.law, found.metric_fit.law
    loss = law.loss(found.loss_fit.theta, inputs)
    metric = metric_law.loss(found.metric_fit.theta, {"L": loss})
    losses = law.loss(found.loss_draws, inputs)
    noise = np.zeros(len(found.metric_draws))
    if kind == "prediction":
        drawn = _run_noise(found)
        losses, noise = losses * np.exp(drawn[:, :1]), drawn[:, 1]
    values = metric_law.loss(found.metric_draws, {"L": losses}) + noise[:, None]
    only_loss = metric_law.loss(found.metric_fit.theta, {"L": losses})
    only_metric = metric_law.loss(found.metric_draws, {"L": loss}) + noise[:, None]
    outside = np.zeros(len(loss), dtype=bool)
    for symbol, (low, high) in found.loss_fit.input_ranges.items():
        value = np.asarray(inputs[symbol], dtype=np.float64)
        outside |= (value < low * (1 - 1e-9)) | (value > high * (1 + 1e-9))

    def band(centre: Array, draws: Array) -> Band:
        lower, upper = _ends(draws, level)
        return Band(
            lower=np.minimum(lower, centre),
            centre=centre,
            upper=np.maximum(upper, centre),
            level=level,
            kind=kind,
            is_extrapolation=outside,
        )

    return MetricBand(
        loss=band(loss, losses),
        metric=band(metric, np.clip(values, 0.0, 1.0)),
        from_loss=_ends(only_loss, level),
        from_metric=_ends(np.clip(only_metric, 0.0, 1.0), level),
    )


def _run_noise(found: Downstream) -> Array:
    """Draw both residuals of a run for each draw, widened for the parameters that were fitted."""
    n_rows = len(found.residuals)
    freedom = [max(n_rows - len(one.law.params), 1) for one in (found.loss_fit, found.metric_fit)]
    random = np.random.default_rng(found.seed + 1)
    drawn = found.residuals[random.integers(n_rows, size=len(found.loss_draws))]
    return np.asarray(drawn * np.sqrt(n_rows / np.array(freedom)))


def _ends(draws: Array, level: float) -> tuple[Array, Array]:
    lower, upper = np.percentile(draws, [50 * (1 - level), 50 * (1 + level)], axis=0)
    return lower, upper


def downstream_held_out(
    table: LossTable,
    metric: str,
    loss_law: Law,
    options: FitOptions | None = None,
    *,
    decades: float = 1.0,
    level: float = 0.9,
) -> MetricHeldOut:
    """Fit both steps to the lower part of compute and predict the metric of the upper.

    Parameters
    ----------
    table, metric, loss_law, options
        As `fit_downstream`.
    decades : float
        How far the held-out part reaches down from the largest compute.
    level : float

    Raises
    ------
    IsoflopError
        As `fit_downstream`, or if there is no lower part.
    """
    columns = (metric, loss_law.response, *(item.column for item in loss_law.inputs))
    rows = _rows_with(table, columns)
    split = split_by_scale(rows, decades)
    found = fit_downstream(split.lower, metric, loss_law, options)
    inputs = {item.symbol: split.upper.values(item.column) for item in loss_law.inputs}
    predicted = predict_downstream(found, inputs, level=level, kind="prediction").metric
    return MetricHeldOut(
        metric=metric,
        split=split,
        observed=split.upper.values(metric),
        predicted=predicted.centre,
        lower=predicted.lower,
        upper=predicted.upper,
        one_step=_one_step(split, metric),
        level=level,
    )


def _one_step(split: Split, metric: str) -> Array:
    """Predict the metric from the scale alone."""
    law = rebind(law_for_role("metric-of-scale"), {"x": split.column}, response=metric)
    scale = split.upper.values(split.column)
    try:
        found = fit(law, split.lower, FitOptions(objective="least_squares"))
    except FitError:
        return np.full(len(scale), np.nan)
    return law.loss(found.theta, {"x": scale})
