"""Tables of sizes by budgets: one number for each row and column, unpivoted into rows.

What the numbers are stands nowhere in such a table, so that is asked.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd

from isoflop.errors import UnitError
from isoflop.tables.mapping import OWN, Question, column_choice
from isoflop.tables.raw import RawTable
from isoflop.tables.reading.cells import own_dimension
from isoflop.tables.run_values import column_of
from isoflop.units import parse_quantity

VALUE = "value of the cells"
_LABEL = re.compile(
    r"(?:(?P<name>[A-Za-z_ ]+?)\s*=\s*)?(?P<number>[\d.,]+(?:[eE][+-]?\d+)?)\s*(?P<unit>[A-Za-z]*)"
)
_CORNER = re.compile(r"(?P<rows>[^\\/×|]+?)\s*(?:\\+|/|×|\bx\b|\bvs\.?)\s*(?P<columns>[^\\/×|]+)")
_LEAST_COLUMNS = 2
_LEAST_FLOP = 1e15


def unpivot(raw: RawTable) -> RawTable:
    """Return one row a cell of a table whose headers are numbers; any other table as it is.

    Parameters
    ----------
    raw : RawTable
    """
    headers = raw.headers
    if len(headers) <= _LEAST_COLUMNS or raw.duplicate_headers:
        return raw
    labels = [_LABEL.fullmatch(header.strip()) for header in headers[1:]]
    if not all(labels) or _LABEL.fullmatch(headers[0].strip()) or column_of(headers[0]) == "loss":
        return raw
    numbers = [_number(header, raw.decimal) for header in headers[1:]]
    rows = raw.frame[headers[0]]
    is_grid = all(own_dimension(raw.frame[header]) is not None for header in headers[1:])
    if None in numbers or len(set(numbers)) < len(numbers) or not rows.is_unique or not is_grid:
        return raw
    corner = _CORNER.fullmatch(headers[0].strip())
    row_name = corner["rows"].strip() if corner else headers[0]
    column_name = (
        corner["columns"].strip()
        if corner
        else (labels[0]["name"] or "columns" if labels[0] else "")
    )
    values = np.array([number for number in numbers if number is not None])
    if values.min() >= _LEAST_FLOP and column_of(column_name) != "tokens":
        column_name = f"{column_name} [FLOP]"
    return _long(raw, row_name, column_name, values)


def _number(header: str, decimal: str) -> float | None:
    match = _LABEL.fullmatch(header.strip())
    try:
        return (
            parse_quantity(f"{match['number']}{match['unit']}", "count", decimal=decimal)
            if match
            else None
        )
    except UnitError:
        return None


def _long(raw: RawTable, row_name: str, column_name: str, values: np.ndarray) -> RawTable:
    first = raw.headers[0]
    size, count = len(raw.frame), len(values)
    frame = pd.DataFrame(
        {
            row_name: np.tile(_without_letter(raw.frame[first]).to_numpy(), count),
            column_name: np.repeat(values, size),
            VALUE: pd.concat([raw.frame[header] for header in raw.headers[1:]]).to_numpy(),
        }
    ).dropna(subset=[VALUE])
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    question = Question(
        header=VALUE,
        text="What are the numbers in the cells of this table?",
        why=f"It has one for each {row_name} and {column_name}, and says nowhere what they are.",
        choices=(
            column_choice(VALUE, "loss", "Losses"),
            column_choice(VALUE, "accuracy", "A score between 0 and 1"),
            column_choice(VALUE, OWN, "Something else"),
        ),
    )
    note = f"A table of {row_name} by {column_name} was read as one row a cell."
    return replace(
        raw,
        frame=frame,
        notes=(*raw.notes, note),
        problems=(),
        questions=(*raw.questions, question),
    )


def _without_letter(cells: pd.Series) -> pd.Series:
    """Return labels such as d512 as numbers, where all have one letter before them."""
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return cells
    matches = [re.fullmatch(r"([A-Za-z])(\d+)", str(cell).strip()) for cell in cells]
    letters = {match[1] for match in matches if match}
    if len(letters) != 1 or not all(matches):
        return cells
    return pd.Series([float(match[2]) for match in matches if match], index=cells.index)
