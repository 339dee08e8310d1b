"""Disk that a training run takes: tokenised data, checkpoints, logs."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, isfinite
from typing import Annotated

from isoflop.errors import PlanError
from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.options import Option
from isoflop.planning.memory import Optimizer, find_optimizer

DEFAULT_OPTIMIZER = "adam-16"

LOG_BYTES_PER_STEP = 1_000.0
"""Of one step's record: a dozen named scalars as a line of JSON. An assumption."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointPolicy:
    """What is kept of a run's saves, which failures make far more frequent than what is kept.

    Parameters
    ----------
    n_saved : int
        Saves that are kept, evenly spread.
    n_resumable : int
        Of the last ones, how many keep the optimiser states, all of them if fewer are kept; the
        others keep BF16 weights alone.
    keep_weights : bool
        Whether the weights of all earlier ones are kept.

    Raises
    ------
    PlanError
        If nothing is kept, or nothing to resume from.
    """

    n_saved: Annotated[
        int,
        Option(
            label=_("Checkpoints kept"),
            help=_("Of all saves, how many are kept, evenly spread; the others are overwritten."),
            flag="checkpoints",
            ge=1,
        ),
    ] = 20
    n_resumable: Annotated[
        int,
        Option(
            label=_("Of them resumable"),
            help=_(
                "How many of the last ones at most keep optimiser states; earlier "
                "ones keep weights alone."
            ),
            flag="resumable",
            ge=1,
        ),
    ] = 2
    keep_weights: Annotated[
        bool,
        Option(label=_("Keep all weights"), help=_("Keep the weights of all earlier checkpoints.")),
    ] = True

    def __post_init__(self) -> None:
        if min(self.n_saved, self.n_resumable) < 1:
            raise PlanError(
                _("A run must keep at least one checkpoint, and one to resume from."),
                detail=_(
                    "kept: {n_saved}, of them resumable: {n_resumable}",
                    n_saved=self.n_saved,
                    n_resumable=self.n_resumable,
                ),
            )

    @property
    def n_whole(self) -> int:
        """Checkpoints that hold optimiser states."""
        return min(self.n_resumable, self.n_saved)


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageNeed:
    """Disk that a run takes, by component, in bytes.

    Parameters
    ----------
    data_bytes : float
        Tokenised training data, each distinct token once.
    checkpoints_bytes, logs_bytes : float
    resumable_checkpoint_bytes, weights_checkpoint_bytes : float
        Of one checkpoint of either kind.
    """

    data_bytes: float
    checkpoints_bytes: float
    logs_bytes: float
    resumable_checkpoint_bytes: float
    weights_checkpoint_bytes: float

    @property
    def by_component(self) -> dict[str, float]:
        """Bytes by component, in the order of a stacked bar."""
        return {
            _("data"): self.data_bytes,
            _("checkpoints"): self.checkpoints_bytes,
            _("logs"): self.logs_bytes,
        }

    @property
    def total_bytes(self) -> float:
        """All bytes."""
        return sum(self.by_component.values())


def bytes_per_token(vocab: int) -> int:
    """Return the bytes that one token id takes on disk: the smallest of 1, 2 or 4 that holds it.

    Raises
    ------
    PlanError
        If the vocabulary has no entry or does not fit 32 bits.
    """
    for size in (1, 2, 4):
        if 1 <= vocab <= 256**size:
            return size
    raise PlanError(_("A vocabulary must have from 1 to 2**32 entries."), detail=f"vocab = {vocab}")


def storage_need(
    *,
    params: float,
    unique_tokens: float,
    vocab: int,
    optimizer: Optimizer,
    policy: CheckpointPolicy | None = None,
    steps: float = 0.0,
    log_bytes_per_step: float = LOG_BYTES_PER_STEP,
) -> StorageNeed:
    """Sum the disk that a run takes.

    Parameters
    ----------
    params : float
        Total parameters: experts count in full.
    unique_tokens : float
        Distinct training tokens.
    vocab : int
    optimizer : Optimizer
    policy : CheckpointPolicy, optional
    steps : float
        Logged steps.
    log_bytes_per_step : float

    Raises
    ------
    PlanError
        If a quantity is negative or not finite.
    """
    given = {"params": params, "unique_tokens": unique_tokens, "steps": steps}
    problems = [
        f"{name} = {value:g}"
        for name, value in given.items()
        if not (isfinite(value) and value >= 0)
    ]
    if problems:
        raise PlanError(_("Storage needs finite, positive sizes."), detail=joined("\n", problems))
    policy = policy or CheckpointPolicy()
    resumable = params * optimizer.checkpoint_bytes
    weights = params * optimizer.weight_bytes
    n_weights = policy.n_saved - policy.n_whole if policy.keep_weights else 0
    return StorageNeed(
        data_bytes=unique_tokens * bytes_per_token(vocab),
        checkpoints_bytes=policy.n_whole * resumable + n_weights * weights,
        logs_bytes=steps * log_bytes_per_step,
        resumable_checkpoint_bytes=resumable,
        weights_checkpoint_bytes=weights,
    )


def training_steps(tokens: float, batch_tokens: float) -> int:
    """Return the optimiser steps of a run.

    Raises
    ------
    PlanError
        If the batch is not positive, or the run is shorter than one step.
    """
    if not batch_tokens > 0:
        raise PlanError(_("The batch must be positive."), detail=f"batch = {batch_tokens:g} tokens")
    if tokens < batch_tokens:
        raise PlanError(
            _("The run is shorter than one step."),
            detail=_(
                "{tokens:,.0f} tokens, batches of {batch_tokens:,.0f}",
                tokens=tokens,
                batch_tokens=batch_tokens,
            ),
            hint=_("Lower the batch, or raise the budget."),
        )
    return ceil(tokens / batch_tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageRule:
    """What a run keeps for each parameter, for each unique token, and besides.

    Parameters
    ----------
    optimizer : Optimizer
        Whose states a checkpoint to resume from holds.
    policy : CheckpointPolicy
    vocab : int
        Decides the bytes of a token.
    logged_steps : float
    """

    optimizer: Optimizer = field(default_factory=lambda: find_optimizer(DEFAULT_OPTIMIZER))
    policy: CheckpointPolicy = field(default_factory=CheckpointPolicy)
    vocab: int = 128_256
    logged_steps: float = 1e6

    def need(self, params: float, unique_tokens: float) -> StorageNeed:
        """Return the disk that a run takes, by component."""
        return storage_need(
            params=params,
            unique_tokens=unique_tokens,
            vocab=self.vocab,
            optimizer=self.optimizer,
            policy=self.policy,
            steps=self.logged_steps,
        )

    @property
    def bytes_per_param(self) -> float:
        """Bytes of all checkpoints kept, for each parameter."""
        return self.need(1.0, 0.0).checkpoints_bytes

    @property
    def bytes_per_token(self) -> float:
        """Bytes of one unique token."""
        return float(bytes_per_token(self.vocab))

    @property
    def logs_bytes(self) -> float:
        """Bytes of the logs."""
        return self.logged_steps * LOG_BYTES_PER_STEP
