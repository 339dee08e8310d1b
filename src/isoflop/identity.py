"""What makes two results the same: a key from their content.

Caches, links and saved files know a result by its key alone, so that it must say all that changes
an answer, arrays included, and must never be handed in from outside.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

NOT_IDENTITY: Mapping[str, Any] = {"identity": False}
"""Metadata of a dataclass field that is no part of its key, such as rows that can be read again."""


class Keyed:
    """Base of frozen dataclasses that are known by their content.

    The class declares ``key: str = field(init=False, repr=False)`` and takes ``eq=False``; the key
    is made when it is first asked for, which of most is never.
    """

    __slots__ = ()
    key: str

    def __getattr__(self, name: str) -> str:  # Python asks here for a slot that holds nothing yet
        if name != "key":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        object.__setattr__(self, "key", content_key(self))
        return self.key

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return bool(self.key == other.key)

    def __hash__(self) -> int:
        return hash(self.key)


def content_key(value: object) -> str:
    """Return the SHA-256 of a value's content, the same in every process.

    Parameters
    ----------
    value : object
        None, numbers, text, bytes, arrays, mappings, sequences, sets and dataclasses of these, and
        whatever has a ``key`` or a ``fingerprint`` of its own. Numbers that are equal are alike,
        whatever their type; mappings with the same items are alike, whatever their order.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    TypeError
        For anything else: an object whose content is not known has no key.
    """
    parts = _fields(value) if isinstance(value, Keyed) else _parts(value)
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _parts(value: object) -> Iterator[bytes]:
    """Yield the parts of a value, each with its kind and length before it."""
    if value is None:
        yield b"0"
    elif isinstance(value, str):
        yield from _sized(b"s", value.encode(errors="surrogatepass"))
    elif isinstance(value, bool | np.bool_):
        yield b"t" if value else b"f"
    elif isinstance(value, int | float | np.integer | np.floating):
        yield from _number(value)
    elif isinstance(value, bytes):
        yield from _sized(b"b", value)
    elif isinstance(value, np.ndarray):
        yield from _array(value)
    elif isinstance(value, Mapping | frozenset | set | tuple | list):
        yield from _items(value)
    else:
        yield from _object(value)


def _items(value: Mapping[Any, Any] | Collection[Any]) -> Iterator[bytes]:
    """Yield how many items there are, then each; in one order where theirs means nothing."""
    items: Collection[Any] = value.items() if isinstance(value, Mapping) else value
    has_order = isinstance(value, tuple | list)
    kind = b"m" if isinstance(value, Mapping) else b"l" if has_order else b"x"
    yield kind + b"%d:" % len(items)
    parts = [b"".join(_parts(item)) for item in items]
    yield from parts if has_order else sorted(parts)


def _object(value: object) -> Iterator[bytes]:
    if isinstance(value, Keyed):
        yield from _sized(b"k", value.key.encode())
    elif isinstance(fingerprint := getattr(value, "fingerprint", None), str):
        yield from _sized(b"p", f"{getattr(value, 'id', '')}\0{fingerprint}".encode())
    elif is_dataclass(value) and not isinstance(value, type):
        yield from _fields(value)
    else:
        raise TypeError(f"A {type(value).__name__} has no key.")


def _sized(kind: bytes, content: bytes) -> Iterator[bytes]:
    yield kind + b"%d:" % len(content)
    yield content


def _number(value: float | np.integer[Any] | np.floating[Any]) -> Iterator[bytes]:
    """Yield a number as the double it equals, or in full where it equals none."""
    try:
        double = float(value)
    except OverflowError:
        double = float("nan")
    if isinstance(value, int | np.integer) and double != value:
        yield from _sized(b"i", str(int(value)).encode())
    else:
        yield b"d" + struct.pack("<d", double + 0.0)  # -0.0 equals 0.0


def _array(value: np.ndarray[Any, Any]) -> Iterator[bytes]:
    if value.dtype.kind not in "biufc":
        raise TypeError(f"An array of {value.dtype} has no key.")
    if not value.ndim:  # alike the number that it holds: NumPy gives back either
        yield from _parts(value[()])
        return
    yield f"a{value.dtype.str}{value.shape}:".encode()
    yield np.ascontiguousarray(value).tobytes()


def _fields(value: Any) -> Iterator[bytes]:
    kept = [
        item for item in fields(value) if item.init and item.metadata.get("identity", True) is True
    ]
    yield b"o%d:" % len(kept)
    yield from _sized(b"n", type(value).__qualname__.encode())
    for item in kept:
        yield from _sized(b"n", item.name.encode())
        yield from _parts(getattr(value, item.name))
