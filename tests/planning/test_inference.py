import csv
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.accounting import find_model, load_families
from isoflop.errors import CatalogError, DoesNotFit, PlanError
from isoflop.planning import find_accelerator
from isoflop.planning.inference import (
    ServingSetup,
    accelerators_for,
    estimate_serving,
    kv_cache_bytes,
    kv_cache_bytes_per_token,
    saturated_serving,
    serving_on,
    weights_read_bytes,
)

LLAMA_7B = find_model("Llama-2-7B").architecture
LLAMA_8B = find_model("Llama-3-8B").architecture
MIXTRAL = find_model("Mixtral-8x7B").architecture

# One 80 GB card of 2 TB/s and 312 TFLOP/s, at the datasheet's rates.
IDEAL = ServingSetup(
    accelerators=1,
    memory_bytes=80e9,
    bandwidth_byte_per_s=2.0e12,
    peak_flop_per_s=312e12,
    price_usd_per_hour=2.0,
    bandwidth_share=1.0,
    flop_share=1.0,
    layer_s=0.0,
    all_reduce_s=0.0,
    saturated_share=1.0,
    expert_share=1.0,
    prompt_tokens=1,
    output_tokens=1,
)


def test_cache_bytes_match_the_reference_table(shared):
    models = {
        model.name.casefold(): model
        for family in load_families().values()
        for model in family.models
    }
    checked = 0
    with (shared / "facts" / "families.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            model = models.get(row["model"].split(" (")[0].casefold())
            # The table's cache of GPT-3 1.3B counts the printed 24 heads, wider than the model.
            if model is None or row["model"] == "GPT-3 1.3B":
                continue
            expected = int(row["kv_bytes_per_token_bf16"])
            assert kv_cache_bytes_per_token(model.architecture) == expected, row["model"]
            checked += 1
    assert checked == 92


def test_cache_bytes_of_later_models_match_the_facts(shared):
    """Hybrids keep keys and values in the layers with attention alone."""
    with (shared / "facts" / "families-2026.tsv").open(encoding="utf-8") as file:
        rows = [
            row for row in csv.DictReader(file, delimiter="\t") if row["kv_bytes_per_token_bf16"]
        ]
    checked = 0
    for row in rows:
        name = row["model"].removesuffix(" (text)").removesuffix(" / 1.5 Mini")
        shape = find_model(name).architecture
        assert kv_cache_bytes_per_token(shape) == int(row["kv_bytes_per_token_bf16"]), name
        checked += 1
    assert checked == 17


def test_a_recurrent_model_keeps_a_state_of_one_size():
    shape = find_model("Mamba2-2.7B").architecture
    # 80 heads of 64 channels by 128, and three taps of 5376 convolved channels, in each layer.
    state = 64 * (80 * 64 * 128 + 3 * 5376)
    assert kv_cache_bytes(shape, 1) == kv_cache_bytes(shape, 1e6) == 2 * state
    assert kv_cache_bytes_per_token(shape) == 0


def test_a_sparse_index_keeps_a_key_of_its_own():
    index = find_model("DeepSeek-V3.2").architecture
    plain = find_model("DeepSeek-V3").architecture
    assert kv_cache_bytes(index, 1000) - kv_cache_bytes(plain, 1000) == 1000 * 61 * 128


@pytest.mark.parametrize(
    ("name", "kilo_bytes"),
    [("DeepSeek-V3", 70.272), ("Qwen2.5-72B", 327.680), ("Llama-3.1-405B", 516.096)],
)
def test_cache_per_token_of_deepseeks_comparison(name, kilo_bytes):
    """DeepSeek-AI 2025 (arXiv 2505.09343), table 1."""
    assert kv_cache_bytes_per_token(find_model(name).architecture) == kilo_bytes * 1000


def test_local_layers_keep_their_window_alone():
    gemma = find_model("Gemma-3-27b").architecture
    full = replace(gemma, window=0, global_every=0)
    ratio = kv_cache_bytes(gemma, 131_072) / kv_cache_bytes(full, 131_072)
    assert ratio == pytest.approx((10 + 52 * 1024 / 131_072) / 62)
    assert kv_cache_bytes(gemma, 512) == kv_cache_bytes(full, 512)


def test_generation_alone_is_bound_by_reading_the_weights():
    estimate = estimate_serving(LLAMA_7B, IDEAL)
    read = 2 * (6_738_415_616 - 32000 * 4096) + 1.5 * 524_288
    assert estimate.is_bandwidth_bound
    assert estimate.step_s == pytest.approx(read / 2e12)
    assert estimate.tokens_per_s == pytest.approx(1 / estimate.step_s)


def test_cost_is_the_hours_price_over_its_tokens():
    estimate = estimate_serving(LLAMA_7B, IDEAL)
    hourly_tokens = 3600 * estimate.tokens_per_s
    assert estimate.usd_per_million_output_tokens == pytest.approx(2.0 / hourly_tokens * 1e6)


def test_large_batches_are_bound_by_compute():
    estimate = estimate_serving(LLAMA_8B, replace(IDEAL, batch=512))
    assert not estimate.is_bandwidth_bound
    assert estimate.tokens_per_s < 312e12 / (2 * 7.5e9)


def test_the_prompt_costs_two_flop_a_weight_and_token():
    estimate = estimate_serving(LLAMA_7B, replace(IDEAL, prompt_tokens=2048))
    weights = 6_738_415_616 - 32000 * 4096
    expected = 2048 * 2 * weights / 312e12
    attention = 2048 * 4 * 32 * 4096 * (2048 + 1) / 2 / 312e12
    # Norm gains, which no product takes, are all that is left out.
    assert estimate.prompt_s == pytest.approx(expected + attention, rel=1e-4)


def test_few_sequences_read_few_experts():
    one = weights_read_bytes(MIXTRAL, 1, weight_bytes=2)
    active = find_model("Mixtral-8x7B").parameters.active
    assert one == pytest.approx(2 * (active - 32000 * 4096))
    all_experts = weights_read_bytes(MIXTRAL, 1000, weight_bytes=2)
    assert all_experts == pytest.approx(2 * (46_702_792_704 - 32000 * 4096))


def test_a_tied_table_is_read_as_the_head():
    gpt2 = find_model("gpt2").architecture
    assert weights_read_bytes(gpt2, 1, weight_bytes=1) == 124_439_808


@given(batch=st.integers(1, 200))
def test_batches_never_lower_the_rate(batch):
    one = estimate_serving(LLAMA_8B, IDEAL)
    many = estimate_serving(LLAMA_8B, replace(IDEAL, batch=batch))
    assert many.tokens_per_s >= one.tokens_per_s * (1 - 1e-12)
    assert many.tokens_per_s_per_sequence <= one.tokens_per_s_per_sequence * (1 + 1e-12)


def test_the_largest_batch_fits_and_the_next_does_not():
    setup = replace(IDEAL, prompt_tokens=4000, output_tokens=96)
    largest = estimate_serving(LLAMA_8B, setup).largest_batch
    assert largest == int((72e9 - 2 * 8_030_261_248) // (4096 * 131_072))
    estimate_serving(LLAMA_8B, replace(setup, batch=largest))
    with pytest.raises(DoesNotFit, match=f"a batch of {largest + 1} do not fit") as caught:
        estimate_serving(LLAMA_8B, replace(setup, batch=largest + 1))
    assert caught.value.hint == f"Lower the batch to {largest}."


def test_weights_that_do_not_fit_are_refused():
    with pytest.raises(DoesNotFit) as caught:
        estimate_serving(find_model("Llama-3-70B").architecture, IDEAL)
    assert caught.value.hint == "Use more accelerators, or fewer bytes per weight."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"accelerators": 0}, "accelerators = 0 is not positive"),
        ({"bandwidth_share": 1.5}, "bandwidth_share = 1.5 is no share"),
        ({"memory_bytes": float("nan")}, "memory_bytes = nan is not positive"),
        ({"output_tokens": -1}, "output_tokens = -1 is not positive"),
    ],
)
def test_impossible_setups_are_refused(change, message):
    with pytest.raises(PlanError, match="This serving setup is invalid") as caught:
        replace(IDEAL, **change)
    assert message in caught.value.detail


@pytest.mark.parametrize(
    ("params", "count"), [(1e9, 1), (20e9, 1), (20.1e9, 2), (70e9, 4), (405e9, 32)]
)
def test_the_accelerators_for_a_copy_hold_the_weights_in_half_their_memory(params, count):
    assert accelerators_for(params, 80e9) == count
    assert 2 * params <= count * 80e9 / 2


def test_a_model_is_served_at_the_rates_and_price_of_the_accelerator():
    setup = serving_on(
        find_accelerator("h100-sxm"), accelerators=2, batch=8, prompt_tokens=100, output_tokens=50
    )
    assert setup.peak_flop_per_s == find_accelerator("h100-sxm").peak("bf16")
    assert estimate_serving(LLAMA_8B, setup).usd_per_million_output_tokens > 0


PRECISIONS = {"bf16": 2.0, "int8": 1.0, "fp8": 1.0, "fp4": 0.5, "int4": 0.5}
CARDS = {
    "A100-330W": "a100-sxm-80gb", "A100-40": "a100-sxm-40gb", "H100": "h100-sxm",
    "H200": "h200-sxm", "B200": "b200-sxm", "GB200": "gb200",
    "RTX-PRO-6000": "rtx-pro-6000-blackwell",
}  # fmt: skip
NAMES = {
    "GPT-OSS-120B": "gpt-oss-120b", "GPT-OSS-20B": "gpt-oss-20b", "DeepSeek-R1": "DeepSeek-V3",
    "Llama-3.1-8B": "Llama-3-8B", "Llama-3.1-70B": "Llama-3-70B",
}  # fmt: skip


def measured(shared, phase: str):
    """Yield the rows of a phase: estimated over measured tokens a second."""
    with (shared / "facts" / "serving.tsv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["phase"] == phase]
    for row in rows:
        if row["gpu"] not in CARDS or row["precision"] not in PRECISIONS:
            continue
        try:
            shape = find_model(NAMES.get(row["model"], row["model"])).architecture
        except CatalogError:
            continue
        yield row, shape, find_accelerator(CARDS[row["gpu"]])


def test_one_sequence_is_generated_as_fast_as_measured(shared):
    """gpt-fast and vLLM in BF16, 1 to 8 cards; the ideal roofline is off by 82%."""
    errors = []
    for row, shape, device in measured(shared, "decode"):
        if row["precision"] != "bf16" or row["batch"] != "1":
            continue
        setup = serving_on(
            device,
            accelerators=int(row["gpus"]),
            batch=1,
            prompt_tokens=int(row["input_tokens"] or 5),
            output_tokens=int(row["output_tokens"] or 200),
        )
        found = estimate_serving(shape, setup).tokens_per_s
        errors.append(abs(found / float(row["value"]) - 1))
    assert len(errors) >= 12
    assert sorted(errors)[len(errors) // 2] < 0.06
    assert max(errors) < 0.15


def test_a_server_under_full_load_is_as_fast_as_measured(shared):
    """TensorRT-LLM, 1,024 to 32,768 tokens in and out; each figure is one card's output."""
    errors = []
    for row, shape, device in measured(shared, "serve"):
        size = PRECISIONS[row["precision"]]
        peak = device.peak("fp8") if size <= 1 else device.peak()
        setup = ServingSetup(
            accelerators=int(row["gpus"]),
            memory_bytes=device.memory_bytes,
            bandwidth_byte_per_s=device.bandwidth_byte_per_s,
            peak_flop_per_s=peak * (2 if size < 1 and "200" in device.key[1:] else 1),
            weight_bytes=size,
            cache_bytes=1.0,
            prompt_tokens=int(row["input_tokens"]),
            output_tokens=int(row["output_tokens"]),
        )
        found = saturated_serving(shape, setup).output_tokens_per_s / setup.accelerators
        errors.append(found / float(row["value"]) - 1)
    off = sorted(abs(error) for error in errors)
    assert len(off) >= 60
    assert abs(sorted(errors)[len(off) // 2]) < 0.1
    assert off[len(off) // 2] < 0.25
    assert off[9 * len(off) // 10] < 0.6


def test_the_price_of_a_known_server():
    """Llama 3 70B in FP8 on two H100 at 2.50 an hour: 0.31 a million outputs, prompts included."""
    shape = find_model("Llama-3-70B").architecture
    setup = serving_on(
        find_accelerator("h100-sxm"), accelerators=2, batch=1, prompt_tokens=1024,
        output_tokens=1024, dtype="fp8", price_usd_per_hour=2.5,
    )  # fmt: skip
    found = saturated_serving(shape, setup)
    total = found.usd_per_million_prompt_tokens + found.usd_per_million_output_tokens
    assert total == pytest.approx(0.31, abs=0.03)
    longer = saturated_serving(shape, replace(setup, prompt_tokens=8192))
    per_output = longer.usd_per_million_output_tokens + 8 * longer.usd_per_million_prompt_tokens
    assert 3 < per_output / total < 7
