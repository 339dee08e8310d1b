"""The backtest as a picture: every law on every table, shaded by how far it was off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoflop.figures import Figure
from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Theme

ROW_PX, BASE_PX = 30, 150
GOOD = "#63BFA2"
MIDDLING = "#F3E9A6"
BAD = "#EE9A66"
UNRANKED, TEXT = "#C9D0D6", "#17212B"
"""Solid, with dark text on them, so that cells read alike on light and dark."""
SHADES = ((0.0, GOOD), (0.35, MIDDLING), (1.0, BAD))
TEN_TIMES = 1.0
"""Decimal logarithm of error over the best in its column at which shading ends."""


def figure(
    laws: Sequence[str],
    tables: Sequence[str],
    error: NDArray[np.float64],
    *,
    is_complete: NDArray[np.bool_],
    coverage: NDArray[np.float64],
    shows_coverage: bool = False,
    theme: Theme = APP,
) -> Figure:
    """Draw mean absolute errors in per cent, shaded against the best of each table.

    Parameters
    ----------
    laws, tables : sequence of str
    error : ndarray, shape (n_laws, n_tables)
        Mean absolute relative error; NaN where there is none.
    is_complete : ndarray of bool, shape (n_laws, n_tables)
        Whether every family was predicted; others are in brackets and grey.
    coverage : ndarray, shape (n_laws, n_tables)
        Share of rows inside the 90% interval.
    shows_coverage : bool
        Write and shade the coverage instead of the error.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    values = coverage if shows_coverage else error
    text = [
        [_cell(values[i, j], bool(is_complete[i, j])) for j in range(len(tables))]
        for i in range(len(laws))
    ]
    hover = [
        [_hover(error[i, j], coverage[i, j]) for j in range(len(tables))] for i in range(len(laws))
    ]
    whole = np.where(is_complete, values, np.nan)
    common = {
        "type": "heatmap",
        "x": list(tables),
        "y": list(laws),
        "text": text,
        "texttemplate": "%{text}",
        "textfont": {"size": 12, "color": TEXT},
        "showscale": False,
        "customdata": hover,
        "hovertemplate": "%{y} on %{x}<br>%{customdata}<extra></extra>",
        "xgap": 2,
        "ygap": 2,
        "hoverongaps": False,
    }
    shaded = _coverage_shades(whole) if shows_coverage else _error_shades(whole)
    partial = {
        "z": np.where(np.isfinite(values) & ~is_complete, 0.0, np.nan),
        "colorscale": [[0.0, UNRANKED], [1.0, UNRANKED]],
    }
    layout = {
        "xaxis": {"side": "top", "type": "category", "showgrid": False, "automargin": True},
        "yaxis": {"autorange": "reversed", "type": "category", "showgrid": False,
                  "automargin": True},
    }  # fmt: skip
    height = BASE_PX + ROW_PX * len(laws)
    traces = [common | partial, common | shaded]
    return look.figure(traces, theme=theme, height_px=height, layout=layout)


def _error_shades(error: NDArray[np.float64]) -> dict[str, Any]:
    with np.errstate(all="ignore"):
        best = np.nanmin(np.where(np.isfinite(error), error, np.inf), axis=0)
        shade = np.clip(np.log10(error / best), 0, TEN_TIMES)
    return {
        "z": shade,
        "colorscale": [list(pair) for pair in SHADES],
        "zmin": 0,
        "zmax": TEN_TIMES,
    }


def _coverage_shades(coverage: NDArray[np.float64]) -> dict[str, Any]:
    return {
        "z": coverage,
        "colorscale": [[0.0, BAD], [0.65, MIDDLING], [0.9, GOOD], [1.0, GOOD]],
        "zmin": 0,
        "zmax": 1,
    }


def alt(laws: Sequence[str], tables: Sequence[str], *, shows_coverage: bool = False) -> str:
    """Say in one sentence what the figure shows, for those who do not see it."""
    what = "Coverage of 90% intervals" if shows_coverage else "Mean errors"
    against = "nominal coverage" if shows_coverage else "the best law of each table"
    return (
        f"{what} of {len(laws)} laws on the largest decade of {len(tables)} tables, shaded "
        f"against {against}."
    )


def _cell(share: float, is_complete: bool) -> str:
    if not np.isfinite(share):
        return ""
    shown = f"{100 * share:.0f}%" if share >= 0.0995 or share == 0 else f"{100 * share:.1f}%"
    return shown if is_complete else f"({shown})"


def _hover(error: float, coverage: float) -> str:
    if not np.isfinite(error):
        return "not fitted"
    inside = f"{coverage:.0%} inside the 90% interval" if np.isfinite(coverage) else "no interval"
    return f"off by {error:.2%} on average, {inside}"
