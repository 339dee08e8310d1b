"""From what was typed to a table, a law and a fit; or to a fit that was saved."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from isoflop import document
from isoflop.cli import report
from isoflop.errors import CatalogError, TableError
from isoflop.fitting import Fit, FitOptions, fit
from isoflop.fitting.points import points_of
from isoflop.laws import Law, law_for_role, load_laws, rebind, typed_law
from isoflop.options import from_flags, typed_flags
from isoflop.tables import (
    COLUMNS,
    LossTable,
    find_dataset,
    list_datasets,
    of_families,
    open_dataset,
    read_table,
)
from isoflop.units import parse_number, parse_quantity


def fitted(parsed: argparse.Namespace) -> Fit:
    """Read the table, choose the law and fit it; or read a saved fit.

    Raises
    ------
    IsoflopError
        As reading, parsing a formula and fitting do.
    """
    if document.format_of(parsed.table):
        return _saved(parsed)
    table, suggested = _table(parsed.table)
    if parsed.family:
        table = of_families(table, parsed.family)
    if parsed.formula:
        response = parsed.response or "loss"
        law = typed_law(parsed.formula, table, response=response, params=parsed.parameter)
    else:
        law = _named_law(parsed.law) if parsed.law else suggested
    if parsed.input or parsed.response:
        law = rebind(law, dict(parsed.input), parsed.response)
    options = from_flags(FitOptions, parsed)
    with report.Progress() as progress:
        return fit(law, table, options, progress=lambda share: progress(share, "Fitting"))


def run_inputs(law: Law, typed: Mapping[str, str]) -> dict[str, float]:
    """Return the value of every input of a law, in its canonical unit.

    Raises
    ------
    TableError
        If an input is missing or unknown.
    UnitError
        If a value cannot be read.
    """
    try:
        found = points_of(law, typed, {})
    except TableError as error:
        raise TableError(
            error.summary,
            detail=error.detail,
            hint=f"Write: --at {' '.join(f'{symbol}=...' for symbol in law.symbols)}",
        ) from None
    return {symbol: float(values[0]) for symbol, values in found.items()}


def _saved(parsed: argparse.Namespace) -> Fit:
    """Read a saved fit, which is taken as it is.

    Raises
    ------
    DocumentError
        If it cannot be read.
    CatalogError
        If it is to be fitted in another way.
    """
    choices = ("law", "formula", "family", "input", "response")
    given = [f"--{name}" for name in choices if getattr(parsed, name)]
    if given := [*given, *typed_flags(FitOptions, parsed)]:
        raise CatalogError(
            f"{parsed.table} is a saved fit, which {' and '.join(given)} cannot change.",
            hint="Give the table instead, to fit it again.",
        )
    return Fit.load(parsed.table)


def column_value(column: str, text: str) -> float:
    """Return a typed value of a table's column, in its canonical unit.

    Raises
    ------
    UnitError
        If it cannot be read.
    """
    known = COLUMNS.get(column)
    if known is None or known.dimension is None:
        return parse_number(text)
    return parse_quantity(text, known.dimension)


def _table(text: str) -> tuple[LossTable, Law]:
    """Return a table by file or name, with the law that suits it."""
    is_name = not Path(text).exists() and (
        not Path(text).suffix or text in {item.id for item in list_datasets()}
    )
    with report.Progress() as progress:
        if is_name:
            dataset = find_dataset(text)
            read = open_dataset(text, progress)
            law = rebind(load_laws()[dataset.law], dataset.law_inputs)
        else:
            read = read_table(text, progress=progress)
            law = law_for_role("default")
    report.problems(read.problems)
    report.notices(read.notices)
    return read.table, law


def _named_law(key: str) -> Law:
    laws = load_laws()
    if key not in laws:
        raise CatalogError(
            f"There is no law called {key!r}.",
            detail=f"Known: {', '.join(laws)}.",
            hint="Choose one of them, or type a law of your own with --formula.",
        )
    return laws[key]
