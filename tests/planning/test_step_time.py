"""The time of a training step: its parts by hand, its constants by the measured rows."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from isoflop.accounting import Architecture, count_parameters, find_model
from isoflop.data import data_root
from isoflop.errors import PlanError
from isoflop.planning import Cluster, Layout, TrainingStep, find_accelerator, step_time
from isoflop.planning.measured_steps import load_measured_steps
from isoflop.planning.step_constants import load_fitted_steps, load_step_classes, step_class
from isoflop.planning.step_fit import NAMES, fit_constants, fit_steps, step_rows
from isoflop.planning.step_work import step_work

LLAMA_8B = find_model("Llama-3-8B").architecture
H100 = find_accelerator("h100-sxm")


def step(**changes: object) -> TrainingStep:
    given = {
        "architecture": LLAMA_8B,
        "layout": Layout(data=8, zero_stage=3),
        "accelerator": H100,
        "micro_batch": 2,
        "micro_batches": 4,
        "context": 8192,
    }
    return TrainingStep(**given | changes)


@pytest.fixture(scope="module")
def fitted():
    return fit_steps(load_measured_steps())


def test_matrix_products_by_hand():
    """6 FLOP a weight and token; Llama 3 8B multiplies by all but its token embedding and norms."""
    shape, tokens = LLAMA_8B, 2 * 4 * 8192
    counts = count_parameters(shape).by_component
    weights = counts["attention"] + counts["mlp"] + counts["lm_head"]
    expected = 6 * weights * tokens * (1 + 400 / 4096) / 989e12
    assert step_work(step()).matmul_s == pytest.approx(expected, rel=1e-12)


def test_a_part_of_the_width_makes_narrow_products():
    """Tensor parallelism cuts a product's width: what is left of 4,096 channels is 512."""
    whole, cut = step_work(step()), step_work(step(layout=Layout(data=1, tensor=8)))
    expected = (1 + 400 / 512) / (1 + 400 / 4096)
    assert 8 * cut.matmul_s / whole.matmul_s == pytest.approx(expected, rel=1e-12)


def test_attention_by_hand():
    """Scores and sums: 12 FLOP a channel and pair, half the pairs under a causal mask (+1/2T)."""
    tokens = 2 * 4 * 8192
    full = 12 * 32 * 8192 * 4096 * tokens / 989e12
    assert step_work(step(causal=False)).attention_s == pytest.approx(full, rel=1e-12)
    halved = full * (8192 + 1) / (2 * 8192)
    assert step_work(step()).attention_s == pytest.approx(halved, rel=1e-12)


def test_kernels_that_write_scores_work_on_all_of_them_and_go_over_the_memory():
    flash, unfused = step_work(step()), step_work(step(flash_attention=False))
    assert unfused.attention_s == step_work(step(causal=False)).attention_s
    scores = 32 * 32 * 8192 * 2 * 4 * 8192  # layers, heads, positions, tokens
    more = unfused.elementwise_s - flash.elementwise_s
    assert more == pytest.approx(2 * 3 * scores / 3.35e12, rel=1e-12)
    assert step_time(step(flash_attention=False)).mfu < 0.8 * step_time(step()).mfu


def test_selective_recomputation_is_of_what_the_kernels_keep():
    """Attention where its scores are written, norms and activation functions where none are."""
    for is_flash, attention in ((True, 1), (False, 4 / 3)):
        once = step_work(step(flash_attention=is_flash))
        again = step_work(step(flash_attention=is_flash, recompute="selective"))
        assert again.attention_s == pytest.approx(attention * once.attention_s, rel=1e-12)
        assert 1.2 < again.elementwise_s / once.elementwise_s < 4 / 3 + 1e-12
        assert again.matmul_s == once.matmul_s


def test_full_recomputation_runs_the_blocks_forward_once_more_but_not_the_head():
    head = 6 * 128_256 * 4096 * 2 * 4 * 8192 * (1 + 400 / 4096) / 989e12
    once, again = step_work(step()), step_work(step(recompute="full"))
    assert again.matmul_s - head == pytest.approx(4 / 3 * (once.matmul_s - head), rel=1e-12)


def test_messages_of_tensor_parallelism_by_hand():
    """Four all-reduces a layer of 16-bit activations, each 2 (t - 1) / t of them, over NVLink."""
    work = step_work(step(layout=Layout(data=1, tensor=8)))
    activations = 2 * 4096 * 2 * 4 * 8192
    assert work.tensor_s == pytest.approx(4 * 32 * activations * 2 * 7 / 8 / 450e9, rel=1e-12)
    # A sixteenth accelerator lies outside the node.
    beyond = step_work(step(layout=Layout(data=1, tensor=16)))
    assert beyond.tensor_s == pytest.approx(4 * 32 * activations * 2 * 15 / 16 / 50e9, rel=1e-12)


def test_zero_3_gathers_at_every_micro_batch_and_the_others_once_a_step():
    plain = step_work(step(layout=Layout(data=64)))
    sharded = step_work(step(layout=Layout(data=64, zero_stage=3)))
    assert sharded.data_s == pytest.approx(4 * 3 / 2 * plain.data_s, rel=1e-12)
    # Eight replicas of a node share eight network ports: as fast as 400 GB/s.
    expected = 2 * 63 / 64 * 2 * count_parameters(LLAMA_8B).total / (8 * 50e9)
    assert plain.data_s == pytest.approx(expected, rel=1e-3)  # biases and norms are rounded up


def test_a_pipeline_idles_as_narayanan_and_others_say():
    """(p - 1) / (v m) of the working time: arXiv 2104.04473, section 2.2."""
    for pipeline, interleave, micro_batches in ((1, 1, 4), (4, 1, 4), (4, 2, 8)):
        layout = Layout(pipeline=pipeline, interleave=interleave)
        found = step_time(step(layout=layout, micro_batches=micro_batches))
        working = sum(list(found.by_component.values())[:6])
        expected = (pipeline - 1) / (interleave * micro_batches)
        assert found.pipeline_s / working == pytest.approx(expected, abs=1e-12)


def test_experts_that_lie_in_one_node_use_its_link_alone():
    shape = find_model("Qwen3-30B-A3B").architecture
    layout = Layout(data=64, expert=8)
    here = step_work(step(architecture=shape, layout=layout))
    slow = Cluster(fast_domain=8, network_byte_per_s=1e9)
    assert step_work(
        step(architecture=shape, layout=layout, cluster=slow)
    ).expert_s == pytest.approx(here.expert_s)
    apart = Layout(data=64, expert=64)
    assert step_work(step(architecture=shape, layout=apart, cluster=slow)).expert_s > here.expert_s


def test_what_a_source_does_not_say_is_recomputed_as_far_as_the_memory_asks():
    steps = {(item.group, item.step.architecture.name): item.step for item in load_measured_steps()}
    assert steps["tpu-recipes", "Llama-3-70B"].recompute == "full"  # 95 GB of 32 GB without
    assert steps["Megatron-Bridge", "Llama-3.1-405B"].recompute == "selective"
    assert steps["Megatron-LM", "GPT-462B"].recompute == "none"


def test_the_parts_add_up_and_data_parallelism_overlaps():
    found = step_time(step())
    busy = found.total_s - found.data_s
    sent = step_work(found.step).data_s
    assert found.total_s == pytest.approx(np.cbrt(busy**3 + sent**3), rel=1e-12)
    assert found.to_frame()["share"].sum() == pytest.approx(1)
    assert found.interval.lower < found.total_s < found.interval.upper
    assert found.mfu_interval.lower < found.mfu < found.mfu_interval.upper
    by_hand = 6 * count_parameters(LLAMA_8B).total * found.tokens_per_s / (8 * 989e12)
    assert found.mfu == pytest.approx(by_hand, rel=1e-12)


def test_bad_layouts_small_models_and_slow_networks_cost():
    """What a constant MFU does not know."""
    good = step_time(step()).mfu
    assert step_time(step(layout=Layout(tensor=8))).mfu < good
    assert step_time(step(layout=Layout(pipeline=8), micro_batches=1)).mfu < good / 4
    slow = Cluster(fast_domain=1, network_byte_per_s=1e9)
    assert step_time(step(cluster=slow)).mfu < good / 2
    narrow = replace(LLAMA_8B, d_model=512, n_heads=4, n_kv_heads=4, d_ff=1536)
    assert step_time(step(architecture=narrow, context=2048)).mfu < good


def test_mfu_does_not_change_with_more_micro_batches_where_nothing_waits():
    lone = Layout()
    one, many = (step_time(step(layout=lone, micro_batches=n)) for n in (1, 16))
    assert one.mfu == pytest.approx(many.mfu, rel=1e-12)
    assert one.key != many.key


def test_an_accelerator_without_rows_is_taken_like_the_nearest_and_less_surely():
    other = find_accelerator("mi300x")
    found = step_time(step(accelerator=other))
    assert not found.is_measured
    assert found.measured_class == "H100, H200, H800"
    assert "not measured; taken like H100" in found.summary()
    measured = step_time(step())
    assert found.ratio_lower <= measured.ratio_lower
    assert found.ratio_upper > measured.ratio_upper
    assert step_class(find_accelerator("tpu-v4"))[0].key == "tpu"


def test_a_step_that_cannot_be_is_refused():
    with pytest.raises(PlanError, match="cannot be spread like this"):
        step(layout=Layout(tensor=7))
    with pytest.raises(PlanError, match="at least one sequence of one token"):
        step(micro_batches=0)
    with pytest.raises(PlanError, match="joined by a network"):
        Cluster(fast_domain=8, network_byte_per_s=0)


# --- The measured rows and the constants ---------------------------------------------------------


def test_every_measured_step_is_plausible_and_has_a_source():
    measured = load_measured_steps()
    assert len(measured) == 180
    for item in measured:
        found = step_time(item.step, convention="6N_attention")
        mfu = found.mfu * found.total_s / item.seconds
        assert 0.05 < mfu < 0.75, item
        assert item.source


def test_shapes_beside_the_catalog_count_as_published():
    published = {  # arXiv 2205.05198, 2104.04473 and the repositories named with each step
        "GPT-22B-k": 22e9,
        "GPT-530B-k": 530e9,
        "GPT-OSS-120B": 116.8e9,
        "MPT-7b": 6.65e9,
        "MPT-30b": 29.95e9,
        "Nemotron-4-340B": 340e9,
        "GPT-462B": 462e9,
    }
    shapes = {item.step.architecture.name: item.step.architecture for item in load_measured_steps()}
    for name, total in published.items():
        # 2%: position tables and biases are not in these shapes, and names are rounded.
        assert count_parameters(shapes[name]).total == pytest.approx(total, rel=0.02), name


def test_the_shipped_constants_are_what_the_command_finds(fitted):
    shipped = load_fitted_steps()
    assert list(shipped.constants) == list(load_step_classes())
    for key, constants in fitted.constants.items():
        for name in NAMES:
            # Four digits are written; the solver stops at 1e-10.
            assert getattr(shipped.constants[key], name) == pytest.approx(
                getattr(constants, name), rel=2e-3
            ), (key, name)
    for trust, (lower, upper, _) in fitted.intervals.items():
        assert shipped.intervals[trust] == pytest.approx((lower, upper), rel=2e-3)


def test_the_shipped_errors_are_what_the_command_finds(fitted):
    shipped = pd.read_csv(data_root() / "step_time" / "errors.csv")
    found = fitted.errors()
    pd.testing.assert_frame_equal(shipped, found, atol=2e-3, rtol=0, check_dtype=False)


def test_the_error_is_no_larger_than_documented(fitted):
    """Shares of the measured time, as docs/planning.md gives them."""
    errors = fitted.errors().query("source == 'all'").set_index("kept_back")
    for kept_back, median, p90 in (("tenth", 0.055, 0.18), ("source", 0.095, 0.205)):
        assert errors.loc[kept_back, "median_error"] < median
        assert errors.loc[kept_back, "p90_error"] < p90


def test_known_constants_are_found_again(fitted):
    """Times made by the model itself give back its constants, but for the shrinkage."""
    rows = step_rows(load_measured_steps())
    exact = rows.work.copy()
    times = np.exp(fitted.ratios["nothing"])
    exact[:, :-1] /= times[:, None]
    again = fit_constants(replace(rows, work=exact))
    # Matrix products are asked of every class; the prior pulls them some of their spread of 12%.
    np.testing.assert_allclose(again[:, 0], fitted.logs[:, 0], atol=0.04)


def test_the_order_of_rows_does_not_matter(fitted):
    rows = step_rows(load_measured_steps()[::-1])
    np.testing.assert_allclose(fit_constants(rows), fitted.logs, atol=1e-4)


def test_an_architecture_of_ones_own_is_enough():
    mine = Architecture(
        name="mine", n_layers=16, d_model=2048, n_heads=16, n_kv_heads=4, head_dim=128,
        d_ff=8192, vocab=32_000, context=4096,
    )  # fmt: skip
    assert 0.2 < step_time(step(architecture=mine, context=4096)).mfu < 0.6
