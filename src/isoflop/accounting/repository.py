"""A model from the folder of a repository: its configuration, held against its weights' headers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from isoflop.accounting.config_import import ImportedModel, import_config
from isoflop.errors import ArchitectureError

CONFIG = "config.json"
INDEX = "model.safetensors.index.json"
MAX_HEADER_BYTES = 100_000_000
"""The limit of the safetensors format itself."""

MAX_INDEX_BYTES = 100_000_000


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
            "This folder has no config.json.",
            detail=str(root),
            hint="Give the folder of a model's repository, or the text of its config.json.",
        )
    model = import_config(path.read_bytes(), name=root.resolve().name)
    held = _held(root)
    if held is None or held == model.parameters.total:
        return model
    counted = model.parameters.total
    note = (
        f"The weights beside it hold {held:,} numbers, {abs(held - counted):,} "
        f"{'more' if held > counted else 'fewer'} than the {counted:,} parameters counted."
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
            f"The file {INDEX} is not a safetensors index.", hint="Fetch it again, or remove it."
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
        f"{name} is not a safetensors file.",
        detail="Its header cannot be read.",
        hint="Fetch it again: a pointer of Git LFS has the file's name, and not its content.",
    )


def _is_tensor(tensor: Any) -> bool:
    shape = tensor["shape"]
    return isinstance(shape, list) and all(isinstance(size, int) and size >= 0 for size in shape)
