"""What is kept between runs of a page: tables, fits, curves.

Every cache is bounded and shared by all sessions. A key is a fingerprint of content, never an
object or a sample of a frame; arguments whose name starts with an underscore are not part of it.
Results are immutable by convention: pages and figures never write into them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from isoflop.figures import contours, loss_curve
from isoflop.fitting import Fit, FitOptions, fit
from isoflop.fitting.published import hold_against
from isoflop.laws import Law, PublishedFit, load_laws, load_published_fits, rebind, typed_law
from isoflop.notices import Notice
from isoflop.planning import Budget, find_accelerator
from isoflop.planning.influence import optimum_notices
from isoflop.tables import (
    LossTable,
    ReadResult,
    find_dataset,
    list_datasets,
    of_families,
    open_dataset,
    synthetic_table,
)
from isoflop.tables.fetch import fetch
from isoflop.tables.synthetic import Design
from isoflop.ui import curves, messages, prepared, rows, uploads
from isoflop.ui.state import (
    DEFAULT_OPTIONS,
    PUBLISHED_PREFIX,
    SYNTHETIC,
    TYPED_LAW,
    UPLOAD_PREFIX,
    FitChoice,
    TableChoice,
)

MAX_TABLES = 16
MAX_FITS = 64
MAX_CURVES = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A fit with what it was made from.

    Parameters
    ----------
    key : str
        Identity of the fit: rows, law and options.
    table : LossTable
        The rows of the chosen families.
    fit : Fit
    published : PublishedFit or None
        Where the parameters are a paper's, not fitted to the table.
    """

    key: str
    table: LossTable
    fit: Fit
    published: PublishedFit | None


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
    if choice.id == SYNTHETIC:
        return _synthetic_table(choice.design, choice.noise, choice.outliers, choice.seed)
    result = read_result(choice)
    assert result is not None  # only synthetic tables are not read
    return result.table


def read_result(choice: TableChoice) -> ReadResult | None:
    """Return how a table was read: its cells, columns and problems; None for a synthetic one.

    Raises
    ------
    CatalogError, TableError
        If there is none of that id, or it cannot be had.
    """
    if choice.id == SYNTHETIC:
        return None
    if choice.id.startswith(UPLOAD_PREFIX):
        return uploads.find(choice.id)
    opened = st.session_state.setdefault("opened tables", set())
    if choice.id not in opened:
        _bring(choice.id)
        opened.add(choice.id)
    return _catalog_table(choice.id)


def _bring(dataset_id: str) -> None:
    """Download a data set's file if it is not here yet, showing how far it is."""
    dataset = find_dataset(dataset_id)
    if not dataset.is_here:
        bar = st.progress(0.0, text=f"Downloading {messages.plain(dataset.title)}")

        def show(share: float, text: str) -> None:
            bar.progress(share, text=messages.plain(text))

        try:
            fetch(dataset, show)
        finally:
            bar.empty()


@st.cache_resource(max_entries=MAX_TABLES, show_spinner=False)
def _catalog_table(dataset_id: str) -> ReadResult:
    return open_dataset(dataset_id)


@st.cache_resource(max_entries=MAX_TABLES, show_spinner=False)
def _synthetic_table(design: Design, noise: float, outliers: int, seed: int) -> LossTable:
    return synthetic_table(design=design, noise=noise, outliers=outliers, seed=seed)


@st.cache_resource(max_entries=MAX_TABLES, show_spinner=False)
def rows_of(table_key: str, families: tuple[str, ...], _table: LossTable) -> LossTable:
    """Return the rows of some families as a table of their own; all rows if none is named."""
    return of_families(_table, families) if families else _table


def law(choice: FitChoice, source: LossTable) -> tuple[Law, PublishedFit | None]:
    """Return the law that a choice names, and the published fit if it names one.

    Raises
    ------
    FormulaError
        If a typed formula is not a law.
    """
    if choice.law == TYPED_LAW:
        numeric = [str(name) for name in source.frame.select_dtypes("number").columns]
        return typed_law(choice.formula, numeric), None
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
    whole = table(choice.table)
    part = rows_of(whole.fingerprint, choice.families, whole)
    chosen, published = law(choice, part)
    if published is not None:
        key = key_of(part.fingerprint, published.key)
        result = hold_against(published, part)
        return Fitted(key=key, table=part, fit=result, published=published)
    key = key_of(part.fingerprint, chosen, choice.options)
    result = fit_to(part, chosen, choice.options)
    return Fitted(key=key, table=part, fit=result, published=None)


def fit_to(part: LossTable, chosen: Law, options: FitOptions) -> Fit:
    """Return the fit of a law to all rows of a table.

    Raises
    ------
    IsoflopError
        If the law cannot be fitted to them.
    """
    return _fit(key_of(part.fingerprint, chosen, options), chosen, part, options)


def key_of(*parts: object) -> str:
    """Return one short key of values whose text says all about them."""
    return hashlib.sha256("\0".join(map(repr, parts)).encode()).hexdigest()


@st.cache_resource(max_entries=MAX_FITS, show_spinner="Fitting the law")
def _fit(key: str, _law: Law, _table: LossTable, _options: FitOptions) -> Fit:
    return fit(_law, _table, _options)


@st.cache_resource(max_entries=MAX_CURVES, show_spinner=False)
def losses(table_key: str, axis: str, response: str, _table: LossTable) -> list[loss_curve.Points]:
    """Return losses, or another response, against one column, a group a family."""
    return rows.losses(_table, axis, response)


@st.cache_resource(max_entries=MAX_CURVES, show_spinner=False)
def runs(table_key: str, _table: LossTable) -> list[contours.Runs]:
    """Return model sizes and tokens, a group a family."""
    return rows.runs(_table)


@st.cache_resource(max_entries=MAX_CURVES, show_spinner=False)
def curve(
    key: str,
    axis: str,
    flop_range: tuple[float, float],
    fixed: Mapping[str, float],
    _fit: Fit,
) -> tuple[loss_curve.Curve, str]:
    """Return the loss along the compute-optimal path, and why it has no band if so."""
    return curves.curve(_fit, axis, flop_range, fixed)


@st.cache_resource(max_entries=MAX_CURVES, show_spinner=False)
def surface(
    key: str,
    params_range: tuple[float, float],
    tokens_range: tuple[float, float],
    fixed: Mapping[str, float],
    _fit: Fit,
) -> contours.Surface:
    """Return the predicted loss over model sizes and tokens."""
    return curves.surface(_fit, params_range, tokens_range, fixed)


@st.cache_resource(max_entries=MAX_CURVES, show_spinner=False)
def frontier(
    key: str, flop_range: tuple[float, float], fixed: Mapping[str, float], _fit: Fit
) -> contours.Path | None:
    """Return the compute-optimal models over a range of compute; None where there are none."""
    return curves.frontier(_fit, flop_range, fixed)


@st.cache_resource(max_entries=MAX_CURVES, show_spinner=False)
def answer(
    key: str,
    budget: Budget,
    accelerator: str,
    params: float | None,
    fixed: Mapping[str, float],
    _fit: Fit,
) -> curves.Answer:
    """Return what a budget buys.

    Raises
    ------
    PlanError
        If it buys no run.
    """
    return curves.answer(_fit, budget, find_accelerator(accelerator), params=params, fixed=fixed)


@st.cache_resource(max_entries=MAX_CURVES, show_spinner=False)
def influence(
    key: str, compute_flop: float, fixed: Mapping[str, float], _fit: Fit, _table: LossTable
) -> tuple[Notice, ...]:
    """Return which few rows decide the best size at a budget, if any do."""
    return optimum_notices(_fit, _table, compute_flop, fixed=fixed)


def warm() -> None:
    """Make the front page's first fit, so that the first visit finds it made."""
    dataset = list_datasets()[0]
    source = _catalog_table(dataset.id).table
    chosen = load_laws()[dataset.law]
    fit_to(source, chosen, DEFAULT_OPTIONS)
