"""Runs of one compute budget: grouped from final losses, or read off learning curves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.language import lazy_gettext
from isoflop.tables.annealed import annealed_rows
from isoflop.tables.derive import FLOP_PER_PARAM_TOKEN
from isoflop.tables.schema import LossTable

Array = NDArray[np.float64]

COLUMNS = ("params", "tokens", "compute_flop", "loss")
"""What a row must have."""

DEFAULT_TOLERANCE = 0.1
MAX_EPOCHS = 4.0
"""Times that data may be seen and still count as fresh."""
N_INTERPOLATED = 12
"""Budgets that learning curves are read at, evenly spaced in log compute."""


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """Rows with size, tokens, compute and loss.

    Parameters
    ----------
    compute_flop, params, tokens, loss : ndarray, shape (n,)
    run : ndarray of int, shape (n,)
        Which run each row belongs to, from 0; every row its own where runs are unknown, or where it
        is annealed.
    """

    compute_flop: Array
    params: Array
    tokens: Array
    loss: Array
    run: NDArray[np.intp]

    @property
    def n_runs(self) -> int:
        """Number of runs."""
        return int(self.run.max()) + 1 if len(self.run) else 0

    @property
    def has_learning_curves(self) -> bool:
        """Whether runs have several rows."""
        return self.n_runs < len(self.run)

    @property
    def flop_over_rule(self) -> float:
        """The table's compute over 6 N D, in the median."""
        rule = FLOP_PER_PARAM_TOKEN * self.params * self.tokens
        return float(np.median(self.compute_flop / rule))

    def at(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Checkpoints:
        """Return some rows, their runs numbered as before."""
        return Checkpoints(
            self.compute_flop[rows],
            self.params[rows],
            self.tokens[rows],
            self.loss[rows],
            self.run[rows],
        )

    def with_loss(self, loss: Array) -> Checkpoints:
        """Return the same rows with other losses."""
        return Checkpoints(self.compute_flop, self.params, self.tokens, loss, self.run)


def checkpoints(table: LossTable) -> Checkpoints:
    """Return the included rows that have a size, tokens, compute and a loss.

    Raises
    ------
    TableError
        If the table lacks a column.
    """
    columns = [table.values(name) for name in COLUMNS]
    is_usable = np.all([np.isfinite(column) & (column > 0) for column in columns], axis=0)
    frame = table.included()
    run = np.arange(len(frame))
    if "run_id" in frame:
        # A row on a decay branch of its own is no point of a learning curve.
        named = frame["run_id"].notna().to_numpy() & ~annealed_rows(frame)
        codes = frame["run_id"].astype("category").cat.codes.to_numpy()
        run = np.where(named, codes, len(frame) + run)
    _, run = np.unique(run[is_usable], return_inverse=True)
    params, tokens, flop, loss = (column[is_usable] for column in columns)
    return Checkpoints(flop, params, tokens, loss, run)


def without_repetition(table: LossTable) -> tuple[LossTable, int]:
    """Return the rows whose data was seen often enough once, and how many others there are.

    The best size for a budget is about fresh data; a token seen many times teaches less.

    Parameters
    ----------
    table : LossTable
        Returned as it is where no row repeats its data, or unique tokens are not known.

    References
    ----------
    Muennighoff et al. 2023 (arXiv 2305.16264): up to 4 epochs are nearly as good as fresh data.
    """
    if not {"tokens", "unique_tokens"} <= set(table.included()):
        return table, 0
    epochs = table.values("tokens") / table.values("unique_tokens")
    is_repeated = epochs > MAX_EPOCHS * (1 + 1e-6)
    if not is_repeated.any():
        return table, 0
    return table.with_frame(table.included()[~is_repeated]), int(is_repeated.sum())


def group_budgets(compute_flop: Array, tolerance: float = DEFAULT_TOLERANCE) -> NDArray[np.intp]:
    """Group runs whose compute agrees within a tolerance, the most crowded budget first.

    Parameters
    ----------
    compute_flop : ndarray, shape (n,)
    tolerance : float
        Largest spread within one budget: largest over smallest compute, minus 1.

    Returns
    -------
    ndarray of int, shape (n,)
        Number of the budget of each run, ascending with compute.

    Raises
    ------
    FitError
        If the tolerance is not between 0 and 10.
    """
    if not 0 < tolerance <= 10:
        raise FitError(
            lazy_gettext("The tolerance of a budget must lie between 0 and 10."),
            detail=lazy_gettext(
                "Given: {tolerance:g}; 0.1 joins runs whose compute differs by up to 10%.",
                tolerance=tolerance,
            ),
        )
    log_flop = np.log(compute_flop)
    width = np.log1p(tolerance) + 1e-9
    group = np.full(len(log_flop), -1)
    left = np.argsort(log_flop, kind="stable")
    n_groups = 0
    while len(left):
        values = log_flop[left]
        stops = np.searchsorted(values, values + width, side="right")
        first = int(np.argmax(stops - np.arange(len(values))))
        group[left[first : stops[first]]] = n_groups
        left = np.delete(left, np.s_[first : stops[first]])
        n_groups += 1
    centres = np.array([log_flop[group == k].mean() for k in range(n_groups)])
    return np.asarray(np.argsort(np.argsort(centres))[group])


def common_budgets(rows: Checkpoints) -> Array:
    """Return the compute at which learning curves are compared, shape (n,)."""
    low, high = float(rows.compute_flop.min()), float(rows.compute_flop.max())
    return np.geomspace(low, high, N_INTERPOLATED + 2)[1:-1]


def grouped(rows: Checkpoints, tolerance: float) -> Iterator[Checkpoints]:
    """Yield the runs of each budget, by ascending compute."""
    group = group_budgets(rows.compute_flop, tolerance)
    for k in range(int(group.max(initial=-1)) + 1):
        yield rows.at(group == k)


def read_off(rows: Checkpoints, compute_flop: Array) -> Iterator[Checkpoints]:
    """Read the learning curves at each budget, linearly between the logarithms of checkpoints.

    A run that does not reach a budget, or starts beyond it, is not among its runs.
    """
    order = np.lexsort((rows.compute_flop, rows.run))
    rows = rows.at(order)
    curves = np.split(np.arange(len(order)), np.flatnonzero(np.diff(rows.run)) + 1)
    log_flop, log_tokens, log_loss = map(np.log, (rows.compute_flop, rows.tokens, rows.loss))
    for flop in compute_flop:
        at = np.log(flop)
        some = [c for c in curves if log_flop[c[0]] <= at <= log_flop[c[-1]]]
        first = np.array([c[0] for c in some], dtype=np.intp)
        tokens, loss = (
            np.exp([np.interp(at, log_flop[c], values[c]) for c in some])
            for values in (log_tokens, log_loss)
        )
        yield Checkpoints(
            np.full(len(some), flop), rows.params[first], tokens, loss, rows.run[first]
        )
