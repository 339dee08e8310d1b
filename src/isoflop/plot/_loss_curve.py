"""Loss against compute, model size, tokens or another input: rows, fitted curve, band, budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.fitting import Fit
from isoflop.language import gettext, kept_by_language, ngettext
from isoflop.planning import Plan
from isoflop.planning.rule import SIX_ND, ComputeRule
from isoflop.planning.trajectory import (
    Curve,
    compute_range,
    curve,
    curve_over,
    equal_compute,
    line_of_models,
)
from isoflop.plot import rows
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.axes import AXES, Axis, axis_of, law_axes, response_title
from isoflop.plot.rows import describe_plan
from isoflop.plot.theme import LIGHT, Theme, Trace
from isoflop.tables import LossTable
from isoflop.tables.schema import said_response
from isoflop.units import format_number
from isoflop.units.said import format_quantity

HEIGHT_PX = 410


def loss_curve(
    fit: Fit,
    *,
    x: str | None = None,
    plan: Plan | None = None,
    table: LossTable | None = None,
    fixed: Mapping[str, float] | None = None,
    rule: ComputeRule = SIX_ND,
    level: float = 0.9,
    theme: Theme = LIGHT,
) -> go.Figure:
    """Draw the rows, the fitted curve within and beyond them with its band, and a plan.

    Parameters
    ----------
    fit : Fit
    x : str, optional
        Table column along the chart: ``"compute_flop"``, ``"params"``, ``"tokens"``, or another
        input of the law, which needs a plan; by default the first that the table has.
    plan : Plan, optional
        Where a budget lands, with the interval of its loss.
    table : LossTable, optional
        Rows to draw; by default those that the fit still holds.
    fixed : mapping of str to float, optional
        Values of the law's inputs that compute does not settle, by table column.
    rule : ComputeRule
        How size and tokens make compute: that of the plan.
    level : float
        Nominal coverage of the band.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    picture = _prepare(fit, x, plan, table or fit.table, dict(fixed or {}), rule, level)
    return _draw(picture, theme)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """What is drawn.

    Parameters
    ----------
    axis : Axis
    y_title : str
    groups : tuple of Group
        Rows by family, coloured in this order.
    response : str
        Their column that is drawn.
    curve : Curve
    name : str
        Of the curve.
    plan : Plan or None
    plan_x : float
        Where the plan lies.
    equal_compute : Curve or None
        Models that cost as much as the plan's.
    """

    axis: Axis
    y_title: str
    groups: tuple[rows.Group, ...]
    response: str
    curve: Curve
    name: str
    plan: Plan | None
    plan_x: float
    equal_compute: Curve | None


def _prepare(
    fit: Fit,
    x: str | None,
    plan: Plan | None,
    table: LossTable | None,
    fixed: Mapping[str, float],
    rule: ComputeRule,
    level: float,
) -> _Picture:
    column = x or next(iter({} if table is None else law_axes(fit, table)), "compute_flop")
    along = _along(fit, column, plan, table, fixed, rule, level)
    origin = gettext("Fitted law") if fit.certificate.n_starts else gettext("Published law")
    has_rows = table is not None and column in table.frame
    return _Picture(
        axis=axis_of(column),
        y_title=response_title(fit),
        groups=rows.groups(table) if table is not None and has_rows else (),
        response=fit.law.response,
        curve=along,
        name=gettext("{origin}, {models}", origin=origin, models=along.models)
        if along.models
        else origin,
        plan=plan,
        plan_x=float("nan") if plan is None else _place(plan, column, fixed),
        equal_compute=None
        if plan is None or column not in {"params", "tokens"}
        else equal_compute(fit, plan.params, plan.tokens, fixed=fixed, rule=rule),
    )


def _along(
    fit: Fit,
    column: str,
    plan: Plan | None,
    table: LossTable | None,
    fixed: Mapping[str, float],
    rule: ComputeRule,
    level: float,
) -> Curve:
    """Return the curve: along compute, or at the plan's size and tokens along another input."""
    flop = None if plan is None else plan.compute_flop
    span = compute_range(fit, table, flop)
    if column in AXES:
        return curve(fit, span, fixed=fixed, rule=rule, level=level)
    if plan is None:  # the models of a budget in the middle of the rows stand in
        middle = np.sqrt([span[0] * span[1]])
        _, params, tokens, _ = line_of_models(fit, middle, fixed, rule=rule)
    else:
        params, tokens = np.array([plan.params]), np.array([plan.tokens])
    return curve_over(
        fit,
        column,
        _span(fit, column),
        params=float(params[0]),
        tokens=float(tokens[0]),
        fixed=fixed,
        rule=rule,
        level=level,
    )


def _span(fit: Fit, column: str) -> tuple[float, float]:
    """Return the range of an input among the fitted rows."""
    symbol = next(item.symbol for item in fit.law.inputs if item.column == column)
    return fit.input_ranges[symbol]


def _place(plan: Plan, column: str, fixed: Mapping[str, float]) -> float:
    known = {
        "compute_flop": plan.compute_flop,
        "params": plan.params,
        "tokens": plan.tokens,
        **fixed,
    }
    return known[column]


def _draw(picture: _Picture, theme: Theme) -> go.Figure:
    column, along = picture.axis.column, picture.curve
    traces: list[Trace] = [] if along.band is None else _bands(along, column)
    if picture.equal_compute is not None:
        traces.append(_equal_compute(picture.equal_compute, column))
    traces += _lines(picture, theme)
    traces += [
        _markers(group, index, column, picture.response)
        for index, group in enumerate(picture.groups)
    ]
    if picture.plan is not None:
        traces.append(_budget(picture.plan, picture.plan_x, describe_plan(picture.plan), theme))
    places = _shown_places(picture)
    along_x = look.axis(picture.axis.title, is_power=picture.axis.is_compute, span=places)
    layout = {
        "xaxis": along_x | ({"range": look.log_range(places)} if len(places) else {}),
        "yaxis": look.loss_axis(picture.y_title, _shown_losses(picture)),
    }
    return assemble(
        traces,
        theme=theme,
        height_px=HEIGHT_PX,
        layout=layout,
        alt=_alt(picture),
        notes=[gettext("No band: {reason}", reason=along.reason)] if along.reason else [],
    )


def _alt(picture: _Picture) -> str:
    n_rows = sum(len(group.frame) for group in picture.groups)
    families = ", ".join(group.family for group in picture.groups)
    found = picture.curve.band
    band = "" if found is None else gettext(" with a {level:.0%} band", level=found.level)
    budget = f"; {describe_plan(picture.plan)}" if picture.plan is not None else ""
    what = (
        gettext(
            "{rows} ({families}) and the fitted law",
            rows=ngettext("{n:,} row", "{n:,} rows", n_rows),
            families=families,
        )
        if n_rows
        else gettext("the fitted law")
    )
    outcome = picture.response.capitalize()
    return gettext(
        "{outcome} against {title}: {what}{band}{budget}.",
        outcome=outcome,
        title=picture.axis.title,
        what=what,
        band=band,
        budget=budget,
    )


def _shown_losses(picture: _Picture) -> NDArray[np.float64]:
    """Return every loss that must be on the chart; the band may reach beyond it."""
    ends: list[float] = []
    if picture.plan is not None:
        interval = picture.plan.loss_interval
        ends = [picture.plan.loss, *([] if interval is None else [interval.lower, interval.upper])]
    losses = (group.values(picture.response) for group in picture.groups)
    return np.concatenate([picture.curve.loss, ends, *losses])


def _segments(is_extrapolation: NDArray[np.bool_]) -> list[tuple[slice, bool]]:
    """Split into runs within and beyond the rows, each sharing its first point with the last."""
    edges = np.flatnonzero(np.diff(is_extrapolation)) + 1
    starts, stops = [0, *edges.tolist()], [*edges.tolist(), len(is_extrapolation)]
    return [
        (slice(start if start == 0 else start - 1, stop), bool(is_extrapolation[start]))
        for start, stop in zip(starts, stops, strict=True)
    ]


def _bands(along: Curve, column: str) -> list[Trace]:
    """Fill the band: solid within the rows, hatched beyond them."""
    assert along.band is not None
    x, band = along.x(column), along.band
    traces: list[Trace] = []
    named = set()
    for part, is_beyond in _segments(along.is_extrapolation):
        fill = (
            {"fillcolor": look.CLEAR, "fillpattern": _HATCH}
            if is_beyond
            else {"fillcolor": look.BAND}
        )
        name = (
            gettext("extrapolation") if is_beyond else gettext("{level:.0%} band", level=band.level)
        )
        traces.append(
            {
                "type": "scatter",
                "x": np.concatenate([x[part], x[part][::-1]]),
                "y": np.concatenate([band.upper[part], band.lower[part][::-1]]),
                "fill": "toself",
                "mode": "lines",
                "line": {"width": 0},
                "name": name,
                "legendgroup": name,
                "legendrank": 1020,
                "showlegend": name not in named,
                "hoverinfo": "skip",
                **fill,
            }
        )
        named.add(name)
    return traces


_HATCH = {
    "shape": "/",
    "fgcolor": look.BAND_BEYOND,
    "bgcolor": look.CLEAR,
    "size": 6,
    "solidity": 0.25,
}


def _equal_compute(others: Curve, column: str) -> Trace:
    order = np.argsort(others.x(column))
    return {
        "type": "scatter",
        "x": others.x(column)[order],
        "y": others.loss[order],
        "mode": "lines",
        "name": gettext("Same budget, other sizes"),
        "legendrank": 1030,
        "line": {"color": look.ACCENT, "width": 1.5, "dash": "dot"},
        "hoverinfo": "skip",
    }


def _lines(picture: _Picture, theme: Theme) -> list[Trace]:
    """Draw the curve: solid within the rows, dashed beyond them."""
    along = picture.curve
    x, labels = along.x(picture.axis.column), _labels(along)
    traces: list[Trace] = []
    segments = _segments(along.is_extrapolation)
    named = next((i for i, (_, is_beyond) in enumerate(segments) if not is_beyond), 0)
    for index, (part, is_beyond) in enumerate(segments):
        traces.append(
            {
                "type": "scatter",
                "x": x[part],
                "y": along.loss[part],
                "mode": "lines",
                "name": picture.name,
                "legendgroup": "curve",
                "legendrank": 1010,
                "showlegend": index == named,
                "line": {"color": theme.ink, "width": 2, "dash": "dash" if is_beyond else "solid"},
                "customdata": labels[part],
                "hovertemplate": gettext(
                    "<b>{response} "
                    "%{{y:.4g}}</b><br>%{{customdata[0]}}<br>%{{customdata[1]}} "
                    "parameters<br>%{{customdata[2]}} tokens<extra>{name}</extra>",
                    response=said_response(picture.response),
                    name=picture.name,
                ),
            }
        )
    return traces


@kept_by_language(max_entries=128)
def _labels(along: Curve) -> tuple[tuple[str, str, str], ...]:
    """Write what each point costs and is; kept, since a slider moves along one curve."""
    points = zip(along.compute_flop, along.params, along.tokens, strict=True)
    return tuple(
        (format_quantity(flop, "flop"), format_number(params), format_number(tokens))
        for flop, params, tokens in points
    )


def _shown_places(picture: _Picture) -> NDArray[np.float64]:
    """Return where on the axis anything is drawn: rows may lie far from a short curve."""
    column = picture.axis.column
    shown = [picture.curve.x(column), *(group.values(column) for group in picture.groups)]
    if picture.equal_compute is not None:
        shown.append(picture.equal_compute.x(column))
    places = np.concatenate([*map(np.ravel, shown), [picture.plan_x]])
    return np.asarray(places[np.isfinite(places) & (places > 0)])


def _markers(group: rows.Group, index: int, column: str, response: str) -> Trace:
    n_rows = len(group.frame)
    return {
        "type": look.marker_type(n_rows),
        "x": group.values(column),
        "y": group.values(response),
        "mode": "markers",
        "name": group.family,
        "marker": {
            "color": look.colour(index),
            "symbol": look.symbol(index),
            "size": 9 if n_rows < 100 else 6,
            "line": look.OUTLINE,
            "opacity": 0.9,
        },
        **group.hover(),
    }


def _budget(plan: Plan, x: float, label: str, theme: Theme) -> Trace:
    """Mark where the budget lands, with the interval of its loss."""
    error = None
    if plan.loss_interval is not None:
        error = {
            "type": "data",
            "symmetric": False,
            "array": np.array([plan.loss_interval.upper - plan.loss]),
            "arrayminus": np.array([plan.loss - plan.loss_interval.lower]),
            "color": look.ACCENT,
            "thickness": 2,
            "width": 6,
        }
    return {
        "type": "scatter",
        "x": np.array([x]),
        "y": np.array([plan.loss]),
        "mode": "markers",
        "name": gettext("You are here"),
        "legendrank": 1005,
        "marker": look.star(theme),
        "error_y": error,
        "text": [label],
        "hovertemplate": gettext("%{{text}}<extra>You are here</extra>"),
    }
