from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.accounting import find_model, load_families
from isoflop.errors import CatalogError, DoesNotFit, PlanError
from isoflop.planning.layout import Layout, Stage, device_parameters, stages
from isoflop.planning.memory import (
    TrainingSetup,
    find_optimizer,
    largest_micro_batch,
    load_optimizers,
    require_fit,
    training_memory,
)

LLAMA_8B = find_model("Llama-3-8B").architecture
LLAMA_70B = find_model("Llama-3-70B").architecture
GPT3 = find_model("gpt-3 175b").architecture
MIXTRAL = find_model("Mixtral-8x7B").architecture
DEEPSEEK = find_model("DeepSeek-V3").architecture
N_8B = 8_030_261_248

EVERY_MODEL = [model for family in load_families().values() for model in family.models]


def setup(optimizer="adam-16", **options):
    layout = options.pop("layout", Layout())
    return TrainingSetup(optimizer=find_optimizer(optimizer), layout=layout, **options)


@pytest.mark.parametrize(
    ("key", "total"),
    [("adam-16", 16), ("adam-18", 18), ("adam-20", 20), ("adam-fp32", 16), ("adam-14", 14)],
)
def test_bytes_a_parameter(key, total):
    optimizer = find_optimizer(key)
    assert optimizer.total_bytes == total
    memory = training_memory(LLAMA_8B, setup(key))
    assert memory.static_bytes == pytest.approx(total * N_8B, rel=1e-6)


@pytest.mark.parametrize("optimizer", load_optimizers().values(), ids=lambda item: item.key)
def test_optimizer_entries_are_plausible(optimizer):
    assert 2 <= optimizer.weight_bytes <= 4
    assert 2 <= optimizer.gradient_bytes <= 6
    assert 4 <= optimizer.optimizer_bytes <= 16
    assert optimizer.weight_bytes < optimizer.checkpoint_bytes <= optimizer.total_bytes
    assert optimizer.source
    assert optimizer.retrieved
    assert optimizer.help


# Megatron-LM, docs/source/distrib_optimizer.md: bytes per parameter with d replicas.
@pytest.mark.parametrize(
    ("key", "kept", "sharded"), [("adam-20", 4, 16), ("adam-18", 6, 12), ("adam-fp32", 8, 8)]
)
@pytest.mark.parametrize("data", [1, 4, 64])
def test_zero_1_is_megatrons_table(key, kept, sharded, data):
    memory = training_memory(LLAMA_8B, setup(key, layout=Layout(data=data, zero_stage=1)))
    assert memory.static_bytes == pytest.approx((kept + sharded / data) * N_8B, rel=1e-6)


# Rajbhandari et al. (arXiv 1910.02054), figure 1: 7.5B parameters, 64 replicas, K = 12.
@pytest.mark.parametrize(("zero_stage", "giga_bytes"), [(0, 120), (1, 31.4), (2, 16.6), (3, 1.9)])
def test_zero_stages_are_figure_1_of_zero(zero_stage, giga_bytes):
    layout = Layout(data=64, zero_stage=zero_stage)
    memory = training_memory(LLAMA_8B, setup("adam-16", layout=layout))
    at_rest = memory.weights_bytes + memory.gradients_bytes + memory.optimizer_bytes
    # The figure prints one decimal.
    assert at_rest * 7.5e9 / N_8B / 1e9 == pytest.approx(giga_bytes, abs=0.06)


def test_pipeline_keeps_all_layers_activations_on_the_first_stage():
    """1F1B: p micro-batches of L / p layers each (arXiv 2205.05198, section 4.2.3)."""
    options = {"flash_attention": False, "dropout": True}
    whole = training_memory(GPT3, setup(**options))
    piped = training_memory(GPT3, setup(layout=Layout(pipeline=8), **options))
    assert piped.stage.is_first
    assert piped.activations_bytes == whole.activations_bytes
    assert piped.weights_bytes < whole.weights_bytes / 7
    assert piped.logits_bytes == 0


def test_gpt_3_activations_are_equation_5():
    """Arxiv 2205.05198: s b h L / t (34 + 5 a s / h), with tensor and sequence parallelism."""
    layout = Layout(tensor=8, pipeline=8)
    memory = training_memory(GPT3, setup(layout=layout, flash_attention=False, dropout=True))
    assert memory.activations_bytes == pytest.approx(2048 * 12288 * 96 / 8 * (34 + 80))


def test_interleaving_adds_what_the_paper_says():
    """Arxiv 2205.05198, section 4.2.3: 1 + (p - 1) / (p m) on the first stage."""
    plain = training_memory(GPT3, setup(layout=Layout(tensor=8, pipeline=8)))
    layout = Layout(tensor=8, pipeline=8, interleave=3)
    interleaved = training_memory(GPT3, setup(layout=layout))
    ratio = interleaved.activations_bytes / plain.activations_bytes
    assert ratio == pytest.approx(1 + 7 / (8 * 3))


# Arxiv 2205.05198, table 3: heads, width, layers, tensor, pipeline, interleave, micro-batch; all of
# them trained on cards of 80 GB, with FP16 Adam at 20 bytes per parameter and no data parallelism.
TRAINED = {
    "22B": (64, 6144, 48, 8, 1, 1, 4),
    "175B": (96, 12288, 96, 8, 8, 3, 1),
    "530B": (128, 20480, 105, 8, 35, 3, 1),
    "1T": (160, 25600, 128, 8, 64, 1, 1),
}


@pytest.mark.parametrize("name", TRAINED)
def test_what_trained_on_80_gb_fits_and_only_by_recomputing(name):
    n_heads, d_model, n_layers, tensor, pipeline, interleave, micro_batch = TRAINED[name]
    shape = replace(
        GPT3,
        name=name,
        n_layers=n_layers,
        d_model=d_model,
        n_heads=n_heads,
        n_kv_heads=n_heads,
        head_dim=d_model // n_heads,
        d_ff=4 * d_model,
        vocab=51_200,
    )
    options = {
        "layout": Layout(tensor=tensor, pipeline=pipeline, interleave=interleave),
        "micro_batch": micro_batch,
        "flash_attention": False,
        "dropout": True,
    }
    selective = training_memory(shape, setup("adam-20", recompute="selective", **options))
    everything = training_memory(shape, setup("adam-20", **options))
    assert 50e9 < selective.total_bytes < 80 * 2**30 < everything.total_bytes


def test_selective_recomputation_saves_70_percent_for_gpt_3():
    layout = Layout(tensor=8, pipeline=8)
    options = {"layout": layout, "flash_attention": False, "dropout": True}
    every = training_memory(GPT3, setup(**options))
    selective = training_memory(GPT3, setup(recompute="selective", **options))
    # The paper prints 70%.
    saved = 1 - selective.activations_bytes / every.activations_bytes
    assert saved == pytest.approx(0.70, abs=0.005)
    assert selective.working_bytes > 0


def test_full_recomputation_keeps_inputs_and_works_on_one_layer():
    full = training_memory(GPT3, setup(recompute="full"))
    assert full.activations_bytes == 2 * 2048 * 12288 * 96
    none = training_memory(GPT3, setup())
    assert full.working_bytes == pytest.approx(none.activations_bytes / 96)


def test_experts_count_in_full():
    memory = training_memory(MIXTRAL, setup())
    assert memory.weights_bytes == pytest.approx(2 * 46_702_792_704, rel=1e-6)


def test_expert_parallelism_cuts_experts_alone():
    spread = Layout(data=8, expert=8)
    held = device_parameters(MIXTRAL, spread, stages(MIXTRAL, spread)[0])
    alone = device_parameters(MIXTRAL, Layout(), stages(MIXTRAL, Layout())[0])
    assert held.shared == alone.shared
    assert held.routed * 8 == alone.routed


def test_zero_shards_experts_over_their_replicas_only():
    layout = Layout(data=16, expert=8, zero_stage=1)
    memory = training_memory(MIXTRAL, setup(layout=layout))
    held = device_parameters(MIXTRAL, layout, stages(MIXTRAL, layout)[0])
    assert memory.optimizer_bytes == 12 * (held.shared / 16 + held.routed / 2)


def test_deepseeks_dense_layers_lie_in_the_first_stage():
    cut = stages(DEEPSEEK, Layout(pipeline=16))
    assert [stage.n_layers for stage in cut] == [4] * 13 + [3] * 3
    assert (cut[0].n_dense_layers, cut[0].n_moe_layers) == (3, 1)
    assert cut[1].n_dense_layers == 0


def test_key_value_heads_are_cut_as_far_as_there_are_any():
    shape = replace(LLAMA_8B, n_kv_heads=2)
    two = device_parameters(shape, Layout(tensor=2), stages(shape, Layout())[0])
    eight = device_parameters(shape, Layout(tensor=8), stages(shape, Layout())[0])
    keys_values = 2 * 4096 * 256
    assert two.total * 2 > eight.total * 8 - 32 * keys_values * 4
    assert eight.total > two.total / 4 + 0.9 * 32 * keys_values * (1 / 2 - 1 / 8)


def test_a_tied_embedding_is_held_by_both_end_stages():
    gemma = find_model("Gemma-2-2b").architecture
    one = Stage(index=0, count=1, n_dense_layers=26, n_moe_layers=0)
    assert device_parameters(gemma, Layout(), one).total == pytest.approx(2_614_341_888, rel=1e-6)
    layout = Layout(pipeline=2)
    halves = [device_parameters(gemma, layout, stage).total for stage in stages(gemma, layout)]
    assert sum(halves) - 2_614_341_888 == pytest.approx(256_000 * 2304, rel=1e-4)


@pytest.mark.parametrize("model", EVERY_MODEL, ids=lambda model: model.name)
def test_one_accelerator_holds_every_parameter(model):
    layout = Layout()
    held = device_parameters(model.architecture, layout, stages(model.architecture, layout)[0])
    # Vectors are spread over the layers in whole numbers.
    slack = 2 * model.architecture.n_layers + model.architecture.d_model * 4
    assert abs(held.total - model.parameters.total) <= slack


@given(
    tensor=st.sampled_from([1, 2, 4, 8]),
    pipeline=st.sampled_from([1, 2, 4, 8]),
    data=st.sampled_from([1, 2, 8, 64]),
    zero_stage=st.integers(0, 3),
)
def test_finer_cuts_never_hold_more(tensor, pipeline, data, zero_stage):
    layout = Layout(data=data, tensor=tensor, pipeline=pipeline, zero_stage=zero_stage)
    coarse = training_memory(LLAMA_70B, setup())
    fine = training_memory(LLAMA_70B, setup(layout=layout))
    assert fine.weights_bytes <= coarse.weights_bytes
    assert fine.optimizer_bytes <= coarse.optimizer_bytes
    assert fine.activations_bytes <= coarse.activations_bytes * 1.0001


@given(micro_batch=st.integers(1, 64))
def test_activations_are_proportional_to_the_micro_batch(micro_batch):
    one = training_memory(LLAMA_8B, setup())
    many = training_memory(LLAMA_8B, setup(micro_batch=micro_batch))
    assert many.static_bytes == one.static_bytes
    assert many.dynamic_bytes == pytest.approx(micro_batch * one.dynamic_bytes)


@pytest.mark.parametrize("recompute", ["none", "full"])
def test_the_largest_micro_batch_fits_and_the_next_does_not(recompute):
    options = {"layout": Layout(data=64, zero_stage=3), "recompute": recompute}
    capacity = 80e9
    largest = largest_micro_batch(LLAMA_8B, setup(**options), capacity)
    assert largest > 0
    usable = 0.9 * capacity
    assert training_memory(LLAMA_8B, setup(micro_batch=largest, **options)).total_bytes <= usable
    more = setup(micro_batch=largest + 1, **options)
    assert training_memory(LLAMA_8B, more).total_bytes > usable


def test_no_micro_batch_fits_where_the_weights_do_not():
    assert largest_micro_batch(LLAMA_70B, setup(), 80e9) == 0


def test_what_does_not_fit_says_how_much_is_missing():
    with pytest.raises(DoesNotFit, match="Llama-3-70B does not fit the memory") as caught:
        require_fit(LLAMA_70B, setup(), 80e9)
    assert "of 72.0 GB usable" in caught.value.detail


def test_what_fits_is_returned():
    gpt2 = find_model("gpt2").architecture
    memory = require_fit(gpt2, setup(), 24e9)
    assert sum(memory.by_component.values()) == pytest.approx(memory.total_bytes)


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (Layout(tensor=3), "tensor = 3 does not divide 32 heads"),
        (Layout(pipeline=33), "pipeline = 33 exceeds 32 layers"),
        (Layout(data=2, expert=2), "expert = 2, but Llama-3-8B has no experts"),
        (Layout(interleave=2), "interleave = 2 needs more than one pipeline stage"),
    ],
)
def test_impossible_cuts_are_refused(layout, message):
    with pytest.raises(PlanError, match="cannot be spread like this") as caught:
        training_memory(LLAMA_8B, setup(layout=layout))
    assert message in caught.value.detail


def test_experts_that_cannot_be_spread_are_refused():
    with pytest.raises(PlanError) as caught:
        training_memory(MIXTRAL, setup(layout=Layout(data=16, expert=16)))
    assert "expert = 16 does not divide 8 experts" in caught.value.detail


@pytest.mark.parametrize(
    ("degrees", "message"),
    [
        ({"data": 0}, "data = 0 is no positive integer"),
        ({"tensor": 1.5}, "tensor = 1.5 is no positive integer"),
        ({"data": 3, "expert": 2}, "expert = 2 does not divide data = 3"),
        ({"zero_stage": 4}, "zero_stage = 4 is none of 0, 1, 2, 3"),
    ],
)
def test_impossible_layouts_are_refused(degrees, message):
    with pytest.raises(PlanError, match="This parallel layout is not possible") as caught:
        Layout(**degrees)
    assert message in caught.value.detail


@pytest.mark.parametrize(
    ("options", "message"),
    [({"micro_batch": 0}, "The micro-batch must be"), ({"context": 0}, "The context must be")],
)
def test_impossible_setups_are_refused(options, message):
    with pytest.raises(PlanError, match=message):
        setup(**options)


@pytest.mark.parametrize(("capacity", "headroom"), [(0, 0.1), (-1, 0.1), (80e9, 1.0), (80e9, -0.1)])
def test_impossible_memory_is_refused(capacity, headroom):
    with pytest.raises(PlanError, match="Memory must be positive and the headroom a share"):
        largest_micro_batch(LLAMA_8B, setup(), capacity, headroom=headroom)


def test_unknown_optimizer_names_those_there_are():
    with pytest.raises(CatalogError, match="There is no optimiser 'lion'") as caught:
        find_optimizer("lion")
    assert "adam-16" in caught.value.hint
