"""How far the rows of a table lie off published fits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from isoflop.fitting.compare import PublishedComparison, PublishedScore, scale_column
from isoflop.language import gettext as _
from isoflop.plot import offsets
from isoflop.plot._published import drawn_fits
from isoflop.plot.axes import axis_of
from isoflop.plot.theme import LIGHT, Theme, escaped
from isoflop.tables import LossTable


def published_shift(
    comparison: PublishedComparison,
    *,
    fits: Sequence[str] = (),
    x: str | None = None,
    theme: Theme = LIGHT,
) -> go.Figure:
    """Draw observed over published losses, hollow beyond the range that a fit rests on.

    Flat: the published shape holds, and a constant shift is what other text and another tokenizer
    do. A slope or a bend is what no choice of text explains.

    Parameters
    ----------
    comparison : PublishedComparison
    fits : sequence of str, optional
        Their keys; by default those of the closest shape.
    x : str, optional
        Table column along the chart; by default the scale of the rows.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    return offsets.draw(_prepare(comparison, fits, x), theme)


def _prepare(
    comparison: PublishedComparison, fits: Sequence[str], x: str | None
) -> offsets.Picture:
    column = x or scale_column(comparison.table)
    drawn = drawn_fits(comparison, fits)
    return offsets.Picture(
        axis=axis_of(column),
        y_title=_("Observed / published - 1 (%)"),
        groups=tuple(_offsets(comparison.table, score, column) for score in drawn),
        exception=_("beyond its range"),
    )


def _offsets(table: LossTable, score: PublishedScore, column: str) -> offsets.Offsets:
    assert score.fit is not None  # only evaluated fits are drawn
    frame = table.frame.loc[score.fit.row_index]
    return offsets.Offsets(
        name=escaped(score.published.label),
        x=frame[column].to_numpy(np.float64),
        offset=np.expm1(score.fit.residuals),
        is_filled=score.is_in_range,
        labels=tuple(
            _("row {row}, loss {loss:.4g}", row=row, loss=loss)
            for row, loss in zip(frame.index, frame["loss"], strict=True)
        ),
    )
