"""Bytes of activations that one layer keeps for the backward pass.

The bookkeeping is that of Korthikanti et al. (arXiv 2205.05198), section 4, tensor by tensor,
carried over to grouped-query and latent attention, gated MLPs and experts. For a GPT layer with
dropout it gives their s b h (34 + 5 a s / h) exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from isoflop.accounting import Architecture
from isoflop.planning.layout import Layout

MASK_BYTES = 1
"""A dropout mask is kept in one byte an element."""

STATISTIC_BYTES = 4
"""Softmax statistics, router scores and the loss are kept in FP32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerActivations:
    """Bytes per token that one layer keeps on one accelerator; arrays for many layouts.

    Parameters
    ----------
    input_bytes : float
        The layer's input, all that full recomputation keeps.
    linear_bytes : float
        Everything that grows with the sequence, the input included.
    score_bytes : float
        Attention scores, which grow with the square of the sequence; 0 with FlashAttention.
    cheap_bytes : float
        Of the linear ones, outputs of norms and of activation functions, which are cheap to
        compute again.
    """

    input_bytes: Any
    linear_bytes: Any
    score_bytes: Any
    cheap_bytes: Any

    @property
    def selective_bytes(self) -> Any:
        """Bytes per token when scores are recomputed or, where none are kept, what is cheap."""
        return np.where(
            self.score_bytes > 0, self.linear_bytes, self.linear_bytes - self.cheap_bytes
        )

    @property
    def total_bytes(self) -> Any:
        """Bytes per token when nothing is recomputed."""
        return self.linear_bytes + self.score_bytes


def layer_activations(
    architecture: Architecture,
    *,
    is_moe: bool,
    context: int,
    layout: Layout,
    flash_attention: bool,
    fused_mlp: bool = True,
    dropout: bool = False,
    element_bytes: float = 2,
) -> LayerActivations:
    """Sum what one layer keeps, per token and accelerator.

    Parameters
    ----------
    architecture : Architecture
    is_moe : bool
        Whether the layer routes tokens to experts; balanced routing is assumed.
    context : int
        Sequence length in tokens.
    layout : Layout
    flash_attention : bool
        Whether scores are never written to memory (Dao et al., arXiv 2205.14135).
    fused_mlp : bool
        Whether a gated MLP keeps no output of its activation function.
    dropout : bool
        Whether attention and both blocks use dropout.
    element_bytes : float
        2 for BF16 and FP16 activations.

    Returns
    -------
    LayerActivations
    """
    shape, size = architecture, element_bytes
    replicated = size * (shape.norms_per_layer + 2) * shape.d_model  # norms' and blocks' inputs
    replicated += 2 * MASK_BYTES * shape.d_model if dropout else 0.0
    heads = size * (shape.query_width + _key_width(shape) + _stored_value_width(shape))
    heads += size * shape.value_width  # input of the output projection
    if shape.latent is not None:
        ranks = shape.latent.query_rank + shape.latent.kv_rank
        # Each compressed vector is kept before and after its norm.
        replicated += size * (2 * ranks + shape.latent.rope_head_dim)
    elif shape.qk_norm != "none":
        heads += size * (shape.query_width + shape.kv_width)
    # In a hybrid each layer is taken as the mean of them all.
    heads *= shape.n_attention_layers / shape.n_layers
    if shape.recurrent is not None:
        mixers = shape.recurrent.n_layers / shape.n_layers
        heads += size * mixers * shape.recurrent.activation_elements
    scores = 0.0
    if flash_attention:
        heads += STATISTIC_BYTES * shape.n_heads
    else:
        per_score = 2 * size + MASK_BYTES if dropout else size
        scores = per_score * shape.n_heads * context
    n_hidden = _n_hidden(shape, fused=fused_mlp)
    experts_in, hidden = _mlp_bytes(shape, n_hidden, is_moe=is_moe, size=size)
    divisor = layout.tensor if layout.sequence_parallel else 1
    linear = (replicated + experts_in) / divisor + (heads + hidden) / layout.tensor
    # Each block's input is the output of a norm; its MLP's last, of the activation function.
    functions = hidden * (1 - _n_hidden(shape, fused=fused_mlp, again=True) / n_hidden)
    cheap = 2 * size * shape.d_model / divisor + functions / layout.tensor
    return LayerActivations(
        input_bytes=size * shape.d_model / divisor,
        linear_bytes=linear,
        score_bytes=scores / layout.tensor,
        cheap_bytes=cheap,
    )


def _key_width(shape: Architecture) -> int:
    return shape.query_width if shape.latent is not None else shape.kv_width


def _stored_value_width(shape: Architecture) -> int:
    return shape.value_width if shape.latent is not None else shape.kv_width


def _n_hidden(shape: Architecture, *, fused: bool, again: bool = False) -> int:
    """Tensors of the MLP's width that a layer keeps.

    A plain MLP keeps the input and the output of its activation function; a gated one gate, up
    projection and their product, and unfused the activated gate as well. Computed ``again``, only
    what comes out of matrix products is kept.
    """
    if again:
        return 2 if shape.gated_mlp else 1
    return (3 if fused else 4) if shape.gated_mlp else 2


def _mlp_bytes(
    shape: Architecture, n_hidden: int, *, is_moe: bool, size: float
) -> tuple[float, float]:
    """Bytes per token of what experts receive, and of the hidden layers."""
    if not is_moe or shape.experts is None:
        n_dense = shape.n_layers - shape.n_moe_layers
        mlps = shape.n_dense_mlp_layers / n_dense if n_dense else 1.0
        return 0.0, size * n_hidden * mlps * shape.d_ff
    experts = shape.experts
    # Each token's copy to every expert, the experts' outputs (their weights' gradient needs them),
    # and the router's scores.
    dispatched = 2 * size * experts.top_k * shape.d_model + STATISTIC_BYTES * experts.n_experts
    width = experts.top_k * experts.d_ff + experts.n_shared * experts.shared_d_ff
    return dispatched, size * n_hidden * width
