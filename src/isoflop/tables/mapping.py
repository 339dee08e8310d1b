"""Which column of a file is which canonical column, in which unit, and why we think so."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, cast, get_args

from isoflop.errors import TableError
from isoflop.tables.columns import COLUMNS, LossUnit, ParamConvention
from isoflop.tables.headers import PERPLEXITY, Transform, bare_factor, loss_unit

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
    headers : tuple of str
        Headers one of which is to be chosen for the column that ``header`` fills.
    is_blocking : bool
        Whether the table is wrong without an answer.
    """

    header: str
    text: str
    why: str
    units: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
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
            raise TableError(f"The file has no column {header!r}.", detail=f"It has {headers}.")
        column = changes.get("column")
        roles = []
        for role in self.roles:
            if role.header == header:
                roles.append(replace(role, **{"reason": "chosen by hand", **changes}))
            elif column and role.column == column:
                reason = f"{header} was chosen instead"
                own = own_name(role.header)
                roles.append(ColumnRole(header=role.header, column=own, reason=reason))
            else:
                roles.append(role)
        questions = tuple(q for q in self.questions if q.header != header)
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
            Canonical column by header; empty for a header that is left out.
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
            if column and column not in COLUMNS:
                raise TableError(
                    f"There is no canonical column {column!r}.",
                    detail=f"Canonical columns: {', '.join(COLUMNS)}.",
                    hint="A column of another meaning keeps its own header.",
                )
            found = found.with_role(header, column=column)
        for name, unit in (*(units or {}).items(), *([("loss", loss_unit)] if loss_unit else [])):
            role = found.role_of(name)
            found = found.with_role(name if role is None else role.header, unit=unit)
        return found

    def with_header(self, header: str, chosen: str) -> ColumnMapping:
        """Return the mapping with the role of one header given to another, by hand."""
        role = next(role for role in self.roles if role.header == header)
        answered = replace(
            self, questions=tuple(q for q in self.questions if chosen not in (q.header, *q.headers))
        )
        return answered.with_role(
            chosen, column=role.column, unit=role.unit, transform=role.transform
        )

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
    return f"{header} (file)" if header in COLUMNS else header


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
    elif role.column == "loss":
        known = loss_unit(role.unit)
        factor = known[1] if known else None
    else:
        factor = bare_factor(role.unit, canonical.dimension) if canonical.dimension else None
    if factor is None:
        raise TableError(
            f"The unit {role.unit!r} of {role.header} is not known.",
            detail=f"It is mapped to {canonical.label}." if canonical else "",
            hint="Choose another unit, or leave it empty for the canonical one.",
        )
    return factor
