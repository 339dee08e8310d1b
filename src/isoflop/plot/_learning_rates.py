"""Held-out loss against the learning rate, one line a family and width."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from isoflop.language import gettext as _
from isoflop.language import ngettext as n_
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.theme import LIGHT, Theme, Trace
from isoflop.training.following import Sweep

HEIGHT_PX = 320


def learning_rates(sweeps: Sequence[Sweep], *, theme: Theme = LIGHT) -> go.Figure:
    """Draw each sweep, its best rate ringed and the family's own rate dotted.

    Parameters
    ----------
    sweeps : sequence of Sweep
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    losses = np.concatenate([*(sweep.loss for sweep in sweeps), np.empty(0)])
    rates = np.concatenate([*(sweep.rates for sweep in sweeps), np.empty(0)])
    layout = {
        "xaxis": look.axis(_("Peak learning rate at width 32"), span=rates),
        "yaxis": look.loss_axis(_("Held-out loss (nats/byte)"), losses),
        "shapes": [_own_rate(sweep, index) for index, sweep in enumerate(sweeps)],
    }
    found = "; ".join(
        _(
            "{label}: best {best_rate:.2g}, own {default:.2g}",
            label=sweep.label,
            best_rate=sweep.best_rate,
            default=sweep.default,
        )
        for sweep in sweeps
    )
    families = n_("{n:,} family", "{n:,} families", len(sweeps))
    return assemble(
        [_line(sweep, index) for index, sweep in enumerate(sweeps)],
        theme=theme,
        height_px=HEIGHT_PX,
        layout=layout,
        alt=_("Held-out loss against the learning rate for {families}.", families=families),
        notes=[_("{found}. Dotted: the family's own rate.", found=found)],
    )


def _line(sweep: Sweep, index: int) -> Trace:
    sizes = np.where(sweep.rates == sweep.best_rate, 15, 9)
    return {
        "type": "scatter",
        "x": sweep.rates,
        "y": sweep.loss,
        "mode": "lines+markers",
        "name": sweep.label,
        "line": {"color": look.colour(index), "width": 1.5},
        "marker": {"symbol": look.symbol(index), "size": sizes, "line": look.OUTLINE},
        "hovertemplate": _("rate %{{x:.3g}}<br>loss %{{y:.4f}}<extra>%{{fullData.name}}</extra>"),
    }


def _own_rate(sweep: Sweep, index: int) -> dict[str, object]:
    return {
        "type": "line",
        "x0": sweep.default,
        "x1": sweep.default,
        "yref": "y domain",
        "y0": 0,
        "y1": 1,
        "line": {"color": look.colour(index), "dash": "dot", "width": 1},
    }
