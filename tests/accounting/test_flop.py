import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.accounting import CONVENTION_HELP, count_flop, find_model, load_families
from isoflop.accounting.flop import attended_tokens, attention_score_flop
from isoflop.errors import ArchitectureError

ALL_MODELS = [model for family in load_families().values() for model in family.models]


def test_palm_appendix_b_adds_12_l_h_q_t():
    shape = find_model("gpt-3 175b").architecture
    plain = count_flop(shape, convention="6N").training_flop
    full = count_flop(shape, convention="6N_attention").training_flop
    assert full - plain == 12 * 96 * 12288 * 2048


def test_causal_attention_costs_half_and_half_a_token():
    shape = find_model("gpt2").architecture
    full = count_flop(shape, convention="6N_attention", causal=False)
    causal = count_flop(shape, convention="6N_attention", causal=True)
    scores = "attention_scores"
    ratio = causal.forward_by_component_flop[scores] / full.forward_by_component_flop[scores]
    assert ratio == (1024 + 1) / 2 / 1024


def test_a_window_bounds_what_a_token_attends_to():
    shape = find_model("Gemma-2-2b").architecture  # 26 layers, every second one local to 4096
    assert attended_tokens(shape, 8192, causal=False) == 13 * 8192 + 13 * 4096
    assert attended_tokens(shape, 2048, causal=False) == 26 * 2048
    # Causal and local: positions 1..4096 see 1..4096 tokens, the other 4096 see 4096 each.
    local = (4096 * 4097 / 2 + 4096 * 4096) / 8192
    assert attended_tokens(shape, 8192, causal=True) == pytest.approx(
        13 * 8193 / 2 + 13 * local, rel=1e-12
    )


def test_gemma_3_has_one_global_layer_in_six():
    shape = find_model("Gemma-3-4b").architecture
    assert shape.n_layers == 34
    assert shape.n_local_layers == 29


def test_mixture_of_experts_counts_active_parameters():
    model = find_model("Mixtral-8x7B")
    flop = count_flop(model.architecture, convention="6N").training_flop
    assert flop == 6 * model.parameters.active
    assert model.parameters.active < 0.3 * model.parameters.total


def test_latent_attention_scores_use_both_head_sizes():
    shape = find_model("DeepSeek-V3").architecture
    scores = count_flop(shape, convention="6N_attention", context=4096)
    expected = 2 * 61 * 128 * (192 + 128) * 4096
    assert scores.forward_by_component_flop["attention_scores"] == expected


@pytest.mark.parametrize("model", ALL_MODELS, ids=lambda model: model.name)
def test_matrix_products_are_two_flop_an_active_weight(model):
    """What `matmul` leaves out of 6N is vectors and look-ups; what it adds is a tied head."""
    shape, parameters = model.architecture, model.parameters
    parts = count_flop(shape, convention="matmul", causal=False).forward_by_component_flop
    weights = sum(flop for name, flop in parts.items() if name != "attention_scores") / 2
    if shape.recurrent is not None:
        weights -= shape.recurrent.n_layers * shape.recurrent.scan_flop / 2
    tables = ("token_embedding", "position_embedding", "per_layer_embedding")
    looked_up = sum(parameters.by_component.get(table, 0) for table in tables)
    if shape.encoder is not None and shape.encoder.pooler:
        looked_up += shape.d_model**2  # acts on one token of the sequence
    expected = parameters.active - looked_up
    if shape.tied_embeddings:
        expected += parameters.by_component["token_embedding"]
    if shape.relative_positions:
        expected -= shape.n_layers * shape.d_model * shape.query_width
    # Norm gains and biases are a small share, largest in the smallest models.
    assert weights <= expected
    assert weights == pytest.approx(expected, rel=0.01)


@given(
    convention=st.sampled_from(list(CONVENTION_HELP)),
    recompute=st.sampled_from(["none", "selective", "full"]),
    causal=st.booleans(),
)
def test_recomputation_never_enters_model_flop(convention, recompute, causal):
    shape = find_model("Llama-3-8B").architecture
    plain = count_flop(shape, convention=convention, causal=causal)
    again = count_flop(shape, convention=convention, causal=causal, recompute=recompute)
    assert again.training_flop == plain.training_flop
    assert again.hardware_flop >= plain.hardware_flop
    assert again.hfu_per_mfu <= 4 / 3 + 1e-12


def test_context_must_be_positive():
    with pytest.raises(ArchitectureError, match="The context must be at least one token"):
        count_flop(find_model("gpt2").architecture, context=0)


def test_unknown_convention_is_refused():
    with pytest.raises(ArchitectureError, match="There is no FLOP convention '8N'"):
        count_flop(find_model("gpt2").architecture, convention="8N")


def test_a_hybrid_pays_for_its_recurrence_by_its_state():
    """Mamba-2: two multiplications and additions a state element, and one a convolution's tap."""
    shape = find_model("Mamba2-2.7B").architecture
    parts = count_flop(shape, convention="matmul").forward_by_component_flop
    inner, state, heads, convolved = 5120, 128, 80, 5376
    projections = 2560 * (2 * inner + 2 * state + heads) + inner * 2560
    scan = 2 * inner * state + 4 * convolved
    assert parts["recurrent"] == 64 * 2 * (projections + scan)
    assert parts["attention_scores"] == 0


def test_a_sparse_index_bounds_what_a_token_attends_to():
    shape = find_model("DeepSeek-V3.2").architecture
    short, long = (attention_score_flop(shape, context, causal=False) for context in (2048, 65536))
    heads, width = 128, 192 + 128
    index = 2 * 61 * 64 * 128
    assert short == 2 * 61 * heads * width * 2048 + index * 2048
    assert long == 2 * 61 * heads * width * 2048 + index * 65536


def test_an_encoder_sees_both_sides():
    shape = find_model("BERT-base").architecture
    both, masked = (attention_score_flop(shape, 512, causal=causal) for causal in (False, True))
    assert both == masked == 2 * 2 * 768 * 12 * 512


def test_global_layers_with_wider_heads_cost_more():
    shape = find_model("Gemma-4-31B").architecture
    heads, context = 32, 8192
    local, everywhere = 50 * 1024, 10 * context
    expected = 2 * 2 * heads * (256 * local + 512 * everywhere)
    assert attention_score_flop(shape, context, causal=False) == expected
