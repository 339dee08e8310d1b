"""FLOP per token of a transformer, by component, under each published convention."""

from __future__ import annotations

from typing import Literal

from isoflop.accounting.architecture import Architecture
from isoflop.accounting.counts import FlopCount
from isoflop.accounting.parameters import (
    count_parameters,
    mlp_matrices,
    recurrent_matrices,
    total_attention_matrices,
)
from isoflop.errors import ArchitectureError
from isoflop.language import lazy_gettext as _

FlopConvention = Literal[
    "6N", "6N_nonembedding", "6N_attention", "matmul", "appendix_f", "appendix_f_blocks"
]
Recompute = Literal["none", "selective", "full"]

CONVENTION_HELP: dict[FlopConvention, str] = {
    "6N": _("6 FLOP per active parameter and token (Kaplan et al. 2020), embeddings included."),
    "6N_nonembedding": _(
        "6 FLOP per active parameter outside the embeddings (Kaplan et al. 2020)."
    ),
    "6N_attention": _("6N plus 12 L H Q T for attention (PaLM, appendix B)."),
    "matmul": _("Every matrix product that runs: weights, head and attention; no look-ups."),
    "appendix_f": _(
        "Hoffmann et al. 2022, appendix F as printed: embeddings, softmax and head too."
    ),
    "appendix_f_blocks": _("Appendix F without embeddings and head, as in its Table A4."),
}

_OUTSIDE_BLOCKS = frozenset({"token_embedding", "lm_head"})
_ATTENTION_CORE = frozenset({"attention_scores", "softmax"})


def count_flop(
    architecture: Architecture,
    *,
    convention: FlopConvention = "6N",
    context: int | None = None,
    causal: bool = False,
    recompute: Recompute = "none",
) -> FlopCount:
    """Count the FLOP per token of a transformer.

    Mixture-of-experts layers count the experts that a token passes through.

    Parameters
    ----------
    architecture : Architecture
    convention : str
        One of `CONVENTION_HELP`.
    context : int, optional
        Sequence length in tokens; the architecture's own if absent.
    causal : bool
        Whether a token attends to the positions up to itself only, (T + 1) / 2 on average. The
        published conventions count all T.
    recompute : {"none", "selective", "full"}
        What the backward pass computes again: nothing, the attention core (scores, softmax and
        weighted sum), or all layers (Korthikanti et al., arXiv 2205.05198). It enters
        ``hardware_flop`` only.

    Returns
    -------
    FlopCount
        FLOP per token.

    Raises
    ------
    ArchitectureError
        If the context is not positive.

    References
    ----------
    Kaplan et al., arXiv 2001.08361; Chowdhery et al. (PaLM), arXiv 2204.02311, appendix B;
    Hoffmann et al. (Chinchilla), arXiv 2203.15556, appendix F.
    """
    length = architecture.context if context is None else context
    if length < 1:
        raise ArchitectureError(
            _("The context must be at least one token."), detail=f"context = {length}"
        )
    scores = attention_score_flop(architecture, length, causal=causal)
    parts = _forward_parts(architecture, convention, length, causal)
    return FlopCount(
        convention=convention,
        forward_by_component_flop=parts,
        recompute_flop=_recompute_flop(parts, recompute, scores),
    )


def attended_tokens(architecture: Architecture, context: int, *, causal: bool) -> float:
    """Positions that a token attends to, averaged over the sequence and summed over the layers.

    Local layers see their window at most. With 32 global layers and no mask this is 32 x context.
    """
    return sum(_attended_by_kind(architecture, context, causal=causal))


def attention_score_flop(architecture: Architecture, context: int, *, causal: bool) -> float:
    """FLOP per token of the forward pass of all scores and weighted sums, those of an index too.

    Parameters
    ----------
    architecture : Architecture
    context : int
        Sequence length in tokens.
    causal : bool
        Whether a token attends to the positions up to itself only; an encoder's never does.
    """
    shape = architecture
    local, everywhere = _attended_by_kind(shape, context, causal=causal)
    width = shape.query_width + shape.value_width
    wide = shape.global_attention
    global_width = width if wide is None else 2 * shape.n_heads * wide.head_dim
    flop = 2.0 * (width * local + global_width * everywhere)
    if shape.index is not None:
        seen = shape.n_attention_layers * _mean_reach(context, context, causal)
        flop += 2.0 * shape.index.n_heads * shape.index.head_dim * seen
    return flop


def _attended_by_kind(shape: Architecture, context: int, *, causal: bool) -> tuple[float, float]:
    """Positions that a token attends to in all local, and in all global, layers."""
    causal = causal and shape.encoder is None
    n_local = shape.n_local_layers
    reach = min(shape.window, context) if n_local else 0
    most = context if shape.index is None else min(shape.index.top_k, context)
    return (
        n_local * _mean_reach(reach, context, causal),
        shape.n_global_layers * _mean_reach(most, context, causal),
    )


def _mean_reach(reach: int, context: int, causal: bool) -> float:
    """Mean number of positions seen by a token that looks back over at most ``reach`` of them."""
    if not causal:
        return float(reach)
    # The first `reach` tokens see 1, 2, ..., reach positions, the others `reach` each.
    return reach - reach * (reach - 1) / (2 * context)


def _forward_parts(
    shape: Architecture, convention: FlopConvention, context: int, causal: bool
) -> dict[str, float]:
    counts = count_parameters(shape)
    scores = attention_score_flop(shape, context, causal=causal)
    match convention:
        case "6N":
            return {"parameters": 2.0 * counts.active}
        case "6N_nonembedding":
            return {"parameters": 2.0 * counts.active_nonembedding}
        case "6N_attention":
            return {"parameters": 2.0 * counts.active, "attention_scores": scores}
        case "matmul":
            return _matmul_parts(shape) | {"attention_scores": scores}
        case "appendix_f" | "appendix_f_blocks":
            parts = _matmul_parts(shape) | {
                "attention_scores": scores,
                # Three FLOP per head and score: subtract the maximum, exponentiate, divide.
                "softmax": 3.0 * shape.n_heads * attended_tokens(shape, context, causal=causal),
            }
            if convention == "appendix_f_blocks":
                return {name: flop for name, flop in parts.items() if name not in _OUTSIDE_BLOCKS}
            return parts | {"token_embedding": 2.0 * shape.vocab * shape.d_model}
    raise ArchitectureError(
        _("There is no FLOP convention {convention!r}.", convention=convention),
        hint=_("Choose one of {convention_help}.", convention_help=", ".join(CONVENTION_HELP)),
    )


def _matmul_parts(shape: Architecture) -> dict[str, float]:
    """FLOP per token of the products with weight matrices: 2 a weight, no biases or gains."""
    weights = {
        "attention": total_attention_matrices(shape),
        "recurrent": recurrent_matrices(shape),
        "mlp": shape.n_dense_mlp_layers * mlp_matrices(shape, shape.d_ff),
        "projection": _projection_matrices(shape),
        "lm_head": shape.vocab * shape.embedding_width,
    }
    if shape.experts is not None:
        experts, n_layers = shape.experts, shape.n_moe_layers
        shared = mlp_matrices(shape, experts.shared_d_ff)
        weights |= {
            "experts": n_layers * experts.top_k * mlp_matrices(shape, experts.d_ff),
            "shared_experts": n_layers * experts.n_shared * shared,
            "router": n_layers * (experts.n_experts + int(experts.shared_gate)) * shape.d_model,
        }
    flop = {name: 2.0 * count for name, count in weights.items() if count}
    if shape.recurrent is not None:
        flop["recurrent"] += shape.recurrent.n_layers * shape.recurrent.scan_flop
    return flop


def _projection_matrices(shape: Architecture) -> int:
    """Weights of projections outside the layers' attention and MLP that multiply every token."""
    total = 2 * shape.embedding_dim * shape.d_model
    if shape.encoder is not None and shape.encoder.mlm_head:
        total += shape.d_model**2
    extra = shape.per_layer_input
    if extra is not None:
        total += shape.n_layers * shape.d_model * (3 * extra.width + 2 * extra.low_rank)
        total += shape.n_layers * extra.n_streams * shape.d_model
        total += 2 * max(extra.n_streams - 1, 0) * shape.d_model**2
    return total


def _recompute_flop(parts: dict[str, float], recompute: Recompute, scores: float) -> float:
    match recompute:
        case "none":
            return 0.0
        case "full":
            return sum(flop for name, flop in parts.items() if name not in _OUTSIDE_BLOCKS)
        case "selective":
            core = sum(flop for name, flop in parts.items() if name in _ATTENTION_CORE)
            # Conventions without an attention term still pay for it.
            return core or scores
    raise ArchitectureError(_("There is no recomputation mode {recompute!r}.", recompute=recompute))
