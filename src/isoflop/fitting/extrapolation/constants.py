"""The numbers that a band beyond the data rests on, as estimated and shipped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from isoflop.data import read_toml, require_keys
from isoflop.errors import CatalogError
from isoflop.language import lazy_gettext as _
from isoflop.once import once

FILE = "extrapolation.toml"
Method = Literal["average", "one"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Width:
    """What the parts of a band are multiplied by.

    Parameters
    ----------
    disagreement : float
        Of the standard deviation across laws.
    distance : float
        Share of the further gain that laws may misjudge.
    factor : float
        Of the root of the summed squares; makes the band hold its share of runs.
    """

    disagreement: float
    distance: float
    factor: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """How laws are weighted and bands made.

    Parameters
    ----------
    retrieved, source : str
        Date of the estimate, and how and from what they were estimated.
    cuts_decades : tuple of float
        Decades of scale that the rolling origin holds out, one after the other.
    weight_power : float
        Weights are a score to minus this power.
    fewest_rows, fewest_cuts : int
        Below either the constants of few rows are taken.
    most_decades : float
        Distance up to which bands were tested.
    widths : mapping of str to Width
        By method, ``"average"`` and ``"one"``.
    widths_of_few : mapping of str to Width
        The same where rows or cuts are few.
    """

    retrieved: str
    source: str
    cuts_decades: tuple[float, ...]
    weight_power: float
    fewest_rows: int
    fewest_cuts: int
    most_decades: float
    widths: Mapping[Method, Width]
    widths_of_few: Mapping[Method, Width]

    def width(self, method: Method, *, has_few: bool) -> Width:
        """Return what the parts are multiplied by."""
        return (self.widths_of_few if has_few else self.widths)[method]


_PLAIN = frozenset(
    {"retrieved", "source", "weight_power", "fewest_rows", "fewest_cuts", "most_decades"}
)
_METHODS: tuple[Method, ...] = ("average", "one")


@once
def load_constants() -> Constants:
    """Return the constants that ship, made by ``python -m benchmarks.extrapolation --write``.

    Raises
    ------
    CatalogError
        If the file is missing or malformed.
    """
    found = read_toml(FILE)
    require_keys(found, where=FILE, required=_PLAIN | {"cuts_decades", "enough_rows", "few_rows"})
    try:
        return Constants(
            **{name: found[name] for name in _PLAIN},
            cuts_decades=tuple(map(float, found["cuts_decades"])),
            widths=_widths(found["enough_rows"], "enough_rows"),
            widths_of_few=_widths(found["few_rows"], "few_rows"),
        )
    except (TypeError, ValueError) as problem:
        raise CatalogError(
            _("The data file {file} is malformed.", file=FILE), detail=str(problem)
        ) from None


def _widths(entry: dict[str, Any], where: str) -> dict[Method, Width]:
    require_keys(
        entry, where=_("{where} of {file}", where=where, file=FILE), required=frozenset(_METHODS)
    )
    found = {}
    for method in _METHODS:
        names = frozenset({"disagreement", "distance", "factor"})
        require_keys(
            entry[method],
            where=_("{where}.{method} of {file}", where=where, method=method, file=FILE),
            required=names,
        )
        found[method] = Width(**{name: float(entry[method][name]) for name in names})
    return found
