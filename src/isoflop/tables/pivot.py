"""Tables of sizes by budgets: one number for each row and column, unpivoted into rows.

What the numbers are stands nowhere in such a table, so that is asked.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd

from isoflop.errors import UnitError
from isoflop.language import lazy_gettext as _
from isoflop.tables.mapping import OWN, Question, column_choice
from isoflop.tables.raw import RawTable
from isoflop.tables.reading.cells import own_dimension
from isoflop.tables.reading.columns import COLUMNS
from isoflop.tables.run_values import column_of
from isoflop.units import format_number, parse_quantity

VALUE = _("value of the cells")
_LABEL = re.compile(
    r"(?:(?P<name>[A-Za-z_ ]+?)\s*=\s*)?(?P<number>[\d.,]+(?:[eE][+-]?\d+)?)\s*(?P<unit>[A-Za-z]*)"
)
_CORNER = re.compile(r"(?P<rows>[^\\/×|]+?)\s*(?:\\+|/|×|\bx\b|\bvs\.?)\s*(?P<columns>[^\\/×|]+)")
_LEAST_COLUMNS = 2
_SIZE = _("size in the header")
_SIZED = re.compile(
    r"(?P<name>[^\d]+?)[\s_\-/@(]+(?:[NDC]\s*=\s*)?(?P<size>\d+(?:\.\d+)?(?:[eE]\d+|\s*[KMBTkmbt])|\d{4,})\)?"
)
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
    questions = () if column_of(column_name) else (_label_question(column_name, row_name, values),)
    long = _long(raw, row_name, column_name, values)
    return replace(long, questions=(*long.questions, *questions))


def unpivot_losses(raw: RawTable) -> RawTable:
    """Return one row a loss of a table with a loss for each size: ``loss_125M``, ``loss_350M``.

    What the sizes are is asked. Any other table is returned as it is.

    Parameters
    ----------
    raw : RawTable
    """
    found = {header: match for header in raw.headers if (match := _SIZED.fullmatch(header.strip()))}
    names = {match["name"].strip(" _-/@(") for match in found.values()}
    numbers = {header: _number(match["size"], raw.decimal) for header, match in found.items()}
    if len(found) < _LEAST_COLUMNS or len(names) != 1 or column_of(name := names.pop()) != "loss":
        return raw
    if None in numbers.values() or len(set(numbers.values())) < len(numbers):
        return raw
    rest = [header for header in raw.headers if header not in found]
    if any(column_of(header) == "loss" for header in rest) or "size" in rest or name in rest:
        return raw
    parts = [
        raw.frame[rest].assign(**{_SIZE: numbers[header], name: raw.frame[header]})
        for header in found
    ]
    frame = pd.concat(parts, ignore_index=True).dropna(subset=[name])
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    values = np.array([number for number in numbers.values() if number is not None])
    held = {column_of(header) for header in rest}
    question = _label_question(_SIZE, "tokens" if "tokens" in held else "", values)
    if "params" in held:
        question = _label_question(_SIZE, "params", values)
    note = _("A column of {name} for each size was read as one row a size.", name=name)
    return replace(
        raw,
        frame=frame,
        notes=(*raw.notes, note),
        problems=(),
        questions=(*raw.questions, question),
    )


def _label_question(header: str, row_name: str, values: np.ndarray) -> Question:
    """Ask what the numbers in a wide table's headers are."""
    of_rows = column_of(row_name)
    likely = ["params", "tokens", "compute_flop", "step"]
    if of_rows == "params":
        likely = ["tokens", "compute_flop", "step", "params"]
    shown = ", ".join(map(format_number, values[:3].tolist()))
    return Question(
        header=header,
        text=_("What are the numbers in the headers of this table?"),
        why=_(
            "They are {shown}{more}, and nothing says of what.",
            shown=shown,
            more=_(" and so on") if len(values) > 3 else "",
        ),
        choices=(
            *(
                column_choice(header, column, COLUMNS[column].label)
                for column in likely
                if column != of_rows
            ),
            column_choice(header, OWN, _("Something else")),
        ),
    )


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
        text=_("What are the numbers in the cells of this table?"),
        why=_(
            "It has one for each {row_name} and {column_name}, and says nowhere what they are.",
            row_name=row_name,
            column_name=column_name,
        ),
        choices=(
            column_choice(VALUE, "loss", _("Losses")),
            column_choice(VALUE, "accuracy", _("A score between 0 and 1")),
            column_choice(VALUE, OWN, _("Something else")),
        ),
    )
    note = _(
        "A table of {row_name} by {column_name} was read as one row a cell.",
        row_name=row_name,
        column_name=column_name,
    )
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
