"""Which column of a file is which canonical column, in which unit, and why we think so."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, cast, get_args

from isoflop.errors import TableError
from isoflop.language import lazy_gettext
from isoflop.tables.reading.columns import COLUMNS, PERPLEXITY, LossUnit, ParamConvention
from isoflop.tables.reading.header import Transform, bare_factor, loss_unit

FORMAT_VERSION = 1

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
    transform : {"", "log10", "log2", "ln", "index"}
        The numbers are logarithms, or an index that counts from 0.
    reason : str
        Why, for a person.
    rivals : tuple of str
        Other headers that might have filled the column.
    only : str
        Rows that the column holds for, as ``"header=value"``, or ``LOWER`` for the lowest number of
        each N and D; other rows are left out. All of them if empty.
    """

    header: str
    column: str
    unit: str = ""
    transform: Transform = ""
    reason: str = ""
    only: str = ""
    rivals: tuple[str, ...] = ()

    @property
    def kind(self) -> RoleKind:
        """Whether the column is canonical, kept under its own name, or left out."""
        if not self.column:
            return "ignored"
        return "canonical" if self.column in COLUMNS else "own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One answer to a question.

    Parameters
    ----------
    label : str
        For a person, on a button.
    flag : str
        What gives the same answer on the command line.
    header : str
        Whose role changes.
    column : str or None
        What it then means; unchanged if None.
    unit : str or None
        In which unit; unchanged if None.
    """

    label: str
    flag: str
    header: str
    column: str | None = None
    unit: str | None = None


def unit_choice(header: str, unit: str, label: str) -> Choice:
    """Return the answer that a column's bare numbers are in a unit."""
    flag = f"--unit {shlex.quote(f'{header}={unit}')}"
    return Choice(label=label, flag=flag, header=header, unit=unit)


def column_choice(header: str, column: str, label: str) -> Choice:
    """Return the answer that a header means a column, or ``OWN``: itself."""
    flag = f"--column {shlex.quote(f'{header}={column}')}"
    return Choice(label=label, flag=flag, header=header, column=column)


LOWER = "lower"
"""Of a column in two codings: the lower number of each N and D."""
_WHERE = " where "

OWN, LEFT_OUT = "own", "out"
"""Of a choice or a flag: a column under its own name, and one that is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a person must say, because it cannot be known from the file.

    Parameters
    ----------
    header : str
        That it is about first of all.
    text : str
        The question.
    why : str
        Why it matters.
    choices : tuple of Choice
        Answers, the proposed one first.
    about : tuple of str
        Other headers a word about which answers it too.
    is_blocking : bool
        Whether the table is wrong without an answer.
    """

    header: str
    text: str
    why: str
    choices: tuple[Choice, ...] = ()
    about: tuple[str, ...] = ()
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
            headers = ", ".join(role.header for role in self.roles)
            raise TableError(
                lazy_gettext("The file has no column {header!r}.", header=header),
                detail=lazy_gettext("It has {headers}.", headers=headers),
            )
        column = changes.get("column")
        roles = []
        for role in self.roles:
            if role.header == header:
                roles.append(replace(role, **{"reason": lazy_gettext("chosen by hand"), **changes}))
            elif column and role.column == column:
                reason = lazy_gettext("{header} was chosen instead", header=header)
                own = own_name(role.header)
                roles.append(ColumnRole(header=role.header, column=own, reason=reason))
            else:
                roles.append(role)
        questions = tuple(q for q in self.questions if header not in (q.header, *q.about))
        return replace(self, roles=tuple(roles), questions=questions)

    def with_answers(
        self,
        columns: Mapping[str, str] | None = None,
        units: Mapping[str, str] | None = None,
        loss_unit: str = "",
    ) -> ColumnMapping:
        """Return the mapping with what a person says of the columns and their units.

        Parameters
        ----------
        columns : mapping of str to str, optional
            Canonical column by header; ``"own"`` for a header that keeps its name, empty or
            ``"out"`` for one that is left out.
        units : mapping of str to str, optional
            Unit of bare numbers, by header or canonical column.
        loss_unit : str
            Of the loss.

        Raises
        ------
        TableError
            If there is no such header or canonical column.
        """
        found = self
        for header, column in (columns or {}).items():
            found = found.with_role(header, column=column_of(header, column))
        for name, unit in (*(units or {}).items(), *([("loss", loss_unit)] if loss_unit else [])):
            role = found.role_of(name)
            found = found.with_role(name if role is None else role.header, **unit_of(unit))
        return found

    def answered(self, choice: Choice) -> ColumnMapping:
        """Return the mapping with an answer to one of its questions."""
        changes: dict[str, Any] = {}
        if choice.column is not None:
            changes["column"] = column_of(choice.header, choice.column)
        if choice.unit is not None:
            changes |= unit_of(choice.unit)
        return self.with_role(choice.header, **changes)

    def to_json(self) -> str:
        """Return the mapping as text that `mapping_from_json` reads."""
        content = {"isoflop_mapping": FORMAT_VERSION, **asdict(replace(self, questions=()))}
        del content["questions"]
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def own_name(header: str) -> str:
    """Return the name that a column keeps in the table where it is none of the canonical ones.

    Examples
    --------
    >>> own_name("grad_norm"), own_name("loss")
    ('grad_norm', 'loss (file)')
    """
    return lazy_gettext("{header} (file)", header=header) if header in COLUMNS else header


def column_of(header: str, meaning: str) -> str:
    """Return the column of the table that a header fills, by what it is said to mean.

    Raises
    ------
    TableError
        If there is no such meaning.
    """
    if meaning in {OWN, own_name(header)}:
        return own_name(header)
    if meaning in {LEFT_OUT, ""}:
        return ""
    if meaning not in COLUMNS:
        raise TableError(
            lazy_gettext(
                "There is no canonical column {meaning!r} that {header} could mean.",
                meaning=meaning,
                header=header,
            ),
            detail=lazy_gettext("Canonical columns: {columns}.", columns=", ".join(COLUMNS)),
            hint=lazy_gettext(
                "Give one of them, {own} to keep it under its own name, or {left_out}.",
                own=OWN,
                left_out=LEFT_OUT,
            ),
        )
    return meaning


def unit_of(unit: str) -> dict[str, str]:
    """Return what of a role changes by a unit: ``"B"``, ``"log10"``, ``"nats where kind=nats"``."""
    unit, _, only = unit.partition(_WHERE)
    if unit in _TRANSFORMS:
        return {"unit": "", "transform": unit, "only": only.strip()}
    return {"unit": unit, "only": only.strip()}


def where(unit: str, only: str) -> str:
    """Return a unit that holds for some rows alone, as `unit_of` reads it."""
    return f"{unit}{_WHERE}{only}"


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
            lazy_gettext("This is not a column mapping of Isoflop."),
            detail=str(error)[:200],
            hint=lazy_gettext("Give a file that was downloaded as a mapping."),
        ) from None
    _check(mapping)
    return mapping


def _role_from(entry: Mapping[str, object]) -> ColumnRole:
    allowed = {field.name for field in fields(ColumnRole)} - {"rivals"}
    texts = {key: value for key, value in entry.items() if isinstance(value, str)}
    rivals = entry.get("rivals", [])
    is_list = isinstance(rivals, list) and all(isinstance(rival, str) for rival in rivals)
    if set(texts) != set(entry) - {"rivals"} or not set(texts) <= allowed or not is_list:
        raise ValueError("a column's entry has unknown keys or values that are not text")
    return ColumnRole(rivals=tuple(cast("list[str]", rivals)), **cast("dict[str, Any]", texts))


def _check(mapping: ColumnMapping) -> None:
    """Refuse a mapping from outside whose values are none that this module writes."""
    size = mapping.bytes_per_token
    faults = ["questions"] if mapping.questions else []
    faults += [
        f"{name}: {value!r}"
        for name, value, known in (
            ("loss_unit", mapping.loss_unit, (None, *get_args(LossUnit))),
            ("param_convention", mapping.param_convention, get_args(ParamConvention)),
            *(("transform", role.transform, ("", *_TRANSFORMS)) for role in mapping.roles),
        )
        if value not in known
    ]
    if not isinstance(mapping.response, str):
        faults.append("response")
    if size is not None and (not isinstance(size, int | float) or not 0 < size < 1e3):
        faults.append(f"bytes_per_token: {size!r}")
    if faults:
        raise TableError(
            lazy_gettext("This is not a column mapping of Isoflop."),
            detail=lazy_gettext("Not understood: ") + "; ".join(faults[:5]),
        )


_TRANSFORMS = ("log10", "log2", "ln", "index")


def role_factor(role: ColumnRole) -> float:
    """Return how many canonical units one bare number of a column stands for.

    Raises
    ------
    TableError
        If the unit is not one of the column's.
    """
    if role.kind == "ignored" or not role.unit or role.unit == PERPLEXITY:
        return 1.0
    canonical = COLUMNS.get(role.column)
    if canonical is None:
        factor = bare_factor(role.unit, "fraction" if role.unit == "%" else "count")
    elif role.column in {"loss", "loss_std"}:
        known = loss_unit(role.unit)
        factor = known[1] if known else None
    else:
        factor = bare_factor(role.unit, canonical.dimension) if canonical.dimension else None
    if factor is None:
        raise TableError(
            lazy_gettext(
                "The unit {unit!r} of {header} is not known.", unit=role.unit, header=role.header
            ),
            detail=lazy_gettext("It is mapped to {label}.", label=canonical.label)
            if canonical
            else "",
            hint=lazy_gettext("Choose another unit, or leave it empty for the canonical one."),
        )
    return factor
