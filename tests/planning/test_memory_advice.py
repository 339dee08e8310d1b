from itertools import pairwise

import pytest

from isoflop.accounting import find_model
from isoflop.errors import PlanError
from isoflop.planning.layout import Layout
from isoflop.planning.memory import TrainingSetup, find_optimizer, training_memory
from isoflop.planning.memory_advice import report_memory

ADAM = find_optimizer("adam-18")


def report(name, *, capacity_bytes=80e9, **options):
    setup = TrainingSetup(optimizer=ADAM, **options)
    return report_memory(find_model(name).architecture, setup, capacity_bytes)


def test_what_fits_needs_no_advice():
    found = report("gpt2")
    assert found.fits
    assert found.advice == ()
    assert found.largest_micro_batch > 1


def test_sharding_everything_makes_8b_fit_eight_cards():
    found = report("Llama-3-8B", layout=Layout(data=8))
    assert not found.fits
    assert [advice.text[:10] for advice in found.advice] == ["Use ZeRO 3"]


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("Llama-3-8B", Layout(data=8)),
        ("Llama-3-70B", Layout(data=64)),
        ("Llama-3.1-405B", Layout(data=128, tensor=8, pipeline=16, zero_stage=1)),
        ("DeepSeek-V3", Layout(data=2048)),
        ("Mixtral-8x7B", Layout(data=32)),
    ],
)
def test_all_advice_fits_and_takes_as_many_accelerators(name, layout):
    found = report(name, layout=layout)
    assert not found.fits
    assert found.advice
    for advice in found.advice:
        memory = training_memory(find_model(name).architecture, advice.setup)
        assert memory.total_bytes == advice.total_bytes <= found.usable_bytes
        assert advice.setup.layout.n_accelerators == layout.n_accelerators
        assert advice.text
        assert advice.price


def test_a_row_of_changes_where_no_single_one_suffices():
    (advice,) = report("Llama-3-70B", layout=Layout(data=64)).advice
    assert advice.text.count("Use ") + advice.text.count("Recompute") >= 2


def test_the_micro_batch_is_lowered_no_further_than_needed():
    found = report("gpt2", capacity_bytes=24e9, micro_batch=64)
    lowered = [advice for advice in found.advice if "micro-batch" in advice.text]
    assert lowered[0].setup.micro_batch == found.largest_micro_batch > 1


def test_nothing_makes_70b_fit_one_card():
    assert report("Llama-3-70B").advice == ()


def test_costless_changes_come_first():
    found = report(
        "Llama-2-7B",
        layout=Layout(data=8, zero_stage=3),
        flash_attention=False,
        capacity_bytes=60e9,
        context=8192,
    )
    assert not found.fits
    assert found.advice[0].text == "Use FlashAttention."
    prices = [advice.price for advice in found.advice]
    assert all(not (later == "none" != earlier) for earlier, later in pairwise(prices))


def test_a_report_says_whether_it_fits_and_shows_other_layouts():
    found = report("Llama-3-8B", layout=Layout(data=8, zero_stage=1), recompute="selective")
    assert found.summary().startswith("Llama-3-8B ")
    assert list(found.alternatives) == [
        "ZeRO 0", "ZeRO 2", "ZeRO 3", "No recomputation", "Full recomputation",
    ]  # fmt: skip
    totals = {name: memory.total_bytes for name, memory in found.alternatives.items()}
    assert totals["ZeRO 0"] > found.memory.total_bytes > totals["ZeRO 2"] > totals["ZeRO 3"]
    assert found.to_frame().sum(axis=1)["as laid out"] == pytest.approx(found.memory.total_bytes)
    assert "does not fit: it takes" in report("Llama-3-70B").summary()
    assert "fits: " in report("gpt2").summary()


def test_memory_must_be_positive():
    with pytest.raises(PlanError, match="Memory must be positive"):
        report("gpt2", capacity_bytes=0)
