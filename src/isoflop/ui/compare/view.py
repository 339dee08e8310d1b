"""What the Compare page shows, computed and kept."""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st

from isoflop.fitting import FitOptions
from isoflop.fitting.compare import (
    WHY,
    Group,
    LawComparison,
    compare_laws,
    mismatches,
)
from isoflop.language import gettext, lazy_gettext, sentences, translated
from isoflop.laws import Law
from isoflop.tables import LossTable, family_names
from isoflop.ui import controls, inputs, messages, resolve
from isoflop.ui.jobs import KeptByJob
from isoflop.ui.state import TableChoice

ALL = "(all)"
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
    st.header(gettext("Data"), anchor=False)
    choice = controls.table_input()
    whole = resolve.table(choice)
    families = controls.family_input(whole)
    table = resolve.rows_of(whole, families)
    return View(choice=choice, whole=whole, table=table, options=controls.fit_options(table))


def of_one_convention(shown: View) -> View:
    """Draw whose rows are used where families count otherwise, and return the view of those.

    Losses of other units or tokenizers are other numbers, so that a law of all of them says little.
    """
    names = family_names(shown.table)
    if len(names) < 2:
        return shown
    groups = [Group(label=name, table=shown.table.families(name)) for name in names]
    found = mismatches(groups)
    if not found:
        return shown
    largest = max(groups, key=lambda group: len(group.table.frame)).label
    chosen = inputs.choice(
        gettext("Families"),
        {name: name for name in names} | {ALL: gettext("all families as one")},
        key="compare.rows",
        default=largest,
        help=translated(sentences(mismatch.text for mismatch in found)),
        style="row" if len(names) < 4 else "list",
    )
    if chosen == ALL:
        for mismatch in found:
            messages.assumption(sentences([mismatch.text, WHY[mismatch.aspect]]))
        return shown
    (table,) = (group.table for group in groups if group.label == chosen)
    return replace(shown, table=table)


# --- Laws


def _effort(table: LossTable, laws: tuple[Law, ...], *_: object, **__: object) -> float:
    """Return the CPU seconds of comparing laws, as measured."""
    return len(laws) * (0.2 + 0.2 * len(table.frame) / 1000)


_compare_laws = KeptByJob(
    compare_laws,
    lazy_gettext("Fitting every law: to all rows, below the cut, and without each row"),
    effort=_effort,
)


def laws_compared(
    table: LossTable, laws: tuple[Law, ...], options: FitOptions, decades: float
) -> LawComparison:
    """Return how laws do on a table's rows."""
    fewer = replace(options, n_bootstrap=min(options.n_bootstrap, N_COMPARED_DRAWS))
    return _compare_laws(table, laws, fewer, decades=decades)
