"""Functional forms fitted below a cut, and what each says of the runs above it."""

from __future__ import annotations

import plotly.graph_objects as go

from isoflop.language import gettext as _
from isoflop.lessons import Growth
from isoflop.plot import lines, rows
from isoflop.plot.axes import AXES, loss_title
from isoflop.plot.theme import LIGHT, Theme, escaped


def growth(found: Growth, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw every form over the runs, those held out shaded, its error beside its name.

    Parameters
    ----------
    found : Growth
        From `isoflop.lessons.growth`.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    drawn = tuple(
        lines.Line(
            name=_(
                "{label}: {error:.3g}% off",
                label=escaped(form.label),
                error=100 * form.error,
            ),
            x=found.compute_flop,
            y=form.loss,
            colour=index,
        )
        for index, form in enumerate(found.forms)
    )
    picture = lines.Picture(
        axis=AXES["compute_flop"],
        y_title=loss_title(found.table.loss_unit),
        response="loss",
        groups=rows.groups(found.table),
        lines=drawn,
        cut=found.cut_flop,
    )
    return lines.draw(picture, theme)
