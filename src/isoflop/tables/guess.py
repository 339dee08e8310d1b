"""Guess which column of a file is which, from its headers and a sample of its cells."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.tables.cells import own_dimension, to_numbers
from isoflop.tables.columns import COLUMNS, ParamConvention
from isoflop.tables.headers import Reading, Transform, loss_unit, readings
from isoflop.tables.mapping import ColumnMapping, ColumnRole, Question, own_name, role_factor
from isoflop.tables.problems import shorten
from isoflop.tables.raw import RawTable

_SAMPLE_ROWS = 1000
# Medians below these are plausible only in another unit, such as billions.
_SMALLEST_MEDIAN = {"params": 1e3, "tokens": 1e4, "compute_flop": 1e6}
_LARGEST_LOG10 = 40.0
# What a column of row numbers is called, where it has a name.
_INDEX_NAME = re.compile(r"|index|row|column 1|Unnamed: 0|__index_level_0__", re.IGNORECASE)
_SCORE_NAME = re.compile(r"%|\b(?:acc|accuracy|percent|pct)\b")
# A time between these, in seconds, is a date: 2001 and 2033 as Unix time.
_UNIX_TIME_S = (1e9, 2e9)
_EXPORTED_FIRST = "row"


def guess_mapping(raw: RawTable) -> ColumnMapping:
    """Guess the mapping from headers, units in headers, and a sample of the cells.

    Returns
    -------
    ColumnMapping
        With a question for each unit that is needed and cannot be known.
    """
    chosen = _assign(raw)
    roles = []
    questions = []
    for header in raw.headers:
        reading = chosen.get(header)
        role = _own_role(raw, header) if reading is None else _canonical_role(raw, header, reading)
        roles.append(role)
        questions += [*_which(raw, role), *_questions(raw, role)]
    present = {role.column for role in roles}
    convention: ParamConvention = "unknown"
    if "params" not in present and "params_nonembedding" in present:
        convention = "non-embedding"
    return ColumnMapping(
        roles=tuple(roles),
        response="loss" if "loss" in present else _find_score(raw, roles) or "loss",
        param_convention=convention,
        questions=tuple(questions),
    )


def _canonical_role(raw: RawTable, header: str, reading: Reading) -> ColumnRole:
    unit, reason = reading.unit, reading.reason
    if reading.column == "accuracy" and not unit and _is_percentage(raw, header):
        unit, reason = "%", f"{reason}; it goes beyond 1, so it is in percent"
    return ColumnRole(
        header=header,
        column=reading.column,
        unit=unit,
        transform=_resolve_log(raw, header, reading),
        reason=reason,
    )


def _assign(raw: RawTable) -> dict[str, Reading]:
    """Give each canonical column to the header that names it best, and each header one column."""
    candidates = [
        (position * 1000 + reading.rank, order, header, reading)
        for order, header in enumerate(raw.headers)
        for position, reading in enumerate(_plausible(raw, header))
    ]
    chosen: dict[str, Reading] = {}
    taken: set[str] = set()
    for _, _, header, reading in sorted(candidates, key=lambda c: c[:2]):
        if header not in chosen and reading.column not in taken:
            chosen[header] = reading
            taken.add(reading.column)
    return chosen


def _plausible(raw: RawTable, header: str) -> list[Reading]:
    """Return the readings of a header that its cells do not rule out."""
    found = readings(header)
    if header in COLUMNS and raw.headers[0] == _EXPORTED_FIRST:  # a table that Isoflop wrote
        found = (Reading(column=header, rank=-1, reason="its header is Isoflop's own"),)
    sample = raw.frame[header].head(_SAMPLE_ROWS)
    kept = []
    for reading in found:
        kind = COLUMNS[reading.column].kind
        if kind == "number" and not _has_numbers(sample, reading, raw.decimal):
            continue
        if reading.column == "wall_time_s" and _is_clock(raw, header):
            continue
        # A name that no two rows share is a run's name, not a family's.
        if reading.column == "family" and len(found) > 1 and len(sample) > 1 and sample.is_unique:
            continue
        kept.append(reading)
    return kept


def _has_numbers(sample: pd.Series, reading: Reading, decimal: str) -> bool:
    """Return whether at least some cells are numbers; text cells among them are listed later."""
    if own_dimension(sample, decimal=decimal) is not None:
        return True
    numbers = to_numbers(sample, dimension=COLUMNS[reading.column].dimension, decimal=decimal)
    return bool(np.isfinite(numbers.values).any())


def _own_role(raw: RawTable, header: str) -> ColumnRole:
    """Return the role of a column that nothing is known of by its header."""
    column = raw.frame[header]
    if column.isna().all():
        return ColumnRole(header=header, column="", reason="every cell is empty")
    if _is_index(raw, header):
        return ColumnRole(header=header, column="", reason="it only numbers the rows")
    dimension = own_dimension(column, decimal=raw.decimal)
    reason = f"other {'text' if dimension is None else 'numbers'}, kept under its own name"
    unit = ""
    if dimension is not None and (dimension == "fraction" or _is_percentage(raw, header)):
        unit, reason = "%", "other numbers, in percent, kept under its own name"
    return ColumnRole(header=header, column=own_name(header), unit=unit, reason=reason)


def _is_index(raw: RawTable, header: str) -> bool:
    """Return whether a nameless column counts up by whole numbers from row to row."""
    if not _INDEX_NAME.fullmatch(header) or raw.frame[header].dtype.kind not in "iu":
        return False
    return bool((np.diff(raw.frame[header].to_numpy()) > 0).all())


def _is_clock(raw: RawTable, header: str) -> bool:
    """Return whether times are dates and not durations."""
    return _UNIX_TIME_S[0] < _median(raw, header) < _UNIX_TIME_S[1]


def _is_percentage(raw: RawTable, header: str) -> bool:
    """Return whether a score by its name holds numbers that can only be percentages."""
    words = header.lower().replace("_", " ")
    if not _SCORE_NAME.search(words):
        return False
    values = _finite_sample(raw, header)
    return bool(len(values)) and values.min() >= 0 and 1 < values.max() <= 100


def _find_score(raw: RawTable, roles: Sequence[ColumnRole]) -> str:
    """Return the first column of scores between 0 and 1, to be explained where there is no loss."""
    for role in roles:
        if role.column == "accuracy":
            return role.column
    for role in roles:
        if role.kind == "own" and own_dimension(raw.frame[role.header], decimal=raw.decimal):
            values = _finite_sample(raw, role.header, role_factor(role))
            is_score = bool(len(values)) and values.min() >= 0 and values.max() <= 1
            if is_score and len(np.unique(values)) > 1:
                return role.column
    return ""


def _finite_sample(raw: RawTable, header: str, factor: float = 1.0) -> NDArray[np.float64]:
    """Return the numbers among a column's first cells; bare ones times a factor."""
    head = raw.frame[header].head(_SAMPLE_ROWS)
    values = to_numbers(head, factor=factor, dimension="fraction", decimal=raw.decimal).values
    return values[np.isfinite(values)]


def _resolve_log(raw: RawTable, header: str, reading: Reading) -> Transform:
    """Decide the base of a plain "log" by which one gives plausible sizes."""
    if reading.transform != "log":
        return reading.transform
    column = COLUMNS[reading.column]
    median = _median(raw, header)
    smallest = _SMALLEST_MEDIAN.get(reading.column, 0.0)
    plausible_log10 = median < _LARGEST_LOG10 and smallest <= 10.0**median
    upper = column.upper if column.upper is not None else np.inf
    return "log10" if plausible_log10 and 10.0**median <= upper else "ln"


def _median(raw: RawTable, header: str) -> float:
    finite = _finite_sample(raw, header)
    return float(np.median(finite)) if len(finite) else float("nan")


def _which(raw: RawTable, role: ColumnRole) -> list[Question]:
    """Ask which of several columns of one name is meant, if what they hold differs."""
    if role.kind != "canonical" or role.header not in raw.duplicate_headers:
        return []
    named = [name for name in raw.headers if re.fullmatch(r".* \(\d+\)", name)]
    rivals = [name for name in named if name.rpartition(" (")[0] == role.header]
    if all(raw.frame[name].equals(raw.frame[role.header]) for name in rivals):
        return []
    return [
        Question(
            header=role.header,
            text=f"The file has more than one column named {shorten(role.header)}: which is meant?",
            why=f'What they hold differs. The second is called "{shorten(rivals[0])}" here.',
            headers=(role.header, *rivals),
        )
    ]


def _questions(raw: RawTable, role: ColumnRole) -> list[Question]:
    smallest = _SMALLEST_MEDIAN.get(role.column)
    if smallest is not None and not role.unit and not role.transform:
        median = _median(raw, role.header)
        if 0 < median < smallest:
            is_flop = role.column == "compute_flop"
            noun = {"params": "parameters", "tokens": "tokens"}.get(role.column, "FLOP")
            why = (
                f"Its median is {median:.4g}: too few {noun} to be counted one by one, and neither"
                " the header nor the cells name a unit."
            )
            return [
                Question(
                    header=role.header,
                    text=f"In which unit is {role.header}?",
                    why=why,
                    units=("EFLOP", "ZFLOP", "1E21") if is_flop else ("M", "B", "T"),
                )
            ]
    unit = loss_unit(role.unit) if role.column == "loss" and role.unit else None
    if unit is not None and unit[0] in {"bits/byte", "nats/byte", "nats/character"}:
        return [
            Question(
                header=role.header,
                text="How many bytes (or characters) does one token stand for on average?",
                why=f"The loss is in {role.unit}. Without that number it stays in {unit[0]}:"
                " fits are right, but cannot be compared with losses in nats per token.",
                is_blocking=False,
            )
        ]
    return []
