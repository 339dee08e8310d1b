"""Which column of a file is which canonical column, in which unit, and why we think so."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, cast, get_args

import numpy as np
import pandas as pd

from isoflop.errors import TableError
from isoflop.tables.cells import is_numeric, to_numbers
from isoflop.tables.columns import COLUMNS
from isoflop.tables.headers import (
    PERPLEXITY,
    Reading,
    Transform,
    bare_factor,
    loss_unit,
    readings,
)
from isoflop.tables.raw import RawTable
from isoflop.tables.schema import LossUnit, ParamConvention

FORMAT_VERSION = 1
_SAMPLE_ROWS = 1000
# Medians below these are plausible only in another unit, such as billions.
_SMALLEST_MEDIAN = {"params": 1e3, "tokens": 1e4, "compute_flop": 1e6}
_LARGEST_LOG10 = 40.0

RoleKind = Literal["canonical", "own", "ignored"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnRole:
    """What one column of a file is.

    Parameters
    ----------
    header : str
        In the file.
    column : str
        Canonical column; the header itself for a column kept under its own name; empty for one
        that is left out.
    unit : str
        Unit of bare numbers, such as ``"B"``, ``"1E21"``, ``"h"`` or ``"bits per byte"``; the
        canonical unit if empty.
    transform : {"", "log10", "log2", "ln"}
        The numbers are logarithms.
    reason : str
        Why, for a person.
    """

    header: str
    column: str
    unit: str = ""
    transform: Transform = ""
    reason: str = ""

    @property
    def kind(self) -> RoleKind:
        """Whether the column is canonical, kept under its own name, or left out."""
        if not self.column:
            return "ignored"
        return "canonical" if self.column in COLUMNS else "own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a person must say, because it cannot be known from the file.

    Parameters
    ----------
    header : str
    text : str
        The question.
    why : str
        Why it matters.
    units : tuple of str
        Answers that are likely, to be put into `ColumnRole.unit`.
    is_blocking : bool
        Whether the table is wrong without an answer.
    """

    header: str
    text: str
    why: str
    units: tuple[str, ...] = ()
    is_blocking: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnMapping:
    """How to read a file with these headers.

    Parameters
    ----------
    roles : tuple of ColumnRole
        One a header, in the file's order.
    response : str
        Column that is to be explained: ``"loss"``, or a metric's own name.
    loss_unit : str or None
        Of the loss column, where its header does not say; guessed from the values if None.
    param_convention : str
        What the params column counts.
    bytes_per_token : float or None
        Converts a loss per byte to nats per token; without it the loss stays per byte.
    questions : tuple of Question
        Open ones; not part of a saved mapping.
    """

    roles: tuple[ColumnRole, ...]
    response: str = "loss"
    loss_unit: LossUnit | None = None
    param_convention: ParamConvention = "unknown"
    bytes_per_token: float | None = None
    questions: tuple[Question, ...] = ()

    def role_of(self, column: str) -> ColumnRole | None:
        """Return the role that fills a column, or None."""
        return next((role for role in self.roles if role.column == column), None)

    def with_role(self, header: str, **changes: Any) -> ColumnMapping:
        """Return the mapping with one header's role changed by hand.

        A column that another header filled is taken from it. The header's question is answered.

        Raises
        ------
        TableError
            If there is no such header.
        """
        if header not in {role.header for role in self.roles}:
            raise TableError(f"The file has no column {header!r}.")
        column = changes.get("column")
        roles = []
        for role in self.roles:
            if role.header == header:
                roles.append(replace(role, **{"reason": "chosen by hand", **changes}))
            elif column and role.column == column:
                reason = f"{header} was chosen instead"
                roles.append(ColumnRole(header=role.header, column=role.header, reason=reason))
            else:
                roles.append(role)
        questions = tuple(q for q in self.questions if q.header != header)
        return replace(self, roles=tuple(roles), questions=questions)

    def to_json(self) -> str:
        """Return the mapping as text that `mapping_from_json` reads."""
        content = {"isoflop_mapping": FORMAT_VERSION, **asdict(replace(self, questions=()))}
        del content["questions"]
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def headers_key(headers: Iterable[str]) -> str:
    """Return a key under which a mapping for these headers, in any order, is remembered."""
    joined = "\x00".join(sorted(headers))
    return hashlib.sha256(joined.encode()).hexdigest()[:32]


def mapping_from_json(text: str | bytes) -> ColumnMapping:
    """Read a mapping that `ColumnMapping.to_json` wrote.

    Raises
    ------
    TableError
        If it is not one.
    """
    try:
        content = json.loads(text)
        if content.pop("isoflop_mapping") != FORMAT_VERSION:
            raise ValueError("another version")
        roles = tuple(_role_from(entry) for entry in content.pop("roles"))
        mapping = ColumnMapping(roles=roles, **content)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise TableError(
            "This is not a column mapping of Isoflop.",
            detail=str(error)[:200],
            hint="Give a file that was downloaded as a mapping.",
        ) from None
    _check(mapping)
    return mapping


def _role_from(entry: Mapping[str, object]) -> ColumnRole:
    allowed = {field.name for field in fields(ColumnRole)}
    texts = {key: value for key, value in entry.items() if isinstance(value, str)}
    if set(texts) != set(entry) or not set(texts) <= allowed:
        raise ValueError("a column's entry has unknown keys or values that are not text")
    return ColumnRole(**cast("dict[str, Any]", texts))


def _check(mapping: ColumnMapping) -> None:
    """Refuse a mapping from outside whose values are none that this module writes."""
    size = mapping.bytes_per_token
    faults = ["questions"] if mapping.questions else []
    faults += [
        f"{name}: {value!r}"
        for name, value, known in (
            ("loss_unit", mapping.loss_unit, (None, *get_args(LossUnit))),
            ("param_convention", mapping.param_convention, get_args(ParamConvention)),
            *(("transform", role.transform, ("", *_LOGARITHM_NAMES)) for role in mapping.roles),
        )
        if value not in known
    ]
    if not isinstance(mapping.response, str):
        faults.append("response")
    if size is not None and (not isinstance(size, int | float) or not 0 < size < 1e3):
        faults.append(f"bytes_per_token: {size!r}")
    if faults:
        raise TableError(
            "This is not a column mapping of Isoflop.",
            detail="Not understood: " + "; ".join(faults[:5]),
        )


_LOGARITHM_NAMES = ("log10", "log2", "ln")


# --- Guessing ---


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
        if reading is None:
            roles.append(_own_role(raw, header))
            continue
        transform = _resolve_log(raw, header, reading)
        role = ColumnRole(
            header=header,
            column=reading.column,
            unit=reading.unit,
            transform=transform,
            reason=reading.reason,
        )
        roles.append(role)
        questions += _questions(raw, role)
    present = {role.column for role in roles}
    convention: ParamConvention = "unknown"
    if "params" not in present and "params_nonembedding" in present:
        convention = "non-embedding"
    return ColumnMapping(
        roles=tuple(roles), param_convention=convention, questions=tuple(questions)
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
    if not found:
        return []
    sample = raw.frame[header].head(_SAMPLE_ROWS)
    kept = []
    for reading in found:
        kind = COLUMNS[reading.column].kind
        if kind == "number" and not _has_numbers(sample, reading, raw.decimal):
            continue
        # A name that no two rows share is a run's name, not a family's.
        if reading.column == "family" and len(found) > 1 and len(sample) > 1 and sample.is_unique:
            continue
        kept.append(reading)
    return kept


def _has_numbers(sample: pd.Series, reading: Reading, decimal: str) -> bool:
    """Return whether at least some cells are numbers; text cells among them are listed later."""
    if is_numeric(sample):
        return True
    numbers = to_numbers(sample, dimension=COLUMNS[reading.column].dimension, decimal=decimal)
    return bool(np.isfinite(numbers.values).any())


def _own_role(raw: RawTable, header: str) -> ColumnRole:
    column = raw.frame[header]
    if column.isna().all():
        return ColumnRole(header=header, column="", reason="every cell is empty")
    kind = "numbers" if is_numeric(column) else "text"
    return ColumnRole(header=header, column=header, reason=f"other {kind}, kept under its own name")


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
    sample = to_numbers(raw.frame[header].head(_SAMPLE_ROWS), decimal=raw.decimal).values
    finite = sample[np.isfinite(sample)]
    return float(np.median(finite)) if len(finite) else float("nan")


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


def role_factor(role: ColumnRole) -> float:
    """Return how many canonical units one bare number of a column stands for.

    Raises
    ------
    TableError
        If the unit is not one of the column's.
    """
    if role.kind != "canonical" or not role.unit or role.unit == PERPLEXITY:
        return 1.0
    if role.column == "loss":
        known = loss_unit(role.unit)
        factor = known[1] if known else None
    else:
        dimension = COLUMNS[role.column].dimension
        factor = bare_factor(role.unit, dimension) if dimension else None
    if factor is None:
        raise TableError(
            f"The unit {role.unit!r} of {role.header} is not known.",
            detail=f"It is mapped to {COLUMNS[role.column].label}.",
            hint="Choose another unit, or leave it empty for the canonical one.",
        )
    return factor
