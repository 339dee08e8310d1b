"""What single rows, and the way the fit treats them, do to the compute-optimal model size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting.diagnose import Diagnostics, diagnostics, one_step, weights_without
from isoflop.fitting.result import Fit
from isoflop.notices import Notice
from isoflop.planning.rule import SIX_ND, ComputeRule
from isoflop.planning.sensitivity import Target, optima, suspects
from isoflop.tables.schema import LossTable
from isoflop.units import format_number, format_quantity

SMALL_SHARE = 0.02
"""Share of the rows that should not decide anything."""

N_COUNTS = 8
N_SINGLE = 24
"""Sets and single rows that are left out by an exact refit, the most promising first."""

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
    target = Target(compute_flop=compute_flop, rule=rule, fixed=fixed)
    with_all = float(optima(setup, fit.theta, target).params)
    if not np.isfinite(with_all) or not setup.is_optimum():
        return ()
    groups = _few_rows(setup)
    singles = _likely_rows(setup, target, with_all)
    words = [*groups, *((f"Row {setup.rows.index[i]}", np.array([i])) for i in singles)]
    weights = weights_without([positions for _, positions in words], setup.problem.n_rows)
    without = optima(setup, setup.refit(weights), target).params
    moves = [
        Move(
            what=what,
            rows=setup.rows.index[positions],
            params_with=with_all,
            params_without=float(value),
        )
        for (what, positions), value in zip(words, without, strict=True)
    ]
    few, single = moves[: len(groups)], moves[len(groups) :]
    furthest = max(few, key=lambda move: (move.factor, -len(move.rows)), default=None)
    if furthest is not None and furthest.factor >= MOVES:
        return (_notice("outliers-move-optimum", furthest, compute_flop),)
    furthest = max(single, key=lambda move: move.factor, default=None)
    if furthest is not None and furthest.factor >= MOVES_BY_ONE:
        return (_notice("one-row-moves-optimum", furthest, compute_flop),)
    return ()


def _few_rows(setup: Diagnostics) -> list[tuple[str, NDArray[np.intp]]]:
    """Return sets of few rows that a person would suspect, in words and positions."""
    n_rows = setup.problem.n_rows
    largest = min(int(np.ceil(SMALL_SHARE * n_rows)), n_rows - setup.n_params)
    if largest < 1:
        return []
    counts = np.unique(np.geomspace(1, largest, N_COUNTS).round().astype(int))
    orders = {
        "of highest loss": suspects(setup, "highest_losses"),
        "furthest from the curve": suspects(setup, "residuals"),
    }
    return [
        (f"The {count} rows {which}" if count > 1 else f"The row {which}", order[:count])
        for which, order in orders.items()
        for count in counts
    ]


def _likely_rows(setup: Diagnostics, target: Target, with_all: float) -> NDArray[np.intp]:
    """Return the rows that move the optimum most, to first order."""
    if setup.problem.n_rows <= setup.n_params:
        return np.array([], dtype=np.intp)
    without = optima(setup, setup.stepped(one_step(setup)), target)
    moved = np.abs(np.log(without.params / with_all))
    return np.argsort(-np.nan_to_num(moved, nan=np.inf), kind="stable")[:N_SINGLE]


def _notice(code: str, move: Move, compute_flop: float) -> Notice:
    budget = format_quantity(compute_flop, "flop")
    verb = "moves" if len(move.rows) == 1 else "move"
    with_them = format_number(move.params_with)
    if np.isfinite(move.params_without):
        text = (
            f"{move.what} {verb} the compute-optimal size at {budget} from "
            f"{format_number(move.params_without)} to {with_them} parameters."
        )
    else:
        text = (
            f"{move.what} alone {'gives' if verb == 'moves' else 'give'} the law a "
            f"compute-optimal size at {budget} ({with_them} parameters); without there is none."
        )
    return Notice(
        code=code,
        severity="serious" if move.factor >= MOVES_FAR else "warning",
        text=text,
        remedy=f"Look at {_named(move.rows)}; if not like the others, leave "
        f"{'it' if len(move.rows) == 1 else 'them'} out, else plan for both sizes.",
    )


def _named(rows: Sequence[int] | NDArray[np.int64]) -> str:
    shown = [str(row) for row in sorted(int(row) for row in rows)[:N_NAMED]]
    if len(rows) == 1:
        return f"row {shown[0]}"
    more = f" and {len(rows) - N_NAMED} more" if len(rows) > N_NAMED else ""
    return f"rows {', '.join(shown)}{more}"
