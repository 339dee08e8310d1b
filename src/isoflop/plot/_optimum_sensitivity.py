"""The compute-optimal size along a choice that the fit rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.fitting import Fit
from isoflop.fitting.diagnose import diagnostics
from isoflop.language import gettext as _
from isoflop.language import lazy_gettext
from isoflop.planning.sensitivity import (
    Along,
    OptimumDraws,
    SensitivityCurve,
    optimum_draws,
    sensitivity_curve,
    target_of,
)
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.theme import LIGHT, Scale, Theme, Trace
from isoflop.tables import LossTable

HEIGHT_PX = 330

_TITLES: dict[Along, str] = {
    "highest_losses": lazy_gettext("Highest losses left out"),
    "residuals": lazy_gettext("Rows furthest from the curve left out"),
    "huber_delta": lazy_gettext("Huber δ"),
}
_LIMIT = lazy_gettext("Least squares")


def optimum_sensitivity(
    fit: Fit,
    *,
    along: Along = "highest_losses",
    compute_flop: float | None = None,
    fixed: Mapping[str, float] | None = None,
    curve: SensitivityCurve | None = None,
    optimum: OptimumDraws | None = None,
    level: float = 0.9,
    table: LossTable | None = None,
    theme: Theme = LIGHT,
) -> go.Figure:
    """Draw the compute-optimal size along a choice, with the fit's own interval beside it.

    Parameters
    ----------
    fit : Fit
    along : {"highest_losses", "residuals", "huber_delta"}
        Rows left out, those of highest loss or furthest from the curve first; or the Huber delta.
    compute_flop : float, optional
        Budget of the optimum; by default where a curve of the fit ends.
    fixed : mapping of str to float, optional
        Values of the law's other inputs, by table column.
    curve : SensitivityCurve, optional
        Where it was computed before; it takes seconds, and settles the three above.
    optimum : OptimumDraws, optional
        Of the same budget, where it was computed before.
    level : float
        Of the fit's interval.
    table : LossTable, optional
        The rows; by default those that the fit still holds.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    FitError
        If the objective has no Huber delta to go along, or the rows are not at hand.
    """
    if curve is None or optimum is None:
        setup = diagnostics(fit, table)
        target = target_of(fit, compute_flop, fixed=fixed, table=table)
        curve = curve or sensitivity_curve(setup, target, along)
        optimum = optimum or optimum_draws(setup, target)
    band = optimum.interval("params", level)
    return _draw(_Picture(curve=curve, band=band, level=level), theme)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """The curve, and the interval of the size under the fit as it stands."""

    curve: SensitivityCurve
    band: tuple[float, float] | None
    level: float

    @property
    def title(self) -> str:
        """What the choice is called."""
        return _TITLES[self.curve.along]


def _draw(picture: _Picture, theme: Theme) -> go.Figure:
    curve = picture.curve
    is_finite = np.isfinite(curve.x)
    shown, params = curve.x[is_finite], curve.optima.params[is_finite]
    traces = [] if picture.band is None else [_band(shown, picture.band, picture.level)]
    traces.append(
        {
            "type": "scatter",
            "x": shown,
            "y": params,
            "mode": "lines+markers",
            "name": _("Compute-optimal size"),
            "line": {"color": theme.ink, "width": 2},
            "marker": {"size": 5, "color": theme.ink},
            "hovertemplate": _(
                "{title} %{{x:.3g}}<br>%{{y:.3s}} parameters<extra></extra>", title=picture.title
            ),
        }
    )
    traces += _marks(curve, shown, theme)
    scale: Scale = "log" if curve.along == "huber_delta" else "linear"
    layout = {
        "xaxis": look.axis(picture.title, scale, is_power=True, span=shown),
        "yaxis": _size_axis(params, picture.band),
    }
    return assemble(traces, theme=theme, height_px=HEIGHT_PX, layout=layout, alt=_alt(picture))


def _alt(picture: _Picture) -> str:
    params = picture.curve.optima.params
    known = params[np.isfinite(params)]
    if not len(known):
        return _("The law has no compute-optimal size at any {title}.", title=picture.title)
    return _(
        "The compute-optimal size against {title}, from {min:.3g} to {max:.3g} parameters.",
        title=picture.title,
        min=known.min(),
        max=known.max(),
    )


def _band(shown: NDArray[np.float64], band: tuple[float, float], level: float) -> Trace:
    return {
        "type": "scatter",
        "x": shown[[0, -1, -1, 0]],
        "y": np.array([band[0], band[0], band[1], band[1]]),
        "fill": "toself",
        "mode": "lines",
        "line": {"width": 0},
        "fillcolor": look.BAND,
        "name": _("{level:.0%} interval of the fit", level=level),
        "hoverinfo": "skip",
    }


def _marks(curve: SensitivityCurve, shown: NDArray[np.float64], theme: Theme) -> list[Trace]:
    """Draw least squares as a level, and where the fit stands."""
    traces: list[Trace] = []
    params = curve.optima.params
    limits, here = params[np.isinf(curve.x)], params[curve.x == curve.here]
    if len(limits):
        traces.append(
            {
                "type": "scatter",
                "x": shown[[0, -1]],
                "y": np.full(2, limits[0]),
                "mode": "lines",
                "name": _LIMIT,
                "line": {"color": look.FAMILIES[2], "width": 1.5, "dash": "dash"},
                "hovertemplate": _("%{{y:.3s}} parameters<extra>{limit}</extra>", limit=_LIMIT),
            }
        )
    if np.isfinite(curve.here) and len(here):
        traces.append(
            {
                "type": "scatter",
                "x": np.array([curve.here]),
                "y": here[:1],
                "mode": "markers",
                "name": _("This fit"),
                "marker": {
                    "symbol": "star-diamond",
                    "size": 15,
                    "color": look.ACCENT,
                    "line": {"width": 1.2, "color": theme.ink},
                },
                "hovertemplate": _("%{{y:.3s}} parameters<extra>This fit</extra>"),
            }
        )
    return traces


def _size_axis(params: NDArray[np.float64], band: tuple[float, float] | None) -> dict[str, object]:
    shown = np.concatenate([params, band or ()])
    known = shown[np.isfinite(shown) & (shown > 0)]
    title = _("Compute-optimal size N* (parameters)")
    if not len(known) or known.max() <= known.min():
        return look.axis(title)
    return look.narrow_log_axis(title, known)
