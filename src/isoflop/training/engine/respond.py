"""What a loaded model answers: text that goes on from a prompt, and the loss of a text."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional as F

from isoflop.errors import TrainingError
from isoflop.language import lazy_gettext as _
from isoflop.training.engine.generate import generate
from isoflop.training.engine.load import TrainedModel


def respond(trained: TrainedModel, request: dict[str, Any]) -> dict[str, Any]:
    """Answer one request that `isoflop.training.service` has checked.

    Parameters
    ----------
    trained : TrainedModel
    request : dict
        ``kind`` is ``"generate"`` (with ``prompt``, ``n_tokens``, ``temperature``, ``top_k``,
        ``seed``) or ``"loss"`` (with ``text``).

    Returns
    -------
    dict
        ``text`` alone, or ``nats_per_token``, ``nats_per_byte``, ``bits_per_byte``, ``perplexity``,
        ``n_tokens`` and ``n_bytes``.

    Raises
    ------
    TrainingError
        If the text has fewer than two tokens that the model knows.
    """
    kind = request.pop("kind")
    if kind == "loss":
        return text_loss(trained, request["text"].encode())
    prompt = request.pop("prompt").encode()
    pieces = [token.piece for token in generate(trained, prompt=prompt, **request)]
    return {"text": b"".join(pieces).decode("utf-8", "replace")}


@torch.no_grad()
def text_loss(trained: TrainedModel, text: bytes) -> dict[str, Any]:
    """Return the loss of a text, whose first token is given and not predicted.

    Long texts are cut into windows of the model's context; each token is predicted from those of
    its window. What the tokenizer cannot express is left out, and not counted.
    """
    ids = trained.tokenizer.encode(text).tolist()
    if len(ids) < 2:
        raise TrainingError(
            _("The text has fewer than two tokens that the model knows."),
            hint=_("Give a longer text."),
        )
    context, loss, n_bytes = trained.config.context, 0.0, 0
    for start in range(0, len(ids) - 1, context):
        window = torch.tensor(ids[start : start + context + 1])
        logits = trained.model(window[None, :-1])[0].float()
        loss += float(F.cross_entropy(logits, window[1:], reduction="sum"))
        n_bytes += sum(len(trained.tokenizer.token_bytes[index]) for index in window[1:].tolist())
    n_tokens = len(ids) - 1
    return {
        "nats_per_token": loss / n_tokens,
        "nats_per_byte": loss / n_bytes,
        "bits_per_byte": loss / n_bytes / math.log(2),
        "perplexity": math.exp(min(loss / n_tokens, 700.0)),
        "n_tokens": n_tokens,
        "n_bytes": n_bytes,
    }
