"""Profile likelihoods: one small chart a parameter, with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from isoflop.plot import theme as look
from isoflop.plot.theme import APP, Theme, Trace

N_COLUMNS = 3
ROW_HEIGHT_PX = 260
TOP = 2.6
"""Height of the charts, in multiples of the threshold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The objective along one parameter, all others at their best.

    Parameters
    ----------
    name : str
    value, statistic, parabola : ndarray, shape (n,)
        The likelihood-ratio statistic, and what it would be were the objective a parabola.
    estimate : float
    lower, upper : float or None
        Ends of the profile's interval; None on an open side.
    threshold : float
        Of the statistic at the ends.
    is_log : bool
    resampled : (float, float) or None
        The bootstrap's interval at the same level.
    """

    name: str
    value: NDArray[np.float64]
    statistic: NDArray[np.float64]
    parabola: NDArray[np.float64]
    estimate: float
    lower: float | None
    upper: float | None
    threshold: float
    is_log: bool
    resampled: tuple[float, float] | None


def figure(profiles: Sequence[Profile], *, level: float, theme: Theme = APP) -> go.Figure:
    """Draw the profiles side by side.

    Parameters
    ----------
    profiles : sequence of Profile
    level : float
        Nominal coverage of every interval.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    n_rows = -(-len(profiles) // N_COLUMNS)
    grid = make_subplots(
        rows=n_rows,
        cols=N_COLUMNS,
        horizontal_spacing=0.07,
        vertical_spacing=0.3 / n_rows,
        specs=[
            [
                {} if row * N_COLUMNS + column < len(profiles) else None
                for column in range(N_COLUMNS)
            ]
            for row in range(n_rows)
        ],
    )
    for i, profile in enumerate(profiles):
        place = {"row": i // N_COLUMNS + 1, "col": i % N_COLUMNS + 1}
        for trace in _traces(profile, level, theme, is_named=i == 0):
            grid.add_trace(trace, **place)
        grid.update_xaxes(_x_axis(profile), **place)
        grid.update_yaxes(
            look.axis("Likelihood ratio" if i % N_COLUMNS == 0 else "", "linear")
            | {"range": [0, TOP * profile.threshold], "nticks": 4},
            **place,
        )
    layout = {key: grid.layout[key] for key in grid.layout if key.startswith(("xaxis", "yaxis"))}
    return look.figure(grid.data, theme=theme, height_px=ROW_HEIGHT_PX * n_rows + 30, layout=layout)


def alt(profiles: Sequence[Profile], *, level: float) -> str:
    """Say in one sentence what the figure shows, for those who do not see it."""
    ranges = "; ".join(f"{profile.name} {interval(profile)}" for profile in profiles)
    return f"Profile likelihoods with {level:.0%} intervals: {ranges}."


def interval(profile: Profile) -> str:
    """Write the interval of a profile."""
    if profile.lower is None and profile.upper is None:
        return "open on both sides"
    if profile.lower is None:
        return f"up to {profile.upper:.4g}"
    if profile.upper is None:
        return f"from {profile.lower:.4g}"
    return f"{profile.lower:.4g} to {profile.upper:.4g}"


def _x_axis(profile: Profile) -> dict[str, Any]:
    span = np.concatenate([profile.value, profile.resampled or ()])
    if profile.is_log:
        return look.narrow_log_axis(profile.name, span)
    margin = 0.03 * float(np.ptp(span))
    ends = [float(span.min()) - margin, float(span.max()) + margin]
    return look.axis(profile.name, "linear") | {"nticks": 5, "range": ends}


def _traces(profile: Profile, level: float, theme: Theme, *, is_named: bool) -> list[Trace]:
    top = TOP * profile.threshold
    traces = [
        _line(
            profile.value,
            np.minimum(profile.parabola, 1.5 * top),
            "Were it a parabola",
            {"color": theme.ink, "width": 1, "dash": "dot"},
            is_named=is_named,
        ),
        _line(
            profile.value,
            profile.statistic,
            "Profile",
            {"color": theme.ink, "width": 2},
            is_named=is_named,
        )
        | {"hovertemplate": f"{profile.name} %{{x:.5g}}<br>ratio %{{y:.3g}}<extra></extra>"},
        _line(
            profile.value[[0, -1]],
            np.full(2, profile.threshold),
            f"{level:.0%} threshold",
            {"color": look.ACCENT, "width": 1, "dash": "dash"},
            is_named=is_named,
        ),
        {
            "type": "scatter",
            "x": np.array([end for end in (profile.lower, profile.upper) if end is not None]),
            "y": np.full(2, profile.threshold),
            "mode": "markers",
            "name": f"{level:.0%} interval",
            "legendgroup": "interval",
            "showlegend": is_named,
            "marker": {"color": look.ACCENT, "size": 8},
            "hovertemplate": "%{x:.5g}<extra></extra>",
        },
    ]
    if profile.resampled is not None:
        traces.append(
            _line(
                np.array(profile.resampled),
                np.full(2, 0.06 * top),
                f"Bootstrap, {level:.0%}",
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
