"""What would have been said before each of a table's own largest runs, and what came.

At each cut the table ends there: laws are fitted and weighted by what lies below alone, and the
runs above are predicted. Nothing that is shown knows anything of what it predicts.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError, IsoflopError
from isoflop.fitting.compare.held_out import scale_column, split_by_scale
from isoflop.fitting.extrapolation.constants import load_constants
from isoflop.fitting.extrapolation.extrapolate import pool, predict_with
from isoflop.fitting.extrapolation.members import FEWEST_ROWS
from isoflop.identity import Keyed
from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.language import lazy_ngettext as n_
from isoflop.once import once
from isoflop.tables.schema import LossTable
from isoflop.units import counted

Array = NDArray[np.float64]
DECADES = (0.5, 1.0, 1.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What was said at one cut of the runs above it, the smallest first.

    Parameters
    ----------
    decades : float
        How far the part held out reaches down.
    cut : float
        Largest scale of the rows that the laws knew.
    n_rows : int
        How many those are.
    scale, observed, lower, centre, upper : ndarray, shape (n,)
    """

    decades: float
    cut: float
    n_rows: int
    scale: Array
    observed: Array
    lower: Array
    centre: Array
    upper: Array

    @property
    def coverage(self) -> float:
        """Share of the runs within the band."""
        return float(np.mean((self.observed >= self.lower) & (self.observed <= self.upper)))

    @property
    def mean_error(self) -> float:
        """Mean size of the error of log loss."""
        return float(np.mean(np.abs(np.log(self.centre / self.observed))))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class History(Keyed):
    """What the average of all laws would have said of a table's own largest runs.

    Parameters
    ----------
    table_id, table_fingerprint, loss_unit, scale : str
    cuts : tuple of Said
        The shortest first.
    key : str
    """

    table_id: str
    table_fingerprint: str
    loss_unit: str
    scale: str
    cuts: tuple[Said, ...]
    key: str = field(init=False, repr=False)

    def __repr__(self) -> str:
        return f"<History of {self.table_id}: {counted(len(self.cuts), 'cut')}>"

    def summary(self) -> str:
        """Say for each cut how the predictions did."""
        return joined(
            "\n",
            (
                _(
                    "{decades:g} decades held out, {n_rows} rows known: {runs} off by "
                    "{mean_error:.2%} on average, {coverage:.0%} within the 90% band.",
                    decades=cut.decades,
                    n_rows=cut.n_rows,
                    runs=n_("{n:,} run", "{n:,} runs", len(cut.observed)),
                    mean_error=cut.mean_error,
                    coverage=cut.coverage,
                )
                for cut in self.cuts
            ),
        )


@once(max_entries=16)
def history(table: LossTable) -> History:
    """Cut a table off at each of `DECADES` and predict what lies above, by all laws.

    Runs further out than bands were tested are left out.

    Raises
    ------
    FitError
        If no cut leaves rows enough below and any above.
    """
    column = scale_column(table)
    cuts = tuple(said for decades in DECADES if (said := _said(table, decades, column)))
    if not cuts:
        raise FitError(
            _(
                "{id} has too few rows below its largest runs to predict these from them.",
                id=table.id,
            ),
            hint=_("Add smaller runs."),
        )
    return History(
        table_id=table.id,
        table_fingerprint=table.fingerprint,
        loss_unit=table.loss_unit,
        scale=column,
        cuts=cuts,
    )


def _said(table: LossTable, decades: float, column: str) -> Said | None:
    try:
        split = split_by_scale(table, decades, column)
        if len(split.lower.included()) < FEWEST_ROWS:
            return None
        voices = pool(split.lower)
        columns = {column, *(i.column for m in voices.members.found for i in m.fit.law.inputs)}
        values = {name: split.upper.values(name) for name in sorted(columns)}
        observed = split.upper.values("loss")
        is_known = np.isfinite(np.stack([*values.values(), observed])).all(axis=0) & (observed > 0)
        found = predict_with(voices, {name: value[is_known] for name, value in values.items()})
    except IsoflopError:
        return None
    scale = found.inputs[column]
    order = np.argsort(scale, kind="stable")
    order = order[found.decades_of_any_input[order] <= load_constants().most_decades]
    if not len(order):
        return None
    return Said(
        decades=decades,
        cut=split.cut,
        n_rows=len(split.lower.included()),
        scale=scale[order],
        observed=observed[is_known][order],
        lower=found.lower[order],
        centre=found.centre[order],
        upper=found.upper[order],
    )
