"""What each approach says, and all three on one table."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from isoflop.fitting.isoflop.envelope import Corners
from isoflop.fitting.isoflop.line import Lines, PowerLine, less
from isoflop.fitting.isoflop.profiles import Profile
from isoflop.fitting.isoflop.summary import LABELS, Key, approaches_frame, verdict, written
from isoflop.identity import Keyed
from isoflop.language import lazy_gettext as _
from isoflop.notices import Notice
from isoflop.tables.schema import LossTable
from isoflop.text import as_html, with_notices


@dataclass(frozen=True, slots=True, kw_only=True)
class Bias:
    """What an approach would report on this design if the fitted law were the truth.

    Parameters
    ----------
    params_line, tokens_line : PowerLine
        Expected over true best size and number of tokens, against compute: a line of exponent 0
        and value 1 is no bias.
    """

    params_line: PowerLine
    tokens_line: PowerLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Approach:
    """What one approach says.

    Parameters
    ----------
    key : {"envelope", "profiles", "parametric"}
    params_line, tokens_line : PowerLine or None
        Best size and tokens against compute; None where the approach is refused.
    refusal : str
        Why; empty where it is not.
    bias : Bias or None
        Estimated from the parametric fit; None for that itself, or without one.
    """

    key: Key
    params_line: PowerLine | None = None
    tokens_line: PowerLine | None = None
    refusal: str = ""
    bias: Bias | None = None

    @property
    def label(self) -> str:
        """Name for a person."""
        return LABELS[self.key]

    def corrected(self) -> Lines | None:
        """Return the lines less their bias, with their intervals; None where there is no bias."""
        if self.bias is None or self.params_line is None or self.tokens_line is None:
            return None
        return (
            less(self.params_line, self.bias.params_line),
            less(self.tokens_line, self.bias.tokens_line),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Approaches(Keyed):
    """All three approaches on one table.

    Parameters
    ----------
    table : LossTable
    approaches : tuple of Approach
        In the paper's order.
    corners : Corners
        Of the lower envelope, whether or not it can carry a line.
    profiles : tuple of Profile
        Of every budget, refused ones among them.
    compute_range : (float, float)
        Of the table, in FLOP.
    notices : tuple of Notice
    """

    table: LossTable
    approaches: tuple[Approach, ...]
    corners: Corners
    profiles: tuple[Profile, ...]
    compute_range: tuple[float, float]
    notices: tuple[Notice, ...]
    key: str = field(init=False, repr=False)

    def __repr__(self) -> str:
        return f"Approaches({', '.join(one.label for one in self.approaches)} on {self.table.id})"

    def _repr_html_(self) -> str:
        return as_html(
            _("Compute-optimal size"), verdict(self), written(self), notices=self.notices
        )

    def __getitem__(self, key: Key) -> Approach:
        """Return one approach, such as ``found["envelope"]``."""
        return next(one for one in self.approaches if one.key == key)

    def verdict(self) -> str:
        """Say in one sentence how the best size grows by each approach, and whether they agree."""
        return verdict(self)

    def summary(self) -> str:
        """Return the verdict, the table and the notices as text."""
        text = "\n".join([verdict(self), "", written(self).to_string(index=False)])
        return with_notices(text, self.notices)

    def to_frame(self) -> pd.DataFrame:
        """Return a row an approach: exponents with intervals, bias, best size; NaN if refused."""
        return approaches_frame(self)

    def written(self) -> pd.DataFrame:
        """Return what the frame says as a person reads it: each value with its interval."""
        return written(self)
