"""Recurrent language models: Elman RNN, LSTM, and the RNN with additive attention."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from isoflop.accounting.small_models import ADDITIVE_BLOCK
from isoflop.training.engine.layers import LanguageModel, LayerNorm, matrix


class Recurrent(LanguageModel):
    """Recurrent layers over tied embeddings, with normed residual links from the second layer on.

    The fused layers of torch are used, one a depth: on a CPU they are several times faster than a
    loop over time.
    """

    def __init__(
        self, *, vocab_size: int, width: int, depth: int, cell: Literal["rnn", "lstm"]
    ) -> None:
        super().__init__(vocab_size=vocab_size, width=width)
        kind = nn.RNN if cell == "rnn" else nn.LSTM
        self.layers = nn.ModuleList(kind(width, width, batch_first=True) for _ in range(depth))
        self.norms = nn.ModuleList(LayerNorm(width) for _ in range(depth - 1))
        for layer in self.layers:
            initialise_recurrent(layer, width)

    def hidden(self, tokens: Tensor) -> Tensor:
        """Map token ids, shape (batch, time), to states, shape (batch, time, width)."""
        x, _ = self.layers[0](self.embedding(tokens))
        for norm, layer in zip(self.norms, self.layers[1:], strict=True):
            x = x + layer(norm(x))[0]
        return x


def initialise_recurrent(layer: nn.Module, width: int) -> None:
    """Scale inputs by fan-in, make states orthogonal, open the LSTM's forget gate."""
    for name, parameter in layer.named_parameters():
        if name.startswith("weight_ih"):
            nn.init.normal_(parameter, std=1 / math.sqrt(width))
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

    def __init__(
        self, *, vocab_size: int, width: int, depth: int, score_width: int, context: int
    ) -> None:
        super().__init__(vocab_size=vocab_size, width=width, depth=depth, cell="rnn")
        self.query = matrix(width, score_width)
        self.key = matrix(width, score_width)
        self.score = matrix(score_width, 1)
        self.combine = matrix(2 * width, width)
        self.block = ADDITIVE_BLOCK
        later = torch.ones(context, context, dtype=torch.bool).triu(1)
        self.register_buffer("later", later, persistent=False)

    def hidden(self, tokens: Tensor) -> Tensor:
        """Map token ids, shape (batch, time), to states, shape (batch, time, width)."""
        states = super().hidden(tokens)
        queries, keys = self.query(states), self.key(states)
        time = tokens.shape[1]
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
        pairs = torch.tanh(queries[:, start:stop, None] + keys[:, None, :stop])
        later = self.later[start:stop, :stop]
        scores = self.score(pairs).squeeze(-1).masked_fill(later, -torch.inf)
        return torch.softmax(scores, dim=-1) @ states[:, :stop]
