"""Residuals in order against those of a normal sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from isoflop.fitting import Fit, diagnose
from isoflop.fitting.diagnose import Quantiles, diagnostics
from isoflop.language import gettext as _
from isoflop.language import ngettext as n_
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.rows import fitted_labels
from isoflop.plot.theme import LIGHT, Theme, Trace
from isoflop.tables import LossTable

HEIGHT_PX = 320


def residual_quantiles(
    fit: Fit,
    *,
    table: LossTable | None = None,
    level: float = 0.95,
    clip: float = float("inf"),
    theme: Theme = LIGHT,
) -> go.Figure:
    """Draw the standardised residuals against the quantiles of a normal sample.

    Parameters
    ----------
    fit : Fit
    table : LossTable, optional
        The rows; by default those that the fit still holds.
    level : float
        Of the range that each place keeps to in a normal sample.
    clip : float
        Robust standard deviations beyond which a row is drawn at the edge.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    FitError
        If the rows are not at hand.
    """
    return _draw(_prepare(fit, table, level, clip), theme)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """Residuals in order, each with its label, and how far out they are drawn."""

    quantiles: Quantiles
    labels: tuple[str, ...]
    limit: float


def _prepare(fit: Fit, table: LossTable | None, level: float, clip: float) -> _Picture:
    setup = diagnostics(fit, table)
    found = diagnose.normal_quantiles(diagnose.residuals(setup).standardised, level=level)
    labels = fitted_labels(fit, setup.table)
    return _Picture(quantiles=found, labels=tuple(labels[i] for i in found.order), limit=clip)


def _draw(picture: _Picture, theme: Theme) -> go.Figure:
    found = picture.quantiles
    is_outside = (found.observed < found.lower) | (found.observed > found.upper)
    ends = found.normal[[0, -1]]
    traces: list[Trace] = [
        {
            "type": "scatter",
            "x": np.concatenate([found.normal, found.normal[::-1]]),
            "y": np.concatenate([found.upper, found.lower[::-1]]),
            "fill": "toself",
            "mode": "lines",
            "line": {"width": 0},
            "fillcolor": look.BAND,
            "name": _("Normal, {level:.0%} of each place", level=found.level),
            "hoverinfo": "skip",
        },
        {
            "type": "scatter",
            "x": ends,
            "y": ends,
            "mode": "lines",
            "name": _("Normal"),
            "showlegend": False,
            "line": {"color": theme.ink, "width": 1},
            "hoverinfo": "skip",
        },
    ]
    for name, part, colour in (
        (_("Rows inside"), ~is_outside, look.FAMILIES[0]),
        (_("Rows outside"), is_outside, look.ACCENT),
    ):
        chosen = np.flatnonzero(part)
        observed = found.observed[chosen]
        traces.append(
            {
                "type": look.marker_type(len(chosen)),
                "x": found.normal[chosen],
                "y": np.clip(observed, -picture.limit, picture.limit),
                "mode": "markers",
                "name": name,
                "marker": {
                    "color": colour,
                    "size": 7,
                    "line": look.OUTLINE,
                    "symbol": np.where(
                        np.abs(observed) <= picture.limit, "circle", "triangle-up"
                    ).tolist(),
                },
                "text": [picture.labels[i] for i in chosen],
                "hovertemplate": "%{text}<extra></extra>",
            }
        )
    layout = {
        "xaxis": look.axis(_("Normal quantile"), "linear"),
        "yaxis": look.axis(_("Residual (robust standard deviations)"), "linear"),
    }
    alt = _(
        "Residuals of {rows} against a normal distribution; {sum} lie "
        "outside the range of their place.",
        rows=n_("{n:,} row", "{n:,} rows", len(found.observed)),
        sum=int(is_outside.sum()),
    )
    return assemble(traces, theme=theme, height_px=HEIGHT_PX, layout=layout, alt=alt)
