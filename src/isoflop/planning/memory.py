"""Memory of a training run on one accelerator, by component, and what would make it fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from math import floor
from types import MappingProxyType
from typing import Any

import numpy as np

from isoflop.accounting import Architecture, Recompute
from isoflop.data import read_toml, require_keys
from isoflop.errors import CatalogError, DoesNotFit, PlanError
from isoflop.language import lazy_gettext as _
from isoflop.once import once
from isoflop.planning.activations import STATISTIC_BYTES, LayerActivations, layer_activations
from isoflop.planning.layout import (
    Layout,
    Layouts,
    Stage,
    check_layout,
    device_parameters,
    fullest_stages,
    stages,
)

OPTIMIZERS_FILE = "optimizers.toml"

DEFAULT_HEADROOM = 0.1
"""Share of the card left to the CUDA context, communication buffers and fragmentation: an
assumption, to be set by whoever has measured theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer:
    """Bytes per parameter that training keeps, before sharding.

    Parameters
    ----------
    key, label, help : str
    weight_bytes, gradient_bytes, optimizer_bytes : float
        Weights to compute with, gradients, and optimiser states (master copies included).
    checkpoint_bytes : float
        What a checkpoint to resume from writes: weights, master weights and moments.
    activation_bytes : float
        Of one activation.
    source, retrieved : str
    """

    key: str
    label: str
    help: str
    weight_bytes: float
    gradient_bytes: float
    optimizer_bytes: float
    checkpoint_bytes: float
    activation_bytes: float
    source: str
    retrieved: str

    @property
    def total_bytes(self) -> float:
        """Bytes per parameter in all."""
        return self.weight_bytes + self.gradient_bytes + self.optimizer_bytes


@once
def load_optimizers() -> Mapping[str, Optimizer]:
    """Return every optimiser that ships, by key.

    Raises
    ------
    CatalogError
        If the data file is malformed.
    """
    names = {item.name for item in fields(Optimizer)} - {"key", "activation_bytes"}
    found = {}
    for key, entry in read_toml(OPTIMIZERS_FILE).items():
        where = _("{key} of {optimizers_file}", key=key, optimizers_file=OPTIMIZERS_FILE)
        require_keys(entry, where=where, required=names, optional={"activation_bytes"})
        found[key] = Optimizer(**({"key": key, "activation_bytes": 2} | entry))
    return MappingProxyType(found)


def find_optimizer(key: str) -> Optimizer:
    """Return one optimiser by its key.

    Raises
    ------
    CatalogError
        If there is none of that key.
    """
    optimizers = load_optimizers()
    if key not in optimizers:
        raise CatalogError(
            _("There is no optimiser {key!r}.", key=key),
            hint=_("Choose one of {optimizers}.", optimizers=", ".join(optimizers)),
        )
    return optimizers[key]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSetup:
    """How a model is trained, as far as memory is concerned.

    Parameters
    ----------
    optimizer : Optimizer
    layout : Layout
        `stage_memories` takes many at once.
    micro_batch : int
        Sequences that one accelerator takes through the model at once.
    context : int or None
        Sequence length in tokens; None takes the architecture's.
    recompute : {"none", "selective", "full"}
        Which activations the backward pass computes again.
    flash_attention : bool
        Whether attention scores are never written to memory (Dao et al., arXiv 2205.14135).
    fused_mlp : bool
        Whether a gated MLP's activation is fused with its product (compiled or hand-written
        kernels); PyTorch's eager mode keeps one more tensor of the MLP's width.
    dropout : bool

    Raises
    ------
    PlanError
        If the micro-batch or the context is not positive.
    """

    optimizer: Optimizer
    layout: Layout = field(default_factory=Layout)
    micro_batch: int = 1
    context: int | None = None
    recompute: Recompute = "none"
    flash_attention: bool = True
    fused_mlp: bool = True
    dropout: bool = False

    def __post_init__(self) -> None:
        for name in ("micro_batch", "context"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise PlanError(
                    _(
                        "The {name} must be at least 1, got {value}.",
                        name=name.replace("_", "-"),
                        value=value,
                    )
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingMemory:
    """Memory of the fullest accelerator, in bytes; arrays for many layouts.

    Parameters
    ----------
    weights_bytes, gradients_bytes, optimizer_bytes : float
        After sharding.
    gathered_bytes : float
        Weights of two layers that ZeRO 3 gathers: the one at work and the next.
    activations_bytes : float
        Kept for the backward pass by all micro-batches in flight.
    working_bytes : float
        What recomputing one layer writes anew.
    logits_bytes : float
        Input of the head, and the logits in FP32.
    stage : Stage
        The pipeline stage that this is.
    """

    weights_bytes: Any
    gradients_bytes: Any
    optimizer_bytes: Any
    gathered_bytes: Any
    activations_bytes: Any
    working_bytes: Any
    logits_bytes: Any
    stage: Stage

    @property
    def by_component(self) -> dict[str, Any]:
        """Bytes by component, in the order of a stacked bar."""
        return {
            _("weights"): self.weights_bytes,
            _("gradients"): self.gradients_bytes,
            _("optimiser"): self.optimizer_bytes,
            _("gathered weights"): self.gathered_bytes,
            _("activations"): self.activations_bytes,
            _("recomputed layer"): self.working_bytes,
            _("logits"): self.logits_bytes,
        }

    @property
    def static_bytes(self) -> Any:
        """Bytes that do not depend on the micro-batch."""
        return (
            self.weights_bytes + self.gradients_bytes + self.optimizer_bytes + self.gathered_bytes
        )

    @property
    def dynamic_bytes(self) -> Any:
        """Bytes that grow in proportion to the micro-batch."""
        return self.activations_bytes + self.working_bytes + self.logits_bytes

    @property
    def total_bytes(self) -> Any:
        """All bytes."""
        return self.static_bytes + self.dynamic_bytes


def training_memory(architecture: Architecture, setup: TrainingSetup) -> TrainingMemory:
    """Sum the memory of the fullest accelerator of a training run.

    Experts count in full, since all of them are held; the activations are those of the experts that
    a token passes through.

    Raises
    ------
    PlanError
        If the model cannot be cut as the layout says.
    """
    return max(stage_memories(architecture, setup), key=lambda memory: memory.total_bytes)


def stage_memories(architecture: Architecture, setup: TrainingSetup) -> Iterator[TrainingMemory]:
    """Yield the memory of each pipeline stage, or for many layouts of those that hold most.

    Raises
    ------
    PlanError
        If the model cannot be cut as one layout says; of many, those that are not possible have
        figures without meaning.
    """
    layout = setup.layout
    if isinstance(layout, Layouts):
        cut = fullest_stages(architecture, layout)
    else:
        check_layout(architecture, layout)
        cut = stages(architecture, layout)
    kinds = [False, True] if architecture.is_moe else [False]
    layers = {
        is_moe: layer_activations(
            architecture,
            is_moe=is_moe,
            context=setup.context or architecture.context,
            layout=layout,
            flash_attention=setup.flash_attention,
            fused_mlp=setup.fused_mlp,
            dropout=setup.dropout,
            element_bytes=setup.optimizer.activation_bytes,
        )
        for is_moe in kinds
    }
    for stage in cut:
        yield _stage_memory(architecture, setup, stage, layers)


def _stage_memory(
    architecture: Architecture,
    setup: TrainingSetup,
    stage: Stage,
    layers: Mapping[bool, LayerActivations],
) -> TrainingMemory:
    optimizer, layout = setup.optimizer, setup.layout
    held = device_parameters(architecture, layout, stage)

    replicas = layout.data * layout.context

    over_replicas = held.shared / replicas + held.routed / (replicas // layout.expert)

    def sharded(bytes_each: float, from_stage: int) -> Any:
        is_sharded = np.asarray(layout.zero_stage >= from_stage)
        return bytes_each * np.where(is_sharded, over_replicas, held.total)[()]

    gathers = (layout.zero_stage == 3) * (replicas > 1)
    tokens = setup.micro_batch * (setup.context or architecture.context) / layout.context
    kept, working = _activation_bytes(setup, stage, layers)
    return TrainingMemory(
        weights_bytes=sharded(optimizer.weight_bytes, 3),
        gradients_bytes=sharded(optimizer.gradient_bytes, 2),
        optimizer_bytes=sharded(optimizer.optimizer_bytes, 1),
        gathered_bytes=gathers * 2 * optimizer.weight_bytes * held.largest_unit,
        activations_bytes=tokens * kept,
        working_bytes=tokens * working,
        logits_bytes=stage.is_last * tokens * _logits_bytes(architecture, setup),
        stage=stage,
    )


def _activation_bytes(
    setup: TrainingSetup, stage: Stage, layers: Mapping[bool, LayerActivations]
) -> tuple[Any, Any]:
    """Bytes per token that a stage keeps, and that recomputing one of its layers writes."""
    numbers = {False: stage.n_dense_layers, True: stage.n_moe_layers}
    kept: Any = 0.0
    working: Any = 0.0
    for is_moe, layer in layers.items():
        match setup.recompute:
            case "none":
                each, again = layer.total_bytes, 0.0
            case "selective":
                each = layer.selective_bytes
                again = layer.total_bytes - each
            case "full":
                each, again = layer.input_bytes, layer.total_bytes
        kept = kept + stage.in_flight * numbers[is_moe] * each
        working = np.maximum(working, (numbers[is_moe] > 0) * again)
    return kept, working


def _logits_bytes(architecture: Architecture, setup: TrainingSetup) -> Any:
    """Bytes per token at the end: inputs of the last norm and of the head, and logits in FP32."""
    layout = setup.layout
    inputs = 2 * setup.optimizer.activation_bytes * architecture.d_model
    divisor = layout.tensor if layout.sequence_parallel else 1
    return inputs / divisor + STATISTIC_BYTES * architecture.vocab / layout.tensor


def largest_micro_batch(
    architecture: Architecture,
    setup: TrainingSetup,
    capacity_bytes: float,
    *,
    headroom: float = DEFAULT_HEADROOM,
) -> int:
    """Return the largest micro-batch, in sequences, that fits; 0 if not even one does.

    Parameters
    ----------
    architecture : Architecture
    setup : TrainingSetup
        Its own micro-batch is ignored.
    capacity_bytes : float
        Memory of one accelerator.
    headroom : float
        Share of it to leave free.
    """
    usable = _usable_bytes(capacity_bytes, headroom)
    one = replace(setup, micro_batch=1)
    return min(
        int(max(0, floor((usable - memory.static_bytes) / memory.dynamic_bytes)))
        for memory in stage_memories(architecture, one)
    )


def _usable_bytes(capacity_bytes: float, headroom: float) -> float:
    if not capacity_bytes > 0 or not 0 <= headroom < 1:
        raise PlanError(
            _("Memory must be positive and the headroom a share of it."),
            detail=_(
                "memory = {capacity_bytes:g} bytes, headroom = {headroom:g}",
                capacity_bytes=capacity_bytes,
                headroom=headroom,
            ),
            hint=_("Give the memory of one accelerator, and a headroom from 0 to below 1."),
        )
    return capacity_bytes * (1 - headroom)


def require_fit(
    architecture: Architecture,
    setup: TrainingSetup,
    capacity_bytes: float,
    *,
    headroom: float = DEFAULT_HEADROOM,
) -> TrainingMemory:
    """Return the memory of a run that fits.

    Raises
    ------
    DoesNotFit
        With the bytes needed and the bytes there are.
    """
    memory = training_memory(architecture, setup)
    usable = _usable_bytes(capacity_bytes, headroom)
    if memory.total_bytes > usable:
        giga = 1e9
        raise DoesNotFit(
            _("{name} does not fit the memory of one accelerator.", name=architecture.name),
            detail=(
                _(
                    "It needs {total_bytes:,.1f} GB of {usable:,.1f} GB usable.",
                    total_bytes=memory.total_bytes / giga,
                    usable=usable / giga,
                )
            ),
            hint=_("Shard more, recompute activations, or use more accelerators."),
        )
    return memory
