"""Model shapes from Hugging Face ``config.json`` files: parsed as data, nothing in them is run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isoflop.accounting.architecture import Architecture, Experts, LatentAttention
from isoflop.accounting.counts import ParameterCount
from isoflop.accounting.families import Family, load_families
from isoflop.accounting.parameters import count_parameters
from isoflop.errors import ArchitectureError

MAX_CONFIG_BYTES = 1_000_000
ASSUMED_TRAINING_CONTEXT = 8192
"""A configuration gives the longest sequence, not the one trained on: longer ones are cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedModel:
    """A model shape read from a configuration.

    Parameters
    ----------
    architecture : Architecture
    parameters : ParameterCount
    family : str
        Key of the family whose style it has.
    model_type : str
        As the configuration gives it.
    max_context : int
        Longest sequence that the model takes, in tokens.
    notes : tuple of str
        What was assumed, or is not counted.
    """

    architecture: Architecture
    parameters: ParameterCount
    family: str
    model_type: str
    max_context: int
    notes: tuple[str, ...]


# Where a configuration may keep each size; the first key present counts.
_KEYS: dict[str, tuple[str, ...]] = {
    "n_layers": ("num_hidden_layers", "n_layer", "num_layers"),
    "d_model": ("hidden_size", "n_embd", "n_embed"),
    "n_heads": ("num_attention_heads", "n_head"),
    "d_ff": ("intermediate_size", "ffn_dim", "n_inner"),
    "vocab": ("vocab_size",),
    "max_context": ("max_position_embeddings", "n_positions", "n_ctx", "seq_length"),
}

# Sizes that may be missing, and what they then are in terms of the others.
_FOUR_TIMES_WIDTH = frozenset({"gpt2", "bloom"})

# What a configuration class of the transformers library assumes where a file leaves a key out.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "bloom": {"seq_length": 2048, "tie_word_embeddings": True},
    "gpt2": {"tie_word_embeddings": True},
    "opt": {"tie_word_embeddings": True, "enable_bias": True},
    "gemma": {"tie_word_embeddings": True, "head_dim": 256},
    "gemma2": {"tie_word_embeddings": True, "head_dim": 256, "sliding_window": 4096},
    "qwen3": {"head_dim": 128},
    "qwen3_moe": {"head_dim": 128},
    # Multimodal files give only what differs from these.
    "gemma3_text": {
        "tie_word_embeddings": True,
        "vocab_size": 262_208,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "max_position_embeddings": 131_072,
        "sliding_window": 4096,
        "sliding_window_pattern": 6,
    },
}  # fmt: skip

# What a configuration takes from the family of its style.
_STYLE_KEYS = (
    "gated_mlp",
    "norm",
    "norms_per_layer",
    "embedding_norm",
    "qk_norm",
    "qkv_bias",
    "output_bias",
    "mlp_bias",
)


def import_config(content: str | bytes, *, name: str = "Imported model") -> ImportedModel:
    """Read a model shape from the text of a Hugging Face ``config.json``.

    Parameters
    ----------
    content : str or bytes
        The file's content, or what was pasted.
    name : str
        Name to give the model.

    Raises
    ------
    ArchitectureError
        If it is not such a file, its ``model_type`` is not supported, or a size is missing, absurd
        or contradicts another.
    """
    config, notes = _language_model(_parse(content))
    family = _family(config.get("model_type"))
    model_type = str(config["model_type"])
    config = _DEFAULTS.get(model_type, {}) | config
    sizes = _sizes(config, model_type)
    traits = {key: family.traits[key] for key in _STYLE_KEYS if key in family.traits}
    fields = sizes | traits | _details(config, model_type, sizes)
    max_context = fields.pop("max_context")
    context = max_context
    # A learned position table is as long as the sequences trained on; other contexts are extended.
    if "n_positions" not in fields and _is_count(max_context):
        context = min(max_context, ASSUMED_TRAINING_CONTEXT)
    if context != max_context:
        notes.append(
            f"A training sequence of {ASSUMED_TRAINING_CONTEXT:,} tokens is assumed; the model "
            f"takes up to {max_context:,}."
        )
    if config.get("num_nextn_predict_layers"):
        notes.append("The multi-token prediction layers are not counted.")
    if "quantization_config" in config:
        notes.append("The checkpoint is quantised; its weights are counted as parameters.")
    architecture = Architecture(name=name, context=context, **fields)
    return ImportedModel(
        architecture=architecture,
        parameters=count_parameters(architecture),
        family=family.key,
        model_type=model_type,
        max_context=max_context,
        notes=tuple(notes),
    )


def _family(model_type: object) -> Family:
    """Return the family whose style a model type has.

    Raises
    ------
    ArchitectureError
        If there is none; names the supported ones.
    """
    families = {kind: family for family in load_families().values() for kind in family.model_types}
    if not isinstance(model_type, str) or model_type not in families:
        raise ArchitectureError(
            "This configuration's architecture is not supported.",
            detail=f"model_type = {model_type!r}" if model_type else "The file has no model_type.",
            hint=f"Supported model types: {', '.join(sorted(families))}.",
        )
    return families[model_type]


def _parse(content: str | bytes) -> dict[str, Any]:
    if len(content) > MAX_CONFIG_BYTES:
        raise ArchitectureError(
            "This file is too large for a config.json.",
            detail=f"{len(content):,} bytes; at most {MAX_CONFIG_BYTES:,} are read.",
            hint="Give the config.json itself, not the weights.",
        )
    try:
        parsed = json.loads(content)
    except (UnicodeDecodeError, RecursionError):
        raise ArchitectureError(
            "This is not a config.json.", hint="Give the text file of that name."
        ) from None
    except json.JSONDecodeError as error:
        raise ArchitectureError(
            "This is not valid JSON.",
            detail=f"Line {error.lineno}, column {error.colno}: {error.msg}.",
            hint="Paste the whole config.json, from its first { to its last }.",
        ) from None
    if not isinstance(parsed, dict):
        raise ArchitectureError(
            "A config.json is one JSON object.",
            detail=f"This is a JSON {type(parsed).__name__}.",
            hint="Paste the whole config.json, from its first { to its last }.",
        )
    return parsed


def _language_model(config: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the language model's part of a multimodal configuration, else all of it."""
    nested = config.get("text_config")
    if not isinstance(nested, dict):
        return config, []
    outer = {
        key: config[key] for key in ("tie_word_embeddings", "quantization_config") if key in config
    }
    kind = {"gemma3": "gemma3_text"}.get(str(config.get("model_type")), config.get("model_type"))
    note = "The language model alone is counted, without its vision or audio towers."
    return outer | {"model_type": kind} | nested, [note]


def _sizes(config: Mapping[str, Any], model_type: str) -> dict[str, Any]:
    """Read the sizes that every style has.

    Raises
    ------
    ArchitectureError
        Naming all missing ones with the keys they may stand under.
    """
    found = {}
    for size, keys in _KEYS.items():
        value = next((config[key] for key in keys if config.get(key) is not None), None)
        if value is not None:
            found[size] = value
    if "d_ff" not in found and model_type in _FOUR_TIMES_WIDTH and _is_count(found.get("d_model")):
        found["d_ff"] = 4 * found["d_model"]
    missing = [size for size in _KEYS if size not in found]
    if missing:
        raise ArchitectureError(
            "This configuration lacks sizes that the counts need.",
            detail="\n".join(f"missing: {' or '.join(_KEYS[size])}" for size in missing),
            hint="Paste the whole config.json.",
        )
    return found


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _details(
    config: Mapping[str, Any], model_type: str, sizes: Mapping[str, Any]
) -> dict[str, Any]:
    """Read heads, embeddings, biases, windows, experts and latent attention."""
    d_model, n_heads = sizes["d_model"], sizes["n_heads"]
    details: dict[str, Any] = {"tied_embeddings": config.get("tie_word_embeddings", False)}
    n_kv_heads = config.get("num_key_value_heads")
    details["n_kv_heads"] = n_heads if n_kv_heads is None else n_kv_heads
    head_dim = config.get("head_dim")
    if head_dim is None:
        if not (_is_count(d_model) and _is_count(n_heads)) or d_model % n_heads:
            raise ArchitectureError(
                "The width of this configuration is no multiple of its heads.",
                detail=f"width = {d_model!r}, heads = {n_heads!r}",
                hint="Correct one of them, or give head_dim.",
            )
        head_dim = d_model // n_heads
    details["head_dim"] = head_dim
    if config.get("attention_bias") is not None and model_type != "gpt_neox":
        details |= {"qkv_bias": config["attention_bias"], "output_bias": config["attention_bias"]}
    elif config.get("attention_bias") is False:
        details |= {"qkv_bias": False, "output_bias": False}
    if config.get("mlp_bias") is not None:
        details["mlp_bias"] = config["mlp_bias"]
    details |= _positions(config, model_type, sizes)
    details |= _window(config, model_type, sizes)
    details |= _experts(config, model_type)
    if config.get("kv_lora_rank") is not None:
        details |= _latent(config)
    return details


def _positions(
    config: Mapping[str, Any], model_type: str, sizes: Mapping[str, Any]
) -> dict[str, Any]:
    """Learned position tables, and the narrow embedding and late norms of OPT-350M."""
    if model_type == "gpt2":
        return {"n_positions": sizes["max_context"]}
    if model_type != "opt":
        return {}
    context = sizes["max_context"]
    # The table has two rows more than the context.
    details: dict[str, Any] = {"n_positions": context + 2 if _is_count(context) else context}
    narrow = config.get("word_embed_proj_dim", sizes["d_model"])
    if narrow != sizes["d_model"]:
        details["embedding_dim"] = narrow
    if not config.get("do_layer_norm_before", True) or config.get("_remove_final_layer_norm"):
        details["final_norm"] = False
    if not config["enable_bias"]:
        details |= {"qkv_bias": False, "output_bias": False, "mlp_bias": False}
    return details


def _window(config: Mapping[str, Any], model_type: str, sizes: Mapping[str, Any]) -> dict[str, Any]:
    """Local attention: which layers see a window only."""
    window = config.get("sliding_window")
    if window is None or config.get("use_sliding_window") is False:
        return {}
    if model_type.startswith("qwen") and not config.get("use_sliding_window"):
        return {}
    types = config.get("layer_types")
    if isinstance(types, list) and types:
        n_global = sum(kind == "full_attention" for kind in types)
        if n_global == len(types):
            return {}
        return {"window": window, "global_every": len(types) // n_global if n_global else 0}
    if model_type == "gemma2":
        return {"window": window, "global_every": 2}
    if model_type == "gemma3_text":
        return {"window": window, "global_every": config["sliding_window_pattern"]}
    return {"window": window}


def _experts(config: Mapping[str, Any], model_type: str) -> dict[str, Any]:
    match model_type:
        case "mixtral":
            keys = {
                "n_experts": "num_local_experts",
                "top_k": "num_experts_per_tok",
                "d_ff": "intermediate_size",
            }
            return {"experts": Experts(**_required(config, keys))}
        case "qwen3_moe":
            if config.get("mlp_only_layers") or config.get("decoder_sparse_step", 1) != 1:
                raise ArchitectureError(
                    "Dense layers between the expert layers are not supported.",
                    detail="mlp_only_layers is not empty, or decoder_sparse_step is not 1.",
                )
            keys = {
                "n_experts": "num_experts",
                "top_k": "num_experts_per_tok",
                "d_ff": "moe_intermediate_size",
            }
            return {"experts": Experts(**_required(config, keys))}
        case "deepseek_v3":
            if config.get("moe_layer_freq", 1) != 1:
                raise ArchitectureError(
                    "Dense layers between the expert layers are not supported.",
                    detail=f"moe_layer_freq = {config['moe_layer_freq']!r}",
                )
            keys = {
                "n_experts": "n_routed_experts",
                "top_k": "num_experts_per_tok",
                "d_ff": "moe_intermediate_size",
                "n_dense_layers": "first_k_dense_replace",
            }
            sizes = _required(config, keys)
            n_shared = config.get("n_shared_experts") or 0
            width = sizes["d_ff"] if n_shared else 0
            experts = Experts(**sizes, n_shared=n_shared, shared_d_ff=width, router_bias=True)
            return {"experts": experts}
    return {}


def _latent(config: Mapping[str, Any]) -> dict[str, Any]:
    keys = {
        "kv_rank": "kv_lora_rank",
        "nope_head_dim": "qk_nope_head_dim",
        "rope_head_dim": "qk_rope_head_dim",
        "value_head_dim": "v_head_dim",
    }
    sizes = _required(config, keys)
    query_rank = config.get("q_lora_rank") or 0
    heads = (sizes["nope_head_dim"], sizes["rope_head_dim"])
    head_dim = {"head_dim": sum(heads)} if all(_is_count(size) for size in heads) else {}
    return head_dim | {"latent": LatentAttention(query_rank=query_rank, **sizes)}


def _required(config: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Any]:
    missing = [key for key in keys.values() if config.get(key) is None]
    if missing:
        raise ArchitectureError(
            "This configuration lacks sizes that the counts need.",
            detail="\n".join(f"missing: {key}" for key in missing),
            hint="Paste the whole config.json.",
        )
    return {field: config[key] for field, key in keys.items()}
