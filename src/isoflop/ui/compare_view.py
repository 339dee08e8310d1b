"""What the Compare page shows, computed and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from isoflop.fitting import Fit, FitOptions, fit
from isoflop.fitting.compare import (
    WHY,
    Group,
    LawComparison,
    Multiplier,
    PublishedComparison,
    SharedTest,
    compare_laws,
    compare_published,
    compute_multiplier,
    exponents,
    loss_of_one_input,
    mismatches,
    scale_column,
    shared_test,
    subset,
)
from isoflop.fitting.downstream import (
    Downstream,
    FamilyCurves,
    LargestHeldOut,
    MetricHeldOut,
    downstream_held_out,
    families_held_out,
    fit_downstream,
    fit_families,
)
from isoflop.fitting.isoflop import Approaches, Curve, compare_approaches
from isoflop.laws import Law
from isoflop.planning import compute_optimal
from isoflop.plot import axes
from isoflop.tables import LossTable, family_names
from isoflop.ui import caching, controls, inputs, messages
from isoflop.ui.keeping import kept_with_progress
from isoflop.ui.state import TableChoice

ALL = "(all)"
MAX_ENTRIES = 32
N_GRID = 60
N_COMPARED_DRAWS = 300
"""Resamples of each law where many laws are fitted at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the sidebar settled.

    Parameters
    ----------
    choice : TableChoice
    whole, table : LossTable
        All families, and the chosen ones.
    options : FitOptions
    """

    choice: TableChoice
    whole: LossTable
    table: LossTable
    options: FitOptions


def view() -> View:
    """Draw the controls of the whole page and return what they settle.

    Raises
    ------
    IsoflopError
        If the table cannot be had.
    """
    st.subheader("Data", anchor=False)
    choice = controls.table_input()
    whole = caching.table(choice)
    families = controls.family_input(whole)
    table = caching.rows_of(whole, families)
    return View(choice=choice, whole=whole, table=table, options=controls.fit_options())


def of_one_convention(shown: View) -> View:
    """Draw whose rows are used where families count otherwise, and return the view of those.

    Losses of other units or tokenizers are other numbers, so that a law of all of them says little.
    """
    names = family_names(shown.table)
    if len(names) < 2:
        return shown
    family = shown.table.included()["family"].astype(str).to_numpy()
    groups = [Group(label=name, table=subset(shown.table, family == name)) for name in names]
    found = mismatches(groups)
    if not found:
        return shown
    largest = max(groups, key=lambda group: len(group.table.frame)).label
    chosen = inputs.choice(
        "Rows of",
        {name: name for name in names} | {ALL: "all families as one"},
        key="compare.rows",
        default=largest,
        help=" ".join(mismatch.text for mismatch in found),
        style="row" if len(names) < 4 else "list",
    )
    if chosen == ALL:
        for mismatch in found:
            messages.assumption(f"{mismatch.text} {WHY[mismatch.aspect]}")
        return shown
    (table,) = (group.table for group in groups if group.label == chosen)
    return replace(shown, table=table)


def scale_axes(table: LossTable) -> dict[str, axes.Axis]:
    """Return what losses may be laid out by, first what the scale of a run is."""
    found = axes.table_axes(table)
    first = scale_column(table)
    usual = axes.Axis(column=first, name=axes.column_name(first), title=axes.column_title(first))
    return {first: found.get(first, usual)} | found


# --- Laws


def laws_compared(shown: View, laws: tuple[Law, ...], decades: float) -> LawComparison:
    """Return how laws do on the table's rows."""
    options = replace(shown.options, n_bootstrap=min(shown.options.n_bootstrap, N_COMPARED_DRAWS))
    return _compare_laws(shown.table, laws, options, decades=decades)


_compare_laws = kept_with_progress(
    compare_laws, "Fitting every law: to all rows, below the cut, and without each row"
)


# --- Families


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two families under one law.

    Parameters
    ----------
    groups : (Group, Group)
    fits : (Fit, Fit)
    ranges : ((float, float), (float, float))
        Scale of the rows of each.
    multiplier : Multiplier
    test : SharedTest or None
        None for a law without exponents.
    """

    groups: tuple[Group, Group]
    fits: tuple[Fit, Fit]
    ranges: tuple[tuple[float, float], tuple[float, float]]
    multiplier: Multiplier
    test: SharedTest | None


def pair(groups: tuple[Group, Group], law: Law, column: str, options: FitOptions) -> Pair:
    """Return two families compared over a measure of scale.

    Raises
    ------
    IsoflopError
        If the law cannot be fitted to either, or tells no loss from that scale.
    """
    key = caching.key_of(*(group.table.fingerprint for group in groups), law, column, options)
    return _pair(key, groups, law, column, options)


@st.cache_resource(max_entries=MAX_ENTRIES, show_spinner="Comparing the families")
def _pair(
    key: str, _sides: tuple[Group, Group], _law: Law, _column: str, _options: FitOptions
) -> Pair:
    options = replace(_options, n_bootstrap=max(_options.n_bootstrap, 200))
    one, other = (fit(_law, group.table, options) for group in _sides)
    first, second = (_range(group.table, _column) for group in _sides)
    grid = np.geomspace(min(first[0], second[0]), max(first[1], second[1]) * 10, N_GRID)
    return Pair(
        groups=_sides,
        fits=(one, other),
        ranges=(first, second),
        multiplier=compute_multiplier(
            one,
            other,
            grid,
            column=_column,
            ranges=(first, second),
            loss_at=best_loss,
        ),
        test=shared_test(_law, _sides, (one, other)) if exponents(_law) else None,
    )


def best_loss(
    fitted: Fit, theta: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the loss at each scale: of the best size where the law trades it for data."""
    if len(fitted.law.inputs) == 1:
        return loss_of_one_input(fitted, theta, scale)
    return compute_optimal(fitted.law, theta[:, None], scale).loss


def _range(table: LossTable, column: str) -> tuple[float, float]:
    known = table.values(column)
    known = known[np.isfinite(known)]
    return float(known.min()), float(known.max())


# --- Published fits and approaches


def published(shown: View) -> tuple[PublishedComparison, ...]:
    """Return every published fit held against the rows."""
    return _published(shown.table.fingerprint, shown.table)


@st.cache_resource(max_entries=MAX_ENTRIES, show_spinner=False)
def _published(key: str, _table: LossTable) -> tuple[PublishedComparison, ...]:
    return compare_published(_table)


def approaches(
    table: LossTable, fitted: Fit | None, fit_key: str, curve: Curve, tolerance: float
) -> Approaches:
    """Return the three approaches group by group.

    Raises
    ------
    IsoflopError
        If the table lacks a column that all of them need.
    """
    return _approaches(table.fingerprint, fit_key, curve, tolerance, table, fitted)


@st.cache_resource(max_entries=MAX_ENTRIES, show_spinner="Envelope, profiles and parametric law")
def _approaches(
    key: str, fit_key: str, curve: Curve, tolerance: float, _table: LossTable, _fit: Fit | None
) -> Approaches:
    return compare_approaches(_table, _fit, curve=curve, tolerance=tolerance)


# --- From loss to accuracy


def _two_steps(
    table: LossTable,
    metric: str,
    law: Law,
    options: FitOptions,
    progress: Callable[[float], None] | None = None,
) -> tuple[Downstream, MetricHeldOut]:
    """Return both steps on measured losses, and how they predict the largest decade."""
    both = fit_downstream(table, metric, law, options)
    if progress:
        progress(0.5)
    return both, downstream_held_out(table, metric, law, options)


def _by_family(
    table: LossTable,
    metric: str,
    reference: Fit,
    reference_key: str,
    progress: Callable[[float], None] | None = None,
) -> tuple[FamilyCurves, LargestHeldOut]:
    """Return curves by family against a reference loss, and how they predict the largest."""
    report: Callable[[float], None] = progress or (lambda _: None)
    placed = fit_families(table, metric, reference, progress=lambda share: report(share / 2))
    held = families_held_out(
        table, metric, reference, progress=lambda share: report(0.5 + share / 2)
    )
    return placed, held


two_steps = kept_with_progress(_two_steps, "Resampling both steps")
by_family = kept_with_progress(_by_family, "Placing the families, draw by draw")


def reason_of(given: Mapping[str, str]) -> dict[str, str]:
    """Return the reasons that were given, without empty ones."""
    return {aspect: text for aspect, text in given.items() if text.strip()}
