"""Everything a plan rests on beside the fit, the budget and the accelerator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from isoflop.accounting import FlopConvention, Recompute
from isoflop.errors import PlanError
from isoflop.fitting.options import Level
from isoflop.language import joined, sentences
from isoflop.language import lazy_gettext as _
from isoflop.options import Option, problems
from isoflop.planning.cost import Site
from isoflop.planning.family_rule import CONVENTIONS
from isoflop.planning.layout import ZERO_HELP
from isoflop.planning.memory import DEFAULT_HEADROOM
from isoflop.planning.schedule import Schedule
from isoflop.planning.serving import Requests
from isoflop.planning.storage import DEFAULT_OPTIMIZER, CheckpointPolicy
from isoflop.planning.usual import DEFAULT_FAMILY

_ZERO_HELP = sentences(
    [
        _("The fastest that fits unless given."),
        *(_("{stage}: {text}", stage=stage, text=text) for stage, text in ZERO_HELP.items()),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What is planned for, how the model is made and trained, and where.

    Parameters
    ----------
    params : float or None
        Train a model of this size instead of the best one.
    tokens : float or None
        Train that model on so many tokens instead of all that the limits leave it.
    level : float
        Nominal coverage of the intervals.
    family : str or None
        Key of the model family whose proportions the model takes. With None a token costs 6 N
        FLOP, memory is no limit, and the speed is that of the usual family.
    convention : str
        How FLOP are counted.
    context : int or None
        Sequence length in tokens; None takes the family's.
    causal : bool
        Whether attention counts the positions up to each token only.
    optimizer : str
    batch_tokens : float or None
        Tokens of a step; the critical batch limits it unless given.
    zero_stage, tensor, pipeline, expert, context_parallel : int or None
        Sharding and parallel degrees; data parallelism takes the accelerators that remain. None
        searches the fastest that fits.
    sequence_parallel : bool
    micro_batch : int or None
    recompute : {"none", "selective", "full"} or None
    flash_attention, fused_mlp : bool
    headroom : float
        Share of the memory left free.
    must_fit : bool
        Whether memory limits the size of a model of a known family.
    schedule : Schedule
        Of the learning rate.
    requests : Requests
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
            label=_("Parameters"),
            term="parameters",
            help=_("Train a model of this size, such as 7B, instead of the best one."),
            dimension="params",
            gt=0.0,
        ),
    ] = None
    tokens: Annotated[
        float | None,
        Option(
            label=_("Training tokens"),
            term="training_tokens",
            help=_(
                "Train a model of your own size on so many tokens, such as 2T, "
                "instead of all that the limits leave it; limits that it exceeds are "
                "named."
            ),
            dimension="tokens",
            gt=0.0,
        ),
    ] = None
    level: Level = 0.9
    family: Annotated[
        str | None,
        Option(
            label=_("Model family"),
            term="model_family",
            help=_("The family that gives the model its proportions and vocabulary."),
            flag="model-family",
        ),
    ] = DEFAULT_FAMILY
    convention: Annotated[
        FlopConvention,
        Option(
            label=_("FLOP counted as"),
            term="training_compute",
            help=_("How compute follows from size and tokens; attention matters in long contexts."),
            choices=CONVENTIONS,
        ),
    ] = "6N"
    context: Annotated[
        int | None,
        Option(
            label="Context (tokens)",
            term="context",
            help=_("Training sequence length; the family's own unless given."),
            dimension="tokens",
            ge=1,
        ),
    ] = None
    causal: Annotated[
        bool,
        Option(
            label=_("Causal attention only"),
            help=_(
                "Count the positions up to each token, half of the context on "
                "average; the published conventions count all."
            ),
        ),
    ] = False
    optimizer: Annotated[
        str,
        Option(
            label=_("Optimiser"),
            term="optimiser",
            help=_("Decides the bytes per parameter of weights, gradients and optimiser states."),
        ),
    ] = DEFAULT_OPTIMIZER
    batch_tokens: Annotated[
        float | None,
        Option(
            label="Batch (tokens)",
            term="batch_size",
            help=_(
                "Tokens of one step, such as 4M; unless given, the fastest within "
                "the critical batch."
            ),
            dimension="tokens",
            flag="batch",
            gt=0.0,
        ),
    ] = None
    zero_stage: Annotated[
        int | None,
        Option(
            label=_("ZeRO stage"),
            term="zero",
            help=_ZERO_HELP,
            flag="zero",
            choices={stage: str(stage) for stage in ZERO_HELP},
        ),
    ] = None
    tensor: Annotated[
        int | None,
        Option(
            label=_("Tensor parallel"),
            term="tensor_parallel",
            help=_(
                "Accelerators that share every matrix product of a layer; the "
                "fastest layout's unless given."
            ),
            ge=1,
        ),
    ] = None
    pipeline: Annotated[
        int | None,
        Option(
            label=_("Pipeline stages"),
            term="pipeline_parallel",
            help=_(
                "Groups of consecutive layers on different accelerators; the fastest "
                "layout's unless given."
            ),
            ge=1,
        ),
    ] = None
    expert: Annotated[
        int | None,
        Option(
            label=_("Expert parallel"),
            term="expert_parallel",
            help=_(
                "Accelerators that share the experts of a layer; the fastest layout's unless given."
            ),
            ge=1,
        ),
    ] = None
    context_parallel: Annotated[
        int | None,
        Option(
            label=_("Context parallel"),
            term="context_parallel",
            help=_(
                "Accelerators that share the tokens of a sequence; the fastest "
                "layout's unless given."
            ),
            ge=1,
        ),
    ] = None
    sequence_parallel: Annotated[
        bool,
        Option(
            label=_("Sequence parallel"),
            term="sequence_parallel",
            help=_("Split norms and block inputs along the sequence, with tensor parallelism."),
        ),
    ] = True
    micro_batch: Annotated[
        int | None,
        Option(
            label="Micro-batch (sequences)",
            term="micro_batch",
            help=_(
                "Sequences that one accelerator takes through the model at once; the "
                "fastest layout's unless given."
            ),
            ge=1,
        ),
    ] = None
    recompute: Annotated[
        Recompute | None,
        Option(
            label=_("Recomputed activations"),
            term="recomputation",
            help=_(
                "What the backward pass computes again instead of keeping it; the "
                "fastest unless given. Cheap are attention scores, with "
                "FlashAttention norms and activation functions."
            ),
            choices={"none": _("None"), "selective": _("Cheap parts"), "full": _("All layers")},
        ),
    ] = None
    flash_attention: Annotated[
        bool,
        Option(
            label="FlashAttention",
            term="flash_attention",
            help=_(
                "One kernel works attention out. Without, all scores are written to "
                "memory and read again, those that the mask hides too."
            ),
        ),
    ] = True
    fused_mlp: Annotated[
        bool,
        Option(
            label=_("Fused MLP"),
            help=_(
                "A gated MLP keeps no output of its activation function: compiled or "
                "hand-written kernels. Without, each layer keeps one tensor of the "
                "MLP's width more."
            ),
        ),
    ] = True
    headroom: Annotated[
        float,
        Option(
            label=_("Memory left free"),
            help=_("Share of the card for the driver, communication buffers and fragmentation."),
            dimension="fraction",
            ge=0.0,
            lt=1.0,
        ),
    ] = DEFAULT_HEADROOM
    must_fit: Annotated[
        bool,
        Option(
            label=_("Must fit in memory"),
            help=_("Limit the size of a model of a known family by memory."),
        ),
    ] = True
    schedule: Schedule = field(default_factory=Schedule)
    requests: Requests = field(default_factory=Requests)
    site: Site = field(default_factory=Site)
    checkpoints: CheckpointPolicy = field(default_factory=CheckpointPolicy)

    def __post_init__(self) -> None:
        wrong = problems(self)
        if self.tokens is not None and self.params is None:
            wrong.append(_("Training tokens of your own need a number of parameters, too."))
        if self.family is None and (self.convention != "6N" or self.causal):
            wrong.append(_("Attention can be counted for a model family only, got none."))
        if wrong:
            raise PlanError(_("These plan options cannot be used."), detail=joined("\n", wrong))
