"""Plans side by side: loss against money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.errors import PlanError
from isoflop.language import gettext as _
from isoflop.language import ngettext as n_
from isoflop.planning import Interval, Plan
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.axes import MONEY, outcome_title
from isoflop.plot.theme import LIGHT, Theme, Trace, escaped
from isoflop.tables.schema import said_response
from isoflop.units import format_number
from isoflop.units.said import format_quantity

HEIGHT_PX = 380


def plans(found: Mapping[str, Plan], *, theme: Theme = LIGHT) -> go.Figure:
    """Draw the loss of each plan, with its interval, over the money it takes.

    Parameters
    ----------
    found : mapping of str to Plan
        By name; those without a price are left out, with a note.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    PlanError
        If the losses are in different units, or no plan has a price.
    """
    return _draw(_prepare(found), theme)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    """One plan: its name, safe to stand in a figure, money, loss with interval, and words."""

    name: str
    usd: float
    loss: float
    interval: Interval | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """The plans, the title of their loss, and how many have no price."""

    points: tuple[_Point, ...]
    loss_title: str
    n_left_out: int


def _prepare(found: Mapping[str, Plan]) -> _Picture:
    titles = {outcome_title(plan.response, plan.loss_unit) for plan in found.values()}
    if len(titles) > 1:
        raise PlanError(
            _("These plans predict different things and cannot be compared."),
            detail=_("They predict: {titles}.", titles=", ".join(sorted(titles))),
            hint=_("Choose plans of fits to losses in one unit."),
        )
    points = tuple(_point(name, plan) for name, plan in found.items() if plan.cost.usd)
    if not points:
        raise PlanError(
            _("None of these plans has a price."), hint=_("Give the accelerators a price.")
        )
    return _Picture(points=points, loss_title=titles.pop(), n_left_out=len(found) - len(points))


def _point(name: str, plan: Plan) -> _Point:
    usd = plan.cost.usd or 0.0
    return _Point(
        name=escaped(name),
        usd=usd,
        loss=plan.loss,
        interval=plan.loss_interval,
        text=_(
            "{response} {loss:.4g}<br>{usd}<br>{params} parameters, {tokens} tokens",
            response=said_response(plan.response),
            loss=plan.loss,
            usd=format_quantity(usd, "usd"),
            params=format_number(plan.params),
            tokens=format_number(plan.tokens),
        ),
    )


def _draw(picture: _Picture, theme: Theme) -> go.Figure:
    points = picture.points
    money = np.array([point.usd for point in points])
    intervals = [point.interval for point in points if point.interval is not None]
    edges = [edge for interval in intervals for edge in (interval.lower, interval.upper)]
    layout = {
        "xaxis": look.axis(MONEY, span=money) | _room(money),
        "yaxis": look.loss_axis(
            picture.loss_title, np.array([*edges, *(point.loss for point in points)])
        ),
    }
    notes = []
    if picture.n_left_out:
        notes = [
            _(
                "{plans} no price, so no point.",
                plans=n_("{n:,} plan has", "{n:,} plans have", picture.n_left_out),
            )
        ]
    said = "; ".join(f"{point.name}: {point.loss:.3f}" for point in points)
    return assemble(
        [_marker(point, index) for index, point in enumerate(points)],
        theme=theme,
        height_px=HEIGHT_PX,
        layout=layout,
        alt=_(
            "{loss_title} of plans over money: {said}.", loss_title=picture.loss_title, said=said
        ),
        notes=notes,
    )


def _marker(point: _Point, index: int) -> Trace:
    error = None
    if point.interval is not None:
        error = {
            "type": "data",
            "symmetric": False,
            "array": [point.interval.upper - point.loss],
            "arrayminus": [point.loss - point.interval.lower],
            "thickness": 1.5,
        }
    return {
        "type": "scatter",
        "x": np.array([point.usd]),
        "y": np.array([point.loss]),
        "mode": "markers+text",
        "name": point.name,
        "text": [f"  {point.name}"],
        "textposition": "middle right",
        "customdata": [point.text],
        "error_y": error,
        "marker": {
            "color": look.colour(index),
            "symbol": look.symbol(index),
            "size": 12,
            "line": look.OUTLINE,
        },
        "hovertemplate": "%{customdata}<extra>%{fullData.name}</extra>",
        "showlegend": False,
    }


def _room(values: NDArray[np.float64]) -> dict[str, object]:
    """Return a range with room beside the outermost points for their names."""
    low, high = np.log10(values.min()), np.log10(values.max())
    margin = max(0.2 * (high - low), 0.15)
    return {"range": [float(low - margin), float(high + margin)]}
