"""Choose what each column of a file is: rivals for a meaning weighed, the choice and they shown."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import TableError
from isoflop.language import lazy_gettext as _
from isoflop.tables.derive import FLOP_PER_PARAM_TOKEN
from isoflop.tables.mapping import (
    OWN,
    ColumnMapping,
    ColumnRole,
    Question,
    column_choice,
    column_of,
    own_name,
    role_factor,
    unit_choice,
    unit_of,
)
from isoflop.tables.problems import shorten
from isoflop.tables.raw import RawTable
from isoflop.tables.reading.cells import own_dimension, to_numbers
from isoflop.tables.reading.columns import COLUMNS, ParamConvention, normalise, words
from isoflop.tables.reading.header import OTHER_THINGS, Meaning, Transform, meanings, split_words
from isoflop.tables.reading.plausible import AS_THEY_STAND, check
from isoflop.tables.reading.sample import Sample

ESSENTIAL = ("params", "tokens", "compute_flop", "loss")
"""Columns that a wrong choice makes a wrong fit of: what is not certain of them is asked."""

# What a column of row numbers is called, where it has a name.
_INDEX_NAME = re.compile(r"|index|row|column 1|Unnamed: 0|__index_level_0__", re.IGNORECASE)
_REPEATED = re.compile(r"(.*) \(\d+\)")
_PERCENT_NAME = re.compile(r"%|\b(?:acc|accuracy|percent|pct)\b")
# A time between these, in seconds, is a date: 2001 and 2033 as Unix time.
_UNIX_TIME_S = (1e9, 2e9)
_LARGEST_LOG2 = 110.0
_ANY_SIZE = (1e-3, 1e21)
_EXPORTED_FIRST = "row"
# A column filled less than this share of a rival's rows goes behind it.
_SPARSE = 0.8
_SPARSE_COST = 15
_TARGET_COST = 50
_IMPLAUSIBLE_COST = 15
_MOST_CHOICES = 8
_AGREES = 2.0
_ROUNDING = 5e-3
"""How far one quantity in two units may differ by the digits it is written with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A header and one thing that it may mean."""

    header: str
    meaning: Meaning
    position: int
    is_sparse: bool = False

    @property
    def order(self) -> tuple[bool, int, bool, int, str, str]:
        """Return what candidates are sorted by; the order of the file's columns is no part."""
        meaning = self.meaning
        return (
            bool(meaning.doubt),
            self.position,
            self.is_sparse,
            meaning.cost,
            normalise(self.header),
            self.header,
        )

    @property
    def weight(self) -> tuple[bool, bool, int]:
        """Return what two candidates of one weight cannot be told apart by."""
        return bool(self.meaning.doubt), self.is_sparse, self.meaning.cost


def guess_mapping(
    raw: RawTable,
    *,
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
) -> ColumnMapping:
    """Tell what the columns of a file are, by headers, units in headers, and the cells.

    Parameters
    ----------
    raw : RawTable
    columns : mapping of str to str or None
        What headers mean, where it is known: a canonical column, ``"own"`` or ``"out"``.
    units : mapping of str to str or None
        Units of headers, or of canonical columns.

    Returns
    -------
    ColumnMapping
        With a question for everything that is needed and cannot be known.

    Raises
    ------
    TableError
        If the file has no such header, or there is no such column.
    """
    said = _said(raw, columns or {})
    sample = Sample.of(raw)
    candidates = _candidates(raw, sample, said)
    chosen = _assign(candidates, sample)
    bases = _plain_bases(sample, chosen)
    chosen |= {h: replace(chosen[h], transform=found[0]) for h, found in bases.items()}
    roles = [_role(raw, sample, header, chosen.get(header), said) for header in raw.headers]
    roles = _with_rivals(roles, candidates, chosen)
    roles, settled = _with_units(roles, units or {})
    open_ = [question for question in raw.questions if question.header not in said]
    questions = [*open_, *_which(raw, roles, said), *_doubts(candidates, chosen, said)]
    asked_bases = {h: found for h, found in bases.items() if h not in settled}
    questions += [*_bases(sample, roles, asked_bases), *_repeated(roles, sample, said)]
    questions += _ties(sample, roles, candidates, chosen, said)
    asked = {question.header for question in questions}
    roles, found = check(sample, roles, frozenset(settled | asked))
    present = {role.column for role in roles}
    convention: ParamConvention = "unknown"
    if "params" not in present and "params_nonembedding" in present:
        convention = "non-embedding"
    elif "params" not in present and "params_active" in present:
        convention = "active"
    return ColumnMapping(
        roles=tuple(roles),
        response="loss" if "loss" in present else _find_score(raw, roles) or "loss",
        param_convention=convention,
        questions=(*questions, *found),
    )


def checked(raw: RawTable, mapping: ColumnMapping) -> ColumnMapping:
    """Return a mapping that was made elsewhere with the questions that this file raises.

    A mapping by hand, from a file or remembered may say what this file contradicts. What stands as
    it is by somebody's word is not asked again.

    Parameters
    ----------
    raw : RawTable
    mapping : ColumnMapping

    Raises
    ------
    TableError
        If a unit is not one of its column.
    """
    roles = [role for role in mapping.roles if role.header in raw.frame]
    settled = {role.header for role in roles if role.unit == AS_THEY_STAND}
    settled |= {
        role.header
        for role in roles
        if role.column == "loss" and (role.unit or role.only or mapping.loss_unit is not None)
    }
    asked = {header for q in mapping.questions for header in (q.header, *q.about)}
    now, found = check(Sample.of(raw), roles, frozenset(settled | asked))
    found += [
        Question(
            header=role.header,
            text=_("Is {header} in {unit}?", header=shorten(role.header), unit=role.unit),
            why=f"{role.reason}.",
            choices=(
                unit_choice(role.header, role.unit, _("yes, in {unit}", unit=role.unit)),
                unit_choice(role.header, _("nats per token"), _("no, in nats per token")),
            ),
        )
        for role, before in zip(now, roles, strict=True)
        if role != before
    ]
    known = {question.text for question in mapping.questions}
    new = tuple(question for question in found if question.text not in known)
    return replace(mapping, questions=(*mapping.questions, *new))


def header_of(raw: RawTable, name: str) -> str:
    """Return the header of a file that a person means, whatever its case and punctuation.

    Raises
    ------
    TableError
        If there is none, or several.
    """
    if name in raw.headers:
        return name
    alike = [header for header in raw.headers if normalise(header) == normalise(name)]
    if len(alike) == 1:
        return alike[0]
    raise TableError(
        _("The file has no column {name!r}.", name=name),
        detail=_("It has {headers}.", headers=", ".join(map(shorten, raw.headers[:30]))),
    )


def _said(raw: RawTable, columns: Mapping[str, str]) -> dict[str, str]:
    """Return the column of every header that something is said of."""
    headers = {header_of(raw, name): meaning for name, meaning in columns.items()}
    return {header: column_of(header, meaning) for header, meaning in headers.items()}


def _with_units(
    roles: Sequence[ColumnRole], units: Mapping[str, str]
) -> tuple[list[ColumnRole], set[str]]:
    """Return the roles with units that were said of a header or of a column."""
    changed = list(roles)
    settled = set()
    for name, unit in units.items():
        found = [
            position
            for position, role in enumerate(changed)
            if role.column and name in (role.header, role.column)
        ] or [p for p, role in enumerate(changed) if normalise(role.header) == normalise(name)]
        if not found:
            raise TableError(
                _("There is no column {name!r} to be in {unit}.", name=name, unit=unit),
                detail=_(
                    "Columns found: {roles}.",
                    roles=", ".join(shorten(role.header) for role in roles[:30]),
                ),
            )
        given: dict[str, Any] = unit_of(unit)
        role = replace(changed[found[0]], reason=_("its unit was given"), **given)
        role_factor(role)
        changed[found[0]] = role
        settled.add(role.header)
    return changed, settled


# --- Candidates ---


def _candidates(raw: RawTable, sample: Sample, said: Mapping[str, str]) -> list[_Candidate]:
    """Return every header with what it may mean, where its cells do not rule that out."""
    found = []
    for header in raw.headers:
        if header in said:
            continue
        for position, meaning in enumerate(_plausible(raw, sample, header)):
            found.append(_Candidate(header=header, meaning=meaning, position=position))
    taken = set(said.values())
    found = [c for c in found if c.meaning.column not in taken]
    if any(c.meaning.column == "step" for c in found):
        found = [c for c in found if not _is_sum_of_a_step(c.meaning)]
    losses = [c for c in found if c.meaning.column == "loss"]
    is_filled = {c.header: not _is_empty(raw, c.header) for c in found}
    if not any(is_filled[c.header] for c in losses):  # said to be empty where it is needed
        is_filled |= {c.header: True for c in losses}
    found = [c for c in found if is_filled[c.header]]
    return _weighed(raw, sample, found)


def _is_sum_of_a_step(meaning: Meaning) -> bool:
    """Return whether a trainer would call so what it adds up at a step, as its tokens' weights."""
    return meaning.column == "params" and meaning.is_total and meaning.doubt == OTHER_THINGS


def _plausible(raw: RawTable, sample: Sample, header: str) -> list[Meaning]:
    """Return the meanings of a header that its cells do not rule out."""
    found: Sequence[Meaning] = meanings(header)
    if header in COLUMNS and raw.headers[0] == _EXPORTED_FIRST:  # a table that Isoflop wrote
        found = (Meaning(column=header, cost=-1000, reason=_("its header is Isoflop's own")),)
    repeated = _REPEATED.fullmatch(header)
    if repeated and repeated[1] in raw.duplicate_headers:
        return []  # asked about with the first of that name
    cells = sample.frame[header]
    kept = []
    for meaning in found:
        kind = COLUMNS[meaning.column].kind
        if kind == "number" and not sample.has_numbers(header, meaning.column):
            continue
        if meaning.column == "wall_time_s" and _is_clock(sample, header):
            continue
        # A name that no two rows share is a run's name, not a family's.
        is_only_family = all(other.column == "family" for other in found)
        if meaning.column == "family" and not is_only_family and len(cells) > 1 and cells.is_unique:
            continue
        if meaning.column == "epochs" and _is_index_from_0(sample, header):
            meaning = replace(
                meaning,
                transform="index",
                reason=_(
                    "{reason}; whole numbers from 0, which are counted from 1",
                    reason=meaning.reason,
                ),
            )
        kept.append(meaning)
    return kept


def _is_index_from_0(sample: Sample, header: str) -> bool:
    """Return whether a header speaks of one epoch, and its cells are whole numbers from 0."""
    values = sample.finite(header)
    is_singular = "epochs" not in [word.lower() for word in split_words(header)]
    is_whole = len(values) > 0 and bool((values == np.round(values)).all())
    return is_singular and is_whole and values.min() == 0


def _weighed(raw: RawTable, sample: Sample, candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """Return candidates with what their cells say: how full they are, and whether a total grows."""
    losses = [c.header for c in candidates if c.meaning.column == "loss"]
    has_steps = any(c.meaning.column == "step" for c in candidates)
    fullness = sample.fullness(losses)
    weighed = []
    for candidate in candidates:
        column = candidate.meaning.column
        rivals = [c for c in candidates if c.meaning.column == column]
        is_sparse = False
        if len(rivals) > 1:
            best = max(fullness(c.header) for c in rivals)
            is_sparse = fullness(candidate.header) < _SPARSE * best
        cost = candidate.meaning.cost
        if len(rivals) > 1 and not _is_plausible(sample, candidate):
            cost += _IMPLAUSIBLE_COST if any(_is_plausible(sample, c) for c in rivals) else 0
        if column == "loss":  # a log holds its losses at different steps
            cost += _SPARSE_COST if is_sparse and not has_steps else 0
            is_sparse = False
        elif candidate.meaning.is_total and _is_target(sample, candidate, rivals):
            cost += _TARGET_COST
        weighed.append(
            replace(candidate, is_sparse=is_sparse, meaning=replace(candidate.meaning, cost=cost))
        )
    return weighed


def _is_plausible(sample: Sample, candidate: _Candidate) -> bool:
    """Return whether a column's median is a size that was ever trained, or a loss that can be."""
    meaning = candidate.meaning
    low, high = words().plausible.get(meaning.column, (-math.inf, math.inf))
    if meaning.column == "loss" and not meaning.unit:
        low, high = 0.0, words().nats_per_token_at_most
    if meaning.transform or meaning.column not in ESSENTIAL:
        return True
    values = sample.values(candidate.header, meaning.column, meaning.unit)
    known = values[np.isfinite(values)]
    return not len(known) or low <= float(np.median(known)) <= high


def _is_empty(raw: RawTable, header: str) -> bool:
    return bool(raw.frame[header].isna().all())


def _is_target(sample: Sample, total: _Candidate, rivals: Iterable[_Candidate]) -> bool:
    """Return whether a total stands still while a rival of it grows: it is what was planned."""
    for rival in rivals:
        if rival.meaning.is_total:
            continue
        pair = sample.whole(total.header, rival.header)
        if len(pair) < 2 or pair[total.header].nunique() == pair[rival.header].nunique():
            continue
        per_total = pair.groupby(total.header, sort=False)[rival.header].nunique()
        if (per_total > 1).mean() > 0.5:
            return True
    return False


def _is_clock(sample: Sample, header: str) -> bool:
    """Return whether times are dates and not durations."""
    return _UNIX_TIME_S[0] < sample.median(header) < _UNIX_TIME_S[1]


# --- The choice ---


def _assign(candidates: Sequence[_Candidate], sample: Sample) -> dict[str, Meaning]:
    """Give each canonical column to the header that suits it best, and each header one column."""
    chosen: dict[str, Meaning] = {}
    taken: set[str] = set()
    rest = sorted(candidates, key=lambda c: c.order)
    late = [c for c in rest if c.meaning.column in {"compute_flop", "run_id", "family", "loss_std"}]
    for candidate in [c for c in rest if c not in late]:
        column, header = candidate.meaning.column, candidate.header
        is_optional = bool(candidate.meaning.doubt) and column not in ESSENTIAL
        if header not in chosen and column not in taken and not is_optional:
            chosen[header] = candidate.meaning
            taken.add(column)
    _assign_compute([c for c in late if c.meaning.column == "compute_flop"], chosen, sample)
    _assign_names([c for c in late if c.meaning.column in {"run_id", "family"}], chosen, sample)
    _assign_deviation([c for c in late if c.meaning.column == "loss_std"], chosen, candidates)
    return chosen


def _assign_compute(
    candidates: Sequence[_Candidate], chosen: dict[str, Meaning], sample: Sample
) -> None:
    """Choose training compute; of rivals, and of a doubtful one, 6 N D decides if it is known."""
    free = [c for c in candidates if c.header not in chosen]
    if not free:
        return
    sizes = {meaning.column for meaning in chosen.values()}
    six_nd = _six_nd(chosen, sample)
    best = free[0]
    if six_nd is not None:
        near = [c for c in free if _agrees(sample, c, six_nd)]
        if near:
            best = near[0]
            if best is not free[0] or best.meaning.doubt:
                reason = _("{reason}; it agrees with 6 N D", reason=best.meaning.reason)
                best = replace(best, meaning=replace(best.meaning, doubt="", reason=reason))
    if best.meaning.doubt and {"params", "tokens"} <= sizes:
        return  # a column that a fit can do without
    chosen[best.header] = best.meaning


def _six_nd(chosen: Mapping[str, Meaning], sample: Sample) -> NDArray[np.float64] | None:
    by_column = {meaning.column: header for header, meaning in chosen.items()}
    size = "params_active" if "params_active" in by_column else "params"
    if size not in by_column or "tokens" not in by_column:
        return None
    values = [
        sample.values(by_column[name], name, chosen[by_column[name]].unit)
        for name in (size, "tokens")
    ]
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(FLOP_PER_PARAM_TOKEN * values[0] * values[1])


def _agrees(sample: Sample, candidate: _Candidate, six_nd: NDArray[np.float64]) -> bool:
    meaning = candidate.meaning
    role = ColumnRole(
        header=candidate.header,
        column=meaning.column,
        unit=meaning.unit,
        transform=_resolve_log(sample, candidate.header, meaning),
    )
    with np.errstate(all="ignore"):
        ratio = sample.of_role(role) / six_nd
    known = ratio[np.isfinite(ratio) & (ratio > 0)]
    return len(known) > 0 and 1 / _AGREES < float(np.median(known)) < _AGREES


def _assign_names(
    candidates: Sequence[_Candidate], chosen: dict[str, Meaning], sample: Sample
) -> None:
    """Choose the run and the family; a name that models of several sizes share is no run's."""
    size = next((header for header, m in chosen.items() if m.column == "params"), None)
    groups = {
        c.header
        for c in candidates
        if c.meaning.column == "run_id" and size is not None and sample.varies(size, c.header)
    }
    taken: set[str] = set()
    for candidate in candidates:
        column, header = candidate.meaning.column, candidate.header
        if header in chosen or column in taken or (column == "run_id" and header in groups):
            continue
        chosen[header] = candidate.meaning
        taken.add(column)
    if "family" not in taken:
        first = next((c for c in candidates if c.header in groups and c.header not in chosen), None)
        if first is not None:
            reason = _("models of several sizes share it, so it names a group and not a run")
            chosen[first.header] = Meaning(column="family", cost=0, reason=reason)


def _assign_deviation(
    deviations: Sequence[_Candidate],
    chosen: dict[str, Meaning],
    candidates: Sequence[_Candidate],
) -> None:
    """Choose the standard error of the chosen loss: that of another loss would be another's."""
    losses = [c.header for c in candidates if c.meaning.column == "loss"]
    loss = next((header for header, m in chosen.items() if m.column == "loss"), "")
    named = _own_words(loss)
    for candidate in deviations:
        of = _own_words(candidate.header)
        is_of_it = of == named or (len(losses) == 1 and of < named)
        if loss and is_of_it and candidate.header not in chosen:
            chosen[candidate.header] = candidate.meaning
            return


def _own_words(header: str) -> frozenset[str]:
    """Return the words that say which loss a header is of: no statistic, and nothing neutral."""
    groups = words().groups
    said = {"deviation", "mean", "neutral"}
    return frozenset(
        word
        for word in map(str.lower, split_words(header))
        if not said & groups.get(word, frozenset()) and word not in {"standard", "error", "err"}
    )


def _with_rivals(
    roles: Sequence[ColumnRole],
    candidates: Sequence[_Candidate],
    chosen: Mapping[str, Meaning],
) -> list[ColumnRole]:
    """Say of every chosen column which others it goes before, and of those what goes before."""
    rivals: dict[str, list[str]] = {}
    for candidate in sorted(candidates, key=lambda c: c.order):
        if candidate.header not in chosen:
            rivals.setdefault(candidate.meaning.column, []).append(candidate.header)
    first = {meaning.column: header for header, meaning in chosen.items()}
    behind = {header: column for column, headers in rivals.items() for header in reversed(headers)}
    result = []
    for role in roles:
        if role.header in chosen and rivals.get(role.column):
            names = ", ".join(map(shorten, rivals[role.column][:5]))
            reason = _("{reason}; it goes before {names}", reason=role.reason, names=names)
            result.append(replace(role, rivals=tuple(rivals[role.column]), reason=reason))
        elif role.header in behind and behind[role.header] in first and role.kind == "own":
            column = behind[role.header]
            reason = _(
                "{first} goes before it as {label}",
                first=shorten(first[column]),
                label=COLUMNS[column].label,
            )
            result.append(
                replace(role, reason=_("{reason}; {also}", reason=role.reason, also=reason))
            )
        else:
            result.append(role)
    return result


# --- Roles ---


def _role(
    raw: RawTable,
    sample: Sample,
    header: str,
    meaning: Meaning | None,
    said: Mapping[str, str],
) -> ColumnRole:
    if header in said:
        known = next((m for m in meanings(header) if m.column == said[header]), None)
        unit = known.unit if known is not None else ""
        transform = _resolve_log(sample, header, known) if known is not None else ""
        return ColumnRole(
            header=header,
            column=said[header],
            unit=unit,
            transform=transform,
            reason=_("said by hand"),
        )
    if meaning is None:
        return _own_role(raw, sample, header)
    unit, reason = meaning.unit, meaning.reason
    if meaning.column == "accuracy" and not unit and _is_percentage(sample, header):
        unit, reason = "%", _("{reason}; it goes beyond 1, so it is in percent", reason=reason)
    return ColumnRole(
        header=header,
        column=meaning.column,
        unit=unit,
        transform=_resolve_log(sample, header, meaning),
        reason=reason,
    )


def _own_role(raw: RawTable, sample: Sample, header: str) -> ColumnRole:
    """Return the role of a column that nothing is known of by its header."""
    column = raw.frame[header]
    if column.isna().all():
        return ColumnRole(header=header, column="", reason=_("every cell is empty"))
    if _is_index(raw, header):
        return ColumnRole(header=header, column="", reason=_("it only numbers the rows"))
    dimension = own_dimension(column, decimal=raw.decimal)
    reason = (
        _("other text, kept under its own name")
        if dimension is None
        else _("other numbers, kept under its own name")
    )
    unit = ""
    if dimension is not None and (dimension == "fraction" or _is_percentage(sample, header)):
        unit, reason = "%", _("other numbers, in percent, kept under its own name")
    return ColumnRole(header=header, column=own_name(header), unit=unit, reason=reason)


def _is_index(raw: RawTable, header: str) -> bool:
    """Return whether a nameless column counts up by whole numbers from row to row."""
    if not _INDEX_NAME.fullmatch(header) or raw.frame[header].dtype.kind not in "iu":
        return False
    return bool((np.diff(raw.frame[header].to_numpy()) > 0).all())


def _is_percentage(sample: Sample, header: str) -> bool:
    """Return whether a score by its name holds numbers that can only be percentages."""
    if not _PERCENT_NAME.search(header.lower().replace("_", " ")):
        return False
    values = sample.finite(header)
    return bool(len(values)) and values.min() >= 0 and 1 < values.max() <= 100


def _resolve_log(sample: Sample, header: str, meaning: Meaning) -> Transform:
    """Decide the base of a plain "log" by which one gives usual sizes: 10, else e, else 2."""
    if meaning.transform != "log":
        return meaning.transform
    return _usual_bases(sample, {header: meaning.column})[0]


def _plain_bases(sample: Sample, chosen: Mapping[str, Meaning]) -> dict[str, tuple[Transform, ...]]:
    """Return the bases that each column of a plain "log" may be to, the likeliest first.

    All such columns of a file are to one base, where one suits them all.
    """
    logs = {header: m.column for header, m in chosen.items() if m.transform == "log"}
    together = _usual_bases(sample, logs)
    if len(logs) > 1 and not _are_usual(sample, logs, together[0]):
        return {header: _usual_bases(sample, {header: name}) for header, name in logs.items()}
    return dict.fromkeys(logs, together)


_BASES: dict[Transform, float] = {"log10": 10.0, "ln": math.e, "log2": 2.0}


def _usual_bases(sample: Sample, columns: Mapping[str, str]) -> tuple[Transform, ...]:
    """Return the bases of which logarithms of columns are all usual sizes; else the likeliest."""
    found = tuple(base for base in _BASES if _are_usual(sample, columns, base))
    if found:
        return found

    def distance(base: Transform) -> float:
        away = 0.0
        for header, column in columns.items():
            low, high = words().usual.get(column, _ANY_SIZE)
            middle = (math.log10(low) + math.log10(high)) / 2
            median = sample.median(header)
            away += 0.0 if math.isnan(median) else abs(median * math.log10(_BASES[base]) - middle)
        return away

    return (min(_BASES, key=distance),)


def _are_usual(sample: Sample, columns: Mapping[str, str], base: Transform) -> bool:
    """Return whether logarithms of columns to a base are all usual sizes."""
    for header, column in columns.items():
        values = sample.finite(header)
        low, high = words().usual.get(column, _ANY_SIZE)
        if not len(values) or values.max() > _LARGEST_LOG2:
            return False
        if not low <= _BASES[base] ** float(values.min()):
            return False
        if not _BASES[base] ** float(values.max()) <= high:
            return False
    return True


def _find_score(raw: RawTable, roles: Sequence[ColumnRole]) -> str:
    """Return the score to be explained where there is no loss: told by its name and its range."""
    for role in roles:
        if role.column == "accuracy":
            return role.column
    for role in roles:
        parts = {word.lower() for word in split_words(role.header)}
        is_set = normalise(role.header) in words().hyper_parameters
        if role.kind != "own" or is_set or not parts & words().scores:
            continue
        cells = raw.frame[role.header]
        if own_dimension(cells, decimal=raw.decimal):
            found = to_numbers(
                cells, factor=role_factor(role), dimension="fraction", decimal=raw.decimal
            ).values
            found = found[np.isfinite(found)]
            is_score = bool(len(found)) and found.min() >= 0 and found.max() <= 1
            if is_score and len(np.unique(found)) > 1:
                return role.column
    return ""


# --- What is asked of the choice ---


def _which(raw: RawTable, roles: Sequence[ColumnRole], said: Mapping[str, str]) -> list[Question]:
    """Ask which of several columns of one header is meant, if what they hold differs."""
    found = []
    for role in roles:
        is_repeated = role.kind == "canonical" and role.header in raw.duplicate_headers
        if not is_repeated or role.header in said:
            continue
        repeated = [(name, _REPEATED.fullmatch(name)) for name in raw.headers]
        rivals = [name for name, match in repeated if match and match[1] == role.header]
        if any(rival in said for rival in rivals):
            continue
        if all(raw.frame[name].equals(raw.frame[role.header]) for name in rivals):
            continue
        found.append(
            Question(
                header=role.header,
                text=_(
                    "The file has more than one column named {header}: which is meant?",
                    header=shorten(role.header),
                ),
                why=_(
                    'What they hold differs. The second is called "{rivals}" here.',
                    rivals=shorten(rivals[0]),
                ),
                choices=tuple(
                    column_choice(name, role.column, shorten(name))
                    for name in (role.header, *rivals)
                ),
                about=tuple(rivals),
            )
        )
    return found


def _doubts(
    candidates: Sequence[_Candidate], chosen: Mapping[str, Meaning], said: Mapping[str, str]
) -> list[Question]:
    """Ask about a column that a fit depends on and whose header is not certain."""
    found = []
    for header, meaning in chosen.items():
        if not meaning.doubt or meaning.column not in ESSENTIAL or header in said:
            continue
        noun, label = _noun(meaning.column), COLUMNS[meaning.column].label
        others = [
            c.header
            for c in sorted(candidates, key=lambda c: c.order)
            if c.meaning.column == meaning.column and c.header not in chosen
        ][: _MOST_CHOICES - 2]
        yes = [
            (header, _("Yes, {label}", label=label)),
            *((other, shorten(other)) for other in others),
        ]
        found.append(
            Question(
                header=header,
                text=_("Is {header} {noun}?", header=shorten(header), noun=noun)
                + (
                    _(" Or is it {others}?", others=", ".join(map(shorten, others)))
                    if others
                    else ""
                ),
                why=_("Its header may mean it, but {doubt}.", doubt=meaning.doubt),
                choices=(
                    *(column_choice(name, meaning.column, label) for name, label in yes),
                    column_choice(header, OWN, _("No, something else")),
                ),
                about=tuple(others),
            )
        )
    return found


def _bases(
    sample: Sample, roles: Sequence[ColumnRole], bases: Mapping[str, tuple[Transform, ...]]
) -> list[Question]:
    """Ask to which base a plain "log" is where that is no plain matter.

    By usage it is 10, or e in what programs write. Where either gives usual sizes, or neither does,
    nothing says which; compute beside N and D does.
    """
    logs = [role for role in roles if role.header in bases and role.column in words().usual]
    if len(logs) > 1 and any("agrees with 6 N D" in role.reason for role in logs):
        return []
    found = []
    for role in logs:
        usual = {"log10", "ln"} & set(bases[role.header])
        is_usual = _are_usual(sample, {role.header: role.column}, bases[role.header][0])
        if len(usual) == 1 and bases[role.header][0] in usual and is_usual:
            continue
        order = dict.fromkeys((*bases[role.header], *_BASES))
        found.append(
            Question(
                header=role.header,
                text=_(
                    "To which base are the logarithms of {header}?", header=shorten(role.header)
                ),
                why=_(
                    "The header names none, and their median is {header:.4g}.",
                    header=sample.median(role.header),
                ),
                choices=tuple(unit_choice(role.header, base, _BASE_NAMES[base]) for base in order),
            )
        )
    return found


_BASE_NAMES: dict[Transform, str] = {
    "log10": "base 10", "ln": _("base e, natural logarithms"), "log2": "base 2",
}  # fmt: skip


def _repeated(
    roles: Sequence[ColumnRole], sample: Sample, said: Mapping[str, str]
) -> list[Question]:
    """Ask whether the tokens of a data set count its repetitions, where there are several."""
    tokens = next((role for role in roles if role.column == "tokens"), None)
    epochs = next((role for role in roles if role.column == "epochs"), None)
    if tokens is None or epochs is None or tokens.header in said or epochs.transform:
        return []
    named = {word.lower() for word in split_words(tokens.header)}
    passes = sample.of_role(epochs)
    passes = passes[np.isfinite(passes)]
    is_of_set = bool(named & {"data", "dataset", "corpus"})
    if not is_of_set or not len(passes) or passes.max() <= 1.5:
        return []
    return [
        Question(
            header=tokens.header,
            text=_(
                "Does {header} count repeated tokens once or each time?",
                header=shorten(tokens.header),
            ),
            why=_(
                "{header} goes up to {max:.4g}: training on the data set that often "
                "is that many times its tokens.",
                header=shorten(epochs.header),
                max=passes.max(),
            ),
            choices=(
                column_choice(tokens.header, "unique_tokens", _("once: D is tokens times epochs")),
                column_choice(tokens.header, "tokens", _("each time: it is D")),
            ),
        )
    ]


def _noun(column: str) -> str:
    return {
        "params": _("the number of parameters N"),
        "tokens": _("the training tokens D"),
        "compute_flop": _("the training compute C"),
        "loss": _("the loss to be fitted"),
    }[column]


def _ties(
    sample: Sample,
    roles: Sequence[ColumnRole],
    candidates: Sequence[_Candidate],
    chosen: Mapping[str, Meaning],
    said: Mapping[str, str],
) -> list[Question]:
    """Ask which of several columns is meant that no rule puts before another."""
    found = []
    for role in roles:
        if role.column not in ESSENTIAL or role.header in said or role.header not in chosen:
            continue
        mine = [c for c in candidates if c.meaning.column == role.column]
        own = next(c for c in mine if c.header == role.header)
        if "agrees with 6 N D" in role.reason or own.meaning.doubt:
            continue
        values = sample.of_role(role)
        equal = [
            c.header
            for c in sorted(mine, key=lambda c: c.order)
            if c.header not in chosen
            and c.weight == own.weight
            and not _is_same(
                values,
                sample.of_role(replace(role, header=c.header, unit=c.meaning.unit)),
                tolerance=1e-6 if c.meaning.unit == role.unit else _ROUNDING,
            )
        ]
        if equal:
            names = [role.header, *equal][:_MOST_CHOICES]
            found.append(
                Question(
                    header=role.header,
                    text=_("Which column is {column}?", column=_noun(role.column)),
                    why=_(
                        "{names} may all be, and they differ.", names=", ".join(map(shorten, names))
                    ),
                    choices=tuple(
                        column_choice(name, role.column, shorten(name)) for name in names
                    ),
                    about=tuple(equal),
                )
            )
    return found


def _is_same(
    one: NDArray[np.float64], other: NDArray[np.float64], *, tolerance: float = 1e-6
) -> bool:
    known = np.isfinite(one) & np.isfinite(other)
    return bool(known.any()) and bool(np.allclose(one[known], other[known], rtol=tolerance))
