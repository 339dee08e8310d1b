"""The shape of a language model, from which all its counts follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from isoflop.accounting.recurrent import Recurrent, RecurrentKind
from isoflop.errors import ArchitectureError
from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.once import once

Norm = Literal["layernorm", "rmsnorm", "none"]
QkNorm = Literal["none", "head", "full"]

MAX_LAYERS = 10_000
MAX_WIDTH = 1_000_000
MAX_VOCAB = 100_000_000
MAX_CONTEXT = 100_000_000
MAX_EXPERTS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Experts:
    """Mixture-of-experts layers in place of the dense MLP.

    Parameters
    ----------
    n_experts : int
        Routed experts per layer.
    top_k : int
        Routed experts that one token passes through.
    d_ff : int
        Hidden width of one expert.
    n_shared : int
        Experts that every token passes through, each of width ``shared_d_ff``.
    shared_d_ff : int
        Hidden width of one shared expert.
    n_dense_layers : int
        Layers that keep the dense MLP.
    router_bias : bool
        Whether the router holds one number more an expert (a bias, or a learned scale).
    router_gain : bool
        Whether the router's input has a gain of its own.
    shared_gate : bool
        Whether a gate of one output weighs the shared experts.
    """

    n_experts: int
    top_k: int
    d_ff: int
    n_shared: int = 0
    shared_d_ff: int = 0
    n_dense_layers: int = 0
    router_bias: bool = False
    router_gain: bool = False
    shared_gate: bool = False

    def router_parameters(self, d_model: int) -> int:
        """Weights of one layer's router, and of the gate of its shared experts."""
        per_expert = self.n_experts * (d_model + int(self.router_bias))
        return per_expert + d_model * (int(self.router_gain) + int(self.shared_gate))


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentAttention:
    """Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434).

    Parameters
    ----------
    query_rank : int
        Rank of the query compression; 0 where queries are projected directly.
    kv_rank : int
        Width of the cached latent.
    nope_head_dim, rope_head_dim : int
        Query and key channels of a head without and with rotary position.
    value_head_dim : int
        Value channels of a head.
    """

    query_rank: int
    kv_rank: int
    nope_head_dim: int
    rope_head_dim: int
    value_head_dim: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SparseIndex:
    """An index that picks the positions a token attends to (DeepSeek-V3.2's sparse attention).

    Parameters
    ----------
    n_heads, head_dim : int
        Of the index.
    top_k : int
        Positions that it picks.
    """

    n_heads: int
    head_dim: int
    top_k: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalAttention:
    """What the global layers have apart from the local ones (Gemma 4).

    Parameters
    ----------
    head_dim, n_kv_heads : int
    values_are_keys : bool
        Whether there is no projection of values: the keys serve as such.
    n_shared : int
        Global layers that use an earlier layer's keys and values.
    """

    head_dim: int
    n_kv_heads: int
    values_are_keys: bool = False
    n_shared: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PerLayerInput:
    """An embedding of its own for every layer (Gemma 3n and 4).

    Parameters
    ----------
    vocab, width : int
        Rows of the tables, and channels that each layer gets.
    n_streams : int
        Residual streams predicted and corrected in each layer (AltUp, arXiv 2301.13310); 0 without.
    low_rank : int
        Rank of the learned residual beside attention (LAuReL, arXiv 2411.07501); 0 without.
    """

    vocab: int
    width: int
    n_streams: int = 0
    low_rank: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """What an encoder has beside its layers (BERT, RoBERTa): it sees both sides of a token.

    Parameters
    ----------
    n_segments : int
        Rows of the segment embedding.
    pooler : bool
        A dense layer over the first token.
    mlm_head : bool
        A dense layer, a norm and one bias a token of the vocabulary, before the tied embedding.
    """

    n_segments: int = 0
    pooler: bool = False
    mlm_head: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One language model: a transformer, a recurrent model, or a hybrid of both.

    Parameters
    ----------
    name : str
    n_layers : int
    d_model : int
        Width of the residual stream.
    n_heads, n_kv_heads, head_dim : int
        Query heads, key and value heads (fewer under grouped-query attention), channels a head.
    d_ff : int
        Hidden width of the dense MLP.
    vocab : int
        Rows of the embedding table, padding included.
    context : int
        Training sequence length in tokens.
    n_positions : int
        Rows of a learned position table; 0 for rotary, ALiBi or relative positions.
    relative_positions : bool
        Transformer-XL relative positions: one more projection and two biases per layer.
    embedding_dim : int
        Width of the token embedding where it differs from ``d_model`` (two projections follow);
        0 where it does not.
    gated_mlp : bool
        Three matrices (SwiGLU, GeGLU) or two.
    norm : {"layernorm", "rmsnorm", "none"}
        Learned gain and bias, gain alone, or nothing.
    norms_per_layer : int
        2, or 4 where a block's output is normalised too (Gemma 2 and 3).
    final_norm, embedding_norm : bool
        A norm before the head; after the embedding (BLOOM).
    qk_norm : {"none", "head", "full"}
        Learned gains on queries and keys: one per channel of a head, or of all heads.
    qkv_bias, output_bias, mlp_bias : bool
        Biases of the attention's input and output projections and of the MLP.
    tied_embeddings : bool
        Whether the head reuses the token embedding.
    head_bias : bool
        One bias a token of the vocabulary.
    attention_gate : bool
        Whether each channel of attention's output has a gate, projected beside the queries.
    sinks : bool
        One learned score a head that no token takes (gpt-oss).
    n_shared_kv : int
        Layers that use an earlier layer's keys and values; local ones where ``global_attention``
        counts its own.
    n_double_mlp : int
        Layers whose dense MLP is twice as wide.
    attention_layers : int or None
        Layers with attention; absent for all that have no recurrent mixer.
    mlp_layers : int or None
        Layers with an MLP, dense or of experts; absent for all.
    window : int
        Tokens that a local layer attends to; 0 where every layer is global.
    global_every : int
        With a window, each ``global_every``-th layer is global; 0 for none.
    global_layers : int or None
        With a window, how many layers are global, where no rule says so.
    experts : Experts or None
    latent : LatentAttention or None
    recurrent : Recurrent or None
    index : SparseIndex or None
    global_attention : GlobalAttention or None
    per_layer_input : PerLayerInput or None
    encoder : Encoder or None

    Raises
    ------
    ArchitectureError
        If a size is missing, not an integer, absurd or contradicts another.
    """

    name: str
    n_layers: int
    d_model: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    d_ff: int
    vocab: int
    context: int
    n_positions: int = 0
    relative_positions: bool = False
    embedding_dim: int = 0
    gated_mlp: bool = True
    norm: Norm = "rmsnorm"
    norms_per_layer: int = 2
    final_norm: bool = True
    embedding_norm: bool = False
    qk_norm: QkNorm = "none"
    qkv_bias: bool = False
    output_bias: bool = False
    mlp_bias: bool = False
    tied_embeddings: bool = False
    window: int = 0
    global_every: int = 0
    experts: Experts | None = None
    latent: LatentAttention | None = None
    head_bias: bool = False
    attention_gate: bool = False
    sinks: bool = False
    n_shared_kv: int = 0
    n_double_mlp: int = 0
    attention_layers: int | None = None
    mlp_layers: int | None = None
    global_layers: int | None = None
    recurrent: Recurrent | None = None
    index: SparseIndex | None = None
    global_attention: GlobalAttention | None = None
    per_layer_input: PerLayerInput | None = None
    encoder: Encoder | None = None

    def __post_init__(self) -> None:
        _require(_size_problems(self) or _consistency_problems(self), self.name)

    @property
    def embedding_width(self) -> int:
        """Width of the token embedding."""
        return self.embedding_dim or self.d_model

    @property
    def query_width(self) -> int:
        """Channels of all queries: what the scores are computed over."""
        if self.latent is not None:
            return self.n_heads * (self.latent.nope_head_dim + self.latent.rope_head_dim)
        return self.n_heads * self.head_dim

    @property
    def value_width(self) -> int:
        """Channels of all attention outputs: what the output projection reads."""
        if self.latent is not None:
            return self.n_heads * self.latent.value_head_dim
        return self.n_heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Channels of all keys (and as many values) under plain or grouped-query attention."""
        return self.n_kv_heads * self.head_dim

    @property
    def is_moe(self) -> bool:
        """Whether some layers route tokens to experts."""
        return self.experts is not None

    @property
    def n_mlp_layers(self) -> int:
        """Layers with an MLP, dense or of experts."""
        return self.n_layers if self.mlp_layers is None else self.mlp_layers

    @property
    def n_moe_layers(self) -> int:
        """Layers that route tokens to experts."""
        return 0 if self.experts is None else self.n_mlp_layers - self.experts.n_dense_layers

    @property
    def n_dense_mlp_layers(self) -> int:
        """Layers with a dense MLP; one twice as wide counts as two."""
        return self.n_mlp_layers - self.n_moe_layers + self.n_double_mlp

    @property
    def n_attention_layers(self) -> int:
        """Layers with attention."""
        if self.attention_layers is not None:
            return self.attention_layers
        return self.n_layers - (0 if self.recurrent is None else self.recurrent.n_layers)

    @property
    def n_local_layers(self) -> int:
        """Layers that attend to a window only."""
        if not self.window:
            return 0
        n_global = self.global_layers
        if n_global is None:
            n_global = self.n_attention_layers // self.global_every if self.global_every else 0
        return self.n_attention_layers - n_global

    @property
    def n_global_layers(self) -> int:
        """Layers that attend to the whole sequence."""
        return self.n_attention_layers - self.n_local_layers


# Field -> (smallest, largest) sensible value.
_LIMITS: dict[str, tuple[int, int]] = {
    "n_layers": (1, MAX_LAYERS),
    "d_model": (1, MAX_WIDTH),
    "n_heads": (0, MAX_WIDTH),
    "n_kv_heads": (0, MAX_WIDTH),
    "head_dim": (0, MAX_WIDTH),
    "d_ff": (0, 100 * MAX_WIDTH),
    "vocab": (2, MAX_VOCAB),
    "context": (1, MAX_CONTEXT),
    "n_positions": (0, MAX_CONTEXT),
    "embedding_dim": (0, MAX_WIDTH),
    "norms_per_layer": (0, 8),
    "window": (0, MAX_CONTEXT),
    "global_every": (0, MAX_LAYERS),
    "n_experts": (1, MAX_EXPERTS),
    "top_k": (1, MAX_EXPERTS),
    "n_shared": (0, MAX_EXPERTS),
    "shared_d_ff": (0, 100 * MAX_WIDTH),
    "n_dense_layers": (0, MAX_LAYERS),
    "query_rank": (0, MAX_WIDTH),
    "kv_rank": (1, MAX_WIDTH),
    "nope_head_dim": (0, MAX_WIDTH),
    "rope_head_dim": (0, MAX_WIDTH),
    "value_head_dim": (1, MAX_WIDTH),
    "n_shared_kv": (0, MAX_LAYERS),
    "n_double_mlp": (0, MAX_LAYERS),
    "global_layers": (0, MAX_LAYERS),
    "attention_layers": (0, MAX_LAYERS),
    "mlp_layers": (0, MAX_LAYERS),
    "inner": (1, MAX_WIDTH),
    "state": (0, MAX_WIDTH),
    "n_groups": (1, MAX_WIDTH),
    "kernel": (0, MAX_WIDTH),
    "rank": (0, MAX_WIDTH),
    "width": (1, MAX_WIDTH),
    "n_streams": (0, MAX_LAYERS),
    "low_rank": (0, MAX_WIDTH),
    "n_segments": (0, MAX_VOCAB),
}


def require_size(field: str, value: object, *, name: str = "") -> None:
    """Check one size of an architecture before it is built.

    Raises
    ------
    ArchitectureError
        If the value is no whole number, or lies outside what is sensible for the field.
    """
    _require(_integer_problems(field, value), name)


def _require(problems: list[str], name: str) -> None:
    if problems:
        raise ArchitectureError(
            _("The shape of {name} is not possible.", name=name or _("this model")),
            detail=joined("\n", problems),
            hint=_("Correct these sizes; all of them are counts of whole things."),
        )


_CHOICES = {
    "norm": get_args(Norm),
    "qk_norm": get_args(QkNorm),
    "kind": get_args(RecurrentKind),
}

Part = (
    Experts | LatentAttention | Recurrent | SparseIndex | GlobalAttention | PerLayerInput | Encoder
)
"""What an architecture may have, with sizes of its own."""

PARTS: dict[str, type[Part]] = {
    "experts": Experts,
    "latent": LatentAttention,
    "recurrent": Recurrent,
    "index": SparseIndex,
    "global_attention": GlobalAttention,
    "per_layer_input": PerLayerInput,
    "encoder": Encoder,
}
"""Field of an architecture -> what it holds."""


def _size_problems(part: Architecture | Part) -> list[str]:
    """List every field that is not an integer within its limits, or not one of its choices."""
    problems: list[str] = []
    kind: type = type(part)
    for name, is_optional, find in _checks(kind):
        value = getattr(part, name)
        if value is not None or not is_optional:
            problems += find(name, value)
    return problems


@once
def _checks(kind: type) -> tuple[tuple[str, bool, Callable[[str, Any], list[str]]], ...]:
    """Return, of each field that is checked, its name, whether it may be None, and how.

    Kept, since thousands of shapes are made on the way to a plan.
    """
    found = []
    for field in fields(kind):
        is_optional = str(field.type).endswith("| None")
        if field.name in PARTS:
            found.append((field.name, is_optional, _part_problems))
        elif field.name in _LIMITS:
            found.append((field.name, is_optional, _integer_problems))
        elif field.name in _CHOICES:
            found.append((field.name, is_optional, _choice_problems))
        elif field.type == "bool":
            found.append((field.name, is_optional, _switch_problems))
    return tuple(found)


def _part_problems(name: str, value: object) -> list[str]:
    return _size_problems(value) if isinstance(value, Part) else []


def _integer_problems(name: str, value: object) -> list[str]:
    lower, upper = _LIMITS[name]
    if isinstance(value, bool) or not isinstance(value, int):
        return [_("{name} = {value!r} is not an integer", name=name, value=value)]
    if not lower <= value <= upper:
        return [
            _(
                "{name} = {value:,} lies outside {lower:,} to {upper:,}",
                name=name,
                value=value,
                lower=lower,
                upper=upper,
            )
        ]
    return []


def _choice_problems(name: str, value: object) -> list[str]:
    if value in _CHOICES[name]:
        return []
    return [f"{name} = {value!r}; allowed: {', '.join(_CHOICES[name])}"]


def _switch_problems(name: str, value: object) -> list[str]:
    return (
        []
        if isinstance(value, bool)
        else [_("{name} = {value!r} is neither true nor false", name=name, value=value)]
    )


def _consistency_problems(shape: Architecture) -> list[str]:
    """List the sizes that contradict each other, each of them sound in itself."""
    problems = _layer_problems(shape)
    if problems:
        return problems
    if shape.n_attention_layers and shape.latent is None and shape.n_heads % shape.n_kv_heads:
        problems.append(
            _(
                "n_heads = {n_heads} is no multiple of n_kv_heads = {n_kv_heads}",
                n_heads=shape.n_heads,
                n_kv_heads=shape.n_kv_heads,
            )
        )
    experts = shape.experts
    if experts is not None and experts.top_k > experts.n_experts:
        problems.append(
            _(
                "top_k = {top_k} exceeds n_experts = {n_experts}",
                top_k=experts.top_k,
                n_experts=experts.n_experts,
            )
        )
    if experts is not None and experts.n_dense_layers >= shape.n_mlp_layers:
        problems.append(
            _(
                "n_dense_layers = {n_dense_layers} leaves none of {n_mlp_layers} for experts",
                n_dense_layers=experts.n_dense_layers,
                n_mlp_layers=shape.n_mlp_layers,
            )
        )
    if experts is not None and bool(experts.n_shared) != bool(experts.shared_d_ff):
        problems.append(_("n_shared and shared_d_ff must both be zero or both be positive"))
    return problems


def _layer_problems(shape: Architecture) -> list[str]:
    """List what the kinds of layers lack, or have too much of."""
    problems = []
    recurrent = 0 if shape.recurrent is None else shape.recurrent.n_layers
    for name, count in (
        (_("recurrent layers"), recurrent),
        (_("attention layers"), shape.n_attention_layers),
        (_("layers with an MLP"), shape.n_mlp_layers),
    ):
        if not 0 <= count <= shape.n_layers:
            problems.append(
                _(
                    "{count} {name} among {n_layers} layers",
                    count=count,
                    name=name,
                    n_layers=shape.n_layers,
                )
            )
    if not shape.n_attention_layers and not recurrent:
        problems.append(_("no layer has attention or a recurrent mixer"))
    if shape.n_attention_layers:
        sizes = ("n_heads", "n_kv_heads", "head_dim")
        problems += [
            _("{size} = 0 lies outside 1 to {max_width:,}", size=size, max_width=MAX_WIDTH)
            for size in sizes
            if not getattr(shape, size)
        ]
    if shape.n_dense_mlp_layers and not shape.d_ff:
        problems.append(_("d_ff = 0 lies outside 1 to {max_width:,}", max_width=100 * MAX_WIDTH))
    return problems
