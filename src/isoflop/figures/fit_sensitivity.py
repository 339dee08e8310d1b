"""The compute-optimal size along a choice that the fit rests on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Scale, Theme, Trace

HEIGHT_PX = 330


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The optimal size along one choice.

    Parameters
    ----------
    x : ndarray, shape (n,)
        The choice; infinite for its limit, drawn as a level of its own.
    params : ndarray, shape (n,)
    here : float
        Of ``x``, where the fit stands.
    limit : str
        What an infinite choice is called.
    """

    x: NDArray[np.float64]
    params: NDArray[np.float64]
    here: float
    limit: str = ""


def figure(
    line: Line,
    *,
    x_title: str,
    x_scale: Scale,
    band: tuple[float, float] | None,
    level: float,
    theme: Theme = APP,
) -> go.Figure:
    """Draw the optimal size along a choice, with the fit's own interval for comparison.

    Parameters
    ----------
    line : Line
    x_title : str
    x_scale : {"log", "linear"}
    band : (float, float) or None
        Interval of the size under the fit as it stands.
    level : float
        Its nominal coverage.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    is_finite = np.isfinite(line.x)
    shown, params = line.x[is_finite], line.params[is_finite]
    traces = [] if band is None else [_band(shown, band, level)]
    traces.append(
        {
            "type": "scatter",
            "x": shown,
            "y": params,
            "mode": "lines+markers",
            "name": "Optimal size",
            "line": {"color": theme.ink, "width": 2},
            "marker": {"size": 5, "color": theme.ink},
            "hovertemplate": f"{x_title} %{{x:.3g}}<br>%{{y:.3s}} parameters<extra></extra>",
        }
    )
    traces += _marks(line, shown, theme)
    layout = {
        "xaxis": look.axis(x_title, x_scale, is_power=True, span=shown),
        "yaxis": _size_axis(params, band),
    }
    return look.figure(traces, theme=theme, height_px=HEIGHT_PX, layout=layout)


def _band(shown: NDArray[np.float64], band: tuple[float, float], level: float) -> Trace:
    return {
        "type": "scatter",
        "x": shown[[0, -1, -1, 0]],
        "y": np.array([band[0], band[0], band[1], band[1]]),
        "fill": "toself",
        "mode": "lines",
        "line": {"width": 0},
        "fillcolor": look.BAND,
        "name": f"{level:.0%} interval of the fit",
        "hoverinfo": "skip",
    }


def _marks(line: Line, shown: NDArray[np.float64], theme: Theme) -> list[Trace]:
    """Draw the limit as a level, and where the fit stands."""
    traces: list[Trace] = []
    limits, here = line.params[np.isinf(line.x)], line.params[line.x == line.here]
    if line.limit and len(limits):
        traces.append(
            {
                "type": "scatter",
                "x": shown[[0, -1]],
                "y": np.full(2, limits[0]),
                "mode": "lines",
                "name": line.limit,
                "line": {"color": look.FAMILIES[2], "width": 1.5, "dash": "dash"},
                "hovertemplate": f"%{{y:.3s}} parameters<extra>{line.limit}</extra>",
            }
        )
    if np.isfinite(line.here) and len(here):
        traces.append(
            {
                "type": "scatter",
                "x": np.array([line.here]),
                "y": here[:1],
                "mode": "markers",
                "name": "This fit",
                "marker": {
                    "symbol": "star-diamond",
                    "size": 15,
                    "color": look.ACCENT,
                    "line": {"width": 1.2, "color": theme.ink},
                },
                "hovertemplate": "%{y:.3s} parameters<extra>This fit</extra>",
            }
        )
    return traces


def _size_axis(params: NDArray[np.float64], band: tuple[float, float] | None) -> dict[str, object]:
    shown = np.concatenate([params, band or ()])
    known = shown[np.isfinite(shown) & (shown > 0)]
    title = "Optimal size N* (parameters)"
    if not len(known) or known.max() <= known.min():
        return look.axis(title)
    return look.narrow_log_axis(title, known)


def alt(line: Line, *, x_title: str) -> str:
    """Say in one sentence what the figure shows, for those who do not see it."""
    known = line.params[np.isfinite(line.params)]
    if not len(known):
        return f"The law has no compute-optimal size at any {x_title}."
    return (
        f"The compute-optimal size against {x_title}, from {known.min():.3g} to "
        f"{known.max():.3g} parameters."
    )
