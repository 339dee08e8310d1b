"""Fit the constants of a step's time to measured steps, and measure how they predict others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import least_squares

from isoflop.planning.measured_steps import MeasuredStep
from isoflop.planning.step_constants import (
    INTERVAL_LEVEL,
    StepConstants,
    Trust,
    load_step_classes,
    step_class,
)
from isoflop.planning.step_time import busy_parts, overlapped
from isoflop.planning.step_work import StepWork, step_work

Array = NDArray[np.float64]

NAMES = tuple(field.name for field in fields(StepConstants))
_WORK = tuple(field.name for field in fields(StepWork))

_START = np.log([0.62, 0.45, 0.5, 2.0, 1.3])
"""Of all classes together, in the order of `NAMES`: the middle of a wide prior."""
_START_SPREAD = np.array([0.5, 0.7, 0.5, 0.7, 0.7])
_CLASS_SPREAD = np.array([0.12, 0.4, 0.25, 0.5, 0.5])
"""How far classes differ from all together, in logarithms: a class with few rows, or none of some
kind (long sequences, experts), borrows from the others. Halving it changes the error on sources
left out by 0.3 points."""
_ROW_SPREAD = 0.08
"""Beyond this a row's residual counts linearly, in logarithms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRows:
    """Measured steps as arrays.

    Parameters
    ----------
    work : ndarray, shape (n, 9)
        What each step asks of an accelerator, over the measured time, in the order of `StepWork`.
    classes : ndarray of int, shape (n,)
        Position of the class among those that ship.
    groups : ndarray of str, shape (n,)
        Who published it.
    experts : ndarray of bool, shape (n,)
        Whether the model routes tokens to experts.
    """

    work: Array
    classes: NDArray[np.int64]
    groups: NDArray[np.str_]
    experts: NDArray[np.bool_]

    def where(self, kept: NDArray[np.bool_]) -> StepRows:
        """Return some of the rows."""
        return StepRows(
            work=self.work[kept],
            classes=self.classes[kept],
            groups=self.groups[kept],
            experts=self.experts[kept],
        )

    @property
    def weights(self) -> Array:
        """Of each row, shape (n,): a source weighs like the square root of its rows."""
        _, group, counts = np.unique(self.groups, return_inverse=True, return_counts=True)
        return np.asarray(counts[group] ** -0.5)


def step_rows(measured: Sequence[MeasuredStep]) -> StepRows:
    """Turn measured steps into arrays."""
    order = list(load_step_classes())
    work = [step_work(item.step) for item in measured]
    rates = np.array([[getattr(item, name) for name in _WORK] for item in work])
    seconds = np.array([item.seconds for item in measured])
    rates[:, :-1] /= seconds[:, None]  # all but the bubble, which is a ratio
    return StepRows(
        work=rates,
        classes=np.array([order.index(step_class(m.step.accelerator)[0].key) for m in measured]),
        groups=np.array([item.group for item in measured]),
        experts=np.array([item.step.architecture.is_moe for item in measured]),
    )


def log_ratios(logs: Array, rows: StepRows) -> Array:
    """Return the logarithm of predicted over measured time, shape (n,).

    Parameters
    ----------
    logs : ndarray, shape (n_classes, 5)
        Logarithms of the constants.
    rows : StepRows
    """
    constants = StepConstants(**dict(zip(NAMES, np.exp(logs[rows.classes]).T, strict=True)))
    work = StepWork(**dict(zip(_WORK, rows.work.T, strict=True)))
    busy = work.bubble * sum(busy_parts(work, constants).values())
    return np.asarray(np.log(overlapped(busy, work.data_s)))


def fit_constants(rows: StepRows) -> Array:
    """Fit the constants of all classes at once.

    The loss is robust (quadratic near zero, linear beyond 8%); classes are shrunk to each other.

    Returns
    -------
    ndarray, shape (n_classes, 5)
        Logarithms of the constants.
    """
    n_classes = len(load_step_classes())
    root_weights = np.sqrt(rows.weights)

    def residuals(point: Array) -> Array:
        shared, own = point[: len(NAMES)], point[len(NAMES) :].reshape(n_classes, len(NAMES))
        off = log_ratios(shared + own, rows) / _ROW_SPREAD
        robust = np.sign(off) * np.sqrt(2 * (np.sqrt(1 + off**2) - 1))
        prior = (own / _CLASS_SPREAD).ravel()
        wide = (shared - _START) / _START_SPREAD
        return np.concatenate([root_weights * robust, prior, wide])

    start = np.concatenate([_START, np.zeros(n_classes * len(NAMES))])
    found = least_squares(residuals, start, xtol=1e-10, ftol=1e-10).x
    shared, own = found[: len(NAMES)], found[len(NAMES) :].reshape(n_classes, len(NAMES))
    return np.asarray(shared + own)


def left_out(rows: StepRows, labels: NDArray[np.generic]) -> Array:
    """Predict the rows of each label by a fit without them.

    Returns
    -------
    ndarray, shape (n,)
        Logarithms of predicted over measured time.
    """
    ratios = np.empty(len(labels))
    for label in np.unique(labels):
        held = np.asarray(labels == label)
        ratios[held] = log_ratios(fit_constants(rows.where(~held)), rows.where(held))
    return ratios


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFit:
    """Constants, and how well they predict.

    Parameters
    ----------
    rows : StepRows
    logs : ndarray, shape (n_classes, 5)
        Logarithms of the constants.
    spread : ndarray, shape (2, n_classes, 5)
        The least and the largest of each with one source left out.
    ratios : mapping of str to ndarray, shape (n,)
        Logarithms of predicted over measured time, by what was kept back: ``"nothing"``, a
        ``"tenth"`` of the rows, a ``"source"``, a ``"class"`` of accelerators.
    """

    rows: StepRows
    logs: Array
    spread: Array
    ratios: Mapping[str, Array]

    @property
    def constants(self) -> dict[str, StepConstants]:
        """By class."""
        return {
            key: StepConstants(**dict(zip(NAMES, map(float, np.exp(logs)), strict=True)))
            for key, logs in zip(load_step_classes(), self.logs, strict=True)
        }

    @property
    def intervals(self) -> dict[Trust, tuple[float, float, int]]:
        """By what they rest on: lower and upper share of the predicted time, and the rows."""
        return {
            "dense": self._interval("source", ~self.rows.experts),
            "experts": self._interval("source", self.rows.experts),
            "nearest": self._interval("class", np.full(len(self.rows.classes), True)),
        }

    def _interval(self, kept_back: str, kept: NDArray[np.bool_]) -> tuple[float, float, int]:
        """Weighted quantiles of measured over predicted time."""
        tail = (1 - INTERVAL_LEVEL) / 2
        ratios = np.exp(-self.ratios[kept_back][kept])
        lower, upper = np.quantile(
            ratios,
            [tail, 1 - tail],
            weights=self.rows.where(kept).weights,
            method="inverted_cdf",
        )
        return float(lower), float(upper), int(kept.sum())

    def errors(self) -> pd.DataFrame:
        """Return one row for each thing kept back and each source, and one for all sources.

        Columns: ``kept_back``, ``source``, ``n_rows``, ``median_error``, ``p90_error`` (absolute,
        shares of the measured time) and ``bias`` (median, signed).
        """
        return pd.DataFrame(self._error_rows())

    def _error_rows(self) -> Iterator[dict[str, object]]:
        everything = np.full(len(self.rows.groups), True)
        names = {"all": everything} | {
            str(group): self.rows.groups == group for group in np.unique(self.rows.groups)
        }
        for kept_back, ratios in self.ratios.items():
            for name, chosen in names.items():
                off = np.expm1(ratios[chosen])
                yield {
                    "kept_back": kept_back,
                    "source": name,
                    "n_rows": int(chosen.sum()),
                    "median_error": round(float(np.median(np.abs(off))), 4),
                    "p90_error": round(float(np.quantile(np.abs(off), 0.9)), 4),
                    "bias": round(float(np.median(off)), 4),
                }


def fit_steps(measured: Sequence[MeasuredStep]) -> StepFit:
    """Fit the constants, and predict what is kept back: rows, sources, classes. A second or two."""
    rows = step_rows(measured)
    logs = fit_constants(rows)
    tenths = np.arange(len(rows.groups)) % 10
    without = np.array(
        [fit_constants(rows.where(rows.groups != group)) for group in np.unique(rows.groups)]
    )
    return StepFit(
        rows=rows,
        logs=logs,
        spread=np.array([np.minimum(logs, without.min(0)), np.maximum(logs, without.max(0))]),
        ratios={
            "nothing": log_ratios(logs, rows),
            "tenth": left_out(rows, tenths),
            "source": left_out(rows, rows.groups),
            "class": left_out(rows, rows.classes),
        },
    )
