"""Cells of a raw table to numbers and text, column by column, as a mapping says."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.errors import TableError
from isoflop.language import lazy_gettext as _
from isoflop.tables.mapping import ColumnMapping, ColumnRole, role_factor
from isoflop.tables.problems import Problem, shorten
from isoflop.tables.raw import RawTable
from isoflop.tables.reading.cells import own_dimension, to_flags, to_numbers, to_text
from isoflop.tables.reading.columns import COLUMNS, PERPLEXITY, Column, LossUnit
from isoflop.tables.reading.header import loss_unit
from isoflop.units import NATS_PER_BIT, Dimension, format_quantity

SIZES = ("params", "params_nonembedding", "tokens", "compute_flop")
"""Columns without a usable value in which a row cannot be fitted or planned from."""

# A plain "loss" within this range is taken for nats per token, and the table says so.
_USUAL_LOSS = (0.2, 20.0)
LARGEST_LOSS = _USUAL_LOSS[1]
"""Nats per token that nothing trained goes beyond: 999 stands for a loss that is missing."""
_UNIT_SAMPLE = 10_000


@dataclass(slots=True, kw_only=True)
class Draft:
    """Columns while they are being converted.

    ``faulty`` marks the cells of a column that hold something unusable (they are reported, and
    never filled in); ``unlogged`` marks the rows of a log that were not evaluated; ``complete``
    names columns whose every cell is usable.
    """

    raw: RawTable
    mapping: ColumnMapping
    response: str
    columns: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    texts: dict[str, pd.Series[str]] = field(default_factory=dict)
    flags: NDArray[np.bool_] | None = None
    unlogged: NDArray[np.bool_] | None = None
    faulty: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    complete: set[str] = field(default_factory=set)

    @property
    def n_rows(self) -> int:
        """Number of rows of the file."""
        return len(self.raw.frame)


def report(draft: Draft, column: str, positions: NDArray[np.intp], reason: str) -> None:
    """List unusable cells as problems, and mark them."""
    if not len(positions):
        return
    draft.faulty.setdefault(column, np.zeros(draft.n_rows, bool))[positions] = True
    header = draft.headers[column]
    cells = draft.raw.frame[header]
    index = draft.raw.frame.index
    excludes = is_essential(draft, column)
    for position in positions:
        cell = cells.iloc[position]
        draft.problems.append(
            Problem(
                row=int(index[position]),
                column=header,
                value="" if pd.isna(cell) else shorten(cell),
                reason=reason,
                excludes_row=excludes,
            )
        )


def convert_role(draft: Draft, role: ColumnRole) -> None:
    """Convert one column of the file, as its role says.

    Raises
    ------
    TableError
        If the file lacks the column, or the unit is not known.
    """
    if role.kind == "ignored":
        return
    draft.headers[role.column] = role.header
    if role.header not in draft.raw.frame:
        raise TableError(
            _(
                "The mapping names a column {header!r}, which the file does not have.",
                header=shorten(role.header),
            ),
            detail=_(
                "Columns of the file: {headers}.",
                headers=", ".join(map(shorten, draft.raw.headers[:30])),
            ),
            hint=_("Use a mapping made for a file with these headers."),
        )
    cells = draft.raw.frame[role.header]
    if role.kind == "own":
        is_number = own_dimension(cells, decimal=draft.raw.decimal) is not None
        if is_number or role.column == draft.response:
            _take_numbers(draft, role, cells)
        else:
            draft.texts[role.column] = to_text(cells)
        return
    kind = COLUMNS[role.column].kind
    if kind == "text":
        draft.texts[role.column] = to_text(cells)
    elif kind == "flag":
        draft.flags = to_flags(cells)
    else:
        _take_numbers(draft, role, cells)


def _take_numbers(draft: Draft, role: ColumnRole, cells: pd.Series) -> None:
    canonical = COLUMNS.get(role.column)
    factor = role_factor(role)
    if role.column == "loss" and _is_per_byte(role):
        factor *= _nats_per_token_factor(draft.mapping, role)
    numbers = to_numbers(
        cells,
        factor=factor,
        transform=role.transform,
        dimension=canonical.dimension if canonical else _own_dimension(role),
        decimal=draft.raw.decimal,
    )
    values = numbers.values
    if role.unit == PERPLEXITY:
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.where(values > 0, np.log(values), np.nan)
    draft.columns[role.column] = values
    report(draft, role.column, numbers.unreadable, _("is not a number"))


def scale_deviation(draft: Draft) -> None:
    """Put the standard error of the loss, where it names no unit, into the unit of the loss."""
    error, loss = draft.mapping.role_of("loss_std"), draft.mapping.role_of("loss")
    if error is None or error.unit or "loss_std" not in draft.columns:
        return
    if loss is None or loss.transform:
        del draft.columns["loss_std"]  # of what, or by which rule, is not known
        return
    values = draft.columns["loss_std"]
    if loss.unit == PERPLEXITY:
        with np.errstate(over="ignore", invalid="ignore"):
            values = values / np.exp(draft.columns["loss"])
    else:
        factor = role_factor(loss)
        factor *= _nats_per_token_factor(draft.mapping, loss) if _is_per_byte(loss) else 1.0
        values = values * factor
    draft.columns["loss_std"] = values


def _own_dimension(role: ColumnRole) -> Dimension:
    return "fraction" if role.unit == "%" else "count"


def _is_per_byte(role: ColumnRole) -> bool:
    known = loss_unit(role.unit) if role.unit else None
    return known is not None and known[0] in {"bits/byte", "nats/byte"}


def _nats_per_token_factor(mapping: ColumnMapping, role: ColumnRole) -> float:
    if mapping.bytes_per_token is None:
        return 1.0
    known = loss_unit(role.unit)
    is_bits = known is not None and known[0] == "bits/byte"
    return mapping.bytes_per_token * (NATS_PER_BIT if is_bits else 1.0)


def kept_loss_unit(draft: Draft) -> LossUnit:
    """Return the unit that the loss is in once converted."""
    role = draft.mapping.role_of("loss")
    if role is None:
        return "unknown"
    if role.unit:
        if _is_per_byte(role) and draft.mapping.bytes_per_token is not None:
            return "nats/token"
        known = loss_unit(role.unit)
        return known[0] if known else "unknown"
    if draft.mapping.loss_unit is not None:
        return draft.mapping.loss_unit
    losses = draft.columns["loss"]
    sample = losses[:: max(1, len(losses) // _UNIT_SAMPLE)]
    median = float(np.nanmedian(sample)) if np.isfinite(sample).any() else np.nan
    return "nats/token" if _USUAL_LOSS[0] <= median <= _USUAL_LOSS[1] else "unknown"


def is_essential(draft: Draft, column: str) -> bool:
    """Return whether a row without this column's value cannot be used."""
    if column == "params_nonembedding" and "params" in draft.columns:
        return False  # another count of the same model
    return column == draft.response or column in SIZES


def sample_values(raw: RawTable, role: ColumnRole, mapping: ColumnMapping, count: int) -> str:
    """Return how a column's first cells are understood, for a person.

    Parameters
    ----------
    raw : RawTable
    role : ColumnRole
    mapping : ColumnMapping
    count : int
        Number of cells.
    """
    if role.kind == "ignored":
        return ""
    head = raw.frame[[role.header]].dropna().head(count)
    if head.empty:
        return _("no value")
    draft = Draft(raw=replace(raw, frame=head), mapping=mapping, response=mapping.response)
    try:
        convert_role(draft, role)
    except TableError as problem:
        return problem.summary
    if role.column in draft.columns:
        column = COLUMNS.get(role.column)
        return ", ".join(_written(value, column) for value in draft.columns[role.column])
    if role.column in draft.texts:
        return ", ".join(shorten(text, 24) for text in draft.texts[role.column])
    return ", ".join(
        "yes" if flag else "no" for flag in ([] if draft.flags is None else draft.flags)
    )


def _written(value: float, column: Column | None) -> str:
    if not np.isfinite(value):
        return "unusable"
    if column is None or column.dimension is None or column.name == "loss":
        return f"{value:.5g}"
    return format_quantity(value, column.dimension, 4)
