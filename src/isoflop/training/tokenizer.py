"""From bytes to token ids and back: the bytes themselves, or byte-pair encoding."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import TrainingError
from isoflop.files import read_json, write_json
from isoflop.language import lazy_gettext as _
from isoflop.training.corpus import Corpus

Tokens = NDArray[np.uint16]

BPE_VOCAB_SIZES = (512, 1024, 2048, 4096, 10_000)


class Tokenizer(Protocol):
    """What a run needs of a tokenizer."""

    @property
    def name(self) -> str:
        """``"bytes"`` or ``"bpe-<vocabulary size>"``."""

    @property
    def token_bytes(self) -> tuple[bytes, ...]:
        """The bytes that each id stands for."""

    def encode(self, text: bytes) -> Tokens:
        """Map UTF-8 text to ids, shape (n_tokens,)."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values, for ``tokenizer_from_dict``."""


class ByteTokenizer:
    """Bytes, renumbered so that only the values that the corpus holds take a place.

    Parameters
    ----------
    alphabet : bytes
        The byte values in the order of their ids.
    """

    name = "bytes"

    def __init__(self, alphabet: bytes) -> None:
        self.token_bytes = tuple(bytes([value]) for value in alphabet)
        values = np.frombuffer(alphabet, np.uint8)
        self._ids = np.zeros(256, dtype=np.uint16)
        self._ids[values] = np.arange(len(alphabet))
        self._is_known = np.zeros(256, dtype=bool)
        self._is_known[values] = True

    @classmethod
    def train(cls, text: bytes) -> ByteTokenizer:
        """Take the byte values of a text."""
        return cls(np.unique(np.frombuffer(text, np.uint8)).tobytes())

    def encode(self, text: bytes) -> Tokens:
        """Map UTF-8 text to ids; bytes that the corpus lacks are left out."""
        values = np.frombuffer(text, np.uint8)
        is_known = self._is_known[values]
        return self._ids[values if is_known.all() else values[is_known]]

    def to_dict(self) -> dict[str, Any]:
        """Return the name and the alphabet."""
        return {"name": self.name, "alphabet": list(b"".join(self.token_bytes))}


class BpeTokenizer:
    """Byte-level byte-pair encoding through the ``tokenizers`` library.

    Parameters
    ----------
    model_json : str
        The trained tokenizer as that library writes it.
    """

    def __init__(self, model_json: str) -> None:
        self._model = _tokenizers().Tokenizer.from_str(model_json)
        self.name = f"bpe-{self._model.get_vocab_size()}"
        unit_bytes = _byte_level_alphabet()
        self.token_bytes = tuple(
            bytes(unit_bytes[unit] for unit in self._model.id_to_token(index))
            for index in range(self._model.get_vocab_size())
        )

    @classmethod
    def train(cls, text: bytes, *, vocab_size: int) -> BpeTokenizer:
        """Learn the merges of a text.

        Raises
        ------
        TrainingError
            If the ``tokenizers`` library is not installed.
        """
        library = _tokenizers()
        model = library.Tokenizer(library.models.BPE())
        model.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
        model.decoder = library.decoders.ByteLevel()
        trainer = library.trainers.BpeTrainer(
            vocab_size=vocab_size,
            initial_alphabet=library.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        model.train_from_iterator(text.decode().splitlines(keepends=True), trainer)
        return cls(model.to_str())

    def encode(self, text: bytes) -> Tokens:
        """Map UTF-8 text to ids, shape (n_tokens,)."""
        lines = text.decode().splitlines(keepends=True)
        encoded = self._model.encode_batch_fast(lines, add_special_tokens=False)
        return np.concatenate([np.array(one.ids, np.uint16) for one in encoded] or [_NO_TOKENS])

    def to_dict(self) -> dict[str, Any]:
        """Return the name and the library's own description."""
        return {"name": self.name, "model": json.loads(self._model.to_str())}


_NO_TOKENS = np.empty(0, np.uint16)


def corpus_tokenizer(name: str, corpus: Corpus, *, folder: Path) -> Tokenizer:
    """Make the tokenizer of a corpus, or take it from a folder where it was kept.

    Merges are learned from the training text alone. The alphabet of bytes is that of the whole:
    a held-out byte without an id would drop out of the score.

    Raises
    ------
    TrainingError
        If the name is unknown or the library for BPE is missing.
    """
    text = corpus.text if name == ByteTokenizer.name else corpus.split()[0]
    digest = hashlib.sha256(text).hexdigest()
    return make_tokenizer(name, text, cache=folder / f"{name}-{digest[:16]}.json")


def make_tokenizer(name: str, text: bytes, *, cache: Path | None = None) -> Tokenizer:
    """Make the tokenizer of a run.

    Parameters
    ----------
    name : str
        ``"bytes"`` or ``"bpe-<vocabulary size>"``.
    text : bytes
        What it is made from.
    cache : Path, optional
        File that keeps a trained BPE; one that does not bear its own hash is made again.

    Raises
    ------
    TrainingError
        If the name is unknown or the library for BPE is missing.
    """
    if name == "bytes":
        return ByteTokenizer.train(text)
    size = re.fullmatch(r"bpe-(\d+)", name)
    if size is None or not 300 <= int(size[1]) <= 65_536:
        raise TrainingError(
            _("There is no tokenizer {name!r}.", name=name),
            hint=_('Take "bytes", or "bpe-" and a vocabulary size between 300 and 65536.'),
        )
    known = _kept_model(cache) if cache is not None else None
    if known is not None:
        return BpeTokenizer(known)
    tokenizer = BpeTokenizer.train(text, vocab_size=int(size[1]))
    if cache is not None:
        model = json.dumps(tokenizer.to_dict()["model"])
        cache.parent.mkdir(parents=True, exist_ok=True)
        write_json(cache, {"sha256": _sha256(model), "model": model})
    return tokenizer


def _kept_model(cache: Path) -> str | None:
    """Read a kept BPE; None if there is none, or it is damaged."""
    try:
        fields = read_json(cache)
        model = str(fields["model"])
        return model if fields["sha256"] == _sha256(model) else None
    except (OSError, ValueError, KeyError):
        return None


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def tokenizer_from_dict(fields: dict[str, Any]) -> Tokenizer:
    """Rebuild a tokenizer from its ``to_dict``."""
    if fields["name"] == "bytes":
        return ByteTokenizer(bytes(fields["alphabet"]))
    return BpeTokenizer(json.dumps(fields["model"]))


def is_bpe_available() -> bool:
    """Tell whether the ``tokenizers`` library is installed."""
    return importlib.util.find_spec("tokenizers") is not None


def _tokenizers() -> Any:
    try:
        import tokenizers
    except ImportError:
        raise TrainingError(
            _("Byte-pair encoding needs the tokenizers library."),
            hint=_('Install it with: pip install "isoflop[text]". Or train on bytes.'),
        ) from None
    return tokenizers


def _byte_level_alphabet() -> dict[str, int]:
    """Map the printable stand-ins of byte-level BPE to byte values (Radford et al. 2019)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [value for value in range(256) if value not in printable]
    return {chr(value): value for value in printable} | {
        chr(256 + index): value for index, value in enumerate(others)
    }
