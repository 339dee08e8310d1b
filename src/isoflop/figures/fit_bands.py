"""The predicted loss over compute with both of its bands: of the mean, and of one new run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Theme, Trace
from isoflop.units import format_quantity

HEIGHT_PX = 400
_FILLS = ("rgba(230, 159, 0, 0.22)", look.BAND)
_LINES = ("#E69F00", look.FAMILIES[0])
_DASHES = ("dash", "solid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ribbon:
    """One band, shape (n,) each: what it is of, and its ends."""

    name: str
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]


def figure(
    compute_flop: NDArray[np.float64],
    loss: NDArray[np.float64],
    ribbons: Sequence[Ribbon],
    *,
    target_flop: float,
    rows_flop: tuple[float, float] | None,
    y_title: str,
    is_relative: bool = False,
    theme: Theme = APP,
) -> go.Figure:
    """Draw the curve, its bands, and where the fitted rows end.

    Parameters
    ----------
    compute_flop, loss : ndarray, shape (n,)
    ribbons : sequence of Ribbon
        The wider ones first: each is drawn over those before it.
    target_flop : float
        The budget.
    rows_flop : (float, float) or None
        Least and most compute of the fitted rows, where it is known.
    y_title : str
        With unit.
    is_relative : bool
        Draw everything as a distance from the curve, in percent: bands that are thin inside the
        rows are seen.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    traces: list[Trace] = []
    base = loss if is_relative else None
    for ribbon, fill, colour, dash in zip(ribbons, _FILLS, _LINES, _DASHES, strict=False):
        traces.append(
            {
                "type": "scatter",
                "x": np.concatenate([compute_flop, compute_flop[::-1]]),
                "y": np.concatenate([_off(ribbon.upper, base), _off(ribbon.lower, base)[::-1]]),
                "fill": "toself",
                "mode": "lines",
                "line": {"width": 1, "color": colour, "dash": dash},
                "fillcolor": fill,
                "name": ribbon.name,
                "hoverinfo": "skip",
            }
        )
    traces.append(
        {
            "type": "scatter",
            "x": compute_flop,
            "y": _off(loss, base),
            "mode": "lines",
            "name": "Fitted law",
            "line": {"color": theme.ink, "width": 2},
            "text": _labels(compute_flop, loss, ribbons),
            "hovertemplate": "%{text}<extra></extra>",
        }
    )
    ends = [part for ribbon in ribbons for part in (ribbon.lower, ribbon.upper)]
    y_axis = look.loss_axis(y_title, np.concatenate([loss, *ends]))
    if is_relative:
        y_axis = look.axis("Distance from the fitted law (%)", "linear")
    shapes = [_upright(target_flop, theme.ink)]
    notes = [_note(float(np.log10(target_flop)), "budget")]
    if rows_flop is not None:
        shapes += [_upright(at, look.MUTED) for at in rows_flop]
        notes.append(_note(float(np.mean(np.log10(rows_flop))), "fitted rows"))
    layout = {
        "xaxis": look.axis("Training compute C (FLOP)", is_power=True, span=compute_flop),
        "yaxis": y_axis,
        "shapes": shapes,
        "annotations": notes,
        "margin": {"l": 8, "r": 12, "t": 24, "b": 8},
    }
    return look.figure(traces, theme=theme, height_px=HEIGHT_PX, layout=layout)


def _off(values: NDArray[np.float64], base: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Return values, or how far they lie off a base in percent."""
    return values if base is None else 100 * (values / base - 1)


def _labels(
    compute_flop: NDArray[np.float64], loss: NDArray[np.float64], ribbons: Sequence[Ribbon]
) -> list[str]:
    return [
        "<br>".join(
            [
                f"<b>{format_quantity(float(flop), 'flop')}</b>",
                f"fitted {value:.4g}",
                *(f"{r.name}: {r.lower[i]:.4g} to {r.upper[i]:.4g}" for r in ribbons),
            ]
        )
        for i, (flop, value) in enumerate(zip(compute_flop, loss, strict=True))
    ]


def _upright(x: float, colour: str) -> dict[str, object]:
    return {
        "type": "line",
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "x0": x,
        "x1": x,
        "line": {"color": colour, "width": 1, "dash": "dot"},
    }


def _note(x: float, text: str) -> dict[str, object]:
    return {
        "x": x,
        "y": 1,
        "yref": "paper",
        "yanchor": "bottom",
        "text": text,
        "showarrow": False,
    }


def alt(ribbons: Sequence[Ribbon]) -> str:
    """Say in one sentence what the figure shows, for those who do not see it."""
    names = " and ".join(ribbon.name for ribbon in ribbons) or "no band"
    return f"Predicted loss over training compute, with {names}; the budget is marked."
