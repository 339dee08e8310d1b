"""A model by its name, its configuration, or the folder of its repository and weights' headers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from isoflop.accounting.config_import import MAX_CONFIG_BYTES, import_config
from isoflop.accounting.families import load_families
from isoflop.accounting.imported import ImportedModel
from isoflop.errors import ArchitectureError
from isoflop.language import lazy_gettext as _

CONFIG = "config.json"
INDEX = "model.safetensors.index.json"
MAX_HEADER_BYTES = 100_000_000
"""The limit of the safetensors format itself."""

MAX_INDEX_BYTES = 100_000_000


def read_model(source: Path | str) -> ImportedModel:
    """Return a model's shape and count from wherever it is.

    Parameters
    ----------
    source : path or str
        The folder of a repository, a ``config.json``, or the name of a released model.

    Raises
    ------
    ArchitectureError
        If there is no such file and no such model, or the file cannot be read.
    """
    path = Path(source)
    if path.is_dir():
        return import_repository(path)
    if path.is_file():
        named = path.stem if path.name != CONFIG else path.resolve().parent.name
        with path.open("rb") as file:
            return import_config(file.read(MAX_CONFIG_BYTES + 1), name=named)
    return released_model(str(source))


def released_model(name: str) -> ImportedModel:
    """Return the shape and count of a released model of the catalog.

    Raises
    ------
    ArchitectureError
        If there is none of that name.
    """
    wanted = name.casefold()
    for family in load_families().values():
        for model in family.models:
            if model.name.casefold() == wanted:
                return ImportedModel(
                    architecture=model.architecture,
                    parameters=model.parameters,
                    model_type=family.label,
                    max_context=model.max_context,
                    notes=(model.note,) if model.note else (),
                )
    names = [model.name for family in load_families().values() for model in family.models]
    near = get_close_matches(name, names, n=3)
    raise ArchitectureError(
        _("There is no model {name!r}.", name=name),
        detail=_("It is no file or folder here, and no released model of the catalog."),
        hint=_("Near it are {near}.", near=", ".join(near))
        if near
        else _("Give the path of a config.json."),
    )


def import_repository(folder: Path | str) -> ImportedModel:
    """Read a model from a folder with a ``config.json``; no weight is loaded.

    Where safetensors files lie beside it, or their index that states a total, what they hold is
    compared with the count, and a difference is among the notes: tensors kept twice, layers that
    predict a second token, towers of a multimodal model, or a quantised checkpoint's scales.

    Parameters
    ----------
    folder : path
        Of a model's repository.

    Raises
    ------
    ArchitectureError
        If there is no ``config.json``, or it or a header cannot be read.
    """
    root = Path(folder)
    path = root / CONFIG
    if not path.is_file():
        raise ArchitectureError(
            _("This folder has no config.json."),
            detail=str(root),
            hint=_("Give the folder of a model's repository, or the text of its config.json."),
        )
    model = import_config(path.read_bytes(), name=root.resolve().name)
    held = _held(root)
    if held is None or held == model.parameters.total:
        return model
    counted = model.parameters.total
    note = _(
        "The weights beside it hold {held:,} numbers, {difference:,} "
        "{more_or_fewer} than the {counted:,} parameters counted.",
        held=held,
        difference=abs(held - counted),
        more_or_fewer=_("more") if held > counted else _("fewer"),
        counted=counted,
    )
    return replace(model, notes=(*model.notes, note))


def _held(root: Path) -> int | None:
    """Numbers in the safetensors files of a folder, or as their index states; None without."""
    files = sorted(root.glob("*.safetensors"))
    if files:
        return sum(safetensors_elements(path) for path in files)
    index = root / INDEX
    if not index.is_file() or index.stat().st_size > MAX_INDEX_BYTES:
        return None
    try:
        metadata = json.loads(index.read_bytes()).get("metadata", {})
        total = metadata.get("total_parameters")
    except (ValueError, AttributeError, RecursionError):
        raise ArchitectureError(
            _("The file {index} is not a safetensors index.", index=INDEX),
            hint=_("Fetch it again, or remove it."),
        ) from None
    return total if isinstance(total, int) and not isinstance(total, bool) else None


def safetensors_elements(path: Path | str) -> int:
    """Count the numbers in a safetensors file from its header alone.

    Parameters
    ----------
    path : path

    Returns
    -------
    int
        Elements of all its tensors.

    Raises
    ------
    ArchitectureError
        If the file has no such header.

    References
    ----------
    huggingface/safetensors, "Format": eight bytes with the header's length, then JSON.
    """
    with Path(path).open("rb") as file:
        header = _header(file, Path(path).name)
    return sum(prod(tensor["shape"]) for tensor in header.values())


def _header(file: BinaryIO, name: str) -> Mapping[str, Mapping[str, Any]]:
    length = int.from_bytes(file.read(8), "little")
    if 0 < length <= MAX_HEADER_BYTES:
        content = file.read(length)
        try:
            header = json.loads(content)
            header.pop("__metadata__", None)
            if all(_is_tensor(tensor) for tensor in header.values()):
                return dict(header)
        except (ValueError, AttributeError, TypeError, RecursionError):
            pass
    raise ArchitectureError(
        _("{name} is not a safetensors file.", name=name),
        detail=_("Its header cannot be read."),
        hint=_("Fetch it again: a pointer of Git LFS has the file's name, and not its content."),
    )


def _is_tensor(tensor: Any) -> bool:
    shape = tensor["shape"]
    return isinstance(shape, list) and all(isinstance(size, int) and size >= 0 for size in shape)
