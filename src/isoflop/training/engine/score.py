"""Scores of trained weights on small tasks: the next character's kind, and continuations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from isoflop.errors import TrainingError
from isoflop.language import lazy_gettext
from isoflop.training.corpus import load_corpus
from isoflop.training.engine.batches import windows
from isoflop.training.engine.load import TrainedModel, load_trained
from isoflop.training.records import Record
from isoflop.training.runs import Run
from isoflop.training.tasks import CLASSES, TaskScores, character_class

N_WINDOWS = 32
N_CONTINUED = 24
"""Windows whose second half is continued from the first."""

CONTINUATION_TOKENS = 24


def score_tasks(run: Run, *, uploads: Path) -> Iterator[TaskScores]:
    """Score every finished budget of a run on held-out text.

    Yields
    ------
    TaskScores
        In the order of the budgets.

    Raises
    ------
    TrainingError
        If the corpus or the weights are not there.
    """
    points = sorted(run.history().of_kind("point"), key=lambda point: int(point["budget"]))
    text = load_corpus(run.config().corpus, uploads=uploads).split()[1]
    for point in points:
        trained = load_trained(run, budget=point["budget"])
        yield score_weights(trained, text, point)


def score_weights(trained: TrainedModel, text: bytes, point: Record) -> TaskScores:
    """Score one model on evenly spread windows of a text.

    Parameters
    ----------
    trained : TrainedModel
    text : bytes
        Held out.
    point : Record
        The budget's own record: its loss, tokens and FLOP go along.
    """
    context = trained.config.context
    ids = trained.tokenizer.encode(text)
    n_windows = max(1, min(N_WINDOWS, (len(ids) - 1) // context))
    starts = np.linspace(0, len(ids) - context - 1, n_windows).astype(np.int64)
    batch = windows(ids, starts, context=context)
    right, guessed, true = _next_characters(trained, batch)
    return TaskScores(
        budget=int(point["budget"]),
        tokens=float(point["tokens"]),
        compute_flop=float(point["compute_flop"]),
        loss=float(point["nats_per_byte"]),
        accuracy=right,
        class_accuracy=float(np.mean(guessed == true)),
        class_f1=macro_f1(true, guessed),
        bleu=_continuation_bleu(trained, batch[:N_CONTINUED]),
    )


@torch.no_grad()
def _next_characters(
    trained: TrainedModel, batch: torch.Tensor
) -> tuple[float, NDArray[np.int64], NDArray[np.int64]]:
    """Return the share of next tokens right, and guessed and true kinds of next characters."""
    kinds = np.array([character_class(piece[0]) for piece in trained.tokenizer.token_bytes])
    members = torch.nn.functional.one_hot(torch.from_numpy(kinds), len(CLASSES)).float()
    logits = trained.model(batch[:, :-1]).float()
    targets = batch[:, 1:]
    # The probability of a kind is that of all tokens that start with one of its characters.
    shares = torch.softmax(logits, dim=-1) @ members
    right = float((logits.argmax(-1) == targets).float().mean())
    return right, shares.argmax(-1).flatten().numpy(), kinds[targets.flatten().numpy()]


def macro_f1(true: NDArray[np.int64], guessed: NDArray[np.int64]) -> float:
    """Return F1 averaged over the kinds that occur (scikit-learn's ``f1_score``).

    Raises
    ------
    TrainingError
        If scikit-learn is not installed.
    """
    try:
        from sklearn.metrics import f1_score
    except ImportError:
        raise _lacks("scikit-learn") from None
    return float(f1_score(true, guessed, average="macro", labels=np.unique(true), zero_division=0))


@torch.no_grad()
def _continuation_bleu(trained: TrainedModel, batch: torch.Tensor) -> float:
    """Continue the first half of each window greedily, and hold it against what comes."""
    half = batch.shape[1] // 2
    length = min(CONTINUATION_TOKENS, batch.shape[1] - half)
    written = batch[:, :half]
    for _ in range(length):
        logits = trained.model(written[:, -trained.config.context :])[:, -1]
        written = torch.cat([written, logits.argmax(-1, keepdim=True)], dim=1)
    pieces = trained.tokenizer.token_bytes

    def text(ids: list[int]) -> str:
        return b"".join(pieces[index] for index in ids).decode("utf-8", "replace")

    hypotheses = [text(row) for row in written[:, half:].tolist()]
    references = [text(row) for row in batch[:, half : half + length].tolist()]
    return character_bleu(hypotheses, references)


def _lacks(library: str) -> TrainingError:
    return TrainingError(
        lazy_gettext("Scoring on tasks needs {library}.", library=library),
        hint=lazy_gettext('Install it with: pip install "isoflop[evaluate]".'),
    )


def character_bleu(hypotheses: list[str], references: list[str]) -> float:
    """Return corpus BLEU in characters, 0 to 1 (sacrebleu's, exponentially smoothed).

    References
    ----------
    Post 2018, "A call for clarity in reporting BLEU scores" (arXiv 1804.08771).

    Raises
    ------
    TrainingError
        If sacrebleu is not installed.
    """
    try:
        from sacrebleu.metrics.bleu import BLEU
    except ImportError:
        raise _lacks("sacrebleu") from None
    return float(BLEU(tokenize="char").corpus_score(hypotheses, [references]).score) / 100
