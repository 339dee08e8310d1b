"""A power law that falls towards a floor, and the straight line that its first decades suggest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from isoflop.language import lazy_gettext as _
from isoflop.options import Option

FLOP_RANGE = (1e18, 1e26)
SEEN_DECADES = 3
N_POINTS = 81
REDUCIBLE, EXPONENT = 1.7, 0.178
"""Reducible loss at the least compute, and its exponent: about those of Chinchilla's law along its
compute-optimal models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """Where the loss ends.

    Parameters
    ----------
    loss : float
        The floor E, in nats per token.
    """

    loss: Annotated[
        float,
        Option(
            label=_("Floor E (nats/token)"),
            help=_("With E = 0 the law is a straight line on these axes, and goes on for ever."),
            ge=0.0,
            le=3.0,
            term="irreducible_loss",
        ),
    ] = 1.8


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorCurve:
    """A law with a floor over compute, and the line through what is seen of it.

    Parameters
    ----------
    floor : float
    compute_flop, loss, line : ndarray, shape (n,)
    seen_flop : float
        End of the decades that the line was drawn through.
    """

    floor: float
    compute_flop: NDArray[np.float64]
    loss: NDArray[np.float64]
    line: NDArray[np.float64]
    seen_flop: float

    @property
    def facts(self) -> Mapping[str, str]:
        """What the sentences say, by name."""
        return {
            "floor": f"{self.floor:.3g}",
            "seen": f"{SEEN_DECADES}",
            "beyond": f"{np.log10(self.compute_flop[-1] / self.seen_flop):.0f}",
            "law_end": f"{self.loss[-1]:.2f}",
            "line_end": f"{self.line[-1]:.2f}",
            "miss": f"{max(1 - self.line[-1] / self.loss[-1], 0):.0%}",
            "share": f"{self.floor / self.loss[-1]:.0%}",
        }


def floor_curve(floor: Floor) -> FloorCurve:
    """Return the law and the line: least squares on both logarithms, over the decades seen."""
    flop = np.geomspace(*FLOP_RANGE, N_POINTS)
    loss = floor.loss + REDUCIBLE * (flop / flop[0]) ** -EXPONENT
    seen = flop[0] * 10.0**SEEN_DECADES
    is_seen = flop <= seen * (1 + 1e-9)
    slope, height = np.polyfit(np.log(flop[is_seen]), np.log(loss[is_seen]), 1)
    return FloorCurve(
        floor=floor.loss,
        compute_flop=flop,
        loss=loss,
        line=np.exp(height + slope * np.log(flop)),
        seen_flop=seen,
    )
