"""Laws of one input fitted below a cut, over all rows: which of them goes on as the rows do."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from isoflop.errors import FitError
from isoflop.fitting import Fit, predict
from isoflop.fitting.compare import LawComparison
from isoflop.language import gettext as _
from isoflop.plot import lines, rows
from isoflop.plot.axes import axis_of, outcome_title
from isoflop.plot.theme import LIGHT, Theme, escaped

N_POINTS = 120
BEYOND = 2.0
"""How far curves go on beyond the rows, as a factor."""


def law_curves(comparison: LawComparison, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw laws of one input as fitted to the lower part of the rows, the upper part shaded.

    A law without such a fit is drawn as fitted to all rows.

    Parameters
    ----------
    comparison : LawComparison
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    FitError
        If the laws have more than one input between them.
    """
    return lines.draw(_prepare(comparison), theme)


def _prepare(comparison: LawComparison) -> lines.Picture:
    column = comparison.input_column
    if column is None:
        raise FitError(
            _("These laws have several inputs, so that no curve shows them."),
            hint=_("Draw held_out(comparison): the errors of held-out rows."),
        )
    table, split = comparison.table, comparison.split
    low, high = table.span(column)
    x = np.geomspace(low, high * BEYOND, N_POINTS)
    drawn: list[lines.Line] = []
    for index, score in enumerate(comparison.fitted):
        fitted: Fit | None = score.held_out.fit if score.held_out else score.fit
        if fitted is not None:
            y = predict(fitted, {fitted.law.symbols[0]: x})
            drawn.append(lines.Line(name=escaped(score.law.label), x=x, y=y, colour=index))
    return lines.Picture(
        axis=axis_of(column),
        y_title=outcome_title(comparison.response, table.loss_unit),
        response=comparison.response,
        groups=rows.groups(table),
        lines=tuple(drawn),
        cut=split.cut if split is not None and split.column == column else None,
    )
