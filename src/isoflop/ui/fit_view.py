"""What the Fit page shows, computed and kept: the search, profiles, refits, proposals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from isoflop.fitting import Fit, fit
from isoflop.fitting.diagnose import (
    Diagnostics,
    Extent,
    Multistart,
    ObjectiveSurface,
    Profile,
    Residuals,
    Unit,
    diagnostics,
    multistart,
    objective_surface,
    profiles,
    residuals,
)
from isoflop.fitting.table_notices import table_notices
from isoflop.notices import Notice
from isoflop.planning import trajectory
from isoflop.planning.inputs import inputs_at
from isoflop.planning.reach import reach_notices
from isoflop.planning.sensitivity import (
    Curve,
    Influence,
    Optima,
    Target,
    delta_curve,
    influence,
    leave_out_curve,
    optima,
)
from isoflop.tables import LossTable
from isoflop.tables.exclude import Exclusion, exclude
from isoflop.ui.caching import Fitted
from isoflop.ui.state import FitChoice

LEVEL = 0.9
MAX_ENTRIES = 32
REASON = "left out on the Fit page"

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A fit, laid out for diagnosis, and the budget at which its optimum matters.

    Parameters
    ----------
    choice : FitChoice
    fitted : Fitted
    setup : Diagnostics
    target : Target
    """

    choice: FitChoice
    fitted: Fitted
    setup: Diagnostics
    target: Target

    @property
    def fit(self) -> Fit:
        """The fit."""
        return self.fitted.fit

    @property
    def key(self) -> str:
        """Identity of the fit."""
        return self.fitted.key

    @property
    def at(self) -> tuple[float, tuple[tuple[str, float], ...]]:
        """Identity of the budget."""
        return self.target.compute_flop, tuple((self.target.fixed or {}).items())


def view(choice: FitChoice, fitted: Fitted, compute_flop: float) -> View:
    """Lay out a fit for diagnosis."""
    return View(
        choice=choice,
        fitted=fitted,
        setup=_bench(fitted.key, fitted.fit, fitted.table),
        target=Target(compute_flop=compute_flop, fixed=dict(choice.fixed)),
    )


@st.cache_resource(max_entries=MAX_ENTRIES, show_spinner=False)
def _bench(key: str, _fit: Fit, _table: LossTable) -> Diagnostics:
    return diagnostics(_fit, _table)


def found(shown: View) -> Multistart:
    """Return every start of the search and its end."""
    return _search(shown.key, shown.setup)


@st.cache_resource(max_entries=MAX_ENTRIES, show_spinner="Searching again from every start")
def _search(key: str, _bench: Diagnostics) -> Multistart:
    return multistart(_bench)


def relief(shown: View, names: tuple[str, ...], extent: Extent) -> ObjectiveSurface:
    """Return the objective over one or two parameters."""
    return kept(
        f"landscape.{'.'.join(names)}.{extent}",
        shown.key,
        "Drawing the objective",
        lambda report: objective_surface(
            shown.setup, found(shown), names, extent=extent, progress=report
        ),
    )


def traced(shown: View) -> tuple[Profile, ...]:
    """Return the profile of every parameter, traced one after the other with a progress bar.

    Raises
    ------
    FitError
        If the residuals give no likelihood.
    """
    count = shown.setup.n_params

    def trace(report: Callable[[float], None]) -> tuple[Profile, ...]:
        done = []
        for profile in profiles(shown.setup, level=LEVEL):
            done.append(profile)
            report(len(done) / count)
        return tuple(done)

    return kept("profiles", shown.key, "Tracing the profiles", trace)


def kept(
    name: str,
    key: object,
    doing: str,
    make: Callable[[Callable[[float], None]], Result],
) -> Result:
    """Return a result that takes a while, made with a progress bar; the session keeps the last one.

    The Stop button ends it: every report of progress is a place to stop at.

    Parameters
    ----------
    name : str
        What it is a result of.
    key : object
        What it depends on; compared by value.
    doing : str
        What is going on, for the bar.
    make : callable
        Takes a function to report the share done to.
    """
    slot = f"fit.kept.{name}"
    before = st.session_state.get(slot)
    if before is not None and before[0] == key:
        result: Result = before[1]
        return result
    bar = st.progress(0.0, text=doing)

    def report(share: float) -> None:
        bar.progress(min(share, 1.0), text=doing)

    try:
        result = make(report)
    finally:
        bar.empty()
    st.session_state[slot] = (key, result)
    return result


def cautions(shown: View) -> tuple[Notice, ...]:
    """Return what the rows, and the distance of the budget from them, should make one doubt."""
    return _cautions(shown.key, shown.at, shown.fit, shown.fitted.table, shown.target)


@st.cache_resource(max_entries=MAX_ENTRIES, show_spinner=False)
def _cautions(
    key: str, at: object, _fit: Fit, _table: LossTable, _target: Target
) -> tuple[Notice, ...]:
    fixed = _target.fixed or {}
    flop = np.array([_target.compute_flop])
    _, params, tokens, _ = trajectory.line_of_models(_fit, flop, fixed, rule=_target.rule)
    inputs = inputs_at(_fit.law, params, tokens, fixed, rule=_target.rule)
    return (*table_notices(_fit, _table), *reach_notices(_fit, inputs, LEVEL))


def remainder(shown: View) -> Residuals:
    """Return residuals, fitted values and leverages."""
    return _leftover(shown.key, shown.setup)


@st.cache_resource(max_entries=MAX_ENTRIES, show_spinner=False)
def _leftover(key: str, _bench: Diagnostics) -> Residuals:
    return residuals(_bench)


def moved(shown: View, unit: Unit) -> Influence:
    """Return what each row, or run, does to the fit and the optimum."""
    return _influence(shown.key, shown.at, unit, shown.setup, shown.target)


@st.cache_resource(max_entries=MAX_ENTRIES, show_spinner="Leaving out each row in turn")
def _influence(key: str, at: object, unit: Unit, _bench: Diagnostics, _target: Target) -> Influence:
    return influence(_bench, _target, unit=unit)


def dropping(shown: View) -> Curve:
    """Return the optimum against the number of highest losses dropped."""
    return _leave_out(shown.key, shown.at, shown.setup, shown.target)


@st.cache_resource(max_entries=MAX_ENTRIES, show_spinner=False)
def _leave_out(key: str, at: object, _bench: Diagnostics, _target: Target) -> Curve:
    return leave_out_curve(_bench, _target)


def narrowing(shown: View) -> Curve | None:
    """Return the optimum against the Huber delta."""
    return _delta_curve(shown.key, shown.at, shown.setup, shown.target)


@st.cache_resource(max_entries=MAX_ENTRIES, show_spinner="Refitting under every delta")
def _delta_curve(key: str, at: object, _bench: Diagnostics, _target: Target) -> Curve | None:
    return delta_curve(_bench, _target)


def without(shown: View, rows: tuple[int, ...]) -> View:
    """Return the view of a fit to the same table without some rows.

    Raises
    ------
    TooFewRows, FitError
        If the rows left cannot be fitted.
    """
    table, refitted = _without(shown.key, rows, shown.fit, shown.fitted.table)
    key = f"{shown.key} without {rows}"
    return View(
        choice=shown.choice,
        fitted=Fitted(table=table, fit=refitted, published=None),
        setup=_bench(key, refitted, table),
        target=shown.target,
    )


@st.cache_resource(max_entries=MAX_ENTRIES, show_spinner="Fitting without these rows")
def _without(
    key: str, rows: tuple[int, ...], _fit: Fit, _table: LossTable
) -> tuple[LossTable, Fit]:
    table = exclude(_table, [Exclusion(rule="rows", rows=rows, reason=REASON)])
    return table, fit(_fit.law, table, _fit.options)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimumSpread:
    """The optimum of a fit, and of its draws.

    Parameters
    ----------
    centre : Optima
        Shape () each.
    draws : Optima or None
        Shape (n_draws,) each.
    """

    centre: Optima
    draws: Optima | None

    def interval(self, name: str) -> tuple[float, float] | None:
        """Return the interval of the size (``params``) or its exponent; None without draws."""
        if self.draws is None:
            return None
        return interval(getattr(self.draws, name))


def best(shown: View) -> OptimumSpread:
    """Return the optimum at the budget under the fit and its draws."""
    return _best(shown.key, shown.at, shown.setup, shown.target)


@st.cache_resource(max_entries=MAX_ENTRIES, show_spinner=False)
def _best(key: str, at: object, _bench: Diagnostics, _target: Target) -> OptimumSpread:
    draws = _bench.fit.draws
    return OptimumSpread(
        centre=optima(_bench, _bench.fit.theta, _target),
        draws=None if draws is None else optima(_bench, draws, _target),
    )


def interval(draws: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return the percentile interval of draws; None where most are missing."""
    known = draws[np.isfinite(draws)]
    if 2 * len(known) < len(draws):
        return None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def has_optimum(shown: View) -> bool:
    """Say whether the law has a compute-optimal size at the budget."""
    return bool(np.isfinite(best(shown).centre.params))
