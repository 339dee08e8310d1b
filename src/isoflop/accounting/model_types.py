"""What a Hugging Face model type fixes of an architecture, from ``data/model_types.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from isoflop.data import read_toml, require_keys
from isoflop.errors import CatalogError
from isoflop.language import lazy_gettext as _
from isoflop.once import once

_FILE = "model_types.toml"
_KEYS = frozenset(
    {
        "like",
        "traits",
        "defaults",
        "keys",
        "ignored",
        "recurrent",
        "parallel_mixers",
        "only_recurrent",
        "four_times_width",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelType:
    """How configurations of one ``model_type`` are read.

    Parameters
    ----------
    key : str
        The ``model_type``.
    traits : mapping of str to object
        Fields of the architecture that the type fixes; a table for each part that it has.
    defaults : mapping of str to object
        What its configuration class takes where a file leaves a key out.
    keys : mapping of str to str
        Keys of its own for what other types call otherwise.
    ignored : tuple of str
        Keys that its code does not read, whatever the file says.
    recurrent : str
        Kind of its recurrent mixers; empty without.
    parallel_mixers : bool
        Whether every layer has attention and a recurrent mixer side by side.
    only_recurrent : bool
        Whether no layer has attention or an MLP.
    four_times_width : bool
        Whether an MLP whose width is not given is four times as wide as the model.
    """

    key: str
    traits: Mapping[str, Any]
    defaults: Mapping[str, Any]
    keys: Mapping[str, str]
    ignored: tuple[str, ...] = ()
    recurrent: str = ""
    parallel_mixers: bool = False
    only_recurrent: bool = False
    four_times_width: bool = False


@once
def load_model_types() -> Mapping[str, ModelType]:
    """Load all supported model types, by key in alphabetical order.

    Raises
    ------
    CatalogError
        If the file has unknown or missing keys, or a type is like one that comes after it.
    """
    entry = read_toml(_FILE)
    required = frozenset({"source", "retrieved", "types", "multimodal"})
    require_keys(entry, where=_FILE, required=required, optional=frozenset())
    resolved: dict[str, dict[str, Any]] = {}
    for key, table in entry["types"].items():
        require_keys(table, where=f"{_FILE} [{key}]", required=frozenset(), optional=_KEYS)
        resolved[key] = _inherit(key, table, resolved)
    return MappingProxyType({key: ModelType(key=key, **resolved[key]) for key in sorted(resolved)})


@once
def multimodal_types() -> Mapping[str, str]:
    """Return the type of the language model within each multimodal type."""
    return MappingProxyType(dict(read_toml(_FILE)["multimodal"]))


def _inherit(
    key: str, table: Mapping[str, Any], known: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    """Complete a type from the one that it is like; its own tables add to that one's."""
    own = {"traits": {}, "defaults": {}, "keys": {}} | dict(table)
    parent = own.pop("like", None)
    if parent is None:
        return own
    if parent not in known:
        raise CatalogError(
            _(
                "{file}: {key} is like {parent!r}, which does not stand before it.",
                file=_FILE,
                key=key,
                parent=parent,
            ),
            hint=_("Move that type up, or correct the name."),
        )
    merged = dict(known[parent]) | own
    for name in ("traits", "defaults", "keys"):
        merged[name] = _merged(known[parent][name], own[name])
    return merged


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for name, value in over.items():
        both = isinstance(value, dict) and isinstance(result.get(name), dict)
        result[name] = _merged(result[name], value) if both else value
    return result
