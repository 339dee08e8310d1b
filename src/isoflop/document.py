"""Results as JSON documents and back: nothing is lost, and nothing is believed unchecked.

A document's first entry is its format, such as ``"isoflop-fit-1"``; then come the version of the
package, the result's key, its fields and, under ``"derived"``, what can be worked out of them. The
last two are for other readers alone. Numbers that JSON lacks are the texts ``"NaN"``,
``"Infinity"`` and ``"-Infinity"``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from importlib.metadata import version
from inspect import cleandoc
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.errors import DocumentError
from isoflop.language import joined, lazy_gettext
from isoflop.once import once

if TYPE_CHECKING:  # an import of some weight, for those who save or load alone
    from cattrs import Converter

MAX_BYTES = 200_000_000
"""Largest document that is read."""

_AROUND = ("isoflop", "key", "derived")
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_FORMAT = re.compile(rb'^\s*\{\s*"format"\s*:\s*"(isoflop-[a-z-]+-\d+)"')
_T = TypeVar("_T")


def to_json(value: Any, format: str, *, derived: Mapping[str, Any] | None = None) -> str:
    """Write a result, a line a field.

    Parameters
    ----------
    value : dataclass
    format : str
        Name and version, such as ``"isoflop-fit-1"``.
    derived : mapping, optional
        What other readers may want and `from_json` does not: plain data and dataclasses.
    """
    around = {"format": format, "isoflop": version("isoflop"), "key": getattr(value, "key", "")}
    return as_text({**around, **plain(value), **({"derived": derived} if derived else {})})


def frame_to_json(
    result: Any, format: str, frame: pd.DataFrame, *, summary: str, table: Mapping[str, str]
) -> str:
    """Return a result as its frame, a mapping a row: for other readers, it is not read back.

    Parameters
    ----------
    result : object
        With a ``key``.
    format : str
        Name and version, such as ``"isoflop-law-comparison-1"``.
    frame : pandas.DataFrame
    summary : str
    table : mapping of str to str
        Id and fingerprint of the rows that it rests on.
    """
    around = {"format": format, "isoflop": version("isoflop"), "key": result.key}
    return as_text({**around, "table": table, "summary": summary, "rows": records(frame)})


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame as a mapping a row of what JSON knows, None where there is no value."""
    found: list[dict[str, Any]]
    found = plain(frame.astype(object).where(frame.notna(), None).to_dict("records"))
    return found


def as_text(entries: Mapping[str, Any]) -> str:
    """Return what `plain` understands as a JSON object, a line an entry."""
    lines = (
        f"  {json.dumps(name)}: {json.dumps(plain(entry), ensure_ascii=False, allow_nan=False)}"
        for name, entry in entries.items()
    )
    return "{\n" + ",\n".join(lines) + "\n}"


def from_json(cls: type[_T], text: str | bytes, format: str) -> _T:
    """Read what `to_json` wrote.

    Raises
    ------
    DocumentError
        If it is anything else, or of a newer version, with what is wrong and where.
    """
    document = parsed(text)
    _require_format(document.pop("format", None), format)
    for name in _AROUND:
        document.pop(name, None)
    import cattrs

    try:
        return _converter().structure(document, cls)
    except (cattrs.BaseValidationError, cattrs.StructureHandlerNotFoundError) as error:
        raise _malformed(format, cattrs.transform_error(error, "result", _said)) from None
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise _malformed(format, [str(error)]) from None


def require_one_length(arrays: Mapping[str, NDArray[Any]]) -> None:
    """Refuse arrays from outside that are not one value a point each.

    Raises
    ------
    DocumentError
        Naming the shape of each.
    """
    if len({array.shape for array in arrays.values()}) > 1 or any(
        array.ndim != 1 for array in arrays.values()
    ):
        raise DocumentError(
            lazy_gettext("This saved result does not hold together."),
            detail=joined("; ", [f"{name}: {array.shape}" for name, array in arrays.items()])[
                :1000
            ],
            hint=lazy_gettext("Give the file as Isoflop saved it."),
        )


def save(content: str | bytes, path: str | Path) -> None:
    """Write a document to a file; text with a line's end.

    Raises
    ------
    DocumentError
        If it cannot be written.
    """
    try:
        Path(path).write_bytes(content if isinstance(content, bytes) else f"{content}\n".encode())
    except (OSError, ValueError) as error:
        raise DocumentError(
            lazy_gettext("The result cannot be written to {path}.", path=path),
            detail=getattr(error, "strerror", None) or str(error),
            hint=lazy_gettext("Name another file."),
        ) from None


def load(path: str | Path) -> bytes:
    """Return the content of a document's file.

    Raises
    ------
    DocumentError
        If it cannot be read or is too large.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise DocumentError(
            lazy_gettext("The file {path} cannot be read.", path=path),
            detail=getattr(error, "strerror", None) or str(error),
            hint=lazy_gettext("Check its path."),
        ) from None
    if len(content) > MAX_BYTES:
        raise DocumentError(
            lazy_gettext(
                "The file {path} is larger than {max_bytes:,.0f} MB.",
                path=path,
                max_bytes=MAX_BYTES / 1000000.0,
            )
        )
    return content


def format_of(path: str | Path) -> str:
    """Return the format that a file says it has; empty for any other file, and for none."""
    try:
        with Path(path).open("rb") as file:
            found = _FORMAT.match(file.read(200))
    except (OSError, ValueError):
        return ""
    return found[1].decode() if found else ""


def plain(value: Any) -> Any:
    """Return a value made of what JSON knows: dataclasses, arrays and mappings of such, in full."""
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in _kept(type(value))}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, np.ndarray):
        is_plain = value.dtype.kind != "f" or bool(np.isfinite(value).all())
        return value.tolist() if is_plain else plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return next(text for text, known in _SPECIAL.items() if str(known) == str(value))
    return value


def schema(cls: type, format: str) -> dict[str, Any]:
    """Return the JSON schema of a dataclass's documents, made from its fields and docstrings."""
    described: dict[str, Any] = {}
    body = _dataclass_schema(cls, described)
    around = {"format": {"const": format}, "isoflop": {"type": "string"}, "key": {"type": "string"}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format,
        **body,
        "properties": {**around, **body["properties"], "derived": {"type": "object"}},
        "required": ["format", *body["required"]],
        "$defs": {
            "number": {"anyOf": [{"type": "number"}, {"enum": list(_SPECIAL)}]},
            "array": {
                "type": "array",
                "items": {
                    "anyOf": [
                        {"$ref": "#/$defs/number"},
                        {"type": "boolean"},
                        {"$ref": "#/$defs/array"},
                    ]
                },
            },
            **described,
        },
    }


def parsed(text: str | bytes) -> dict[str, Any]:
    """Return the JSON object of a text.

    Raises
    ------
    DocumentError
        If it is none.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DocumentError(
            lazy_gettext("This is not a saved result."),
            detail=lazy_gettext("It is not JSON: {error}", error=str(error)[:200]),
        ) from None
    if not isinstance(found, dict):
        raise DocumentError(
            lazy_gettext("This is not a saved result."),
            detail=lazy_gettext("It is not a JSON object."),
        )
    return found


def _require_format(found: object, wanted: str) -> None:
    """Refuse another format, and a newer version of the same."""
    if found == wanted:
        return
    name, _, current = wanted.rpartition("-")
    given, _, number = str(found).rpartition("-") if isinstance(found, str) else ("", "", "")
    if given == name and number.isdecimal() and len(number) < 9 and int(number) > int(current):
        raise DocumentError(
            lazy_gettext(
                "This file was saved by a newer version of Isoflop ({found}).", found=found
            ),
            detail=lazy_gettext(
                "Isoflop {version} reads {wanted}.", version=version("isoflop"), wanted=wanted
            ),
            hint=lazy_gettext("Update Isoflop."),
        )
    raise DocumentError(
        lazy_gettext("This is not a saved result of the format {wanted}.", wanted=wanted),
        detail=lazy_gettext("It names no format.")
        if found is None
        else lazy_gettext("Its format is {found!r}.", found=str(found)[:80]),
        hint=lazy_gettext("Give a file that Isoflop saved."),
    )


def _malformed(format: str, faults: list[str]) -> DocumentError:
    shown = [fault[:200] for fault in faults[:5]]
    if len(faults) > len(shown):
        shown.append(lazy_gettext("and {faults} more", faults=len(faults) - len(shown)))
    return DocumentError(
        lazy_gettext("This file says it is of the format {format} and is not.", format=format),
        detail=joined("\n", shown),
        hint=lazy_gettext("Give the file as Isoflop saved it."),
    )


def _said(error: BaseException, kind: type | None) -> str:
    """Return what a fault says of itself, else what cattrs says of it."""
    from cattrs.v import format_exception

    own = isinstance(error, ValueError | TypeError | OverflowError) and error.args
    return str(error) if own else format_exception(error, kind)


def _kept(cls: type) -> list[Field[Any]]:
    """Return the fields that a document holds: those that are given and part of the identity."""
    return [i for i in fields(cls) if i.init and i.metadata.get("identity", True) is True]


# --- Reading: JSON's own values alone, of the types that the fields declare


@once
def _converter() -> Converter:
    from cattrs import Converter
    from cattrs.gen import make_dict_structure_fn, override

    converter = Converter(forbid_extra_keys=True)
    for kind, read in _READERS.items():
        converter.register_structure_hook(kind, read)

    def reader_of(cls: Any) -> Callable[[Any, Any], Any]:
        unread = {item.name for item in fields(cls)} - {item.name for item in _kept(cls)}
        left_out: dict[str, Any] = {name: override(omit=True) for name in unread}
        return make_dict_structure_fn(cls, converter, **left_out)

    def dataclass_of(value: Any, cls: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError(f"an object is expected, not {_shown(value)}")
        return readers(cls)(value, cls)

    readers = once(reader_of)
    converter.register_structure_hook_func(is_dataclass, dataclass_of)
    converter.register_structure_hook_func(_is_array, _array)
    return converter


def _number(value: Any, _kind: Any) -> float:
    if isinstance(value, str) and value in _SPECIAL:
        return _SPECIAL[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"a number is expected, not {_shown(value)}")
    return float(value)


def _exactly(kind: type, name: str) -> Callable[[Any, Any], Any]:
    def read(value: Any, _kind: Any) -> Any:
        if type(value) is not kind:
            raise ValueError(f"{name} is expected, not {_shown(value)}")
        return value

    return read


_READERS: dict[type, Callable[[Any, Any], Any]] = {
    float: _number,
    int: _exactly(int, lazy_gettext("a whole number")),
    str: _exactly(str, "text"),
    bool: _exactly(bool, lazy_gettext("true or false")),
}


def _is_array(kind: Any) -> bool:
    origin: Any = get_origin(kind)
    return origin is np.ndarray


def _array(value: Any, kind: Any) -> NDArray[Any]:
    dtype = np.dtype(get_args(get_args(kind)[1])[0])
    read = _READERS[bool] if dtype.kind == "b" else _READERS[int] if dtype.kind == "i" else _number
    return np.array(_leaves(value, read), dtype=dtype)


def _leaves(value: Any, read: Callable[[Any, Any], Any]) -> Any:
    if isinstance(value, list):
        return [_leaves(item, read) for item in value]
    return read(value, None)


def _shown(value: Any) -> str:
    return repr(value)[:40]


# --- The schema


def _dataclass_schema(cls: type, described: dict[str, Any]) -> dict[str, Any]:
    hints, texts = get_type_hints(cls), _field_texts(cls.__doc__ or "")
    properties = {}
    for item in _kept(cls):
        found = _type_schema(hints[item.name], described)
        text = texts.get(item.name, "")
        properties[item.name] = {**found, "description": text} if text else found
    required = [
        item.name
        for item in _kept(cls)
        if item.default is MISSING and item.default_factory is MISSING
    ]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


_SIMPLE: dict[Any, dict[str, Any]] = {
    float: {"$ref": "#/$defs/number"},
    int: {"type": "integer"},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    NoneType: {"type": "null"},
}


def _type_schema(kind: Any, described: dict[str, Any]) -> dict[str, Any]:
    if kind in _SIMPLE:
        return dict(_SIMPLE[kind])
    if is_dataclass(kind) and isinstance(kind, type):
        if kind.__name__ not in described:
            described[kind.__name__] = {}
            described[kind.__name__] = _dataclass_schema(kind, described)
        return {"$ref": f"#/$defs/{kind.__name__}"}
    origin, args = get_origin(kind), get_args(kind)
    if origin is np.ndarray:
        return {"$ref": "#/$defs/array"}
    if origin is Literal:
        return {"enum": list(args)}
    if origin in (Union, UnionType):
        return {"anyOf": [_type_schema(arg, described) for arg in args]}
    if origin is tuple and args[-1] is Ellipsis:
        return {"type": "array", "items": _type_schema(args[0], described)}
    if origin is tuple:
        items = [_type_schema(arg, described) for arg in args]
        return {"type": "array", "prefixItems": items, "minItems": len(args), "items": False}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _type_schema(args[1], described)}
    raise TypeError(f"A field of the type {kind} has no schema.")


def _field_texts(docstring: str) -> dict[str, str]:
    """Return what a numpydoc section of parameters says of each."""
    section = re.split(r"\n[A-Z][a-z]+\n-+\n", cleandoc(docstring))
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=\S)", section[1]) if len(section) > 1 else ():
        names, _, text = entry.partition("\n")
        words = re.sub(r"\s+", " ", text.replace("``", "`")).strip()
        for name in names.partition(" : ")[0].split(","):
            found[name.strip()] = words
    return found
