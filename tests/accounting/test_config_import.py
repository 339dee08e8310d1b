import csv
import json
from contextlib import suppress

import huggingface_hub.errors
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isoflop.accounting import find_model
from isoflop.accounting.config_import import import_config
from isoflop.accounting.model_types import load_model_types
from isoflop.errors import ArchitectureError, IsoflopError

LLAMA_3_8B = {
    "architectures": ["LlamaForCausalLM"],
    "attention_bias": False,
    "hidden_act": "silu",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "max_position_embeddings": 8192,
    "model_type": "llama",
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-05,
    "rope_theta": 500000.0,
    "tie_word_embeddings": False,
    "vocab_size": 128256,
}

# Configurations as their repositories hold them, less the keys that no count depends on.
CONFIGS = {
    "gpt2": {
        "model_type": "gpt2", "n_ctx": 1024, "n_embd": 768, "n_head": 12, "n_layer": 12,
        "n_positions": 1024, "vocab_size": 50257,
    },
    "Cerebras-GPT-111M": {
        "model_type": "gpt2", "n_embd": 768, "n_head": 12, "n_inner": 3072, "n_layer": 10,
        "n_positions": 2048, "vocab_size": 50257,
    },
    "pythia-1b": {
        "model_type": "gpt_neox", "hidden_size": 2048, "intermediate_size": 8192,
        "max_position_embeddings": 2048, "num_attention_heads": 8, "num_hidden_layers": 16,
        "tie_word_embeddings": False, "vocab_size": 50304, "use_parallel_residual": True,
    },
    "opt-1.3b": {
        "model_type": "opt", "hidden_size": 2048, "ffn_dim": 8192, "do_layer_norm_before": True,
        "max_position_embeddings": 2048, "num_attention_heads": 32, "num_hidden_layers": 24,
        "vocab_size": 50272, "word_embed_proj_dim": 2048,
    },
    "opt-350m": {
        "model_type": "opt", "hidden_size": 1024, "ffn_dim": 4096, "do_layer_norm_before": False,
        "max_position_embeddings": 2048, "num_attention_heads": 16, "num_hidden_layers": 24,
        "vocab_size": 50272, "word_embed_proj_dim": 512,
    },
    "bloom-560m": {
        "model_type": "bloom", "n_embed": 1024, "n_layer": 24, "num_attention_heads": 16,
        "seq_length": 2048, "vocab_size": 250880,
    },
    "bloom-176b": {
        "model_type": "bloom", "hidden_size": 14336, "n_layer": 70, "n_head": 112,
        "vocab_size": 250880,
    },
    "Llama-3-8B": LLAMA_3_8B,
    "Llama-3.2-1B": LLAMA_3_8B | {
        "head_dim": 64, "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16,
        "max_position_embeddings": 131072, "tie_word_embeddings": True,
    },
    "Qwen2.5-7B": {
        "model_type": "qwen2", "hidden_size": 3584, "intermediate_size": 18944,
        "max_position_embeddings": 131072, "max_window_layers": 28, "num_attention_heads": 28,
        "num_hidden_layers": 28, "num_key_value_heads": 4, "sliding_window": 131072,
        "tie_word_embeddings": False, "use_sliding_window": False, "vocab_size": 152064,
    },
    "Qwen3-4B": {
        "model_type": "qwen3", "attention_bias": False, "head_dim": 128, "hidden_size": 2560,
        "intermediate_size": 9728, "max_position_embeddings": 40960, "num_attention_heads": 32,
        "num_hidden_layers": 36, "num_key_value_heads": 8, "sliding_window": None,
        "tie_word_embeddings": True, "use_sliding_window": False, "vocab_size": 151936,
    },
    "Qwen3-30B-A3B": {
        "model_type": "qwen3_moe", "attention_bias": False, "decoder_sparse_step": 1,
        "head_dim": 128, "hidden_size": 2048, "intermediate_size": 6144, "mlp_only_layers": [],
        "max_position_embeddings": 40960, "moe_intermediate_size": 768,
        "num_attention_heads": 32, "num_experts": 128, "num_experts_per_tok": 8,
        "num_hidden_layers": 48, "num_key_value_heads": 4, "tie_word_embeddings": False,
        "use_sliding_window": False, "vocab_size": 151936,
    },
    "Gemma-2b": {
        "model_type": "gemma", "attention_bias": False, "head_dim": 256, "hidden_size": 2048,
        "intermediate_size": 16384, "max_position_embeddings": 8192, "num_attention_heads": 8,
        "num_hidden_layers": 18, "num_key_value_heads": 1, "vocab_size": 256000,
    },
    "Gemma-2-9b": {
        "model_type": "gemma2", "attention_bias": False, "head_dim": 256, "hidden_size": 3584,
        "intermediate_size": 14336, "max_position_embeddings": 8192, "num_attention_heads": 16,
        "num_hidden_layers": 42, "num_key_value_heads": 8, "sliding_window": 4096,
        "vocab_size": 256000,
    },
    "Gemma-3-1b": {
        "model_type": "gemma3_text", "attention_bias": False, "head_dim": 256,
        "hidden_size": 1152, "intermediate_size": 6912, "max_position_embeddings": 32768,
        "num_attention_heads": 4, "num_hidden_layers": 26, "num_key_value_heads": 1,
        "sliding_window": 512, "sliding_window_pattern": 6, "vocab_size": 262144,
    },
    "Mistral-7B-v0.1": {
        "model_type": "mistral", "hidden_size": 4096, "intermediate_size": 14336,
        "max_position_embeddings": 32768, "num_attention_heads": 32, "num_hidden_layers": 32,
        "num_key_value_heads": 8, "sliding_window": 4096, "tie_word_embeddings": False,
        "vocab_size": 32000,
    },
    "Mixtral-8x7B": {
        "model_type": "mixtral", "hidden_size": 4096, "intermediate_size": 14336,
        "max_position_embeddings": 32768, "num_attention_heads": 32, "num_experts_per_tok": 2,
        "num_hidden_layers": 32, "num_key_value_heads": 8, "num_local_experts": 8,
        "sliding_window": None, "tie_word_embeddings": False, "vocab_size": 32000,
    },
    "OLMo-1B": {
        "model_type": "olmo", "attention_bias": False, "hidden_size": 2048,
        "intermediate_size": 8192, "max_position_embeddings": 2048, "num_attention_heads": 16,
        "num_hidden_layers": 16, "num_key_value_heads": 16, "tie_word_embeddings": True,
        "vocab_size": 50304,
    },
    "OLMo-2-7B": {
        "model_type": "olmo2", "attention_bias": False, "hidden_size": 4096,
        "intermediate_size": 11008, "max_position_embeddings": 4096, "num_attention_heads": 32,
        "num_hidden_layers": 32, "num_key_value_heads": 32, "tie_word_embeddings": False,
        "vocab_size": 100352,
    },
    "DeepSeek-V3": {
        "model_type": "deepseek_v3", "attention_bias": False, "first_k_dense_replace": 3,
        "hidden_size": 7168, "intermediate_size": 18432, "kv_lora_rank": 512,
        "max_position_embeddings": 163840, "moe_intermediate_size": 2048, "moe_layer_freq": 1,
        "n_routed_experts": 256, "n_shared_experts": 1, "num_attention_heads": 128,
        "num_experts_per_tok": 8, "num_hidden_layers": 61, "num_key_value_heads": 128,
        "num_nextn_predict_layers": 1, "q_lora_rank": 1536, "qk_nope_head_dim": 128,
        "qk_rope_head_dim": 64, "tie_word_embeddings": False, "v_head_dim": 128,
        "vocab_size": 129280, "quantization_config": {"quant_method": "fp8"},
    },
}  # fmt: skip


BALANCING_BIASES = {"DeepSeek-V3": 58 * 256}
"""Held by the released checkpoint, and a buffer in the code that counts."""


@pytest.mark.parametrize("name", CONFIGS)
def test_a_configuration_counts_as_its_released_model(name):
    imported = import_config(json.dumps(CONFIGS[name]))
    released = find_model(name)
    buffers = BALANCING_BIASES.get(name, 0)
    assert imported.parameters.total == released.parameters.total - buffers
    assert imported.parameters.active == released.parameters.active - buffers
    assert imported.max_context == released.max_context or name in ("DeepSeek-V3", "gpt2")
    shape = imported.architecture
    assert (shape.window, shape.n_local_layers) == (
        released.architecture.window,
        released.architecture.n_local_layers,
    )


# What the configuration classes of a type need said, since their defaults build no model.
NEEDED = {
    "deepseek_v2": {"num_experts_per_tok": 2},
    "dots1": {"n_routed_experts": 8, "n_shared_experts": 1, "num_experts_per_tok": 2},
    "glm4_moe": {"head_dim": 128},
    "hunyuan_v1_dense": {"head_dim": 64},
    "ministral": {"head_dim": 128},
}
VARIANTS = {
    "as its class": {},
    "deeper": {"num_hidden_layers": 7},
    "biased": {"num_hidden_layers": 9, "attention_bias": True},
    "normed": {"mlp_bias": True, "use_bias": True, "mamba_proj_bias": True, "use_qk_norm": True},
    "small": {"num_hidden_layers": 6, "num_attention_heads": 8, "hidden_size": 512,
              "intermediate_size": 777, "num_key_value_heads": 2, "head_dim": 48},
}  # fmt: skip


NOT_SUPPORTED = {
    ("normed", "deepseek_v2"),
    ("normed", "deepseek_v32"),
    ("normed", "ernie4_5_moe"),
    ("normed", "falcon_h1"),
    ("normed", "glm_moe_dsa"),
    ("normed", "nemotron_h"),
    ("biased", "gemma4_text"),
}
"""Their code gives some of their matrices a bias and others none."""


@pytest.mark.slow
@pytest.mark.parametrize("model_type", sorted(load_model_types()))
def test_a_type_counts_as_its_own_code_does(model_type):
    """Every model is built by transformers on the meta device, where a parameter takes no room."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    refusals = (ValueError, AssertionError, huggingface_hub.errors.StrictDataclassError)
    if (
        model_type == "kimi_k2"
    ):  # code of its own in the repository of its weights, as DeepSeek-V3's
        model_type = "deepseek_v3"
    encoder = model_type in ("bert", "roberta")
    build = transformers.AutoModelForMaskedLM if encoder else transformers.AutoModelForCausalLM
    config_class = transformers.CONFIG_MAPPING[model_type]
    needed = NEEDED.get(model_type, {})
    known = config_class(**needed).to_dict()
    compared = 0
    for name, variant in VARIANTS.items():
        changes = {key: value for key, value in variant.items() if key in known}
        try:
            config = config_class(**(needed | changes))
            with torch.device("meta"):
                model = build.from_config(config)
        except refusals:
            continue  # the class refuses it too: a layer list or a padding token that does not fit
        expected = sum(weights.numel() for weights in model.parameters())
        text = config.to_json_string(use_diff=False)
        if (name, model_type) in NOT_SUPPORTED:
            with pytest.raises(ArchitectureError, match="are not supported"):
                import_config(text)
            continue
        assert import_config(text).parameters.total == expected, name
        compared += 1
    assert compared >= 1


def test_configurations_count_as_they_did_in_the_facts(shared):
    folder = shared / "facts" / "configs"
    with (folder / "counts.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    wrong = []
    for row in rows:
        imported = import_config((folder / row["config_file"]).read_text("utf-8"))
        counted = (imported.parameters.total, imported.parameters.active)
        if counted != (int(row["params_total"]), int(row["params_active"])):
            wrong.append(row["model"])
            # These two files lack the key that their counts were made with, and that is said.
            assert imported.notes[-1].startswith("num_global_key_value_heads is not in the file")
    assert wrong == ["Gemma-4-31B (text)", "Gemma-4-26B-A4B (text)"]
    assert len(rows) >= 23


def test_the_language_model_of_a_multimodal_configuration():
    """Google/gemma-3-12b-it: only what differs from the defaults is given."""
    config = {
        "model_type": "gemma3",
        "text_config": {
            "hidden_size": 3840,
            "intermediate_size": 15360,
            "model_type": "gemma3_text",
            "num_attention_heads": 16,
            "num_hidden_layers": 48,
            "num_key_value_heads": 8,
            "sliding_window": 1024,
        },
        "vision_config": {"hidden_size": 1152},
    }
    imported = import_config(json.dumps(config))
    # The multimodal vocabulary has 64 more rows than the text one.
    text = find_model("Gemma-3-12b").parameters.total
    assert imported.parameters.total == text + 64 * 3840
    assert imported.architecture.n_local_layers == 40
    assert imported.notes[0].startswith("The language model alone is counted")


def test_layer_types_say_which_layers_are_local():
    types = (["sliding_attention"] * 5 + ["full_attention"]) * 4 + ["sliding_attention"] * 2
    config = CONFIGS["Gemma-3-1b"] | {"layer_types": types}
    assert import_config(json.dumps(config)).architecture.n_local_layers == 22


def test_what_is_assumed_is_noted():
    notes = import_config(json.dumps(CONFIGS["DeepSeek-V3"])).notes
    assert notes == (
        "A training sequence of 8,192 tokens is assumed; the model takes up to 163,840.",
        "The multi-token prediction layers are not counted.",
        "The checkpoint is quantised; its weights are counted as parameters.",
        "Active parameters include the whole embedding table; some published figures leave it out. "
        "A router's balancing biases are not learned by gradient and not counted.",
    )


def test_attention_and_mlp_biases_are_read():
    biased = LLAMA_3_8B | {"attention_bias": True, "mlp_bias": True}
    difference = (
        import_config(json.dumps(biased)).parameters.total
        - import_config(json.dumps(LLAMA_3_8B)).parameters.total
    )
    assert difference == 32 * (4096 + 2 * 1024 + 4096 + 2 * 14336 + 4096)


@pytest.mark.parametrize(
    ("content", "message", "detail"),
    [
        ("", "This is not valid JSON.", "Line 1, column 1"),
        ("{", "This is not valid JSON.", "Line 1, column 2"),
        ("[1, 2]", "A config.json is one JSON object.", "This is a JSON list."),
        (b"\xff\xfe\x00", "This is not a config.json.", ""),
        ("[" * 200_000, "This is not a config.json.", ""),
        (" " * 1_000_001, "This file is too large for a config.json.", "1,000,001 bytes"),
        ("{}", "architecture is not supported", "The file has no model_type."),
        ('{"model_type": "rwkv"}', "architecture is not supported", "model_type = 'rwkv'"),
        ('{"model_type": ["llama"]}', "architecture is not supported", "model_type = ['llama']"),
    ],
)
def test_what_is_no_configuration_is_refused(content, message, detail):
    with pytest.raises(ArchitectureError) as caught:
        import_config(content)
    assert message in caught.value.summary
    assert detail in caught.value.detail
    assert caught.value.hint


def test_unsupported_types_name_the_supported_ones():
    with pytest.raises(ArchitectureError) as caught:
        import_config('{"model_type": "t5"}')
    assert "deepseek_v3, deepseek_v32, dots1" in caught.value.hint


def test_all_missing_sizes_are_named():
    with pytest.raises(ArchitectureError, match="lacks sizes that the counts need") as caught:
        import_config('{"model_type": "llama", "hidden_size": 4096}')
    assert caught.value.detail.splitlines() == [
        "missing: num_hidden_layers, n_layer or num_layers",
        "missing: num_attention_heads or n_head",
        "missing: intermediate_size, ffn_dim or n_inner",
        "missing: vocab_size",
        "missing: max_position_embeddings, n_positions, n_ctx or seq_length",
    ]


@pytest.mark.parametrize(
    ("name", "change", "detail"),
    [
        ("Llama-3-8B", {"num_hidden_layers": -3}, "n_layers = -3 lies outside 1 to 10,000"),
        ("Llama-3-8B", {"hidden_size": "4096"}, "width = '4096', heads = 32"),
        ("Llama-3-8B", {"hidden_size": 4097}, "width = 4097, heads = 32"),
        ("Llama-3-8B", {"num_attention_heads": 0}, "width = 4096, heads = 0"),
        ("Llama-3-8B", {"vocab_size": 10**15}, "vocab = 1,000,000,000,000,000 lies outside"),
        ("Llama-3-8B", {"vocab_size": 1.5}, "vocab = 1.5 is not an integer"),
        ("Llama-3-8B", {"max_position_embeddings": "8k"}, "context = '8k' is not an integer"),
        ("Llama-3-8B", {"num_key_value_heads": 5}, "n_heads = 32 is no multiple of n_kv_heads = 5"),
        ("Llama-3-8B", {"tie_word_embeddings": "no"}, "tied_embeddings = 'no' is neither true nor"),
        ("Llama-3-8B", {"attention_bias": 3}, "qkv_bias = 3 is neither true nor false"),
        ("gpt2", {"n_positions": "many"}, "n_positions = 'many' is not an integer"),
        ("opt-1.3b", {"max_position_embeddings": [1]}, "n_positions = [1] is not an integer"),
        ("Gemma-2-9b", {"sliding_window": "wide"}, "window = 'wide' is not an integer"),
        ("Gemma-3-1b", {"sliding_window_pattern": None}, "global_every = None is not an integer"),
        ("Mixtral-8x7B", {"num_experts_per_tok": 9}, "top_k = 9 exceeds n_experts = 8"),
        ("Mixtral-8x7B", {"num_local_experts": None}, "missing: n_routed_experts, num"),
        ("Qwen3-30B-A3B", {"mlp_only_layers": list(range(48))}, "leaves none of 48 for experts"),
        ("Qwen3-30B-A3B", {"layer_types": ["full_attention"] * 3}, "3 types for 48 layers"),
        ("Qwen3-30B-A3B", {"layer_types": ["retention"] * 48}, "retention"),
        ("DeepSeek-V3", {"qk_rope_head_dim": "64"}, "rope_head_dim = '64' is not an integer"),
        ("DeepSeek-V3", {"v_head_dim": None}, "missing: v_head_dim"),
    ],
)
def test_absurd_fields_are_refused(name, change, detail):
    with pytest.raises(ArchitectureError) as caught:
        import_config(json.dumps(CONFIGS[name] | change))
    assert detail in caught.value.detail


@pytest.mark.parametrize(
    ("change", "n_dense"),
    [
        ({}, 0),
        ({"mlp_only_layers": [0, 3]}, 2),
        ({"decoder_sparse_step": 2}, 24),
        ({"decoder_sparse_step": 2, "mlp_only_layers": [0, 1]}, 25),
    ],
)
def test_dense_layers_between_experts_are_counted(change, n_dense):
    shape = import_config(json.dumps(CONFIGS["Qwen3-30B-A3B"] | change)).architecture
    assert shape.experts.n_dense_layers == n_dense
    assert shape.n_dense_mlp_layers == n_dense


@pytest.mark.parametrize(
    ("architectures", "added"),
    [
        (["BertModel"], 768 * 769),
        (["BertForMaskedLM"], 768 * 769 + 2 * 768 + 30522),
        (["BertForPreTraining"], 2 * 768 * 769 + 2 * 768 + 30522),
        (["BertForTokenClassification"], 0),
    ],
)
def test_an_encoder_has_on_top_what_its_class_has(architectures, added):
    config = {
        "architectures": architectures, "model_type": "bert", "hidden_size": 768,
        "intermediate_size": 3072, "max_position_embeddings": 512, "num_attention_heads": 12,
        "num_hidden_layers": 12, "type_vocab_size": 2, "vocab_size": 30522,
    }  # fmt: skip
    bare = find_model("BERT-base").parameters.total - 768 * 769
    assert import_config(json.dumps(config)).parameters.total == bare + added


@pytest.mark.parametrize("key", ["layer_types", "layers_block_type"])
def test_one_of_many_layers_of_a_list_is_enough_to_know_the_depth(key, shared):
    text = (shared / "facts" / "configs" / "Nemotron-H-8B.json").read_text("utf-8")
    config = json.loads(text)
    config[key] = config.pop("layers_block_type")
    shape = import_config(json.dumps(config)).architecture
    assert (shape.n_layers, shape.n_attention_layers, shape.n_mlp_layers) == (52, 4, 24)
    assert shape.recurrent.n_layers == 24


def test_a_pattern_of_letters_is_a_list_of_layers(shared):
    config = json.loads((shared / "facts" / "configs" / "Nemotron-H-8B.json").read_text("utf-8"))
    letters = {"linear_attention": "M", "full_attention": "*", "mlp": "-"}
    kinds = config.pop("layers_block_type")
    config |= {"hybrid_override_pattern": "".join(letters[kind] for kind in kinds)}
    config |= {"num_hidden_layers": 52}
    assert import_config(json.dumps(config)).parameters.total == 8_100_852_736


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def many_configs(shared):
    files = sorted((shared / "facts" / "configs").glob("*.json"))
    return [*CONFIGS.values(), *(json.loads(path.read_text("utf-8")) for path in files)]


@pytest.mark.slow
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_junk_in_any_field_is_a_clear_error_or_a_model(many_configs, data):
    config = dict(data.draw(st.sampled_from(many_configs)))
    key = data.draw(st.sampled_from([*sorted(config), "layer_types", "text_config", "head_dim"]))
    config[key] = data.draw(JUNK)
    with suppress(IsoflopError):
        assert import_config(json.dumps(config)).parameters.total > 0
