"""The compute-optimal model and data size over compute, with bands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.language import gettext as _
from isoflop.language import listed
from isoflop.planning import Frontier, Plan
from isoflop.planning.frontier import N_FRONTIER_DRAWS
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.axes import AXES
from isoflop.plot.theme import LIGHT, Theme, Trace

HEIGHT_PX = 460
GAP = 0.06
"""Share of the height between two panels."""


def frontier(found: Frontier, *, plan: Plan | None = None, theme: Theme = LIGHT) -> go.Figure:
    """Draw model size and data of compute-optimal models, a panel each, over one axis of compute.

    Parameters
    ----------
    found : Frontier
    plan : Plan, optional
        Marked in each panel.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    return _draw(_prepare(found, plan), theme)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One quantity along the frontier: values and edges of the band, shape (n,) each."""

    title: str
    values: NDArray[np.float64]
    lower: NDArray[np.float64] | None
    upper: NDArray[np.float64] | None
    chosen: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """The quantities from top to bottom over compute, shape (n,)."""

    compute_flop: NDArray[np.float64]
    is_extrapolation: NDArray[np.bool_]
    lines: tuple[_Line, ...]
    chosen_flop: float | None
    level: float
    note: str


def _prepare(found: Frontier, plan: Plan | None) -> _Picture:
    kept = np.isfinite(found.params)
    lines = []
    for column, values, band in (
        ("params", found.params, found.params_band),
        ("tokens", found.tokens, found.tokens_band),
    ):
        lines.append(
            _Line(
                title=AXES[column].title,
                values=values[kept],
                lower=None if band is None else band.lower[kept],
                upper=None if band is None else band.upper[kept],
                chosen=None if plan is None else getattr(plan, column),
            )
        )
    return _Picture(
        compute_flop=found.compute_flop[kept],
        is_extrapolation=found.is_extrapolation[kept],
        lines=tuple(lines),
        chosen_flop=None if plan is None else plan.compute_flop,
        level=0.0 if found.params_band is None else found.params_band.level,
        note=_note(found),
    )


def _note(found: Frontier) -> str:
    """Say how size and data grow, and what the bands are."""
    exponents = found.exponents
    growth = ""
    if exponents is not None:
        growth = _(
            "By compute alone, without the plan's other limits: N grows as C to "
            "the {of_size:.3f}, D as C to the {of_data:.3f}. ",
            of_size=exponents[0],
            of_data=exponents[1],
        )
    return growth + (
        found.reason
        or _(
            "Bands over up to {n_frontier_draws} bootstrap fits.", n_frontier_draws=N_FRONTIER_DRAWS
        )
    )


def _draw(picture: _Picture, theme: Theme) -> go.Figure:
    traces: list[Trace] = []
    layout: dict[str, object] = {}
    n_lines = len(picture.lines)
    height = (1 - GAP * (n_lines - 1)) / n_lines
    for index, line in enumerate(picture.lines):
        suffix = "" if index == 0 else str(index + 1)
        top = 1 - index * (height + GAP)
        span = [edge for edge in (line.values, line.lower, line.upper) if edge is not None]
        layout[f"yaxis{suffix}"] = look.axis(line.title, span=np.concatenate(span)) | {
            "domain": [max(top - height, 0.0), top]
        }
        traces += [
            {**trace, "yaxis": f"y{suffix}", "showlegend": index == 0}
            for trace in _panel(picture, line, theme)
        ]
    compute = AXES["compute_flop"]
    layout["xaxis"] = look.axis(compute.title, is_power=True, span=picture.compute_flop) | {
        "anchor": f"y{n_lines}" if n_lines > 1 else "y"
    }
    names = listed(line.title for line in picture.lines)
    bands = _(", with bands") if picture.level else ""
    where = "" if picture.chosen_flop is None else _(", and the plan")
    return assemble(
        traces,
        theme=theme,
        height_px=HEIGHT_PX,
        layout=layout,
        alt=_(
            "{names} of compute-optimal models over training compute{bands}{where}.",
            names=names,
            bands=bands,
            where=where,
        ),
        notes=[picture.note],
    )


def _panel(picture: _Picture, line: _Line, theme: Theme) -> list[Trace]:
    """Return the band, the line and the plan of one quantity."""
    flop = picture.compute_flop
    traces: list[Trace] = []
    if line.lower is not None and line.upper is not None:
        traces.append(
            {
                "type": "scatter",
                "x": np.concatenate([flop, flop[::-1]]),
                "y": np.concatenate([line.upper, line.lower[::-1]]),
                "fill": "toself",
                "fillcolor": look.BAND,
                "line": {"width": 0},
                "mode": "lines",
                "hoverinfo": "skip",
                "name": _("{level:.0%} band", level=picture.level),
            }
        )
    for is_beyond in (False, True):
        shown = _with_neighbours(picture.is_extrapolation == is_beyond)
        if shown.any():
            dash = "dash" if is_beyond else "solid"
            traces.append(
                {
                    "type": "scatter",
                    "x": flop,
                    "y": np.where(shown, line.values, np.nan),
                    "mode": "lines",
                    "line": {"color": theme.ink, "width": 2, "dash": dash},
                    "name": _("Extrapolation") if is_beyond else _("Within the rows"),
                    "hovertemplate": "%{x:.3g} FLOP<br>%{y:.3s}<extra></extra>",
                }
            )
    if line.chosen is not None:
        traces.append(
            {
                "type": "scatter",
                "x": np.array([picture.chosen_flop]),
                "y": np.array([line.chosen]),
                "mode": "markers",
                "marker": look.star(theme),
                "name": _("Your plan"),
                "hovertemplate": _("%{{x:.3g}} FLOP<br>%{{y:.3s}}<extra>Your plan</extra>"),
            }
        )
    return traces


def _with_neighbours(shown: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Go on to the next point of the other kind, so that the line has no gap."""
    return np.asarray(shown | np.append(shown[1:], False), dtype=np.bool_)
