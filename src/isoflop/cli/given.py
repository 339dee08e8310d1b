"""From what was typed to a table, a law and a fit; or to a fit that was saved."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from isoflop import api, document
from isoflop.cli import report
from isoflop.errors import CatalogError, TableError
from isoflop.fitting import Fit, FitOptions, fit
from isoflop.fitting.points import points_of
from isoflop.laws import Law, load_laws, rebind, typed_law
from isoflop.options import from_flags, typed_flags
from isoflop.tables import COLUMNS, LossTable
from isoflop.units import parse_number, parse_quantity


def fitted(parsed: argparse.Namespace) -> Fit:
    """Read the table, choose the law and fit it; or read a saved fit.

    Raises
    ------
    IsoflopError
        As reading, parsing a formula and fitting do.
    """
    if len(parsed.table) == 1 and document.format_of(parsed.table[0]):
        return _saved(parsed)
    table = _table(parsed.table)
    if parsed.family:
        table = table.families(*parsed.family)
    if parsed.formula:
        response = parsed.response or "loss"
        law = typed_law(parsed.formula, table, response=response, params=parsed.parameter)
    elif parsed.law:
        law = _named_law(parsed.law)
    else:
        table, law = api.suited(table)
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
            f"{parsed.table[0]} is a saved fit, which {' and '.join(given)} cannot change.",
            hint="Give the table instead, to fit it again.",
        )
    return Fit.load(parsed.table[0])


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


def _table(texts: Sequence[str]) -> LossTable:
    """Return a table by files or name, and print what could not be read of it."""
    with report.Progress() as progress:
        table = api.load(texts[0] if len(texts) == 1 else texts, progress=progress)
    if table.reading is not None:
        report.problems(table.reading.problems)
        report.notices(table.reading.notices)
    return table


def _named_law(key: str) -> Law:
    laws = load_laws()
    if key not in laws:
        raise CatalogError(
            f"There is no law called {key!r}.",
            detail=f"Known: {', '.join(laws)}.",
            hint="Choose one of them, or type a law of your own with --formula.",
        )
    return laws[key]
