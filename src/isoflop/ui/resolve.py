"""From what was chosen to a table, a law and a fit, each made once for all sessions."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import streamlit as st

from isoflop.errors import IsoflopError, WorkError
from isoflop.fitting import Fit, FitOptions, fit
from isoflop.fitting.extrapolation import pool
from isoflop.fitting.opening import families_to_fit, merits, opening_table, suited_law
from isoflop.fitting.published import evaluate_published
from isoflop.language import gettext as _
from isoflop.language import lazy_gettext
from isoflop.laws import (
    Law,
    PublishedFit,
    law_for_role,
    load_laws,
    load_published_fits,
    rebind,
    typed_law,
)
from isoflop.once import once
from isoflop.planning.influence import optimum_notices
from isoflop.tables import (
    LossTable,
    ReadResult,
    find_dataset,
    list_datasets,
    load_dataset,
    of_families,
    open_dataset,
    simulated_table,
)
from isoflop.tables.fetch import fetch
from isoflop.ui import messages, prepared, uploads
from isoflop.ui.caching import MAX_FITS, MAX_PLANS, MAX_TABLES, kept
from isoflop.ui.jobs import KeptByJob
from isoflop.ui.state import (
    DEFAULT_OPTIONS,
    PUBLISHED_PREFIX,
    SIMULATED,
    TYPED_LAW,
    UPLOAD_PREFIX,
    FitChoice,
    TableChoice,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A fit with what it was made from.

    Parameters
    ----------
    table : LossTable
        The rows of the chosen families.
    fit : Fit
    published : PublishedFit or None
        Where the parameters are a paper's, not fitted to the table.
    """

    table: LossTable
    fit: Fit
    published: PublishedFit | None

    @property
    def key(self) -> str:
        """Identity of the fit."""
        return self.fit.key


def table(choice: TableChoice) -> LossTable:
    """Return a table as it is to be fitted: what was decided on the Data page is applied.

    Raises
    ------
    CatalogError, TableError
        If there is none of that id, or it cannot be had.
    """
    return prepared.table(choice.id, full_table(choice))


def full_table(choice: TableChoice) -> LossTable:
    """Return a table with all its rows, downloaded with a progress bar if need be.

    Raises
    ------
    CatalogError, TableError
        If there is none of that id, or it cannot be had.
    """
    if choice.id == SIMULATED:
        return _simulated_table(
            design=choice.design, noise=choice.noise, outliers=choice.outliers, seed=choice.seed
        )
    result = read_result(choice)
    assert result is not None  # only simulated tables are not read
    return result.table


def read_result(choice: TableChoice) -> ReadResult | None:
    """Return how a table was read: its cells, columns and problems; None for a simulated one.

    Raises
    ------
    CatalogError, TableError
        If there is none of that id, or it cannot be had.
    """
    if choice.id == SIMULATED:
        return None
    if choice.id.startswith(UPLOAD_PREFIX):
        return uploads.find(choice.id)
    opened = st.session_state.setdefault("opened tables", set())
    if choice.id not in opened:
        _bring(choice.id)
        opened.add(choice.id)
    return catalog_table(choice.id)


def _bring(dataset_id: str) -> None:
    """Download a data set's file if it is not here yet, showing how far it is."""
    dataset = find_dataset(dataset_id)
    if not dataset.is_here:
        bar = st.progress(0.0, text=_("Downloading {title}", title=messages.plain(dataset.title)))

        def show(share: float, text: str) -> None:
            bar.progress(share, text=messages.plain(text))

        try:
            fetch(dataset, show)
        finally:
            bar.empty()


catalog_table = kept(open_dataset, max_entries=MAX_TABLES)
_simulated_table = kept(simulated_table, max_entries=MAX_TABLES)
_of_families = kept(of_families, max_entries=MAX_TABLES)


def rows_of(table: LossTable, families: tuple[str, ...]) -> LossTable:
    """Return the rows of some families as a table of their own; all rows if none is named."""
    return _of_families(table, families) if families else table


def law(choice: FitChoice, source: LossTable) -> tuple[Law, PublishedFit | None]:
    """Return the law that a choice names, and the published fit if it names one.

    Raises
    ------
    FormulaError
        If a typed formula is not a law.
    """
    if choice.law == TYPED_LAW:
        return typed_law(choice.formula, source, params=choice.parameters), None
    if choice.law.startswith(PUBLISHED_PREFIX):
        published = load_published_fits()[choice.law.removeprefix(PUBLISHED_PREFIX)]
        return published.law, published
    chosen = load_laws()[choice.law]
    if choice.input_column:
        chosen = rebind(chosen, {chosen.inputs[0].symbol: choice.input_column})
    return chosen, None


def fitted(choice: FitChoice) -> Fitted:
    """Return the fit that a choice asks for.

    Raises
    ------
    IsoflopError
        If the table cannot be had, the law is malformed, or it cannot be fitted to the rows.
    """
    return fitted_to(choice, table(choice.table))


def fitted_to(choice: FitChoice, whole: LossTable) -> Fitted:
    """Return the fit that a choice asks for to other rows of its table.

    Raises
    ------
    IsoflopError
        As `fitted`.
    """
    part = rows_of(whole, choice.families)
    chosen, published = law(choice, part)
    if published is not None:
        return Fitted(table=part, fit=evaluate_published(published, part), published=published)
    return Fitted(table=part, fit=fit_to(chosen, part, choice.options), published=None)


ON_THE_SPOT_S = 0.7
"""CPU seconds of a fit that a page does itself; more is a job."""


def fit_to(law: Law, table: LossTable, options: FitOptions) -> Fit:
    """Return the fit of a law to a table; while a long bootstrap is under way, the fit without it.

    Raises
    ------
    FitError
        If it cannot be fitted.
    Unfinished
        If the search alone is long and still under way; the page shows that.
    """
    if options.n_bootstrap and _bootstrap_s(law, table, options) > ON_THE_SPOT_S:
        first = fit_to(law, table, replace(options, n_bootstrap=0))
        try:
            return _resampled(law, table, options)
        except messages.Unfinished:
            return first
    if _search_s(law, table) > ON_THE_SPOT_S:
        return _searched(law, table, options)
    return _fit(law, table, options)


def _search_s(law: Law, table: LossTable) -> float:
    """Return about how many CPU seconds the search takes, as measured."""
    n_params, thousands = len(law.params), len(table.frame) / 1000
    if law.key == TYPED_LAW:  # says nothing of where its parameters lie
        return 0.01 * n_params**2 + 0.0017 * n_params**3 * thousands
    return 0.01 * n_params * (1 + thousands)


def _bootstrap_s(law: Law, table: LossTable, options: FitOptions) -> float:
    return 1.4e-7 * options.n_bootstrap * len(table.frame) * len(law.params)


def _fit_s(law: Law, table: LossTable, options: FitOptions) -> float:
    return _search_s(law, table) + _bootstrap_s(law, table, options)


def _with_rows(made: Fit, _law: Law, table: LossTable, _options: FitOptions) -> Fit:
    return replace(made, table=table)


_fit = kept(fit, max_entries=MAX_FITS, spinner=lazy_gettext("Fitting the law"))
_searched = KeptByJob(
    fit,
    lazy_gettext("Fitting the law"),
    effort=_fit_s,
    finish=_with_rows,
    max_entries=MAX_FITS,
)
_resampled = KeptByJob(
    fit,
    lazy_gettext("Bootstrapping the fit"),
    effort=_fit_s,
    finish=_with_rows,
    max_entries=MAX_FITS,
)
influence = kept(optimum_notices, max_entries=MAX_PLANS)


FITTING_ALL = lazy_gettext("Fitting all laws to the table")

SUGGESTED_S = 2.0
"""CPU seconds of fitting all laws that a page does itself, to suggest one."""

_suited_law = kept(suited_law, max_entries=MAX_FITS, spinner=FITTING_ALL)
"""By evidence alone, of rows that say nothing of larger runs."""

rows_can_bear = kept(merits)


def _weighing_s(table: LossTable) -> float:
    """Return about how many CPU seconds fitting all laws takes, as measured."""
    return 1.3 + 0.1 * min(len(table.frame) / 1000, 40.0)


weighed = KeptByJob(pool, FITTING_ALL, effort=_weighing_s, max_entries=MAX_FITS)


def suggested_law(table: LossTable) -> Law | None:
    """Return the law of most evidence on a table's rows.

    A page is empty until it has one, so that few rows are not left to a job, which may have to
    wait for others.

    Raises
    ------
    Instead
        Of many rows, while all laws are being fitted: the page shows that in place of an answer.
    """
    try:
        voices = weighed.at_once(table) if _is_quick(table) else weighed.made(table)
    except WorkError:  # its limits ended it: it can be tried again
        voices = None
    except IsoflopError:  # they say nothing of larger runs, but perhaps of these
        return _suited_law(table)
    if voices is None:
        raise messages.Instead(partial(_weigh_then_run, table))
    return voices.members.lowest_aicc.fit.law


def _is_quick(table: LossTable) -> bool:
    return _weighing_s(table) <= SUGGESTED_S


def _weigh_then_run(table: LossTable) -> None:
    """Fit all laws, and show that; then the page runs again, with a law."""
    with suppress(IsoflopError):  # the page says it then
        weighed(table)
    st.rerun()


def opening_id() -> str:
    """Return the data set to open with: of those that are here, the one that can bear most."""
    return _best_of(tuple(dataset.id for dataset in list_datasets() if dataset.is_here))


@once
def _best_of(ids: tuple[str, ...]) -> str:
    return opening_table([load_dataset(id) for id in ids]).id


def meant_families(source: LossTable) -> tuple[str, ...]:
    """Return the families to fit unless someone chooses: the catalog's, else those that agree."""
    named = [entry.law_family for entry in list_datasets() if entry.id == source.id]
    return tuple(name for name in named if name) or families_to_fit(source)


def warm() -> tuple[LossTable, Fit]:
    """Make the front page's table and fit, so that the first visit finds them made."""
    source = catalog_table(opening_id()).table
    source = rows_of(source, meant_families(source))
    if not _is_quick(source):
        weighed(source)
    law = suggested_law(source) or law_for_role("default")
    return source, fit_to(law, source, DEFAULT_OPTIONS)
