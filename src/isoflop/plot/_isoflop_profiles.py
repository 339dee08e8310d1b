"""IsoFLOP profiles: loss against model size at each compute budget, with the lowest points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.fitting.isoflop import Approaches, Profile
from isoflop.language import gettext, ngettext
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.axes import AXES, loss_title
from isoflop.plot.theme import LIGHT, Theme, Trace, escaped
from isoflop.units.said import format_quantity

HEIGHT_PX = 430
N_POINTS = 60
FEWEST_SIZES = 3
"""Sizes of a budget from which it is drawn."""


def isoflop_profiles(approaches: Approaches, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw every profile: accepted ones in colour with their minimum, refused ones in grey.

    Parameters
    ----------
    approaches : Approaches
        From `isoflop.fitting.isoflop.compare_approaches`.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    FitError
        If no budget has runs of three sizes.
    """
    return _draw(_prepare(approaches), theme)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Profile:
    """The runs of one budget.

    Parameters
    ----------
    name : str
        The budget, with unit.
    params, loss : ndarray, shape (n,)
    curve_params, curve_loss : ndarray, shape (m,)
        The fitted curve; empty where there is none.
    optimal_params, optimal_loss : float
        NaN where the profile is refused.
    refusal : str
        Why; empty otherwise.
    """

    name: str
    params: NDArray[np.float64]
    loss: NDArray[np.float64]
    curve_params: NDArray[np.float64]
    curve_loss: NDArray[np.float64]
    optimal_params: float
    optimal_loss: float
    refusal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """The profiles by ascending compute."""

    profiles: tuple[_Profile, ...]
    y_title: str


def _prepare(approaches: Approaches) -> _Picture:
    profiles = tuple(
        _profile(one) for one in approaches.profiles if len(one.params) >= FEWEST_SIZES
    )
    if not profiles:
        raise FitError(
            gettext("No budget has runs of {fewest_sizes} sizes.", fewest_sizes=FEWEST_SIZES)
        )
    return _Picture(profiles=profiles, y_title=loss_title(approaches.table.loss_unit))


def _profile(found: Profile) -> _Profile:
    x = y = np.array([])
    if found.curve is not None and not found.refusal:
        x = np.geomspace(found.params[0], found.params[-1], N_POINTS)
        y = np.asarray(found.curve(np.log10(x)))
    return _Profile(
        name=format_quantity(found.compute_flop, "flop", 2),
        params=found.params,
        loss=found.loss,
        curve_params=x,
        curve_loss=y,
        optimal_params=found.optimal_params,
        optimal_loss=found.optimal_loss,
        refusal=escaped(found.refusal),
    )


def _draw(picture: _Picture, theme: Theme) -> go.Figure:
    accepted = [profile for profile in picture.profiles if not profile.refusal]
    refused = [profile for profile in picture.profiles if profile.refusal]
    traces = [trace for i, profile in enumerate(accepted) for trace in _accepted(profile, i)]
    if accepted:
        traces.append(_minima(accepted, theme))
    if refused:
        traces.append(_refused(refused, is_alone=not accepted))
    sizes = np.concatenate([profile.params for profile in picture.profiles])
    losses = np.concatenate([profile.loss for profile in accepted or picture.profiles])
    layout = {
        "xaxis": look.axis(AXES["params"].title, span=sizes),
        "yaxis": look.loss_axis(picture.y_title, losses),
    }
    alt = gettext(
        "Loss against model size at {budgets}; {accepted} enclose a minimum.",
        budgets=ngettext("{n:,} budget", "{n:,} budgets", len(picture.profiles)),
        accepted=len(accepted),
    )
    return assemble(traces, theme=theme, height_px=HEIGHT_PX, layout=layout, alt=alt)


def _accepted(profile: _Profile, index: int) -> list[Trace]:
    colour = look.colour(index)
    return [
        {
            "type": "scatter",
            "x": profile.params,
            "y": profile.loss,
            "mode": "markers",
            "name": profile.name,
            "legendgroup": profile.name,
            "marker": {"color": colour, "symbol": look.symbol(index), "size": 7},
            "hovertemplate": gettext("%{{x:.3s}} parameters: %{{y:.4g}}<extra>")
            + profile.name
            + "</extra>",
        },
        {
            "type": "scatter",
            "x": profile.curve_params,
            "y": profile.curve_loss,
            "mode": "lines",
            "name": profile.name,
            "legendgroup": profile.name,
            "showlegend": False,
            "line": {"color": colour, "width": 1.6},
            "hoverinfo": "skip",
        },
    ]


def _minima(accepted: Sequence[_Profile], theme: Theme) -> Trace:
    return {
        "type": "scatter",
        "x": np.array([profile.optimal_params for profile in accepted]),
        "y": np.array([profile.optimal_loss for profile in accepted]),
        "mode": "lines+markers",
        "name": gettext("Lowest points"),
        "line": {"color": theme.ink, "width": 1, "dash": "dot"},
        "marker": {"color": look.ACCENT, "symbol": "star", "size": 13,
                   "line": {"width": 1, "color": theme.ink}},
        "text": [profile.name for profile in accepted],
        "hovertemplate": gettext("best at %{{text}}: %{{x:.3s}} parameters<extra></extra>"),
    }  # fmt: skip


def _refused(refused: Sequence[_Profile], *, is_alone: bool) -> Trace:
    """Draw refused budgets in grey, their runs joined where nothing else is drawn."""
    gap = np.array([np.nan])
    return {
        "type": "scatter",
        "x": np.concatenate([part for p in refused for part in (p.params, gap)]),
        "y": np.concatenate([part for p in refused for part in (p.loss, gap)]),
        "mode": "lines+markers" if is_alone else "markers",
        "name": gettext("Refused"),
        "line": {"color": look.MUTED, "width": 1},
        "marker": {"color": look.MUTED, "symbol": "circle-open", "size": 5},
        "text": [f"{p.name}<br>{p.refusal}" for p in refused for _ in (*p.params, None)],
        "hovertemplate": "%{text}<extra>Refused</extra>",
    }
