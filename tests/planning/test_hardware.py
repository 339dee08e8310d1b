import pytest

from isoflop.data import read_toml
from isoflop.errors import CatalogError, PlanError
from isoflop.planning import find_accelerator, load_accelerators
from isoflop.planning.hardware import ACCELERATORS_FILE, parse_accelerator

KEYS = sorted(read_toml(ACCELERATORS_FILE))
MINIMAL = {
    "label": "Mine",
    "vendor": "me",
    "kind": "gpu",
    "year": 2026,
    "peak_tflop_per_s": {"bf16": 100.0},
    "memory_gb": 24,
    "bandwidth_tb_per_s": 1.0,
    "source": "datasheet",
    "retrieved": "2026-11",
}


@pytest.mark.parametrize("key", KEYS)
def test_every_entry_is_plausible(key: str) -> None:
    device = find_accelerator(key)
    assert 2015 < device.year < 2030
    assert 1e11 < device.peak() < 1e16
    assert 4e9 < device.memory_bytes < 1e12
    assert 1e10 < device.bandwidth_byte_per_s < 2e13
    assert device.interconnect_byte_per_s is None or 1e9 < device.interconnect_byte_per_s < 2e12
    assert device.power_w is None or 20 < device.power_w < 3000
    assert 0.05 < device.mfu_ceiling <= 1
    assert device.source
    if device.price_usd_per_hour is not None:
        assert device.price_source, "a price needs a price_source"
        assert device.price_date or device.price_usd_per_hour == 0, "a price needs a price_date"
    figures = {*device.peak_flop_per_s, "memory", "bandwidth", "interconnect", "power", "price"}
    unknown = set(device.unverified) - figures
    assert not unknown, f"unverified names no figure: {', '.join(unknown)}"
    # Every step to a narrower type at least keeps the rate.
    ladder = [
        device.peak_flop_per_s[d]
        for d in ("fp32", "tf32", "bf16", "fp8")
        if d in device.peak_flop_per_s
    ]
    assert ladder == sorted(ladder)


def test_an_entry_of_a_version_that_held_a_utilisation_is_read_over() -> None:
    former = MINIMAL | {"default_mfu": 0.4, "mfu_evidence": "measured"}
    assert parse_accelerator("mine", former) == parse_accelerator("mine", MINIMAL)


@pytest.mark.parametrize(
    "needed",
    ["a100-sxm-80gb", "h100-sxm", "h200-sxm", "b200-sxm", "mi300x", "l40s", "rtx-4090", "tpu-v5e",
     "tpu-v5p", "tpu-v6e", "t4", "v100-sxm2-32gb", "cpu-laptop-8-core"],
)  # fmt: skip
def test_the_usual_devices_are_there(needed: str) -> None:
    assert needed in load_accelerators()


@pytest.mark.parametrize(
    ("key", "dense", "sparse"),
    [
        ("a100-sxm-80gb", 312e12, 624e12),
        ("h100-sxm", 989e12, 1979e12),
        ("b200-sxm", 2250e12, 4500e12),
        ("rtx-a6000", 154.8e12, 309.7e12),
        ("mi300x", 1307e12, 2615e12),
        ("l40s", 362e12, 733e12),
    ],
)
def test_peaks_are_dense_not_sparse(key: str, dense: float, sparse: float) -> None:
    assert find_accelerator(key).peak("bf16") == dense < sparse


def test_geforce_peaks_accumulate_in_fp32() -> None:
    # 330.3 TFLOP/s is FP16 with FP16 accumulation, 660.6 the same with sparsity.
    assert find_accelerator("rtx-4090").peak("fp16") == 165.2e12
    assert find_accelerator("rtx-3090").peak("fp16") == 71.2e12


@pytest.mark.parametrize("key", ["v100-sxm2-16gb", "v100-sxm2-32gb", "t4", "p100-sxm2-16gb"])
def test_devices_without_bf16_train_in_fp16(key: str) -> None:
    device = find_accelerator(key)
    assert device.training_dtype == "fp16"
    with pytest.raises(PlanError, match=r"has no BF16\.\nIt computes in FP16, FP32\.\nChoose FP16"):
        device.peak("bf16")


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(CatalogError, match="no accelerator 'h900'"):
        find_accelerator("h900")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"memory_gigabytes": 3}, "unknown: memory_gigabytes"),
        ({"peak_tflop_per_s": {"int4": 3.0}}, "Unknown dtypes: int4"),
        ({"peak_tflop_per_s": {"fp8": 3.0}}, "needs a dense BF16, FP16 or FP32 peak"),
        ({"measured_matmul_tflop_per_s": 150.0}, "exceeds the dense peak: is the peak sparse"),
        ({"memory_gb": 0}, "memory must be positive, got 0"),
        ({"price_usd_per_hour": -1}, "price must be zero or more"),
        (
            {"price_usd_per_hour": 9, "price_range_usd_per_hour": [1, 3]},
            "price 9 lies outside its range 1 to 3",
        ),
    ],
)
def test_a_malformed_entry_is_refused(change: dict, message: str) -> None:
    with pytest.raises(CatalogError, match=message):
        parse_accelerator("mine", MINIMAL | change)


def test_a_missing_key_is_named() -> None:
    entry = {name: value for name, value in MINIMAL.items() if name != "memory_gb"}
    with pytest.raises(CatalogError, match="missing: memory_gb"):
        parse_accelerator("mine", entry)


@pytest.mark.parametrize(
    ("key", "bf16", "memory_gb", "bandwidth_tb_per_s"),
    [
        ("b300-sxm", 2250, 270, 7.7),
        ("gb300", 2500, 279, 8.0),
        ("mi350x", 2300, 288, 8.0),
        ("trainium3", 671, 144, 4.9),
        ("rtx-pro-6000-blackwell", 503.8, 96, 1.792),
        ("tpu-v7", 2307, 192, 7.38),
        ("ascend-910c", 752, 128, 3.2),
    ],
)
def test_what_2025_brought_is_there(
    key: str, bf16: float, memory_gb: float, bandwidth_tb_per_s: float
) -> None:
    """Figures of the sources that each entry names."""
    device = find_accelerator(key)
    assert device.peak("bf16") == bf16 * 1e12
    assert device.memory_bytes == memory_gb * 1e9
    assert device.bandwidth_byte_per_s == pytest.approx(bandwidth_tb_per_s * 1e12)


def test_no_price_is_invented() -> None:
    """Where none was seen there is none, or it is marked."""
    for device in load_accelerators().values():
        if "no source seen" in device.price_source:
            assert "price" in device.unverified, device.key
        if device.price_usd_per_hour is None:
            assert not device.price_source, device.key
