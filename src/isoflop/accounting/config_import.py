"""Model shapes from Hugging Face ``config.json`` files: parsed as data, nothing in them is run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from isoflop.accounting.architecture import (
    Architecture,
    Encoder,
    Experts,
    GlobalAttention,
    LatentAttention,
    PerLayerInput,
    SparseIndex,
    require_size,
)
from isoflop.accounting.config_layers import (
    LayerKinds,
    is_count,
    layer_kinds,
    n_dense_layers,
    n_layers_listed,
)
from isoflop.accounting.config_recurrent import read_recurrent
from isoflop.accounting.imported import ImportedModel
from isoflop.accounting.model_types import ModelType, load_model_types, multimodal_types
from isoflop.accounting.parameters import count_parameters
from isoflop.errors import ArchitectureError
from isoflop.language import joined, listed
from isoflop.language import lazy_gettext as _

MAX_CONFIG_BYTES = 1_000_000
ASSUMED_TRAINING_CONTEXT = 8192
"""A configuration gives the longest sequence, not the one trained on: longer ones are cut."""


# Where a configuration may keep each size; the first key present counts.
_KEYS: dict[str, tuple[str, ...]] = {
    "n_layers": ("num_hidden_layers", "n_layer", "num_layers"),
    "d_model": ("hidden_size", "n_embd", "n_embed"),
    "n_heads": ("num_attention_heads", "n_head"),
    "d_ff": ("intermediate_size", "ffn_dim", "n_inner"),
    "vocab": ("vocab_size",),
    "max_context": ("max_position_embeddings", "n_positions", "n_ctx", "seq_length"),
}
_EXPERT_KEYS: dict[str, tuple[str, ...]] = {
    "n_experts": ("n_routed_experts", "num_experts", "num_local_experts", "moe_num_experts"),
    "top_k": ("num_experts_per_tok", "moe_k", "top_k_experts", "moe_topk"),
    "d_ff": ("moe_intermediate_size", "expert_ffn_hidden_size", "intermediate_size"),
}
_SHARED_KEYS = ("n_shared_experts", "moe_num_shared_experts", "num_shared_expert")
_SHARED_WIDTH_KEYS = ("shared_expert_intermediate_size", "moe_shared_expert_intermediate_size")


def import_config(content: str | bytes, *, name: str = _("Imported model")) -> ImportedModel:
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
    style = _style(config.get("model_type"))
    read = {key: value for key, value in config.items() if key not in style.ignored}
    config = dict(style.defaults) | read
    sizes = _sizes(config, style)
    # Lists of layers are made below: their number is checked before.
    require_size("n_layers", sizes["n_layers"], name=name)
    kinds = layer_kinds(config, sizes["n_layers"])
    fields = _fields(config, style, sizes, kinds)
    max_context = fields.pop("max_context")
    context = max_context
    # A learned position table is as long as the sequences trained on; other contexts are extended.
    if "n_positions" not in fields and is_count(max_context):
        context = min(max_context, ASSUMED_TRAINING_CONTEXT)
    if context != max_context:
        notes.append(
            _(
                "A training sequence of {assumed_training_context:,} tokens is "
                "assumed; the model takes up to {max_context:,}.",
                assumed_training_context=ASSUMED_TRAINING_CONTEXT,
                max_context=max_context,
            )
        )
    architecture = Architecture(name=name, context=context, **fields)
    return ImportedModel(
        architecture=architecture,
        parameters=count_parameters(architecture),
        model_type=style.key,
        max_context=max_context,
        notes=(*notes, *_notes(config, architecture)),
    )


def _notes(config: Mapping[str, Any], shape: Architecture) -> list[str]:
    """Say what is not counted, and what is counted that published figures may leave out."""
    notes = []
    if config.get("num_nextn_predict_layers"):
        notes.append(_("The multi-token prediction layers are not counted."))
    if "quantization_config" in config:
        notes.append(_("The checkpoint is quantised; its weights are counted as parameters."))
    if shape.is_moe:
        notes.append(
            _(
                "Active parameters include the whole embedding table; some published "
                "figures leave it out. A router's balancing biases are not learned "
                "by gradient and not counted."
            )
        )
    wide = shape.global_attention
    if wide is not None and wide.values_are_keys and not config.get("num_global_key_value_heads"):
        notes.append(
            _(
                "num_global_key_value_heads is not in the file: the global layers "
                "are counted with the {n_kv_heads} key heads of the local ones. "
                "Released models have fewer.",
                n_kv_heads=shape.n_kv_heads,
            )
        )
    if shape.per_layer_input is not None:
        notes.append(
            _(
                "The layers' own embedding tables are counted as embeddings: they "
                "are looked up, not multiplied, and published effective sizes leave "
                "them out."
            )
        )
    return notes


def _style(model_type: object) -> ModelType:
    """Return how a model type is read.

    Raises
    ------
    ArchitectureError
        If it is not supported; names the supported ones.
    """
    types = load_model_types()
    if not isinstance(model_type, str) or model_type not in types:
        raise ArchitectureError(
            _("This configuration's architecture is not supported."),
            detail=f"model_type = {model_type!r}"
            if model_type
            else _("The file has no model_type."),
            hint=_("Supported model types: {types}.", types=", ".join(types)),
        )
    return types[model_type]


def _parse(content: str | bytes) -> dict[str, Any]:
    if len(content) > MAX_CONFIG_BYTES:
        raise ArchitectureError(
            _("This file is too large for a config.json."),
            detail=_(
                "{content:,} bytes; at most {max_config_bytes:,} are read.",
                content=len(content),
                max_config_bytes=MAX_CONFIG_BYTES,
            ),
            hint=_("Give the config.json itself, not the weights."),
        )
    try:
        parsed = json.loads(content)
    except (UnicodeDecodeError, RecursionError):
        raise ArchitectureError(
            _("This is not a config.json."), hint=_("Give the text file of that name.")
        ) from None
    except json.JSONDecodeError as error:
        raise ArchitectureError(
            _("This is not valid JSON."),
            detail=_(
                "Line {lineno}, column {colno}: {msg}.",
                lineno=error.lineno,
                colno=error.colno,
                msg=error.msg,
            ),
            hint=_("Paste the whole config.json, from its first {{ to its last }}."),
        ) from None
    if not isinstance(parsed, dict):
        raise ArchitectureError(
            _("A config.json is one JSON object."),
            detail=_("This is a JSON {name}.", name=type(parsed).__name__),
            hint=_("Paste the whole config.json, from its first {{ to its last }}."),
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
    kind = multimodal_types().get(str(config.get("model_type")), config.get("model_type"))
    note = _("The language model alone is counted, without its vision or audio towers.")
    return outer | {"model_type": kind} | nested, [note]


def _sizes(config: Mapping[str, Any], style: ModelType) -> dict[str, Any]:
    """Read the sizes that a model has.

    Raises
    ------
    ArchitectureError
        Naming all missing ones with the keys they may stand under.
    """
    found: dict[str, Any] = {}
    for size, keys in _KEYS.items():
        own = (style.keys[size],) if size in style.keys else keys
        value = next((config[key] for key in own if config.get(key) is not None), None)
        if value is not None:
            found[size] = value
    if isinstance(found.get("d_ff"), list) and len(set(map(str, found["d_ff"]))) == 1:
        found["d_ff"] = found["d_ff"][0]
    if "n_layers" not in found and n_layers_listed(config) is not None:
        found["n_layers"] = n_layers_listed(config)
    d_model = found.get("d_model")
    if "d_ff" not in found and style.four_times_width and is_count(d_model):
        found["d_ff"] = 4 * d_model
    if style.only_recurrent:
        found |= {"n_heads": 0, "d_ff": 0}
        # A recurrence has no longest sequence.
        found.setdefault("max_context", ASSUMED_TRAINING_CONTEXT)
    if "d_ff" not in found and "experts" in style.traits:
        found["d_ff"] = 0  # no layer has a dense MLP, or its lack is named where one has
    missing = [size for size in _KEYS if size not in found]
    if missing:
        raise ArchitectureError(
            _("This configuration lacks sizes that the counts need."),
            detail=joined(
                "\n",
                [_("missing: {keys}", keys=listed(_KEYS[size], last="or")) for size in missing],
            ),
            hint=_("Paste the whole config.json."),
        )
    if config.get("block_auto_adjust_ff_dim") and is_count(found["d_ff"]):
        found["d_ff"] = _adjusted_width(config, found["d_ff"])
    return found


def _adjusted_width(config: Mapping[str, Any], d_ff: int) -> int:
    """Width of LFM2's MLP: two thirds, times a factor, rounded up to a multiple."""
    multiple = config.get("block_multiple_of")
    factor = config.get("block_ffn_dim_multiplier")
    narrow = 2 * d_ff // 3
    if not isinstance(factor, int | float) or not is_count(multiple):
        return narrow
    return -(-int(factor * narrow) // multiple) * multiple


def _fields(
    config: Mapping[str, Any],
    style: ModelType,
    sizes: Mapping[str, Any],
    kinds: LayerKinds | None,
) -> dict[str, Any]:
    """Return the fields of the architecture, ``max_context`` beside them."""
    fields = dict(sizes) | dict(style.traits)
    fields["tied_embeddings"] = config.get("tie_word_embeddings", False)
    fields |= {"n_kv_heads": 0, "head_dim": 0} if style.only_recurrent else _heads(config, sizes)
    fields |= _biases(config, style.key) | _positions(config, style.key, sizes)
    fields |= _window(config, style, sizes, kinds) | _norms(config, style.key)
    if config.get("kv_lora_rank") is not None:
        fields |= _latent(config)
    if config.get("index_topk") is not None:
        fields["index"] = _index(config)
    fields |= _layers(style, sizes, kinds)
    recurrent = fields.pop("recurrent", {})
    if style.recurrent:
        count = _n_recurrent(style, sizes, kinds)
        if style.parallel_mixers and config.get("mamba_proj_bias"):
            raise ArchitectureError(
                _("Biases of mixers beside attention are not supported."),
                detail=_("mamba_proj_bias is true."),
            )
        if count:
            fields["recurrent"] = read_recurrent(
                config, style.recurrent, n_layers=count, sizes=sizes, traits=recurrent
            )
    fields |= _experts(config, style, fields, kinds)
    if "encoder" in style.traits:
        fields["encoder"] = _encoder(config)
    return fields | _shared_layers(config, fields, kinds) | _per_layer(config, style)


def _layers(style: ModelType, sizes: Mapping[str, Any], kinds: LayerKinds | None) -> dict[str, Any]:
    """How many layers have attention, and an MLP, where not all have."""
    if style.only_recurrent:
        return {"attention_layers": 0, "mlp_layers": 0}
    if style.parallel_mixers:
        return {"attention_layers": sizes["n_layers"]}
    if kinds is None:
        return {}
    counts = {"attention_layers": kinds.attention, "mlp_layers": kinds.mlp}
    return {name: count for name, count in counts.items() if count != sizes["n_layers"]}


def _n_recurrent(style: ModelType, sizes: Mapping[str, Any], kinds: LayerKinds | None) -> int:
    if style.only_recurrent or style.parallel_mixers:
        return int(sizes["n_layers"])
    if kinds is None:
        raise ArchitectureError(
            _("This configuration does not say which layers have attention."),
            detail=_("missing: layer_types, or the period of the attention layers"),
            hint=_("Paste the whole config.json."),
        )
    return kinds.recurrent


def _heads(config: Mapping[str, Any], sizes: Mapping[str, Any]) -> dict[str, Any]:
    d_model, n_heads = sizes["d_model"], sizes["n_heads"]
    n_kv_heads = config.get("num_key_value_heads")
    head_dim = config.get("head_dim")
    if head_dim is None:
        if not (is_count(d_model) and is_count(n_heads)) or d_model % n_heads:
            raise ArchitectureError(
                _("The width of this configuration is no multiple of its heads."),
                detail=f"width = {d_model!r}, heads = {n_heads!r}",
                hint=_("Correct one of them, or give head_dim."),
            )
        head_dim = d_model // n_heads
    return {"n_kv_heads": n_heads if n_kv_heads is None else n_kv_heads, "head_dim": head_dim}


def _biases(config: Mapping[str, Any], model_type: str) -> dict[str, Any]:
    """Biases of attention and MLP, where the configuration chooses."""
    fields: dict[str, Any] = {}
    attention = config.get("attention_bias", config.get("use_qkv_bias"))
    everywhere = config.get("use_bias")
    if attention is not None and (model_type != "gpt_neox" or attention is False):
        output = config.get("attention_out_bias", attention)
        fields |= {"qkv_bias": attention, "output_bias": output}
    if config.get("mlp_bias") is not None:
        fields["mlp_bias"] = config["mlp_bias"]
    if everywhere is not None and config.get("attention_bias") is None:
        fields |= {"qkv_bias": everywhere, "output_bias": everywhere, "mlp_bias": everywhere}
    if config.get("lm_head_bias") is not None:
        fields["head_bias"] = config["lm_head_bias"]
    return fields


def _norms(config: Mapping[str, Any], model_type: str) -> dict[str, Any]:
    """Norms on queries and keys, where the configuration chooses."""
    # Llama 4's has no gain: nothing is learned.
    if config.get("use_qk_norm") is None or model_type.startswith("llama4"):
        return {}
    if not config["use_qk_norm"]:
        return {"qk_norm": "none"}
    return {"qk_norm": "full" if model_type == "cohere" else "head"}


def _positions(
    config: Mapping[str, Any], model_type: str, sizes: Mapping[str, Any]
) -> dict[str, Any]:
    """Learned position tables, and the narrow embedding and late norms of OPT-350M."""
    context = sizes["max_context"]
    if model_type in ("gpt2", "bert", "roberta"):
        return {"n_positions": context}
    if model_type != "opt":
        return {}
    # The table has two rows more than the context.
    details: dict[str, Any] = {"n_positions": context + 2 if is_count(context) else context}
    narrow = config.get("word_embed_proj_dim", sizes["d_model"])
    if narrow != sizes["d_model"]:
        details["embedding_dim"] = narrow
    if not config.get("do_layer_norm_before", True) or config.get("_remove_final_layer_norm"):
        details["final_norm"] = False
    if not config["enable_bias"]:
        details |= {"qkv_bias": False, "output_bias": False, "mlp_bias": False}
    return details


def _window(
    config: Mapping[str, Any],
    style: ModelType,
    sizes: Mapping[str, Any],
    kinds: LayerKinds | None,
) -> dict[str, Any]:
    """Local attention: how many layers see a window only."""
    window = config.get(style.keys.get("sliding_window", "sliding_window"))
    if window is None or config.get("use_sliding_window") is False:
        return {}
    if style.key.startswith("qwen") and not config.get("use_sliding_window"):
        return {}
    if kinds is not None:
        if not kinds.local:
            return {}
        return {"window": window, "global_layers": kinds.attention - kinds.local}
    if "sliding_window_pattern" in config:
        every = config["sliding_window_pattern"]
        details = {"window": window, "global_every": every}
        wide = style.key == "gemma4_text"
        if wide and is_count(sizes["n_layers"]) and is_count(every) and sizes["n_layers"] % every:
            details = {"window": window, "global_layers": sizes["n_layers"] // every + 1}
        return details
    return {"window": window}


def _experts(
    config: Mapping[str, Any],
    style: ModelType,
    fields: Mapping[str, Any],
    kinds: LayerKinds | None,
) -> dict[str, Any]:
    """Read the experts of a style that has some, and of Gemma 4 where it is switched on."""
    if config.get("enable_moe_block"):
        return _gemma_experts(config, fields)
    if "experts" not in style.traits:
        return {}
    n_experts = _first(config, _EXPERT_KEYS["n_experts"])
    width = config.get("shared_intermediate_size")
    if kinds is not None and kinds.dense is not None and kinds.dense == kinds.mlp:
        return {"experts": None}
    if n_experts == 0 and width is not None:
        # Granite 4's dense models are their shared MLP alone.
        return {"experts": None, "d_ff": width}
    sizes = {name: _first(config, keys) for name, keys in _EXPERT_KEYS.items()}
    missing = [keys for name, keys in _EXPERT_KEYS.items() if sizes[name] is None]
    if missing:
        raise ArchitectureError(
            _("This configuration lacks sizes that the counts need."),
            detail=joined(
                "\n", [_("missing: {keys}", keys=listed(keys, last="or")) for keys in missing]
            ),
            hint=_("Paste the whole config.json."),
        )
    if not style.traits.get("mlp_bias") and (config.get("mlp_bias") or config.get("use_bias")):
        raise ArchitectureError(
            _("Biases in the layers of a mixture-of-experts model are not supported."),
            detail=_("mlp_bias or use_bias is true."),
        )
    if config.get("moe_latent_size"):
        raise ArchitectureError(
            _("Experts in a latent space are not supported."),
            detail=f"moe_latent_size = {config['moe_latent_size']!r}",
        )
    sizes["n_dense_layers"] = n_dense_layers(config, fields["n_layers"], kinds)
    sizes |= _shared_experts(config, style, sizes["d_ff"])
    traits = style.traits["experts"]
    return {"experts": Experts(**(dict(sizes) | dict(traits)))}


def _shared_experts(
    config: Mapping[str, Any], style: ModelType, expert_width: object
) -> dict[str, Any]:
    """Experts that every token passes through: their number and width."""
    width = _first(config, (*_SHARED_WIDTH_KEYS, "shared_intermediate_size"))
    number = _first(config, _SHARED_KEYS)
    if number is None:
        number = style.traits["experts"].get("n_shared", 1 if width else 0)
    if not number or width == 0:
        return {"n_shared": 0, "shared_d_ff": 0}
    if width is not None:
        # One MLP of that width, however many experts it stands for.
        return {"n_shared": 1, "shared_d_ff": width}
    return {"n_shared": number, "shared_d_ff": expert_width}


def _gemma_experts(config: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Gemma 4: experts beside the dense MLP in every layer, with three norms more."""
    sizes = _required(
        config,
        {"n_experts": "num_experts", "top_k": "top_k_experts", "d_ff": "moe_intermediate_size"},
    )
    experts = Experts(
        **sizes, n_shared=1, shared_d_ff=fields["d_ff"], router_bias=True, router_gain=True
    )
    return {"experts": experts, "norms_per_layer": 7}


def _first(config: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((config[key] for key in keys if config.get(key) is not None), None)


def _index(config: Mapping[str, Any]) -> SparseIndex:
    keys = {"n_heads": "index_n_heads", "head_dim": "index_head_dim", "top_k": "index_topk"}
    return SparseIndex(**_required(config, keys))


def _encoder(config: Mapping[str, Any]) -> Encoder:
    """Read what the class of a checkpoint has on top: a head, a pooler, both or none."""
    names = config.get("architectures")
    name = names[0] if isinstance(names, list) and names else ""
    if not isinstance(name, str):
        name = ""
    with_head = not name or name.endswith(("ForMaskedLM", "ForPreTraining", "LMHeadModel"))
    with_pooler = name.endswith(("Model", "ForPreTraining", "Classification", "ForMultipleChoice"))
    return Encoder(
        n_segments=config["type_vocab_size"],
        pooler=with_pooler and not name.endswith("TokenClassification"),
        mlm_head=with_head,
    )


def _shared_layers(
    config: Mapping[str, Any], fields: Mapping[str, Any], kinds: LayerKinds | None
) -> dict[str, Any]:
    """Layers that use another layer's keys and values, and wider heads of global layers."""
    last = config.get("num_kv_shared_layers") or 0
    if not isinstance(last, int) or isinstance(last, bool) or last < 0:
        raise ArchitectureError(
            _("The number of layers that share keys and values is not possible."),
            detail=f"num_kv_shared_layers = {last!r}",
        )
    if "global_head_dim" not in config:
        return {"n_shared_kv": last} if last else {}
    if kinds is None:
        n_layers = fields["n_layers"]
        every = config.get("sliding_window_pattern", 6)
        names = [
            "full_attention" if (layer + 1) % every == 0 or layer + 1 == n_layers else "local"
            for layer in range(n_layers)
        ]
        kinds = LayerKinds(tuple(names))
    n_local, n_global = kinds.shared(last)
    same = bool(config.get("attention_k_eq_v"))
    kv_heads = config.get("num_global_key_value_heads") if same else None
    wide = GlobalAttention(
        head_dim=config["global_head_dim"],
        n_kv_heads=fields["n_kv_heads"] if kv_heads is None else kv_heads,
        values_are_keys=same,
        n_shared=n_global,
    )
    if fields.get("qkv_bias"):
        raise ArchitectureError(
            _("Biases in attention whose layers differ are not supported."),
            detail=_("attention_bias is true."),
        )
    details = {"global_attention": wide, "n_shared_kv": n_local}
    if config.get("use_double_wide_mlp"):
        details["n_double_mlp"] = last
    return details


def _per_layer(config: Mapping[str, Any], style: ModelType) -> dict[str, Any]:
    width = config.get("hidden_size_per_layer_input")
    if not width or "vocab_size_per_layer_input" not in style.defaults:
        return {}
    extra = PerLayerInput(
        vocab=config["vocab_size_per_layer_input"],
        width=width,
        n_streams=config.get("altup_num_inputs", 0),
        low_rank=config.get("laurel_rank", 0),
    )
    return {"per_layer_input": extra}


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
    head_dim = {"head_dim": sum(heads)} if all(is_count(size) for size in heads) else {}
    return head_dim | {"latent": LatentAttention(query_rank=query_rank, **sizes)}


def _required(config: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Any]:
    missing = [key for key in keys.values() if config.get(key) is None]
    if missing:
        raise ArchitectureError(
            _("This configuration lacks sizes that the counts need."),
            detail=joined("\n", [_("missing: {key}", key=key) for key in missing]),
            hint=_("Paste the whole config.json."),
        )
    return {field: config[key] for field, key in keys.items()}
