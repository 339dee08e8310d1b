"""Two families under one law: their rows and curves with bands."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from isoflop.errors import FitError
from isoflop.fitting import Fit
from isoflop.fitting.intervals import interval, small_sample
from isoflop.language import gettext as _
from isoflop.language import kept_by_language
from isoflop.planning.families import BEYOND, N_GRID, FamilyComparison, best_loss
from isoflop.plot import lines, rows
from isoflop.plot.axes import axis_of, outcome_title
from isoflop.plot.theme import LIGHT, Theme, escaped

N_DRAWS = 200
LEVEL = 0.9


def families(comparison: FamilyComparison, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw the rows of two families, and the loss that each reaches at every scale.

    Parameters
    ----------
    comparison : FamilyComparison
        From `isoflop.planning.families.compare_families`.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    return lines.draw(_prepare(comparison), theme)


def _prepare(comparison: FamilyComparison) -> lines.Picture:
    one = comparison.fits[0]
    return lines.Picture(
        axis=axis_of(comparison.column),
        y_title=outcome_title(one.law.response, one.loss_unit),
        response=one.law.response,
        groups=tuple(
            group
            for label, fitted in zip(comparison.labels, comparison.fits, strict=True)
            for group in _rows(label, fitted)
        ),
        lines=_curves(comparison),
        is_one_group=False,
    )


def _rows(label: str, fitted: Fit) -> tuple[rows.Group, ...]:
    """Return the rows of a family under its own name."""
    table = fitted.table
    if table is None:
        raise FitError(
            _("The rows of {label} are not at hand.", label=label),
            hint=_("Compare the families again."),
        )
    return rows.groups(table.with_frame(table.frame.assign(family=label)))


@kept_by_language(max_entries=16)
def _curves(comparison: FamilyComparison) -> tuple[lines.Line, ...]:
    """Return the loss of each family; kept, since a law of size and data takes its best sizes."""
    found = []
    parts = zip(comparison.labels, comparison.fits, comparison.ranges, strict=True)
    for index, (label, fitted, (low, high)) in enumerate(parts):
        x = np.geomspace(low, high * BEYOND, N_GRID)
        lower = upper = None
        if fitted.draws is not None:
            drawn = best_loss(fitted, fitted.draws[:N_DRAWS], x)
            lower, upper = interval(
                best_loss(fitted, fitted.theta[None], x)[0],
                drawn.T,
                LEVEL,
                factor=small_sample(fitted, LEVEL),
            )
        found.append(
            lines.Line(
                name=f"{escaped(label)}: {escaped(fitted.law.label)}",
                x=x,
                y=best_loss(fitted, fitted.theta[None], x)[0],
                lower=lower,
                upper=upper,
                colour=index,
            )
        )
    return tuple(found)
