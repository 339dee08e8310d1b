"""Two states of one curve, each with its band: before a change and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.language import gettext as _
from isoflop.language import listed
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.axes import AXES
from isoflop.plot.marks import ROOM_ABOVE, above, upright
from isoflop.plot.theme import Theme, Trace

HEIGHT_PX = 360
_FILLS = (look.BAND, "rgba(213, 94, 0, 0.2)")
_LINES = (look.FAMILIES[0], look.ACCENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A curve with its band, shape (n,) each; the ends None where there is no band."""

    name: str
    loss: NDArray[np.float64]
    lower: NDArray[np.float64] | None
    upper: NDArray[np.float64] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Both states over compute, and the budget.

    Parameters
    ----------
    compute_flop : ndarray, shape (n,)
    before, after : State
    budget_flop : float
    y_title : str
        With unit.
    level : float
        Nominal coverage of the bands.
    """

    compute_flop: NDArray[np.float64]
    before: State
    after: State
    budget_flop: float
    y_title: str
    level: float

    @property
    def states(self) -> tuple[State, State]:
        """Both, in the order of their colours."""
        return self.before, self.after


def draw(picture: Picture, theme: Theme, *, notes: Sequence[str] = ()) -> go.Figure:
    """Draw both curves with their bands."""
    flop, traces = picture.compute_flop, list[Trace]()
    for state, fill, colour in zip(picture.states, _FILLS, _LINES, strict=True):
        if state.lower is not None and state.upper is not None:
            traces.append(
                {
                    "type": "scatter",
                    "x": np.concatenate([flop, flop[::-1]]),
                    "y": np.concatenate([state.upper, state.lower[::-1]]),
                    "fill": "toself",
                    "mode": "lines",
                    "line": {"width": 0.8, "color": colour},
                    "fillcolor": fill,
                    "name": _("{name}, {level:.0%} band", name=state.name, level=picture.level),
                    "hoverinfo": "skip",
                }
            )
    for state, colour, dash in zip(picture.states, _LINES, ("solid", "dash"), strict=True):
        traces.append(
            {
                "type": "scatter",
                "x": flop,
                "y": state.loss,
                "mode": "lines",
                "name": state.name,
                "line": {"color": colour, "width": 2, "dash": dash},
                "hovertemplate": _(
                    "%{{x:.3s}} FLOP<br>loss %{{y:.4g}}<extra>{name}</extra>", name=state.name
                ),
            }
        )
    ends = [part for state in picture.states for part in (state.loss, state.lower, state.upper)]
    losses = np.concatenate([part for part in ends if part is not None])
    layout = {
        "xaxis": look.axis(AXES["compute_flop"].title, is_power=True, span=flop),
        "yaxis": look.loss_axis(picture.y_title, losses),
        "shapes": [upright(picture.budget_flop, theme.ink)],
        "annotations": [above(float(np.log10(picture.budget_flop)), "budget")],
        "margin": ROOM_ABOVE,
    }
    names = listed(state.name.lower() for state in picture.states)
    return assemble(
        traces,
        theme=theme,
        height_px=HEIGHT_PX,
        layout=layout,
        alt=_("Loss of the compute-optimal models over compute: {names}.", names=names),
        notes=notes,
    )
