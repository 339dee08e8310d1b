"""Ask where what was read contradicts the file, or anything that was ever trained.

A number that no header explains is not corrected in silence: the likeliest answer is proposed. Only
what the file itself says settles a unit: a perplexity beside a loss, or compute beside N and D.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.language import lazy_gettext
from isoflop.tables.derive import FLOP_PER_PARAM_TOKEN
from isoflop.tables.mapping import (
    LOWER,
    OWN,
    Choice,
    ColumnRole,
    Question,
    column_choice,
    own_name,
    role_factor,
    unit_choice,
    where,
)
from isoflop.tables.problems import shorten
from isoflop.tables.reading.columns import PERPLEXITY, words
from isoflop.tables.reading.header import loss_unit, meanings
from isoflop.tables.reading.sample import Sample
from isoflop.units import NATS_PER_BIT, format_number

AS_THEY_STAND = "1"
"""A unit that leaves numbers as they are."""

_MAGNITUDES = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
_FLOP_UNITS = {"GFLOP": 1e9, "TFLOP": 1e12, "PFLOP": 1e15, "EFLOP": 1e18}
_FLOP_UNITS |= {"ZFLOP": 1e21, "PF-days": 8.64e19}
_NAMES = {"K": "thousands", "M": "millions", "B": "billions", "T": "trillions"}
_NOUNS = {"params": "parameters", "tokens": "tokens", "compute_flop": "FLOP"}
_USUAL_TOKENS_PER_PARAM = 20.0
_USUAL = {"params": 1e9, "tokens": 2e10, "compute_flop": 1.2e20}
_TINY = 1e-300
_LARGEST_LOGARITHM = 110.0
_LOGARITHMS = (
    ("log10", 10.0, lazy_gettext("logarithms to base 10")),
    ("ln", math.e, lazy_gettext("natural logarithms")),
    ("log2", 2.0, lazy_gettext("logarithms to base 2")),
)
_NARROW = 1.6
_MOST_CODINGS = 6
_FORWARD_ONLY = 1 / 3
_MATCHES = 0.02
"""How near a perplexity must be to the power of a loss, in log perplexity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What was read of the columns that are checked: median values by column, from the sample."""

    roles: dict[str, ColumnRole]
    values: dict[str, NDArray[np.float64]]
    sample: Sample
    settled: frozenset[str]

    def median(self, *factors: tuple[str, int]) -> float:
        """Return the median of a product of powers of columns; NaN where none is known."""
        with np.errstate(all="ignore"):
            product = np.prod(
                [self.values[name] ** power for name, power in factors], axis=0, dtype=np.float64
            )
        known = product[np.isfinite(product) & (product > 0)]
        return float(np.median(known)) if len(known) else math.nan

    def spread(self, column: str) -> float:
        """Return how many times its smallest number a column's largest is."""
        values = self.values[column]
        known = values[np.isfinite(values) & (values > 0)]
        return float(known.max() / known.min()) if len(known) else math.inf

    def has(self, *columns: str) -> bool:
        return all(column in self.roles for column in columns)

    def is_open(self, column: str) -> bool:
        """Return whether nobody has said what a column is."""
        return self.has(column) and self.roles[column].header not in self.settled

    def is_unitless(self, column: str) -> bool:
        """Return whether neither the header nor the cells of a column name a unit."""
        role = self.roles[column]
        return not role.unit and not role.transform and self.sample.is_bare(role.header)


def check(
    sample: Sample, roles: Sequence[ColumnRole], settled: frozenset[str]
) -> tuple[list[ColumnRole], list[Question]]:
    """Check what was read for plausibility.

    Parameters
    ----------
    sample : Sample
    roles : sequence of ColumnRole
    settled : frozenset of str
        Headers of which nothing is asked: it was said, or is asked about already.

    Returns
    -------
    roles : list of ColumnRole
        With the unit that the file itself bears out.
    questions : list of Question
    """
    by_column = {role.column: role for role in roles if role.kind == "canonical"}
    for other in ("params_nonembedding", "params_active"):  # the only count is the size
        if other in by_column:
            by_column.setdefault("params", by_column[other])
    checked = {
        name: role
        for name, role in by_column.items()
        if name
        in {"params", "params_active", "tokens", "compute_flop", "loss", "vocabulary", "step"}
    }
    read = _Read(
        roles=checked,
        values={name: sample.of_role(role) for name, role in checked.items()},
        sample=sample,
        settled=settled,
    )
    apart = _no_compute(read)
    if apart is not None:
        others = [apart if r.header == apart.header else r for r in roles]
        return check(sample, others, settled)
    questions = _sizes(read)
    changed = list(roles)
    if read.is_open("loss"):
        borne_out = _by_perplexity(read, roles)
        if borne_out is not None:
            changed = [borne_out if r.header == borne_out.header else r for r in roles]
        else:
            questions += _loss(read)
    return changed, [*questions, *_per_byte(changed)]


def _no_compute(read: _Read) -> ColumnRole | None:
    """Return the role of a column that in no unit is the compute of its N and D, or None."""
    if not read.is_open("compute_flop") or not read.is_unitless("compute_flop"):
        return None
    ratio, (low, high) = _over_6nd(read), words().plausible["compute_over_6nd"]
    smallest = words().plausible["compute_flop"][0]
    is_some_unit = any(low <= ratio * factor <= high for factor in (1.0, *_FLOP_UNITS.values()))
    if math.isnan(ratio) or is_some_unit or read.median(("compute_flop", 1)) >= smallest:
        return None
    role = read.roles["compute_flop"]
    reason = lazy_gettext(
        "{reason}, but in no unit is it near 6 N D; kept under its own name", reason=role.reason
    )
    return replace(role, column=own_name(role.header), reason=reason)


# --- Sizes ---


def _sizes(read: _Read) -> list[Question]:
    """Return the questions about N, D and C; one that explains another goes alone."""
    questions = [q for name in _NOUNS if read.is_open(name) for q in _range(read, name)]
    if questions:
        return questions
    return _ratio(read) or _compute(read)


def _range(read: _Read, column: str) -> list[Question]:
    """Ask about a column whose median is far from anything ever trained."""
    low, high = words().plausible[column]
    median = read.median((column, 1))
    if math.isnan(median) or low <= median <= high:
        return []
    role, noun = read.roles[column], _NOUNS[column]
    if median < low:
        why = lazy_gettext(
            "Its median is {median:.4g}: too few {noun} to be counted one by "
            "one, and neither the header nor the cells name a unit.",
            median=median,
            noun=noun,
        )
    else:
        why = lazy_gettext(
            "Its median is {median} {noun}, more than anything ever trained.",
            median=format_number(median),
            noun=noun,
        )
    choices = _unit_choices(read, column)
    return [
        Question(
            header=role.header,
            text=lazy_gettext("In which unit is {header}?", header=shorten(role.header)),
            why=why,
            choices=choices,
        )
    ]


def _unit_choices(read: _Read, column: str) -> tuple[Choice, ...]:
    """Return the units that a column may be in, the likeliest first, and that it stands as is."""
    role = read.roles[column]
    units = _FLOP_UNITS if column == "compute_flop" else _MAGNITUDES
    median = read.median((column, 1)) / (role_factor(role) or 1.0)

    def surprise(item: tuple[str, float]) -> float:
        others = {"params", "tokens", "compute_flop"} - {column}
        if all(read.has(name) and read.median((name, 1)) >= 1e3 for name in others):
            ratio = read.median(("compute_flop", 1), ("params", -1), ("tokens", -1))
            ratio /= FLOP_PER_PARAM_TOKEN
            power = 1 if column == "compute_flop" else -1
            return abs(math.log10(ratio * item[1] ** power)) if ratio > 0 else math.inf
        other = "tokens" if column == "params" else "params"
        if column != "compute_flop" and read.has(other) and read.median((other, 1)) >= 1e4:
            ratio = read.median(("tokens", 1), ("params", -1))
            power = 1 if column == "tokens" else -1
            return abs(math.log10(ratio * item[1] ** power / _USUAL_TOKENS_PER_PARAM))
        return abs(math.log10(max(median * item[1], _TINY) / _USUAL[column]))

    ranked = sorted(units.items(), key=surprise)
    exponents = _as_logarithms(read, column)
    found = [unit_choice(role.header, unit, _NAMES.get(unit, unit)) for unit, _ in ranked[:3]]
    last = _as_it_stands(role, lazy_gettext("as they stand"))
    if read.spread(column) < _NARROW:
        return (*exponents, *found, last)
    return (*found, *exponents, last)


def _as_it_stands(role: ColumnRole, label: str) -> Choice:
    """Return the answer that a column is what it was read as."""
    return unit_choice(role.header, role.transform or role.unit or AS_THEY_STAND, label)


def _as_logarithms(read: _Read, column: str) -> tuple[Choice, ...]:
    """Return the answers that numbers are logarithms, to the bases that give usual sizes."""
    low, high = words().usual[column]
    median = read.median((column, 1))
    if median > _LARGEST_LOGARITHM:
        return ()
    return tuple(
        unit_choice(read.roles[column].header, transform, label)
        for transform, base, label in _LOGARITHMS
        if low <= base**median <= high
    )


def _ratio(read: _Read) -> list[Question]:
    """Ask where tokens per parameter are beyond anything ever trained."""
    if not read.has("params", "tokens"):
        return []
    low, high = words().plausible["tokens_per_param"]
    ratio = read.median(("tokens", 1), ("params", -1))
    if math.isnan(ratio) or low <= ratio <= high or _is_borne_out(read):
        return []
    if ratio < low and read.has("step"):
        return []  # the beginning of a learning curve
    order = ("params", "tokens") if ratio > high else ("tokens", "params")
    open_ones = [name for name in order if read.is_open(name)]
    blamed = next((name for name in open_ones if read.is_unitless(name)), "")
    if not blamed or (len(open_ones) < len(order) and not read.is_unitless(blamed)):
        return []
    role = read.roles[blamed]
    other = read.roles["tokens" if blamed == "params" else "params"].header
    return [
        Question(
            header=role.header,
            text=lazy_gettext("In which unit is {header}?", header=shorten(role.header)),
            why=lazy_gettext(
                "As they stand, rows have {ratio} tokens per parameter, "
                "{more_or_fewer} than anything ever trained, and neither the header "
                "nor the cells name a unit.",
                ratio=format_number(ratio),
                more_or_fewer=lazy_gettext("more") if ratio > high else lazy_gettext("fewer"),
            ),
            choices=_unit_choices(read, blamed),
            about=(other,),
        )
    ]


def _over_6nd(read: _Read) -> float:
    size = "params_active" if read.has("params_active") else "params"
    if not read.has(size, "tokens", "compute_flop"):
        return math.nan
    return read.median(("compute_flop", 1), (size, -1), ("tokens", -1)) / FLOP_PER_PARAM_TOKEN


def _is_borne_out(read: _Read) -> bool:
    """Return whether compute in the file agrees with its N and D."""
    low, high = words().plausible["compute_over_6nd"]
    ratio = _over_6nd(read)
    is_forward_only = abs(ratio / _FORWARD_ONLY - 1) < _MATCHES
    return low <= ratio <= high and not is_forward_only


def _compute(read: _Read) -> list[Question]:
    """Ask where compute contradicts 6 N D, of active parameters for a mixture of experts."""
    ratio = _over_6nd(read)
    if math.isnan(ratio) or _is_borne_out(read) or not read.is_open("compute_flop"):
        return []
    role = read.roles["compute_flop"]
    low, high = words().plausible["compute_over_6nd"]
    units = [
        unit
        for unit, factor in _FLOP_UNITS.items()
        if read.is_unitless("compute_flop") and low <= ratio * factor <= high
    ]
    choices = [unit_choice(role.header, unit, unit) for unit in units]
    left_out = column_choice(
        role.header, OWN, lazy_gettext("something else: count compute as 6 N D")
    )
    kept = _as_it_stands(role, lazy_gettext("as it stands"))
    return [
        Question(
            header=role.header,
            text=lazy_gettext(
                "Is {header} the training compute, in FLOP?", header=shorten(role.header)
            ),
            why=lazy_gettext(
                "It is {ratio} times 6 N D in the middle; other ways of counting "
                "explain a factor of about 2.",
                ratio=format_number(ratio),
            ),
            choices=(*choices, left_out, kept),
            about=tuple(read.roles[name].header for name in ("params", "tokens") if read.has(name)),
        )
    ]


# --- Loss ---


def _by_perplexity(read: _Read, roles: Sequence[ColumnRole]) -> ColumnRole | None:
    """Return the loss's role in bits where a perplexity beside it is a power of 2, or None."""
    role = read.roles["loss"]
    if role.unit or role.transform:
        return None
    losses = read.values["loss"]
    for other in roles:
        named = [m for m in meanings(other.header) if m.column == "loss" and m.unit == PERPLEXITY]
        if other.header == role.header or not named:
            continue
        nats = read.sample.of_role(ColumnRole(header=other.header, column="loss", unit=PERPLEXITY))
        known = np.isfinite(nats) & np.isfinite(losses) & (losses > 0)
        if not known.any():
            continue
        bits = nats[known] / NATS_PER_BIT
        if np.median(np.abs(nats[known] / losses[known] - 1)) < _MATCHES:
            return None  # e to the loss: nats, as the rule has it
        if np.median(np.abs(bits / losses[known] - 1)) < _MATCHES:
            reason = lazy_gettext(
                "{reason}; {header} is 2 to its power, so it is in bits",
                reason=role.reason,
                header=shorten(other.header),
            )
            return replace(role, unit="bits per token", reason=reason)
    return None


def _loss(read: _Read) -> list[Question]:
    """Ask about losses that cannot be nats per token, and about two codings in one column."""
    role = read.roles["loss"]
    is_nats = not role.unit or (loss_unit(role.unit) or ("", 0))[1] == 1.0
    if role.unit in {PERPLEXITY} or role.transform or not is_nats:
        return _two_codings(read)
    losses = read.values["loss"]
    known = losses[np.isfinite(losses)]
    if not len(known):
        return []
    most, why = words().nats_per_token_at_most, lazy_gettext("no tokenizer has so many tokens")
    if read.has("vocabulary") and np.isfinite(read.values["vocabulary"]).any():
        vocabulary = float(np.nanmedian(read.values["vocabulary"]))
        most, why = (
            math.log(vocabulary),
            lazy_gettext("the vocabulary has {vocabulary:,.0f} tokens", vocabulary=vocabulary),
        )
    median = float(np.median(known))
    first = _at_first_step(read)
    worst = max(median, first) if not math.isnan(first) else median
    if worst <= most * 1.02:
        return _two_codings(read)
    bits = unit_choice(role.header, lazy_gettext("bits per token"), lazy_gettext("bits per token"))
    perplexity = unit_choice(role.header, PERPLEXITY, "perplexity")
    unknown = unit_choice(role.header, "unknown", lazy_gettext("another unit: keep as it stands"))
    is_bits = worst * NATS_PER_BIT <= most * 1.05
    likely = (bits, perplexity) if is_bits else (perplexity, bits)
    return [
        Question(
            header=role.header,
            text=lazy_gettext("In which unit is {header}?", header=shorten(role.header)),
            why=lazy_gettext(
                "It is {worst:.4g}{when}, more than the {most:.3g} nats per token of "
                "a model that knows nothing: {why}.",
                worst=worst,
                when="" if worst == median else lazy_gettext(" at first"),
                most=most,
                why=why,
            ),
            choices=(*likely, unknown),
        )
    ]


def _at_first_step(read: _Read) -> float:
    if not read.has("step"):
        return math.nan
    steps, losses = read.values["step"], read.values["loss"]
    known = np.isfinite(steps) & np.isfinite(losses)
    if not known.any():
        return math.nan
    return float(np.median(losses[known][steps[known] == steps[known].min()]))


def _two_codings(read: _Read) -> list[Question]:
    """Ask where one (N, D) has losses of which one is the other in bits, or its perplexity."""
    sizes = [name for name in ("params", "tokens") if read.has(name)]
    if len(sizes) < 2:
        return []
    losses = read.values["loss"]
    if not pd.DataFrame({name: read.values[name] for name in sizes}).duplicated().any():
        return []
    n_pairs, n_bits = 0, 0
    pairs: list[tuple[int, int]] = []  # rows of the lower and the higher coding
    groups: dict[tuple[float, float], list[int]] = {}
    for row, (params, tokens, loss) in enumerate(
        zip(*(read.values[name].tolist() for name in sizes), losses.tolist(), strict=True)
    ):
        if math.isfinite(params) and math.isfinite(tokens) and 0 < loss < math.inf:
            groups.setdefault((params, tokens), []).append(row)
    for rows in groups.values():
        first = min(rows, key=lambda row: losses[row])
        last = max(rows, key=lambda row: losses[row])
        low, high = float(losses[first]), float(losses[last])
        if len(rows) > 1 and high > 1.2 * low:
            n_pairs += 1
            is_bits = abs(high / low * NATS_PER_BIT - 1) < _MATCHES
            if is_bits or abs(math.log(high) / low - 1) < _MATCHES:
                pairs.append((first, last))
                n_bits += is_bits
    if len(pairs) < 2 or len(pairs) < 0.5 * n_pairs:
        return []
    role = read.roles["loss"]
    other = lazy_gettext("bits per token") if 2 * n_bits >= len(pairs) else PERPLEXITY
    return [
        Question(
            header=role.header,
            text=lazy_gettext(
                "Is every row of {header} in the same unit?", header=shorten(role.header)
            ),
            why=lazy_gettext(
                "At {pairs} settings of N and D the losses differ as bits and nats "
                "do, or as a perplexity and its logarithm.",
                pairs=len(pairs),
            ),
            choices=(
                *_one_coding(read, role, pairs, other),
                unit_choice(
                    role.header,
                    lazy_gettext("nats per token"),
                    lazy_gettext("yes, all in nats per token"),
                ),
                unit_choice(role.header, "unknown", lazy_gettext("yes, in another unit")),
            ),
        )
    ]


def _one_coding(
    read: _Read, role: ColumnRole, pairs: Sequence[tuple[int, int]], other: str
) -> tuple[Choice, ...]:
    """Return the answers that keep the rows of one coding, by the column that tells them apart."""
    frame = read.sample.frame
    for header in read.sample.raw.headers:
        cells = frame[header]
        if header == role.header or not 2 <= cells.nunique() <= _MOST_CODINGS:
            continue
        lows = {str(cells.iloc[low]) for low, _ in pairs}
        highs = {str(cells.iloc[high]) for _, high in pairs}
        if len(lows) == len(highs) == 1 and lows != highs:
            return tuple(
                unit_choice(
                    role.header,
                    where(unit, f"{header}={value}"),
                    lazy_gettext(
                        "no: keep the rows of {value}, in {unit}", value=shorten(value), unit=unit
                    ),
                )
                for unit, (value,) in ((lazy_gettext("nats per token"), lows), (other, highs))
            )
    keep = lazy_gettext("no: keep the lower loss of each N and D, in nats per token")
    return (unit_choice(role.header, where(lazy_gettext("nats per token"), LOWER), keep),)


def _per_byte(roles: Sequence[ColumnRole]) -> list[Question]:
    role = next((role for role in roles if role.column == "loss"), None)
    unit = loss_unit(role.unit) if role is not None and role.unit else None
    if role is None or unit is None or unit[0] not in {"bits/byte", "nats/byte", "nats/character"}:
        return []
    return [
        Question(
            header=role.header,
            text=lazy_gettext(
                "How many bytes (or characters) does one token stand for on average?"
            ),
            why=lazy_gettext(
                "The loss is in {unit}. Without that number it stays in {same_unit}: "
                "fits are right, but cannot be compared with losses in nats per "
                "token.",
                unit=role.unit,
                same_unit=unit[0],
            ),
            is_blocking=False,
        )
    ]
