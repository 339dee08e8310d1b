"""Training FLOP of published runs: ours, by each convention, over the published ones."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from isoflop.language import gettext as _
from isoflop.language import lazy_gettext
from isoflop.planning.runs import CLOSE_RATIO, RunCheck
from isoflop.plot import bars
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.theme import LIGHT, Theme, Trace

ROW_PX, FRAME_PX = 19, 110
HOVER_CHARACTERS = 70
CONVENTIONS = ("6ND", lazy_gettext("6ND + attention"), lazy_gettext("Exact (appendix F)"))


def published_flop(checks: Sequence[RunCheck], *, theme: Theme = LIGHT) -> go.Figure:
    """Draw our FLOP over the published ones, one row a run, one marker a convention.

    Parameters
    ----------
    checks : sequence of RunCheck
        From top to bottom; those without a published count are left out.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    return _draw(_prepare(checks), theme)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One run: our FLOP over the published ones by each convention, NaN where not known."""

    label: str
    ratios: tuple[float, ...]
    reason: str


def _prepare(checks: Sequence[RunCheck]) -> tuple[_Run, ...]:
    return tuple(
        _Run(
            label=check.run.label,
            ratios=tuple(
                np.nan if ratio is None else ratio
                for ratio in (check.flop_ratio, check.attention_ratio, check.exact_ratio)
            ),
            reason="<br>".join(textwrap.wrap(check.run.reason, HOVER_CHARACTERS)),
        )
        for check in checks
        if check.flop_ratio is not None
    )


def _draw(runs: tuple[_Run, ...], theme: Theme) -> go.Figure:
    traces: list[Trace] = [
        {
            "type": "scatter",
            "x": np.array([run.ratios[index] for run in runs]),
            "y": [run.label for run in runs],
            "mode": "markers",
            "name": name,
            "marker": {
                "color": look.colour(index),
                "symbol": look.symbol(index),
                "size": 8 + 2 * index,
                "line": look.OUTLINE,
            },
            "text": [run.reason for run in runs],
            "hovertemplate": "<b>%{y}: %{x:.3f}</b><br>%{text}<extra>" + name + "</extra>",
        }
        for index, name in reversed(list(enumerate(CONVENTIONS)))
    ]
    layout = {
        "xaxis": {
            "title": {"text": _("Our FLOP over published FLOP")},
            "type": "log",
            "tickmode": "array",
            "tickvals": [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2],
            "range": np.log10([0.52, 1.24]).tolist(),
        },
        "yaxis": {"autorange": "reversed", "tickfont": {"size": 11}},
        "shapes": [_agreement(), bars.vertical(1.0, {"color": theme.ink, "width": 1})],
    }
    return assemble(
        traces,
        theme=theme,
        height_px=FRAME_PX + ROW_PX * len(runs),
        layout=layout,
        alt=_(
            "Our FLOP over the published FLOP of {runs} training runs, by three conventions.",
            runs=len(runs),
        ),
        notes=[
            _(
                "Shaded: within {close_ratio:.0%}. Point at a run for the reason of its residual.",
                close_ratio=CLOSE_RATIO - 1,
            )
        ],
    )


def _agreement() -> dict[str, object]:
    """Return the band of counts that agree."""
    return {
        "type": "rect", "xref": "x", "yref": "paper", "x0": 1 / CLOSE_RATIO, "x1": CLOSE_RATIO,
        "y0": 0, "y1": 1, "fillcolor": look.BAND, "line": {"width": 0}, "layer": "below",
    }  # fmt: skip
