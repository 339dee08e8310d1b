"""From what was typed to a table, a law and a fit; or to a fit that was saved."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from isoflop import api, document, export
from isoflop.cli import report
from isoflop.errors import CatalogError, TableError
from isoflop.fitting import Fit, FitOptions, PredictOptions, fit
from isoflop.fitting.before_after import named_in_notices, without_named
from isoflop.fitting.extrapolation import Pool, pool
from isoflop.fitting.points import points_of
from isoflop.laws import Law, load_laws, rebind, typed_law
from isoflop.options import from_flags, typed_flags
from isoflop.people import LOCAL
from isoflop.planning import Accelerator, find_accelerator
from isoflop.planning.hardware import read_accelerator
from isoflop.planning.saved import OWN_PREFIX, all_accelerators
from isoflop.tables import COLUMNS, ColumnMapping, LossTable, list_datasets, mapping_from_json
from isoflop.units import parse_number, parse_quantity

# What a saved fit no longer takes, and the values by which it was not given.
_OF_READING = (
    "family", "mapping", "column", "unit", "metric", "curves", "seeds", "exclude",
)  # fmt: skip
_NOT_OF_A_FIT = ("law", "formula", "published", "input", "response", *_OF_READING)
_NOTHING: tuple[object, ...] = (None, "", "all", [])


def asks_for_one_law(parsed: argparse.Namespace) -> bool:
    """Say whether a law is chosen, or anything that only one fit has; else all laws predict."""
    is_saved = len(parsed.table) == 1 and bool(document.format_of(parsed.table[0]))
    named = parsed.law or parsed.formula or parsed.published or parsed.input or parsed.response
    typed = typed_flags(FitOptions, parsed)
    if "level" in parsed or "kind" in parsed:
        typed = [*typed, *typed_flags(PredictOptions, parsed)]
    of_a_fit = parsed.drop_outliers or parsed.strict
    return bool(is_saved or named or parsed.metric or of_a_fit or typed)


def all_laws(parsed: argparse.Namespace) -> Pool:
    """Read the table and fit all laws that suit it, with their weights.

    Raises
    ------
    IsoflopError
        As reading and fitting do.
    """
    return pool(api.suited_rows(table_of(parsed)))


def fitted(parsed: argparse.Namespace) -> Fit:
    """Read the table, choose the law and fit it; or read a saved fit.

    Raises
    ------
    IsoflopError
        As reading, parsing a formula and fitting do.
    """
    if len(parsed.table) == 1 and document.format_of(parsed.table[0]):
        return _saved(parsed)
    table = table_of(parsed)
    if parsed.published:
        return _published(parsed, table)
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
        found = fit(law, table, options, progress=lambda share: progress(share, "Fitting"))
        if not parsed.drop_outliers:
            return found
        kept = without_named(found, progress=lambda share: progress(share, "Fitting the others"))
    report.left_out(found, kept)
    return kept


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


def _published(parsed: argparse.Namespace, table: LossTable) -> Fit:
    """Return a published fit on a table, which is taken as it is.

    Raises
    ------
    CatalogError
        If there is none of that name, or it is to be fitted in some way.
    """
    given = [f"--{name}" for name in ("input", "response") if getattr(parsed, name)]
    if parsed.drop_outliers:
        given.append("--drop-outliers")
    if given := [*given, *typed_flags(FitOptions, parsed)]:
        raise CatalogError(
            f"A published fit is taken as it stands: {' and '.join(given)} cannot change it.",
            hint="Choose the law with --law instead, to fit it to the table.",
        )
    return api.evaluate(parsed.published, table)


def _saved(parsed: argparse.Namespace) -> Fit:
    """Read a saved fit, which is taken as it is.

    Raises
    ------
    DocumentError
        If it cannot be read.
    CatalogError
        If it is to be fitted in another way.
    """
    given = [f"--{name}" for name in _NOT_OF_A_FIT if getattr(parsed, name) not in _NOTHING]
    if parsed.drop_outliers:
        given.append("--drop-outliers")
    if given := [*given, *typed_flags(FitOptions, parsed)]:
        raise CatalogError(
            f"{parsed.table[0]} is a saved fit, which {' and '.join(given)} cannot change.",
            hint="Give the table instead, to fit it again.",
        )
    return Fit.load(parsed.table[0])


def code(parsed: argparse.Namespace, result: Fit) -> str:
    """Return a Python script that makes a fit again; empty for one that was saved.

    Parameters
    ----------
    parsed : argparse.Namespace
        By which `fitted` made the fit.
    result : Fit
    """
    if result.table is None:
        return ""
    source = parsed.table[0] if len(parsed.table) == 1 else parsed.table
    asked = {
        "columns": dict(parsed.column),
        "units": dict(parsed.unit),
        "metric": parsed.metric,
        "curves": parsed.curves,
        "seeds": parsed.seeds if parsed.seeds != "all" else "",
        "exclude": parsed.exclude,
    }
    arguments = [repr(source), *(f"{name}={value!r}" for name, value in asked.items() if value)]
    lines = ["import isoflop as iso", ""]
    if parsed.mapping is not None:
        lines[1:] = ["from isoflop.tables import mapping_from_json", ""]
        lines.append(f"mapping = mapping_from_json({parsed.mapping.read_text('utf-8')!r})")
        arguments.append("mapping=mapping")
    lines.append(f"table = iso.load({', '.join(arguments)})")
    if parsed.family:
        lines.append(f"table = table.families({', '.join(map(repr, parsed.family))})")
    if not (parsed.law or parsed.formula):
        lines[0] += "\nfrom isoflop.api import suited_rows"
        lines.append("table = suited_rows(table)")
    if dropped := named_in_notices(result.table):
        lines.append(f"table = table.exclude({dropped!r}, reason='named in a notice')")
    return export.snippet(
        result, table_code="\n".join(lines), law_code=export.law_snippet(result.law)
    )


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


def is_catalog(parsed: argparse.Namespace) -> bool:
    """Return whether nothing but names of tables in the catalog are given, or none at all."""
    known = {item.id for item in list_datasets()}
    return set(parsed.table) <= known and not _read_in_another_way(parsed)


def _read_in_another_way(parsed: argparse.Namespace) -> bool:
    return any(getattr(parsed, name) not in _NOTHING for name in _OF_READING)


def table_of(parsed: argparse.Namespace) -> LossTable:
    """Return a table by file or name, and print how it was read and which rows are fitted."""
    with report.Progress() as progress:
        table = api.load(
            parsed.table[0] if len(parsed.table) == 1 else parsed.table,
            mapping=None if parsed.mapping is None else _mapping(parsed.mapping),
            columns=dict(parsed.column),
            units=dict(parsed.unit),
            metric=parsed.metric,
            curves=parsed.curves,
            seeds=parsed.seeds,
            exclude=parsed.exclude,
            progress=progress,
        )
    if parsed.family:
        table = table.families(*parsed.family)
    if table.reading is not None:
        report.problems(table.reading.problems)
        report.notices(table.reading.notices)
    report.rows_fitted(table)
    return table


def _mapping(path: Path) -> ColumnMapping:
    """Read a mapping that the Data page wrote.

    Raises
    ------
    TableError
        If it is none, or cannot be read.
    """
    try:
        return mapping_from_json(path.read_bytes())
    except OSError as error:
        reason = str(error.strerror)
        raise TableError(f"The mapping {path} cannot be read.", detail=reason) from None


def _named_law(key: str) -> Law:
    laws = load_laws()
    if key not in laws:
        raise CatalogError(
            f"There is no law called {key!r}.",
            detail=f"Known: {', '.join(laws)}.",
            hint="Choose one of them, or type a law of your own with --formula.",
        )
    return laws[key]


def accelerator(text: str) -> Accelerator:
    """Return an accelerator of the catalog, saved in the app, or described by a TOML file.

    Raises
    ------
    CatalogError
        If there is none, or the file describes none.
    StoreError
        If one saved in the app is named, and the store cannot be read.
    """
    if text.endswith(".toml"):
        return read_accelerator(Path(text))
    if not text.startswith(OWN_PREFIX):
        return find_accelerator(text)
    from isoflop.store import Store

    return find_accelerator(text, all_accelerators(Store().of(LOCAL)))
