"""What was predicted against what was measured: a marker with its interval for each run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.figures import Figure
from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Theme, Trace

HEIGHT_PX = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Runs that were held out.

    Parameters
    ----------
    observed, predicted, lower, upper : ndarray, shape (n,)
        Shares between 0 and 1.
    rival : ndarray, shape (n,), or None
        Predictions of something simpler; NaN where it has none.
    rival_name : str
    labels : tuple of str
        One a run, for the hover box.
    """

    observed: NDArray[np.float64]
    predicted: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    labels: tuple[str, ...]
    rival: NDArray[np.float64] | None = None
    rival_name: str = ""


def figure(proof: Proof, *, name: str, theme: Theme = APP) -> Figure:
    """Draw predicted over measured values; on the diagonal the two are equal.

    Parameters
    ----------
    proof : Proof
    name : str
        Of the metric.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    is_inside = (proof.observed >= proof.lower) & (proof.observed <= proof.upper)
    ends = _ends(proof)
    traces: list[Trace] = [
        {
            "type": "scatter",
            "x": ends,
            "y": ends,
            "mode": "lines",
            "name": "predicted as measured",
            "line": {"color": look.MUTED, "width": 1.5, "dash": "dot"},
            "hoverinfo": "skip",
        }
    ]
    for rows, what in ((is_inside, "inside the interval"), (~is_inside, "outside it")):
        if rows.any():
            traces.append(_markers(proof, rows, what))
    if proof.rival is not None and np.isfinite(proof.rival).any():
        traces.append(
            {
                "type": "scatter",
                "x": proof.observed,
                "y": proof.rival,
                "mode": "markers",
                "name": proof.rival_name,
                "marker": {"color": look.MUTED, "symbol": "x", "size": 8},
                "text": proof.labels,
                "hovertemplate": "%{text}<br>%{y:.1%}<extra>" + proof.rival_name + "</extra>",
            }
        )
    layout = {
        "xaxis": look.axis(f"{name}, measured", "linear") | {"tickformat": ".0%"},
        "yaxis": look.axis(f"{name}, predicted", "linear") | {"tickformat": ".0%"},
    }
    return look.figure(traces, theme=theme, height_px=HEIGHT_PX, layout=layout)


def alt(proof: Proof, *, name: str) -> str:
    """Say in one sentence what the figure shows, for those who do not see it."""
    off = float(np.mean(np.abs(proof.predicted - proof.observed)))
    return (
        f"{name} predicted against measured for {len(proof.observed)} held-out runs: off by "
        f"{100 * off:.1f} points on average."
    )


def _ends(proof: Proof) -> NDArray[np.float64]:
    parts = [proof.observed, proof.lower, proof.upper]
    if proof.rival is not None:
        parts.append(proof.rival)
    values = np.concatenate(parts)
    return np.array([np.nanmin(values), np.nanmax(values)])


def _markers(proof: Proof, rows: NDArray[np.bool_], what: str) -> Trace:
    is_hollow = what.startswith("outside")
    return {
        "type": "scatter",
        "x": proof.observed[rows],
        "y": proof.predicted[rows],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": (proof.upper - proof.predicted)[rows],
            "arrayminus": (proof.predicted - proof.lower)[rows],
            "thickness": 1.2,
            "width": 3,
            "color": look.colour(0),
        },
        "mode": "markers",
        "name": f"predicted, {what}",
        "marker": {
            "color": look.CLEAR if is_hollow else look.colour(0),
            "size": 9,
            "line": {"width": 1.5, "color": look.colour(0)},
        },
        "text": [label for label, row in zip(proof.labels, rows, strict=True) if row],
        "hovertemplate": "%{text}<br>%{y:.1%}, measured %{x:.1%}<extra></extra>",
    }
