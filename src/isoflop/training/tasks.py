"""Small tasks that a trained language model is scored on, and the scores that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from isoflop.files import read_json, write_json
from isoflop.language import lazy_gettext as _
from isoflop.training.runs import Run

CLASSES = ("letter", "digit", "space", _("line end"), "other")
"""What the next character may be: the classification task."""

_FILE = "tasks.json"


def character_class(byte: int) -> int:
    """Return the index in `CLASSES` of a byte of UTF-8 text.

    Examples
    --------
    >>> [CLASSES[character_class(byte)] for byte in b"a1 ("]
    ['letter', 'digit', 'space', 'other']
    """
    character = chr(byte)
    if byte >= 128 or (character.isascii() and character.isalpha()):
        return 0
    if character.isdigit():
        return 1
    if character in " \t":
        return 2
    return 3 if character == "\n" else 4


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskScores:
    """Scores of one budget's weights on held-out text.

    Parameters
    ----------
    budget : int
        Index of the budget.
    tokens, compute_flop : float
    loss : float
        Nats per byte of the same weights, from the run's own record.
    accuracy : float
        Share of next tokens whose likeliest guess is right.
    class_accuracy, class_f1 : float
        Of the kind of the next character (`CLASSES`): share right, and F1 averaged over kinds.
    bleu : float
        BLEU of greedy continuations against the text, in characters, 0 to 1.
    """

    budget: int
    tokens: float
    compute_flop: float
    loss: float
    accuracy: float
    class_accuracy: float
    class_f1: float
    bleu: float


def keep_scores(run: Run, scores: Sequence[TaskScores]) -> None:
    """Write the scores of a run's budgets beside its records."""
    write_json(_path(run), {"scores": [asdict(score) for score in scores]})


def kept_scores(run: Run) -> tuple[TaskScores, ...]:
    """Return the scores of a run; none where it was not scored, or its file is damaged."""
    try:
        return tuple(TaskScores(**score) for score in read_json(_path(run))["scores"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def _path(run: Run) -> Path:
    return run.folder / _FILE
