"""The band of a prediction now, and as it is expected to be with some runs more."""

from __future__ import annotations

import plotly.graph_objects as go

from isoflop.language import gettext as _
from isoflop.planning.design import Design
from isoflop.plot.axes import response_title
from isoflop.plot.states import Picture, State, draw
from isoflop.plot.theme import LIGHT, Theme


def expected_gain(design: Design, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw the band over compute before the proposed runs and after.

    Parameters
    ----------
    design : Design
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    note = _(
        "Expected: each of {n_draws:,} bootstrap draws in turn is taken for "
        "the truth, the runs turn out as it says, with scatter, and the law "
        "is fitted again. If the law is wrong at scale, no small run shows "
        "it.",
        n_draws=design.gain.n_draws,
    )
    return draw(_prepare(design), theme, notes=[note])


def _prepare(design: Design) -> Picture:
    gain = design.gain
    before, after = (
        State(name=name, loss=gain.curve.centre, lower=ends[0], upper=ends[1])
        for name, ends in ((_("Now"), gain.curve.before), (_("With the runs"), gain.curve.after))
    )
    return Picture(
        compute_flop=gain.curve_flop,
        before=before,
        after=after,
        budget_flop=design.target.compute_flop,
        y_title=response_title(design.setup.fit),
        level=gain.level,
    )
