"""How a file was understood, in two lines."""

from __future__ import annotations

from collections import Counter

from isoflop.language import as_a_title, joined, sentences
from isoflop.language import lazy_gettext as _
from isoflop.language import lazy_ngettext as n_
from isoflop.tables.load import ReadResult
from isoflop.tables.mapping import ColumnRole
from isoflop.tables.problems import shorten
from isoflop.tables.reading.columns import COLUMNS
from isoflop.tables.reading.header import Transform

_LETTERS = {"params": "N", "tokens": "D", "compute_flop": "C", "loss": _("the loss")}
_OTHERS = {
    "accuracy": _("the score"),
    "step": _("the step"),
    "run_id": _("the run"),
    "family": _("the family"),
}
_MAGNITUDES = {"k": "thousands", "m": "millions", "b": "billions", "t": "trillions"}
_TRANSFORMS: dict[Transform, str] = {
    "log10": _("as logarithms to base 10"),
    "log2": _("as logarithms to base 2"),
    "ln": _("as natural logarithms"),
    "index": _("counted from 0"),
}
_MOST_REASONS = 3


def understood(result: ReadResult) -> tuple[str, str]:
    r"""Say which columns are N, D, C and the loss, in which unit; and which rows are used.

    Parameters
    ----------
    result : ReadResult

    Examples
    --------
    >>> from isoflop.tables import read_table
    >>> for line in understood(read_table(b"C (1E21),val_bpb\n2,0.9\n7,nan\n")):
    ...     print(line)
    C is C (1E21), in 1E21. The loss is val_bpb, in bpb. There is no N and no D.
    1 of 2 rows is used. Left out: 1 (val_bpb: is missing or NaN).
    """
    return _columns(result), _rows(result)


def _columns(result: ReadResult) -> str:
    table, mapping = result.table, result.mapping
    parts = []
    for column, name in (_LETTERS | _OTHERS).items():
        role = mapping.role_of(column)
        if column not in table.frame:
            continue
        if role is not None:
            parts.append(
                _(
                    "{name} is {header}{role}",
                    name=name,
                    header=shorten(role.header),
                    role=_in_unit(role, result),
                )
            )
        elif column in table.provenance.derived_columns and column in _LETTERS:
            parts.append(
                _(
                    "{name} is derived: {derived_columns}",
                    name=name,
                    derived_columns=table.provenance.derived_columns[column],
                )
            )
    lacking = [name for column, name in _LETTERS.items() if column not in table.frame]
    if lacking:
        none = _(" and no ").join(name.removeprefix("the ") for name in lacking)
        parts.append(_("there is no {none}", none=none))
    return sentences(_("{sentence}.", sentence=as_a_title(part)) for part in parts)


def _in_unit(role: ColumnRole, result: ReadResult) -> str:
    if role.transform:
        return joined("", [", ", _TRANSFORMS[role.transform]])
    if role.column == "loss":
        is_said = role.unit or result.mapping.loss_unit is not None
        kept = result.table.loss_unit
        given = (
            _(", in {unit}", unit=role.unit)
            if role.unit and role.unit != "1"
            else _(", in {kept}", kept=kept)
        )
        only = _(", where {only}", only=role.only) if role.only else ""
        return joined("", [given, only, "" if is_said else _(", which is assumed")])
    if not role.unit or role.unit == "1" or COLUMNS[role.column].kind != "number":
        return ""
    return _(", in {unit}", unit=_MAGNITUDES.get(role.unit.strip().lower(), role.unit))


def _rows(result: ReadResult) -> str:
    frame = result.table.frame
    n_rows, n_used = len(frame), len(result.table.included())
    text = n_(
        "{n:,} of {rows} is used.",
        "{n:,} of {rows} are used.",
        n_used,
        rows=n_("{n:,} row", "{n:,} rows", n_rows),
    )
    if n_used == n_rows:
        return text
    reasons = Counter(frame.loc[frame["is_excluded"].astype(bool), "exclusion_reason"])
    listed = ", ".join(
        f"{count:,} ({shorten(reason, 80)})" for reason, count in reasons.most_common(_MOST_REASONS)
    )
    return _(
        "{text} Left out: {listed}{more}.",
        text=text,
        listed=listed,
        more=_(" and more") if len(reasons) > _MOST_REASONS else "",
    )
