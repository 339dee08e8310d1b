"""The laws that a table allows, each fitted to the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError, IsoflopError, TooFewRows
from isoflop.fitting.compare.held_out import (
    fit_with_draws_if_it_can,
    scale_column,
    subset,
    write_scale,
)
from isoflop.fitting.compare.score import information_criteria
from isoflop.fitting.objective import Problem
from isoflop.fitting.options import FitOptions
from isoflop.fitting.result import Fit
from isoflop.fitting.rows import problem_on, usable_rows
from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.language import lazy_ngettext as n_
from isoflop.laws import Law, laws_for, rebind
from isoflop.once import once
from isoflop.tables.schema import LossTable

Array = NDArray[np.float64]

FEWEST_ROWS = 4
ENOUGH_VALUES = 0.8
"""Share of the rows that must have a value in a column for laws of it to be taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One law fitted to all rows.

    Parameters
    ----------
    fit : Fit
        With its rows, and draws where they could be had.
    aicc : float
    """

    fit: Fit
    aicc: float

    @property
    def problem(self) -> Problem:
        """What was minimised."""
        assert self.fit.table is not None
        rows = usable_rows(self.fit.law, self.fit.table, self.fit.options)
        return problem_on(self.fit.law, rows, self.fit.options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """The laws of a table.

    Parameters
    ----------
    table : LossTable
        The rows that all of them rest on.
    scale : str
        Column that says how large a run is.
    found : tuple of Member
    refused : tuple of (str, str)
        Label and reason of each law that was not fitted.
    slope : float
        Fall of the log loss by a pure power law of the scale, a decade.
    """

    table: LossTable
    scale: str
    found: tuple[Member, ...]
    refused: tuple[tuple[str, str], ...]
    slope: float

    def __reduce__(self) -> tuple[object, ...]:
        """Go to another process with the rows once, which every fit leaves behind."""
        return _with_rows, (self.table, self.scale, self.found, self.refused, self.slope)

    @property
    def lowest_aicc(self) -> Member:
        """The law that describes the rows best; of those that are too large, the smallest."""
        return min(self.found, key=lambda one: (one.aicc, len(one.fit.law.params)))


def _with_rows(
    table: LossTable,
    scale: str,
    found: tuple[Member, ...],
    refused: tuple[tuple[str, str], ...],
    slope: float,
) -> Members:
    whole = tuple(replace(one, fit=replace(one.fit, table=table)) for one in found)
    return Members(table=table, scale=scale, found=whole, refused=refused, slope=slope)


def suitable_laws(table: LossTable) -> tuple[Law, ...]:
    """Return the catalog's laws for extrapolation that a table has the columns for."""
    frame, scale = table.included(), scale_column(table)
    known = {
        name
        for name in frame.select_dtypes("number")
        if np.isfinite(frame[name].to_numpy(np.float64)).mean() >= ENOUGH_VALUES
    }
    bound = (
        rebind(law, {law.symbols[0]: scale}) if len(law.inputs) == 1 else law
        for law in laws_for("extrapolation")
    )
    return tuple(law for law in bound if {item.column for item in law.inputs} <= known)


@once(max_entries=16)
def members(table: LossTable, laws: tuple[Law, ...], n_draws: int, seed: int) -> Members:
    """Fit laws to the rows that have a value in every column that any of them needs.

    Parameters
    ----------
    table : LossTable
    laws : tuple of Law
    n_draws, seed : int
        Of the bootstrap.

    Raises
    ------
    TooFewRows
        If there are fewer than four rows.
    FitError
        If the rows are all of one scale, or no law can be fitted.
    """
    scale = scale_column(table)
    rows = _rows(table, laws, scale)
    options = FitOptions(n_bootstrap=n_draws, bootstrap="auto", seed=seed)
    found: list[Member] = []
    refused = []
    for law in laws:
        if still := _unvaried(law, rows):
            refused.append((law.label, _("All rows have the same {still}.", still=still)))
            continue
        try:
            fitted = fit_with_draws_if_it_can(law, rows, options)
        except IsoflopError as problem:
            refused.append((law.label, problem.summary))
            continue
        if twin := next((one for one in found if _is_same(one.fit, fitted)), None):
            reason = _("On these rows it is {label} in other variables.", label=twin.fit.law.label)
            refused.append((law.label, reason))
            continue
        found.append(_member(fitted))
    if not found:
        raise FitError(
            _("No law can be fitted to {id}, so that nothing is predicted beyond it.", id=table.id),
            detail=joined(
                "\n",
                [_("{label}: {reason}", label=label, reason=reason) for label, reason in refused],
            ),
        )
    return Members(
        table=rows,
        scale=scale,
        found=tuple(found),
        refused=tuple(refused),
        slope=_slope(rows, scale),
    )


def members_of(fit: Fit, table: LossTable) -> Members:
    """Return one fit, however it was made, as the only law of the table that it rests on.

    Raises
    ------
    TooFewRows
        If there are fewer than four rows.
    FitError
        If the rows are all of one scale.
    """
    scale = scale_column(table)
    rows = _rows(table, (fit.law,), scale)
    member = Member(fit=fit, aicc=float("nan"))
    return Members(table=rows, scale=scale, found=(member,), refused=(), slope=_slope(rows, scale))


def _rows(table: LossTable, laws: tuple[Law, ...], scale: str) -> LossTable:
    """Return the rows that have a value in every column that any of the laws needs."""
    columns = {scale, "loss", *(item.column for law in laws for item in law.inputs)}
    values = np.stack([table.values(name) for name in sorted(columns)])
    is_whole = np.isfinite(values).all(axis=0) & (table.values("loss") > 0)
    is_whole &= table.values(scale) > 0
    rows = subset(table, is_whole)
    _require_scale(rows, scale)
    return rows


def _slope(rows: LossTable, scale: str) -> float:
    size, loss = np.log10(rows.values(scale)), np.log(rows.values("loss"))
    return float(abs(np.polyfit(size, loss, 1)[0]))


ALIKE = 1e-5
"""Of log predictions: laws of as many parameters that agree to this on every row are one law."""


def _is_same(one: Fit, other: Fit) -> bool:
    """Say whether two fits are one law written twice, which must not have two voices."""
    if len(one.law.params) != len(other.law.params) or one.n_rows != other.n_rows:
        return False
    off = np.abs(one.residuals - other.residuals)
    return bool(off.max() <= ALIKE and np.abs(one.residuals).max() > 10 * ALIKE)


def _unvaried(law: Law, rows: LossTable) -> str:
    """Return an input of a law that the rows do not vary, of which they can teach nothing."""
    for item in law.inputs:
        values = rows.values(item.column)
        if np.ptp(values) <= 1e-6 * np.abs(values).max():
            return item.label or item.column
    return ""


def _require_scale(rows: LossTable, scale: str) -> None:
    sizes = rows.values(scale)
    if len(sizes) < FEWEST_ROWS:
        raise TooFewRows(
            _(
                "Nothing can be predicted beyond {rows}.",
                rows=n_("{n:,} row", "{n:,} rows", len(sizes)),
            ),
            detail=_(
                "{id} needs at least {fewest_rows} rows with a loss and {scale}.",
                id=rows.id,
                fewest_rows=FEWEST_ROWS,
                scale=scale,
            ),
            hint=_("Add rows."),
        )
    if np.ptp(np.log10(sizes)) < 1e-6:
        raise FitError(
            _(
                "All rows of {id} have one scale, {sizes}.",
                id=rows.id,
                sizes=write_scale(float(sizes[0]), scale),
            ),
            detail=_("How the loss falls with scale cannot be told."),
            hint=_("Add larger or smaller runs."),
        )


def _member(fitted: Fit) -> Member:
    member = Member(fit=fitted, aicc=float("nan"))
    return Member(fit=fitted, aicc=information_criteria(member.problem, fitted.theta).aicc)


def noise(fit: Fit) -> float:
    """Return the scatter of single runs around a fit, in log loss: robust, and for few rows.

    The 90% quantile of the residuals' size, as that of a normal distribution, widened for the
    degrees of freedom that the fit used.
    """
    spare = max(fit.n_rows - len(fit.law.params), 1)
    off = np.abs(fit.standardised_residuals)
    if not fit.is_log and fit.table is not None:
        off = off / usable_rows(fit.law, fit.table, fit.options).target
    reach = float(np.quantile(off, 0.9))
    return reach / NORMAL_90 * float(np.sqrt(fit.n_rows / spare))


NORMAL_90 = 1.6448536269514722
"""Half-width of the central 90% of a normal distribution, in standard deviations."""


def weighted(values: Sequence[Array], weights: Array) -> Array:
    """Return the weighted mean over laws of what is known of them; NaN where nothing is."""
    stacked = np.stack(values)
    share = np.where(np.isfinite(stacked), weights[:, None], 0.0)
    total = share.sum(axis=0)
    summed = (share * np.nan_to_num(stacked)).sum(axis=0)
    return np.asarray(np.divide(summed, total, out=np.full(len(total), np.nan), where=total > 0))
