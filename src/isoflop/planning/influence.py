"""What single rows, and the way the fit treats them, do to the compute-optimal model size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting.diagnose import Diagnostics, diagnostics, one_step, weights_without
from isoflop.fitting.result import Fit
from isoflop.language import lazy_gettext, lazy_ngettext
from isoflop.notices import Notice
from isoflop.once import once
from isoflop.planning.inputs import trades_size_for_data
from isoflop.planning.rule import SIX_ND, ComputeRule
from isoflop.planning.sensitivity import Target, optimal_sizes, suspects
from isoflop.planning.trajectory import Fixed, compute_range
from isoflop.planning.types import Plan
from isoflop.tables.schema import LossTable
from isoflop.units import format_number, format_quantity

SMALL_SHARE = 0.02
"""Share of the rows that should not decide anything."""

N_COUNTS = 8
"""Sets of each kind that are left out by an exact refit."""

N_SINGLE = 24
BUDGETS = np.array([1e-3, 1.0, 1e3, 1e6])
"""Single rows that are left out by an exact refit: so many at each of these budgets, in units of
where the rows end, the most promising to first order."""

MOVES, MOVES_FAR = 1.25, 1.5
"""Factors on the optimal size that are worth a warning, and a serious one."""

MOVES_BY_ONE = 1.5
"""The same for one row that is not an outlier; in a small table every row moves it somewhat."""

N_NAMED = 6
"""Row numbers that a notice names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What leaving out some rows does to the compute-optimal size.

    Parameters
    ----------
    what : str
        The rows, in words, such as ``"The 5 rows of highest loss"``.
    rows : ndarray of int, shape (n_left_out,)
        Their index in the table's frame.
    params_with, params_without : float
        N* with and without them; the latter NaN where no optimum is left.
    """

    what: str
    rows: NDArray[np.int64]
    params_with: float
    params_without: float

    @property
    def factor(self) -> float:
        """By which N* is larger or smaller with them, at least 1; infinite without optimum."""
        if not np.isfinite(self.params_without):
            return float("inf")
        return float(np.exp(abs(np.log(self.params_with / self.params_without))))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refits:
    """A fit, and exact fits without some sets of rows, at whatever budget they are asked.

    Parameters
    ----------
    what : tuple of str
        Each set, in words.
    rows : tuple of ndarray of int
        Its rows' index in the table's frame.
    n_few : int
        The first sets are of few suspect rows together, the others of single rows.
    theta : ndarray, shape (1 + n_sets, n_params)
        The fit's own first.
    """

    what: tuple[str, ...]
    rows: tuple[NDArray[np.int64], ...]
    n_few: int
    theta: NDArray[np.float64]


def optimum_notices(
    fit: Fit,
    table: LossTable,
    compute_flop: float,
    *,
    rule: ComputeRule = SIX_ND,
    fixed: Mapping[str, float] | None = None,
) -> tuple[Notice, ...]:
    """Say which few rows decide the compute-optimal size at a budget, if any do.

    The rows of highest loss and those furthest from the curve are left out, up to 2% of the table
    at once, and each single row; every one of those fits is exact.

    Parameters
    ----------
    fit : Fit
    table : LossTable
        The one it was fitted to.
    compute_flop : float
        The budget in FLOP.
    rule, fixed
        As in `compute_optimal`.

    Returns
    -------
    tuple of Notice
        ``outliers-move-optimum`` or ``one-row-moves-optimum``; empty where nothing moves it far,
        the law has no optimum, or the fit is not an optimum on these rows (a published one).

    Raises
    ------
    FitError
        If the fit was made on another table.
    """
    setup = diagnostics(fit, table)
    if not trades_size_for_data(fit.law):
        return ()
    target = Target(compute_flop=compute_flop, rule=rule, fixed=fixed)
    given = tuple(sorted((fixed or {}).items()))
    refits = _refits(fit, table, _likely_rows(fit, table, given, rule))
    with_all, *without = optimal_sizes(setup.fit, refits.theta, target).tolist()
    if not np.isfinite(with_all):
        return ()
    moves = [
        Move(what=what, rows=rows, params_with=with_all, params_without=size)
        for what, rows, size in zip(refits.what, refits.rows, without, strict=True)
    ]
    outliers = _furthest(moves[: refits.n_few])
    if outliers is not None and outliers.factor >= MOVES:
        return (_notice("outliers-move-optimum", outliers, compute_flop),)
    single = _furthest(moves[refits.n_few :])
    if single is not None and single.factor >= MOVES_BY_ONE:
        return (_notice("one-row-moves-optimum", single, compute_flop),)
    return ()


def warned(best: Plan, fit: Fit, fixed: Mapping[str, float] | None = None) -> Plan:
    """Return a plan with a notice of the few rows of its fit that decide its size, if any do.

    Parameters
    ----------
    best : Plan
        Of the fit.
    fit : Fit
        Without its rows, such as a saved one, the plan comes back as it is.
    fixed : mapping of str to float, optional
        As the plan was made with.
    """
    if fit.table is None:
        return best
    found = optimum_notices(fit, fit.table, best.compute_flop, fixed=fixed)
    return replace(best, notices=(*best.notices, *found)) if found else best


def _furthest(moves: Sequence[Move]) -> Move | None:
    """Return the move of the largest factor, and of those the one of fewest rows."""
    return max(moves, key=lambda move: (move.factor, -len(move.rows)), default=None)


@once(max_entries=16)
def _refits(fit: Fit, table: LossTable, singles: tuple[int, ...]) -> _Refits:
    """Fit without sets of few rows, and without single ones: kept, as no budget changes them.

    No sets where the fit is not an optimum on these rows.
    """
    setup = diagnostics(fit, table)
    few = _few_rows(setup)
    sets = [
        *few,
        *((lazy_gettext("Row {index}", index=setup.rows.index[i]), np.array([i])) for i in singles),
    ]
    if not sets or not setup.is_optimum():
        return _Refits(what=(), rows=(), n_few=0, theta=fit.theta[None])
    refits = setup.refit(weights_without([rows for _, rows in sets], setup.problem.n_rows))
    return _Refits(
        what=tuple(what for what, _ in sets),
        rows=tuple(setup.rows.index[positions] for _, positions in sets),
        n_few=len(few),
        theta=np.concatenate([fit.theta[None], refits]),
    )


def _few_rows(setup: Diagnostics) -> list[tuple[str, NDArray[np.intp]]]:
    """Return sets of few rows that a person would suspect, in words and positions."""
    n_rows = setup.problem.n_rows
    largest = min(int(np.ceil(SMALL_SHARE * n_rows)), n_rows - setup.n_params)
    if largest < 1:
        return []
    counts = np.unique(np.geomspace(1, largest, N_COUNTS).round().astype(int))
    orders = {
        lazy_gettext("of highest loss"): suspects(setup, "highest_losses"),
        lazy_gettext("furthest from the curve"): suspects(setup, "residuals"),
    }
    return [
        (
            lazy_gettext("The {count} rows {which}", count=count, which=which)
            if count > 1
            else lazy_gettext("The row {which}", which=which),
            order[:count],
        )
        for which, order in orders.items()
        for count in counts
    ]


@once(max_entries=16)
def _likely_rows(fit: Fit, table: LossTable, fixed: Fixed, rule: ComputeRule) -> tuple[int, ...]:
    """Return the positions of the rows that move the optimum most, to first order, at any budget.

    To first order the logarithm of a move is nearly linear in that of the compute: a few budgets,
    decades apart, find the rows that matter between them.
    """
    setup = diagnostics(fit, table)
    if setup.problem.n_rows <= setup.n_params:
        return ()
    if setup.problem.n_rows <= N_SINGLE:
        return tuple(range(setup.problem.n_rows))
    theta = setup.stepped(one_step(setup))
    likely: set[int] = set()
    for flop in compute_range(fit, table)[1] * BUDGETS:
        target = Target(compute_flop=float(flop), rule=rule, fixed=dict(fixed))
        with_all = float(optimal_sizes(fit, fit.theta, target))
        if np.isfinite(with_all):
            moved = np.abs(np.log(optimal_sizes(fit, theta, target) / with_all))
            order = np.argsort(-np.nan_to_num(moved, nan=np.inf), kind="stable")
            likely.update(order[:N_SINGLE].tolist())
    return tuple(sorted(likely))


def _notice(code: str, move: Move, compute_flop: float) -> Notice:
    budget = format_quantity(compute_flop, "flop")
    with_them = format_number(move.params_with)
    if np.isfinite(move.params_without):
        text = lazy_ngettext(
            "{what} moves the compute-optimal size at {budget} from {params_without} to "
            "{with_them} parameters.",
            "{what} move the compute-optimal size at {budget} from {params_without} to "
            "{with_them} parameters.",
            len(move.rows),
            what=move.what,
            budget=budget,
            params_without=format_number(move.params_without),
            with_them=with_them,
        )
    else:
        text = lazy_ngettext(
            "{what} alone gives the law a compute-optimal size at {budget} ({with_them} "
            "parameters); without there is none.",
            "{what} alone give the law a compute-optimal size at {budget} ({with_them} "
            "parameters); without there is none.",
            len(move.rows),
            what=move.what,
            budget=budget,
            with_them=with_them,
        )
    leave_out = (
        lazy_gettext("leave it out if it does not belong")
        if len(move.rows) == 1
        else lazy_gettext("leave them out if they do not belong")
    )
    return Notice(
        code=code,
        severity="serious" if move.factor >= MOVES_FAR else "warning",
        text=text,
        remedy=lazy_gettext(
            "Check {rows}: {leave_out} with the others; otherwise plan for both sizes.",
            rows=_named(move.rows),
            leave_out=leave_out,
        ),
        rows=tuple(int(row) for row in move.rows),
    )


def _named(rows: Sequence[int] | NDArray[np.int64]) -> str:
    shown = [str(row) for row in sorted(int(row) for row in rows)[:N_NAMED]]
    if len(rows) == 1:
        return lazy_gettext("row {shown}", shown=shown[0])
    more = lazy_gettext(" and {rows} more", rows=len(rows) - N_NAMED) if len(rows) > N_NAMED else ""
    return lazy_gettext("rows {shown}{more}", shown=", ".join(shown), more=more)
