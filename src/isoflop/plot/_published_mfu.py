"""Utilisation of published runs by hardware, beside what plans predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from isoflop.language import gettext
from isoflop.planning.runs import RunCheck
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.theme import LIGHT, Theme, Trace

HEIGHT_PX = 420


def published_mfu(checks: Sequence[RunCheck], *, theme: Theme = LIGHT) -> go.Figure:
    """Draw the utilisation that published hours imply, authors report and plans predict.

    Parameters
    ----------
    checks : sequence of RunCheck
        Those without published hours, or on hardware that the catalog lacks, are left out.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    return _draw(_prepare(checks), theme)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One run: hardware, the MFU that its hours imply, the middle of what is reported, ours."""

    label: str
    hardware: str
    implied: float
    reported: float | None
    planned: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """The runs."""

    runs: tuple[_Run, ...]


def _prepare(checks: Sequence[RunCheck]) -> _Picture:
    runs = []
    for check in checks:
        device, reported = check.run.accelerator, check.run.published_mfu
        if device is None or check.implied_mfu is None:
            continue
        runs.append(
            _Run(
                label=check.run.label,
                hardware=device.label,
                implied=check.implied_mfu,
                reported=None if reported is None else sum(reported) / 2,
                planned=check.planned_mfu,
            )
        )
    return _Picture(runs=tuple(runs))


def _draw(picture: _Picture, theme: Theme) -> go.Figure:
    order = list(dict.fromkeys(run.hardware for run in picture.runs))
    implied = [(run, run.implied) for run in picture.runs]
    reported = [(run, run.reported) for run in picture.runs if run.reported is not None]
    planned = [(run, run.planned) for run in picture.runs if run.planned is not None]
    traces = [
        _markers(planned, gettext("Predicted by a plan"), "planned", 2),
        _markers(implied, gettext("Implied by 6ND over the published hours"), "implied", 0),
        _markers(reported, gettext("Reported by the authors"), "reported", 1),
    ]
    layout = {
        "xaxis": {"type": "category", "categoryarray": order, "showgrid": False},
        "yaxis": {
            "title": {"text": gettext("Utilisation of the dense peak (%)")},
            "rangemode": "tozero",
        },
    }
    lowest, highest = (end(run.implied for run in picture.runs) for end in (min, max))
    note = gettext(
        "Implied: 6ND over the peak in all published hours, so that restarts "
        "and everything else lower it. Reported: the authors' own, often of "
        "the best setting. Predicted: the same as implied, by the fastest "
        "layout and what whole runs of other sources made of it."
    )
    return assemble(
        traces,
        theme=theme,
        height_px=HEIGHT_PX,
        layout=layout,
        alt=gettext(
            "Utilisation of {runs} published runs by hardware, {lowest:.0%} to {highest:.0%}.",
            runs=len(picture.runs),
            lowest=lowest,
            highest=highest,
        ),
        notes=[note],
    )


def _markers(runs: Sequence[tuple[_Run, float]], name: str, kind: str, index: int) -> Trace:
    return {
        "type": "scatter",
        "x": [run.hardware for run, _ in runs],
        "y": np.array([100 * share for _, share in runs]),
        "mode": "markers",
        "name": name,
        "marker": {
            "color": look.colour(index),
            "symbol": look.symbol(index),
            "size": 9 + index,
            "line": look.OUTLINE,
        },
        "text": [run.label for run, _ in runs],
        "hovertemplate": "%{text}: %{y:.1f}%<extra>" + kind + "</extra>",
    }
