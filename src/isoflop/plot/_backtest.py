"""The backtest as a picture: every law on every table, shaded by how far it was off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.fitting.backtest import Backtest
from isoflop.fitting.backtest_summary import law_label
from isoflop.language import gettext as _
from isoflop.plot._figure import assemble
from isoflop.plot.theme import LIGHT, Theme, short

Measure = Literal["error", "coverage"]
ROW_PX, BASE_PX = 30, 150
GOOD = "#63BFA2"
MIDDLING = "#F3E9A6"
BAD = "#EE9A66"
UNRANKED, TEXT = "#C9D0D6", "#17212B"
"""Solid, with dark text on them, so that cells read alike on light and dark."""
SHADES = ((0.0, GOOD), (0.35, MIDDLING), (1.0, BAD))
TEN_TIMES = 1.0
"""Decimal logarithm of error over the best in its column at which shading ends."""


def backtest(report: Backtest, *, measure: Measure = "error", theme: Theme = LIGHT) -> go.Figure:
    """Draw how far each law was off on each table, or how many rows its intervals held.

    Errors are in per cent, shaded against the best of each table; where not every family was
    predicted they are in brackets and grey.

    Parameters
    ----------
    report : Backtest
        Of one objective; of several, the last row of a law and a table counts.
    measure : {"error", "coverage"}
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    return _draw(_prepare(report, measure), theme)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """A cell a law and table.

    Parameters
    ----------
    laws, tables : tuple of str
    error : ndarray, shape (n_laws, n_tables)
        Mean absolute relative error; NaN where there is none.
    is_complete : ndarray of bool, shape (n_laws, n_tables)
        Whether every family was predicted.
    coverage : ndarray, shape (n_laws, n_tables)
        Share of rows inside the 90% interval.
    measure : {"error", "coverage"}
    """

    laws: tuple[str, ...]
    tables: tuple[str, ...]
    error: NDArray[np.float64]
    is_complete: NDArray[np.bool_]
    coverage: NDArray[np.float64]
    measure: Measure


def _prepare(report: Backtest, measure: Measure) -> _Picture:
    laws, tables = report.laws, report.datasets
    error = np.full((len(laws), len(tables)), np.nan)
    coverage = error.copy()
    is_complete = np.zeros(error.shape, dtype=bool)
    for row in report.rows:
        cell = laws.index(row.law), tables.index(row.dataset)
        error[cell], coverage[cell] = row.mean_abs_error, row.coverage
        is_complete[cell] = row.is_complete
    return _Picture(
        laws=tuple(short(law_label(law)) for law in laws),
        tables=tables,
        error=error,
        is_complete=is_complete,
        coverage=coverage,
        measure=measure,
    )


def _draw(picture: _Picture, theme: Theme) -> go.Figure:
    shows_coverage = picture.measure == "coverage"
    values = picture.coverage if shows_coverage else picture.error
    whole = np.where(picture.is_complete, values, np.nan)
    cells = list(np.ndindex(values.shape))
    text, hover = np.full(values.shape, "", dtype=object), np.full(values.shape, "", dtype=object)
    for at in cells:
        text[at] = _cell(float(values[at]), bool(picture.is_complete[at]))
        hover[at] = _hover(float(picture.error[at]), float(picture.coverage[at]))
    common = {
        "type": "heatmap",
        "x": list(picture.tables),
        "y": list(picture.laws),
        "text": text.tolist(),
        "texttemplate": "%{text}",
        "textfont": {"size": 12, "color": TEXT},
        "showscale": False,
        "customdata": hover.tolist(),
        "hovertemplate": "%{y} on %{x}<br>%{customdata}<extra></extra>",
        "xgap": 2,
        "ygap": 2,
        "hoverongaps": False,
    }
    shaded = _coverage_shades(whole) if shows_coverage else _error_shades(whole)
    partial = {
        "z": np.where(np.isfinite(values) & ~picture.is_complete, 0.0, np.nan),
        "colorscale": [[0.0, UNRANKED], [1.0, UNRANKED]],
    }
    layout = {
        "xaxis": {"side": "top", "type": "category", "showgrid": False, "automargin": True},
        "yaxis": {"autorange": "reversed", "type": "category", "showgrid": False,
                  "automargin": True},
    }  # fmt: skip
    return assemble(
        [common | partial, common | shaded],
        theme=theme,
        height_px=BASE_PX + ROW_PX * len(picture.laws),
        layout=layout,
        alt=_alt(picture),
    )


def _alt(picture: _Picture) -> str:
    shows_coverage = picture.measure == "coverage"
    what = _("Coverage of 90% intervals") if shows_coverage else _("Mean errors")
    against = _("nominal coverage") if shows_coverage else _("the best law of each table")
    return _(
        "{what} of {laws} laws on the largest decade of {tables} tables, shaded against {against}.",
        what=what,
        laws=len(picture.laws),
        tables=len(picture.tables),
        against=against,
    )


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


def _cell(share: float, is_complete: bool) -> str:
    if not np.isfinite(share):
        return ""
    shown = f"{100 * share:.0f}%" if share >= 0.0995 or share == 0 else f"{100 * share:.1f}%"
    return shown if is_complete else f"({shown})"


def _hover(error: float, coverage: float) -> str:
    if not np.isfinite(error):
        return _("not fitted")
    inside = (
        _("{coverage:.0%} inside the 90% interval", coverage=coverage)
        if np.isfinite(coverage)
        else _("no interval")
    )
    return _("off by {error:.2%} on average, {inside}", error=error, inside=inside)
