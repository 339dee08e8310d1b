"""What should make a reader doubt a fit and a plan: one list, whoever shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from isoflop.fitting.result import Fit
from isoflop.notices import Notice, by_severity
from isoflop.planning.influence import optimum_notices
from isoflop.planning.types import Plan
from isoflop.tables.schema import LossTable


def doubts(
    fit: Fit,
    table: LossTable | None,
    plan: Plan | None = None,
    *,
    fixed: Mapping[str, float] | None = None,
    more: Iterable[Notice] = (),
) -> tuple[Notice, ...]:
    """Return all notices on what is shown, the most serious first, each once.

    Parameters
    ----------
    fit : Fit
    table : LossTable or None
        The rows of the fit: of how they were read, and which of them decide the size of the plan.
        None for a saved fit.
    plan : Plan, optional
        Of the fit.
    fixed : mapping of str to float, optional
        As the plan was made with.
    more : iterable of Notice
        What else is known.

    Raises
    ------
    FitError
        If the fit was made on another table.
    """
    found = [*fit.notices, *more]
    if table is not None and table.reading is not None:
        found += table.reading.notices
    if plan is not None:
        found += plan.notices
        if table is not None:
            found += optimum_notices(fit, table, plan.compute_flop, fixed=fixed)
    return by_severity(found)
