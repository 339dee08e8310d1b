"""Read one header by the grammar of ``data/columns.toml``: what it may mean, in which unit and why.

``Model Size (B)``, ``log10_flops``, ``loss (bits per byte)``, ``summary/eval/c4_loss`` and
``val/ppl`` all say more than a name, and ``FLOPs/token``, ``eval/tokens`` and ``loss_ci`` are not
what one of their words says. Every word of a header must be accounted for, or it means something
else.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from isoflop.language import lazy_gettext
from isoflop.once import once
from isoflop.tables.reading.columns import PERPLEXITY, Column, LossUnit, normalise, words
from isoflop.units import Dimension, unit_factor

Transform = Literal["", "log10", "log2", "ln", "log", "index"]
"""What the numbers are: logarithms (``"log"`` names no base), or an index that counts from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """One thing that a header may mean.

    Parameters
    ----------
    column : str
        Canonical column.
    cost : int
        Of two headers that mean one column, that of lower cost goes first.
    unit : str
        As written in the header; empty if it names none.
    transform : str
        The header names a logarithm of the quantity.
    reason : str
        For a person.
    doubt : str
        Why it is not certain; empty if it is.
    is_total : bool
        The header speaks of a total.
    """

    column: str
    cost: int
    unit: str = ""
    transform: Transform = ""
    reason: str = ""
    doubt: str = ""
    is_total: bool = False


_LONGEST_HEADER = 200  # characters; a longer one is prose
_WEAKER = 4
_UNKNOWN_SET = 14
_UNIT_AS_NAME = 2
_LOSS_BY_UNIT = 6
_PERPLEXITY_COST = 10
_ONE_OPENING = re.compile(r"(.+?)\s*[\(\[\{（]([^()\[\]{}（）]*)[\)\]\}）]")
_LOGARITHM = re.compile(r"(log_?10|log_?2|log_?e|ln|log)[\s_]*[\(\[](.+)[\)\]]", re.IGNORECASE)
_LOGARITHMS: dict[str, Transform] = {
    "log10": "log10", "log2": "log2", "log": "log", "ln": "ln", "loge": "ln",
}  # fmt: skip
# A unit of loss holds a "per" that divides no two quantities.
_JOINED = re.compile(r"(bits|nats)(byte|token|character|char)")
_LOSS_PER = re.compile(
    r"(?<![a-z])(bit|nat)s?[\s_\-]*(?:/|[\s_\-]per[\s_\-])[\s_\-]*"
    r"(byte|token|tok|character|char)s?(?![a-z])",
    re.IGNORECASE,
)
_PER = re.compile(r"(?<![a-z])per(?![a-z])|/", re.IGNORECASE)
_SEGMENT = re.compile(r"/+|(?<!\d)\.(?!\d)")
_CHINESE = re.compile(r"[\u4e00-\u9fff]+")
# A speed of compute times days is compute: PFLOP/s-days.
_SPEED_DAYS = re.compile(r"(f(?:lops?|s)?)/s(?:ec)?[\s_\-]*(days?)(?![a-z])", re.IGNORECASE)
_WORD_STARTS = re.compile(
    r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[a-z]{4})(?=[KMBT](?:\b|_))|(?<=\b[KMGBT])(?=params|tokens)"
)
# 10^6 params and params x10^6: a power of ten beside a name, without brackets.
_POWER = r"(?:10\s*(?:\^|\*\*)\s*\d{1,2}|1e\d{1,2})"
_POWER_BEFORE = re.compile(rf"(?:[x×*]\s*)?({_POWER})\s+(.+)", re.IGNORECASE)
_POWER_BEHIND = re.compile(rf"(.+?)\s*[x×·*]\s*({_POWER})", re.IGNORECASE)
_SHORTENED = re.compile(r"(?<![a-z])(incl|excl|avg|num|max|min|approx)\.", re.IGNORECASE)
_DEVIATION = re.compile(
    r"(?<![a-z])(?:standard|std)[\s_.\-]*(?:err(?:or)?|dev(?:iation)?)(?![a-z])", re.IGNORECASE
)
# L(N, D) is the loss as a function of these, and C = 6ND is compute by a formula.
_FUNCTION = re.compile(r"(l|loss|n|d|c)\s*\(\s*[ndc]\s*(?:[,;]\s*[ndc]\s*)*\)", re.IGNORECASE)
_FORMULA = re.compile(r"(.*?[a-z].*?)\s*[=≈~]\s*(?=.*[nd])[\dndc·×x*\s.]+", re.IGNORECASE)
# Smaller units than these are of training only where a word says so: they may be of one pass.
_SURELY_TRAINING_FLOP = 1e18


@once(max_entries=20_000)
def meanings(header: str) -> tuple[Meaning, ...]:
    """Return every canonical column that a header may mean, the likeliest first.

    Parameters
    ----------
    header : str

    Examples
    --------
    >>> [(m.column, m.unit) for m in meanings("Model Size (B)")]
    [('params', 'B')]
    >>> meanings("log10_flops")[0].transform
    'log10'
    >>> meanings("FLOP/s"), meanings("eval/tokens"), meanings("loss_ci_low")
    ((), (), ())
    """
    if len(header) > _LONGEST_HEADER:
        return ()
    text = unicodedata.normalize("NFKC", header).strip()
    found: dict[str, Meaning] = {}
    for meaning in sorted(_read(text), key=lambda m: (bool(m.doubt), m.cost)):
        found.setdefault(meaning.column, meaning)
    return tuple(found.values())


def is_column(header: str) -> bool:
    """Return whether a header certainly means some canonical column."""
    return any(not meaning.doubt for meaning in meanings(header))


def loss_unit(unit: str) -> tuple[LossUnit, float] | None:
    """Return the canonical unit that a loss unit is kept in and the factor to it, if known."""
    return words().loss_units.get(normalise(unit))


def bare_factor(unit: str, dimension: Dimension) -> float | None:
    """Return the factor from a header's unit to the canonical one, or None if it is not known.

    Units may be plain numbers, as in ``FLOPs (1E21)`` or ``tokens (x1e9)``.
    """
    text = unit.strip().removeprefix("in ").removeprefix("x").removeprefix("×").strip()
    power = re.match(r"(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*(?:(?:\^|\*\*)\s*(\d{1,2}))?", text)
    if power is None:
        if not text:
            return None
        return unit_factor(words().unit_words.get(text.lower(), text), dimension)
    value = float(power[1]) ** int(power[2] or 1)
    rest = text[power.end() :].strip()
    factor = unit_factor(rest, dimension) if rest else 1.0
    return value * factor if factor is not None and 0 < value < math.inf else None


def split_words(text: str) -> tuple[str, ...]:
    """Return the words of a header as written; ``nParams``, ``paramsB`` and 训练损失 have two.

    Examples
    --------
    >>> split_words("nParams_total"), split_words("训练损失")
    (('n', 'Params', 'total'), ('训练', '损失'))
    """
    spaced = _WORD_STARTS.sub(" ", text)
    found: list[str] = []
    for word in re.findall(r"[^\W_]+", spaced):
        start = 0
        for run in _CHINESE.finditer(word):
            found += [part for part in (word[start : run.start()],) if part]
            found += _segmented(run[0])
            start = run.end()
        found += [word[start:]] if word[start:] else []
    return tuple(found)


def _segmented(run: str) -> Iterator[str]:
    """Yield the longest known words of text that is written without spaces."""
    known = _chinese_words()
    while run:
        size = next((n for n in range(len(run), 1, -1) if run[:n] in known), 0)
        size = size or (1 if run[:1] in known else len(run))
        yield run[:size]
        run = run[size:]


@once
def _chinese_words() -> frozenset[str]:
    every = (*(name for column in words().columns.values() for name in column.aliases),)
    return frozenset(word for word in (*every, *words().groups) if _CHINESE.fullmatch(word))


# --- Names ---

_Strength = Literal["name", "weaker", "doubtful"]
OTHER_THINGS = lazy_gettext("the name is used for other things too")
"""Why a name that the columns' table lists as doubtful is asked about."""


@once
def _names() -> dict[str, tuple[tuple[str, _Strength], ...]]:
    """Return, for every normalised name, the columns it may mean."""
    index: dict[str, dict[str, _Strength]] = {}
    for column in words().columns.values():
        strengths: tuple[tuple[_Strength, tuple[str, ...]], ...] = (
            ("name", column.names),
            ("weaker", column.weaker),
            ("doubtful", column.doubtful),
            ("name", (column.name,)),
        )
        for strength, names in strengths:
            for name in names:
                index.setdefault(_key_of_name(name), {}).setdefault(column.name, strength)
    return {key: tuple(entries.items()) for key, entries in index.items()}


def _key_of_name(name: str) -> str:
    above, per, below = name.partition(" per ")
    return f"{normalise(above)}/{normalise(below).removesuffix('s')}" if per else normalise(name)


# --- A header ---


def _read(text: str) -> Iterator[Meaning]:
    """Yield the meanings of a header, of which one bracket or logarithm may be read first."""
    as_written = _FUNCTION.fullmatch(text) or _FORMULA.fullmatch(text)
    if as_written:
        yield from _read(as_written[1])
        return
    if (before := _POWER_BEFORE.fullmatch(text)) is not None:
        yield from _with_bracket(before[2], before[1])
        return
    if (behind := _POWER_BEHIND.fullmatch(text)) is not None:
        yield from _with_bracket(behind[1], behind[2])
        return
    logarithm = _LOGARITHM.fullmatch(text)
    if logarithm:
        transform = _LOGARITHMS[logarithm[1].lower().replace("_", "")]
        yield from _transformed(_plain(logarithm[2]), transform)
        return
    bracket = _ONE_OPENING.fullmatch(text)
    if bracket:
        yield from _with_bracket(bracket[1], bracket[2].strip())
        return
    yield from _plain(text)
    first, _, rest = text.replace(" ", "_").partition("_")
    if rest and first.lower() in _LOGARITHMS and not first.isdigit():
        rest_text, base = rest, first.lower()
        if base == "log" and rest.startswith(("10_", "2_")):
            number, _, rest_text = rest.partition("_")
            base += number
        yield from _transformed(_plain(rest_text), _LOGARITHMS[base])


def _transformed(found: Iterator[Meaning], transform: Transform) -> Iterator[Meaning]:
    for meaning in found:
        if words().columns[meaning.column].kind != "number" or meaning.unit == PERPLEXITY:
            continue
        doubt = meaning.doubt
        if meaning.column == "loss":
            doubt = lazy_gettext(
                "a loss is a logarithm already, and may or may not be one of a logarithm here"
            )
        reason = lazy_gettext("{reason}, as a logarithm", reason=meaning.reason)
        yield replace(
            meaning, transform=transform, reason=reason, doubt=doubt, cost=meaning.cost + 1
        )


def _with_bracket(name: str, inner: str) -> Iterator[Meaning]:
    """Yield what a name means with a unit, more words, or a remark in brackets behind it."""
    if inner.lower().replace("_", "") in _LOGARITHMS:
        yield from _transformed(_plain(name), _LOGARITHMS[inner.lower().replace("_", "")])
        return
    *others, last = re.split(r"\s*[,;]\s*", inner)
    if others:
        yield from _with_bracket(f"{name} ({', '.join(others)})", last)
        return
    if normalise(inner) in _names() or _is_of_words(inner):  # N (non-embedding), loss (val)
        together = tuple(_plain(f"{name} {inner}"))
        yield from together
        if together:
            return
    for meaning in _read(name):
        if _fits(inner, meaning.column) and not meaning.unit:
            reason = lazy_gettext("its header is a usual name, with the unit {inner}", inner=inner)
            yield replace(meaning, unit=inner, reason=reason)
        elif meaning.column in dict(_names().get(normalise(inner), ())):
            yield meaning  # Tokens (D), Loss (L)
        elif normalise(inner) in words().comments or not normalise(inner):
            reason = lazy_gettext(
                "{reason}; ({inner}) is not a unit of it", reason=meaning.reason, inner=inner
            )
            yield replace(meaning, reason=reason)
        elif _is_of_words(inner) or _is_other_unit(inner):
            continue
        elif words().columns[meaning.column].kind != "number":
            yield meaning
        else:
            doubt = lazy_gettext(
                "({inner}) is neither a unit of it nor a remark that changes nothing", inner=inner
            )
            yield replace(meaning, doubt=meaning.doubt or doubt, cost=meaning.cost + _WEAKER)


def _is_of_words(text: str) -> bool:
    """Return whether a remark is made of the grammar's own words."""
    known = words().groups
    found = [word.lower() for word in split_words(text)]
    parts = {part for key in _names_of_several() for part in key}
    return bool(found) and all(word in known or word.isdigit() or word in parts for word in found)


@once
def _names_of_several() -> frozenset[tuple[str, ...]]:
    """Return the words of the names that have several, such as non embedding params."""
    every = (name for column in words().columns.values() for name in column.aliases)
    split = (tuple(word.lower() for word in split_words(name)) for name in every)
    return frozenset(found for found in split if len(found) > 1)


def _fits(unit: str, column: str) -> bool:
    if not unit:
        return False
    if column in {"loss", "loss_std"}:
        return loss_unit(unit) is not None and normalise(unit) != "unknown"
    dimension = words().columns[column].dimension
    return dimension is not None and bare_factor(unit, dimension) is not None


def _is_other_unit(text: str) -> bool:
    """Return whether a text is a unit of any dimension at all, or of a loss."""
    return loss_unit(text) is not None or any(
        bare_factor(text, dimension) is not None for dimension in get_args(Dimension)
    )


def _plain(text: str) -> Iterator[Meaning]:
    text = _LOSS_PER.sub(lambda m: f" {m[1]}s{m[2]} ".lower().replace("tok ", "token "), text)
    text = _DEVIATION.sub("stderr", _SPEED_DAYS.sub(r"\1 \2", _SHORTENED.sub(r"\1 ", text)))
    ratio = _ratio(text)
    if ratio is not None:
        yield from _of_ratio(*ratio)
        return
    segments = [split_words(part) for part in _SEGMENT.split(text)]
    segments = [segment for segment in segments if segment]
    if segments:
        yield from _of_segments(segments)


# --- Ratios ---


def _ratio(text: str) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Return the words above and below a fraction bar, or None for a header that is no ratio.

    What stands before a slash is a part of a path unless it is a quantity, and what stands behind
    it one that others are divided by.
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", " ", text).replace("_", " ")
    spaced = re.sub(r"(?<=\w)-(?=\w)", " ", spaced)
    for bar in _PER.finditer(spaced):
        above, below = _without_path(spaced[: bar.start()]), split_words(spaced[bar.end() :])
        if not above or not below:
            continue
        is_bar = bar[0] == "/"
        head = split_words(re.split(r"/", spaced[bar.end() :])[0])
        last = split_words(re.split(r"/", spaced[: bar.start()])[-1])
        if not is_bar or (_divides(head) and _is_quantity(last)):
            return above, below
    return None


def _without_path(text: str) -> tuple[str, ...]:
    """Return the words of a path without its leading parts that change nothing."""
    *path, last = text.split("/")
    kept = [
        word
        for part in path
        for word in split_words(part)
        if word.lower() not in words().namespaces
    ]
    return (*kept, *split_words(last))


def _divides(segment: Sequence[str]) -> bool:
    core = [word.lower() for word in segment if word.lower() not in _neutral()]
    core = core or [word.lower() for word in segment]
    return bool(core) and all(word in words().denominators for word in core)


@once
def _neutral() -> frozenset[str]:
    return frozenset(word for word, groups in words().groups.items() if "neutral" in groups) | {
        word for word, groups in words().groups.items() if "total" in groups
    }


def _is_quantity(segment: Sequence[str]) -> bool:
    """Return whether a part of a path holds a quantity, or anything that is counted or measured."""
    found = _of_segments([tuple(segment)])
    if any(words().columns[meaning.column].kind == "number" for meaning in found):
        return True
    lower = [word.lower() for word in segment]
    if all(word in words().groups or word in words().namespaces for word in lower):
        return False
    return any(
        word in words().denominators
        or any(
            unit_factor(word, dimension) is not None
            for dimension in ("flop", "tokens", "bytes", "usd", "joules", "watts")
        )
        for word in lower
        if len(word) > 1 or word in {"d", "n", "c"}
    )


def _of_ratio(above: Sequence[str], below: Sequence[str]) -> Iterator[Meaning]:
    """Yield the column that a ratio as a whole is."""
    for column in words().columns.values():
        over, cost = _taken(above, column)
        under, _ = _taken(below, column)
        for unit_size in (0, 1):  # a bare magnitude, as in GFLOPs per token, is a unit
            name = over[unit_size:]
            key = f"{normalise(''.join(name))}/{normalise(''.join(under)).removesuffix('s')}"
            if unit_size == 0 and (column.name, "name") in _names().get(key, ()):
                yield Meaning(
                    column=column.name,
                    cost=cost,
                    reason=lazy_gettext("its header is a usual ratio"),
                )
        if column.name == "flop_per_token" and len(over) == 1:
            factor = unit_factor(over[0], "flop")
            if factor is not None and factor > 1 and normalise("".join(under)) in {"token", "tok"}:
                yield Meaning(
                    column=column.name,
                    cost=cost,
                    unit=over[0],
                    reason=lazy_gettext("its header is a ratio"),
                )


def _taken(segment: Sequence[str], column: Column) -> tuple[list[str], int]:
    """Return the words of a segment that the column does not take, and what the others cost."""
    rest, cost = [], 0
    for word in segment:
        price = _price(word.lower(), column)
        if price is None or len(segment) == 1:
            rest.append(word)
        else:
            cost += price
    return rest or list(segment), cost


def _price(word: str, column: Column) -> int | None:
    """Return what a word costs beside a column's name; None if it is not taken."""
    groups = words().groups.get(word, ())
    prices = [column.takes[group] for group in groups if group in column.takes]
    return min(prices) if prices else None


# --- Names with words beside them ---


def _of_segments(segments: Sequence[Sequence[str]]) -> Iterator[Meaning]:
    """Yield what the segments of a path mean: a name in one of them, all other words accounted."""
    spans: dict[str, tuple[int, int, int, int, _Strength]] = {}  # column: segment, span, ...
    for s, segment in enumerate(segments):
        keys = [normalise(word) for word in segment]
        for i in range(len(keys)):
            for j in range(i + 1, min(len(keys), i + 6) + 1):
                key = "".join(keys[i:j])
                for named, strength in _names().get(key, ()):
                    held = spans.get(named)
                    weight = (strength != "doubtful") * 100 + len(key)
                    if held is None or (weight, s) >= (held[3], held[0]):
                        spans[named] = (s, i, j, weight, strength)
    for name, (s, i, j, _, strength) in spans.items():
        column = words().columns[name]
        before = [word for segment in segments[:s] for word in segment]
        beside = [*segments[s][:i], None, *segments[s][j:]]
        behind = [word for segment in segments[s + 1 :] for word in segment]
        meaning = Meaning(
            column=name,
            cost=_WEAKER if strength == "weaker" else 0,
            reason=lazy_gettext("its header is a usual name"),
            doubt=OTHER_THINGS if strength == "doubtful" else "",
        )
        if name == "loss":
            yield from _of_loss(meaning, before, [w for w in (*beside, *behind) if w is not None])
        else:
            yield from _of_number(meaning, column, before, beside, behind)
    yield from _by_unit(segments)
    if "loss" not in spans:
        every = [word for segment in segments for word in segment]
        yield from _of_loss(None, every[:0], every)


def _of_number(
    meaning: Meaning,
    column: Column,
    before: Sequence[str],
    beside: Sequence[str | None],
    behind: Sequence[str],
) -> Iterator[Meaning]:
    """Account for the words around the name of a column other than the loss."""
    cost, doubt, total = meaning.cost, meaning.doubt, False
    for word in map(str.lower, before):
        price = _price(word, column)
        if price is not None:
            cost += price
            total |= "total" in words().groups[word]
        elif word in words().namespaces:
            continue
        elif word in words().groups:
            return
        else:
            doubt = doubt or lazy_gettext("it is not known what {word} stands for", word=word)
            cost += 1
    rest: list[str | None] = []
    for written in (*beside, *behind):
        price = None if written is None else _price(written.lower(), column)
        if price is None:
            rest.append(written)
        else:
            cost += price
            total |= written is not None and "total" in words().groups[written.lower()]
    unit = " ".join(word for word in rest if word is not None)
    is_together = None in (rest[:1] + rest[-1:])  # words on one side of the name only
    if unit and not (is_together and column.kind == "number" and _fits(unit, column.name)):
        return
    reason = (
        lazy_gettext("{reason}, with the unit {unit}", reason=meaning.reason, unit=unit)
        if unit
        else meaning.reason
    )
    yield replace(meaning, cost=cost, doubt=doubt, unit=unit, reason=reason, is_total=total)


def _of_loss(
    meaning: Meaning | None, before: Sequence[str], around: Sequence[str]
) -> Iterator[Meaning]:
    """Account for the words around the name of a loss, or around a unit that stands for it."""
    unit, rest = _unit_of_loss([*before, *around])
    if meaning is None:
        if not unit:
            return
        meaning = Meaning(
            column="loss", cost=_LOSS_BY_UNIT, reason=lazy_gettext("its header is a unit of loss")
        )
    if unit:
        meaning = _in_unit(meaning, unit)
    leading = [word.lower() for word in rest[: len(before)]]
    beside = [word.lower() for word in rest[len(before) :]]
    deviations = [word for word in beside if "deviation" in words().groups.get(word, ())]
    if deviations:
        reason = lazy_gettext("its header names the standard error of a loss")
        of = "" if meaning.unit == PERPLEXITY else meaning.unit  # as that of the loss beside it
        meaning = replace(meaning, column="loss_std", unit=of, reason=reason)
        beside = [word for word in beside if word not in deviations]
    if any(_is_other_than_loss(word) for word in beside):
        return
    cost, unknown = _cost_of_set(leading, beside)
    groups = {group for word in (*leading, *beside) for group in words().groups.get(word, ())}
    is_held_out = bool(groups & {"validation", "test"})
    takes = words().columns["loss"].takes
    if is_held_out:  # a validation loss of the training run is held out
        cost += min(takes[group] for group in groups & {"validation", "test"})
    elif "train" in groups:
        cost += takes["train"]
    is_told = is_held_out or ("train" not in groups and bool(groups & {"sets", "mean"}))
    doubt = meaning.doubt
    if unknown:
        cost += _UNKNOWN_SET
        if not is_told:
            doubt = doubt or lazy_gettext(
                "it is not known what {unknown} says of the loss", unknown=unknown
            )
    yield replace(meaning, cost=meaning.cost + cost, doubt=doubt)


def _in_unit(meaning: Meaning, unit: str) -> Meaning:
    """Return what a loss means in a unit that its header names."""
    if normalise(unit) in {"perplexity", "ppl"}:
        reason = lazy_gettext("its header names perplexity, whose logarithm is the loss")
        cost = meaning.cost + _PERPLEXITY_COST
        return replace(meaning, unit=PERPLEXITY, cost=cost, reason=reason)
    shown = _JOINED.sub(r"\1 per \2", unit)
    return replace(meaning, unit=shown, reason=lazy_gettext("its header names a unit of loss"))


def _is_other_than_loss(word: str) -> bool:
    """Return whether a word beside a loss makes it another quantity."""
    if word in _LOGARITHMS:
        return True  # read as a logarithm, or not at all
    groups = words().groups.get(word)
    return groups is not None and _price(word, words().columns["loss"]) is None


def _cost_of_set(leading: Sequence[str], beside: Sequence[str]) -> tuple[int, str]:
    """Return what the words around a loss cost, without its split, and one that is not known."""
    column = words().columns["loss"]
    cost, unknown = 0, ""
    for position, word in enumerate((*leading, *beside)):
        price = _price(word, column)
        if price is not None:
            is_split = words().groups[word] & {"validation", "test", "train"}
            cost += 0 if is_split else price
        elif word in words().namespaces and position < len(leading):
            continue
        elif word.isdigit():
            cost += 1
        else:
            unknown = unknown or word
    return cost, unknown


def _unit_of_loss(found: Sequence[str]) -> tuple[str, list[str]]:
    """Return the unit of loss among some words, and the others."""
    known = words().loss_units
    for size in (3, 2, 1):
        for start in range(len(found) - size + 1):
            unit = " ".join(found[start : start + size])
            key = normalise(unit)
            if key in known and key != "unknown":
                return unit, [*found[:start], *found[start + size :]]
    return "", list(found)


def _by_unit(segments: Sequence[Sequence[str]]) -> Iterator[Meaning]:
    """Yield what a header means that names a quantity by its unit alone: ZFLOPs, GPU hours."""
    unit, cost, is_said = _left_over(segments, words().columns["compute_flop"])
    if re.search(r"flops?$|(?:fs?|flops?) ?days?$", unit, re.IGNORECASE):
        factor = unit_factor(unit, "flop") or 0.0
        if factor >= _SURELY_TRAINING_FLOP or (is_said and factor > 1.0):
            yield Meaning(
                column="compute_flop",
                cost=cost + _UNIT_AS_NAME,
                unit=unit,
                reason=lazy_gettext("its header is a unit of compute"),
                is_total=is_said,
            )
    unit, cost, _ = _left_over(segments, words().columns["accelerator_seconds"])
    if " " in unit and unit_factor(unit, "accelerator_seconds") is not None:
        yield Meaning(
            column="accelerator_seconds",
            cost=cost + _UNIT_AS_NAME,
            unit=unit,
            reason=lazy_gettext("its header is a unit of accelerator time"),
        )


def _left_over(segments: Sequence[Sequence[str]], column: Column) -> tuple[str, int, bool]:
    """Return the words that a column does not take, what the others cost, and if there are any."""
    rest, cost, is_said = [], 0, False
    for position, segment in enumerate(segments):
        for word in segment:
            price = _price(word.lower(), column)
            if price is not None:
                cost, is_said = cost + price, True
            elif position == len(segments) - 1 or word.lower() not in words().namespaces:
                rest.append(word)
    return " ".join(rest), cost, is_said
