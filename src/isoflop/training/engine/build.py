"""From a configuration to an initialised model."""

from __future__ import annotations

from typing import Literal

import torch

from isoflop.training.config import RunConfig, small_model
from isoflop.training.engine.dense import Dense
from isoflop.training.engine.layers import LanguageModel
from isoflop.training.engine.recurrent import Recurrent, RecurrentAttention
from isoflop.training.engine.transformer import Transformer


def build_model(config: RunConfig, *, vocab_size: int) -> LanguageModel:
    """Build the model of a run with the weights that its seed gives.

    Parameters
    ----------
    config : RunConfig
    vocab_size : int
        Entries of the run's tokenizer.
    """
    shape = small_model(config, vocab_size=vocab_size)
    torch.manual_seed(config.seed)
    if config.family == "transformer":
        return Transformer(shape, dropout=config.dropout)
    if config.family == "rnn_attention":
        return RecurrentAttention(shape, dropout=config.dropout)
    if config.family == "dense":
        return Dense(shape, dropout=config.dropout)
    cell: Literal["rnn", "lstm"] = "lstm" if config.family == "lstm" else "rnn"
    return Recurrent(shape, cell=cell, dropout=config.dropout)


def parameters_by_component(model: LanguageModel) -> dict[str, int]:
    """Count parameters by the model's top-level parts; the tied output matrix counts once."""
    return {
        name: sum(parameter.numel() for parameter in part.parameters())
        for name, part in model.named_children()
    }
