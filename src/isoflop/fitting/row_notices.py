"""What the rows behind a fit make doubtful: repeats, other units, families that are not alike."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from isoflop.fitting.comparable import pooled_notice
from isoflop.fitting.result import Fit
from isoflop.language import lazy_gettext as _
from isoflop.language import lazy_ngettext as n_
from isoflop.notices import Notice
from isoflop.tables.derive import FLOP_PER_PARAM_TOKEN
from isoflop.tables.quality import repeated_rows
from isoflop.tables.schema import LossTable, said_response

FEWEST_OF_FAMILY = 4
"""Rows of a family that its median is taken from."""

APART_SIGMAS, APART_SHARE = 4.0, 0.1
"""How far a family's median residual lies off the others' to look like another unit."""

OTHER_COUNT = 1.25
"""Factor between families' compute over 6 N D from which they count something differently."""

SAME_SHARE, FEWEST_SAME = 0.5, 6
"""Share of the rows, and number, that have one loss from which that is said."""

NAT_IN_BITS = 1 / math.log(2)
CODING_SLACK = 0.05
"""How far a gap of log residuals may be off that of bits and nats."""
CODING_SIGMAS = 4.0
"""How much wider than the scatter on either side it must be."""


def row_notices(fit: Fit, table: LossTable) -> tuple[Notice, ...]:
    """Return what to know of the rows that a law was fitted to, whoever asks.

    Parameters
    ----------
    fit : Fit
    table : LossTable
        The one it was fitted to.
    """
    frame = table.frame.loc[fit.row_index]
    found = [
        *_about_repeats(fit, frame),
        *_about_one_loss(fit, frame),
        *_about_units(fit, frame),
        *_about_counts(frame),
    ]
    if "mixed-units" not in {notice.code for notice in found}:
        found += _about_codings(fit, frame)
    pooled = pooled_notice(table) if fit.law.response == "loss" else None
    return (*found, *([pooled] if pooled else ()))


def _about_repeats(fit: Fit, frame: pd.DataFrame) -> Iterator[Notice]:
    n_repeats, n_params = int(repeated_rows(frame).sum()), len(fit.law.params)
    if not n_repeats:
        return
    freedom = len(frame) - n_repeats - n_params
    narrow = ""
    if freedom > 0:
        share = math.sqrt(freedom / (len(frame) - n_params))
        narrow = _(
            ": standard errors come out at {share:.0%} of those of the rows without them",
            share=share,
        )
    yield Notice(
        code="repeated-rows",
        severity="warning",
        text=n_(
            "{n:,} row repeats an earlier row in everything but the run's name, and counts as "
            "new evidence{narrow}.",
            "{n:,} rows repeat an earlier row in everything but the run's name, and count as "
            "new evidence{narrow}.",
            n_repeats,
            narrow=narrow,
        ),
        remedy=_("Exclude the repetitions."),
        rows=tuple(int(row) for row in frame.index[repeated_rows(frame)]),
    )


def _about_one_loss(fit: Fit, frame: pd.DataFrame) -> Iterator[Notice]:
    counts = frame[fit.law.response].value_counts()
    most = int(counts.iloc[0])
    if most < max(FEWEST_SAME, SAME_SHARE * len(frame)):
        return
    is_all = most == len(frame)
    which = (
        _("All {most} rows", most=most)
        if is_all
        else _("{most} of {frame} rows", most=most, frame=len(frame))
    )
    yield Notice(
        code="identical-losses",
        severity="serious",
        text=_(
            "{which} have the same {response}, {index:.6g}.",
            which=which,
            response=said_response(fit.law.response),
            index=float(counts.index[0]),
        ),
        remedy=_("Check the column: it may be rounded, a copy of one value, or a target."),
    )


def _about_units(fit: Fit, frame: pd.DataFrame) -> Iterator[Notice]:
    """Yield a notice if one family's losses lie far from all others'."""
    if "family" not in frame or not fit.is_log or fit.law.response != "loss":
        return
    residuals = pd.Series(fit.residuals, index=frame.index)
    for name, own in residuals.groupby(frame["family"], observed=True):
        rest = residuals.drop(own.index)
        if min(len(own), len(rest)) < FEWEST_OF_FAMILY:
            continue
        offset = float(own.median() - rest.median())
        spread = [1.4826 * float((part - part.median()).abs().median()) for part in (own, rest)]
        if abs(offset) > max(math.log1p(APART_SHARE), APART_SIGMAS * math.hypot(*spread)):
            yield Notice(
                code="mixed-units",
                severity="serious",
                text=_(
                    "The losses of {name} lie {offset:.0%} {side} those of the other "
                    "families, more than scatter explains.",
                    name=name,
                    offset=abs(math.expm1(offset)),
                    side=_("above") if offset > 0 else _("below"),
                ),
                remedy=_(
                    "Check that all have one unit (a nat is 1.44 bits) and one "
                    "tokenizer; otherwise fit the families separately."
                ),
            )
            return


def _about_codings(fit: Fit, frame: pd.DataFrame) -> Iterator[Notice]:
    """Yield a notice if the losses fall into two groups as far apart as two codings of one."""
    if fit.law.response != "loss" or not fit.is_log or len(frame) < 2 * FEWEST_OF_FAMILY:
        return
    order = np.argsort(fit.residuals)
    sorted_off = fit.residuals[order]
    middle = (
        FEWEST_OF_FAMILY
        - 1
        + int(
            np.argmax(np.diff(sorted_off[FEWEST_OF_FAMILY - 1 : len(order) - FEWEST_OF_FAMILY + 1]))
        )
    )
    below, above = sorted_off[: middle + 1], sorted_off[middle + 1 :]
    spread = math.hypot(
        *(1.4826 * float(np.median(np.abs(part - np.median(part)))) for part in (below, above))
    )
    if above[0] - below[-1] <= CODING_SIGMAS * spread:
        return
    apart = float(np.median(above) - np.median(below))
    loss = frame["loss"].to_numpy(np.float64)[order]
    is_perplexity = loss[middle + 1 :].min() > loss[: middle + 1].max() > 0 and (
        0.5 * loss[: middle + 1].min()
        < np.median(np.log(loss[middle + 1 :]))
        < 1.5 * loss[: middle + 1].max()
    )
    is_bits = abs(apart - math.log(NAT_IN_BITS)) < CODING_SLACK
    if not (is_bits or is_perplexity):
        return
    yield Notice(
        code="two-codings",
        severity="serious",
        text=_(
            "The losses of {above} rows lie a factor {apart:.3g} above those of "
            "the other {below}, with nothing between, as {units}.",
            above=len(above),
            apart=math.exp(apart),
            below=len(below),
            units=_("bits lie above nats") if is_bits else _("perplexities lie above losses"),
        ),
        remedy=_("Bring all to one unit, or leave one of the two groups out."),
    )


def _about_counts(frame: pd.DataFrame) -> Iterator[Notice]:
    """Yield a notice if families differ in what their compute is made of."""
    if not {"family", "params", "tokens", "compute_flop"} <= set(frame):
        return
    ratio = frame["compute_flop"] / (FLOP_PER_PARAM_TOKEN * frame["params"] * frame["tokens"])
    medians = {
        str(name): float(part.median())
        for name, part in ratio.dropna().groupby(frame["family"], observed=True)
        if len(part) >= FEWEST_OF_FAMILY
    }
    if len(medians) < 2:
        return
    low, high = (pick(medians, key=lambda name: medians[name]) for pick in (min, max))
    if medians[high] > OTHER_COUNT * medians[low]:
        yield Notice(
            code="mixed-conventions",
            severity="warning",
            text=_(
                "Compute is {low_ratio:.3g} times 6 N D in {low} and "
                "{high_ratio:.3g} times in {high}: parameters or FLOP are not "
                "counted the same way.",
                low_ratio=medians[low],
                low=low,
                high_ratio=medians[high],
                high=high,
            ),
            remedy=_("Count parameters the same way in all families, or fit them separately."),
        )
