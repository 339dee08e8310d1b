"""The three approaches for a reader: as a frame, a verdict, notices, disagreements."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from isoflop.fitting.isoflop.budgets import Checkpoints
from isoflop.fitting.isoflop.envelope import Envelope
from isoflop.fitting.isoflop.line import PowerLine
from isoflop.language import joined, listed
from isoflop.language import lazy_gettext as _
from isoflop.notices import Notice
from isoflop.units import format_number, format_quantity

if TYPE_CHECKING:
    from isoflop.fitting.isoflop.types import Approach, Approaches

Key = Literal["envelope", "profiles", "parametric"]
LABELS: dict[Key, str] = {
    "envelope": _("Envelope"),
    "profiles": _("IsoFLOP profiles"),
    "parametric": _("Parametric fit"),
}
SHORT: dict[Key, str] = {
    "envelope": _("the envelope"),
    "profiles": _("the profiles"),
    "parametric": _("the parametric fit"),
}
LEVEL = 0.9
"""Of every interval."""

RULE_SHARE = 0.05
"""How far C may lie from 6 N D, as a share, without a word about it."""

BIAS_SHARE = 0.05
"""Bias of the best size, as a share, from which it is worth a notice."""


def notices_of(
    found: Sequence[Approach],
    rows: Checkpoints,
    envelope: Envelope | None,
) -> tuple[Notice, ...]:
    """Return everything worth knowing of the approaches on these rows."""
    largest = float(rows.compute_flop.max())
    return (
        *_about_rows(rows, envelope),
        *_about_bias(found, largest),
        *disagreements(found, largest),
    )


def _about_rows(rows: Checkpoints, envelope: Envelope | None) -> Iterator[Notice]:
    over = rows.flop_over_rule
    if abs(over - 1) > RULE_SHARE:
        yield Notice(
            code="compute-not-6nd",
            severity="info",
            text=_(
                "The table's compute is {over:.2f} times 6 N D in the median; all "
                "three approaches are drawn against the table's compute.",
                over=over,
            ),
            remedy=_("Compare with other work only where compute is counted the same way."),
        )
    if envelope is not None and not envelope.has_learning_curves:
        yield Notice(
            code="no-learning-curves",
            severity="info",
            text=_(
                "The {n_runs} rows are final losses of runs, not learning curves, so "
                "the envelope rests on few corners.",
                n_runs=envelope.n_runs,
            ),
            remedy=_(
                "Trust the profiles and the parametric fit more, or add checkpoints (run_id)."
            ),
        )
    if rows.has_learning_curves:
        yield Notice(
            code="checkpoints-not-annealed",
            severity="warning",
            text=_(
                "The {loss} rows are checkpoints of {n_runs} runs; losses before the "
                "learning rate has decayed lie above those of runs that end there.",
                loss=len(rows.loss),
                n_runs=rows.n_runs,
            ),
            remedy=_(
                "Early checkpoints look worse than runs that end there, which "
                "steepens the growth of the best size; prefer runs whose schedule "
                "ends at each point."
            ),
        )


def _about_bias(found: Sequence[Approach], compute_flop: float) -> Iterator[Notice]:
    causes = {
        "profiles": _("the fitted curve does not have the shape of the profiles"),
        "envelope": _("the envelope keeps the luckiest runs"),
    }
    for approach in found:
        if approach.bias is None:
            continue
        factor = float(approach.bias.params_line.at(compute_flop))
        if abs(np.log(factor)) < np.log1p(BIAS_SHARE):
            continue
        yield Notice(
            code=f"biased-{approach.key}",
            severity="warning",
            text=_(
                "If the fitted law were true, {short} would put the best size "
                "{factor} at {compute_flop} on this design: {causes}.",
                short=SHORT[approach.key],
                factor=_times(factor),
                compute_flop=format_quantity(compute_flop, "flop"),
                causes=causes[approach.key],
            ),
            remedy=_("Use the corrected line, or the parametric fit."),
        )


def _times(factor: float) -> str:
    """Write a factor as a person says it."""
    if factor >= 2 or factor <= 0.5:
        return _(
            "{factor:.2g} times too {size}",
            factor=max(factor, 1 / factor),
            size=_("large") if factor > 1 else _("small"),
        )
    return _(
        "{factor:.0%} too {size}",
        factor=abs(factor - 1),
        size=_("large") if factor > 1 else _("small"),
    )


def disagreements(found: Sequence[Approach], compute_flop: float) -> Iterator[Notice]:
    """Name every two approaches whose intervals of the exponent do not meet.

    Parameters
    ----------
    found : sequence of Approach
    compute_flop : float
        Where their best sizes are compared.
    """
    able = []
    for approach in found:
        if approach.params_line is None or approach.params_line.reason:
            continue
        able.append((approach, approach.params_line, approach.params_line.exponent_interval(LEVEL)))
    for (one, line, (low, high)), (other, line_2, (low_2, high_2)) in itertools.combinations(
        able, 2
    ):
        if low <= high_2 and low_2 <= high:
            continue
        sizes = [format_number(float(x.at(compute_flop))) for x in (line, line_2)]
        yield Notice(
            code="approaches-disagree",
            severity="serious",
            text=_(
                "{other} and {one} disagree: the best size grows as C to the "
                "{exponent:.3f} ({low:.3f} to {high:.3f}) by {by_other}, to the "
                "{exponent2:.3f} ({low_2:.3f} to {high_2:.3f}) by {one}; at "
                "{compute_flop} that is {sizes} against {sizes2} parameters.",
                other=SHORT[one.key].capitalize(),
                one=SHORT[other.key],
                exponent=line.exponent,
                low=low,
                high=high,
                by_other=SHORT[one.key],
                exponent2=line_2.exponent,
                low_2=low_2,
                high_2=high_2,
                compute_flop=format_quantity(compute_flop, "flop"),
                sizes=sizes[0],
                sizes2=sizes[1],
            ),
            remedy=_likely_cause(one, other),
        )


def _likely_cause(one: Approach, other: Approach) -> str:
    known = [
        _(
            "{short} is expected to be off by {exponent:+.3f}",
            short=SHORT[approach.key],
            exponent=approach.bias.params_line.exponent,
        )
        for approach in (one, other)
        if approach.bias is not None and abs(approach.bias.params_line.exponent) >= 0.0005
    ]
    if known:
        return _("Of the difference in exponents, {known} on this design.", known=listed(known))
    return _("Look at residuals against N and D: the law may not have the shape of the data.")


def verdict(found: Approaches) -> str:
    """Say in one sentence how the best size grows by each approach, and whether they agree."""
    able = [approach for approach in found.approaches if approach.params_line is not None]
    if not able:
        return _("None of the three approaches can be used on this table.")
    by = [
        _(
            "{exponent:.2f} by {short}",
            exponent=approach.params_line.exponent,
            short=SHORT[approach.key],
        )
        for approach in able
        if approach.params_line is not None
    ]
    text = _("The best size grows as compute to the power {by}: ", by=joined(", ", by))
    if len(able) == 1:
        return text + _("no other approach can be used on this table to confirm it.")
    if any(notice.code == "approaches-disagree" for notice in found.notices):
        return text + _("they disagree by more than their 90% intervals.")
    if any(a.params_line is not None and a.params_line.reason for a in able):
        return text + _("not all have an interval, so agreement cannot be judged.")
    return text + _("they agree within their 90% intervals.")


# --- As a frame


def approaches_frame(found: Approaches) -> pd.DataFrame:
    """Return a row an approach, with numbers; NaN where it says nothing.

    Parameters
    ----------
    found : Approaches
    """
    flop = found.compute_range[1]
    rows = []
    for one in found.approaches:
        row: dict[str, object] = {"approach": one.label}
        for name, line in (("params", one.params_line), ("tokens", one.tokens_line)):
            row |= _exponent_numbers(f"{name}_exponent", line)
        if one.bias is not None:
            row["params_exponent_bias"] = one.bias.params_line.exponent
            row["params_factor_bias"] = float(one.bias.params_line.at(flop))
        corrected = one.corrected()
        if corrected is not None:
            row |= _exponent_numbers("params_exponent_corrected", corrected[0])
        row["compute_flop"] = flop
        if one.params_line is not None:
            row["params"] = float(one.params_line.at(flop))
            if not one.params_line.reason:
                low, high = one.params_line.interval_at(flop, LEVEL)
                row |= {"params_lower": float(low[0]), "params_upper": float(high[0])}
        rows.append(row | {"refusal": one.refusal})
    return pd.DataFrame(rows, index=pd.Index([one.key for one in found.approaches], name="key"))


def _exponent_numbers(name: str, line: PowerLine | None) -> dict[str, float]:
    if line is None:
        return {}
    if line.reason:
        return {name: line.exponent}
    low, high = line.exponent_interval(LEVEL)
    return {name: line.exponent, f"{name}_lower": low, f"{name}_upper": high}


def written(found: Approaches) -> pd.DataFrame:
    """Return a row an approach, each value with its interval, as text.

    Parameters
    ----------
    found : Approaches
    """
    flop = found.compute_range[1]
    return pd.DataFrame(
        {
            _("Approach"): [one.label for one in found.approaches],
            _("a (N as C to the a)"): [_exponent(one.params_line) for one in found.approaches],
            _("b (D as C to the b)"): [_exponent(one.tokens_line) for one in found.approaches],
            _("Bias of a"): [_bias(one, flop) for one in found.approaches],
            "a corrected": [_corrected(one) for one in found.approaches],
            _("N at {flop}", flop=format_quantity(flop, "flop", 2)): [
                _size(one.params_line, flop) for one in found.approaches
            ],
        }
    )


def _exponent(line: PowerLine | None) -> str:
    if line is None:
        return "refused"
    if line.reason:
        return _("{exponent:.3f} (no interval)", exponent=line.exponent)
    low, high = line.exponent_interval(LEVEL)
    return _("{exponent:.3f} ({low:.3f} to {high:.3f})", exponent=line.exponent, low=low, high=high)


def _bias(one: Approach, compute_flop: float) -> str:
    if one.bias is None:
        return ""
    factor = float(one.bias.params_line.at(compute_flop))
    return f"{one.bias.params_line.exponent:+.4f} (N {factor - 1:+.0%})"


def _corrected(one: Approach) -> str:
    corrected = one.corrected()
    return "" if corrected is None else _exponent(corrected[0])


def _size(line: PowerLine | None, compute_flop: float) -> str:
    if line is None:
        return ""
    centre = format_number(float(line.at(compute_flop)))
    if line.reason:
        return centre
    low, high = line.interval_at(compute_flop, LEVEL)
    return _(
        "{centre} ({low} to {high})",
        centre=centre,
        low=format_number(float(low[0])),
        high=format_number(float(high[0])),
    )
