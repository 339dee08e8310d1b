"""Isoloss contours over model size and data, with the compute-optimal line and a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from contourpy import LineType, contour_generator
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.fitting import Fit, predict
from isoflop.language import gettext as _
from isoflop.language import kept_by_language, listed
from isoflop.planning import Plan
from isoflop.planning.inputs import PARAMS_COLUMNS, inputs_at
from isoflop.planning.rule import SIX_ND, ComputeRule
from isoflop.planning.trajectory import Fixed, equal_compute, optimal_models
from isoflop.plot import rows
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.axes import AXES, response_title
from isoflop.plot.rows import describe_plan
from isoflop.plot.theme import LIGHT, Theme, Trace
from isoflop.tables import LossTable

HEIGHT_PX = 410
N_POINTS = 33
READ_EVERY = 2
"""Steps of the grid at which the loss can be read."""
N_FRONTIER = 120
N_LEVELS = 14
LABELS_AT = 0.93
LABEL_ROOM = (0.09, 0.045)
"""Shares of the chart's width and height that a label takes."""

Range = tuple[float, float]


def contours(
    fit: Fit,
    *,
    plan: Plan | None = None,
    table: LossTable | None = None,
    fixed: Mapping[str, float] | None = None,
    rule: ComputeRule = SIX_ND,
    theme: Theme = LIGHT,
) -> go.Figure:
    """Draw lines of equal predicted loss over model size and tokens, and what lies among them.

    Parameters
    ----------
    fit : Fit
    plan : Plan, optional
        The model that a budget is to train, with the models that cost the same.
    table : LossTable, optional
        Rows to draw; by default those that the fit still holds.
    fixed : mapping of str to float, optional
        Values of the law's other inputs, by table column.
    rule : ComputeRule
        How size and tokens make compute: that of the plan.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    return _draw(_prepare(fit, plan, table or fit.table, dict(fixed or {}), rule), theme)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Path:
    """A line in the plane of model size and tokens; shape (n,) each."""

    params: NDArray[np.float64]
    tokens: NDArray[np.float64]


class _Label(NamedTuple):
    """A level beside its line, in logarithms of size and tokens."""

    log_params: float
    log_tokens: float
    text: str
    position: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Surface:
    """Predicted loss on a grid.

    Parameters
    ----------
    params : ndarray, shape (n,)
    tokens : ndarray, shape (m,)
    loss : ndarray, shape (m, n)
    frontier : _Path or None
        Compute-optimal models across it; None where the law has none.
    levels : ndarray, shape (n_levels,)
        Losses that lines are drawn at.
    labels : tuple of _Label
        Where they are written.
    lines : tuple of _Path
        Along the levels, from low loss to high: those of one colour together, NaN between them.
    """

    params: NDArray[np.float64]
    tokens: NDArray[np.float64]
    loss: NDArray[np.float64]
    frontier: _Path | None
    levels: NDArray[np.float64] = field(init=False)
    labels: tuple[_Label, ...] = field(init=False)
    lines: tuple[_Path, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", _levels(self.loss))
        object.__setattr__(self, "labels", _labels(self))
        by_colour = np.array_split(self.levels, len(look.SEQUENTIAL_LINES))
        lines = tuple(_level_lines(self, levels) for levels in by_colour)
        object.__setattr__(self, "lines", lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """What is drawn: the surface, rows by family in the order of their colours, the plan."""

    surface: _Surface
    loss_label: str
    groups: tuple[rows.Group, ...]
    plan: Plan | None
    same_budget: _Path | None


def _prepare(
    fit: Fit,
    plan: Plan | None,
    table: LossTable | None,
    fixed: Mapping[str, float],
    rule: ComputeRule,
) -> _Picture:
    has_rows = table is not None and {"params", "tokens"} <= set(table.frame)
    ends = _ends_of(table) if table is not None and has_rows else _ends_of_inputs(fit)
    surface = _surface(
        fit,
        _grid_range(ends[0], None if plan is None else plan.params),
        _grid_range(ends[1], None if plan is None else plan.tokens),
        tuple(sorted(fixed.items())),
        rule,
    )
    others = None
    if plan is not None:
        others = equal_compute(fit, plan.params, plan.tokens, fixed=fixed, rule=rule)
    return _Picture(
        surface=surface,
        loss_label=response_title(fit),
        groups=rows.groups(table) if table is not None and has_rows else (),
        plan=plan,
        same_budget=None if others is None else _Path(params=others.params, tokens=others.tokens),
    )


@kept_by_language(max_entries=16)
def _ends_of(table: LossTable) -> tuple[Range, Range]:
    """Return the smallest and the largest positive model size and tokens of a table's rows."""
    found = []
    for column in ("params", "tokens"):
        values = table.values(column)
        values = values[np.isfinite(values) & (values > 0)]
        found.append((float(values.min()), float(values.max())))
    return found[0], found[1]


def _ends_of_inputs(fit: Fit) -> tuple[Range, Range]:
    """Return the ranges of model size and tokens among the fitted rows."""
    ranges = {item.column: fit.input_ranges.get(item.symbol) for item in fit.law.inputs}
    params = next((ranges[name] for name in PARAMS_COLUMNS if ranges.get(name)), None)
    tokens = ranges.get("tokens")
    if params is None or tokens is None:
        raise FitError(
            _("There is no plane of model size and data to draw on."),
            detail=_("{label} takes {ranges}.", label=fit.law.label, ranges=listed(ranges)),
            hint=_(
                "Give the rows: contours(fit, table=...), or fit a law of parameters and tokens."
            ),
        )
    return params, tokens


def _grid_range(ends: Range, also: float | None) -> Range:
    """Return a range around two values and one more, to quarter decades outside.

    Whole steps keep the surface that is kept while a slider moves a little.
    """
    known = np.array([*ends, *([] if also is None else [also])])
    low = np.floor(4 * np.log10(known.min()) - 1) / 4
    high = np.ceil(4 * np.log10(known.max()) + 1) / 4
    return float(10**low), float(10**high)


@kept_by_language(max_entries=64)
def _surface(
    fit: Fit, params_range: Range, tokens_range: Range, fixed: Fixed, rule: ComputeRule
) -> _Surface:
    params = np.geomspace(*params_range, N_POINTS)
    tokens = np.geomspace(*tokens_range, N_POINTS)
    mesh_params, mesh_tokens = np.meshgrid(params, tokens)
    inputs = inputs_at(fit.law, mesh_params.ravel(), mesh_tokens.ravel(), dict(fixed), rule=rule)
    low, high = rule.training_flop(params[[0, -1]], tokens[[0, -1]])
    best = optimal_models(fit, np.geomspace(low, high, N_FRONTIER), dict(fixed), rule=rule)
    return _Surface(
        params=params,
        tokens=tokens,
        loss=np.broadcast_to(predict(fit, inputs), mesh_params.size).reshape(mesh_params.shape),
        frontier=None if best is None else _Path(params=best[1], tokens=best[2]),
    )


def _draw(picture: _Picture, theme: Theme) -> go.Figure:
    surface, plan = picture.surface, picture.plan
    traces: list[Trace] = [
        _losses(surface, picture.loss_label),
        *(
            _line(lines, _("Levels"), {"color": colour, "width": 1.25}) | {"showlegend": False}
            for lines, colour in zip(surface.lines, look.SEQUENTIAL_LINES, strict=True)
        ),
        _texts(surface.labels, theme),
    ]
    if surface.frontier is not None:
        traces.append(
            _line(surface.frontier, _("Compute-optimal"), {"color": theme.ink, "width": 2})
        )
    traces += [_markers(group, index) for index, group in enumerate(picture.groups)]
    # What moves with a budget lies above what does not, which a browser then leaves alone.
    if picture.same_budget is not None:
        line = {"color": look.ACCENT, "width": 1.5, "dash": "dot"}
        traces.append(_line(picture.same_budget, _("Same budget"), line))
    if plan is not None:
        traces.append(_marker(plan, describe_plan(plan), theme))
    layout = {
        "hoverdistance": -1,  # the loss is read from the nearest place, however far
        "xaxis": look.axis(AXES["params"].title, span=surface.params)
        | {"range": np.log10(surface.params[[0, -1]]).tolist(), "showgrid": False},
        "yaxis": look.axis(AXES["tokens"].title, span=surface.tokens)
        | {"range": np.log10(surface.tokens[[0, -1]]).tolist(), "showgrid": False},
    }
    where = _(" and the chosen model: {plan}", plan=describe_plan(plan)) if plan is not None else ""
    alt = _(
        "Isoloss contours over model size and tokens, the compute-optimal line{where}.", where=where
    )
    return assemble(traces, theme=theme, height_px=HEIGHT_PX, layout=layout, alt=alt)


def _levels(loss: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = np.nanquantile(loss, [0.0, 0.98])
    return look.round_ticks(float(low), float(high), N_LEVELS)


def _losses(surface: _Surface, loss_label: str) -> Trace:
    """Return what is read beside the cursor, wherever it is: points that are not drawn."""
    every = slice(None, None, READ_EVERY)
    params, tokens = np.meshgrid(surface.params[every], surface.tokens[every])
    return {
        "type": "scatter",
        "x": params.ravel(),
        "y": tokens.ravel(),
        "mode": "none",
        "customdata": surface.loss[every, every].ravel(),
        "name": loss_label,
        "showlegend": False,
        "hovertemplate": _("%{{x:.3s}} parameters, %{{y:.3s}} tokens<br>")
        + loss_label
        + " %{customdata:.3f}<extra></extra>",
    }


def _level_lines(surface: _Surface, levels: NDArray[np.float64]) -> _Path:
    """Return where the loss passes each of some levels.

    Plotly's own contours would be drawn anew, as slowly as all else, whenever a point moves.
    """
    logs = np.log10(surface.params), np.log10(surface.tokens)
    found = contour_generator(*logs, surface.loss, line_type=LineType.ChunkCombinedNan)
    points = [chunk for level in levels for chunk in found.lines(level)[0] if chunk is not None]
    gap = np.full((1, 2), np.nan)
    path = 10 ** np.concatenate([part for chunk in points for part in (chunk, gap)] or [gap])
    return _Path(params=path[:, 0], tokens=path[:, 1])


def _labels(surface: _Surface) -> tuple[_Label, ...]:
    """Place the loss beside each line, near the right edge or else near the top.

    Plotly's own labels look for the smoothest stretch of each line, which takes most of the time
    of drawing the chart.
    """
    log_params, log_tokens = np.log10(surface.params), np.log10(surface.tokens)
    column, row = (round(LABELS_AT * (size - 1)) for size in surface.loss.shape[::-1])
    places: list[_Label] = []
    for level in surface.levels:
        right = _crossing(log_tokens, surface.loss[:, column], level)
        top = _crossing(log_params, surface.loss[row], level)
        if right is not None and right < log_tokens[row]:
            places.append(_Label(log_params[column], right, f"{level:.4g}", "top center"))
        elif top is not None and top < log_params[column]:
            places.append(_Label(top, log_tokens[row], f"{level:.4g}", "middle right"))
    return _apart(places, np.ptp(log_params), np.ptp(log_tokens))


def _texts(labels: tuple[_Label, ...], theme: Theme) -> Trace:
    return {
        "type": "scatter",
        "x": np.array([10**label.log_params for label in labels]),
        "y": np.array([10**label.log_tokens for label in labels]),
        "text": [label.text for label in labels],
        "textposition": [label.position for label in labels],
        "mode": "text",
        "textfont": {"size": 11, "color": theme.ink},
        "showlegend": False,
        "hoverinfo": "skip",
        "name": _("Levels"),
    }


def _crossing(x: NDArray[np.float64], loss: NDArray[np.float64], level: float) -> float | None:
    """Return where a loss last passes a level along a line, or None."""
    passes = np.flatnonzero(np.diff(loss > level))
    if not len(passes):
        return None
    i = int(passes[-1])
    return float(x[i] + (x[i + 1] - x[i]) * (level - loss[i]) / (loss[i + 1] - loss[i]))


def _apart(places: list[_Label], width: float, height: float) -> tuple[_Label, ...]:
    """Leave out labels that would overlap the one kept before them."""
    kept: list[_Label] = []
    for place in places:
        if not kept or (
            abs(place.log_params - kept[-1].log_params) / width > LABEL_ROOM[0]
            or abs(place.log_tokens - kept[-1].log_tokens) / height > LABEL_ROOM[1]
        ):
            kept.append(place)
    return tuple(kept)


def _line(path: _Path, name: str, line: dict[str, object]) -> Trace:
    return {
        "type": "scatter",
        "x": path.params,
        "y": path.tokens,
        "mode": "lines",
        "name": name,
        "line": line,
        "hoverinfo": "skip",
    }


def _markers(group: rows.Group, index: int) -> Trace:
    n_rows = len(group.frame)
    return {
        "type": look.marker_type(n_rows),
        "x": group.values("params"),
        "y": group.values("tokens"),
        "mode": "markers",
        "name": group.family,
        "showlegend": False,
        "marker": {
            "color": look.colour(index),
            "symbol": look.symbol(index),
            "size": 8 if n_rows < 100 else 5,
            "line": look.OUTLINE,
        },
        **group.hover(),
    }


def _marker(plan: Plan, label: str, theme: Theme) -> Trace:
    return {
        "type": "scatter",
        "x": np.array([plan.params]),
        "y": np.array([plan.tokens]),
        "mode": "markers",
        "name": _("You are here"),
        "showlegend": False,
        "marker": look.star(theme),
        "text": [label],
        "hovertemplate": _("%{{text}}<extra>You are here</extra>"),
    }
