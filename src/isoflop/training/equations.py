"""What the small models compute, typeset: ``data/equations.toml`` as dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from isoflop.data import read_toml, require_keys
from isoflop.once import once

_FILE = "equations.toml"


@dataclass(frozen=True, slots=True)
class Equation:
    """One step of a computation.

    Parameters
    ----------
    tex : str
        LaTeX, without delimiters.
    text : str
        One sentence for a person.
    """

    tex: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Equations:
    """The steps of one model, or of what is done with all of them.

    Parameters
    ----------
    label : str
    source : str
        Where they were first published.
    steps : tuple of Equation
        In the order of the computation.
    """

    label: str
    source: str
    steps: tuple[Equation, ...]


@once
def load_equations() -> Mapping[str, Equations]:
    """Load the equations of every small family, of the head, the loss and the sampling.

    Raises
    ------
    CatalogError
        If the file has unknown or missing keys.
    """
    found = {}
    for key, entry in read_toml(_FILE).items():
        where = f"{_FILE} [{key}]"
        required = frozenset({"label", "source", "equations"})
        require_keys(entry, where=where, required=required, optional=frozenset())
        for step in entry["equations"]:
            wanted = frozenset({"tex", "text"})
            require_keys(step, where=where, required=wanted, optional=frozenset())
        steps = tuple(Equation(**step) for step in entry["equations"])
        found[key] = Equations(label=entry["label"], source=entry["source"], steps=steps)
    return MappingProxyType(found)
