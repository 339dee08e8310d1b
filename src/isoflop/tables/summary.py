"""A loss table for a reader: its columns and rows, as text and as HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.language import lazy_ngettext as n_
from isoflop.tables.problems import listing
from isoflop.tables.reading.columns import COLUMNS
from isoflop.text import aligned, as_html, with_notices
from isoflop.units import format_number

if TYPE_CHECKING:
    from isoflop.tables.schema import LossTable

N_SHOWN = 8
_HOW = ("is_excluded", "exclusion_reason")


def table_text(table: LossTable) -> str:
    """Return a table as text."""
    columns = [tuple(map(str, row)) for row in columns_frame(table).itertuples(index=False)]
    parts = [
        f"{table.provenance.title or table.id} ({table.id})",
        rows_line(table),
        "",
        aligned(columns, ("column", "unit", "values", _("read from"))),
    ]
    reading = table.reading
    if reading is not None and reading.problems:
        parts += ["", _("Left out:"), listing(reading.problems)]
    parts += [_("Known problem: {text}", text=text) for text in table.provenance.known_problems]
    return with_notices(joined("\n", parts), reading.notices if reading is not None else ())


def table_html(table: LossTable) -> str:
    """Return a table for a notebook: what it is, its columns, its first rows."""
    reading = table.reading
    left_out = listing(reading.problems) if reading is not None and reading.problems else ""
    return as_html(
        table.provenance.title or table.id,
        rows_line(table),
        columns_frame(table),
        table.frame.head(N_SHOWN),
        _("Left out: {left_out}", left_out=left_out) if left_out else "",
        notices=reading.notices if reading is not None else (),
    )


def rows_line(table: LossTable) -> str:
    """Say how many rows there are, in which unit their loss is, and what N counts."""
    n_rows, n_used = len(table.frame), len(table.included())
    excluded = _(", {n_rows:,} of them excluded", n_rows=n_rows - n_used) if n_used < n_rows else ""
    return _(
        "{rows}{excluded}; loss in {loss_unit}; parameters: {param_convention}",
        rows=n_("{n:,} row", "{n:,} rows", n_rows),
        excluded=excluded,
        loss_unit=table.loss_unit,
        param_convention=table.param_convention,
    )


def columns_frame(table: LossTable) -> pd.DataFrame:
    """Return a row a column: its name, unit, values, and the header it was read from."""
    frame = table.included()
    headers: dict[str, str] = {}
    if table.reading is not None:
        headers = {role.column: role.header for role in table.reading.mapping.roles if role.column}
    derived = table.provenance.derived_columns
    rows = []
    for name in (str(column) for column in frame if column not in _HOW):
        known = COLUMNS.get(name)
        unit = table.loss_unit if name == "loss" else known.unit if known is not None else ""
        origin = (
            _("derived: {derived}", derived=derived[name])
            if name in derived
            else headers.get(name, "")
        )
        rows.append((name, unit, _values(frame[name]), origin))
    return pd.DataFrame(rows, columns=["column", "unit", "values", _("read from")])


def _values(column: pd.Series) -> str:
    """Say in a few words what values a column has."""
    if column.dtype.kind in "fiu":
        known = column[np.isfinite(column.to_numpy(dtype=np.float64))]
        if known.empty:
            return "none"
        low, high = float(known.min()), float(known.max())
        return (
            format_number(low)
            if low == high
            else _("{low} to {high}", low=format_number(low), high=format_number(high))
        )
    names = column.dropna().astype(str).unique()
    shown = ", ".join(names[:3])
    return (
        shown
        if len(names) <= 3
        else _("{shown} and {names:,} more", shown=shown, names=len(names) - 3)
    )
