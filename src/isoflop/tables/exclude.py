"""Rows left out of fits: by hand or by a rule, always with a reason, always undoable.

Exclusions are data, applied in order to a table that itself never changes; to undo one is to leave
it away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.errors import TableError, UnitError
from isoflop.language import joined, lazy_gettext, lazy_ngettext
from isoflop.tables.condition import fulfils
from isoflop.tables.convert import SIZES
from isoflop.tables.shapes import exclusions_of
from isoflop.units import format_number, parse_number

if TYPE_CHECKING:
    from isoflop.tables.schema import LossTable

Rule = Literal[
    "rows",
    "keep",
    "highest_losses",
    "warm_up",
    "tokens_per_param_above",
    "tokens_per_param_below",
    "compute_below",
]
MAX_REASON_CHARACTERS = 200
_ROW_NUMBERS = re.compile(r"\s*\d{1,9}(\s*-\s*\d{1,9})?([,\s]+\d{1,9}(\s*-\s*\d{1,9})?)*\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """One decision about which rows to leave out.

    Parameters
    ----------
    rule : str
        ``"rows"`` leaves out ``rows``, ``"keep"`` takes them back in; every other rule leaves out
        the rows that it describes by ``value``.
    value : float
        Number of losses, share of each run's steps, tokens per parameter, or FLOP.
    rows : tuple of int
        Row numbers of the table's index.
    reason : str
        Why; written beside every row concerned.
    """

    rule: Rule
    value: float = 0.0
    rows: tuple[int, ...] = ()
    reason: str = ""

    def describe(self) -> str:
        """Say in a few words what is left out."""
        if self.rule in {"rows", "keep"}:
            count = len(self.rows)
            if self.rule == "rows":
                return lazy_ngettext("{n:,} row left out", "{n:,} rows left out", count)
            return lazy_ngettext("{n:,} row taken back", "{n:,} rows taken back", count)
        return _RULES[self.rule].describe(self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleKind:
    """How a rule is described, asked for and applied.

    Parameters
    ----------
    label : str
        What a person chooses.
    value_label : str
        What its value is.
    default : float
    needs : tuple of str
        Columns that the table must have.
    describe : callable
    select : callable
        From the rows still included to which of them are left out.
    """

    label: str
    value_label: str
    default: float
    needs: tuple[str, ...]
    describe: Callable[[float], str]
    select: Callable[[pd.DataFrame, float], NDArray[np.bool_]]


def _highest_losses(frame: pd.DataFrame, value: float) -> NDArray[np.bool_]:
    count = min(max(int(value), 0), len(frame))
    is_high = np.zeros(len(frame), bool)
    if count:
        order = np.argsort(-frame["loss"].to_numpy(dtype=np.float64), kind="stable")
        is_high[order[:count]] = True
    return is_high


def _warm_up(frame: pd.DataFrame, value: float) -> NDArray[np.bool_]:
    step = frame["step"]
    if "run_id" in frame:
        last = step.groupby(frame["run_id"].fillna("").to_numpy()).transform("max")
    else:
        last = pd.Series(step.max(), index=frame.index)
    return (step < value * last).to_numpy(dtype=bool)


def _ratio(frame: pd.DataFrame) -> NDArray[np.float64]:
    return (frame["tokens"] / frame["params"]).to_numpy(dtype=np.float64)


_RULES: dict[str, RuleKind] = {
    "highest_losses": RuleKind(
        label=lazy_gettext("Highest losses"),
        value_label=lazy_gettext("How many"),
        default=5,
        needs=("loss",),
        describe=lambda value: lazy_gettext("the {value:,} highest losses", value=int(value)),
        select=_highest_losses,
    ),
    "warm_up": RuleKind(
        label=lazy_gettext("Warm-up"),
        value_label=lazy_gettext("Share of each run's steps"),
        default=0.1,
        needs=("step",),
        describe=lambda value: lazy_gettext(
            "the first {value:.3g} of each run's steps", value=value
        ),
        select=_warm_up,
    ),
    "tokens_per_param_above": RuleKind(
        label=lazy_gettext("Tokens per parameter above"),
        value_label=lazy_gettext("Tokens per parameter"),
        default=1000,
        needs=("params", "tokens"),
        describe=lambda value: lazy_gettext(
            "more than {value} tokens per parameter", value=format_number(value)
        ),
        select=lambda frame, value: _ratio(frame) > value,
    ),
    "tokens_per_param_below": RuleKind(
        label=lazy_gettext("Tokens per parameter below"),
        value_label=lazy_gettext("Tokens per parameter"),
        default=5,
        needs=("params", "tokens"),
        describe=lambda value: lazy_gettext(
            "fewer than {value} tokens per parameter", value=format_number(value)
        ),
        select=lambda frame, value: _ratio(frame) < value,
    ),
    "compute_below": RuleKind(
        label=lazy_gettext("Compute below"),
        value_label="FLOP",
        default=1e19,
        needs=("compute_flop",),
        describe=lambda value: lazy_gettext("less than {value} FLOP", value=format_number(value)),
        select=lambda frame, value: frame["compute_flop"].to_numpy(dtype=np.float64) < value,
    ),
}


def exclusion_of(text: str, table: LossTable) -> Exclusion:
    """Return what a person writes to leave rows out.

    Parameters
    ----------
    text : str
        Row numbers such as ``"3,5-9"``; a rule and its value, such as ``"compute_below=1e19"``; or
        a condition that the rows fulfil, such as ``"tokens < 1e9"``.
    table : LossTable

    Raises
    ------
    TableError
        If it is none of them, or concerns no row.

    Examples
    --------
    >>> from isoflop.tables import load_dataset
    >>> exclusion_of("3,5-7", load_dataset("pile-cerebras-pythia")).rows
    (3, 5, 6, 7)
    """
    name, is_rule, value = (part.strip() for part in text.partition("="))
    if is_rule and name in _RULES:
        try:
            return Exclusion(rule=cast("Rule", name), value=parse_number(value), reason=text)
        except UnitError as problem:
            raise TableError(
                lazy_gettext("The rule {text!r} has no number.", text=text), detail=str(problem)
            ) from None
    if _ROW_NUMBERS.fullmatch(text):
        ends = [part.split("-") for part in re.split(r"[,\s]+", text.strip())]
        wanted = {row for end in ends for row in range(int(end[0]), int(end[-1]) + 1)}
        rows = tuple(sorted(wanted & set(table.frame.index)))
    else:
        frame = table.included()
        rows = tuple(int(row) for row in frame.index[fulfils(frame, text)])
    if not rows:
        raise TableError(
            lazy_gettext("No row is left out by {text!r}.", text=text),
            hint=lazy_gettext(
                "Give row numbers, a condition, or a rule: {rules}.", rules=", ".join(_RULES)
            ),
        )
    is_numbers = _ROW_NUMBERS.fullmatch(text) is not None
    return Exclusion(
        rule="rows",
        rows=rows,
        reason=lazy_gettext("rows {text}", text=text) if is_numbers else text,
    )


def rules(table: LossTable) -> dict[str, RuleKind]:
    """Return the rules that a table has the columns for."""
    return {key: kind for key, kind in _RULES.items() if set(kind.needs) <= set(table.frame)}


def exclude(table: LossTable, exclusions: Sequence[Exclusion]) -> LossTable:
    """Apply exclusions in order.

    Parameters
    ----------
    table : LossTable
    exclusions : sequence of Exclusion

    Returns
    -------
    LossTable
        With ``is_excluded`` and ``exclusion_reason``. A row without a usable value stays out
        whatever is decided.

    Raises
    ------
    TableError
        If a rule needs a column that the table lacks, a value makes no sense, or no row is left.
    """
    if not exclusions:
        return table
    frame = table.frame.copy()
    excluded, reasons = exclusions_of(frame)
    is_unusable = _unusable(frame)
    for exclusion in exclusions:
        chosen = _chosen(frame, excluded, exclusion)
        if exclusion.rule == "keep":
            excluded &= ~(chosen & ~is_unusable)
            reasons = reasons.where(excluded, "")
        else:
            fresh = chosen & ~excluded
            text = exclusion.reason.strip()[:MAX_REASON_CHARACTERS] or exclusion.describe()
            reasons = reasons.where(~fresh, text)
            excluded |= fresh
    if excluded.all():
        raise TableError(
            lazy_gettext("These exclusions leave no row."),
            detail=joined("; ", [exclusion.describe() for exclusion in exclusions]),
            hint=lazy_gettext("Undo one of them."),
        )
    frame["is_excluded"], frame["exclusion_reason"] = excluded, reasons
    return table.with_frame(frame)


def exclude_rows(table: LossTable, rows: Iterable[int], reason: str) -> LossTable:
    """Leave rows out by their numbers.

    Raises
    ------
    TableError
        If there is no such row, no reason, or no row is left.
    """
    chosen = tuple(int(row) for row in rows)
    unknown = sorted(set(chosen) - set(table.frame.index))
    if unknown:
        raise TableError(
            lazy_gettext(
                "The table {id} has no row {unknown}.",
                id=table.id,
                unknown=", ".join(map(str, unknown[:5])),
            ),
            detail=lazy_gettext(
                "It has rows {min} to {max}.",
                min=table.frame.index.min(),
                max=table.frame.index.max(),
            ),
        )
    if not reason.strip():
        raise TableError(
            lazy_gettext("A row is left out with a reason."),
            hint=lazy_gettext("Say why: reason=..."),
        )
    return exclude(table, [Exclusion(rule="rows", rows=chosen, reason=reason)])


def _chosen(
    frame: pd.DataFrame, excluded: pd.Series[bool], exclusion: Exclusion
) -> pd.Series[bool]:
    if exclusion.rule in {"rows", "keep"}:
        return pd.Series(frame.index.isin(exclusion.rows), index=frame.index)
    kind = _RULES[exclusion.rule]
    missing = [name for name in kind.needs if name not in frame]
    if missing or not np.isfinite(exclusion.value) or exclusion.value < 0:
        raise TableError(
            lazy_gettext("The rule {label!r} cannot be applied.", label=kind.label.lower()),
            detail=lazy_gettext("The table has no column {missing}.", missing=missing[0]) if missing
            else lazy_gettext("Its value is {value}.", value=exclusion.value),
        )  # fmt: skip
    chosen = pd.Series(False, index=frame.index)
    included = frame[~excluded]
    chosen[~excluded] = kind.select(included, exclusion.value)
    return chosen


def _unusable(frame: pd.DataFrame) -> pd.Series[bool]:
    """Return which rows lack a value that every fit needs."""
    needed = [name for name in (*SIZES, "loss") if name in frame]
    excluded, _ = exclusions_of(frame)
    return frame[needed].isna().any(axis=1) & excluded
