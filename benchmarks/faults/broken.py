"""Texts and JSON values of real shapes with faults of every kind, the same for the same seed."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 7, 1e308, -1e308, 1e-308, 10**30, 0.5, "", " ", "x", "NaN", "-5",
    "Infinity", "1e999", "\u0000", "é" * 50, "../../etc/passwd", "loss", [], {}, [[]], {"a": 1},
    [1, 2], "9" * 400, -7.5, 2**63, "1B",
)  # fmt: skip
"""Values that stand where others are expected."""


def text(rng: random.Random, whole: str, pieces: Sequence[str]) -> str:
    """Return a text with parts cut out, repeated or written over."""
    for _ in range(rng.randrange(1, 5)):
        start = rng.randrange(len(whole) + 1)
        end = min(len(whole), start + rng.randrange(12))
        piece = rng.choice((rng.choice(pieces), "", whole[start:end] * 2))
        whole = whole[:start] + piece + whole[end:]
    return whole


def content(rng: random.Random, whole: bytes) -> bytes:
    """Return bytes with parts cut out, repeated or written over, or the end cut off."""
    if rng.random() < 0.2:
        return whole[: rng.randrange(len(whole) + 1)]
    for _ in range(rng.randrange(1, 4)):
        start = rng.randrange(len(whole) + 1)
        end = min(len(whole), start + rng.randrange(30))
        piece = rng.choice((rng.randbytes(rng.randrange(5)), b"", whole[start:end] * 2))
        whole = whole[:start] + piece + whole[end:]
    return whole


def value(rng: random.Random, whole: Any) -> Any:
    """Return a JSON value with one or a few entries changed, taken out, added or swapped."""
    whole = json.loads(json.dumps(whole))
    for _ in range(rng.randrange(1, 4)):
        whole = _changed(rng, whole)
    return whole


def document(rng: random.Random, whole: bytes) -> bytes:
    """Return a JSON document with faults in what it says, or in how it is written."""
    if rng.random() < 0.3:
        return content(rng, whole)
    return json.dumps(value(rng, json.loads(whole))).encode()


def _changed(rng: random.Random, whole: Any) -> Any:
    """Change something somewhere below a value."""
    if isinstance(whole, dict) and whole and rng.random() < 0.9:
        name = rng.choice(sorted(whole))
        way = rng.random()
        if way < 0.15:
            del whole[name]
        elif way < 0.2:
            whole[rng.choice(("extra", "", name.upper()))] = whole[name]
        elif way < 0.25:
            whole[name] = whole[rng.choice(sorted(whole))]
        else:
            whole[name] = _changed(rng, whole[name])
        return whole
    if isinstance(whole, list) and whole and rng.random() < 0.8:
        place = rng.randrange(len(whole))
        way = rng.random()
        if way < 0.15:
            del whole[place]
        elif way < 0.3:
            whole.insert(place, rng.choice(whole))
        else:
            whole[place] = _changed(rng, whole[place])
        return whole
    if isinstance(whole, str) and whole and rng.random() < 0.3:
        return text(rng, whole, ("", " ", "0", "\u0000", "-", "é"))
    return rng.choice(ODD)
