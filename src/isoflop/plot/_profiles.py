"""Profile likelihoods: one small chart a parameter, with its intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.fitting import Fit
from isoflop.fitting.diagnose import (
    Profile,
    bootstrap_interval,
    diagnostics,
    profile_likelihoods,
    write_interval,
)
from isoflop.language import gettext as _
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.grid import cells
from isoflop.plot.theme import LIGHT, Theme, Trace
from isoflop.tables import LossTable

N_COLUMNS = 3
ROW_HEIGHT_PX = 260
TOP = 2.6
"""Height of the charts, in multiples of the threshold."""


def profiles(
    fit: Fit,
    *,
    level: float = 0.9,
    found: Sequence[Profile] | None = None,
    table: LossTable | None = None,
    theme: Theme = LIGHT,
) -> go.Figure:
    """Draw the profile likelihood of each parameter, with its interval and the bootstrap's.

    Parameters
    ----------
    fit : Fit
    level : float
        Nominal coverage of every interval.
    found : sequence of Profile, optional
        Where they were computed before; they take seconds.
    table : LossTable, optional
        The rows; by default those that the fit still holds.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    FitError
        If the residuals give no likelihood, or the rows are not at hand.
    """
    if found is None:
        found = profile_likelihoods(diagnostics(fit, table), level=level)
    return _draw(_prepare(fit, found, level), theme)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """Profiles, each with the bootstrap's interval at the same level; None where there is none."""

    profiles: tuple[Profile, ...]
    resampled: tuple[tuple[float, float] | None, ...]
    level: float


def _prepare(fit: Fit, found: Sequence[Profile], level: float) -> _Picture:
    return _Picture(
        profiles=tuple(found),
        resampled=tuple(bootstrap_interval(fit, one.name, level=level) for one in found),
        level=level,
    )


def _draw(picture: _Picture, theme: Theme) -> go.Figure:
    n_rows = max(1, -(-len(picture.profiles) // N_COLUMNS))
    places = chain.from_iterable(cells(n_rows, N_COLUMNS, x_gap=0.07, y_gap=0.3 / n_rows))
    traces: list[Trace] = []
    axes: dict[str, Any] = {}
    for i, (profile, resampled) in enumerate(zip(picture.profiles, picture.resampled, strict=True)):
        cell = next(places)
        y_axis = look.axis(_("Likelihood ratio") if i % N_COLUMNS == 0 else "", "linear")
        y_axis |= {"range": [0, TOP * profile.threshold], "nticks": 4}
        axes |= cell.axes(_x_axis(profile, resampled), y_axis)
        shown = _traces(profile, resampled, picture.level, theme, is_named=i == 0)
        traces += [cell.trace(trace) for trace in shown]
    return assemble(
        traces,
        theme=theme,
        height_px=ROW_HEIGHT_PX * n_rows + 30,
        layout=axes,
        alt=_alt(picture),
    )


def _alt(picture: _Picture) -> str:
    ranges = "; ".join(
        f"{one.name} {write_interval(one.lower, one.upper)}" for one in picture.profiles
    )
    return _(
        "Profile likelihoods with {level:.0%} intervals: {ranges}.",
        level=picture.level,
        ranges=ranges,
    )


def _x_axis(profile: Profile, resampled: tuple[float, float] | None) -> dict[str, Any]:
    span = np.concatenate([profile.value, resampled or ()])
    if profile.is_log:
        return look.narrow_log_axis(profile.name, span)
    margin = 0.03 * float(np.ptp(span))
    ends = [float(span.min()) - margin, float(span.max()) + margin]
    return look.axis(profile.name, "linear") | {"nticks": 5, "range": ends}


def _traces(
    profile: Profile,
    resampled: tuple[float, float] | None,
    level: float,
    theme: Theme,
    *,
    is_named: bool,
) -> list[Trace]:
    top = TOP * profile.threshold
    traces = [
        _line(
            profile.value,
            np.minimum(profile.parabola, 1.5 * top),
            _("Quadratic approximation"),
            {"color": theme.ink, "width": 1, "dash": "dot"},
            is_named=is_named,
        ),
        _line(
            profile.value,
            profile.statistic,
            _("Profile"),
            {"color": theme.ink, "width": 2},
            is_named=is_named,
        )
        | {
            "hovertemplate": _(
                "{name} %{{x:.5g}}<br>ratio %{{y:.3g}}<extra></extra>", name=profile.name
            )
        },
        _line(
            profile.value[[0, -1]],
            np.full(2, profile.threshold),
            _("{level:.0%} threshold", level=level),
            {"color": look.ACCENT, "width": 1, "dash": "dash"},
            is_named=is_named,
        ),
        {
            "type": "scatter",
            "x": np.array([end for end in (profile.lower, profile.upper) if end is not None]),
            "y": np.full(2, profile.threshold),
            "mode": "markers",
            "name": _("{level:.0%} interval", level=level),
            "legendgroup": "interval",
            "showlegend": is_named,
            "marker": {"color": look.ACCENT, "size": 8},
            "hovertemplate": "%{x:.5g}<extra></extra>",
        },
    ]
    if resampled is not None:
        traces.append(
            _line(
                np.array(resampled),
                np.full(2, 0.06 * top),
                _("Bootstrap, {level:.0%}", level=level),
                {"color": look.FAMILIES[0], "width": 5},
                is_named=is_named,
            )
            | {"hovertemplate": "%{x:.5g}<extra>Bootstrap</extra>", "hoverinfo": "all"}
        )
    return traces


def _line(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    name: str,
    line: dict[str, object],
    *,
    is_named: bool,
) -> Trace:
    return {
        "type": "scatter",
        "x": x,
        "y": y,
        "mode": "lines",
        "name": name,
        "legendgroup": name,
        "showlegend": is_named,
        "line": line,
        "hoverinfo": "skip",
    }
