"""Pieces that several model families share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isoflop.accounting import SmallModel
from isoflop.training.engine.products import product

EMBEDDING_STD = 0.1
LAYER_NORM_EPSILON = 1e-5


class LanguageModel(nn.Module, ABC):
    """Token ids to logits of the next token.

    Parameters
    ----------
    shape : SmallModel
        Its embedding is also the output matrix, through a projection where its width is another,
        unless the two are untied.
    dropout : float
        Share of the embedding's outputs, and of each layer's, left out in training.
    """

    def __init__(self, shape: SmallModel, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(shape.vocab, shape.input_width)
        nn.init.normal_(self.embedding.weight, std=EMBEDDING_STD)
        self.final_norm = LayerNorm(shape.width)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.project = matrix(shape.width, shape.input_width) if shape.is_projected else None
        self.head: nn.Linear | None = None
        if not shape.is_tied:
            self.head = Matrix(shape.width, shape.vocab, bias=False)
            nn.init.normal_(self.head.weight, std=EMBEDDING_STD)

    def embed(self, tokens: Tensor) -> Tensor:
        """Map token ids, shape (batch, time), to (batch, time, embedding width)."""
        embedded: Tensor = self.dropout(self.embedding(tokens))
        return embedded

    @abstractmethod
    def hidden(self, tokens: Tensor) -> Tensor:
        """Map token ids, shape (batch, time), to states, shape (batch, time, width)."""

    def forward(self, tokens: Tensor) -> Tensor:
        """Map token ids, shape (batch, time), to logits, shape (batch, time, vocab_size)."""
        states = self.final_norm(self.hidden(tokens))
        if self.head is not None:
            logits: Tensor = self.head(states)
            return logits
        if self.project is not None:
            states = self.project(states)
        return product(states, self.embedding.weight)


class LayerNorm(nn.Module):
    """Layer normalisation with a gain and no bias (faster on a CPU than ``rms_norm``)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.shape = (width,)
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last axis."""
        return F.layer_norm(x, self.shape, self.weight, eps=LAYER_NORM_EPSILON)


class Matrix(nn.Linear):
    """A map without bias, by the faster of the libraries there are."""

    def forward(self, x: Tensor) -> Tensor:
        """Map the last axis."""
        return product(x, self.weight)


def matrix(n_in: int, n_out: int, *, zero: bool = False) -> nn.Linear:
    """Make a map without bias: fan-in scaled, or zero for one that ends a residual branch."""
    layer = Matrix(n_in, n_out, bias=False)
    if zero:
        nn.init.zeros_(layer.weight)
    else:
        nn.init.normal_(layer.weight, std=1 / math.sqrt(n_in))
    return layer


class FeedForward(nn.Module):
    """Residual branch: normalise, widen fourfold, squared ReLU, project back from zero."""

    def __init__(self, width: int, dropout: nn.Module) -> None:
        super().__init__()
        self.norm = LayerNorm(width)
        self.up = matrix(width, 4 * width)
        self.down = matrix(4 * width, width, zero=True)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """Add the branch to ``x``, shape (batch, time, width)."""
        return x + self.dropout(self.down(squared_relu(self.up(self.norm(x)))))


def squared_relu(x: Tensor) -> Tensor:
    """Square what is positive, zero the rest."""
    if torch.is_grad_enabled():
        squared: Tensor = _SquaredRelu.apply(x)
        return squared
    return F.relu(x).square()


class _SquaredRelu(torch.autograd.Function):
    """The gradient of relu(x)^2 is 2 relu(x): two passes over memory instead of four."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        positive = F.relu(x)
        ctx.save_for_backward(positive)
        return positive * positive

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (positive,) = ctx.saved_tensors
        return (gradients[0] * positive).mul_(2)
