"""How far loss or money of a plan move with each assumption."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from isoflop.errors import PlanError
from isoflop.language import gettext
from isoflop.planning.tornado import STEP, Moved, Tornado
from isoflop.plot import bars
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.axes import MONEY, predicted_title
from isoflop.plot.theme import LIGHT, Theme, Trace


def tornado(found: Tornado, *, of: Moved = "loss", theme: Theme = LIGHT) -> go.Figure:
    """Draw how far an outcome moves with each assumption, both ways from the plan.

    Parameters
    ----------
    found : Tornado
    of : {"loss", "usd"}
        Which outcome.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    PlanError
        If no assumption moves it.
    """
    picture = _prepare(found, of)
    if not picture.swings:
        raise PlanError(
            gettext("No assumption changes this: {title}.", title=picture.title),
            detail=""
            if of == "loss"
            else gettext("There is no price, or money is itself the limit."),
        )
    return _draw(picture, theme)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Swing:
    """One assumption: the outcome with it lowered and raised, and both values in words."""

    label: str
    low: float
    high: float
    low_text: str
    high_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """The bars from top to bottom, and the plan's own outcome."""

    title: str
    centre: float
    swings: tuple[_Swing, ...]


def _prepare(found: Tornado, of: Moved) -> _Picture:
    plan = found.plan
    swings = tuple(
        _Swing(
            label=entry.label,
            low=entry.low.of(of),
            high=entry.high.of(of),
            low_text=entry.low.value,
            high_text=entry.high.value,
        )
        for entry in found.moving(of)
    )
    if of == "usd":
        return _Picture(title=MONEY, centre=plan.cost.usd or 0.0, swings=swings)
    title = predicted_title(plan.response, plan.loss_unit)
    return _Picture(title=title, centre=plan.loss, swings=swings)


def _draw(picture: _Picture, theme: Theme) -> go.Figure:
    labels = [swing.label for swing in picture.swings]
    ends = {
        gettext("Lowered"): [(swing.low, swing.low_text) for swing in picture.swings],
        gettext("Raised"): [(swing.high, swing.high_text) for swing in picture.swings],
    }
    traces: list[Trace] = [
        {
            "type": "bar",
            "base": picture.centre,
            "x": np.array([value - picture.centre for value, _ in found]),
            "y": labels,
            "orientation": "h",
            "name": name,
            "marker": {"color": look.colour(index)},
            "text": [text for _, text in found],
            "textposition": "auto",
            "textangle": 0,
            "customdata": np.array([value for value, _ in found]),
            "hovertemplate": gettext("%{{y}} at %{{text}}<br>%{{customdata:.4g}}<extra></extra>"),
        }
        for index, (name, found) in enumerate(ends.items())
    ]
    layout = {
        "barmode": "overlay",
        "bargap": 0.3,
        "xaxis": {"title": {"text": picture.title}},
        "yaxis": bars.LABELS,
        "shapes": [bars.vertical(picture.centre, {"color": theme.ink, "width": 1})],
    }
    moved = "; ".join(
        gettext("{label} {low:.4g} to {high:.4g}", label=s.label, low=s.low, high=s.high)
        for s in picture.swings
    )
    return assemble(
        traces,
        theme=theme,
        height_px=bars.height_px(len(labels)) + bars.LEGEND_PX,
        layout=layout,
        alt=gettext(
            "{title} when each assumption is divided and multiplied by {step:g}: {moved}.",
            title=picture.title,
            step=STEP,
            moved=moved,
        ),
    )
