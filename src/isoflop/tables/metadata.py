"""Files that say what a run is: ``config.json``, ``hparams.yaml``, ``config.yaml`` and their kin.

None of them is a table; their values are put beside the rows of the run that they belong to.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from isoflop.accounting.config_import import import_config
from isoflop.errors import IsoflopError
from isoflop.language import lazy_gettext as _
from isoflop.tables.problems import shorten
from isoflop.tables.run_values import SPENT, Values, column_of
from isoflop.tables.source import Content
from isoflop.tables.trackers.require import require
from isoflop.units import parse_number

_YAML = (".yaml", ".yml")
_NAMES = re.compile(
    r"(?i)(?:config|hparams|hyper_?params|hyperparameters|params|args|arguments|run_config"
    r"|model_config|training_args|wandb-metadata)\.(?:json|ya?ml)"
)
# Files beside a checkpoint that say nothing of its run.
_OTHERS = re.compile(
    r"(?i)(?:(?:generation|preprocessor|processor|tokenizer|adapter)_config|tokenizer|vocab"
    r"|special_tokens_map|added_tokens|model\.safetensors\.index|merges|wandb-metadata)\.json"
)
_MAX_BYTES = 1_000_000
_MAX_VALUES = 200
_MAX_DEPTH = 4
# What a name of a file may say of its run: N70M, D1.4B, lr0.001, seed3.
_IN_NAME = re.compile(
    r"(?<![A-Za-z0-9.])(?P<key>[A-Za-z]+(?:_[A-Za-z]+)*?)[=_-]?"
    r"(?P<value>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?[KMBGT]?)(?![A-Za-z0-9])"
)
# The least that each may be, below which a name means something else: d512 is a width.
_IN_NAMES = {
    "params": 1e4, "params_nonembedding": 1e4, "tokens": 1e6, "compute_flop": 1e12,
    "learning_rate": 0.0, "seed": 0.0, "batch_tokens": 1.0, "unique_tokens": 1e6,
}  # fmt: skip


def is_metadata(name: str) -> bool:
    """Return whether a file of this name says what a run is."""
    return _NAMES.fullmatch(PurePath(name).name) is not None


def is_of_a_model(name: str) -> bool:
    """Return whether a file of this name belongs to a checkpoint and says nothing of its run."""
    return _OTHERS.fullmatch(PurePath(name).name) is not None


def read_metadata(content: Content) -> tuple[Values, tuple[str, ...]]:
    """Return a run's values from such a file, and notes; nothing if it cannot be understood.

    Parameters
    ----------
    content : Content

    Raises
    ------
    TableError
        If it is YAML and the package that reads it is not installed.
    """
    if len(content.data) > _MAX_BYTES:
        return {}, (
            _(
                "{name} is too large for a run's configuration, and was not read.",
                name=content.name,
            ),
        )
    document = _document(content)
    if not isinstance(document, dict):
        return {}, (_("{name} is no configuration of a run, and was not read.", name=content.name),)
    if "model_type" in document and content.name == "config.json":
        return _counted(content)
    values = dict(_flat(_unwrapped(document)))
    if len(values) > _MAX_VALUES:
        values = {key: value for key, value in values.items() if column_of(key)}
    return values, (
        _(
            "{name} says of the run: {values}.",
            name=content.name,
            values=shorten(", ".join(values), 300),
        ),
    )


def _document(content: Content) -> object:
    try:
        if content.name.lower().endswith(_YAML):
            return _safe_yaml(content.data)
        return json.loads(content.data)
    except (ValueError, RecursionError):
        return None


def _safe_yaml(data: bytes) -> object:
    """Read YAML as plain values; a tag of Python makes nothing but an empty value."""
    yaml = require("yaml", "readers", _("Reading a configuration in YAML"))

    class Loader(yaml.SafeLoader):  # type: ignore[name-defined,misc]  # an optional module
        pass

    Loader.add_multi_constructor("", lambda loader, suffix, node: None)
    try:
        return yaml.load(data, Loader=Loader)
    except (yaml.YAMLError, ValueError, RecursionError, TypeError):
        return None


def _unwrapped(document: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a configuration without W&B's ``{"lr": {"desc": null, "value": 0.1}}``."""
    found = {str(key): value for key, value in document.items()}
    if found and all(
        isinstance(value, dict) and "value" in value
        for key, value in found.items()
        if not key.startswith(("_", "wandb_version"))
    ):
        found = {
            key: v["value"] for key, v in found.items() if isinstance(v, dict) and "value" in v
        }
    return {key: value for key, value in found.items() if not key.startswith("_")}


def _flat(
    document: Mapping[str, Any], prefix: str = "", depth: int = 0
) -> Iterator[tuple[str, object]]:
    for key, value in document.items():
        name = f"{prefix}{key}".encode(errors="replace").decode()
        if isinstance(value, dict) and depth < _MAX_DEPTH:
            yield from _flat({str(k): v for k, v in value.items()}, f"{name}/", depth + 1)
        elif isinstance(value, str | int | float | bool):
            yield name, value.encode(errors="replace").decode() if isinstance(value, str) else value


def _counted(content: Content) -> tuple[Values, tuple[str, ...]]:
    """Return the parameters of a model shape, counted exactly."""
    try:
        model = import_config(content.data)
    except IsoflopError as error:
        return {}, (
            _("{name} was not counted: {summary}", name=content.name, summary=error.summary),
        )
    counts = model.parameters
    values: Values = {"params": counts.total, "params_nonembedding": counts.nonembedding}
    if counts.active != counts.total:
        values["params_active"] = counts.active
    values["vocab_size"] = model.architecture.vocab
    note = _(
        "{name} gives N: {total:,} parameters, of a {model_type} model.",
        name=content.name,
        total=counts.total,
        model_type=model.model_type,
    )
    return values, (note, *model.notes)


def values_in_name(name: str) -> Values:
    """Return what a file's name says of its run.

    Examples
    --------
    >>> values_in_name("curve_N70M_D1.4B_lr0.001.csv")
    {'params': 70000000.0, 'tokens': 1400000000.0, 'learning_rate': 0.001}
    >>> values_in_name("corpusA-d512-c4.csv")
    {}
    """
    stem = re.sub(r"(?:\.[A-Za-z][A-Za-z0-9]*)+$", "", name)
    values: Values = {}
    for match in _IN_NAME.finditer(stem):
        parts = match["key"].split("_")
        read = (column_of("_".join(parts[start:])) for start in range(len(parts)))
        column = next((name for name in read if name in _IN_NAMES), "")
        if not column or column in values:
            continue
        value = parse_number(match["value"])
        if value >= _IN_NAMES[column] and math.isfinite(value):
            values[column] = value
    is_pair = {"params", "params_nonembedding", *SPENT} & values.keys()
    return values if is_pair else {}
