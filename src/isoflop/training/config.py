"""What a training run is told: one immutable, serialisable configuration."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from isoflop.accounting import SMALL_FAMILIES, SmallFamily, SmallModel
from isoflop.errors import IsoflopError, TrainingError
from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.notices import Notice
from isoflop.once import once
from isoflop.options import Option, problems

Family = SmallFamily
FAMILIES = SMALL_FAMILIES
LossUnit = Literal["nats/byte", "nats/token"]
DeviceChoice = Literal["auto", "cpu", "cuda", "mps"]
Optimiser = Literal["adamw", "sgd"]

DENSE_WINDOW = 8
"""Tokens that the dense net sees: the current one and those just before it.

A longer window gains only with more tokens than a live run has: 8, 16 and 32 gave 1.838, 1.851 and
1.890 nats per byte at width 32 and 524k tokens.
"""

SGD_RATE = 0.1
"""Peak learning rate under SGD.

Of 0.03, 0.1, 0.3, 1 and 3 it is within 0.1 nats per byte of each family's best at width 32 and 131k
tokens, where AdamW is 0.4 to 0.6 lower.
"""

BASE_WIDTH = 32
"""Width at which ``FamilyDefaults.learning_rate`` was tuned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyDefaults:
    """What differs between the model families.

    Parameters
    ----------
    label : str
        What a person reads.
    depth : int
        Layers or blocks of the default grid.
    learning_rate : float
        Peak learning rate at width 32; matrices inside the model get it times 32 / width.
    step_overhead_s, flop_per_cpu_s : float
        CPU seconds a layer that any step of 512 tokens costs, and the rate beyond that: for
        estimates before the first step (measured on one core of a 2023 server, 2026-11).
    help : str
        One line for a person.
    """

    label: str
    depth: int
    learning_rate: float
    step_overhead_s: float
    flop_per_cpu_s: float
    help: str


FAMILY_DEFAULTS: dict[Family, FamilyDefaults] = {
    "dense": FamilyDefaults(
        label=_("Dense net over a fixed window"),
        depth=3,
        learning_rate=7e-3,
        step_overhead_s=0.0006,
        flop_per_cpu_s=9e10,
        help=_("Embeds the last 8 tokens and runs residual dense blocks over them."),
    ),
    "rnn": FamilyDefaults(
        label="RNN",
        depth=1,
        learning_rate=2e-2,
        step_overhead_s=0.0047,
        flop_per_cpu_s=8e10,
        help=_("Elman network: one tanh state, carried from token to token."),
    ),
    "rnn_attention": FamilyDefaults(
        label=_("RNN with additive attention"),
        depth=1,
        learning_rate=2e-2,
        step_overhead_s=0.0055,
        flop_per_cpu_s=1.6e10,
        help=_("The RNN, which also looks back at its previous states (additive attention)."),
    ),
    "lstm": FamilyDefaults(
        label="LSTM",
        depth=1,
        learning_rate=2e-2,
        step_overhead_s=0.0015,
        flop_per_cpu_s=1e11,
        help=_("Gated recurrent network: keeps and forgets through its gates."),
    ),
    "transformer": FamilyDefaults(
        label=_("Transformer (GPT style)"),
        depth=3,
        learning_rate=6e-3,
        step_overhead_s=0.0017,
        flop_per_cpu_s=9e10,
        help=_("Multi-head scaled dot-product attention and feed-forward blocks."),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How runs are trained, whatever their size: what all runs of a ladder share.

    Parameters
    ----------
    context : int
        Tokens a sequence.
    batch_size : int
        Sequences a step.
    corpus : str
        ``"stdlib"``, ``"prose"`` or ``"upload:<first 16 digits of its SHA-256>"``.
    tokenizer : str
        ``"bytes"`` or ``"bpe-<vocabulary size>"``.
    learning_rate : float or None
        Peak learning rate, under AdamW of width 32; None for the family's own.
    optimiser : {"adamw", "sgd"}
        SGD is that with Nesterov's momentum; its rate is the same at every width.
    embedding_width : int or None
        Width of the token embedding; None for that of the model.
    is_tied : bool
        Whether the output head is the token embedding.
    dropout : float
        Share of the embedding's and of each layer's outputs that training leaves out.
    warmup_steps : int
        Linear warm-up, the same whatever the budgets.
    decay_fraction : float
        Share of each budget that its decay branch takes.
    weight_decay, beta2, clip_norm : float
        AdamW's weight decay (matrices alone) and second-moment rate, and the gradient clip.
    eval_tokens : int
        Validation tokens behind each row's loss.
    time_limit_s : float
        CPU seconds after which the run stops with a checkpoint; resumed, it has as many again.
    memory_limit_bytes : int
        Data memory of the worker above which allocation fails, where it computes on a CPU.
    device : str
        ``"auto"`` takes an accelerator where one is free and faster for the size.
    """

    context: Annotated[
        int, Option(label=_("Context"), help=_("Tokens a sequence."), ge=8, le=4096)
    ] = 128
    batch_size: Annotated[
        int, Option(label=_("Batch"), help=_("Sequences a step."), flag="batch", ge=1, le=1024)
    ] = 4
    corpus: Annotated[
        str,
        Option(label=_("Corpus"), help=_("stdlib, prose, upload:<hash>, or a file of UTF-8 text.")),
    ] = "stdlib"
    tokenizer: Annotated[
        str, Option(label=_("Tokens"), help=_("bytes, or bpe-<vocabulary size>."))
    ] = "bytes"
    learning_rate: Annotated[
        float | None,
        Option(
            label=_("Learning rate"),
            term="learning_rate",
            help=_(
                "Peak rate, under AdamW at width 32; without one, each family's own, "
                "which was tuned."
            ),
            gt=0.0,
            le=10.0,
        ),
    ] = None
    optimiser: Annotated[
        Optimiser,
        Option(
            label=_("Optimiser"),
            term="optimiser",
            help=_("What makes a step of a gradient."),
            choices={"adamw": "AdamW", "sgd": _("SGD with momentum")},
        ),
    ] = "adamw"
    embedding_width: Annotated[
        int | None,
        Option(
            label=_("Embedding width"),
            help=_("Channels of a token's embedding; without one, the width of the model."),
            ge=4,
            le=4096,
        ),
    ] = None
    is_tied: Annotated[
        bool,
        Option(
            label=_("Tied output"), help=_("The output head is the token embedding."), flag="tied"
        ),
    ] = True
    dropout: Annotated[
        float,
        Option(
            label=_("Dropout"),
            term="dropout",
            help=_("Share of the embedding's and of each layer's outputs left out in training."),
            dimension="fraction",
            ge=0.0,
            le=0.9,
        ),
    ] = 0.0
    warmup_steps: Annotated[
        int,
        Option(
            label=_("Warm-up"), help=_("Steps of linear warm-up."), flag="warmup", ge=0, le=100_000
        ),
    ] = 50
    decay_fraction: Annotated[
        float,
        Option(
            label=_("Decay"),
            term="decay",
            help=_("Share of each budget that its decay branch takes."),
            dimension="fraction",
            flag="decay",
            ge=0.05,
            le=1.0,
        ),
    ] = 0.2
    weight_decay: Annotated[
        float,
        Option(label=_("Weight decay"), help=_("AdamW's, on matrices alone."), ge=0.0, le=10.0),
    ] = 0.1
    beta2: Annotated[
        float, Option(label=_("Beta 2"), help=_("AdamW's second-moment rate."), ge=0.5, le=0.9999)
    ] = 0.95
    clip_norm: Annotated[
        float,
        Option(
            label=_("Clip"), help=_("Largest norm of the gradient."), flag="clip", ge=1e-3, le=1e6
        ),
    ] = 1.0
    eval_tokens: Annotated[
        int,
        Option(
            label=_("Held-out tokens"),
            help=_("Tokens that each loss is measured on."),
            dimension="tokens",
            ge=256,
            le=2**30,
        ),
    ] = 131_072
    time_limit_s: Annotated[
        float,
        Option(
            label=_("Time limit"),
            help=_(
                "CPU time at which a run stops with a checkpoint; resumed, it has as much again."
            ),
            dimension="seconds",
            flag="time-limit",
            ge=1.0,
            le=30 * 86400.0,
        ),
    ] = 3600.0
    memory_limit_bytes: Annotated[
        int,
        Option(
            label=_("Memory limit"),
            help=_("Of a worker that computes on a CPU: beyond it the run fails, not the machine."),
            dimension="bytes",
            flag="memory-limit",
            ge=2**28,
            le=2**44,
        ),
    ] = 4 * 2**30
    device: Annotated[
        DeviceChoice,
        Option(
            label=_("Device"), help=_("Where to compute; auto takes what is faster for the size.")
        ),
    ] = "auto"

    def at(self, **axes: Any) -> RunConfig:
        """Return the run of this recipe at a family, size, budgets and seed.

        Raises
        ------
        TrainingError
            If it does not work.
        """
        shared = {item.name: getattr(self, item.name) for item in dataclasses.fields(Recipe)}
        return RunConfig(**shared, **axes)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig(Recipe):
    """One trunk of training and the budgets that branch off it.

    Parameters
    ----------
    family : str
        Model family.
    width : int
        Size of the residual stream or of the hidden state.
    depth : int
        Number of layers or blocks.
    token_budgets : tuple of int
        Budgets in training tokens, ascending; each gives one row of the ladder.
    seed : int
        Of the initial weights and of the order of the data.

    Raises
    ------
    TrainingError
        If a value does not work.
    """

    family: Family
    width: int
    depth: int
    token_budgets: tuple[int, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        if wrong := _problems(self):
            raise TrainingError(
                _("The run's configuration does not work."),
                detail=joined("\n", wrong),
                hint=_("Change the values named and start again."),
            )

    @property
    def loss_unit(self) -> LossUnit:
        """What held-out losses are in, whatever the tokenizer."""
        return "nats/byte"

    @property
    def tokens_per_step(self) -> float:
        """Training tokens in one optimiser step."""
        return self.batch_size * self.context

    @property
    def peak_learning_rate(self) -> float:
        """Learning rate of the embeddings, and of everything at width 32 or under SGD."""
        if self.learning_rate is not None:
            return self.learning_rate
        if self.optimiser == "sgd":
            return SGD_RATE
        return FAMILY_DEFAULTS[self.family].learning_rate

    @property
    def budget_steps(self) -> tuple[int, ...]:
        """Optimiser steps of each budget, rounded to the nearest whole step."""
        return tuple(max(1, round(tokens / self.tokens_per_step)) for tokens in self.token_budgets)

    @property
    def label(self) -> str:
        """Short name, such as ``"lstm w64 d1 s0"``."""
        return f"{self.family} w{self.width} d{self.depth} s{self.seed}"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return {**dataclasses.asdict(self), "token_budgets": list(self.token_budgets)}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> RunConfig:
        """Rebuild a configuration from ``to_dict``.

        Raises
        ------
        TrainingError
            If a field is unknown or missing, or a value does not work.
        """
        if not isinstance(fields, dict):  # of a file that somebody else wrote
            raise TrainingError(
                _("The run's configuration has unknown or missing fields."),
                detail=_("It is not a JSON object."),
            )
        made = ReportedConfig if "name" in fields else cls
        try:
            return made(**{**fields, "token_budgets": tuple(fields.get("token_budgets", ()))})
        except TypeError as error:
            raise TrainingError(
                _("The run's configuration has unknown or missing fields."), detail=str(error)
            ) from None

    @classmethod
    def from_json(cls, text: str) -> RunConfig:
        """Rebuild a configuration from JSON text.

        Raises
        ------
        TrainingError
            If the text is not such a configuration.
        """
        return _parsed(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedConfig(RunConfig):
    """A run that other code trains and `isoflop.training.reporting` writes down.

    Its one budget is all its tokens; it has no recipe that Isoflop knows.

    Parameters
    ----------
    family : str
        Any name.
    name : str
    n_steps : int
        Optimiser steps of the whole run.
    flop_per_token : float
        Of training: forward and backward pass.
    reported_unit : str
        Of its losses: ``"nats/token"`` or ``"nats/byte"``.

    Raises
    ------
    TrainingError
        If a value does not work.
    """

    family: str  # type: ignore[assignment]  # of other code
    width: int = 0
    depth: int = 0
    name: str
    n_steps: int
    flop_per_token: float
    reported_unit: LossUnit = "nats/token"
    decay_fraction: float = 1.0

    def __post_init__(self) -> None:
        is_sound = self.name and self.n_steps >= 1 and self.flop_per_token > 0
        if not is_sound or len(self.token_budgets) != 1 or self.token_budgets[0] < 1:
            raise TrainingError(
                _(
                    "A reported run needs a name, and its steps, tokens and FLOP a token "
                    "above zero."
                ),
                detail=_(
                    "{name!r}, {n_steps} steps, {token_budgets} tokens, {flop_per_token} FLOP.",
                    name=self.name,
                    n_steps=self.n_steps,
                    token_budgets=self.token_budgets,
                    flop_per_token=self.flop_per_token,
                ),
            )

    @property
    def label(self) -> str:
        """The name it was given."""
        return self.name

    @property
    def loss_unit(self) -> LossUnit:
        """What its losses are in."""
        return self.reported_unit

    @property
    def tokens_per_step(self) -> float:
        """Training tokens in one optimiser step, on average."""
        return self.token_budgets[0] / self.n_steps

    @property
    def budget_steps(self) -> tuple[int, ...]:
        """The steps of the whole run."""
        return (self.n_steps,)


@once(max_entries=4096)
def _parsed(text: str) -> RunConfig:
    """Read a configuration; the same texts are read at every poll of the page."""
    try:
        fields = json.loads(text)
    except json.JSONDecodeError as error:
        raise TrainingError(
            _("The run's configuration is not valid JSON."), detail=str(error)
        ) from None
    if not isinstance(fields, dict):
        raise TrainingError(_("The run's configuration is not a JSON object."))
    return RunConfig.from_dict(fields)


def _problems(config: RunConfig) -> list[str]:
    """Everything that is wrong with a configuration, one line each."""
    found = problems(config, Recipe)
    if config.family not in FAMILIES:
        found.append(
            _(
                "family is {family!r}: it must be one of {families}.",
                family=config.family,
                families=", ".join(FAMILIES),
            )
        )
    for name, lower, upper in _LIMITS:
        value = getattr(config, name)
        if not lower <= value <= upper:
            found.append(
                _(
                    "{name} is {value}: it must lie between {lower:g} and {upper:g}.",
                    name=name,
                    value=value,
                    lower=lower,
                    upper=upper,
                )
            )
    if not found:
        try:
            small_model(config, vocab_size=1)
        except IsoflopError as error:
            found.append(str(error))
        found += _budget_problems(config)
    return found


def _budget_problems(config: RunConfig) -> list[str]:
    budgets = config.token_budgets
    if not budgets or budgets[0] < config.tokens_per_step:
        return [
            _(
                "the smallest budget must be at least one step, {tokens_per_step} tokens.",
                tokens_per_step=config.tokens_per_step,
            )
        ]
    if len(set(config.budget_steps)) < len(budgets) or list(budgets) != sorted(budgets):
        return [_("token_budgets must ascend by at least one step each.")]
    return []


_LIMITS = (("width", 4, 4096), ("depth", 1, 64), ("seed", 0, 2**31 - 1))


def small_model(config: RunConfig, *, vocab_size: int) -> SmallModel:
    """Return the shape of a run's model, from which its parameters and FLOP are counted."""
    return SmallModel(
        family=config.family,
        width=config.width,
        depth=config.depth,
        vocab=vocab_size,
        context=DENSE_WINDOW if config.family == "dense" else config.context,
        embedding_width=config.embedding_width or 0,
        is_tied=config.is_tied,
    )


def epoch_notice(config: RunConfig, *, n_train_tokens: int) -> Notice | None:
    """Warn when the largest budget reads the corpus more than once."""
    epochs = config.token_budgets[-1] / n_train_tokens
    if epochs <= 1:
        return None
    return Notice(
        code="budget-beyond-epoch",
        severity="warning",
        text=_("The largest budget reads the corpus {epochs:.1f} times.", epochs=epochs),
        remedy=_(
            "Repeated data helps less than new data: take a larger corpus or a smaller budget."
        ),
    )
