import datetime

import pytest

from isoflop.accounting import find_family, find_model, load_families
from isoflop.accounting.families import _read_family
from isoflop.errors import CatalogError

EXPECTED = [
    "gpt-2", "gpt-3", "chinchilla", "pythia", "gpt-neox", "cerebras-gpt", "opt", "bloom", "llama-1",
    "llama-2", "llama-3", "qwen-2.5", "qwen-3", "gemma-1", "gemma-2", "gemma-3", "mistral",
    "mixtral", "olmo-1", "olmo-2", "deepseek-v3", "phi-4", "olmo-3", "glm-4.5", "kimi-k2",
    "ministral-3", "ernie-4.5", "bert", "roberta", "mamba-2", "jamba", "nemotron-h", "gemma-3n",
    "gpt-oss", "llama-4", "smollm-3", "qwen-3-next", "deepseek-v3.2", "minimax-m2", "granite-4",
    "gemma-4", "glm-5", "qwen-3.5",
]  # fmt: skip


def test_all_families_are_there():
    assert sorted(load_families()) == sorted(EXPECTED)


@pytest.mark.parametrize("family", load_families().values(), ids=lambda family: family.key)
def test_family_files_are_plausible(family):
    assert family.label
    assert family.source
    assert 2018 <= family.year <= datetime.date.fromisoformat(family.retrieved).year
    totals = [model.parameters.total for model in family.models]
    assert totals == sorted(totals)
    for model in family.models:
        shape = model.architecture
        assert 1e7 < model.parameters.total < 2e12, model.name
        assert 16 <= shape.head_dim <= 256 or not shape.n_attention_layers, model.name
        assert 2 <= shape.d_model / shape.n_layers <= 300, model.name
        assert 1 < shape.d_ff / shape.d_model <= 8 or shape.is_moe or not shape.d_ff, model.name
        assert 512 <= shape.context <= model.max_context, model.name
        assert model.source, model.name
        assert model.total_source, model.name


@pytest.mark.parametrize(
    ("name", "total", "active"),
    [
        ("Phi-4", 14_659_507_200, 14_659_507_200),
        ("Phi-4-mini", 3_836_021_760, 3_836_021_760),
        ("OLMo-3-32B", 32_233_522_176, 32_233_522_176),
        ("GLM-4.5-Air", 106_852_245_504, 13_424_123_904),
        ("Kimi-K2", 1_026_408_209_408, 32_861_477_888),
        ("Ministral-3-14B", 13_506_073_600, 13_506_073_600),
        ("ERNIE-4.5-0.3B", 360_748_032, 360_748_032),
        ("ERNIE-4.5-300B-A47B", 299_484_163_264, 47_926_586_560),
        ("Qwen3.5-27B", 26_895_998_464, 26_895_998_464),
        ("Qwen3.5-35B-A3B", 34_660_610_688, 3_454_988_928),
        ("Qwen3.5-122B-A10B", 122_111_526_912, 9_771_288_576),
        ("DeepSeek-V3.2", 671_877_929_216, 38_403_807_488),
        ("GLM-5", 743_911_199_232, 41_784_709_632),
        ("Gemma-3n-E4B", 6_835_235_568, 6_835_235_568),
        ("Gemma-4-E2B", 4_628_569_344, 4_628_569_344),
        ("Gemma-4-E4B", 7_463_013_376, 7_463_013_376),
        ("Gemma-4-26B-A4B", 25_233_141_760, 3_822_530_560),
        ("Gemma-4-31B", 30_697_345_280, 30_697_345_280),
        ("MiniMax-M2", 228_689_748_992, 11_030_537_216),
        ("Nemotron-H-8B", 8_100_852_736, 8_100_852_736),
        ("Granite-4.0-H-Small", 32_207_337_984, 8_803_121_664),
        ("Jamba-v0.1", 51_570_323_328, 12_110_311_296),
        ("Mamba2-2.7B", 2_702_599_680, 2_702_599_680),
        ("gpt-oss-120b", 116_829_156_672, 5_711_982_912),
    ],
)
def test_later_models_count_as_their_code_does(name, total, active):
    """Built by transformers 5.24.0 on the meta device, to the last parameter."""
    counts = find_model(name).parameters
    assert (counts.total, counts.active) == (total, active)


def test_model_names_are_unique():
    names = [
        model.name.casefold() for family in load_families().values() for model in family.models
    ]
    assert len(names) == len(set(names))


def test_unknown_family_names_those_there_are():
    with pytest.raises(CatalogError, match="There is no model family 'gpt-5'") as caught:
        find_family("gpt-5")
    assert "llama-3" in caught.value.hint


def test_unknown_model_is_refused():
    with pytest.raises(CatalogError, match="There is no model 'gpt-5'"):
        find_model("gpt-5")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("colour = 3", "unknown: colour"),
        ("[[models]]\nname = 'x'\nn_layers = 2", "missing: d_ff, d_model"),
        ("[[models]]\nname = 'x'\nexperts = { many = 8 }", "unknown: many"),
    ],
)
def test_malformed_files_are_refused(change, message, tmp_path, monkeypatch):
    (tmp_path / "families").mkdir()
    head = "key='k'\nlabel='l'\nyear=2020\nsource='s'\ntotal_source='t'\nretrieved='2026-11-22'\n"
    defaults = (
        "[defaults]\nnorm='rmsnorm'\ngated_mlp=true\ntied_embeddings=true\nvocab=10\ncontext=8\n"
    )
    if "many" in change:
        defaults += "n_layers=1\nd_model=4\nn_heads=1\nn_kv_heads=1\nhead_dim=4\nd_ff=8\n"
    models = change if "models" in change else ""
    top = "" if models else change + "\nmodels = []\n"
    (tmp_path / "families" / "bad.toml").write_text(f"{head}{top}{defaults}{models}")
    monkeypatch.setattr("isoflop.data.data_root", lambda: tmp_path)
    with pytest.raises(CatalogError) as caught:
        _read_family("families/bad.toml")
    assert message in caught.value.detail
