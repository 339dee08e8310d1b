"""How a model is spread over accelerators, and how many parameters each of them then holds."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import ceil
from typing import Any

import numpy as np

from isoflop.accounting import Architecture, count_parameters
from isoflop.accounting.parameters import (
    mlp_matrices,
    mlp_vectors,
    recurrent_matrices,
    total_attention_matrices,
)
from isoflop.errors import PlanError
from isoflop.language import joined
from isoflop.language import lazy_gettext as _

ZERO_HELP = {
    0: _("Every data-parallel replica holds everything."),
    1: _("Optimiser states are sharded over the replicas."),
    2: _("Optimiser states and gradients are sharded."),
    3: _("Optimiser states, gradients and weights are sharded (FSDP)."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Degrees of parallelism of a training run.

    Parameters
    ----------
    data : int
        Replicas that see different sequences.
    tensor : int
        Accelerators that share every matrix product of a layer (Megatron).
    context : int
        Accelerators that share the tokens of every sequence (ring attention, Liu et al., arXiv
        2310.01889); they hold the same weights.
    pipeline : int
        Stages of consecutive layers, run one forward, one backward (1F1B).
    interleave : int
        Pieces that each stage is cut into for the interleaved schedule (Narayanan et al., arXiv
        2104.04473): less idle time for more activations; 1 for none.
    expert : int
        Accelerators, among the data-parallel replicas, that share the experts of a layer.
    sequence_parallel : bool
        Whether norms, dropouts and block inputs are split along the sequence over the
        tensor-parallel accelerators (Korthikanti et al., arXiv 2205.05198).
    zero_stage : int
        0 to 3 (Rajbhandari et al., arXiv 1910.02054); see `ZERO_HELP`.

    Raises
    ------
    PlanError
        If a degree is not positive, the expert degree does not divide the data degree, or the
        ZeRO stage is none of 0 to 3.
    """

    data: int = 1
    tensor: int = 1
    context: int = 1
    pipeline: int = 1
    interleave: int = 1
    expert: int = 1
    sequence_parallel: bool = True
    zero_stage: int = 0

    def __post_init__(self) -> None:
        problems = [
            _(
                "{name} = {value!r} is no positive integer",
                name=field.name,
                value=getattr(self, field.name),
            )
            for field in fields(self)
            if field.name not in ("sequence_parallel", "zero_stage")
            and not _is_positive_integer(getattr(self, field.name))
        ]
        if self.zero_stage not in ZERO_HELP:
            problems.append(
                _("zero_stage = {zero_stage!r} is none of 0, 1, 2, 3", zero_stage=self.zero_stage)
            )
        if not problems and self.data % self.expert:
            problems.append(
                _(
                    "expert = {expert} does not divide data = {data}",
                    expert=self.expert,
                    data=self.data,
                )
            )
        if problems:
            raise PlanError(
                _("This parallel layout is not possible."),
                detail=joined("\n", problems),
                hint=_("Degrees are whole numbers; the experts are spread over the data replicas."),
            )

    @property
    def n_accelerators(self) -> int:
        """Accelerators that the layout takes."""
        return self.data * self.tensor * self.context * self.pipeline

    def __str__(self) -> str:
        return describe(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layouts(Layout):
    """Many layouts at once: their degrees and ZeRO stages are arrays of one shape.

    What follows from a layout follows from many in the same words, as arrays. Which of them are
    possible is for `is_possible` to say.
    """

    data: Any = 1
    tensor: Any = 1
    context: Any = 1
    pipeline: Any = 1
    interleave: Any = 1
    expert: Any = 1
    zero_stage: Any = 0

    def __post_init__(self) -> None:
        """Check nothing."""


def describe(layout: Layout) -> str:
    """Write the degrees that are more than one, and the ZeRO stage."""
    names = ("data", "tensor", "context", "pipeline", "interleave", "expert")
    degrees = [f"{name} {getattr(layout, name):,}" for name in names if getattr(layout, name) > 1]
    return ", ".join([*degrees, f"ZeRO {layout.zero_stage}"])


def _is_positive_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def is_possible(architecture: Architecture, layouts: Layouts) -> Any:
    """Say of each of many layouts whether a model can be cut so, as `check_layout` does of one."""
    shape, experts = architecture, architecture.experts
    n_experts = 1 if experts is None else experts.n_experts
    return (
        (shape.n_heads % layouts.tensor == 0)
        & (shape.d_ff % layouts.tensor == 0)
        & (layouts.pipeline * layouts.interleave <= shape.n_layers)
        & ((layouts.interleave == 1) | (layouts.pipeline > 1))
        & (n_experts % layouts.expert == 0)
    )


def check_layout(architecture: Architecture, layout: Layout) -> None:
    """Check that a model can be cut as a layout says.

    Raises
    ------
    PlanError
        Naming every degree that does not divide what it cuts.
    """
    shape, problems = architecture, []
    if shape.n_heads % layout.tensor:
        problems.append(
            _(
                "tensor = {tensor} does not divide {n_heads} heads",
                tensor=layout.tensor,
                n_heads=shape.n_heads,
            )
        )
    if shape.d_ff % layout.tensor:
        problems.append(
            _(
                "tensor = {tensor} does not divide the MLP width {d_ff}",
                tensor=layout.tensor,
                d_ff=shape.d_ff,
            )
        )
    if layout.pipeline > shape.n_layers:
        problems.append(
            _(
                "pipeline = {pipeline} exceeds {n_layers} layers",
                pipeline=layout.pipeline,
                n_layers=shape.n_layers,
            )
        )
    if layout.interleave > 1 and layout.pipeline == 1:
        problems.append(
            _(
                "interleave = {interleave} needs more than one pipeline stage",
                interleave=layout.interleave,
            )
        )
    if layout.expert > 1 and shape.experts is None:
        problems.append(
            _("expert = {expert}, but {name} has no experts", expert=layout.expert, name=shape.name)
        )
    if shape.experts is not None and shape.experts.n_experts % layout.expert:
        problems.append(
            _(
                "expert = {expert} does not divide {n_experts} experts",
                expert=layout.expert,
                n_experts=shape.experts.n_experts,
            )
        )
    if problems:
        raise PlanError(
            _("{name} cannot be spread like this.", name=shape.name),
            detail=joined("\n", problems),
            hint=_("Choose degrees that divide the heads, the MLP width and the experts."),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One pipeline stage.

    Parameters
    ----------
    index, count : int
        Which stage of how many, from 0; arrays, like all the rest, for many layouts.
    interleave : int
        Pieces that it is cut into.
    n_dense_layers, n_moe_layers : int
        Layers of each kind that it runs.
    """

    index: Any
    count: Any
    interleave: Any = 1
    n_dense_layers: Any
    n_moe_layers: Any

    @property
    def n_layers(self) -> Any:
        """Layers that it runs."""
        return self.n_dense_layers + self.n_moe_layers

    @property
    def is_first(self) -> Any:
        """Whether it holds the embedding."""
        return self.index == 0

    @property
    def is_last(self) -> Any:
        """Whether it holds the head."""
        return self.index == self.count - 1

    @property
    def in_flight(self) -> Any:
        """Micro-batches whose activations it holds at once under 1F1B, each of all its layers.

        With m pieces a stage starts with 2 (p - i - 1) + (m - 1) p pieces' forward passes: on the
        first stage 1 + (p - 1) / (p m) times as much as without (arXiv 2205.05198, section 4.2.3).
        """
        warm_up = 2 * (self.count - self.index - 1) + (self.interleave - 1) * self.count
        plain = self.count - self.index
        return np.where(self.interleave == 1, plain, (warm_up + 1) / self.interleave)


def stages(architecture: Architecture, layout: Layout) -> tuple[Stage, ...]:
    """Cut the layers into pipeline stages, as evenly as whole layers allow, larger ones first."""
    return tuple(stage_at(architecture, layout, index) for index in range(layout.pipeline))


def fullest_stages(architecture: Architecture, layouts: Layouts) -> tuple[Stage, ...]:
    """Return stages of many layouts of which one holds most: the first, two more and the last.

    The first holds most activations and the embedding, the last the head; where leading layers are
    dense, those behind them, of experts, are larger.
    """
    experts, last = architecture.experts, layouts.pipeline - 1
    after_dense = 0 if experts is None else experts.n_dense_layers
    per_stage = np.maximum(architecture.n_layers // layouts.pipeline, 1)
    indices = [np.zeros_like(last), last]
    if after_dense:
        indices.append(np.minimum(-(-after_dense // per_stage), last))
        indices.append(np.minimum(after_dense // per_stage, last))
    return tuple(stage_at(architecture, layouts, index) for index in indices)


def stage_at(architecture: Architecture, layout: Layout, index: Any) -> Stage:
    """Return one pipeline stage of a layout, or that of each of many."""
    base = architecture.n_layers // layout.pipeline
    extra = architecture.n_layers % layout.pipeline
    size, start = base + (index < extra), index * base + np.minimum(index, extra)
    n_leading = architecture.n_layers - architecture.n_moe_layers
    n_dense = np.clip(n_leading - start, 0, size)
    return Stage(
        index=index,
        count=layout.pipeline,
        interleave=layout.interleave,
        n_dense_layers=n_dense,
        n_moe_layers=size - n_dense,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceParameters:
    """Parameters on one accelerator after tensor, pipeline and expert parallelism, before ZeRO.

    Parameters
    ----------
    shared : int
        Those that all data-parallel replicas hold alike.
    routed : int
        Those of routed experts, which ``data / expert`` replicas hold alike.
    largest_unit : int
        Those of the largest layer or embedding table, which ZeRO 3 gathers as a whole.
    """

    shared: Any
    routed: Any
    largest_unit: Any

    @property
    def total(self) -> Any:
        """All parameters on the accelerator."""
        return self.shared + self.routed


def device_parameters(architecture: Architecture, layout: Layout, stage: Stage) -> DeviceParameters:
    """Count the parameters that one accelerator of a pipeline stage holds.

    Matrices are cut by tensor parallelism; norms, biases, the router and the down-projections of
    latent attention are held by all. Key and value heads are cut as far as there are heads. A tied
    embedding is held by the first and the last stage.
    """
    shape = architecture
    dense_layer, moe_layer, routed_layer = _layer_parameters(shape, layout)
    shared = stage.n_dense_layers * dense_layer + stage.n_moe_layers * moe_layer
    routed = stage.n_moe_layers * routed_layer
    table = _ceil(shape.vocab * shape.embedding_width, layout.tensor)
    is_first, is_last = stage.is_first, stage.is_last
    n_tables = is_first * 1 + is_last * 1
    if shape.tied_embeddings:
        n_tables = np.minimum(n_tables, np.where(stage.count == 1, 1, 2))
    shared = shared + n_tables * table
    shared = shared + is_first * (shape.n_positions * shape.d_model)
    shared = shared + (is_first * 1 + is_last * 1) * (shape.embedding_dim * shape.d_model)
    if shape.encoder is not None:
        n_dense = int(shape.encoder.pooler) + int(shape.encoder.mlm_head)
        shared = shared + is_first * (shape.encoder.n_segments * shape.d_model)
        shared = shared + is_last * (n_dense * shape.d_model * (shape.d_model + 1))
    largest = np.maximum((stage.n_dense_layers > 0) * dense_layer, (n_tables > 0) * table)
    largest = np.maximum(largest, (stage.n_moe_layers > 0) * (moe_layer + routed_layer))
    return DeviceParameters(shared=shared, routed=routed, largest_unit=largest)


def _ceil(amount: Any, parts: Any) -> Any:
    """Return the larger part, of whole ones."""
    return -(-amount // parts)


def _layer_parameters(shape: Architecture, layout: Layout) -> tuple[Any, Any, Any]:
    """Parameters on one accelerator of a dense layer, of an MoE layer, and of its experts."""
    tensor = layout.tensor
    # A layer of a hybrid is taken as the mean of them all.
    attention_total, recurrent = total_attention_matrices(shape), recurrent_matrices(shape)
    matrices = _ceil(attention_total + recurrent, shape.n_layers)
    share = shape.n_attention_layers / shape.n_layers
    if shape.latent is not None:
        latent = shape.latent
        replicated = shape.d_model * (latent.query_rank + latent.kv_rank + latent.rope_head_dim)
        replicated = ceil(share * replicated)
        attention = replicated + _ceil(matrices - replicated, tensor)
    else:
        keys_values = ceil(share * 2 * shape.d_model * shape.kv_width)
        attention = _ceil(matrices - keys_values, tensor)
        attention = attention + _ceil(keys_values, np.minimum(tensor, max(shape.n_kv_heads, 1)))
    # Biases and norms, and what brings the layers' own embeddings in, spread over all layers alike.
    counts = count_parameters(shape).by_component
    vectors = sum(counts.get(name, 0) for name in ("attention", "recurrent", "norm"))
    vectors -= attention_total + recurrent
    if shape.per_layer_input is not None:
        vectors += counts["projection"] + counts["per_layer_embedding"]
    attention = attention + _ceil(vectors, shape.n_layers)
    n_dense = shape.n_layers - shape.n_moe_layers
    mlps = shape.n_dense_mlp_layers / n_dense if n_dense else 1.0
    dense = attention + np.ceil(mlps * _mlp_parameters(shape, shape.d_ff, tensor))
    if shape.experts is None:
        return dense, 0, 0
    experts = shape.experts
    shared = experts.n_shared * _mlp_parameters(shape, experts.shared_d_ff, tensor)
    router = experts.router_parameters(shape.d_model)
    per_device = experts.n_experts // layout.expert
    routed = per_device * _mlp_parameters(shape, experts.d_ff, tensor)
    return dense, attention + shared + router, routed


def _mlp_parameters(shape: Architecture, d_ff: int, tensor: Any) -> Any:
    return _ceil(mlp_matrices(shape, d_ff), tensor) + mlp_vectors(shape, d_ff)
