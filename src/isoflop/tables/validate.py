"""A raw table and a mapping to a `LossTable`, with every problem at once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.errors import TableError, TableQuestion
from isoflop.language import lazy_gettext
from isoflop.tables.convert import (
    LARGEST_LOSS,
    SIZES,
    Draft,
    convert_role,
    is_essential,
    kept_loss_unit,
    report,
    scale_deviation,
)
from isoflop.tables.derive import derive, fill
from isoflop.tables.mapping import LOWER, ColumnMapping, Question
from isoflop.tables.problems import Problem, listing, shorten
from isoflop.tables.raw import RawTable
from isoflop.tables.reading.columns import COLUMNS
from isoflop.tables.reading.header import meanings
from isoflop.tables.reading.runs import FoundRuns, find_runs
from isoflop.tables.schema import LossTable, Provenance
from isoflop.units import format_quantity

_ANOTHER_CODING = 1.2
# From this share of empty loss cells on, a table with steps is a log, where that is normal.
_LOG_SHARE = 0.05
NOT_LOGGED = lazy_gettext("no loss at this step")


def validate(
    raw: RawTable, mapping: ColumnMapping, *, id: str, provenance: Provenance
) -> tuple[LossTable, tuple[Problem, ...]]:
    """Convert a raw table to canonical columns and units.

    Rows with an unusable cell stay in the table, excluded with the reason, so that nothing is
    lost; all other rows stay usable.

    Parameters
    ----------
    raw : RawTable
    mapping : ColumnMapping
    id : str
        The table's id.
    provenance : Provenance

    Returns
    -------
    table : LossTable
    problems : tuple of Problem
        Ordered by row.

    Raises
    ------
    TableError
        If there is no response column, nothing that it could depend on, no usable row, or a unit
        that must be known is not.
    """
    draft = Draft(raw=raw, mapping=mapping, response=_response_column(mapping))
    _refuse_ambiguous(draft)
    for role in mapping.roles:
        convert_role(draft, role)
    scale_deviation(draft)
    _require_scale(draft)
    _check_ranges(draft)
    _keep_one_coding(draft)
    found = find_runs(draft.columns, draft.texts, draft.headers, raw.frame.index)
    if found is not None:
        draft.texts["run_id"] = found.names
    draft.unlogged = _unlogged_rows(draft)
    filled = _fill(draft)
    _report_missing(draft)
    derived = derive(draft.columns)
    _report_underived(draft, derived)
    frame, problems = _assemble(draft)
    _require_usable(frame, problems, draft)
    unit = kept_loss_unit(draft)
    convention = mapping.param_convention
    table = LossTable(
        id=id,
        frame=frame,
        provenance=replace(
            provenance,
            derived_columns={**provenance.derived_columns, **_of_runs(found), **filled, **derived},
        ),
        param_convention=convention,
        loss_unit=unit,
    )
    return table, problems


def _of_runs(found: FoundRuns | None) -> dict[str, str]:
    """Say how runs were found, as the formula of a derived column."""
    if found is None:
        return {}
    return {
        "run_id": lazy_gettext(
            "rows with the same {keys}", keys=", ".join(map(shorten, found.keys))
        )
    }


def _response_column(mapping: ColumnMapping) -> str:
    """Return the name, in the table, of the column to be explained."""
    if mapping.role_of(mapping.response) is not None:
        return mapping.response
    questions = tuple(q for q in mapping.questions if any(c.column == "loss" for c in q.choices))
    _ask(replace(mapping, questions=questions))  # the answer may say which column it is
    headers = ", ".join(shorten(role.header) for role in mapping.roles[:30])
    if mapping.response != "loss":
        raise TableError(
            lazy_gettext("The file has no column {response!r} to fit.", response=mapping.response),
            detail=lazy_gettext("Columns: {headers}.", headers=headers),
        )
    lookalike = next((r.header for r in mapping.roles if _reads_as_loss(r.header)), "")
    raise TableError(
        lazy_gettext("The file has no loss column."),
        detail=lazy_gettext("Columns found: {headers}.", headers=headers)
        + (
            lazy_gettext(" {lookalike} holds no numbers.", lookalike=shorten(lookalike))
            if lookalike
            else ""
        ),
        hint=lazy_gettext(
            "Name one column loss (or val_loss, final_loss, bpb, ppl), or choose it by hand."
        ),
    )


def _reads_as_loss(header: str) -> bool:
    return any(reading.column == "loss" for reading in meanings(header))


def _refuse_ambiguous(draft: Draft) -> None:
    mapping = draft.mapping
    filled = Counter(role.column for role in mapping.roles if role.column)
    twice = next((column for column, count in filled.items() if count > 1), "")
    if twice:
        rivals = [shorten(role.header) for role in mapping.roles if role.column == twice]
        raise TableError(
            lazy_gettext("Two columns of the file are mapped to {twice}.", twice=shorten(twice)),
            detail=lazy_gettext("They are {rivals}.", rivals=", ".join(rivals)),
            hint=lazy_gettext("Give one of them another meaning, or leave it out."),
        )
    _ask(mapping)


def _ask(mapping: ColumnMapping) -> None:
    """Ask the first question that must be answered before a table is made."""
    open_question = next((q for q in mapping.questions if q.is_blocking), None)
    if open_question is not None:
        raise TableQuestion(
            open_question.text,
            detail=open_question.why,
            hint=_way_out(open_question),
            choices={choice.label: choice.flag for choice in open_question.choices},
        )


def _way_out(question: Question) -> str:
    flags = "; ".join(f"{choice.flag} ({choice.label})" for choice in question.choices)
    units = [choice.unit for choice in question.choices if choice.unit not in {None, "1"}]
    way = lazy_gettext("Choose by hand which one to use")
    if len({choice.header for choice in question.choices}) > 1:
        way = lazy_gettext("Rename or delete one of them, or choose by hand which one to use")
    elif units:
        way = lazy_gettext(
            "Write the unit into the header, such as {header} ({units}), or choose it",
            header=question.header,
            units=units[0],
        )
    return (
        lazy_gettext("{way}. On the command line: {flags}", way=way, flags=flags)
        if flags
        else f"{way}."
    )


# --- Rows ---


def _check_ranges(draft: Draft) -> None:
    """Report values outside the plausible range, and make them missing."""
    for name, values in draft.columns.items():
        column = COLUMNS.get(name)
        if name == "loss" and kept_loss_unit(draft) == "nats/token":
            what = lazy_gettext(
                "is above {largest_loss:g} nats per token, more than a model that knows nothing",
                largest_loss=LARGEST_LOSS,
            )
            with np.errstate(invalid="ignore"):
                if values.max(initial=0.0) > LARGEST_LOSS or np.isnan(values.min(initial=0.0)):
                    _drop(draft, name, np.isfinite(values) & (values > LARGEST_LOSS), what)
            values = draft.columns[name]
        if column is None or column.lower is None or column.upper is None:
            infinite = np.isinf(values)
            if infinite.any():
                _drop(draft, name, infinite, lazy_gettext("is infinite"))
            continue
        with np.errstate(invalid="ignore"):
            low, high = values.min(initial=np.inf), values.max(initial=-np.inf)
        if low > column.lower and high <= column.upper:
            draft.complete.add(name)  # NaN fails both
            continue
        finite = np.isfinite(values)
        _drop(draft, name, np.isinf(values), lazy_gettext("is infinite"))
        lowest = "0" if abs(column.lower) < 1e-200 else f"{column.lower:g}"
        _drop(
            draft,
            name,
            finite & (values <= column.lower),
            lazy_gettext("must be above {lowest}", lowest=lowest),
        )
        highest = format_quantity(column.upper, column.dimension or "count")
        too_high = finite & (values > column.upper)
        _drop(
            draft,
            name,
            too_high,
            lazy_gettext("is above {highest}; is its unit right?", highest=highest),
        )


def _keep_one_coding(draft: Draft) -> None:
    """Leave out the rows that a column in two codings does not hold for."""
    for role in draft.mapping.roles:
        if not role.only or role.column not in draft.columns:
            continue
        values = draft.columns[role.column]
        header, _, value = role.only.rpartition("=")
        if role.only == LOWER:
            frame = pd.DataFrame({"value": values})
            sizes = [name for name in ("params", "tokens") if name in draft.columns]
            frame[sizes] = pd.DataFrame({name: draft.columns[name] for name in sizes})
            setting = frame.groupby(sizes, dropna=False).ngroup() if sizes else frame["value"] * 0
            lowest = frame.groupby(setting)["value"].transform("min")
            is_other = np.asarray(values > lowest * _ANOTHER_CODING)
        elif header in draft.raw.frame:
            is_other = (draft.raw.frame[header].astype("str") != value).to_numpy(dtype=bool)
        else:
            raise TableError(
                lazy_gettext(
                    "The file has no column {header} that tells rows apart.", header=shorten(header)
                ),
                detail=lazy_gettext(
                    "Asked for: {header} where {only}.",
                    header=shorten(role.header),
                    only=shorten(role.only),
                ),
            )
        _drop(
            draft,
            role.column,
            is_other,
            lazy_gettext("is in another unit than the rows that are kept"),
        )


def _unlogged_rows(draft: Draft) -> NDArray[np.bool_] | None:
    """Return which rows of a log hold other metrics but no loss; None where rows are no log."""
    if "step" not in draft.columns or draft.response in draft.complete:
        return None
    missing = np.isnan(draft.columns[draft.response])
    if draft.response in draft.faulty:
        missing &= ~draft.faulty[draft.response]
    share = missing.mean()
    return missing if _LOG_SHARE <= share < 1 else None


def _fill(draft: Draft) -> dict[str, str]:
    """Fill empty cells that follow from others, and say which columns and how."""
    gaps: dict[str, NDArray[np.bool_]] = {
        name: np.isnan(draft.columns[name]) & ~draft.faulty.get(name, np.False_)
        for name in SIZES
        if name in draft.columns.keys() - draft.complete and np.isnan(draft.columns[name]).any()
    }
    if not gaps:
        return {}
    runs = None
    if "step" in draft.columns:
        runs = np.zeros(draft.n_rows, np.intp)
        if "run_id" in draft.texts:
            runs = pd.factorize(draft.texts["run_id"])[0]
    return fill(draft.columns, gaps, runs)


def _report_missing(draft: Draft) -> None:
    for name in draft.columns:
        if not is_essential(draft, name) or name in draft.complete:
            continue
        missing = np.isnan(draft.columns[name]) & ~draft.faulty.get(name, np.False_)
        if draft.unlogged is not None:
            missing &= ~draft.unlogged
        report(draft, name, np.flatnonzero(missing), lazy_gettext("is missing or NaN"))


def _report_underived(draft: Draft, derived: dict[str, str]) -> None:
    """Report rows whose cells are all present, yet give no value of a derived column."""
    known = {problem.row for problem in draft.problems if problem.excludes_row}
    if draft.unlogged is not None:
        known |= set(draft.raw.frame.index[draft.unlogged])
    for name, formula in derived.items():
        if not is_essential(draft, name):
            continue
        for row in draft.raw.frame.index[np.isnan(draft.columns[name])]:
            if row not in known:
                known.add(row)
                reason = lazy_gettext(
                    "cannot be derived by {formula}, which is zero, negative or missing",
                    formula=formula,
                )
                draft.problems.append(Problem(row=int(row), column=name, value="", reason=reason))


def _drop(draft: Draft, name: str, is_bad: NDArray[np.bool_], reason: str) -> None:
    positions = np.flatnonzero(is_bad)
    if len(positions):
        draft.complete.discard(name)
        report(draft, name, positions, reason)
        values = draft.columns[name].copy()
        values[positions] = np.nan
        draft.columns[name] = values


def _require_scale(draft: Draft) -> None:
    others = [name for name in draft.columns if name != draft.response]
    if not others:
        raise TableError(
            lazy_gettext("The file has a loss but nothing that it could depend on."),
            detail=lazy_gettext(
                "Columns found: {headers}.", headers=", ".join(map(shorten, draft.raw.headers[:30]))
            ),
            hint=lazy_gettext("Add a column of parameters, tokens, compute or steps."),
        )


def _assemble(draft: Draft) -> tuple[pd.DataFrame, tuple[Problem, ...]]:
    """Put the columns together, canonical ones first, and flag the excluded rows."""
    columns: dict[str, NDArray[np.float64] | pd.Series[str]] = {}
    for name in COLUMNS:
        if name in draft.columns:
            columns[name] = draft.columns[name]
        elif name in draft.texts and name != "exclusion_reason":
            columns[name] = draft.texts[name]
    for name in (*draft.columns, *draft.texts):
        if name not in COLUMNS:
            columns[name] = draft.columns[name] if name in draft.columns else draft.texts[name]
    # Columns are not gathered into one block: that would copy a large table once more.
    frame = pd.DataFrame(columns, index=draft.raw.frame.index, copy=False)
    problems = tuple(sorted([*draft.raw.problems, *draft.problems], key=lambda p: p.row))
    reasons = {p.row: f"{p.column}: {p.reason}" for p in reversed(problems) if p.excludes_row}
    reasons = {row: text for row, text in reasons.items() if row in frame.index}
    if draft.flags is not None or draft.unlogged is not None or reasons:
        flags = pd.Series(False, index=frame.index)
        texts = draft.texts.get("exclusion_reason", pd.Series("", index=frame.index, dtype="str"))
        texts = texts.fillna("").copy()
        if draft.flags is not None:
            flags[:] = draft.flags
        if draft.unlogged is not None:
            flags[draft.unlogged] = True
            texts[draft.unlogged] = NOT_LOGGED
        rows = list(reasons)
        flags[rows] = True
        texts[rows] = np.array(list(reasons.values()), dtype=object)
        frame["is_excluded"] = flags
        frame["exclusion_reason"] = texts
    return frame, problems


def _require_usable(frame: pd.DataFrame, problems: tuple[Problem, ...], draft: Draft) -> None:
    if "is_excluded" in frame and bool(frame["is_excluded"].all()):
        raise TableError(
            lazy_gettext("No row of {name} is usable.", name=draft.raw.name),
            detail=listing(problems),
            hint=lazy_gettext("Correct these cells, or choose other columns."),
        )
