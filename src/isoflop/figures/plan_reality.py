"""Published training runs against our sums."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Theme

ROW_PX, FRAME_PX = 19, 110
HOVER_CHARACTERS = 70
MFU_HEIGHT_PX = 420


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """One run: our FLOP by each convention over the published ones; None where not known."""

    label: str
    ratios: dict[str, float | None]
    reason: str


def flop_ratios(runs: Sequence[Ratio], *, theme: Theme = APP) -> go.Figure:
    """Draw our FLOP over the published ones, one row a run, one marker a convention.

    Parameters
    ----------
    runs : sequence of Ratio
        From top to bottom, all with the same conventions.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    traces = [
        go.Scatter(
            x=np.array([np.nan if (r := run.ratios[name]) is None else r for run in runs]),
            y=[run.label for run in runs],
            mode="markers",
            name=name,
            marker={
                "color": look.colour(index),
                "symbol": look.symbol(index),
                "size": 8 + 2 * index,
                "line": look.OUTLINE,
            },
            text=["<br>".join(textwrap.wrap(run.reason, HOVER_CHARACTERS)) for run in runs],
            hovertemplate="<b>%{y}: %{x:.3f}</b><br>%{text}<extra>" + name + "</extra>",
        )
        for index, name in reversed(list(enumerate(runs[0].ratios)))
    ]
    layout = {
        "xaxis": {
            "title": {"text": "Our FLOP over published FLOP"},
            "type": "log",
            "tickmode": "array",
            "tickvals": [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2],
            "range": np.log10([0.52, 1.24]).tolist(),
        },
        "yaxis": {"autorange": "reversed", "tickfont": {"size": 11}},
        "shapes": [_agreement(), _unity(theme)],
    }
    height = FRAME_PX + ROW_PX * len(runs)
    return look.figure(traces, theme=theme, height_px=height, layout=layout)


def _agreement() -> dict[str, object]:
    """Return the band of counts within 5% of each other."""
    return {
        "type": "rect", "xref": "x", "yref": "paper", "x0": 1 / 1.05, "x1": 1.05, "y0": 0,
        "y1": 1, "fillcolor": look.BAND, "line": {"width": 0}, "layer": "below",
    }  # fmt: skip


def _unity(theme: Theme) -> dict[str, object]:
    return {
        "type": "line", "xref": "x", "yref": "paper", "x0": 1, "x1": 1, "y0": 0, "y1": 1,
        "line": {"color": theme.ink, "width": 1},
    }  # fmt: skip


def flop_ratios_alt(runs: Sequence[Ratio]) -> str:
    """Say in one sentence what the figure shows."""
    return f"Our FLOP over the published FLOP of {len(runs)} training runs, by three conventions."


@dataclass(frozen=True, slots=True, kw_only=True)
class Utilisation:
    """One run: hardware, the MFU implied by its hours, the MFU reported, and words for a person."""

    label: str
    hardware: str
    implied: float
    reported: tuple[float, float] | None


def utilisations(
    runs: Sequence[Utilisation], defaults: dict[str, float], *, theme: Theme = APP
) -> go.Figure:
    """Draw the utilisation of published runs by hardware, against our defaults.

    Parameters
    ----------
    runs : sequence of Utilisation
    defaults : dict of str to float
        Our default MFU times goodput by hardware, drawn as a bar.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    order = list(defaults)
    reported = [run for run in runs if run.reported is not None]
    traces = [
        go.Scatter(
            x=order,
            y=np.array([100 * defaults[name] for name in order]),
            mode="markers",
            name="Our default MFU x goodput",
            marker={"symbol": "line-ew-open", "size": 46, "color": theme.ink, "line": {"width": 3}},
            hovertemplate="%{x}: default %{y:.0f}%<extra></extra>",
        ),
        go.Scatter(
            x=[run.hardware for run in runs],
            y=np.array([100 * run.implied for run in runs]),
            mode="markers",
            name="Implied by 6ND over the published hours",
            marker={"color": look.colour(0), "size": 9, "line": look.OUTLINE},
            text=[run.label for run in runs],
            hovertemplate="%{text}: %{y:.1f}%<extra>implied</extra>",
        ),
        go.Scatter(
            x=[run.hardware for run in reported],
            y=np.array([50 * sum(run.reported) for run in reported if run.reported]),
            mode="markers",
            name="Reported by the authors",
            marker={"color": look.colour(1), "symbol": "diamond", "size": 10, "line": look.OUTLINE},
            text=[run.label for run in reported],
            hovertemplate="%{text}: %{y:.1f}%<extra>reported</extra>",
        ),
    ]
    layout = {
        "xaxis": {"type": "category", "categoryarray": order, "showgrid": False},
        "yaxis": {"title": {"text": "Utilisation of the dense peak (%)"}, "rangemode": "tozero"},
    }
    return look.figure(traces, theme=theme, height_px=MFU_HEIGHT_PX, layout=layout)


def utilisations_alt(runs: Sequence[Utilisation]) -> str:
    """Say in one sentence what the figure shows."""
    lowest, highest = (f(run.implied for run in runs) for f in (min, max))
    return f"Utilisation of {len(runs)} published runs by hardware, {lowest:.0%} to {highest:.0%}."
