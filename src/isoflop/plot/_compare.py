"""How far laws are off rows that they have not seen: a line of dots for each law."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.fitting.compare import CRITERIA, LawComparison
from isoflop.language import as_a_title, translated
from isoflop.language import gettext as _
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.theme import LIGHT, Theme, Trace, escaped

ROW_PX, BASE_PX, LEAST_PX = 34, 110, 430


def compare(comparison: LawComparison, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw the mean errors of laws on a logarithmic axis, the best law on top.

    Parameters
    ----------
    comparison : LawComparison
        From `isoflop.fitting.compare.compare_laws`; laws that cannot be judged are left out.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    return _draw(_prepare(comparison), theme)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Errors:
    """One kind of mean error of every law, NaN where there is none; shape (n_laws,)."""

    name: str
    error: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """Laws in order and their errors, those first that rank them."""

    laws: tuple[str, ...]
    kinds: tuple[_Errors, ...]
    x_title: str


def _prepare(comparison: LawComparison) -> _Picture:
    ranking = comparison.ranking
    frame = comparison.to_frame().head(len(ranking.places))
    unit = 100.0 if comparison.is_relative else 1.0
    order = [ranking.criterion, *(name for name in CRITERIA if name != ranking.criterion)]
    kinds = (
        _Errors(
            name=translated(as_a_title(CRITERIA[name])),
            error=unit * frame[name].to_numpy(np.float64),
        )
        for name in order
    )
    return _Picture(
        laws=tuple(escaped(place.score.law.label) for place in ranking.places),
        kinds=tuple(kind for kind in kinds if np.isfinite(kind.error).any()),
        x_title=_("Mean error (% of the loss)")
        if comparison.is_relative
        else _("Mean absolute error"),
    )


def _draw(picture: _Picture, theme: Theme) -> go.Figure:
    traces = [_dots(picture.laws, kind, index) for index, kind in enumerate(picture.kinds)]
    values = np.concatenate([kind.error for kind in picture.kinds] or [np.array([])])
    shown = values[np.isfinite(values) & (values > 0)]
    layout = {
        "xaxis": look.narrow_log_axis(picture.x_title, shown)
        if len(shown)
        else look.axis(picture.x_title),
        "yaxis": {
            "type": "category",
            "categoryorder": "array",
            "categoryarray": list(reversed(picture.laws)),
            "showgrid": True,
            "automargin": True,
        },
    }
    height = max(BASE_PX + ROW_PX * len(picture.laws), LEAST_PX)
    return assemble(traces, theme=theme, height_px=height, layout=layout, alt=_alt(picture))


def _dots(laws: tuple[str, ...], kind: _Errors, index: int) -> Trace:
    """Draw one kind of error, large where it ranks the laws."""
    known = np.isfinite(kind.error) & (kind.error > 0)
    return {
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


def _alt(picture: _Picture) -> str:
    if not picture.laws or not picture.kinds:
        return _("No errors to show.")
    shown = ", ".join(kind.name.lower() for kind in picture.kinds)
    return _(
        "Mean errors of {laws} laws ({shown}); {best} comes closest.",
        laws=len(picture.laws),
        shown=shown,
        best=picture.laws[0],
    )
