"""A law's loss along a line of models: over compute, over another input, at equal compute.

Every curve that a figure draws, or a file holds, is one of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.fitting import Band, Fit, band, predict
from isoflop.identity import Keyed
from isoflop.language import lazy_gettext
from isoflop.once import once
from isoflop.planning.frontier import compute_optimal
from isoflop.planning.inputs import (
    PARAMS_COLUMNS,
    extrapolation_decades,
    inputs_at,
    trades_size_for_data,
)
from isoflop.planning.rule import SIX_ND, ComputeRule
from isoflop.tables import LossTable
from isoflop.text import as_html

TOKENS_PER_PARAM = 20.0
"""Data size for laws that do not say: close to compute-optimal (Hoffmann et al. 2022)."""

N_POINTS = 120
EQUAL_COMPUTE_FACTOR = 30.0

Fixed = tuple[tuple[str, float], ...]
"""Values of inputs that a budget does not settle, by table column, as a cache can hold them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve(Keyed):
    """The predicted loss along a line of models, with its band.

    Parameters
    ----------
    fit : Fit
    compute_flop, params, tokens, loss : ndarray, shape (n,)
    models : str
        Which models they are, such as ``"best N and D"``; empty where the law does not care.
    fixed : mapping of str to float or ndarray, shape (n,)
        The law's other inputs along the line, by table column.
    band : Band or None
        None where there is none, never a band of no width.
    reason : str
        Why there is no band; empty otherwise.
    is_extrapolation : ndarray of bool, shape (n,)
        Whether a point lies beyond the fitted rows in any input.
    """

    fit: Fit
    compute_flop: NDArray[np.float64]
    params: NDArray[np.float64]
    tokens: NDArray[np.float64]
    loss: NDArray[np.float64]
    models: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    band: Band | None
    reason: str
    is_extrapolation: NDArray[np.bool_]
    key: str = field(init=False, repr=False)

    def __repr__(self) -> str:
        along = f" of {self.models}" if self.models else ""
        return f"<Curve{along}: {len(self.loss)} points, {self.fit.law.label}>"

    def _repr_html_(self) -> str:
        why = lazy_gettext("No band: {reason}", reason=self.reason) if self.reason else ""
        return as_html(repr(self).strip("<>"), self.to_frame(), why)

    def x(self, column: str) -> NDArray[np.float64]:
        """Return the values of a table column along the line, shape (n,)."""
        known = {
            "compute_flop": self.compute_flop,
            "params": self.params,
            "tokens": self.tokens,
            **self.fixed,
        }
        return np.broadcast_to(np.asarray(known[column], dtype=np.float64), self.loss.shape)

    def to_frame(self) -> pd.DataFrame:
        """Return the curve as named columns in canonical units, a row a point."""
        columns: dict[str, Any] = {
            "compute_flop": self.compute_flop,
            "params": self.params,
            "tokens": self.tokens,
            **self.fixed,
            self.fit.law.response: self.loss,
        }
        if self.band is not None:
            share = f"{self.band.level * 100:.0f}"
            columns |= {f"lower_{share}": self.band.lower, f"upper_{share}": self.band.upper}
        return pd.DataFrame(columns | {"is_extrapolation": self.is_extrapolation})


def line_of_models(
    fit: Fit,
    compute_flop: NDArray[np.float64],
    fixed: Mapping[str, float] | None = None,
    *,
    rule: ComputeRule = SIX_ND,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], str]:
    """Return compute, sizes and tokens of the models along a curve, and what models they are.

    The compute-optimal ones, or where the law has none, those of `TOKENS_PER_PARAM`. Compute at
    which the law has no optimum is left out.

    Parameters
    ----------
    fit : Fit
    compute_flop : ndarray, shape (n,)
    fixed : mapping of str to float, optional
        Values of the law's other inputs, by table column.
    rule : ComputeRule
        How size and tokens make compute.
    """
    best = optimal_models(fit, compute_flop, fixed, rule=rule)
    if best is not None:
        return *best, lazy_gettext("best N and D")
    params = assumed_params(compute_flop, rule)
    columns = {item.column for item in fit.law.inputs}
    models = "" if columns == {"compute_flop"} else f"{TOKENS_PER_PARAM:g} tokens/param"
    return compute_flop, params, rule.tokens(params, compute_flop), models


def optimal_models(
    fit: Fit,
    compute_flop: NDArray[np.float64],
    fixed: Mapping[str, float] | None = None,
    *,
    rule: ComputeRule = SIX_ND,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None:
    """Return compute, sizes and tokens of the compute-optimal models; None where there are none.

    Compute at which the law has no optimum is left out.
    """
    if not trades_size_for_data(fit.law):
        return None
    best = compute_optimal(fit.law, fit.theta, compute_flop, rule=rule, fixed=fixed)
    kept = best.is_interior
    if 2 * kept.sum() < len(compute_flop):
        return None
    return compute_flop[kept], best.params[kept], best.tokens[kept]


def assumed_params(
    compute_flop: NDArray[np.float64], rule: ComputeRule = SIX_ND
) -> NDArray[np.float64]:
    """Return the model size that is assumed where a law says nothing of it."""
    return rule.params(compute_flop, TOKENS_PER_PARAM)


def curve(
    fit: Fit,
    compute_range: tuple[float, float],
    *,
    fixed: Mapping[str, float] | None = None,
    rule: ComputeRule = SIX_ND,
    level: float = 0.9,
) -> Curve:
    """Return the predicted loss along the line of models over a range of compute.

    Parameters
    ----------
    fit : Fit
    compute_range : (float, float)
        In FLOP.
    fixed : mapping of str to float, optional
        Values of the law's other inputs, by table column.
    rule : ComputeRule
        How size and tokens make compute.
    level : float
        Nominal coverage of the band.
    """
    return _curve(fit, compute_range, tuple(sorted((fixed or {}).items())), rule, level)


@once(max_entries=128)
def _curve(
    fit: Fit, compute_range: tuple[float, float], fixed: Fixed, rule: ComputeRule, level: float
) -> Curve:
    given = dict(fixed)
    flop = np.geomspace(*compute_range, N_POINTS)
    _, params, tokens, models = line_of_models(fit, flop, given, rule=rule)
    return curve_through(fit, params, tokens, fixed=given, rule=rule, level=level, models=models)


def curve_over(
    fit: Fit,
    column: str,
    span: tuple[float, float],
    *,
    params: float,
    tokens: float,
    fixed: Mapping[str, float] | None = None,
    rule: ComputeRule = SIX_ND,
    level: float = 0.9,
) -> Curve:
    """Return the predicted loss of one model size and data size over a range of another input.

    Parameters
    ----------
    fit : Fit
    column : str
        Table column of the input.
    span : (float, float)
    params, tokens : float
    fixed, rule, level
        As `curve`.
    """
    x = np.geomspace(*span, N_POINTS) if span[0] > 0 else np.linspace(*span, N_POINTS)
    return curve_through(
        fit,
        np.full_like(x, params),
        np.full_like(x, tokens),
        fixed={**(fixed or {}), column: x},
        rule=rule,
        level=level,
        models=lazy_gettext("chosen N and D"),
    )


def curve_through(
    fit: Fit,
    params: NDArray[np.float64],
    tokens: NDArray[np.float64],
    *,
    fixed: Mapping[str, Any] | None = None,
    rule: ComputeRule = SIX_ND,
    level: float = 0.9,
    models: str = "",
) -> Curve:
    """Return the predicted loss of models of given size and tokens, shape (n,) each."""
    given = dict(fixed or {})
    inputs = inputs_at(fit.law, params, tokens, given, rule=rule)
    found, reason = band_or_reason(fit, inputs, level)
    decades = extrapolation_decades(fit, inputs).values()
    return Curve(
        fit=fit,
        compute_flop=rule.training_flop(params, tokens),
        params=params,
        tokens=tokens,
        loss=np.broadcast_to(predict(fit, inputs), params.shape),
        models=models,
        fixed=given,
        band=found,
        reason=reason,
        is_extrapolation=np.any([np.broadcast_to(d != 0, params.shape) for d in decades], axis=0),
    )


def equal_compute(
    fit: Fit,
    params: float,
    tokens: float,
    *,
    fixed: Mapping[str, float] | None = None,
    rule: ComputeRule = SIX_ND,
) -> Curve:
    """Return smaller and larger models that cost as much as one, without a band."""
    sizes = np.geomspace(params / EQUAL_COMPUTE_FACTOR, params * EQUAL_COMPUTE_FACTOR, 61)
    others = rule.tokens(sizes, rule.lifetime_flop(params, tokens))
    sizes, others = sizes[others > 0], others[others > 0]
    given = dict(fixed or {})
    return Curve(
        fit=fit,
        compute_flop=rule.training_flop(sizes, others),
        params=sizes,
        tokens=others,
        loss=predict(fit, inputs_at(fit.law, sizes, others, given, rule=rule)),
        models=lazy_gettext("equal compute"),
        fixed=given,
        band=None,
        reason="",
        is_extrapolation=np.zeros(len(sizes), dtype=bool),
    )


def band_or_reason(
    fit: Fit, inputs: Mapping[str, NDArray[np.float64]], level: float = 0.9
) -> tuple[Band | None, str]:
    """Return the confidence band at these inputs, or None and the reason."""
    try:
        return band(fit, inputs, level=level, kind="confidence"), ""
    except FitError as error:
        return None, error.detail or error.summary


def compute_range(
    fit: Fit, table: LossTable | None = None, compute_flop: float | None = None
) -> tuple[float, float]:
    """Return the compute to draw over: that of the rows and the budget, to half decades outside.

    Whole steps keep the range, and with it the cached curve, while a slider moves a little.

    Parameters
    ----------
    fit : Fit
        Says the range of its rows where there is no table.
    table : LossTable, optional
    compute_flop : float, optional
        Of a budget.
    """
    rows = _compute_of_ranges(fit) if table is None else compute_of_rows(table) or ()
    known = np.append(rows, [] if compute_flop is None else [compute_flop])
    return (
        float(10 ** (np.floor(2 * np.log10(known.min()) - 0.2) / 2)),
        float(10 ** (np.ceil(2 * np.log10(known.max()) + 0.4) / 2)),
    )


def _compute_of_ranges(fit: Fit) -> NDArray[np.float64]:
    """Return the least and the most compute that the ranges of a fit's inputs allow."""
    column_of = {item.symbol: item.column for item in fit.law.inputs}
    ranges = {column_of[symbol]: np.array(ends) for symbol, ends in fit.input_ranges.items()}
    if "compute_flop" in ranges:
        return ranges["compute_flop"]
    params = next((ranges[name] for name in PARAMS_COLUMNS if name in ranges), None)
    tokens = ranges.get("tokens")
    if params is None:
        params = np.array([1e6, 1e9]) if tokens is None else tokens / TOKENS_PER_PARAM
    return SIX_ND.training_flop(params, params * TOKENS_PER_PARAM if tokens is None else tokens)


@once(max_entries=16)
def compute_of_rows(table: LossTable) -> tuple[float, float] | None:
    """Return the least and the most compute of a table's rows; None where it is not known."""
    frame = table.included()
    if "compute_flop" in frame:
        flop = frame["compute_flop"].to_numpy(np.float64)
    elif {"params", "tokens"} <= set(frame):
        flop = SIX_ND.training_flop(table.values("params"), table.values("tokens"))
    else:
        return None
    usable = flop[np.isfinite(flop) & (flop > 0)]
    return (float(usable.min()), float(usable.max())) if len(usable) else None
