"""A power law and its two numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from isoflop.language import lazy_gettext as _
from isoflop.options import Option

X_RANGE = (1.0, 1000.0)
N_POINTS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerLaw:
    """The two numbers of y = k x^a.

    Parameters
    ----------
    factor, exponent : float
        k and a.
    """

    factor: Annotated[
        float,
        Option(
            label=_("Factor k"),
            help=_("The value at x = 1: on logarithmic axes it lifts the line, and nothing else."),
            ge=0.1,
            le=10.0,
        ),
    ] = 1.0
    exponent: Annotated[
        float,
        Option(
            label=_("Exponent a"),
            help=_("The slope on logarithmic axes: negative for a loss, which falls."),
            ge=-1.0,
            le=1.0,
            term="exponent",
        ),
    ] = -0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerCurve:
    """A power law over three decades of x.

    Parameters
    ----------
    law : PowerLaw
    x, y : ndarray, shape (n,)
    """

    law: PowerLaw
    x: NDArray[np.float64]
    y: NDArray[np.float64]

    @property
    def facts(self) -> Mapping[str, str]:
        """What the sentences say, by name."""
        return {
            "k": f"{self.law.factor:.3g}",
            "a": f"{self.law.exponent:.3g}".replace("-", "−"),
            "per_decade": f"{10**self.law.exponent:.3g}",
            "end": f"{self.y[-1]:.3g}",
        }


def power_curve(law: PowerLaw) -> PowerCurve:
    """Return the values of a power law from x = 1 to x = 1000."""
    x = np.geomspace(*X_RANGE, N_POINTS)
    return PowerCurve(law=law, x=x, y=law.factor * x**law.exponent)
