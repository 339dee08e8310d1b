"""Everything a plan rests on beside the fit, the budget and the accelerator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from isoflop.accounting import FlopConvention, Recompute
from isoflop.errors import PlanError
from isoflop.fitting.options import Level
from isoflop.options import Option, problems
from isoflop.planning.cost import Site
from isoflop.planning.family_rule import CONVENTIONS
from isoflop.planning.layout import ZERO_HELP
from isoflop.planning.memory import DEFAULT_HEADROOM
from isoflop.planning.storage import DEFAULT_OPTIMIZER, CheckpointPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What is planned for, how the model is made and trained, and where.

    Parameters
    ----------
    params : float or None
        Train a model of this size instead of the best one.
    level : float
        Nominal coverage of the intervals.
    family : str or None
        Key of the model family whose proportions the model takes. Without one a token costs 6 N
        FLOP, and memory is no limit.
    convention : str
        How FLOP are counted.
    context : int or None
        Sequence length in tokens; None takes the family's.
    causal : bool
        Whether attention counts the positions up to each token only.
    optimizer : str
    zero_stage, tensor, pipeline, expert : int
        Sharding and parallel degrees; data parallelism takes the accelerators that remain.
    sequence_parallel : bool
    micro_batch : int
    recompute : {"none", "selective", "full"}
    flash_attention : bool
    headroom : float
        Share of the memory left free.
    must_fit : bool
        Whether memory limits the size of a model of a known family.
    site : Site
    checkpoints : CheckpointPolicy

    Raises
    ------
    PlanError
        Naming every option that is out of range, and a way to count that needs a family.
    """

    params: Annotated[
        float | None,
        Option(
            label="Parameters",
            help="Train a model of this size, such as 7B, instead of the best one.",
            dimension="params",
            gt=0.0,
        ),
    ] = None
    level: Level = 0.9
    family: Annotated[
        str | None,
        Option(
            label="Model family",
            help="Whose proportions and vocabulary the model takes; without one a token costs 6 N "
            "FLOP, and memory is no limit.",
            flag="model-family",
        ),
    ] = None
    convention: Annotated[
        FlopConvention,
        Option(
            label="FLOP counted as",
            help="How compute follows from size and tokens; attention matters in long contexts.",
            choices=CONVENTIONS,
        ),
    ] = "6N"
    context: Annotated[
        int | None,
        Option(
            label="Context (tokens)",
            help="Training sequence length; the family's own unless given.",
            dimension="tokens",
            ge=1,
        ),
    ] = None
    causal: Annotated[
        bool,
        Option(
            label="Causal attention only",
            help="Count the positions up to each token, half of the context on average; the "
            "published conventions count all.",
        ),
    ] = False
    optimizer: Annotated[
        str,
        Option(
            label="Optimiser",
            help="Decides the bytes per parameter of weights, gradients and optimiser states.",
        ),
    ] = DEFAULT_OPTIMIZER
    zero_stage: Annotated[
        int,
        Option(
            label="ZeRO stage",
            help=" ".join(f"{stage}: {text}" for stage, text in ZERO_HELP.items()),
            flag="zero",
            choices={stage: str(stage) for stage in ZERO_HELP},
        ),
    ] = 3
    tensor: Annotated[
        int,
        Option(
            label="Tensor parallel",
            help="Accelerators that share every matrix product of a layer.",
            ge=1,
        ),
    ] = 1
    pipeline: Annotated[
        int,
        Option(
            label="Pipeline stages",
            help="Groups of consecutive layers on different accelerators.",
            ge=1,
        ),
    ] = 1
    expert: Annotated[
        int,
        Option(
            label="Expert parallel",
            help="Accelerators that share the experts of a layer.",
            ge=1,
        ),
    ] = 1
    sequence_parallel: Annotated[
        bool,
        Option(
            label="Sequence parallel",
            help="Split norms and block inputs along the sequence, with tensor parallelism.",
        ),
    ] = True
    micro_batch: Annotated[
        int,
        Option(
            label="Micro-batch (sequences)",
            help="Sequences that one accelerator takes through the model at once.",
            ge=1,
        ),
    ] = 1
    recompute: Annotated[
        Recompute,
        Option(
            label="Recomputed activations",
            help="What the backward pass computes again instead of keeping it.",
            choices={"none": "None", "selective": "Attention", "full": "All layers"},
        ),
    ] = "full"
    flash_attention: Annotated[
        bool, Option(label="FlashAttention", help="Attention scores are never stored.")
    ] = True
    headroom: Annotated[
        float,
        Option(
            label="Memory left free",
            help="Share of the card for the driver, communication buffers and fragmentation.",
            dimension="fraction",
            ge=0.0,
            lt=1.0,
        ),
    ] = DEFAULT_HEADROOM
    must_fit: Annotated[
        bool,
        Option(
            label="Must fit the memory",
            help="Let memory limit the size of a model of a known family.",
        ),
    ] = True
    site: Site = field(default_factory=Site)
    checkpoints: CheckpointPolicy = field(default_factory=CheckpointPolicy)

    def __post_init__(self) -> None:
        wrong = problems(self)
        if self.family is None and (self.convention != "6N" or self.causal):
            wrong.append("Attention can be counted for a model family only, got none.")
        if wrong:
            raise PlanError("These plan options cannot be used.", detail="\n".join(wrong))
