"""Nested JSON to rows: which lists are learning curves, which values are of the whole run.

A list of records in a record is that record's curve and the values beside it are the run's; objects
whose keys are steps are curves; what describes a curve (``start_step``) is never a row. What cannot
be told is refused with its shape in words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from isoflop.errors import TableError
from isoflop.language import joined, lazy_gettext, lazy_ngettext
from isoflop.tables.problems import shorten
from isoflop.tables.raw import unique_headers
from isoflop.tables.run_values import (
    PLANNED_STEPS,
    POSITIONS,
    SIZES,
    SPENT,
    beside,
    column_of,
    is_number,
    taken_names,
)

Row = dict[str, object]

_MAX_DEPTH = 5
_SPLITS = {"train", "training", "val", "valid", "validation", "eval", "evaluation", "test", "dev"}
# Names that say nothing of what a list or an object by steps holds.
_CONTAINERS = {"values", "value", "data", "history", "points", "curve", "steps", "records"}
_STEPS = re.compile(r"(?i)(?:^|[_ /])(?:steps?|iters?|iterations?)$")
_SCALAR_EVENT = (lazy_gettext("Wall time"), lazy_gettext("Step"), lazy_gettext("Value"))


@dataclass(slots=True)
class _Parts:
    """A record taken apart: its own values, and what it holds many of."""

    values: Row = field(default_factory=dict)
    records: dict[str, list[Row]] = field(default_factory=dict)
    lists: dict[str, list[object]] = field(default_factory=dict)


def rows_of_document(
    document: object, name: str
) -> tuple[list[Row], tuple[str, ...], tuple[str, ...]]:
    """Return the rows of a JSON document, how it was understood, and what numbers follow from.

    Parameters
    ----------
    document : object
        As ``json.loads`` gives it.
    name : str
        Of the file.

    Raises
    ------
    TableError
        If it holds no table, or one that cannot be told.
    """
    reader = _Reader(name)
    rows = reader.document(document)
    if not rows:
        raise _refusal(name, document)
    return rows, tuple(dict.fromkeys(reader.notes)), tuple(dict.fromkeys(reader.concluded))


def rows_of_entry(entry: Row, name: str) -> list[Row]:
    """Return the rows of one line of JSON Lines: one, or those of the curve that it holds.

    Raises
    ------
    TableError
        If they cannot be told.
    """
    return rows_of_flat(entry) if _is_flat(entry) else _Reader(name).record(entry)


def with_leading_values(rows: list[Row], name: str) -> list[Row]:
    """Return the rows of JSON Lines; a first line of the run's values is put on all others."""
    first, rest = _leading_values(rows)
    return _Reader(name)._along(first, "", rest) if first else rows


def _is_flat(entry: Mapping[str, object]) -> bool:
    return not any(isinstance(value, list | dict) for value in entry.values())


class _Reader:
    """Reads one document, collecting notes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.notes: list[str] = []
        self.concluded: list[str] = []

    # --- Whole documents ---

    def document(self, document: object, depth: int = 0) -> list[Row]:
        """Return the rows of a document, or of a part of it that holds everything."""
        if isinstance(document, list):
            return self._list(document)
        if not isinstance(document, dict) or not document or depth > _MAX_DEPTH:
            return []
        if (split := _pandas_split(document)) is not None:
            return split
        objects = {key: value for key, value in document.items() if isinstance(value, dict)}
        if len(document) == 1:
            (inner,) = document.values()
            if isinstance(inner, list) and inner and all(isinstance(row, dict) for row in inner):
                return self._list(inner)
            is_wrapper = isinstance(inner, dict) and not any(map(column_of, inner))
            if is_wrapper and isinstance(inner, dict) and _metric_curve(inner) is None:
                return self.document(inner, depth + 1)
        if len(objects) == len(document) and (rows := self._objects(objects)):
            return rows
        runs = {key: value for key, value in objects.items() if _is_run(value)}
        if len(runs) > 1 and not set(map(str.lower, runs)) & _SPLITS:
            rest = {key: value for key, value in document.items() if key not in runs}
            return self._runs(runs, self._parts(rest).values)
        return self.record(document)

    def _list(self, entries: Sequence[object]) -> list[Row]:
        if entries and all(isinstance(entry, dict) for entry in entries):
            records: list[Row] = [entry for entry in entries if isinstance(entry, dict)]
            first, rest = _leading_values(records)
            return self._along(first, "", rest) if first else self._records(records)
        if entries and all(_is_scalar_event(entry) for entry in entries):
            return [
                dict(zip(_SCALAR_EVENT, entry, strict=True))
                for entry in entries
                if isinstance(entry, list)
            ]
        return []

    def _records(self, records: Sequence[Row]) -> list[Row]:
        """Return the rows of records, each of which is a run, a step or the curve of a run."""
        rows: list[Row] = []
        for number, record in enumerate(records, start=1):
            found = rows_of_flat(record) if _is_flat(record) else self.record(record)
            if len(found) > 1 and not any(column_of(key) == "run_id" for key in found[0]):
                found = [
                    {"run_id": lazy_gettext("run {number}", number=number), **row} for row in found
                ]
            rows += found
        return rows

    def _objects(self, objects: Mapping[str, Row]) -> list[Row]:
        """Return the rows of objects by step, by metric, by column or by run; none if neither."""
        steps = _step_keys(objects)
        if steps is not None and not _is_range(steps):
            by_step = zip(steps, objects.values(), strict=True)
            return [{"step": step, **row} for step, value in by_step for row in self.record(value)]
        if (rows := self._metrics(objects)) is not None:
            return rows
        inner = dict.fromkeys(key for value in objects.values() for key in value)
        is_grid = all(map(_is_flat, objects.values()))
        if is_grid and sum(map(bool, map(column_of, objects))) > sum(
            map(bool, map(column_of, inner))
        ):
            by_row: dict[str, Row] = {key: {} for key in inner}
            for column, cells in objects.items():
                for key, cell in cells.items():
                    by_row[key][column] = cell
            return self._records(list(by_row.values()))
        if set(map(str.lower, objects)) <= _SPLITS:
            return []
        n_losses = sum(map(_holds_loss, objects.values()))
        if n_losses == 1 < len(objects):
            return []  # one record, such as results beside a configuration
        return self._runs(objects, {}) if n_losses or len(objects) > 1 else []

    def _runs(self, runs: Mapping[str, Row], shared: Row) -> list[Row]:
        return [
            {"run_id": _encodable(key), **shared, **row}
            for key, value in runs.items()
            for row in self._of_run(key, value)
        ]

    def _of_run(self, key: str, value: Row) -> list[Row]:
        """Return the rows of one run, or of the runs that a group of them holds."""
        inner = {name: run for name, run in value.items() if isinstance(run, dict) and _is_run(run)}
        if len(inner) < 2 and len(inner) != len(value):
            return self.record(value)
        rest = {name: cell for name, cell in value.items() if name not in inner}
        rows = self._runs(inner, self._parts(rest).values)
        return [{**row, "run_id": f"{_encodable(key)}/{row['run_id']}"} for row in rows]

    def _metrics(self, objects: Mapping[str, Row]) -> list[Row] | None:
        """Return one row a step of curves by metric, each with what describes it; None if none."""
        curves: dict[str, Row] = {}
        for key, value in objects.items():
            curve = _metric_curve(value)
            if curve is None:
                return None
            curves[key] = curve
        if not curves or not any(column_of(key) == "loss" for key in curves):
            return None
        is_index = all(_is_range(_step_keys(curve) or []) for curve in curves.values())
        sizes = {*SIZES, *SPENT, "step"}
        if is_index and sizes & set(map(column_of, curves)):
            return None  # columns of pandas, by row number
        rows: dict[float, Row] = {}
        for key, curve in curves.items():
            for step, number in zip(_step_keys(curve) or [], curve.values(), strict=True):
                rows.setdefault(step, {"step": step})[_encodable(key)] = number
        self.notes.append(lazy_gettext("Objects whose keys are steps were read as curves."))
        return [rows[step] for step in sorted(rows)]

    # --- One record ---

    def record(self, record: Row, depth: int = 0) -> list[Row]:
        """Return the rows of one record: one, or those of the curve that it holds."""
        parts = self._parts(record)
        with_loss = {
            key: rows for key, rows in parts.records.items() if any(map(_holds_loss, rows))
        }
        if not with_loss and (curve := self._curve_of_lists(parts)) is not None:
            return self._along(parts.values, "", curve)
        if not with_loss:
            return self._without_curve(parts)
        self._leave_out([key for key in (*parts.records, *parts.lists) if key not in with_loss])
        if _are_runs(with_loss):
            return [
                {
                    **beside(parts.values, _of_rows(rows), lazy_gettext("of the whole file")),
                    "run_id": key,
                    **row,
                }
                for key, rows in with_loss.items()
                for row in rows
            ]
        name, rows = self._one_curve(with_loss)
        if depth < _MAX_DEPTH and not all(map(_is_flat, rows)):
            nested = [self.record(row, depth + 1) for row in rows]
            if any(len(found) > 1 for found in nested):
                return _joined_runs(parts.values, nested)
            rows = [row for found in nested for row in found]
        if _have_own_sizes(rows):
            return [
                {**beside(parts.values, _of_rows(rows), lazy_gettext("of the whole file")), **row}
                for row in rows
            ]
        return self._along(parts.values, name, rows)

    def _one_curve(self, curves: Mapping[str, list[Row]]) -> tuple[str, list[Row]]:
        """Return the one curve of a record; several are joined by step, or refused."""
        if len(curves) == 1:
            ((name, rows),) = curves.items()
            return name, rows
        if not all(_position(rows, {}) for rows in curves.values()):
            listed = joined(
                ", ",
                (
                    f"{shorten(k)} ({lazy_ngettext('{n:,} record', '{n:,} records', len(v))})"
                    for k, v in curves.items()
                ),
            )
            raise TableError(
                lazy_gettext(
                    "The file {name} holds several lists of losses, and which is meant "
                    "cannot be told.",
                    name=self.name,
                ),
                detail=lazy_gettext("They are: {listed}.", listed=listed),
                hint=lazy_gettext("Give one of them, or a step in each of their records."),
            )
        keys = [
            key for rows in curves.values() for key in dict.fromkeys(k for r in rows for k in r)
        ]
        merged: dict[object, Row] = {}
        for name, rows in curves.items():
            position = _position(rows, {})
            for row in rows:
                target = merged.setdefault(row.get(position), {"step": row.get(position)})
                for key, value in row.items():
                    if key != position:
                        target[f"{name}/{key}" if keys.count(key) > 1 else key] = value
        self.notes.append(
            lazy_gettext(
                "The lists {curves} were joined by step.", curves=", ".join(map(shorten, curves))
            )
        )
        return "", list(merged.values())

    def _along(self, values: Row, name: str, rows: list[Row]) -> list[Row]:
        """Put a run's values on the rows of its curve: totals grow along it, or are set apart."""
        position = _position(rows, values)
        if not position:
            return _measured(values, name, rows)
        rows = _merged(rows, position)
        grown = self._grown(values, rows, position)
        constant = {key: value for key, value in values.items() if key not in grown}
        run = beside(constant, {*_of_rows(rows), *POSITIONS}, lazy_gettext("of the whole run"))
        if name:
            own = (
                lazy_gettext(", with the run's own values: {run}", run=", ".join(map(shorten, run)))
                if run
                else ""
            )
            self.notes.append(
                lazy_gettext(
                    "The list {name} is the run's curve{own}.", name=shorten(name), own=own[:300]
                )
            )
        return [
            {**run, **{key: share[number] for key, share in grown.items()}, **row}
            for number, row in enumerate(rows)
        ]

    def _grown(self, values: Row, rows: list[Row], position: str) -> dict[str, list[object]]:
        """Return a run's totals of tokens and compute at each row of its curve."""
        for key, value in values.items():
            if column_of(key) in SPENT and _is_only_at_end(rows, key, value):
                del rows[-1][key]  # it is the run's total, said once more
        inner = {column_of(key) for row in rows for key in row}
        by = next((k for row in rows for k in row if column_of(k) == "tokens"), position)
        grown: dict[str, list[object]] = {}
        for key, value in values.items():
            if column_of(key) not in SPENT or column_of(key) in inner or not is_number(value):
                continue
            places = [row.get(by) for row in rows]
            numbers = [float(place) for place in places if is_number(place)]
            last = max(numbers, default=0.0)
            if by == position:
                planned = [values.get(name) for name in PLANNED_STEPS]
                last = max([last, *(float(p) for p in planned if is_number(p))])
            if last > 0:
                total = float(value)
                grown[key] = [
                    total * float(place) / last if is_number(place) else None for place in places
                ]
                total_of = lazy_gettext(
                    "{key} is a total of the run: it grows along {by}.",
                    key=shorten(key),
                    by=shorten(by),
                )
                self.notes.append(total_of)
                self.concluded.append(total_of)
        return grown

    def _without_curve(self, parts: _Parts) -> list[Row]:
        """Return the one row of a record without a curve, or its only list of records."""
        if len(parts.records) == 1 and "loss" not in _columns(parts.values):
            ((key, rows),) = parts.records.items()
            self._leave_out(list(parts.lists))
            flat = [row for inner in rows for row in self.record(inner)]
            return [
                {**beside(parts.values, _of_rows(flat), lazy_gettext("of the whole file")), **row}
                for row in flat
            ]
        values = dict(parts.values)
        for key, items in parts.lists.items():
            values[key] = ", ".join(map(str, items)) if _is_text(items) else json.dumps(items)[:200]
        self._leave_out(list(parts.records))
        return [values] if values else []

    def _curve_of_lists(self, parts: _Parts) -> list[Row] | None:
        """Return the curve that lists of one length make; None if there is none.

        Where no list says the step, the position in the list is the step.
        """
        lists = {_of_one(key): items for key, items in parts.lists.items()}
        groups: dict[int, list[str]] = {}
        for key, items in lists.items():
            groups.setdefault(len(items), []).append(key)
        losses = {
            size: keys
            for size, keys in groups.items()
            if any(column_of(key) == "loss" for key in keys) and size > 0
        }
        if (
            not losses
            and not parts.values
            and not parts.records
            and len(groups) == 1
            and 0 not in groups
        ):
            losses = groups  # nothing but columns, of scores
        with_step = {size: keys for size, keys in losses.items() if any(map(_is_step_name, keys))}
        chosen = with_step or losses
        if len(chosen) > 1:
            raise TableError(
                lazy_gettext(
                    "The file {name} holds lists of losses of different lengths, and "
                    "which is meant cannot be told.",
                    name=self.name,
                ),
                detail=joined(
                    "; ",
                    [
                        lazy_gettext(
                            "{keys}: {entries}",
                            keys=", ".join(map(shorten, keys)),
                            entries=lazy_ngettext("{n:,} entry", "{n:,} entries", size),
                        )
                        for size, keys in chosen.items()
                    ],
                ),
                hint=lazy_gettext("Give one of them, with a list of its steps."),
            )
        if not chosen:
            return None
        ((size, keys),) = chosen.items()
        self._leave_out([key for key in (*lists, *parts.records) if key not in keys])
        columns = {key: lists[key] for key in keys}
        says_place = {"step", "epochs", *SIZES, *SPENT} & {column_of(key) for key in keys}
        if not says_place and parts.values:
            columns = {"step": list(range(1, size + 1)), **columns}
            self.notes.append(lazy_gettext("The position in a list of losses is the step."))
        return [
            dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)
        ]

    def _parts(self, record: Row) -> _Parts:
        parts = _Parts()
        self._collect(record, "", parts, 0)
        return parts

    def _collect(self, record: Row, prefix: str, parts: _Parts, depth: int) -> None:
        for raw_key, value in record.items():
            key = f"{prefix}{_encodable(raw_key)}"
            if isinstance(value, dict) and depth < _MAX_DEPTH:
                curve = _curve_by_step(value, raw_key)
                if curve is not None:
                    parts.records[key] = curve
                else:
                    self._collect(value, f"{key}/", parts, depth + 1)
            elif isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
                rows = [row for row in value if isinstance(row, dict)]
                parts.records[key] = [_named(row, raw_key) for row in rows]
            elif isinstance(value, list):
                if any(isinstance(item, list | dict) for item in value):
                    parts.values[key] = json.dumps(value)[:200]
                else:
                    parts.lists[key] = value
            else:
                parts.values[key] = _cell(value)

    def _leave_out(self, names: Sequence[str]) -> None:
        if names:
            self.notes.append(
                lazy_gettext("Not read: {names}.", names=", ".join(map(shorten, names[:20])))
            )


# --- What a list is ---


def _position(rows: Sequence[Row], values: Row) -> str:
    """Return the key that says where each record of a curve stands; empty if it is no curve."""
    keys = dict.fromkeys(key for row in rows[:100] for key in row)
    for key in sorted(keys, key=lambda key: column_of(key) != "step"):
        if column_of(key) in {"step", "epochs"} and _n_distinct(rows, key) > (len(rows) > 1):
            return key
    for key in keys:
        if column_of(key) == "tokens" and _is_tokens_seen(rows, key, values):
            return key
    return ""


def _is_tokens_seen(rows: Sequence[Row], key: str, values: Row) -> bool:
    """Return whether tokens grow from record to record, up to the run's own where it says them."""
    seen = [float(v) for row in rows if is_number(v := row.get(key))]
    if len(seen) < 2 or not all(a < b for a, b in pairwise(seen)):
        return False
    total = next((v for k, v in values.items() if column_of(k) == "tokens" and is_number(v)), None)
    return total is None or 0.5 * float(total) <= seen[-1] <= 1.01 * float(total)


def _is_only_at_end(rows: Sequence[Row], key: str, value: object) -> bool:
    """Return whether the last record alone says a total, and it is the run's."""
    said = [number for number, row in enumerate(rows) if is_number(row.get(key))]
    return said == [len(rows) - 1] and len(rows) > 1 and rows[-1][key] == value


def _n_distinct(rows: Sequence[Row], key: str) -> int:
    return len({value for row in rows if is_number(value := row.get(key))})


def _are_runs(curves: Mapping[str, Sequence[Row]]) -> bool:
    """Return whether lists of records are each a run: several, alike, and called by no split."""
    keys = [frozenset(key for row in rows[:100] for key in row) for rows in curves.values()]
    names = {word for name in curves for word in re.split(r"[/_ -]", name.lower())}
    is_named = not names & _SPLITS and not any(column_of(name) == "loss" for name in curves)
    has_steps = all(_position(rows, {}) for rows in curves.values())
    return len(curves) > 1 and len(set(keys)) == 1 and is_named and has_steps


def _have_own_sizes(rows: Sequence[Row]) -> bool:
    """Return whether records are runs: each has a size of its own."""
    return any(
        column_of(key) in SIZES and _n_distinct(rows, key) > 1
        for key in dict.fromkeys(key for row in rows[:100] for key in row)
    )  # fmt: skip


def _merged(rows: Sequence[Row], position: str) -> list[Row]:
    """Put records of one position together, as training and evaluation are logged apart."""
    merged: dict[object, Row] = {}
    others: list[Row] = []
    for row in rows:
        place = row.get(position)
        target = merged.get(place) if is_number(place) else None
        if target is None:
            target = {}
            if is_number(place):
                merged[place] = target
            others.append(target)
        elif any(k in target and target[k] != v for k, v in row.items() if k != position):
            target = {}
            others.append(target)
        target |= row
    return others


def _of_rows(rows: Sequence[Row]) -> set[str]:
    """Return the keys of records and the canonical columns that they read as."""
    return taken_names({key for row in rows[:100] for key in row})


def _measured(values: Row, name: str, rows: Sequence[Row]) -> list[Row]:
    """Return records that measure one run in several ways: sizes in them are not the run's."""
    sizes = _columns(values) - {"loss"}
    renamed = [
        {
            lazy_gettext("{key} of {name}", key=key, name=name or lazy_gettext("the list"))
            if column_of(key) in sizes
            else key: value
            for key, value in row.items()
        }
        for row in rows
    ]
    run = beside(values, _of_rows(renamed), lazy_gettext("of the whole run"))
    return [{**run, **row} for row in renamed]


def _joined_runs(values: Row, nested: Sequence[list[Row]]) -> list[Row]:
    rows = []
    for number, found in enumerate(nested, start=1):
        has_name = any(column_of(key) == "run_id" for row in found[:1] for key in row)
        name = {} if has_name else {"run_id": lazy_gettext("run {number}", number=number)}
        rows += [
            {**beside(values, _of_rows(found), lazy_gettext("of the whole file")), **name, **row}
            for row in found
        ]
    return rows


def _leading_values(records: list[Row]) -> tuple[Row, list[Row]]:
    """Split off a first record of the run's values: it has no loss, and shares no key."""
    others = records[1:]
    if len(others) < 2 or set(records[0]) & set().union(*others[:20]):
        return {}, records
    has_losses = all(map(_is_flat, others)) and any(map(_holds_loss, others))
    if not has_losses or _holds_loss(records[0]):
        return {}, records
    return dict(_flat_values(records[0])), others


def _flat_values(record: Row, prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in record.items():
        if isinstance(value, dict) and prefix.count("/") < _MAX_DEPTH:
            yield from _flat_values(value, f"{prefix}{_encodable(key)}/")
        else:
            yield f"{prefix}{_encodable(key)}", _cell(value)


# --- Objects by step ---


def _step_keys(value: Mapping[str, object]) -> list[float] | None:
    """Return an object's keys as numbers; None unless it has several and all are whole numbers."""
    if len(value) < 2 or not all(
        key.isascii() and key.isdigit() and len(key) < 16 for key in value
    ):
        return None
    return [float(key) for key in value]


def _is_range(steps: Sequence[float]) -> bool:
    """Return whether keys only number rows: 0, 1, 2 and so on."""
    return list(steps) == [float(i) for i in range(len(steps))]


def _curve_by_step(value: Row, name: str) -> list[Row] | None:
    """Return the records of an object by step, in a record; None if it is none."""
    curve = _metric_curve(value)
    steps = _step_keys(curve) if curve is not None else None
    if curve is not None and steps is not None:
        return [{"step": s, name: v} for s, v in zip(steps, curve.values(), strict=True)]
    steps = _step_keys(value)
    if steps is None or _is_range(steps) or not all(isinstance(v, dict) for v in value.values()):
        return None
    return [
        {"step": s, **v} for s, v in zip(steps, value.values(), strict=True) if isinstance(v, dict)
    ]


def _metric_curve(value: Row) -> Row | None:
    """Return the numbers by step of a metric, which may stand beside what describes them."""
    if _step_keys(value) is not None and all(is_number(v) or v is None for v in value.values()):
        return value
    for at, of in (("steps", "values"), ("step", "value")):
        places, numbers = value.get(at), value.get(of)
        if isinstance(places, list) and isinstance(numbers, list) and len(places) == len(numbers):
            is_curve = all(map(is_number, numbers)) and all(isinstance(p, int) for p in places)
            return dict(zip(map(str, places), numbers, strict=True)) if is_curve else None
    held = [inner for inner in value.values() if isinstance(inner, dict | list)]
    if len(held) != 1 or len(value) < 2:
        return None
    inner = held[0]
    if isinstance(inner, dict):
        return _metric_curve(inner) if _step_keys(inner) is not None else None
    start, interval = value.get("start_step"), value.get("step_interval")
    if not (is_number(start) and is_number(interval) and all(map(is_number, inner))):
        return None
    steps = [int(start) + i * int(interval) for i in range(len(inner))]
    return {str(step): number for step, number in zip(steps, inner, strict=True)}


# --- Small questions ---


def rows_of_flat(record: Row) -> list[Row]:
    """Return the one row of a record without parts."""
    return [{_encodable(key): _cell(value) for key, value in record.items()}]


def _columns(values: Mapping[str, object]) -> set[str]:
    return {column_of(key) for key in values} - {""}


def _holds_loss(value: object, depth: int = 0) -> bool:
    """Return whether a record says a loss, in itself or in a list or object of its own."""
    if isinstance(value, list):
        return any(_holds_loss(item, depth + 1) for item in value[:20] if isinstance(item, dict))
    if not isinstance(value, dict) or depth > _MAX_DEPTH:
        return False
    return any(
        column_of(str(key)) == "loss"
        or (isinstance(inner, dict | list) and _holds_loss(inner, depth + 1))
        for key, inner in list(value.items())[:500]
    )


def _is_run(value: Row) -> bool:
    """Return whether an object is a run: it says a size and a loss."""
    flat = {column_of(key.rpartition("/")[2]) for key, _ in _flat_values(value)}
    return _holds_loss(value) and bool(flat & {*SIZES, *SPENT})


def _is_step_name(key: str) -> bool:
    return column_of(key) in {"step", "epochs"}


def _of_one(key: str) -> str:
    """Return what one entry of a list is called: losses hold a loss, eval_steps a step."""
    if column_of(key):
        return key
    if _STEPS.search(key):
        return "step"
    single = next((key.removesuffix(end) for end in ("es", "s") if key.endswith(end)), key)
    return single if column_of(single) else key


def _is_text(items: Sequence[object]) -> bool:
    return bool(items) and all(isinstance(item, str) for item in items)


def _named(row: Row, name: str) -> Row:
    """Return a point of a metric, ``{"step": 1, "value": 3.0}``, under the metric's name."""
    if not {"step", "value"} <= row.keys() or not is_number(row["value"]):
        return row
    return {"step": row["step"], name: row["value"]}


def _is_scalar_event(entry: object) -> bool:
    """Return whether an entry is (wall time, step, value), as TensorBoard's page exports it."""
    return isinstance(entry, list) and len(entry) == 3 and all(map(is_number, entry))


def _pandas_split(document: Row) -> list[Row] | None:
    """Return the rows of ``{"columns": ..., "data": ...}``, as pandas and W&B's tables have it."""
    headers, data = document.get("columns"), document.get("data")
    if not (isinstance(headers, list) and isinstance(data, list)):
        return None
    names, _ = unique_headers([str(header) for header in headers])
    if not all(isinstance(row, list) and len(row) == len(names) for row in data):
        return None
    return [dict(zip(names, map(_cell, row), strict=True)) for row in data]


def _encodable(text: str) -> str:
    """Replace what JSON may escape but no file can hold: halves of surrogate pairs."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def _cell(value: object) -> object:
    """Return a cell; a list or object in it as short text."""
    if isinstance(value, list | dict):
        return json.dumps(value)[:200]
    return _encodable(value) if isinstance(value, str) else value


# --- Shapes in words ---


def _refusal(name: str, document: object) -> TableError:
    return TableError(
        lazy_gettext("The file {name} holds JSON, but no table.", name=name),
        detail=lazy_gettext("It is {document}.", document=shape_in_words(document)),
        hint=lazy_gettext(
            'Give an array of objects, one a run, such as [{{"params": 1e9, "loss": 2.1}}].'
        ),
    )


def shape_in_words(value: object, depth: int = 0) -> str:
    """Return what a JSON document is, for a person.

    Examples
    --------
    >>> shape_in_words({"a": [1, 2], "b": "x"})
    'an object of 2 keys: a (a list of 2 numbers), b (text)'
    """
    if isinstance(value, dict):
        if not value or depth > 1:
            return lazy_gettext(
                "an object of {keys}", keys=lazy_ngettext("{n:,} key", "{n:,} keys", len(value))
            )
        inner = [
            f"{shorten(k, 30)} ({shape_in_words(v, depth + 1)})" for k, v in list(value.items())[:6]
        ]
        more = lazy_gettext(" and {value} more", value=len(value) - 6) if len(value) > 6 else ""
        return lazy_gettext(
            "an object of {keys}: {inner}{more}",
            keys=lazy_ngettext("{n:,} key", "{n:,} keys", len(value)),
            inner=", ".join(inner),
            more=more,
        )
    if isinstance(value, list):
        if not value:
            return lazy_gettext("an empty list")
        kinds = {_kind(item) for item in value}
        what = kinds.pop() if len(kinds) == 1 else lazy_gettext("mixed values")
        return lazy_gettext("a list of {value:,} {what}", value=len(value), what=what)
    return {"number": "a number", "text": "text", "nothing": "nothing"}.get(
        _kind(value).removesuffix("s"), _kind(value)
    )


def _kind(value: object) -> str:
    if isinstance(value, dict):
        return "objects"
    if isinstance(value, list):
        return "lists"
    if isinstance(value, str):
        return "texts"
    return "numbers" if is_number(value) else "nothing" if value is None else "flags"
