"""What to show of tables before anyone chooses: which table, whose rows, which law.

Nothing goes by name: a table is judged by what can be measured on it, a law by its evidence on it
(docs/extrapolation.md, "What opens").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.fitting.comparable import unlike_families
from isoflop.fitting.compare.held_out import scale_column
from isoflop.fitting.extrapolation.extrapolate import N_DRAWS
from isoflop.fitting.extrapolation.members import members, suitable_laws
from isoflop.language import lazy_gettext
from isoflop.laws.law import Law
from isoflop.tables.schema import LossTable
from isoflop.tables.select import family_names, of_families

Array = NDArray[np.float64]

APART_DECADES = 0.15
"""Scatter of tokens per parameter among runs of like compute, from which on N and D are apart."""

SURE = 2.0
"""Standard errors by which the loss must flatten for a floor to be seen."""

FAR = 5.0
"""Robust standard deviations beyond which a row does not decide on the floor."""

LANGUAGE_MODEL_FLOP = 1e19
"""A run of this compute is of the kind that budgets buy: some hours of one accelerator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merits:
    """What a table can bear, as measured on its rows.

    Parameters
    ----------
    is_of_language_models : bool
        Its largest run is within reach of what budgets buy.
    varies_apart : bool
        Size and data vary independently: tokens per parameter scatter at equal compute.
    shows_floor : bool
        The loss flattens in logarithms, surely.
    has_one_unit : bool
        Its families are known to agree in unit, tokenizer and counting, and the unit is stated.
    has_one_row_a_run : bool
        No two rows are of one run.
    n_rows : int
    """

    is_of_language_models: bool
    varies_apart: bool
    shows_floor: bool
    has_one_unit: bool
    has_one_row_a_run: bool
    n_rows: int

    @property
    def rank(self) -> tuple[bool, int, int]:
        """What tables are ordered by, the best largest: reach, then merits, then rows."""
        found = [getattr(self, item.name) for item in fields(self)[:-1]]
        return found[0], sum(found[1:]), self.n_rows

    @property
    def doubts(self) -> tuple[str, ...]:
        """What the rows cannot bear, a sentence each."""
        said = {
            "is_of_language_models": lazy_gettext(
                "the runs are far smaller than those that budgets buy"
            ),
            "varies_apart": lazy_gettext(
                "size and data do not vary independently, so that these rows alone "
                "determine no best size"
            ),
            "shows_floor": lazy_gettext(
                "the loss does not level off within the data, so that its floor is a guess"
            ),
            "has_one_unit": lazy_gettext(
                "the losses are not known to be of one unit and one tokenizer"
            ),
            "has_one_row_a_run": lazy_gettext(
                "several rows come from one run, so that their errors are correlated"
            ),
        }
        return tuple(text for name, text in said.items() if not getattr(self, name))


def merits(table: LossTable) -> Merits:
    """Measure what the rows of a table can bear, of the families that would be fitted.

    Raises
    ------
    FitError
        If the table has no scale.
    """
    names = families_to_fit(table)
    rows = of_families(table, names) if names else table
    frame, scale = rows.included(), scale_column(rows)
    is_known = np.isfinite(rows.values(scale)) & (rows.values(scale) > 0)
    is_known &= np.isfinite(rows.values("loss")) & (rows.values("loss") > 0)
    size, loss = np.log10(rows.values(scale)[is_known]), np.log(rows.values("loss")[is_known])
    ratio = None
    if {"params", "tokens"} <= set(frame):
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.log10(rows.values("tokens") / rows.values("params"))[is_known]
        ratio = ratio if np.isfinite(ratio).all() else None
    runs = frame["run_id"].dropna() if "run_id" in frame else frame.index.to_series()
    return Merits(
        is_of_language_models=scale == "compute_flop"
        and bool(10 ** size.max() >= LANGUAGE_MODEL_FLOP),
        varies_apart=ratio is not None and _scatter(size, ratio) >= APART_DECADES,
        shows_floor=_flattening(size, loss, ratio) >= SURE,
        has_one_unit=rows.loss_unit != "unknown" and not names,
        has_one_row_a_run=not runs.duplicated().any(),
        n_rows=len(size),
    )


def _scatter(size: Array, ratio: Array) -> float:
    """Return the standard deviation of tokens per parameter around its line over scale."""
    if len(size) < 3 or np.ptp(size) < 1e-9:
        return 0.0
    return float(np.std(ratio - np.polyval(np.polyfit(size, ratio, 1), size)))


def _flattening(size: Array, loss: Array, ratio: Array | None) -> float:
    """Return by how many standard errors the log loss bends up along scale; 0 if it cannot tell."""
    centred = size - size.mean()
    columns = [np.ones_like(size), centred, centred**2]
    if ratio is not None and np.ptp(ratio) > 1e-9:
        apart = ratio - ratio.mean()
        columns += [apart, apart**2]
    design = np.stack(columns, axis=1)
    is_near = np.ones(len(loss), dtype=bool)
    bend = error = 0.0
    for _ in range(2):  # the second time without rows that lie far off
        rows, target = design[is_near], loss[is_near]
        spare = len(rows) - design.shape[1]
        if spare < 1 or np.linalg.matrix_rank(rows) < design.shape[1]:
            return 0.0
        theta = np.linalg.lstsq(rows, target, rcond=None)[0]
        off = loss - design @ theta
        covariance = np.linalg.inv(rows.T @ rows) * np.sum(off[is_near] ** 2) / spare
        bend, error = float(theta[2]), float(np.sqrt(covariance[2, 2]))
        is_near = np.abs(off) <= FAR * 1.4826 * np.median(np.abs(off)) + 1e-12
    return bend / error if error > 0 else 0.0


def families_to_fit(table: LossTable) -> tuple[str, ...]:
    """Return the families of a table to fit unless someone chooses: none means all rows.

    Families that are not known to agree in unit, tokenizer and counting are never pooled unasked:
    the one of most rows is taken.
    """
    if not unlike_families(table):
        return ()
    counts = table.included()["family"].astype(str).value_counts()
    return (max(family_names(table), key=lambda name: int(counts[name])),)


def suited_law(table: LossTable) -> Law | None:
    """Return the law of the catalog whose evidence on a table is best, by AICc.

    The smallest where no AICc is finite; None where no law of losses suits the table. All laws are
    fitted, with the draws that `extrapolate` asks for: it finds them made.
    """
    if "loss" not in table.included():
        return None
    try:
        found = members(table, suitable_laws(table), N_DRAWS, 0)
    except IsoflopError:
        return None
    return found.lowest_aicc.fit.law


def opening_table(tables: Sequence[LossTable]) -> LossTable:
    """Return the table that can bear most, the earlier of equals.

    Raises
    ------
    ValueError
        If none has losses.
    """
    ranked = []
    for table in tables:
        try:
            if "loss" in table.included():
                ranked.append((merits(table).rank, table))
        except IsoflopError:
            continue
    return max(ranked, key=lambda pair: pair[0])[1]
