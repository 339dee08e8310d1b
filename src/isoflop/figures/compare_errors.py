"""How far laws are off rows that they have not seen: a line of dots for each law."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.figures import Figure
from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Theme, Trace

ROW_PX, BASE_PX, LEAST_PX = 34, 110, 430


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """One kind of error of every law.

    Parameters
    ----------
    name : str
        Such as ``"Largest decade held out"``.
    error : ndarray, shape (n_laws,)
        Mean absolute error, in the unit of the axis; NaN where there is none.
    """

    name: str
    error: NDArray[np.float64]


def figure(
    laws: Sequence[str], kinds: Sequence[Errors], *, x_title: str, theme: Theme = APP
) -> Figure:
    """Draw mean errors on a logarithmic axis, the first law on top.

    Parameters
    ----------
    laws : sequence of str
        In the order to show them.
    kinds : sequence of Errors
        The one that ranks the laws first; it is drawn large.
    x_title : str
        With unit.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    traces: list[Trace] = []
    for index, kind in enumerate(kinds):
        known = np.isfinite(kind.error) & (kind.error > 0)
        traces.append(
            {
                "type": "scatter",
                "x": kind.error[known],
                "y": [law for law, is_known in zip(laws, known, strict=True) if is_known],
                "mode": "markers",
                "name": kind.name,
                "marker": {
                    "color": look.ACCENT if index == 0 else look.colour(index - 1),
                    "symbol": look.symbol(index),
                    "size": 13 if index == 0 else 9,
                    "line": look.OUTLINE,
                },
                "hovertemplate": "%{y}: %{x:.3g}<extra>" + kind.name + "</extra>",
            }
        )
    values = np.concatenate([kind.error for kind in kinds]) if kinds else np.array([])
    layout = {
        "xaxis": look.narrow_log_axis(x_title, values[np.isfinite(values) & (values > 0)]),
        "yaxis": {
            "type": "category",
            "categoryorder": "array",
            "categoryarray": list(reversed(laws)),
            "showgrid": True,
            "automargin": True,
        },
    }
    height = max(BASE_PX + ROW_PX * len(laws), LEAST_PX)
    return look.figure(traces, theme=theme, height_px=height, layout=layout)


def alt(laws: Sequence[str], kinds: Sequence[Errors]) -> str:
    """Say in one sentence what the figure shows, for those who do not see it."""
    if not laws or not kinds:
        return "No errors to show."
    shown = ", ".join(kind.name.lower() for kind in kinds)
    return f"Mean errors of {len(laws)} laws ({shown}); {laws[0]} comes closest."
