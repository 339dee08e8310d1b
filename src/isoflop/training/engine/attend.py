"""Attention weights from a trained model."""

from __future__ import annotations

import numpy as np
import torch

from isoflop.errors import TrainingError
from isoflop.language import lazy_gettext as _
from isoflop.training.attention import MAX_TOKENS, AttentionWeights
from isoflop.training.engine.load import TrainedModel
from isoflop.training.engine.recurrent import RecurrentAttention
from isoflop.training.engine.transformer import Transformer


@torch.no_grad()
def attention_weights(trained: TrainedModel, text: bytes) -> AttentionWeights:
    """Return what each token of a text draws on.

    Parameters
    ----------
    trained : TrainedModel
    text : bytes
        UTF-8; its first ``MAX_TOKENS`` tokens, or as many as the context has, are taken.

    Raises
    ------
    TrainingError
        If the model has no attention, or the text no token that it knows.
    """
    model, tokenizer = trained.model, trained.tokenizer
    ids = tokenizer.encode(text)[: min(MAX_TOKENS, trained.config.context)].tolist()
    if not ids:
        raise TrainingError(
            _("The text has no token that the model knows."), hint=_("Type some text.")
        )
    tokens = torch.tensor([ids])
    if isinstance(model, Transformer | RecurrentAttention):
        weights = model.attention_weights(tokens)
    else:
        raise TrainingError(
            _("This family has no attention."),
            hint=_("Choose a transformer, or the RNN with additive attention."),
        )
    return AttentionWeights(
        pieces=tuple(tokenizer.token_bytes[index] for index in ids),
        weights=weights.double().numpy().astype(np.float64),
    )
