"""Understand one header of a file: which canonical column it names, in which unit.

``Model Size (B)``, ``log10_flops``, ``loss (bits per byte)``, ``wall time (h)``, ``FLOPs (1E21)``
and ``val/ppl`` all say more than a name. A `Reading` says what was understood, and why.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from isoflop.tables.columns import COLUMNS, LossUnit, normalise
from isoflop.units import NATS_PER_BIT, Dimension, unit_factor

Transform = Literal["", "log10", "log2", "ln", "log"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one header says.

    Parameters
    ----------
    column : str
        Canonical column.
    rank : int
        Position of the alias that matched among the column's aliases; lower is better.
    unit : str
        As written in the header; empty if it names none.
    transform : str
        The header names a logarithm of the quantity; ``"log"`` if it does not say of which base.
    reason : str
        For a person.
    """

    column: str
    rank: int
    unit: str = ""
    transform: Transform = ""
    reason: str = ""


# Units of loss: the unit that remains after multiplying by the factor.
_LOSS_UNITS: dict[str, tuple[LossUnit, float]] = {
    **dict.fromkeys(("nats", "nat", "natstoken", "natspertoken"), ("nats/token", 1.0)),
    **dict.fromkeys(("bits", "bit", "bitstoken", "bitspertoken"), ("nats/token", NATS_PER_BIT)),
    **dict.fromkeys(("bitsbyte", "bitsperbyte", "bpb"), ("bits/byte", 1.0)),
    **dict.fromkeys(("natsbyte", "natsperbyte", "npb"), ("nats/byte", 1.0)),
    **dict.fromkeys(
        ("natscharacter", "natspercharacter", "natschar", "natsperchar"), ("nats/character", 1.0)
    ),
    **dict.fromkeys(
        ("bitscharacter", "bitspercharacter", "bitschar", "bitsperchar", "bpc"),
        ("nats/character", NATS_PER_BIT),
    ),
}
PERPLEXITY = "perplexity"
_PERPLEXITY_NAMES = {"perplexity", "ppl"}
_LOG_PERPLEXITY_NAMES = {"logperplexity", "logppl", "lnppl", "lnperplexity"}
# Of what it is the loss may stand before: val, or a data set's name such as c4.
_LOSS_BY_UNIT = re.compile(
    f"(?P<of>.*?)(?P<unit>{'|'.join((*_PERPLEXITY_NAMES, *_LOG_PERPLEXITY_NAMES))}|bpb|bpc|npb)"
)
_TRAINING = {"train", "training", "trn"}
_HELD_OUT = {"val", "valid", "validation", "eval", "evaluation", "test", "dev", "heldout", "held"}
_HELD_OUT_LOSSES = {f"{word}loss" for word in _HELD_OUT}
_BEHIND_HELD_OUT = 400
# Words that a quantity may be called by, with or without: it stays the same quantity.
_QUALIFIERS = _TRAINING | {
    "n", "num", "nr", "no", "number", "count", "amount", "of", "the", "in", "total", "overall",
    "cumulative", "trained", "pretraining", "pretrain", "pre", "model", "consumed", "processed",
    "seen", "used", "budget", "value", "estimated", "final",
}  # fmt: skip
_LOOSE_RANK = 60
_LONGEST_HEADER = 200  # characters; a longer one is prose
_WORDS = {
    "thousands": "K", "millions": "M", "mil": "M", "billions": "B", "bil": "B", "trillions": "T",
    "hours": "h", "hrs": "h", "minutes": "min", "mins": "min", "seconds": "s", "secs": "s",
    "days": "days", "weeks": "weeks",
}  # fmt: skip


def loss_unit(unit: str) -> tuple[LossUnit, float] | None:
    """Return the canonical unit that a loss unit is kept in and the factor to it, if known."""
    if unit == PERPLEXITY:
        return "nats/token", 1.0
    return _LOSS_UNITS.get(normalise(unit.replace(" per ", "/")))


def bare_factor(unit: str, dimension: Dimension) -> float | None:
    """Return the factor from a header's unit to the canonical one, or None if it is not known.

    Units may be plain numbers, as in ``FLOPs (1E21)`` or ``tokens (x1e9)``.
    """
    text = unit.strip().removeprefix("in ").removeprefix("x").removeprefix("×").strip()
    power = re.match(r"(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*(?:(?:\^|\*\*)\s*(\d{1,2}))?", text)
    if power is None:
        return None if not text else unit_factor(_WORDS.get(text.lower(), text), dimension)
    value = float(power[1]) ** int(power[2] or 1)
    rest = text[power.end() :].strip()
    factor = unit_factor(rest, dimension) if rest else 1.0
    return value * factor if factor is not None and 0 < value < math.inf else None


def readings(header: str) -> tuple[Reading, ...]:
    """Return every canonical column that a header may name, best first.

    Parameters
    ----------
    header : str

    Examples
    --------
    >>> [(r.column, r.unit) for r in readings("Model Size (B)")]
    [('params', 'B')]
    >>> readings("log10_flops")[0].transform
    'log10'
    """
    if len(header) > _LONGEST_HEADER:
        return ()
    found: dict[str, Reading] = {}
    for part, name in enumerate(_parts(header)):
        for interpretation in _interpretations(name):
            for reading in _named(*interpretation):
                behind = replace(reading, rank=reading.rank + 200 * part)
                found.setdefault(reading.column, behind)
    if "loss" in found and _is_of_training(header):
        loss = found["loss"]
        found["loss"] = replace(loss, rank=loss.rank + _BEHIND_HELD_OUT)
    return tuple(found.values())


def _is_of_training(header: str) -> bool:
    """Return whether a header says that its loss is of the training data."""
    words = set(_words(header))
    return bool(words & _TRAINING) and not words & _HELD_OUT


def _words(text: str) -> list[str]:
    """Return the words of a header in lower case; ``nParams`` has two."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", " ", text)
    return re.findall(r"[a-z0-9]+", spaced.lower())


def _named(name: str, unit: str, transform: Transform, how: str) -> Iterator[Reading]:
    yield from _by_alias(normalise(name), unit, transform, how)
    if not unit and not transform:
        yield from _loss_by_unit(name)
        yield from _by_unit(name)
    for reading in _by_alias(_core(name), unit, transform, how):
        yield replace(reading, rank=reading.rank + _LOOSE_RANK)


def _core(name: str) -> str:
    """Return a header without the words that leave its quantity the same; empty for a path."""
    words = _words(name)
    core = "".join(word for word in words if word not in _QUALIFIERS)
    return "" if "/" in name else core or ("n" if "n" in words else "")


def _by_alias(key: str, unit: str, transform: Transform, how: str) -> Iterator[Reading]:
    for column, rank in _aliases().get(key, ()):
        if transform and COLUMNS[column].kind != "number":
            continue
        if unit and not _fits(unit, column):
            continue
        yield Reading(column=column, rank=rank, unit=unit, transform=transform, reason=how)


def _by_unit(name: str) -> Iterator[Reading]:
    """Yield a reading of a header that names a quantity by its unit alone: ZFLOPs, GPU hours.

    Smaller units than EFLOP are of training only where a word says so: they may be a speed, or one
    forward pass.
    """
    words = _words(name)
    unit = " ".join(word for word in words if word not in _QUALIFIERS)
    is_total = bool(_QUALIFIERS & set(words))
    factor = unit_factor(unit, "flop") if re.search(r"flop|fs? ?days?$", unit) else None
    if factor is not None and (factor >= 1e18 or (is_total and factor > 1.0)):
        yield Reading(
            column="compute_flop", rank=80, unit=unit, reason="its header is a unit of compute"
        )
    if unit_factor(unit, "accelerator_seconds") is not None and len(unit.split()) > 1:
        reason = "its header is a unit of accelerator time"
        yield Reading(column="accelerator_seconds", rank=80, unit=unit, reason=reason)


def _loss_by_unit(header: str) -> Iterator[Reading]:
    """Yield a reading of a header that names the loss by its unit alone: ppl, val_bpb, c4_ppl."""
    key = normalise(header)
    match = _LOSS_BY_UNIT.fullmatch(key)
    of, name = (match["of"], match["unit"]) if match else ("", key)
    is_plain = of in _HELD_OUT | {"", "final"}
    if "/" in header and not is_plain:
        return  # a path, of which the last part is read by itself
    rank = 40 if is_plain else 90
    if name in _PERPLEXITY_NAMES:
        reason = "perplexity, whose logarithm is the loss"
        yield Reading(column="loss", rank=rank + 5, unit=PERPLEXITY, reason=reason)
    elif name in _LOG_PERPLEXITY_NAMES:
        reason = "the logarithm of perplexity, which is the loss"
        yield Reading(column="loss", rank=rank + 5, unit="nats/token", reason=reason)
    elif name in _LOSS_UNITS:
        unit = re.sub("(?:per)?(token|byte|char)", r"/\1", name)
        yield Reading(column="loss", rank=rank, unit=unit, reason="its header is a unit of loss")


def _fits(unit: str, column: str) -> bool:
    if column == "loss":
        return loss_unit(unit) is not None
    dimension = COLUMNS[column].dimension
    return dimension is not None and bare_factor(unit, dimension) is not None


def _parts(header: str) -> Iterator[str]:
    """Yield the header, and the last part of a path such as W&B's ``train/global_step``."""
    text = header.strip()
    yield text
    first, _, rest = text.partition("/")
    last = rest.rpartition("/")[2].strip()
    if last not in {"", text}:
        yield last
    if rest and normalise(first) in _HELD_OUT_LOSSES:  # val_loss/dataloader_idx_0
        yield first


def _interpretations(part: str) -> Iterator[tuple[str, str, Transform, str]]:
    """Yield (name, unit, transform, how) from the most literal reading to the loosest."""
    yield part, "", "", "its header is a usual name"
    bracket = re.fullmatch(r"(.+?)\s*[\(\[\{]([^()\[\]{}]+)[\)\]\}]", part)
    if bracket:
        name, unit = bracket[1], bracket[2].strip()
        yield name, unit, "", f"its header is a usual name, with the unit {unit}"
        yield name, "", "", f"its header is a usual name; ({unit}) is not a unit of it"
    for name, transform in _logarithms(part):
        yield name, "", transform, "its header is a usual name, as a logarithm"
    words = [word for word in re.split(r"[\s_\-.,]+", part) if word]
    for size in (1, 2, 3):
        if len(words) > size:
            name, unit = " ".join(words[:-size]), " ".join(words[-size:])
            yield name, unit, "", f"its header is a usual name, with the unit {unit}"


_LOGARITHMS: dict[str, Transform] = {"log10": "log10", "log2": "log2", "log": "log"}


def _logarithms(text: str) -> Iterator[tuple[str, Transform]]:
    match = re.fullmatch(r"(log_?10|log_?2|log_?e|ln|log)[\s_]*(.+)", text, re.IGNORECASE)
    if match:
        base = match[1].lower().replace("_", "")
        yield match[2].strip("()[] "), _LOGARITHMS.get(base, "ln")


@cache
def _aliases() -> dict[str, tuple[tuple[str, int], ...]]:
    """Return, for every normalised alias, the columns it names with the alias's position."""
    index: dict[str, list[tuple[str, int]]] = {}
    for column in COLUMNS.values():
        keys = dict.fromkeys(normalise(alias) for alias in column.aliases)
        keys.setdefault(normalise(column.name))
        for rank, key in enumerate(keys):
            index.setdefault(key, []).append((column.name, rank))
    return {key: tuple(entries) for key, entries in index.items()}
