"""GPT-style decoder: rotary positions, normalised queries and keys, squared ReLU."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isoflop.accounting import SmallModel
from isoflop.training.engine.layers import FeedForward, LanguageModel, LayerNorm, matrix

ROTARY_BASE = 10_000.0

SCORE_SCALE = 2.0
"""Attention scores are scaled by this over the root of the head's width.

With normalised queries and keys the usual 1 keeps attention too blunt: 1.845 against 1.833 nats per
byte at width 32 and 524k tokens.
"""


class Attention(nn.Module):
    """Residual branch of causal multi-head scaled dot-product attention."""

    def __init__(self, width: int, n_heads: int, dropout: nn.Module) -> None:
        super().__init__()
        self.dropout = dropout
        self.n_heads = n_heads
        self.head_width = width // n_heads
        self.norm = LayerNorm(width)
        self.qkv = matrix(width, 3 * width)
        self.out = matrix(width, width, zero=True)

    def forward(self, x: Tensor, turn: Tensor) -> Tensor:
        """Add the branch to ``x``, shape (batch, time, width)."""
        batch, time, width = x.shape
        q, k, v = self._heads(x, turn)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=self._scale)
        return x + self.dropout(self.out(mixed.transpose(1, 2).reshape(batch, time, width)))

    def weights(self, x: Tensor, turn: Tensor) -> Tensor:
        """Return what each token draws on, shape (batch, heads, time, time)."""
        q, k, _ = self._heads(x, turn)
        later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        scores = self._scale * (q @ k.transpose(-1, -2))
        return torch.softmax(scores.masked_fill(later, -torch.inf), dim=-1)

    @property
    def _scale(self) -> float:
        return SCORE_SCALE / math.sqrt(self.head_width)

    def _heads(self, x: Tensor, turn: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values, each of shape (batch, heads, time, head_width)."""
        batch, time, width = x.shape
        heads = (batch, time, self.n_heads, self.head_width)
        # Queries and keys are normalised and turned together: half the calls.
        both, v = self.qkv(self.norm(x)).split([2 * width, width], dim=-1)
        both = both.view(batch, time, 2 * self.n_heads, self.head_width)
        turned = norm_and_rotate(both, turn).type_as(v)
        q, k = turned.view(batch, time, 2, *heads[2:]).transpose(1, 3).unbind(2)
        return q, k, v.view(heads).transpose(1, 2)


def norm_and_rotate(x: Tensor, turn: Tensor) -> Tensor:
    """Normalise the channels of each head and turn them by their position, shapes as ``rotate``."""
    return rotate(F.layer_norm(x, x.shape[-1:]), turn)


def rotate(x: Tensor, turn: Tensor) -> Tensor:
    """Turn pairs of neighbouring channels by their position (Su et al. 2021, arXiv 2104.09864).

    Parameters
    ----------
    x : Tensor, shape (batch, time, heads, head_width)
    turn : Tensor of complex, shape (time, heads * head_width / 2)
        Multiplying complex numbers is one pass over memory, a third of the time of sine and cosine
        apart.
    """
    pairs = torch.view_as_complex(x.float().view(*x.shape[:2], -1, 2))
    return torch.view_as_real(pairs * turn).view(x.shape)


class Transformer(LanguageModel):
    """Stack of attention and feed-forward blocks over tied embeddings."""

    turn: Tensor

    def __init__(self, shape: SmallModel, *, dropout: float = 0.0) -> None:
        super().__init__(shape, dropout=dropout)
        width, n_heads, context = shape.width, shape.n_heads, shape.context
        entry, blocks = shape.input_width, range(shape.depth)
        self.widen = matrix(entry, width) if entry != width else nn.Identity()
        self.attention = nn.ModuleList(Attention(width, n_heads, self.dropout) for _ in blocks)
        self.feed_forward = nn.ModuleList(FeedForward(width, self.dropout) for _ in blocks)
        head_width = width // n_heads
        frequency = ROTARY_BASE ** (-torch.arange(0, head_width, 2) / head_width)
        angle = torch.outer(torch.arange(context), frequency.repeat(2 * n_heads))
        self.register_buffer("turn", torch.polar(torch.ones_like(angle), angle), persistent=False)

    def hidden(self, tokens: Tensor) -> Tensor:
        """Map token ids, shape (batch, time), to states, shape (batch, time, width)."""
        x = self.widen(self.embed(tokens))
        turn = self.turn[: tokens.shape[1]]
        for attention, feed_forward in zip(self.attention, self.feed_forward, strict=True):
            x = feed_forward(attention(x, turn))
        return x

    def attention_weights(self, tokens: Tensor) -> Tensor:
        """Return every layer's and head's weights on one text, shape (layer, head, time, time)."""
        x = self.widen(self.embed(tokens))
        turn = self.turn[: tokens.shape[1]]
        found = []
        for attention, feed_forward in zip(self.attention, self.feed_forward, strict=True):
            assert isinstance(attention, Attention)
            found.append(attention.weights(x, turn)[0])
            x = feed_forward(attention(x, turn))
        return torch.stack(found)
