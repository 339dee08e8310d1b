"""Learned parameters of a model, by component, exact to the integer."""

from __future__ import annotations

from isoflop.accounting.architecture import Architecture, LatentAttention
from isoflop.accounting.counts import ParameterCount

_NORM_VECTORS = {"layernorm": 2, "rmsnorm": 1, "none": 0}


def count_parameters(architecture: Architecture) -> ParameterCount:
    """Count the learned parameters of a model, by component.

    Buffers (rotary tables, causal masks, a router's balancing biases where the code keeps them as
    such) are not parameters and are not counted.

    Returns
    -------
    ParameterCount
        Total and active, each by component; active counts ``top_k`` of the routed experts.
    """
    shape = architecture
    embedding = shape.vocab * shape.embedding_width
    mlp = mlp_matrices(shape, shape.d_ff) + mlp_vectors(shape, shape.d_ff)
    counts = {
        "token_embedding": embedding,
        "per_layer_embedding": _per_layer_table(shape),
        "position_embedding": shape.n_positions * shape.d_model,
        "attention": total_attention_matrices(shape) + _attention_vectors(shape),
        "recurrent": recurrent_matrices(shape) + _recurrent_vectors(shape),
        "mlp": shape.n_dense_mlp_layers * mlp,
        "norm": _norm_parameters(shape),
        "projection": 2 * shape.embedding_dim * shape.d_model + _per_layer_projections(shape),
        "lm_head": (0 if shape.tied_embeddings else embedding)
        + (shape.vocab if shape.head_bias else 0),
    }
    if shape.encoder is not None:
        counts["position_embedding"] += shape.encoder.n_segments * shape.d_model
        dense = shape.d_model * (shape.d_model + 1)
        counts["projection"] += dense * (int(shape.encoder.pooler) + int(shape.encoder.mlm_head))
        # An untied head keeps its bias twice: that of the layer, and that of the predictions.
        biases = shape.vocab * (1 if shape.tied_embeddings else 2)
        counts["lm_head"] += biases if shape.encoder.mlm_head else 0
    active = counts
    if shape.experts is not None:
        experts, n_layers = shape.experts, shape.n_moe_layers
        routed = mlp_matrices(shape, experts.d_ff) + mlp_vectors(shape, experts.d_ff)
        shared = mlp_matrices(shape, experts.shared_d_ff) + mlp_vectors(shape, experts.shared_d_ff)
        counts |= {
            "router": n_layers * experts.router_parameters(shape.d_model),
            "shared_experts": n_layers * experts.n_shared * shared,
            "experts": n_layers * experts.n_experts * routed,
        }
        active = counts | {"experts": n_layers * experts.top_k * routed}
    return ParameterCount(
        by_component={name: count for name, count in counts.items() if count},
        active_by_component={name: count for name, count in active.items() if count},
    )


def attention_matrices(shape: Architecture) -> int:
    """Weights of one layer's attention that multiply every token: of a local layer, if any is.

    The relative-position projection of Transformer-XL acts on positions, not on tokens: it is a
    parameter but not counted here, as in appendix F of arXiv 2203.15556.
    """
    if shape.latent is not None:
        return _latent_attention_matrices(shape, shape.latent)
    gate = shape.query_width if shape.attention_gate else 0
    return shape.d_model * (shape.query_width + gate + 2 * shape.kv_width + shape.value_width)


def total_attention_matrices(shape: Architecture) -> int:
    """Weights of all layers' attention that multiply every token."""
    total = shape.n_attention_layers * attention_matrices(shape)
    total -= shape.n_shared_kv * 2 * shape.d_model * shape.kv_width
    wide = shape.global_attention
    if wide is not None:
        n_global = shape.n_global_layers
        kv_width = wide.n_kv_heads * wide.head_dim
        n_projections = 1 if wide.values_are_keys else 2
        queries_and_output = 2 * shape.n_heads * wide.head_dim
        keys_values = (n_global - wide.n_shared) * n_projections * kv_width
        total += shape.d_model * (n_global * queries_and_output + keys_values)
        total -= n_global * attention_matrices(shape)
    if shape.index is not None:
        total += shape.n_attention_layers * _index_matrices(shape)
    return total


def _index_matrices(shape: Architecture) -> int:
    index, latent = shape.index, shape.latent
    if index is None:
        return 0
    width = shape.d_model if latent is None or not latent.query_rank else latent.query_rank
    keys_and_weights = shape.d_model * (index.head_dim + index.n_heads)
    return width * index.n_heads * index.head_dim + keys_and_weights


def _latent_attention_matrices(shape: Architecture, latent: LatentAttention) -> int:
    if latent.query_rank:
        queries = latent.query_rank * (shape.d_model + shape.query_width)
    else:
        queries = shape.d_model * shape.query_width
    down = shape.d_model * (latent.kv_rank + latent.rope_head_dim)
    up = latent.kv_rank * shape.n_heads * (latent.nope_head_dim + latent.value_head_dim)
    return queries + down + up + shape.value_width * shape.d_model


def _attention_vectors(shape: Architecture) -> int:
    """Biases and sinks of all layers' attention, and what acts on positions only."""
    per_layer = shape.n_heads if shape.sinks else 0
    if shape.qkv_bias and shape.latent is None:
        gate = shape.query_width if shape.attention_gate else 0
        per_layer += shape.query_width + gate + 2 * shape.kv_width
    elif shape.qkv_bias and shape.latent is not None:
        # Biases of the two down-projections, which are the only ones that the code gives one.
        per_layer += shape.latent.query_rank + shape.latent.kv_rank + shape.latent.rope_head_dim
    per_layer += shape.d_model if shape.output_bias else 0
    if shape.relative_positions:
        # Transformer-XL (arXiv 1901.02860): a projection of the relative encodings, and the two
        # global biases u and v.
        per_layer += shape.d_model * shape.query_width + 2 * shape.query_width
    if shape.index is not None:
        per_layer += 2 * shape.index.head_dim  # gain and bias of the index's keys
    return shape.n_attention_layers * per_layer


def recurrent_matrices(shape: Architecture) -> int:
    """Weights of all recurrent mixers that multiply every token."""
    recurrent = shape.recurrent
    return 0 if recurrent is None else recurrent.n_layers * recurrent.matrices(shape.d_model)


def _recurrent_vectors(shape: Architecture) -> int:
    recurrent = shape.recurrent
    return 0 if recurrent is None else recurrent.n_layers * recurrent.vectors(shape.d_model)


def _per_layer_table(shape: Architecture) -> int:
    extra = shape.per_layer_input
    return 0 if extra is None else extra.vocab * extra.width * shape.n_layers


def _per_layer_projections(shape: Architecture) -> int:
    """Weights that bring each layer's own embedding in, and that mix the streams."""
    extra, width = shape.per_layer_input, shape.d_model
    if extra is None:
        return 0
    per_layer = 2 * width * extra.width + width  # gate, projection, and its norm
    per_layer += 2 * width * extra.low_rank + (width if extra.low_rank else 0)
    total = extra.width * (width * shape.n_layers + 1)
    if extra.n_streams:
        streams = extra.n_streams
        per_layer += streams**2 + streams**3 + streams * width + 2 * width
        total += 2 * (streams - 1) * width**2
    return total + shape.n_layers * per_layer


def mlp_matrices(shape: Architecture, d_ff: int) -> int:
    """Weights of one MLP, or one expert, of hidden width ``d_ff``."""
    return (3 if shape.gated_mlp else 2) * shape.d_model * d_ff


def mlp_vectors(shape: Architecture, d_ff: int) -> int:
    """Biases of one MLP, or one expert, of hidden width ``d_ff``."""
    if not shape.mlp_bias:
        return 0
    return (2 if shape.gated_mlp else 1) * d_ff + shape.d_model


def _norm_parameters(shape: Architecture) -> int:
    n_norms = shape.n_layers * shape.norms_per_layer
    n_norms += int(shape.final_norm) + int(shape.embedding_norm)
    n_norms += int(shape.encoder is not None and shape.encoder.mlm_head)
    return _NORM_VECTORS[shape.norm] * (n_norms * shape.d_model + _query_key_channels(shape))


def _query_key_channels(shape: Architecture) -> int:
    """Channels of the norms on queries, keys and latents, of all layers."""
    n_layers = shape.n_attention_layers
    if shape.latent is not None:
        return n_layers * (shape.latent.query_rank + shape.latent.kv_rank)
    match shape.qk_norm:
        case "none":
            return 0
        case "full":
            return n_layers * (shape.query_width + shape.kv_width)
        case "head":
            wide = shape.global_attention
            if wide is None:
                return (2 * n_layers - shape.n_shared_kv) * shape.head_dim
            local = (2 * shape.n_local_layers - shape.n_shared_kv) * shape.head_dim
            return local + (2 * shape.n_global_layers - wide.n_shared) * wide.head_dim
