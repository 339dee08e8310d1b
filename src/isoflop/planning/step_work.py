"""What one optimiser step asks of an accelerator: seconds of each part at the datasheet's rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from isoflop.accounting import Architecture
from isoflop.accounting.flop import Recompute, attention_score_flop
from isoflop.accounting.parameters import (
    mlp_matrices,
    recurrent_matrices,
    total_attention_matrices,
)
from isoflop.data import read_toml, require_keys
from isoflop.errors import PlanError
from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.once import once
from isoflop.planning.layout import (
    Layout,
    Layouts,
    check_layout,
    device_parameters,
    fullest_stages,
    stages,
)
from isoflop.planning.types import Accelerator, Dtype
from isoflop.tables.derive import FLOP_PER_PARAM_TOKEN

CLUSTERS_FILE = "step_time/clusters.toml"

NARROW_WIDTH = 400.0
"""Where an accelerator's part of the model's width is this, products take twice the time of very
wide ones."""
EIGHT_BIT_SHARE = 0.9
"""Of the peak in 8-bit types that matrix products reach, as against 16-bit ones of theirs."""
BYTES_16_BIT = 2.0
RECOMPUTE_SHARE = 4 / 3
"""A forward pass more, on top of one forward and twice as much backward."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """How accelerators are joined.

    Parameters
    ----------
    fast_domain : int
        Accelerators that the fast link joins: a node, a rack, a pod.
    network_byte_per_s : float
        Of each accelerator to those outside, one way.
    source : str
    verified : bool
        Whether the figures were seen in that source.

    Raises
    ------
    PlanError
        If a figure is not positive.
    """

    fast_domain: int
    network_byte_per_s: float
    source: str = ""
    verified: bool = True

    def __post_init__(self) -> None:
        if not (self.fast_domain >= 1 and self.network_byte_per_s > 0):
            raise PlanError(
                _("A cluster needs accelerators that are joined by a network."),
                detail=_(
                    "fast domain: {fast_domain}; network: {network_byte_per_s:g} bytes/s",
                    fast_domain=self.fast_domain,
                    network_byte_per_s=self.network_byte_per_s,
                ),
            )


@once
def cluster_of(accelerator_key: str) -> Cluster:
    """Return the cluster that an accelerator usually comes in; that of ``default`` if unknown.

    Raises
    ------
    CatalogError
        If the data file is malformed.
    """
    entries: dict[str, dict[str, Any]] = read_toml(CLUSTERS_FILE)["clusters"]
    entry = entries.get(accelerator_key, entries["default"])
    require_keys(
        entry,
        where=_(
            "{accelerator_key} of {clusters_file}",
            accelerator_key=accelerator_key,
            clusters_file=CLUSTERS_FILE,
        ),
        required=frozenset({"fast_domain", "network_gb_per_s", "source", "verified"}),
    )
    return Cluster(
        fast_domain=entry["fast_domain"],
        network_byte_per_s=entry["network_gb_per_s"] * 1e9,
        source=entry["source"],
        verified=entry["verified"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingStep:
    """One optimiser step of a model in a layout.

    Parameters
    ----------
    architecture : Architecture
    layout : Layout
        Of many at once, `step_work` gives arrays, without checking them.
    accelerator : Accelerator
    micro_batch : int
        Sequences that a replica runs at once.
    micro_batches : int
        Micro-batches that a replica runs one after another in a step.
    context : int
        Tokens of a sequence.
    dtype : str, optional
        Of the matrix products; the accelerator's training type if absent.
    recompute : {"none", "selective", "full"}
        Selective: attention scores or, with FlashAttention, outputs of norms and of activation
        functions.
    causal : bool
        Whether the attention kernels skip what the mask hides.
    flash_attention : bool
        Whether one kernel works attention out. Otherwise every score is written and read.
    cluster : Cluster, optional
        As the accelerator usually comes if absent.

    Raises
    ------
    PlanError
        If the model cannot be spread so, a count is not positive, or the accelerator lacks the
        type.
    """

    architecture: Architecture
    layout: Layout
    accelerator: Accelerator
    micro_batch: int = 1
    micro_batches: int = 1
    context: int
    dtype: Dtype | None = None
    recompute: Recompute = "none"
    causal: bool = True
    flash_attention: bool = True
    cluster: Cluster | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.layout, Layouts):
            check_layout(self.architecture, self.layout)
        problems = [
            f"{name} = {getattr(self, name)}"
            for name in ("micro_batch", "micro_batches", "context")
            if getattr(self, name) < 1
        ]
        if problems:
            raise PlanError(
                _("A step needs at least one sequence of one token."), detail=joined("\n", problems)
            )
        self.accelerator.peak(self.dtype)

    @property
    def joined_by(self) -> Cluster:
        """The cluster, or that which the accelerator usually comes in."""
        return self.cluster or cluster_of(self.accelerator.key)

    @property
    def batch_tokens(self) -> Any:
        """Tokens of the whole step."""
        return self.replica_tokens * self.layout.data

    @property
    def replica_tokens(self) -> int:
        """Tokens that one replica sees in the step."""
        return self.micro_batch * self.micro_batches * self.context


@dataclass(frozen=True, slots=True, kw_only=True)
class StepWork:
    """Seconds of each part of a step on one accelerator, at the rates of the datasheet.

    Parameters
    ----------
    matmul_s, expert_matmul_s : float
        Matrix products with weights, outside and inside routed experts, at the type's peak.
    attention_s : float
        Scores and weighted sums at the 16-bit peak.
    elementwise_s : float
        One pass over the activations of every layer at the memory's bandwidth.
    tensor_s, context_s, expert_s, data_s : float
        Messages of tensor, context, expert and data parallelism at the link's rate.
    bubble : float
        Time with the pipeline's idle stages over time without, 1 or more.
    """

    matmul_s: Any
    expert_matmul_s: Any
    attention_s: Any
    elementwise_s: Any
    tensor_s: Any
    context_s: Any
    expert_s: Any
    data_s: Any
    bubble: Any


def step_work(step: TrainingStep) -> StepWork:
    """Work out what a step asks of one accelerator.

    References
    ----------
    Narayanan et al., arXiv 2104.04473 (messages, interleaved pipeline); Korthikanti et al.,
    arXiv 2205.05198 (sequence parallelism, recomputation); Rajbhandari et al., arXiv 1910.02054
    (messages of ZeRO).
    """
    layout = step.layout
    matmul, expert_matmul = _matmul_s(step)
    return StepWork(
        matmul_s=matmul,
        expert_matmul_s=expert_matmul,
        attention_s=_attention_s(step),
        elementwise_s=_elementwise_s(step),
        tensor_s=_tensor_s(step),
        context_s=_context_s(step),
        expert_s=_expert_s(step),
        data_s=_data_s(step),
        bubble=1 + (layout.pipeline - 1) / (layout.interleave * step.micro_batches),
    )


def _tokens_per_accelerator(step: TrainingStep) -> Any:
    """Tokens whose whole pass through the model would be as much work as one accelerator has."""
    layout = step.layout
    return step.replica_tokens / (layout.tensor * layout.context * layout.pipeline)


def _matmul_s(step: TrainingStep) -> tuple[Any, Any]:
    """Seconds of matrix products outside and inside routed experts; the head in 16 bit."""
    shape = step.architecture
    peak, peak_16_bit = step.accelerator.peak(step.dtype), step.accelerator.peak()
    if step.dtype == "fp8":
        peak *= EIGHT_BIT_SHARE
    weights = total_attention_matrices(shape) + recurrent_matrices(shape)
    weights += shape.n_dense_mlp_layers * mlp_matrices(shape, shape.d_ff)
    routed = 0
    if shape.experts is not None:
        experts = shape.experts
        weights += shape.n_moe_layers * experts.n_shared * mlp_matrices(shape, experts.shared_d_ff)
        routed = shape.n_moe_layers * experts.top_k * mlp_matrices(shape, experts.d_ff)
    again = RECOMPUTE_SHARE if step.recompute == "full" else 1.0
    narrow = 1 + NARROW_WIDTH * step.layout.tensor / shape.d_model
    flop_per_weight = FLOP_PER_PARAM_TOKEN * _tokens_per_accelerator(step) * narrow
    head = shape.vocab * shape.embedding_width * flop_per_weight / peak_16_bit
    return (
        again * weights * flop_per_weight / peak + head,
        again * routed * flop_per_weight / peak,
    )


def _attention_s(step: TrainingStep) -> Any:
    shape = step.architecture
    # Backward costs twice the forward pass.
    causal = step.causal and step.flash_attention
    flop_per_token = 3 * attention_score_flop(shape, step.context, causal=causal)
    if shape.recurrent is not None:
        flop_per_token += 3 * shape.recurrent.n_layers * shape.recurrent.scan_flop
    again = RECOMPUTE_SHARE if _attends_again(step) else 1.0
    return again * flop_per_token * _tokens_per_accelerator(step) / step.accelerator.peak()


def _attends_again(step: TrainingStep) -> bool:
    """Say whether the backward pass computes attention again."""
    return step.recompute == "full" or (step.recompute == "selective" and not step.flash_attention)


def _elementwise_s(step: TrainingStep) -> Any:
    """Seconds of one pass over what a layer's blocks read and write besides their products.

    Scores that are written are masked, exponentiated and read on the way, as often as the MLP's
    tensors.
    """
    shape = step.architecture
    hidden = shape.n_dense_mlp_layers * shape.d_ff
    if shape.experts is not None:
        experts = shape.experts
        per_layer = experts.top_k * experts.d_ff + experts.n_shared * experts.shared_d_ff
        hidden += shape.n_moe_layers * per_layer
    is_again = step.recompute == "full" or (step.recompute == "selective" and step.flash_attention)
    moved = (8 * shape.n_layers * shape.d_model + 3 * hidden) * (RECOMPUTE_SHARE if is_again else 1)
    if not step.flash_attention:
        scores = shape.n_attention_layers * shape.n_heads * step.context
        moved += 3 * scores * (RECOMPUTE_SHARE if _attends_again(step) else 1)
    return (
        BYTES_16_BIT * moved * _tokens_per_accelerator(step) / step.accelerator.bandwidth_byte_per_s
    )


def _link_byte_per_s(step: TrainingStep, n_joined: Any) -> Any:
    """One accelerator's rate in a group of ``n_joined``: the fast link's where it joins them."""
    cluster, fast = step.joined_by, step.accelerator.interconnect_byte_per_s
    network = cluster.network_byte_per_s
    return np.where(n_joined <= cluster.fast_domain, network if fast is None else fast, network)


def _tensor_s(step: TrainingStep) -> Any:
    """Seconds of all-reduces: two a layer forward and two backward, two more when recomputed."""
    shape, tensor = step.architecture, step.layout.tensor
    per_layer = 6 if step.recompute == "full" else 4
    tokens = step.replica_tokens / (step.layout.pipeline * step.layout.context)
    message = BYTES_16_BIT * shape.d_model * tokens * 2 * (tensor - 1) / tensor
    return per_layer * shape.n_layers * message / _link_byte_per_s(step, tensor)


def _context_s(step: TrainingStep) -> Any:
    """Seconds of keys and values that go around the ring, forward, and twice as much backward.

    Every accelerator sees the keys and values of the whole sequence, less its own.
    """
    shape, layout = step.architecture, step.layout
    width = shape.query_width + shape.value_width if shape.latent else 2 * shape.kv_width
    again = 4 if _attends_again(step) else 3
    tokens = step.replica_tokens / layout.pipeline * (layout.context - 1) / layout.context
    message = BYTES_16_BIT * width / layout.tensor * tokens
    return again * shape.n_layers * message / _link_byte_per_s(step, layout.tensor * layout.context)


def _expert_s(step: TrainingStep) -> Any:
    """Seconds of all-to-alls: there and back, forward and backward, in every layer of experts.

    A token goes once to each fast domain that holds one of its experts, and is spread from there.
    """
    shape, expert = step.architecture, step.layout.expert
    if shape.experts is None:
        return 0.0
    top_k = shape.experts.top_k
    n_domains = np.ceil(expert * step.layout.tensor / step.joined_by.fast_domain)
    n_reached = (n_domains - 1) * (1 - (1 - 1 / n_domains) ** top_k)
    fast = _link_byte_per_s(step, 1)
    per_copy = BYTES_16_BIT * shape.d_model * _tokens_per_accelerator(step)
    slowest = np.maximum(
        top_k * (expert - 1) / expert / fast, n_reached / step.joined_by.network_byte_per_s
    )
    return 4 * shape.n_moe_layers * per_copy * slowest


def _data_s(step: TrainingStep) -> Any:
    """Seconds of gradients' reduce-scatter and parameters' all-gather over the replicas."""
    shape, layout = step.architecture, step.layout
    cut = fullest_stages(shape, layout) if isinstance(layout, Layouts) else stages(shape, layout)
    held = [device_parameters(shape, layout, stage) for stage in cut]
    return data_seconds(
        step,
        layout.data,
        shared=np.max([np.broadcast_to(item.shared, np.shape(layout.tensor)) for item in held], 0),
        total=np.max([np.broadcast_to(item.total, np.shape(layout.tensor)) for item in held], 0),
        micro_batches=step.micro_batches,
    )


def data_seconds(
    step: TrainingStep, data: Any, *, shared: Any, total: Any, micro_batches: Any
) -> Any:
    """Return the seconds of data parallelism's messages.

    Parameters
    ----------
    step : TrainingStep
        Its degrees but the data's.
    data : int or ndarray
        Replicas.
    shared, total : int or ndarray
        Parameters on the fullest accelerator, outside routed experts and in all.
    micro_batches : int or ndarray
        Run one after another in a step.
    """
    layout, cluster = step.layout, step.joined_by
    replicas = data * layout.context
    # ZeRO 3 gathers weights forward and backward and scatters gradients, at each micro-batch.
    times = np.where(layout.zero_stage == 3, 3.0 * micro_batches, 2.0)
    # Experts that no two replicas share have no gradients to exchange.
    widest = np.where(replicas // layout.expert > 1, total, shared)
    sent = times * (replicas - 1) / replicas * BYTES_16_BIT * widest
    fast = _link_byte_per_s(step, 1)
    # Replicas of one node share what comes over the network.
    in_node = np.maximum(1, cluster.fast_domain // layout.tensor)
    network = np.minimum(fast, cluster.network_byte_per_s * in_node)
    return sent / np.where(replicas * layout.tensor <= cluster.fast_domain, fast, network)
