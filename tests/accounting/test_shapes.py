import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoflop.accounting import count_parameters, find_family, load_families
from isoflop.accounting.shapes import counted, nearest_released, propose_shape
from isoflop.errors import PlanError

FAMILIES = list(load_families())


def test_the_nearest_released_model_is_nearest_by_ratio():
    llama = find_family("llama-3")
    assert nearest_released(llama, 20e9).name == "Llama-3-8B"
    assert nearest_released(llama, 30e9).name == "Llama-3-70B"


def test_nearest_by_active_parameters():
    qwen = find_family("qwen-3")
    assert nearest_released(qwen, 22e9, count="active").name == "Qwen3-235B-A22B"


@pytest.mark.parametrize("key", FAMILIES)
@settings(max_examples=10)
@given(exponent=st.floats(8.5, 12.5))
def test_new_shapes_meet_the_target_on_hardware_friendly_sizes(key, exponent):
    target = 10**exponent
    proposed = propose_shape(find_family(key), target)
    shape = proposed.architecture
    assert count_parameters(shape) == proposed.parameters
    assert proposed.parameters.total / target - 1 == pytest.approx(proposed.relative_error)
    # One layer of experts, or with inputs of its own, is a large step in a small model.
    is_coarse = shape.is_moe or shape.per_layer_input is not None
    assert abs(proposed.relative_error) < (0.06 if is_coarse else 0.03)
    unit = 64 if shape.d_model < 2048 else 128
    assert shape.d_model % 64 == 0
    assert shape.d_ff % 64 == 0
    assert shape.vocab % 128 == 0
    assert shape.d_model % unit == 0 or shape.d_model % shape.head_dim == 0
    assert not shape.n_attention_layers or shape.n_heads % shape.n_kv_heads == 0
    assert shape.n_heads < 32 or shape.n_heads % 8 == 0


@pytest.mark.parametrize("key", FAMILIES)
def test_released_sizes_lead_back_to_released_shapes(key):
    family = find_family(key)
    for model in family.models:
        if model.architecture.embedding_dim:  # OPT-350M is unlike its family
            continue
        proposed = propose_shape(family, model.parameters.total)
        assert proposed.architecture.d_model == pytest.approx(model.architecture.d_model, rel=0.2)
        # An expert's width of some hundreds moves in steps of 128.
        assert abs(proposed.relative_error) < (0.02 if model.architecture.is_moe else 0.01)
        assert not proposed.is_extrapolation


def test_a_shape_by_active_parameters():
    proposed = propose_shape(find_family("mixtral"), 5e9, count="active")
    assert proposed.parameters.active == pytest.approx(5e9, rel=0.03)
    assert proposed.parameters.total > 2 * proposed.parameters.active
    assert proposed.architecture.experts.n_experts == 8


def test_a_shape_by_nonembedding_parameters():
    proposed = propose_shape(find_family("llama-3"), 1e9, count="nonembedding")
    assert counted(proposed.parameters, "nonembedding") == pytest.approx(1e9, rel=0.02)


def test_heads_split_over_the_accelerators_asked_for():
    proposed = propose_shape(find_family("qwen-2.5"), 2e9, heads_multiple=16)
    assert proposed.architecture.n_heads % 16 == 0


def test_beyond_the_familys_sizes_it_says_so():
    proposed = propose_shape(find_family("llama-2"), 1e12)
    assert proposed.is_extrapolation
    assert proposed.notes[-1].startswith("Outside the released sizes of Llama 2")


def test_a_padded_vocabulary_is_noted():
    proposed = propose_shape(find_family("gpt-2"), 1e9)
    assert "The vocabulary is padded from 50,257 to 50,304." in proposed.notes


def test_a_model_that_is_mostly_embedding_is_noted():
    proposed = propose_shape(find_family("bloom"), 1e8)
    assert any("of the parameters are embeddings" in note for note in proposed.notes)


def test_a_size_below_the_vocabulary_is_refused():
    with pytest.raises(PlanError, match="Gemma 3 cannot be built with 10,000,000 parameters") as e:
        propose_shape(find_family("gemma-3"), 1e7)
    assert "its vocabulary of 262,144" in e.value.detail


@pytest.mark.parametrize("bad", [0, -1e9, float("nan"), float("inf"), 1e20])
def test_impossible_sizes_are_refused(bad):
    with pytest.raises(PlanError, match="A model needs a positive number of parameters"):
        propose_shape(find_family("llama-3"), bad)
    with pytest.raises(PlanError, match="A model needs a positive number of parameters"):
        nearest_released(find_family("llama-3"), bad)
