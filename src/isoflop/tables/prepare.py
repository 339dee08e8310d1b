"""Everything that is chosen between a table and a fit, as one value that a link can carry."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from isoflop.errors import TableError
from isoflop.language import lazy_gettext
from isoflop.tables.exclude import MAX_REASON_CHARACTERS, Exclusion, Rule, exclude
from isoflop.tables.reading.columns import ParamConvention
from isoflop.tables.schema import LossTable
from isoflop.tables.shapes import (
    Curves,
    Seeds,
    has_curves,
    merge_seeds,
    reduce_curves,
    thin,
    use_metric,
    with_convention,
)

MAX_TEXT_CHARACTERS = 4000
MAX_ROWS = 5_000
"""Rows that are fitted at most: more, of learning curves, say little and cost minutes."""
_MAX_EXCLUSIONS = 200
_MAX_ROW = 100_000_000
# Longer learning curves than this are reduced to their last step unless a person says otherwise.
_LONG_CURVE_ROWS = 20
# Excluded before learning curves are reduced; all others after, so that a run that is left out
# does not come back with its next-to-last step.
_OF_STEPS: tuple[Rule, ...] = ("warm_up",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """What is done to a table before it is fitted.

    Parameters
    ----------
    metric : str
        Column to be explained instead of the loss; the loss if empty.
    curves : {"all", "last", "best", "smoothed"}
        Which rows of each learning curve.
    exclusions : tuple of Exclusion
        In the order they were made.
    seeds : {"all", "clustered", "mean", "best"}
        What becomes of runs of one setting: seeds, or trials of hyper-parameters.
    convention : str
        How parameters are counted; as the table does if empty.
    """

    metric: str = ""
    curves: Curves = "all"
    exclusions: tuple[Exclusion, ...] = ()
    seeds: Seeds = "all"
    convention: ParamConvention | Literal[""] = ""


def default_preparation(table: LossTable) -> Preparation:
    """Return what is done unless a person says otherwise: long curves keep their last step."""
    if not has_curves(table):
        return Preparation()
    frame = table.included()
    is_long = len(frame) > _LONG_CURVE_ROWS * frame["run_id"].nunique()
    return Preparation(curves="last" if is_long else "all")


def prepare(
    table: LossTable, preparation: Preparation, *, max_rows: int | None = MAX_ROWS
) -> LossTable:
    """Apply a preparation: the one way from what was read to what is fitted.

    Parameters
    ----------
    table : LossTable
    preparation : Preparation
    max_rows : int or None
        More rows are thinned along each run.

    Raises
    ------
    TableError
        If the table lacks what it needs, or no row is left.
    """
    if preparation.metric:
        table = use_metric(table, preparation.metric)
    of_steps = [e for e in preparation.exclusions if e.rule in _OF_STEPS]
    of_runs = [e for e in preparation.exclusions if e.rule not in _OF_STEPS]
    response = "loss" if "loss" in table.frame else "accuracy"
    table = exclude(table, of_steps)
    table = reduce_curves(table, preparation.curves, response=response)
    table = exclude(table, of_runs)
    table = merge_seeds(table, preparation.seeds, response=response)
    table = table if max_rows is None else thin(table, max_rows)
    return with_convention(table, preparation.convention) if preparation.convention else table


# --- As text, for an address ---


def preparation_to_text(preparation: Preparation) -> str:
    """Write a preparation as short JSON; what is as usual is left away."""
    content: dict[str, Any] = {
        "metric": preparation.metric,
        "curves": preparation.curves if preparation.curves != "all" else "",
        "seeds": preparation.seeds if preparation.seeds != "all" else "",
        "count": preparation.convention,
        "out": [
            [e.rule, _ranges(e.rows) if e.rule in {"rows", "keep"} else e.value, e.reason]
            for e in preparation.exclusions
        ],
    }
    content = {key: value for key, value in content.items() if value}
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False) if content else ""


def preparation_from_text(text: str) -> Preparation:
    """Read what `preparation_to_text` wrote.

    Raises
    ------
    TableError
        If it is anything else.
    """
    if not text:
        return Preparation()
    try:
        if len(text) > MAX_TEXT_CHARACTERS:
            raise ValueError("too long")
        content = json.loads(text)
        out = content.pop("out", [])
        if len(out) > _MAX_EXCLUSIONS:
            raise ValueError("too many exclusions")
        return Preparation(
            metric=_text(content.pop("metric", "")),
            curves=_one_of(content.pop("curves", "all"), get_args(Curves)),
            seeds=_one_of(content.pop("seeds", "all"), get_args(Seeds)),
            convention=_one_of(content.pop("count", ""), ("", *get_args(ParamConvention))),
            exclusions=tuple(_exclusion(*entry) for entry in out),
            **content,
        )
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise TableError(
            lazy_gettext("The link's preparation of the table cannot be read."),
            detail=str(error)[:200],
            hint=lazy_gettext("Prepare the table again on the Data page."),
        ) from None


def _exclusion(rule: object, what: object, reason: object) -> Exclusion:
    known = _one_of(rule, get_args(Rule))
    why = _text(reason)[:MAX_REASON_CHARACTERS]
    if known in {"rows", "keep"}:
        return Exclusion(rule=known, rows=_rows(_text(what)), reason=why)
    if isinstance(what, bool) or not isinstance(what, int | float):
        raise ValueError("a rule's value is no number")
    return Exclusion(rule=known, value=float(what), reason=why)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("text was expected")
    return value


def _one_of(value: object, known: Sequence[Any]) -> Any:
    if value not in known:
        raise ValueError(f"{str(value)[:40]!r} is not known")
    return value


def _ranges(rows: Iterable[int]) -> str:
    """Write row numbers shortly: 1-3.7 for 1, 2, 3 and 7."""
    parts: list[list[int]] = []
    for row in sorted(set(rows)):
        if parts and row == parts[-1][1] + 1:
            parts[-1][1] = row
        else:
            parts.append([row, row])
    return ".".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)


def _rows(text: str) -> tuple[int, ...]:
    rows: list[int] = []
    for part in text.split(".") if text else ():
        first, _, last = part.partition("-")
        start, end = int(first), int(last or first)
        if not 0 < start <= end <= _MAX_ROW or end - start > 1_000_000:
            raise ValueError("row numbers are invalid")
        rows.extend(range(start, end + 1))
    return tuple(rows)
