"""Text logs of training programs: lines of keys and numbers, one row a step.

One grammar reads them all: a key of words, then a colon, an equals sign or (for known keys) a
space, then a number. What the words mean is data (``data/logs.toml``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from isoflop.data import read_toml, require_keys
from isoflop.errors import TableError
from isoflop.language import lazy_gettext, lazy_ngettext
from isoflop.once import once
from isoflop.tables.raw import RawTable
from isoflop.tables.reading.header import is_column
from isoflop.tables.source import Content, Progress, as_utf8, refuse_many_cells
from isoflop.units import counted

FILE = "logs.toml"

_HEAD_BYTES = 1 << 16
_MAX_KEYS = 500
_LONGEST_LINE = 4000  # characters; of a longer one the beginning is read
_LINES_TRIED = 200
_MARKED_SHARE = 0.3
_REPORT_EVERY = 5000

_WORD = r"[A-Za-z_][\w./@%]*+(?:-[\w./@%]++)*+"
_NUMBER = (
    r"[+-]?(?:\d{1,3}(?:,\d{3})++(?:\.\d++)?|\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?"
    r"|[+-]?(?:[nN]a[nN]|[iI]nf)"
)
_UNIT = r"(?:ms|s|%|[KMGT]i?B|[KMBGTPE])"
_PAIR = re.compile(
    rf"(?<![\w./-])(?P<key>{_WORD}(?: {_WORD}){{0,8}}(?: \([\w./ ]+\))?)"
    r"(?P<mark>['\"]?\s*+[:=]\s*+['\"]?|\s++)"
    rf"(?P<value>{_NUMBER})(?P<unit>{_UNIT})?"
    r"(?=[\s;|/)\]}'\"(]|,(?!\d)|:(?!\d)|$)(?:\s*+/\s*+(?P<total>\d[\d,]*+))?"
)
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_POWERS = {"K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_NAMED_POWERS = {"million": "M", "billion": "B"}
_LOSS_IN_BYTES = re.compile(rb"(?i)loss|ppl|perplexity|bpb|entropy|nll")
_DELIMITERS = (",", "\t", ";", "|")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What the words of training logs mean, as the data file has them."""

    positions: tuple[str, ...]
    positions_with_total: tuple[str, ...]
    epoch: str
    before_position: frozenset[str]
    losses: frozenset[str]
    bare: frozenset[str]
    summaries: frozenset[str]
    marks: tuple[re.Pattern[str], ...]
    context: Mapping[str, str]
    rename: Mapping[str, str]
    trainers: tuple[tuple[str, frozenset[str], str], ...]
    facts: tuple[tuple[str, re.Pattern[str]], ...]
    products: tuple[tuple[str, tuple[str, ...]], ...]


@once
def load_words() -> Words:
    """Return the words of training logs.

    Raises
    ------
    CatalogError
        If the data file is malformed.
    """
    content = read_toml(FILE)
    fields = {
        "positions", "positions_with_total", "epoch", "before_position", "losses", "bare",
        "summaries", "marks", "context", "rename", "trainer", "fact", "product",
    }  # fmt: skip
    require_keys(content, where=FILE, required=fields)
    shapes = {
        "trainer": {"name", "tells", "loss_unit", "source"},
        "fact": {"header", "pattern", "source"},
        "product": {"header", "factors"},
    }
    for part, required in shapes.items():
        for entry in content[part]:
            require_keys(entry, where=f"{FILE}: {part}", required=required)
    return Words(
        positions=tuple(content["positions"]),
        positions_with_total=tuple(content["positions_with_total"]),
        epoch=content["epoch"],
        before_position=frozenset(content["before_position"]),
        losses=frozenset(content["losses"]),
        bare=frozenset(content["bare"]),
        summaries=frozenset(content["summaries"]),
        marks=tuple(re.compile(pattern) for pattern in content["marks"]),
        context=content["context"],
        rename=content["rename"],
        trainers=tuple(
            (entry["name"], frozenset(entry["tells"]), entry["loss_unit"])
            for entry in content["trainer"]
        ),
        facts=tuple((entry["header"], re.compile(entry["pattern"])) for entry in content["fact"]),
        products=tuple((entry["header"], tuple(entry["factors"])) for entry in content["product"]),
    )


# --- One line ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one line of a log says.

    Parameters
    ----------
    position : tuple of (str, float) or None
        ``"step"`` or ``"epoch"``, and where the line stands; None if it does not say.
    values : mapping of str to (float or str)
        By key, without the position.
    loss_unit : str
        Of the program that wrote it, where that is not nats.
    """

    position: tuple[str, float] | None
    values: Mapping[str, float | str]
    loss_unit: str = ""


def parse_line(text: str) -> Line | None:
    """Read one line; None if it holds no key with a number.

    Examples
    --------
    >>> line = parse_line("step 20: train loss 3.5, val loss 3.6")
    >>> line.position, dict(line.values)
    (('step', 20.0), {'train loss': 3.5, 'val loss': 3.6})
    """
    words = load_words()
    positions: dict[str, float] = {}
    values: dict[str, float | str] = {}
    context: list[str] = []
    end = 0
    for match in _PAIR.finditer(text[:_LONGEST_LINE]):
        context += _lone_words(text[end : match.start()])
        end = match.end()
        if _is_place_in_source(match, text):
            continue
        before, key, is_position = _understood(match, words)
        context += _lone_words(before)
        if is_position:
            place = float(match["value"].replace(",", ""))
            if not math.isfinite(place) or positions.setdefault(key, place) != place:
                return None  # prose, or several steps in one line
        elif key:
            key = words.rename.get(key, key)
            has_unit = match["unit"] and not _is_scale(match["unit"])
            values.setdefault(f"{key} ({match['unit']})" if has_unit else key, _value(match))
    if not positions and not values:
        return None
    values = _named_by_context(values, [*context, *_lone_words(text[end:_LONGEST_LINE])], words)
    if words.epoch in positions and len(positions) > 1:
        values[words.epoch] = positions[words.epoch]
    keys = {*values, *positions}
    unit = next((unit for _, tells, unit in words.trainers if tells <= keys), "")
    if words.summaries & keys:
        return None
    order = (*words.positions, *words.positions_with_total)
    best = next(((("step"), positions[name]) for name in order if name in positions), None)
    if best is None and words.epoch in positions:
        best = (words.epoch, positions[words.epoch])
    return Line(position=best, values=values, loss_unit=unit)


def _is_place_in_source(match: re.Match[str], text: str) -> bool:
    """Return whether a pair is where a message was written, as in train.py:80 or [trainer:80]."""
    after = text[match.end() : match.end() + 1]
    return match["mark"] == ":" and match["value"].isdigit() and after in {"]", ":", ")"}


def _is_scale(unit: str) -> bool:
    return unit in _POWERS or unit == "%"


def _value(match: re.Match[str]) -> float | str:
    number = match["value"].replace(",", "")
    if match["unit"] == "%":
        return f"{number}%"
    return float(number) * _POWERS.get(match["unit"] or "", 1.0)


def _understood(match: re.Match[str], words: Words) -> tuple[str, str, bool]:
    """Return what stands before a key, the key ("" if it is none), and whether it is a position."""
    parts = match["key"].split(" ")
    is_marked = bool(match["mark"].strip())
    for start in range(len(parts)):
        key = " ".join(parts[start:])
        before = parts[start - 1].lower() if start else ""
        is_position = _is_position(key, match["total"] is not None, words)
        if is_position and (not start or before.strip(":") in words.before_position):
            return " ".join(parts[:start]), _canonical(key), True
        if not is_marked and (is_loss(key) or key in words.bare):
            return " ".join(parts[:start]), key, False
    return ("", match["key"], False) if is_marked else (match["key"], "", False)


def _is_position(key: str, has_total: bool, words: Words) -> bool:
    name = _canonical(key)
    return (
        name in words.positions
        or name == words.epoch
        or (has_total and name in words.positions_with_total)
    )


def _canonical(key: str) -> str:
    """Return a position's name without the data that it is told of: valid_num_updates."""
    return re.sub(r"^(?:train|trainer|valid|val|eval|test)[_/]", "", key.lower())


def is_loss(key: str) -> bool:
    """Return whether a key of a log names a loss: its last word says so.

    Examples
    --------
    >>> is_loss("train/CE loss"), is_loss("loss scale")
    (True, False)
    """
    words = load_words()
    parts = re.split(r"[ /]", re.sub(r" \([\w./ ]+\)$", "", key).lower())
    if len(parts) == 2 and parts[1] in (*words.context, "val"):  # loss train, loss val
        parts = parts[:1]
    return any(parts[-1] == word or parts[-1].endswith(f"_{word}") for word in words.losses)


def _lone_words(text: str) -> list[str]:
    tokens = (token.strip("[](){}'\":,|-<>") for token in text.split())
    return [token.lower() for token in tokens if token.isalpha()]


def _named_by_context(
    values: dict[str, float | str], lone: Sequence[str], words: Words
) -> dict[str, float | str]:
    """Say of which data a loss is where its line does and its key does not."""
    found = [words.context[word] for word in lone if word in words.context]
    prefix = next((word for word in found if word == "test"), found[0] if found else "")
    named: dict[str, float | str] = {}
    for name, value in values.items():
        parts = set(re.findall(r"[a-z]+", name.lower().replace("_", " ")))
        says = parts & (set(words.context) | {"val", "training", "dev"})
        is_unsaid = bool(prefix) and not says and is_loss(name)
        named.setdefault(f"{prefix} {name}" if is_unsaid else name, value)
    return named


# --- A whole log ---


@dataclass(slots=True)
class _Run:
    rows: dict[tuple[str, float], dict[str, float | str]] = field(default_factory=dict)
    facts: dict[str, float] = field(default_factory=dict)
    n_returns: int = 0
    loss_unit: str = ""


def looks_like_log(content: Content) -> bool:
    """Return whether a file is a text log: losses at steps, or lines as loggers write them."""
    head = content.data[:_HEAD_BYTES].decode(errors="replace").splitlines()
    lines = [line for line in head if line.strip() and not line.startswith("#")][:_LINES_TRIED]
    if not lines or b"\x00" in content.data[:_HEAD_BYTES] or _is_header(lines[0]):
        return False
    if _has_losses(content.data):
        return True
    marked = [any(mark.search(line[:300]) for mark in load_words().marks) for line in lines]
    # The lines of a table have equally many delimiters, and its first line is no message.
    is_table = not marked[0] and len(set(map(_shape, lines))) == 1
    return not is_table and sum(marked) >= max(1.0, _MARKED_SHARE * len(lines))


def _shape(line: str) -> tuple[int, ...]:
    return tuple(line.count(mark) for mark in _DELIMITERS)


def _is_header(line: str) -> bool:
    """Return whether a line names columns that are known, so that a table follows."""
    if parse_line(line) is not None:
        return False
    return any(sum(is_column(cell) for cell in line.split(mark)[:100]) >= 2 for mark in _DELIMITERS)


def _has_losses(data: bytes) -> bool:
    """Return whether some line gives a loss at a position, in itself or above it."""
    position = 0
    for _ in range(_LINES_TRIED):
        found = _LOSS_IN_BYTES.search(data, position)
        if found is None:
            return False
        start = max(data.rfind(mark, 0, found.start()) for mark in (b"\n", b"\r")) + 1
        position = data.find(b"\n", found.end())
        position = len(data) if position < 0 else position
        text = data[max(0, start - _LONGEST_LINE) : position].decode(errors="replace")
        if any(_has_loss(row) for row in _log_rows(text.splitlines()).rows.values()):
            return True
    return False


def _log_rows(lines: Sequence[str], progress: Progress | None = None) -> _Run:
    run = _Run()
    facts = load_words().facts
    current: dict[str, float | str] | None = None
    last: dict[str, float] = {}
    for number, raw_line in enumerate(lines):
        text = _ESCAPES.sub("", raw_line)
        if progress and number % _REPORT_EVERY == 0:
            progress(number / len(lines), lazy_gettext("Reading the log"))
        line = parse_line(text) if re.search(r"\d|nan", text[:_LONGEST_LINE]) else None
        if line is not None and line.position is not None:
            kind, place = line.position
            run.n_returns += place < last.get(kind, place) and _has_loss(line.values)
            last[kind] = place
            current = run.rows.setdefault(line.position, {})
            current |= line.values
        elif line is not None and text[:1].isspace() and current is not None:
            current |= line.values
        elif text.strip() and not text[:1].isspace():
            current = None
        run.loss_unit = run.loss_unit or (line.loss_unit if line is not None else "")
        for header, pattern in facts:
            if header not in run.facts and (match := pattern.search(text[:_LONGEST_LINE])):
                run.facts[header] = _fact(match["value"])
    return run


def _fact(text: str) -> float:
    match = re.fullmatch(r"([\d.,]+)\s*([A-Za-z]*)", text.strip())
    try:
        number = float(match[1].replace(",", "").rstrip(".")) if match else np.nan
    except ValueError:
        return np.nan
    unit = match[2].lower() if match else ""
    return number * _POWERS.get(_NAMED_POWERS.get(unit, unit.upper()), 1.0)


def _has_loss(values: Mapping[str, object]) -> bool:
    return any(is_loss(key) for key in values)


def read_log(content: Content, progress: Progress | None = None) -> RawTable:
    """Read a text log as the learning curve of one run, one row a step.

    Raises
    ------
    TableError
        If no line gives a loss with the step it was at.
    """
    data, notes = as_utf8(content)
    run = _log_rows(data.decode(errors="replace").splitlines(), progress)
    kinds = [kind for (kind, _), row in run.rows.items() if _has_loss(row)]
    if not kinds:
        raise refuse_log(content.name)
    kind = "step" if "step" in kinds else kinds[0]
    rows = {
        place: row
        for (its_kind, place), row in sorted(run.rows.items(), key=lambda item: item[0][1])
        if its_kind == kind and _has_loss(row)
    }
    keys = list(dict.fromkeys(key for row in rows.values() for key in row))[:_MAX_KEYS]
    refuse_many_cells(content.name, len(rows), len(keys) + len(run.facts) + 1)
    columns: dict[str, Sequence[object]] = {kind: list(rows)}
    columns |= {key: [row.get(key) for row in rows.values()] for key in keys if key != kind}
    frame = pd.DataFrame(columns, index=pd.RangeIndex(1, len(rows) + 1)).infer_objects()
    frame = _with_facts(frame, run.facts)
    if run.loss_unit:
        unit = {key: f"{key} ({run.loss_unit})" for key in keys if _is_plain_loss(key)}
        frame = frame.rename(columns=unit)
    return RawTable(
        name=content.name,
        format=lazy_gettext("text log"),
        frame=frame,
        notes=(*content.notes, *notes, *_notes(run, kind, rows)),
    )


def _is_plain_loss(key: str) -> bool:
    return is_loss(key) and re.split(r"[ /_]", key.lower())[-1] in {"loss", "nll"}


def _with_facts(frame: pd.DataFrame, facts: Mapping[str, float]) -> pd.DataFrame:
    """Add what the log says once, and products of columns that it does not give."""
    known = {header: value for header, value in facts.items() if np.isfinite(value)}
    frame = frame.assign(**{header: v for header, v in known.items() if header not in frame})
    for header, factors in load_words().products:
        if header not in frame and "tokens" not in frame and all(f in frame for f in factors):
            frame[header] = np.prod(
                [pd.to_numeric(frame[factor], errors="coerce") for factor in factors], axis=0
            )
    return frame


def _kind(kind: str) -> str:
    """Return what numbers the lines of a log, in words; what it calls that itself otherwise."""
    known = {
        "step": lazy_gettext("step"),
        "epoch": lazy_gettext("epoch"),
        "token": lazy_gettext("token"),
    }
    return known.get(kind, kind)


def _counted(count: int, kind: str) -> str:
    if kind == "step":
        return lazy_ngettext("{n:,} step", "{n:,} steps", count)
    if kind == "epoch":
        return lazy_ngettext("{n:,} epoch", "{n:,} epochs", count)
    return counted(count, kind)


def _notes(run: _Run, kind: str, rows: Mapping[float, object]) -> Iterator[str]:
    yield lazy_gettext("A text log: {rows} with a loss.", rows=_counted(len(rows), kind))
    if run.facts:
        yield lazy_gettext("Said once, of the whole run: {facts}.", facts=", ".join(run.facts))
    if run.n_returns:
        yield (
            lazy_gettext(
                "Its numbering goes back {times}, as after a restart: of a {kind} that "
                "is there twice the later one counts.",
                kind=_kind(kind),
                times=lazy_ngettext("{n:,} time", "{n:,} times", run.n_returns),
            )
        )
    if run.loss_unit:
        yield lazy_gettext(
            "Its lines are fairseq's, which logs losses in {loss_unit}.", loss_unit=run.loss_unit
        )


def refuse_log(name: str) -> TableError:
    """Return the refusal of a text log without losses."""
    return TableError(
        lazy_gettext(
            "The file {name} is a text log in which no line gives a loss with its step.", name=name
        ),
        detail=lazy_gettext(
            "Lines such as these are read: step: 10  loss: 3.21; iter 10: loss "
            "3.21; step=10, loss=3.21."
        ),
        hint=lazy_gettext(
            "Export the run as CSV or JSON instead, with columns of steps, "
            "tokens and losses, or give the tracker's files."
        ),
    )
