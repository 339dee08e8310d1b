"""A corpus in tokens: how many, how long, how often each occurs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.training.corpus import Corpus
from isoflop.training.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCounts:
    """A corpus in tokens.

    Parameters
    ----------
    train_tokens, validation_tokens : int
    bytes_per_token : float
    pieces : tuple of bytes
        Each token of the vocabulary.
    counts : ndarray of int, shape (vocab_size,)
        Occurrences of each in the training text.
    """

    train_tokens: int
    validation_tokens: int
    bytes_per_token: float
    pieces: tuple[bytes, ...]
    counts: NDArray[np.int64]


def count_tokens(corpus: Corpus, tokenizer: Tokenizer) -> TokenCounts:
    """Count the tokens of a corpus."""
    train, validation = corpus.split()
    ids, held_out = tokenizer.encode(train), tokenizer.encode(validation)
    pieces = tuple(tokenizer.token_bytes)
    return TokenCounts(
        train_tokens=len(ids),
        validation_tokens=len(held_out),
        bytes_per_token=len(train) / max(1, len(ids)),
        pieces=pieces,
        counts=np.bincount(ids, minlength=len(pieces)),
    )


def readable(piece: bytes) -> str:
    """Write a token so that blank space and broken characters can be seen."""
    text = piece.decode("utf-8", "backslashreplace")
    for raw, mark in ((" ", "\u2423"), ("\n", "\u21b5"), ("\t", "\u21e5")):
        text = text.replace(raw, mark)
    return text
