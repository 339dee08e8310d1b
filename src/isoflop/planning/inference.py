"""What serving a model takes: cache, speed, cost per token.

Generation reads every weight it needs once per step, and the keys and values of all tokens before:
at small batches memory bandwidth bounds it, at large ones compute (Pope et al., arXiv 2211.05102).
The estimate takes the slower of the two, at measured shares of the datasheet's rates: 0.80 of the
bandwidth with 61 us a layer and 7 us an all-reduce beside it (one sequence), 0.485 of the peak for
prompts, and under full load at most 590 sequences an accelerator at 0.8 of that speed, 0.55 of it
again for mixtures of experts. docs/planning.md has the errors.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from math import ceil, floor, isfinite, log2

from isoflop.accounting import Architecture, count_flop, count_parameters
from isoflop.errors import DoesNotFit, PlanError
from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.planning.types import Accelerator, Dtype
from isoflop.units import HOUR_S


def kv_cache_bytes_per_token(architecture: Architecture, *, element_bytes: float = 2) -> float:
    """Return the bytes of keys and values that one more token adds, before any window is full.

    Grouped-query attention keeps a key and a value for each key-value head; latent attention keeps
    one latent and one rotary key per layer. Layers that use another's keys and values keep none,
    nor do recurrent mixers. The keys of a sparse index are in `kv_cache_bytes`.
    """
    return _kv_elements(architecture, 1, 1) * element_bytes


def kv_cache_bytes(
    architecture: Architecture, context: float, *, element_bytes: float = 2
) -> float:
    """Return the bytes of one sequence's cache; local layers keep no more than their window.

    A recurrent mixer keeps its state, however long the sequence; a sparse index keeps a key of
    8-bit numbers a token and layer.

    Parameters
    ----------
    architecture : Architecture
    context : float
        Tokens in the sequence.
    element_bytes : float
        2 for BF16, 1 for FP8.
    """
    shape = architecture
    kept = _kv_elements(shape, min(context, shape.window), context) * element_bytes
    if shape.recurrent is not None:
        kept += shape.recurrent.n_layers * shape.recurrent.state_elements * element_bytes
    if shape.index is not None:
        kept += shape.n_attention_layers * context * shape.index.head_dim
    return kept


def _kv_elements(shape: Architecture, local: float, everywhere: float) -> float:
    """Numbers that all layers keep of so many tokens, of local and of global ones."""
    n_local, n_global = shape.n_local_layers, shape.n_global_layers
    wide = shape.global_attention
    if wide is not None:
        n_local, n_global = n_local - shape.n_shared_kv, n_global - wide.n_shared
        global_width = 2 * wide.n_kv_heads * wide.head_dim
        return 2 * shape.kv_width * n_local * local + global_width * n_global * everywhere
    width = 2 * shape.kv_width
    if shape.latent is not None:
        width = shape.latent.kv_rank + shape.latent.rope_head_dim
    own = 1 - shape.n_shared_kv / max(shape.n_attention_layers, 1)
    return width * own * (n_local * local + n_global * everywhere)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSetup:
    """How a model is served.

    Parameters
    ----------
    accelerators : int
        That hold one copy of the model together.
    memory_bytes, bandwidth_byte_per_s, peak_flop_per_s : float
        Of one accelerator; the peak is the dense one of the type computed in.
    price_usd_per_hour : float
        Of one accelerator; 0 where no cost is wanted.
    weight_bytes, cache_bytes : float
        Bytes per parameter and per cached element: 2 for BF16, 1 for FP8, 0.5 for 4-bit.
    batch : int
        Sequences generated side by side.
    prompt_tokens, output_tokens : int
        Of one request.
    bandwidth_share, flop_share : float
        Shares of the datasheet's bandwidth (generation) and peak (prompt) that are reached.
    layer_s, all_reduce_s : float
        That a generation step takes besides, for each layer and for each of its two all-reduces.
    saturated_share, expert_share : float
        Of that speed that a server under full load makes, and a mixture of experts of that.
    headroom : float
        Share of the memory left free.

    Raises
    ------
    PlanError
        Naming every value that is invalid.
    """

    accelerators: int
    memory_bytes: float
    bandwidth_byte_per_s: float
    peak_flop_per_s: float
    price_usd_per_hour: float = 0.0
    weight_bytes: float = 2.0
    cache_bytes: float = 2.0
    batch: int = 1
    prompt_tokens: int = 1024
    output_tokens: int = 256
    bandwidth_share: float = 0.8
    flop_share: float = 0.485
    layer_s: float = 61e-6
    all_reduce_s: float = 7e-6
    saturated_share: float = 0.8
    expert_share: float = 0.55
    headroom: float = 0.1

    def __post_init__(self) -> None:
        problems = []
        for field in fields(self):
            value = getattr(self, field.name)
            may_be_zero = field.name in (
                "price_usd_per_hour", "headroom", "layer_s", "all_reduce_s"
            )  # fmt: skip
            if not isfinite(value) or value < 0 or (value == 0 and not may_be_zero):
                problems.append(
                    _("{name} = {value:g} is not positive", name=field.name, value=value)
                )
        names = ("bandwidth_share", "flop_share", "saturated_share", "expert_share")
        shares = dict.fromkeys(names, 1.0) | {"headroom": 0.99}
        for name, upper in shares.items():
            if getattr(self, name) > upper:
                problems.append(
                    _("{name} = {value:g} is no share", name=name, value=getattr(self, name))
                )
        if problems:
            raise PlanError(_("This serving setup is invalid."), detail=joined("\n", problems))


def serving_on(
    accelerator: Accelerator,
    *,
    accelerators: int,
    batch: int,
    prompt_tokens: int,
    output_tokens: int,
    dtype: Dtype | None = None,
    price_usd_per_hour: float | None = None,
) -> ServingSetup:
    """Return how a model is served on an accelerator of the catalog.

    Parameters
    ----------
    accelerator : Accelerator
    accelerators, batch, prompt_tokens, output_tokens : int
        As `ServingSetup`.
    dtype : str, optional
        Of weights, cache and products; the accelerator's training type if absent.
    price_usd_per_hour : float, optional
        The accelerator's own if absent.
    """
    price = accelerator.price_usd_per_hour if price_usd_per_hour is None else price_usd_per_hour
    size = BYTES_OF[dtype or accelerator.training_dtype]
    return ServingSetup(
        accelerators=accelerators,
        memory_bytes=accelerator.memory_bytes,
        bandwidth_byte_per_s=accelerator.bandwidth_byte_per_s,
        peak_flop_per_s=accelerator.peak(dtype),
        price_usd_per_hour=price or 0.0,
        weight_bytes=size,
        cache_bytes=size,
        batch=batch,
        prompt_tokens=prompt_tokens,
        output_tokens=output_tokens,
    )


BYTES_OF: dict[Dtype, float] = {"fp8": 1.0, "bf16": 2.0, "fp16": 2.0, "tf32": 4.0, "fp32": 4.0}
"""Of a weight and of an element of the cache."""


def accelerators_for(params: float, memory_bytes: float, *, weight_bytes: float = 2.0) -> int:
    """Return the power of two of accelerators that hold a model's weights in half their memory.

    Parameters
    ----------
    params : float
    memory_bytes : float
        Of one accelerator.
    weight_bytes : float
        Bytes per parameter.
    """
    need = 2 * weight_bytes * params / memory_bytes
    return 1 << max(0, ceil(log2(need)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingEstimate:
    """What serving takes.

    Parameters
    ----------
    weights_bytes, cache_bytes : float
        Over all accelerators; the cache at the full length of every sequence of the batch.
    largest_batch : int
        Sequences of that length that the memory holds.
    prompt_s : float
        Time to the first token of one request, alone.
    step_s : float
        Time of one generated token for the whole batch, at the mean length.
    tokens_per_s, tokens_per_s_per_sequence : float
        Generated.
    is_bandwidth_bound : bool
        Whether reading memory, not computing, bounds a step.
    usd_per_million_prompt_tokens, usd_per_million_output_tokens : float
        Accelerators fully used; 0 where no price was given.
    """

    weights_bytes: float
    cache_bytes: float
    largest_batch: int
    prompt_s: float
    step_s: float
    tokens_per_s: float
    tokens_per_s_per_sequence: float
    is_bandwidth_bound: bool
    usd_per_million_prompt_tokens: float
    usd_per_million_output_tokens: float


def estimate_serving(architecture: Architecture, setup: ServingSetup) -> ServingEstimate:
    """Estimate memory, speed and cost of serving a model.

    Raises
    ------
    DoesNotFit
        If the weights alone, or the weights and the batch's cache, exceed the memory.
    """
    parameters = count_parameters(architecture)
    weights = parameters.total * setup.weight_bytes
    length = setup.prompt_tokens + setup.output_tokens
    each = kv_cache_bytes(architecture, length, element_bytes=setup.cache_bytes)
    usable = setup.accelerators * setup.memory_bytes * (1 - setup.headroom)
    largest = max(0, floor((usable - weights) / each))
    if setup.batch > largest:
        raise DoesNotFit(
            _(
                "{name} and a batch of {batch} do not fit the memory.",
                name=architecture.name,
                batch=setup.batch,
            ),
            detail=(
                _(
                    "Weights {weights:,.1f} GB and cache {batch:,.1f} GB, of "
                    "{usable:,.1f} GB usable on {accelerators} accelerators.",
                    weights=weights / 1000000000.0,
                    batch=setup.batch * each / 1000000000.0,
                    usable=usable / 1000000000.0,
                    accelerators=setup.accelerators,
                )
            ),
            hint=(
                _("Lower the batch to {largest}.", largest=largest)
                if largest
                else _("Use more accelerators, or fewer bytes per weight.")
            ),
        )
    step_s, is_bandwidth_bound = _step(architecture, setup)
    prompt_s = _prompt(architecture, setup)
    usd_per_s = setup.accelerators * setup.price_usd_per_hour / HOUR_S
    return ServingEstimate(
        weights_bytes=weights,
        cache_bytes=setup.batch * each,
        largest_batch=largest,
        prompt_s=prompt_s,
        step_s=step_s,
        tokens_per_s=setup.batch / step_s,
        tokens_per_s_per_sequence=1 / step_s,
        is_bandwidth_bound=is_bandwidth_bound,
        usd_per_million_prompt_tokens=1e6 * usd_per_s * prompt_s / setup.prompt_tokens,
        usd_per_million_output_tokens=1e6 * usd_per_s * step_s / setup.batch,
    )


def weights_read_bytes(architecture: Architecture, batch: int, *, weight_bytes: float) -> float:
    """Return the bytes of weights that one generation step reads.

    An untied embedding table is looked up, not read. Of the experts only those that some sequence
    is routed to are read: with uniform routing a share 1 - (1 - k / E) ** batch of them.
    """
    counts = count_parameters(architecture).by_component
    read = float(sum(counts.values()))
    if not architecture.tied_embeddings:
        read -= counts["token_embedding"]
    experts = architecture.experts
    if experts is not None:
        idle = (1 - experts.top_k / experts.n_experts) ** batch
        read -= idle * counts["experts"]
    return read * weight_bytes


def _step(architecture: Architecture, setup: ServingSetup) -> tuple[float, bool]:
    """Time of one step in seconds, and whether bandwidth bounds it."""
    length = setup.prompt_tokens + setup.output_tokens / 2
    cache = kv_cache_bytes(architecture, length, element_bytes=setup.cache_bytes)
    read = weights_read_bytes(architecture, setup.batch, weight_bytes=setup.weight_bytes)
    read += setup.batch * cache
    read_s = read / (setup.accelerators * setup.bandwidth_byte_per_s * setup.bandwidth_share)
    flop = count_flop(architecture, convention="matmul", context=max(1, round(length))).forward_flop
    compute_s = setup.batch * flop / (setup.accelerators * setup.peak_flop_per_s * setup.flop_share)
    return max(read_s, compute_s) + _overhead_s(architecture, setup), read_s >= compute_s


def _overhead_s(architecture: Architecture, setup: ServingSetup) -> float:
    """Time of a step that neither bandwidth nor compute explains: launches and small messages."""
    n_all_reduces = 2 if setup.accelerators > 1 else 0
    return architecture.n_layers * (setup.layer_s + n_all_reduces * setup.all_reduce_s)


def _prompt(architecture: Architecture, setup: ServingSetup) -> float:
    """Time to take in one prompt, in seconds."""
    count = count_flop(architecture, convention="matmul", context=setup.prompt_tokens, causal=True)
    rate = setup.accelerators * setup.peak_flop_per_s * setup.flop_share
    compute_s = setup.prompt_tokens * count.forward_flop / rate
    read = weights_read_bytes(architecture, setup.prompt_tokens, weight_bytes=setup.weight_bytes)
    read_s = read / (setup.accelerators * setup.bandwidth_byte_per_s * setup.bandwidth_share)
    return max(compute_s, read_s)


MOST_SEQUENCES = 590
"""That one accelerator was measured to serve side by side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SaturatedServing:
    """What a server under full load takes.

    Parameters
    ----------
    batch : int
        Sequences side by side: what the memory holds, or `MOST_SEQUENCES` an accelerator.
    prompt_s, output_s : float
        Time of all accelerators for the prompt and the output of one request.
    output_tokens_per_s : float
        Of all accelerators together.
    device_s_per_token : float
        Accelerator-seconds for each token of prompts and outputs.
    usd_per_million_prompt_tokens, usd_per_million_output_tokens : float
        0 where no price was given.
    """

    batch: int
    prompt_s: float
    output_s: float
    output_tokens_per_s: float
    device_s_per_token: float
    usd_per_million_prompt_tokens: float
    usd_per_million_output_tokens: float


def saturated_serving(architecture: Architecture, setup: ServingSetup) -> SaturatedServing:
    """Estimate what a server takes that always has requests waiting; its batch is its own.

    Raises
    ------
    DoesNotFit
        If the weights and one sequence exceed the memory.
    """
    alone = replace(setup, batch=1)
    largest = estimate_serving(architecture, alone).largest_batch
    batch = min(largest, MOST_SEQUENCES * setup.accelerators)
    full = replace(setup, batch=batch, layer_s=0.0, all_reduce_s=0.0)
    share = setup.saturated_share * (setup.expert_share if architecture.is_moe else 1.0)
    prompt_s = _prompt(architecture, full) / share
    output_s = setup.output_tokens * _step(architecture, full)[0] / batch / share
    usd_per_s = setup.accelerators * setup.price_usd_per_hour / HOUR_S
    tokens = setup.prompt_tokens + setup.output_tokens
    return SaturatedServing(
        batch=batch,
        prompt_s=prompt_s,
        output_s=output_s,
        output_tokens_per_s=setup.output_tokens / (prompt_s + output_s),
        device_s_per_token=setup.accelerators * (prompt_s + output_s) / tokens,
        usd_per_million_prompt_tokens=1e6 * usd_per_s * prompt_s / setup.prompt_tokens,
        usd_per_million_output_tokens=1e6 * usd_per_s * output_s / setup.output_tokens,
    )
