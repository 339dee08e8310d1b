"""Recurrent language models: Elman RNN, LSTM, and the RNN with additive attention."""

from __future__ import annotations

import copy
import math
from typing import Literal

import torch
from torch import Tensor, nn

from isoflop.accounting import SmallModel
from isoflop.accounting.small_models import ADDITIVE_BLOCK
from isoflop.training.engine.layers import LanguageModel, LayerNorm, matrix


class Recurrent(LanguageModel):
    """Recurrent layers over tied embeddings, with normed residual links from the second layer on.

    The fused layers of torch are used, one a depth: on a CPU they are several times faster than a
    loop over time.
    """

    def __init__(
        self, shape: SmallModel, *, cell: Literal["rnn", "lstm"], dropout: float = 0.0
    ) -> None:
        super().__init__(shape, dropout=dropout)
        kind = nn.RNN if cell == "rnn" else nn.LSTM
        widths = [shape.input_width, *[shape.width] * (shape.depth - 1)]
        self.layers = nn.ModuleList(kind(n_in, shape.width, batch_first=True) for n_in in widths)
        self.norms = nn.ModuleList(LayerNorm(shape.width) for _ in range(shape.depth - 1))
        for layer in self.layers:
            initialise_recurrent(layer, shape.width)

    def hidden(self, tokens: Tensor) -> Tensor:
        """Map token ids, shape (batch, time), to states, shape (batch, time, width)."""
        x = self.dropout(self.layers[0](self.embed(tokens))[0])
        for norm, layer in zip(self.norms, self.layers[1:], strict=True):
            x = x + self.dropout(layer(norm(x))[0])
        states: Tensor = x
        return states


def initialise_recurrent(layer: nn.Module, width: int) -> None:
    """Scale inputs by fan-in, make states orthogonal, open the LSTM's forget gate."""
    for name, parameter in layer.named_parameters():
        if name.startswith("weight_ih"):
            nn.init.normal_(parameter, std=1 / math.sqrt(parameter.shape[1]))
        elif name.startswith("weight_hh"):
            with torch.no_grad():
                for gate in parameter.split(width):
                    nn.init.orthogonal_(gate)
        else:
            nn.init.zeros_(parameter)
            if isinstance(layer, nn.LSTM) and name.startswith("bias_ih"):
                with torch.no_grad():
                    parameter[width : 2 * width] = 1.0


class RecurrentAttention(Recurrent):
    """The RNN, whose output also draws on its states so far by additive attention.

    Each state h_t scores every state h_s up to it as v . tanh(Q h_t + K h_s); the softmax of those
    scores weighs the states (Bahdanau et al. 2014, arXiv 1409.0473). The output is
    tanh(C [h_t ; weighted states]).
    """

    later: Tensor

    def __init__(self, shape: SmallModel, *, dropout: float = 0.0) -> None:
        super().__init__(shape, cell="rnn", dropout=dropout)
        width, score_width, context = shape.width, shape.score_width, shape.context
        self.query = matrix(width, score_width)
        self.key = matrix(width, score_width)
        self.score = matrix(score_width, 1)
        self.combine = matrix(2 * width, width)
        self.block: int | None = ADDITIVE_BLOCK  # None takes the whole square at once
        later = torch.ones(context, context, dtype=torch.bool).triu(1)
        self.register_buffer("later", later, persistent=False)

    def hidden(self, tokens: Tensor) -> Tensor:
        """Map token ids, shape (batch, time), to states, shape (batch, time, width)."""
        states = super().hidden(tokens)
        queries, keys = self.query(states), self.key(states)
        time = tokens.shape[1]
        if self.block is None:
            attended = self._attend(queries, keys, states, 0, time)
        else:
            attended = torch.cat(
                [
                    self._attend(queries, keys, states, start, min(start + self.block, time))
                    for start in range(0, time, self.block)
                ],
                dim=1,
            )
        return torch.tanh(self.combine(torch.cat([states, attended], dim=-1)))

    def _attend(
        self, queries: Tensor, keys: Tensor, states: Tensor, start: int, stop: int
    ) -> Tensor:
        """Weigh the states up to ``stop`` for the tokens from ``start`` on.

        What a block leaves out is half of all pairs; it takes a third of the time of the whole
        square at width 32.
        """
        return self._weights(queries, keys, start, stop) @ states[:, :stop]

    def _weights(self, queries: Tensor, keys: Tensor, start: int, stop: int) -> Tensor:
        pairs = torch.tanh(queries[:, start:stop, None] + keys[:, None, :stop])
        later = self.later[start:stop, :stop]
        scores = self.score(pairs).squeeze(-1).masked_fill(later, -torch.inf)
        return torch.softmax(scores, dim=-1)

    def attention_weights(self, tokens: Tensor) -> Tensor:
        """Return the weights on one text, shape (1, 1, time, time)."""
        states = super().hidden(tokens)
        return self._weights(self.query(states), self.key(states), 0, tokens.shape[1])[None]


def without_blocks(model: LanguageModel) -> LanguageModel:
    """Return a copy that can be traced once for all lengths: blocks would be traced one by one."""
    model = copy.deepcopy(model)
    if isinstance(model, RecurrentAttention):
        model.block = None
    return model
