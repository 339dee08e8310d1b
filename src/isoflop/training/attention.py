"""Attention weights of a trained model on a text, as data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_TOKENS = 64
"""Of a text whose weights are shown: a picture of more could not be read."""

HAS_ATTENTION = ("rnn_attention", "transformer")
"""Families with weights to show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionWeights:
    """How much each token draws on each one before it.

    Parameters
    ----------
    pieces : tuple of bytes
        The tokens.
    weights : ndarray, shape (n_layers, n_heads, n_tokens, n_tokens)
        Row by query, column by key; every row sums to one, and none sees a later token.
    """

    pieces: tuple[bytes, ...]
    weights: NDArray[np.float64]

    @property
    def n_layers(self) -> int:
        """Layers with attention."""
        return int(self.weights.shape[0])

    @property
    def n_heads(self) -> int:
        """Heads of a layer."""
        return int(self.weights.shape[1])
