"""What the rows behind a fit should make a reader ask: units, conventions, repeats, checkpoints."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd

from isoflop.fitting.result import Fit
from isoflop.notices import Notice
from isoflop.tables.annealed import annealed_rows
from isoflop.tables.derive import FLOP_PER_PARAM_TOKEN
from isoflop.tables.quality import quality_report
from isoflop.tables.schema import LossTable
from isoflop.units import counted

FEWEST_OF_FAMILY = 4
"""Rows of a family that its median is taken from."""

APART_SIGMAS, APART_SHARE = 4.0, 0.1
"""How far a family's median residual lies off the others' to look like another unit."""

OTHER_COUNT = 1.25
"""Factor between families' compute over 6 N D from which they count something differently."""


def table_notices(fit: Fit, table: LossTable) -> tuple[Notice, ...]:
    """Return what to know of the rows that a law was fitted to.

    Parameters
    ----------
    fit : Fit
    table : LossTable
        The one it was fitted to.
    """
    wanted = {"compute-not-6nd", "loss-unit-guess", "loss-unit-doubtful"}
    if "unique_tokens" not in {item.column for item in fit.law.inputs}:
        wanted.add("repeated-data")
    known = [finding.notice for finding in quality_report(table) if finding.notice.code in wanted]
    frame = table.frame.loc[fit.row_index]
    return (*known, *_about_checkpoints(frame), *_about_units(fit, frame), *_about_counts(frame))


def _about_checkpoints(frame: pd.DataFrame) -> Iterator[Notice]:
    if not {"run_id", "tokens"} <= set(frame):
        return
    frame = frame[~annealed_rows(frame)]
    sizes = frame.groupby("run_id", observed=True)["tokens"].nunique()
    if (sizes > 1).any():
        yield Notice(
            code="checkpoints-not-annealed",
            severity="warning",
            text=f"{counted(int(sizes.sum()), 'row')} are checkpoints of "
            f"{counted(len(sizes), 'run')}: before the learning rate has decayed, the loss is "
            "higher than that of a run that ends there.",
            remedy="Keep the last row of each run, or use runs whose schedule ends at each point.",
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
                text=f"The losses of {name} lie {abs(math.expm1(offset)):.0%} "
                f"{'above' if offset > 0 else 'below'} those of the other families, more than "
                "scatter explains.",
                remedy="Check that all have one unit (a nat is 1.44 bits) and one tokenizer; "
                "otherwise fit the families separately.",
            )
            return


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
            text=f"Compute is {medians[low]:.3g} times 6 N D in {low} and {medians[high]:.3g} "
            f"times in {high}: parameters or FLOP are not counted the same way.",
            remedy="Count parameters the same way in all families, or fit them separately.",
        )
