"""The compute-optimal size against what a fit rests on: each row, the tail, the Huber delta.

Every curve is made of exact refits in one batch, warm-started from the fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from isoflop.errors import FitError, PlanError
from isoflop.fitting import Fit
from isoflop.fitting.diagnose import (
    Diagnostics,
    LeaveOut,
    Unit,
    leave_out,
    weights_without,
)
from isoflop.fitting.intervals import interval, small_sample
from isoflop.fitting.solve import anneal, minimise
from isoflop.language import lazy_gettext as _
from isoflop.language import lazy_ngettext as n_
from isoflop.language import without_stop
from isoflop.once import once
from isoflop.planning.frontier import compute_optimal
from isoflop.planning.rule import SIX_ND, ComputeRule
from isoflop.planning.trajectory import compute_range
from isoflop.tables import LossTable
from isoflop.units import format_number

SLOPE_STEP = 0.1
"""Step in log compute for the slope of N*."""

MAX_LEFT_OUT_SHARE, MAX_LEFT_OUT = 0.1, 40
DELTAS = np.geomspace(1e-5, 1.0, 36)

SIZE, EXPONENT = "N*", "a"
"""Names of the optimum among the quantities that rows change."""

Along = Literal["highest_losses", "residuals", "huber_delta"]
"""A choice that the fit rests on: rows left out, by either order, or the Huber delta."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the optimum is looked for.

    Parameters
    ----------
    compute_flop : float
    rule : ComputeRule
    fixed : mapping of str to float, optional
        Values of the law's other inputs, by table column.
    """

    compute_flop: float
    rule: ComputeRule = SIX_ND
    fixed: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Optima:
    """The optimum at one budget under many parameter vectors; shape (...) each.

    Parameters
    ----------
    params : ndarray
        N*; NaN where there is none.
    exponent : ndarray
        Slope of log N* along log C at the budget: a in N* ~ C**a.
    """

    params: NDArray[np.float64]
    exponent: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimumDraws:
    """The optimum of a fit, and of its draws.

    Parameters
    ----------
    fit : Fit
    centre : Optima
        Shape () each.
    draws : Optima or None
        Shape (n_draws,) each.
    """

    fit: Fit
    centre: Optima
    draws: Optima | None

    @property
    def exists(self) -> bool:
        """Whether the law has a compute-optimal size at the budget."""
        return bool(np.isfinite(self.centre.params))

    @property
    def params(self) -> float:
        """N* of the fit."""
        return float(self.centre.params)

    @property
    def exponent(self) -> float:
        """Exponent a of N* ~ C**a of the fit."""
        return float(self.centre.exponent)

    def interval(
        self, name: Literal["params", "exponent"], level: float = 0.9
    ) -> tuple[float, float] | None:
        """Return the interval of the size or its exponent.

        None without draws, and where too many of them have no optimum.
        """
        if self.draws is None:
            return None
        lower, upper = interval(
            getattr(self.centre, name),
            getattr(self.draws, name),
            level,
            factor=small_sample(self.fit, level),
            is_positive=name == "params",
        )
        return None if np.isnan(lower) else (float(lower), float(upper))


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """Something that leaving out rows changes.

    Parameters
    ----------
    name : str
        ``"N*"``, ``"a"`` or a parameter's.
    meaning : str
        In words; may be empty.
    with_all : float
    without : ndarray, shape (n_units,)
        Of the fit without each row, or run.
    is_relative : bool
        Whether changes are compared as ratios.
    """

    name: str
    meaning: str
    with_all: float
    without: NDArray[np.float64]
    is_relative: bool

    @property
    def label(self) -> str:
        """Name and meaning."""
        return (
            _("{name}: {meaning}", name=self.name, meaning=self.meaning)
            if self.meaning
            else self.name
        )

    @property
    def change(self) -> NDArray[np.float64]:
        """Without minus with it, or the relative change in percent; shape (n_units,)."""
        if self.is_relative:
            return 100 * (self.without / self.with_all - 1)
        return self.without - self.with_all

    def write(self, value: float) -> str:
        """Write a value of it."""
        return format_number(value) if self.name == SIZE else f"{value:.5g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Influence:
    """What each row, or run, does to the fit and to the optimum.

    Parameters
    ----------
    setup : Diagnostics
    left_out : LeaveOut
    with_all : Optima
        Of the fit itself, shape () each.
    without : Optima
        Of the fit without each unit, shape (n_units,) each.
    """

    setup: Diagnostics
    left_out: LeaveOut
    with_all: Optima
    without: Optima

    @property
    def quantities(self) -> dict[str, Quantity]:
        """Everything that is changed, by name: the optimum first, where there is one."""
        found = []
        if np.isfinite(self.with_all.params):
            found = [
                Quantity(
                    name=SIZE,
                    meaning=_("compute-optimal model size"),
                    with_all=float(self.with_all.params),
                    without=self.without.params,
                    is_relative=True,
                ),
                Quantity(
                    name=EXPONENT,
                    meaning=_("exponent of N* ~ C^a"),
                    with_all=float(self.with_all.exponent),
                    without=self.without.exponent,
                    is_relative=False,
                ),
            ]
        fit = self.setup.fit
        for j, param in enumerate(fit.law.params):
            value = fit.values[param.name]
            found.append(
                Quantity(
                    name=param.name,
                    meaning=without_stop(param.help),
                    with_all=value,
                    without=self.left_out.theta[:, j],
                    is_relative=param.scale == "log" and value > 0,
                )
            )
        return {quantity.name: quantity for quantity in found}

    def unit_names(self, positions: NDArray[np.intp]) -> list[str]:
        """Name some of the rows or runs that are left out, as the table does."""
        frame, index = self.setup.table.frame, self.setup.fit.row_index
        names = []
        for rows in (index[self.left_out.members[position]] for position in positions):
            run = str(frame["run_id"].loc[rows[0]]) if "run_id" in frame else ""
            if run and len(rows) > 1:
                names.append(f"{run} ({n_('{n:,} row', '{n:,} rows', len(rows))})")
            else:
                names.append(
                    _("row {rows}, {run}", rows=rows[0], run=run)
                    if run
                    else _("row {rows}", rows=rows[0])
                )
        return names

    def to_frame(self) -> pd.DataFrame:
        """Return every quantity without each row or run, a row each, named as the table does."""
        names = self.unit_names(np.arange(len(self.left_out.members)))
        columns = {name: quantity.without for name, quantity in self.quantities.items()}
        return pd.DataFrame(
            columns | {"is_exact": self.left_out.is_exact},
            index=pd.Index(names, name=_("left out")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SensitivityCurve:
    """The optimum along one choice that the fit rests on.

    Parameters
    ----------
    along : {"highest_losses", "residuals", "huber_delta"}
    x : ndarray, shape (n,)
        Rows left out, or the Huber delta; infinite for least squares.
    optima : Optima
        Shape (n,) each.
    theta : ndarray, shape (n, n_params)
    here : float
        Of ``x``, where the fit itself stands.
    """

    along: Along
    x: NDArray[np.float64]
    optima: Optima
    theta: NDArray[np.float64]
    here: float

    def to_frame(self) -> pd.DataFrame:
        """Return the optimum along the choice, a row a value, infinite for least squares."""
        return pd.DataFrame(
            {"params": self.optima.params, "exponent": self.optima.exponent},
            index=pd.Index(self.x, name=self.along),
        )


def target_of(
    fit: Fit,
    compute_flop: float | None = None,
    *,
    fixed: Mapping[str, float] | None = None,
    table: LossTable | None = None,
) -> Target:
    """Return the target at a budget; without one, at the compute where a curve of the fit ends."""
    flop = compute_flop or compute_range(fit, table or fit.table)[1]
    return Target(compute_flop=flop, fixed=fixed)


def optimum_draws(setup: Diagnostics, target: Target) -> OptimumDraws:
    """Return the optimum at a budget under a fit and its draws."""
    draws = setup.fit.draws
    return OptimumDraws(
        fit=setup.fit,
        centre=optima(setup, setup.fit.theta, target),
        draws=None if draws is None else optima(setup, draws, target),
    )


def optima(setup: Diagnostics, theta: ArrayLike, target: Target) -> Optima:
    """Return the optimum and the exponent of its size under many parameter vectors.

    Parameters
    ----------
    theta : array_like, shape (..., n_params)
        NaN gives NaN.
    """
    steps = np.exp(SLOPE_STEP * np.array([-1.0, 0.0, 1.0]))
    sizes = optimal_sizes(setup.fit, np.asarray(theta)[..., None, :], target, steps)
    logs = np.log(sizes)
    return Optima(
        params=np.exp(logs[..., 1]), exponent=(logs[..., 2] - logs[..., 0]) / (2 * SLOPE_STEP)
    )


def optimal_sizes(
    fit: Fit, theta: ArrayLike, target: Target, factors: ArrayLike = 1.0
) -> NDArray[np.float64]:
    """Return the compute-optimal size under many parameter vectors.

    Parameters
    ----------
    fit : Fit
    theta : array_like, shape (..., n_params)
        NaN gives NaN.
    target : Target
    factors : array_like
        Of the target's compute; broadcasts against the leading shape of ``theta``.

    Returns
    -------
    ndarray, shape (...)
        NaN where there is no optimum.
    """
    vectors = np.asarray(theta, dtype=np.float64)
    is_fitted = np.all(np.isfinite(vectors), axis=-1)
    known = np.where(is_fitted[..., None], vectors, fit.theta)
    flop = target.compute_flop * np.asarray(factors)
    try:
        found = compute_optimal(fit.law, known, flop, rule=target.rule, fixed=target.fixed)
    except PlanError:  # a law without model size or tokens
        return np.full(np.broadcast_shapes(is_fitted.shape, flop.shape), np.nan)
    return np.where(found.is_interior & is_fitted, found.params, np.nan)


def influence(setup: Diagnostics, target: Target, *, unit: Unit = "rows") -> Influence:
    """Leave out each row, or each run, in turn."""
    left_out = _left_out(setup, unit)
    return Influence(
        setup=setup,
        left_out=left_out,
        with_all=optima(setup, setup.fit.theta, target),
        without=optima(setup, left_out.theta, target),
    )


@once(max_entries=16)
def _left_out(setup: Diagnostics, unit: Unit) -> LeaveOut:
    """Return the fits without each row, or each run: kept, as no budget changes them."""
    return leave_out(setup, unit=unit)


def sensitivity_curve(setup: Diagnostics, target: Target, along: Along) -> SensitivityCurve:
    """Return the optimum along one of the choices that the fit rests on.

    Raises
    ------
    FitError
        If the objective has no Huber delta to go along.
    """
    if along != "huber_delta":
        return leave_out_curve(setup, target, along=along)
    curve = delta_curve(setup, target)
    if curve is None:
        raise FitError(_("The asymmetric objective has no Huber δ."))
    return curve


def leave_out_curve(
    setup: Diagnostics,
    target: Target,
    *,
    along: Literal["highest_losses", "residuals"] = "highest_losses",
) -> SensitivityCurve:
    """Return the optimum against the number of rows left out, the most suspect first.

    Parameters
    ----------
    setup : Diagnostics
    target : Target
    along : {"highest_losses", "residuals"}
        The highest losses first, or the rows furthest from the curve of all rows.
    """
    theta = _without_suspects(setup, along)
    return SensitivityCurve(
        along=along,
        x=np.arange(len(theta), dtype=np.float64),
        optima=optima(setup, theta, target),
        theta=theta,
        here=0.0,
    )


@once(max_entries=16)
def _without_suspects(
    setup: Diagnostics, along: Literal["highest_losses", "residuals"]
) -> NDArray[np.float64]:
    """Return the fits without none, one, two, ... of the most suspect rows."""
    n_rows = setup.problem.n_rows
    order = suspects(setup, along)
    most = min(int(np.ceil(MAX_LEFT_OUT_SHARE * n_rows)), MAX_LEFT_OUT)
    most = max(most, min(3, n_rows - setup.n_params - 1), 0)
    return setup.refit(weights_without([order[:count] for count in range(most + 1)], n_rows))


def suspects(
    setup: Diagnostics, by: Literal["highest_losses", "residuals"] = "highest_losses"
) -> NDArray[np.intp]:
    """Return the positions of all rows, the most suspect first."""
    size = setup.rows.target if by == "highest_losses" else np.abs(setup.fit.residuals)
    return np.argsort(-size, kind="stable")


def delta_curve(setup: Diagnostics, target: Target) -> SensitivityCurve | None:
    """Return the optimum against the Huber delta, from absolute values to least squares.

    Parameters
    ----------
    setup : Diagnostics
    target : Target

    Returns
    -------
    SensitivityCurve or None
        In the unit of the fit's residuals; None for the asymmetric objective, which has no delta.
    """
    if setup.problem.below != 1.0:
        return None
    deltas, theta = _along_delta(setup)
    return SensitivityCurve(
        along="huber_delta",
        x=deltas,
        optima=optima(setup, theta, target),
        theta=theta,
        here=float(setup.problem.delta),
    )


@once(max_entries=16)
def _along_delta(setup: Diagnostics) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Huber deltas, and the fit with each."""
    own = setup.problem.delta
    widest = anneal(setup.problem.with_delta(np.inf), setup.coordinates, setup.fit.theta[None])
    furthest = float(np.max(np.abs(setup.residuals(widest.theta[0]))))
    # Wider than the furthest residual, the objective is least squares.
    deltas = np.unique(np.concatenate([DELTAS[furthest > DELTAS], [own, np.inf]]))
    theta = np.tile(setup.fit.theta, (len(deltas), 1))
    value = np.full(len(deltas), np.inf)
    is_own = deltas == own
    for order in (range(len(deltas))[::-1], range(len(deltas))):
        previous = widest.theta[0]
        for i in order:
            problem = setup.problem.with_delta(float(deltas[i]))
            start = np.stack([previous, setup.fit.theta, theta[i]])
            found = minimise(problem, setup.coordinates, start, max_iterations=200)
            best = int(np.argmin(found.value))
            if found.value[best] < value[i]:
                theta[i], value[i] = found.theta[best], found.value[best]
            previous = theta[i]
    theta[is_own] = setup.fit.theta
    return deltas, theta
