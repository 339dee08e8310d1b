"""What the table of a fit should make a reader ask: its compute, loss unit, epochs, checkpoints."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from isoflop.fitting.result import Fit
from isoflop.language import lazy_gettext as _
from isoflop.language import lazy_ngettext as n_
from isoflop.notices import Notice
from isoflop.tables.annealed import annealed_rows
from isoflop.tables.quality import quality_report
from isoflop.tables.schema import LossTable
from isoflop.tables.shapes import THINNED


def table_notices(fit: Fit, table: LossTable) -> tuple[Notice, ...]:
    """Return what to know of the table that a law was fitted to, beside the fit's own notices.

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
    return (*known, *_about_thinning(table), *_about_checkpoints(frame))


def _about_thinning(table: LossTable) -> Iterator[Notice]:
    how = table.provenance.derived_columns.get(THINNED)
    if how is not None:
        n_rows = len(table.included())
        whole = (
            _(" of {n_rows:,} in the file", n_rows=table.reading.n_rows)
            if table.reading is not None
            else ""
        )
        yield Notice(
            code="rows-thinned",
            severity="info",
            text=_(
                "{rows}{whole} are fitted and resampled: {how}.",
                rows=n_("{n:,} row", "{n:,} rows", n_rows),
                whole=whole,
                how=how,
            ),
            remedy=_(
                "In Python, prepare(table, preparation, max_rows=None) keeps them "
                "all, for a fit that takes as many times longer."
            ),
        )


def _about_checkpoints(frame: pd.DataFrame) -> Iterator[Notice]:
    if not {"run_id", "tokens"} <= set(frame):
        return
    frame = frame[~annealed_rows(frame)]
    sizes = frame.groupby("run_id", observed=True)["tokens"].nunique()
    if (sizes > 1).any():
        yield Notice(
            code="checkpoints-not-annealed",
            severity="warning",
            text=_(
                "{rows} are checkpoints of {runs}: before the learning rate has "
                "decayed, the loss is higher than that of a run that ends there.",
                rows=n_("{n:,} row", "{n:,} rows", int(sizes.sum())),
                runs=n_("{n:,} run", "{n:,} runs", len(sizes)),
            ),
            remedy=_(
                "Keep the last row of each run, or use runs whose schedule ends at each point."
            ),
        )
