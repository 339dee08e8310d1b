"""The columns that Isoflop knows and the words of their names, from ``data/columns.toml``."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from isoflop.data import read_toml, require_keys
from isoflop.errors import CatalogError
from isoflop.language import lazy_gettext as _
from isoflop.once import once
from isoflop.units import NATS_PER_BIT, Dimension

ParamConvention = Literal["total", "non-embedding", "active", "unknown"]
LossUnit = Literal[
    "nats/token", "bits/token", "nats/byte", "bits/byte", "nats/character", "unknown"
]
ColumnKind = Literal["number", "text", "flag"]

FILE = "columns.toml"
PERPLEXITY = "perplexity"
"""Unit of a loss that is given as a perplexity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One canonical column.

    Parameters
    ----------
    name : str
        Canonical name, as in ``LossTable.frame``.
    label : str
        What a person reads on an axis, such as ``"Tokens D"``.
    help : str
        One line for a person.
    unit : str
        Canonical unit; empty for text and flags.
    lower, upper : float or None
        Plausible values lie strictly above ``lower`` and at most at ``upper``.
    kind : {"number", "text", "flag"}
    dimension : str or None
        Of a number, as ``isoflop.units`` parses and formats it.
    names : tuple of str
        Headers that certainly mean this column.
    weaker : tuple of str
        Others that do, where no header of ``names`` is there.
    doubtful : tuple of str
        Headers that may mean it.
    takes : mapping of str to int
        Groups of words that may stand beside a name, and what they cost.
    """

    name: str
    label: str
    help: str
    unit: str = ""
    lower: float | None = None
    upper: float | None = None
    kind: ColumnKind = "number"
    dimension: Dimension | None = None
    names: tuple[str, ...] = ()
    weaker: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    takes: Mapping[str, int] = field(default_factory=dict)

    @property
    def aliases(self) -> tuple[str, ...]:
        """Every header that may mean this column by itself."""
        return (*self.names, *self.weaker, *self.doubtful)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Everything that headers are read by.

    Parameters
    ----------
    columns : mapping of str to Column
    groups : mapping of str to frozenset of str
        Groups that each word belongs to.
    namespaces, denominators, comments, scores : frozenset of str
    hyper_parameters : frozenset of str
        Normalised names.
    loss_units : mapping of str to tuple of LossUnit and float
        Canonical unit and factor by normalised spelling; perplexity has factor 1.
    unit_words : mapping of str to str
    plausible : mapping of str to tuple of float
        Range of each quantity in anything ever trained.
    usual : mapping of str to tuple of float
        Range of most of what is fitted, by which the base of a logarithm is told.
    whole_of_rows, spread_of_rows : frozenset of str
        What rows are called that sum up others, or say how they scatter.
    """

    columns: Mapping[str, Column]
    groups: Mapping[str, frozenset[str]]
    namespaces: frozenset[str]
    denominators: frozenset[str]
    comments: frozenset[str]
    scores: frozenset[str]
    hyper_parameters: frozenset[str]
    loss_units: Mapping[str, tuple[LossUnit, float]]
    unit_words: Mapping[str, str]
    plausible: Mapping[str, tuple[float, float]]
    usual: Mapping[str, tuple[float, float]]
    whole_of_rows: frozenset[str]
    spread_of_rows: frozenset[str]
    nats_per_token_at_most: float


def normalise(header: str) -> str:
    """Return a header as names are compared: lower case, letters and digits of any script only.

    Examples
    --------
    >>> normalise("Model Size") == normalise("model_size")
    True
    """
    text = unicodedata.normalize("NFKC", header).casefold()
    return "".join(letter for letter in text if letter.isalnum())


_SECTIONS = frozenset(
    {
        "columns", "groups", "namespaces", "denominators", "loss_units", "unit_words", "comments",
        "scores", "hyper_parameters", "plausible", "usual", "summary_rows", "source",
        "retrieved",
    }
)  # fmt: skip
_OPTIONAL = frozenset(
    {"unit", "lower", "upper", "kind", "dimension", "names", "weaker", "doubtful", "takes"}
)
_LOSS_FACTORS: Mapping[str, tuple[LossUnit, float]] = {
    "nats/token": ("nats/token", 1.0),
    "bits/token": ("nats/token", NATS_PER_BIT),
    "bits/byte": ("bits/byte", 1.0),
    "nats/byte": ("nats/byte", 1.0),
    "nats/character": ("nats/character", 1.0),
    "bits/character": ("nats/character", NATS_PER_BIT),
    PERPLEXITY: ("nats/token", 1.0),
    "nats/token of perplexity": ("nats/token", 1.0),
    "unknown": ("unknown", 1.0),
}
"""What a spelling of a unit of loss is converted to, and by which factor."""


@once
def words() -> Words:
    """Return the words of the data file.

    Raises
    ------
    CatalogError
        If the file is malformed.
    """
    content = read_toml(FILE)
    require_keys(content, where=FILE, required=_SECTIONS)
    columns = {name: _column(name, entry) for name, entry in content["columns"].items()}
    for column in columns.values():
        if unknown := set(column.takes) - set(content["groups"]):
            raise CatalogError(
                _(
                    "The data file entry {file} [columns.{name}] is malformed.",
                    file=FILE,
                    name=column.name,
                ),
                detail=_("It takes unknown groups: {unknown}.", unknown=", ".join(sorted(unknown))),
            )
    groups: dict[str, set[str]] = {}
    for group, entry in content["groups"].items():
        require_keys(entry, where=f"{FILE} [groups.{group}]", required={"words", "help"})
        for word in entry["words"]:
            groups.setdefault(word, set()).add(group)
    plausible = dict(content["plausible"])
    return Words(
        columns=MappingProxyType(columns),
        groups=MappingProxyType({word: frozenset(names) for word, names in groups.items()}),
        namespaces=frozenset(content["namespaces"]["words"]),
        denominators=frozenset(content["denominators"]["words"]),
        comments=frozenset(map(normalise, content["comments"]["phrases"])),
        scores=frozenset(content["scores"]["words"]),
        hyper_parameters=frozenset(map(normalise, content["hyper_parameters"]["names"])),
        loss_units=MappingProxyType(
            {
                normalise(spelling): _LOSS_FACTORS[unit]
                for unit, spellings in content["loss_units"].items()
                for spelling in spellings
            }
        ),
        unit_words=MappingProxyType(content["unit_words"]),
        nats_per_token_at_most=float(plausible.pop("nats_per_token")),
        plausible=MappingProxyType({name: tuple(ends) for name, ends in plausible.items()}),
        whole_of_rows=frozenset(content["summary_rows"]["whole"]),
        spread_of_rows=frozenset(content["summary_rows"]["spread"]),
        usual=MappingProxyType({name: tuple(ends) for name, ends in content["usual"].items()}),
    )


def _column(name: str, entry: dict[str, Any]) -> Column:
    where = f"{FILE} [columns.{name}]"
    require_keys(entry, where=where, required={"label", "help"}, optional=_OPTIONAL)
    content: dict[str, Any] = dict(entry)
    for key in ("names", "weaker", "doubtful"):
        content[key] = tuple(entry.get(key, ()))
    if entry.get("kind", "number") == "number":
        content.setdefault("lower", 0.0)
    return Column(name=name, **content)


COLUMNS: Mapping[str, Column] = words().columns
"""Every canonical column by name."""
