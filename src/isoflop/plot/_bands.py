"""The predicted loss over compute with both of its bands: of the mean, and of one new run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.fitting import Band, Fit, PredictOptions, band, predict
from isoflop.fitting.bands import BandKind
from isoflop.language import gettext as _
from isoflop.language import listed
from isoflop.options import option
from isoflop.planning.inputs import inputs_at
from isoflop.planning.rule import SIX_ND, ComputeRule
from isoflop.planning.trajectory import compute_of_rows, compute_range, line_of_models
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.axes import AXES, response_title
from isoflop.plot.marks import ROOM_ABOVE, above, upright
from isoflop.plot.theme import LIGHT, Theme, Trace
from isoflop.tables import LossTable
from isoflop.units.said import format_quantity

HEIGHT_PX = 400
N_POINTS = 80
_KINDS = option(PredictOptions, "kind").choices
_FILLS = {"prediction": "rgba(230, 159, 0, 0.22)", "confidence": look.BAND}
_LINES = {"prediction": "#E69F00", "confidence": look.FAMILIES[0]}
_DASHES = {"prediction": "dash", "confidence": "solid"}


def bands(
    fit: Fit,
    *,
    compute_flop: float | None = None,
    table: LossTable | None = None,
    fixed: Mapping[str, float] | None = None,
    rule: ComputeRule = SIX_ND,
    level: float = 0.9,
    is_simultaneous: bool = False,
    is_relative: bool = False,
    theme: Theme = LIGHT,
) -> go.Figure:
    """Draw the curve over compute with the confidence and the prediction band.

    Parameters
    ----------
    fit : Fit
    compute_flop : float, optional
        A budget to mark.
    table : LossTable, optional
        The rows, whose ends are marked; by default those that the fit still holds.
    fixed : mapping of str to float, optional
        Values of the law's other inputs, by table column.
    rule : ComputeRule
        How size and tokens make compute.
    level : float
        Nominal coverage of the bands.
    is_simultaneous : bool
        Whether the confidence band is to hold the whole curve at once.
    is_relative : bool
        Draw everything as a distance from the curve, in percent: bands that are thin inside the
        rows are seen.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    picture = _prepare(
        fit,
        compute_flop,
        table or fit.table,
        fixed or {},
        rule,
        level,
        is_simultaneous=is_simultaneous,
    )
    return _draw(picture, theme, is_relative=is_relative)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """What is drawn.

    Parameters
    ----------
    compute_flop, loss : ndarray, shape (n,)
    bands : tuple of Band
        The wider ones first: each is drawn over those before it.
    budget_flop : float or None
    rows_flop : (float, float) or None
        Least and most compute of the fitted rows, where it is known.
    y_title : str
    notes : tuple of str
    """

    compute_flop: NDArray[np.float64]
    loss: NDArray[np.float64]
    bands: tuple[Band, ...]
    budget_flop: float | None
    rows_flop: tuple[float, float] | None
    y_title: str
    notes: tuple[str, ...]


def _prepare(
    fit: Fit,
    compute_flop: float | None,
    table: LossTable | None,
    fixed: Mapping[str, float],
    rule: ComputeRule,
    level: float,
    *,
    is_simultaneous: bool,
) -> _Picture:
    span = compute_range(fit, table, compute_flop)
    flop, params, tokens, models = line_of_models(
        fit, np.geomspace(*span, N_POINTS), fixed, rule=rule
    )
    at = inputs_at(fit.law, params, tokens, fixed, rule=rule)
    found, notes = [], []
    kinds: tuple[BandKind, ...] = ("prediction", "confidence")
    for kind in kinds:
        is_whole = is_simultaneous and kind == "confidence"
        try:
            found.append(band(fit, at, level, kind, is_simultaneous=is_whole))
        except FitError as problem:
            notes.append(
                _("No {kind} band: {detail}", kind=kind, detail=problem.detail or problem.summary)
            )
    if models:
        notes.append(_("Along models of {models}.", models=models))
    return _Picture(
        compute_flop=flop,
        loss=np.broadcast_to(predict(fit, at), flop.shape),
        bands=tuple(found),
        budget_flop=compute_flop,
        rows_flop=None if table is None else compute_of_rows(table),
        y_title=response_title(fit),
        notes=tuple(notes),
    )


def _name(shown: Band) -> str:
    if shown.kind == "prediction":
        return _("{kinds} (prediction)", kinds=_KINDS["prediction"])
    return _(
        "{kinds} (confidence{of_what})",
        kinds=_KINDS["confidence"],
        of_what=_(", whole curve") if shown.is_simultaneous else "",
    )


def _draw(picture: _Picture, theme: Theme, *, is_relative: bool) -> go.Figure:
    flop, loss = picture.compute_flop, picture.loss
    base = loss if is_relative else None
    traces: list[Trace] = [_band(shown, flop, base) for shown in picture.bands]
    traces.append(
        {
            "type": "scatter",
            "x": flop,
            "y": _off(loss, base),
            "mode": "lines",
            "name": _("Fitted law"),
            "line": {"color": theme.ink, "width": 2},
            "text": _labels(picture),
            "hovertemplate": "%{text}<extra></extra>",
        }
    )
    return assemble(
        traces,
        theme=theme,
        height_px=HEIGHT_PX,
        layout=_layout(picture, theme, is_relative=is_relative),
        alt=_alt(picture),
        notes=picture.notes,
    )


def _layout(picture: _Picture, theme: Theme, *, is_relative: bool) -> dict[str, Any]:
    ends = [part for shown in picture.bands for part in (shown.lower, shown.upper)]
    y_axis = look.loss_axis(picture.y_title, np.concatenate([picture.loss, *ends]))
    if is_relative:
        y_axis = look.axis(_("Distance from the fitted law (%)"), "linear")
    shapes, words = [], []
    if picture.budget_flop is not None:
        shapes.append(upright(picture.budget_flop, theme.ink))
        words.append(above(float(np.log10(picture.budget_flop)), "budget"))
    if picture.rows_flop is not None:
        shapes += [upright(at, look.MUTED) for at in picture.rows_flop]
        words.append(above(float(np.mean(np.log10(picture.rows_flop))), _("fitted rows")))
    return {
        "xaxis": look.axis(AXES["compute_flop"].title, is_power=True, span=picture.compute_flop),
        "yaxis": y_axis,
        "shapes": shapes,
        "annotations": words,
        "margin": ROOM_ABOVE,
    }


def _band(shown: Band, flop: NDArray[np.float64], base: NDArray[np.float64] | None) -> Trace:
    return {
        "type": "scatter",
        "x": np.concatenate([flop, flop[::-1]]),
        "y": np.concatenate([_off(shown.upper, base), _off(shown.lower, base)[::-1]]),
        "fill": "toself",
        "mode": "lines",
        "line": {"width": 1, "color": _LINES[shown.kind], "dash": _DASHES[shown.kind]},
        "fillcolor": _FILLS[shown.kind],
        "name": _name(shown),
        "hoverinfo": "skip",
    }


def _off(values: NDArray[np.float64], base: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Return values, or how far they lie off a base in percent."""
    return values if base is None else 100 * (values / base - 1)


def _labels(picture: _Picture) -> list[str]:
    return [
        "<br>".join(
            [
                f"<b>{format_quantity(float(flop), 'flop')}</b>",
                _("fitted {value:.4g}", value=value),
                *(
                    _(
                        "{b}: {lower:.4g} to {upper:.4g}",
                        b=_name(b),
                        lower=b.lower[i],
                        upper=b.upper[i],
                    )
                    for b in picture.bands
                ),
            ]
        )
        for i, (flop, value) in enumerate(zip(picture.compute_flop, picture.loss, strict=True))
    ]


def _alt(picture: _Picture) -> str:
    names = listed(_name(shown) for shown in picture.bands) or _("no band")
    budget = "" if picture.budget_flop is None else _("; the budget is marked")
    return _(
        "Predicted loss over training compute, with {names}{budget}.", names=names, budget=budget
    )
