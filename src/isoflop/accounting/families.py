"""Released model families: every shape with its source and its published parameter count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

from isoflop.accounting.architecture import PARTS, Architecture
from isoflop.accounting.counts import ParameterCount
from isoflop.accounting.parameters import count_parameters
from isoflop.data import data_root, read_toml, require_keys
from isoflop.errors import CatalogError
from isoflop.language import lazy_gettext as _
from isoflop.once import once


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedModel:
    """One released (or published) model of a family.

    Parameters
    ----------
    architecture : Architecture
        Its ``context`` is the sequence length of most of the pre-training.
    parameters : ParameterCount
    max_context : int
        Longest sequence that the released model takes, in tokens.
    published_total : int or None
        Parameter count that its authors or distributors give.
    published_rounding : int
        The published total is a multiple of this; 1 where it is exact.
    source, total_source : str
        Where the shape and the published total come from.
    verified : bool
        Whether both were seen in the source named; shown as unverified otherwise.
    note : str
        What is known to be odd.
    """

    architecture: Architecture
    parameters: ParameterCount
    max_context: int
    published_total: int | None
    published_rounding: int
    source: str
    total_source: str
    verified: bool
    note: str

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.architecture.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A family of models that share a style and differ in size.

    Parameters
    ----------
    key, label : str
    year : int
        Of publication.
    source : str
        Paper, and where the shapes were read.
    retrieved : str
        Date, ISO 8601.
    models : tuple of ReleasedModel
        By total parameters, smallest first.
    note : str
    """

    key: str
    label: str
    year: int
    source: str
    retrieved: str
    models: tuple[ReleasedModel, ...]
    note: str = ""

    @property
    def is_moe(self) -> bool:
        """Whether any model of the family routes tokens to experts."""
        return any(model.architecture.is_moe for model in self.models)


_FAMILY_KEYS = frozenset(
    {"key", "label", "year", "source", "total_source", "retrieved", "defaults"}
)
_MODEL_KEYS = frozenset(
    {
        "published_total",
        "published_rounding",
        "max_context",
        "source",
        "total_source",
        "verified",
        "note",
    }
)
_SHAPE_KEYS = frozenset(field.name for field in fields(Architecture))


@once
def load_families() -> Mapping[str, Family]:
    """Load all model families, oldest first.

    Returns
    -------
    mapping of str to Family
        By key.

    Raises
    ------
    CatalogError
        If a file has unknown or missing keys, or two families share a key.
    """
    names = sorted(path.name for path in (data_root() / "families").glob("*.toml"))
    families = [_read_family(f"families/{name}") for name in names]
    keys = [family.key for family in families]
    if len(set(keys)) != len(keys):
        raise CatalogError(_("Two model family files share a key."), detail=", ".join(sorted(keys)))
    families.sort(key=lambda family: (family.year, family.key))
    return MappingProxyType({family.key: family for family in families})


def find_family(key: str) -> Family:
    """Return one family.

    Raises
    ------
    CatalogError
        If there is none of that key; names those there are.
    """
    families = load_families()
    if key not in families:
        raise CatalogError(
            _("There is no model family {key!r}.", key=key),
            hint=_("Choose one of {families}.", families=", ".join(families)),
        )
    return families[key]


def find_model(name: str) -> ReleasedModel:
    """Return one released model by its name, compared without case.

    Raises
    ------
    CatalogError
        If no family has a model of that name.
    """
    wanted = name.casefold()
    for family in load_families().values():
        for model in family.models:
            if model.name.casefold() == wanted:
                return model
    raise CatalogError(
        _("There is no model {name!r} in any family.", name=name),
        hint=_("Choose a family, then one of its models."),
    )


def _read_family(relative: str) -> Family:
    entry = read_toml(relative)
    require_keys(
        entry, where=relative, required=_FAMILY_KEYS | {"models"}, optional=frozenset({"note"})
    )
    defaults = entry["defaults"]
    require_keys(
        defaults, where=f"{relative} [defaults]", required=frozenset(), optional=_SHAPE_KEYS
    )
    models = [
        _read_model(
            model,
            defaults,
            entry,
            where=_("{relative} model {index}", relative=relative, index=index),
        )
        for index, model in enumerate(entry["models"], start=1)
    ]
    models.sort(key=lambda model: model.parameters.total)
    return Family(
        key=entry["key"],
        label=entry["label"],
        year=entry["year"],
        source=entry["source"],
        retrieved=entry["retrieved"],
        models=tuple(models),
        note=entry.get("note", ""),
    )


def _read_model(
    entry: dict[str, Any], defaults: dict[str, Any], family: dict[str, Any], *, where: str
) -> ReleasedModel:
    require_keys(
        entry, where=where, required=frozenset({"name"}), optional=_MODEL_KEYS | _SHAPE_KEYS
    )
    shape = defaults | {key: value for key, value in entry.items() if key in _SHAPE_KEYS}
    require_keys(shape, where=where, required=_REQUIRED_SHAPE_KEYS, optional=_SHAPE_KEYS)
    architecture = Architecture(**_with_parts(shape, where))
    return ReleasedModel(
        architecture=architecture,
        parameters=count_parameters(architecture),
        max_context=entry.get("max_context", architecture.context),
        published_total=entry.get("published_total"),
        published_rounding=entry.get("published_rounding", 1),
        source=entry.get("source", family["source"]),
        total_source=entry.get("total_source", family["total_source"]),
        verified=entry.get("verified", True),
        note=entry.get("note", ""),
    )


_REQUIRED_SHAPE_KEYS = frozenset(
    {
        "name",
        "n_layers",
        "d_model",
        "n_heads",
        "n_kv_heads",
        "head_dim",
        "d_ff",
        "vocab",
        "context",
        "norm",
        "gated_mlp",
        "tied_embeddings",
    }
)


def _with_parts(shape: dict[str, Any], where: str) -> dict[str, Any]:
    """Turn the tables of a shape into their dataclasses."""
    built = dict(shape)
    for key, part in PARTS.items():
        if key in shape:
            known = {field.name for field in fields(part)}
            require_keys(
                shape[key], where=f"{where} {key}", required=frozenset(), optional=frozenset(known)
            )
            built[key] = part(**shape[key])
    return built
