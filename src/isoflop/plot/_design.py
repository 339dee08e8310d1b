"""Where proposed runs lie among the rows, on the way to the model that they are to inform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.language import gettext as _
from isoflop.planning.design import Design
from isoflop.planning.gain import Runs
from isoflop.planning.trajectory import N_POINTS, compute_range, optimal_models
from isoflop.plot import rows
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.axes import AXES
from isoflop.plot.theme import LIGHT, Theme, Trace
from isoflop.units import format_number
from isoflop.units.said import format_quantity

HEIGHT_PX = 400


def design(proposed: Design, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw the rows, the proposed runs, the compute-optimal models and the target.

    Parameters
    ----------
    proposed : Design
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    return _draw(_prepare(proposed), theme)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """What is drawn.

    Parameters
    ----------
    groups : tuple of Group
        Rows by family, coloured in this order; none where they lack size or tokens.
    kinds : Runs
    count : ndarray of int, shape (n_kinds,)
        Runs of each kind.
    optimal : (ndarray, ndarray)
        Sizes and tokens of the compute-optimal models.
    target : (float, float)
        Size and tokens.
    """

    groups: tuple[rows.Group, ...]
    kinds: Runs
    count: NDArray[np.int64]
    optimal: tuple[NDArray[np.float64], NDArray[np.float64]]
    target: tuple[float, float]

    @property
    def labels(self) -> list[str]:
        """Each kind of run in a few lines."""
        kinds = self.kinds
        each = zip(self.count, kinds.params, kinds.tokens, kinds.compute_flop, strict=True)
        return [
            _(
                "<b>{number} × {count} parameters</b><br>{d} tokens<br>{c}",
                number=number,
                count=format_number(n),
                d=format_number(d),
                c=format_quantity(c, "flop"),
            )
            for number, n, d, c in each
        ]

    def span(self, column: Literal["params", "tokens"]) -> NDArray[np.float64]:
        """Return every size, or every number of tokens, that is drawn."""
        proposed = self.kinds.params if column == "params" else self.kinds.tokens
        target = self.target[0 if column == "params" else 1]
        return np.concatenate([proposed, [target], *(g.values(column) for g in self.groups)])


def _prepare(proposed: Design) -> _Picture:
    setup, target = proposed.setup, proposed.target
    kinds, count = proposed.runs.kinds()
    low, high = compute_range(setup.fit, setup.table, target.compute_flop)
    flop = np.geomspace(low, high, N_POINTS)
    best = optimal_models(setup.fit, flop, target.fixed, rule=target.rule)
    nothing = np.array([])
    params = float(proposed.gain.size.centre[0])
    has_rows = {"params", "tokens"} <= set(setup.table.frame)
    return _Picture(
        groups=rows.groups(setup.table) if has_rows else (),
        kinds=kinds,
        count=count,
        optimal=(nothing, nothing) if best is None else best[1:],
        target=(params, float(target.rule.tokens(params, target.compute_flop))),
    )


def _draw(picture: _Picture, theme: Theme) -> go.Figure:
    edge = {"width": 1.5, "color": theme.ink}
    traces: list[Trace] = [_rows(group, index) for index, group in enumerate(picture.groups)]
    traces += [
        {
            "type": "scatter",
            "x": picture.optimal[0],
            "y": picture.optimal[1],
            "mode": "lines",
            "name": _("Compute-optimal"),
            "line": {"color": theme.ink, "width": 1.5, "dash": "dash"},
            "hoverinfo": "skip",
        },
        {
            "type": "scatter",
            "x": picture.kinds.params,
            "y": picture.kinds.tokens,
            "mode": "markers+text",
            "name": _("Proposed runs"),
            "marker": {"color": look.ACCENT, "symbol": "diamond", "size": 14, "line": edge},
            "text": [f"×{count}" if count > 1 else "" for count in picture.count],
            "textposition": "top center",
            "customdata": picture.labels,
            "hovertemplate": "%{customdata}<extra>Proposed</extra>",
        },
        {
            "type": "scatter",
            "x": np.array([picture.target[0]]),
            "y": np.array([picture.target[1]]),
            "mode": "markers",
            "name": _("Target"),
            "marker": {"color": look.ACCENT, "symbol": "star-diamond", "size": 17, "line": edge},
            "hovertemplate": _("%{{x:.3s}} parameters, %{{y:.3s}} tokens<extra>Target</extra>"),
        },
    ]
    layout = {
        "xaxis": look.axis(AXES["params"].title, span=picture.span("params")),
        "yaxis": look.axis(AXES["tokens"].title, span=picture.span("tokens")),
    }
    alt = _("Proposed runs among the rows: {labels}.", labels="; ".join(picture.labels))
    return assemble(traces, theme=theme, height_px=HEIGHT_PX, layout=layout, alt=alt)


def _rows(group: rows.Group, index: int) -> Trace:
    return {
        "type": look.marker_type(len(group.frame)),
        "x": group.values("params"),
        "y": group.values("tokens"),
        "mode": "markers",
        "name": group.family,
        "marker": {
            "color": look.colour(index),
            "symbol": look.symbol(index),
            "size": 7,
            "opacity": 0.7,
            "line": look.OUTLINE,
        },
        "text": group.labels,
        "hovertemplate": "%{text}<extra>%{fullData.name}</extra>",
    }
