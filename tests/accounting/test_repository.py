import json

import pytest

from isoflop.accounting.repository import import_repository, read_model
from isoflop.errors import ArchitectureError

CONFIG = {
    "model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
    "max_position_embeddings": 256, "num_attention_heads": 4, "vocab_size": 100,
}  # fmt: skip
TOTAL = 2 * (4 * 64 * 64 + 3 * 64 * 128 + 2 * 64) + 64 + 2 * 100 * 64


def write_config(folder):
    (folder / "config.json").write_text(json.dumps(CONFIG))


def write_header(path, header):
    content = json.dumps(header).encode()
    path.write_bytes(len(content).to_bytes(8, "little") + content)


def test_a_folder_is_counted_by_its_configuration(tmp_path):
    write_config(tmp_path)
    model = import_repository(tmp_path)
    assert model.parameters.total == TOTAL
    assert model.architecture.name == tmp_path.name
    assert model.notes == ()


def test_real_weights_hold_what_is_counted(tmp_path):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    config = transformers.CONFIG_MAPPING["llama"](**CONFIG)
    with torch.random.fork_rng():
        transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    model = import_repository(tmp_path)
    assert model.parameters.total == TOTAL
    assert model.notes == ()


def test_what_weights_hold_more_is_noted(tmp_path):
    write_config(tmp_path)
    tensor = {"dtype": "BF16", "shape": [TOTAL + 12], "data_offsets": [0, 0]}
    write_header(tmp_path / "model.safetensors", {"a": tensor, "__metadata__": {"format": "pt"}})
    assert import_repository(tmp_path).notes == (
        f"The weights beside it hold {TOTAL + 12:,} numbers, 12 more than the {TOTAL:,} "
        "parameters counted.",
    )


def test_an_index_that_states_its_parameters_is_read(tmp_path):
    write_config(tmp_path)
    index = {"metadata": {"total_parameters": TOTAL - 1, "total_size": 4}, "weight_map": {}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "1 fewer than" in import_repository(tmp_path).notes[0]
    index["metadata"].pop("total_parameters")
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert import_repository(tmp_path).notes == ()


@pytest.mark.parametrize(
    "content",
    [b"", b"version https://git-lfs", b"\x04\0\0\0\0\0\0\0[1]]", b'\x09\0\0\0\0\0\0\0{"a": 1}}'],
)
def test_a_damaged_file_is_refused(content, tmp_path):
    write_config(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ArchitectureError, match="is not a safetensors file") as caught:
        import_repository(tmp_path)
    assert "Git LFS" in caught.value.hint


def test_a_damaged_index_is_refused(tmp_path):
    write_config(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text("[")
    with pytest.raises(ArchitectureError, match="is not a safetensors index"):
        import_repository(tmp_path)


def test_a_folder_without_configuration_is_refused(tmp_path):
    with pytest.raises(ArchitectureError, match=r"has no config\.json") as caught:
        import_repository(tmp_path)
    assert caught.value.detail == str(tmp_path)


def test_a_model_is_found_by_name_file_or_folder(tmp_path):
    write_config(tmp_path)
    assert read_model("llama-3-8b").parameters.total == 8_030_261_248
    assert read_model(tmp_path).parameters == read_model(tmp_path / "config.json").parameters
    assert read_model(tmp_path / "config.json").architecture.name == tmp_path.name


def test_a_model_that_is_nowhere_is_refused_with_its_neighbours():
    with pytest.raises(ArchitectureError, match="There is no model 'Llama-3-9B'") as caught:
        read_model("Llama-3-9B")
    assert "Llama-3-8B" in caught.value.hint


def test_a_summary_has_every_component_and_note():
    text = read_model("gpt-oss-120b").summary()
    assert "parameters          116,829,156,672" in text
    assert "active              5,711,982,912" in text
    assert text.endswith("5.1B active leaves the embedding out")
    assert "<table" in read_model("gpt-oss-120b")._repr_html_()
