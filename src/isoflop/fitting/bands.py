"""An interval around predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop import document
from isoflop.identity import Keyed
from isoflop.language import lazy_gettext as _
from isoflop.language import lazy_ngettext as n_
from isoflop.text import as_html

FORMAT = "isoflop-band-1"

BandKind = Literal["confidence", "prediction"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Band(Keyed):
    """An interval around a prediction at each of n points.

    Parameters
    ----------
    lower, centre, upper : ndarray, shape (n,)
        In the unit of the loss.
    level : float
        Nominal coverage, such as 0.9.
    kind : {"confidence", "prediction"}
        Of the mean curve, or of one new run.
    is_extrapolation : ndarray of bool, shape (n,)
        Whether the point lies outside the range of any input of the fitted rows.
    is_simultaneous : bool
        Whether the level is that of the whole curve at once instead of each point alone.
    inputs : mapping of str to ndarray, shape (n,)
        Value of every input symbol at each point; empty where the points are known otherwise.
    key : str
        Of all that is said above.
    """

    lower: NDArray[np.float64]
    centre: NDArray[np.float64]
    upper: NDArray[np.float64]
    level: float
    kind: BandKind
    is_extrapolation: NDArray[np.bool_]
    is_simultaneous: bool = False
    inputs: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    key: str = field(init=False, repr=False)

    def __repr__(self) -> str:
        return f"<Band: {self.title}>"

    @property
    def title(self) -> str:
        """What it is, in a few words."""
        points = n_("{n:,} point", "{n:,} points", len(self.centre))
        whole = _(", of the whole curve") if self.is_simultaneous else ""
        return f"{self.level:.0%} {self.kind}{whole}, {points}"

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Inputs, ends, centre and is_extrapolation by name, each of shape (n,)."""
        return {
            **self.inputs,
            "lower": self.lower,
            "centre": self.centre,
            "upper": self.upper,
            "is_extrapolation": self.is_extrapolation,
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a row a point: its inputs, then lower, centre, upper and is_extrapolation."""
        return pd.DataFrame(self.arrays)

    def summary(self) -> str:
        """Return the band as text, a line a point."""
        return f"{self.title}\n\n{self.to_frame().to_string(index=False)}"

    def to_json(self) -> str:
        """Return the band as JSON that `from_json` reads."""
        return document.to_json(self, FORMAT)

    @classmethod
    def from_json(cls, text: str | bytes) -> Band:
        """Read what `to_json` wrote.

        Raises
        ------
        DocumentError
            If it is anything else.
        """
        found = document.from_json(cls, text, FORMAT)
        document.require_one_length(found.arrays)
        return found

    def _repr_html_(self) -> str:
        return as_html(self.title, self.to_frame())
