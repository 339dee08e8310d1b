"""What each approach says, and all three on one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from isoflop.fitting.isoflop.envelope import Corners
from isoflop.fitting.isoflop.line import Lines, PowerLine, less
from isoflop.fitting.isoflop.profiles import Profile
from isoflop.notices import Notice

Key = Literal["envelope", "profiles", "parametric"]
LABELS: dict[Key, str] = {
    "envelope": "1. Envelope of learning curves",
    "profiles": "2. IsoFLOP profiles",
    "parametric": "3. Parametric law",
}
SHORT: dict[Key, str] = {
    "envelope": "the envelope",
    "profiles": "the profiles",
    "parametric": "the parametric law",
}
LEVEL = 0.9


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Approaches:
    """All three approaches on one table.

    Parameters
    ----------
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

    approaches: tuple[Approach, ...]
    corners: Corners
    profiles: tuple[Profile, ...]
    compute_range: tuple[float, float]
    notices: tuple[Notice, ...]
