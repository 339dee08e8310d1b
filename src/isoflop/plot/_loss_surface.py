"""The loss over numbers of accelerators and times, with a plan on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.language import gettext as _
from isoflop.planning import Plan
from isoflop.planning.surface import Surface
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.axes import outcome_title
from isoflop.plot.theme import LIGHT, Theme, Trace
from isoflop.tables.schema import said_response
from isoflop.units import DAY_S, format_number

HEIGHT_PX = 400
N_LEVELS = 12


def loss_surface(surface: Surface, *, plan: Plan | None = None, theme: Theme = LIGHT) -> go.Figure:
    """Draw the best loss over accelerators and time as shades and isoloss contours.

    Parameters
    ----------
    surface : Surface
    plan : Plan, optional
        Marked where its budget lies, with a line of the same accelerator-hours.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    return _draw(_prepare(surface, plan), theme)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    """Where a plan lies: accelerators, days, and its words."""

    accelerators: float
    days: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """The surface with its days, and the plan."""

    surface: Surface
    days: NDArray[np.float64]
    loss_label: str
    chosen: _Chosen | None


def _prepare(surface: Surface, plan: Plan | None) -> _Picture:
    return _Picture(
        surface=surface,
        days=surface.wall_time_s / DAY_S,
        loss_label=outcome_title(surface.response, surface.loss_unit),
        chosen=None if plan is None else _chosen(plan),
    )


def _chosen(plan: Plan) -> _Chosen:
    days = (plan.budget.wall_time_s or plan.cost.wall_time_s) / DAY_S
    count = plan.cost.accelerators
    return _Chosen(
        accelerators=count,
        days=days,
        label=_(
            "{response} {loss:.4g}<br>{count:,} accelerators<br>{days:.3g} "
            "days<br>{params} parameters<br>{tokens} tokens",
            response=said_response(plan.response),
            loss=plan.loss,
            count=count,
            days=days,
            params=format_number(plan.params),
            tokens=format_number(plan.tokens),
        ),
    )


def _draw(picture: _Picture, theme: Theme) -> go.Figure:
    surface, chosen = picture.surface, picture.chosen
    traces = [_contours(picture, theme)]
    if chosen is not None:
        traces += [_same_hours(surface, chosen), _star(chosen, theme)]
    counts, days = surface.accelerators, picture.days
    layout = {
        "xaxis": look.axis(_("Accelerators"), span=counts) | _ends(counts),
        "yaxis": look.axis(_("Duration (days)"), span=days) | _ends(days),
    }
    return assemble(traces, theme=theme, height_px=HEIGHT_PX, layout=layout, alt=_alt(picture))


def _alt(picture: _Picture) -> str:
    known = picture.surface.loss[np.isfinite(picture.surface.loss)]
    span = _(" from {max:.3f} to {min:.3f}", max=known.max(), min=known.min()) if len(known) else ""
    where = (
        "" if picture.chosen is None else _(", and the plan: {label}", label=picture.chosen.label)
    )
    return _(
        "Predicted {response} over accelerators and days{span}{where}.",
        response=said_response(picture.surface.response),
        span=span,
        where=where,
    )


def _ends(values: NDArray[np.float64]) -> dict[str, object]:
    return {"range": np.log10(values[[0, -1]]).tolist(), "showgrid": False}


def _contours(picture: _Picture, theme: Theme) -> Trace:
    surface = picture.surface
    known = surface.loss[np.isfinite(surface.loss)]
    contours: dict[str, object] = {
        "coloring": "heatmap",
        "showlabels": True,
        "labelfont": {"size": 11, "color": theme.ink},
    }
    if len(known) and known.max() > known.min():
        low, high = np.quantile(known, [0.0, 0.97])
        levels = look.round_ticks(float(low), float(high), N_LEVELS)
        if len(levels) > 1:
            step = float(levels[1] - levels[0])
            contours |= {"start": float(levels[0]), "end": float(levels[-1]), "size": step}
    shares = np.linspace(0, 1, len(look.SEQUENTIAL)).tolist()
    return {
        "type": "contour",
        "x": surface.accelerators,
        "y": picture.days,
        "z": surface.loss.astype(np.float32),
        "customdata": np.stack([surface.params, surface.tokens], axis=-1),
        "colorscale": [list(pair) for pair in zip(shares, look.SEQUENTIAL, strict=True)],
        "contours": contours,
        "connectgaps": False,
        "line": {"width": 0.75, "color": look.MUTED},
        "showscale": False,
        "name": picture.loss_label,
        "hovertemplate": _("%{{x:.0f}} accelerators for %{{y:.3g}} days<br>")
        + picture.loss_label
        + _(" %{{z:.3f}}<br>%{{customdata[0]:.3s}} parameters, %{{customdata[1]:.3s}} tokens")
        + "<extra></extra>",
    }


def _same_hours(surface: Surface, chosen: _Chosen) -> Trace:
    return {
        "type": "scatter",
        "x": surface.accelerators,
        "y": chosen.accelerators * chosen.days / surface.accelerators,
        "mode": "lines",
        "name": _("Same accelerator-hours"),
        "line": {"color": look.ACCENT, "width": 1.5, "dash": "dot"},
        "hoverinfo": "skip",
    }


def _star(chosen: _Chosen, theme: Theme) -> Trace:
    return {
        "type": "scatter",
        "x": np.array([chosen.accelerators]),
        "y": np.array([chosen.days]),
        "mode": "markers",
        "name": _("Your plan"),
        "marker": look.star(theme),
        "text": [chosen.label],
        "hovertemplate": _("%{{text}}<extra>Your plan</extra>"),
    }
