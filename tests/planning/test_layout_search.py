"""The search of layouts: as fast as the step it is made of, never beyond memory, batch or heads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from isoflop.accounting import find_model
from isoflop.planning import find_accelerator, step_time
from isoflop.planning.layout_search import (
    LayoutSearch,
    best_layout,
    candidates,
    fastest_layouts,
    speeds,
)
from isoflop.planning.memory import TrainingSetup, find_optimizer, training_memory
from isoflop.planning.rates import LayoutRates

H100 = find_accelerator("h100-sxm")
LLAMA_8B = find_model("Llama-3-8B").architecture
MODELS = ("Llama-3-8B", "Llama-3.1-405B", "Mixtral-8x7B", "DeepSeek-V3", "Gemma-2-9B")


def memory_of(found, search: LayoutSearch) -> float:
    step = found.step
    setup = TrainingSetup(
        optimizer=find_optimizer(search.optimizer),
        layout=step.layout,
        micro_batch=step.micro_batch,
        context=step.context,
        recompute=step.recompute,
    )
    return training_memory(step.architecture, setup).total_bytes


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("count", [64, 2048])
def test_many_at_once_say_what_each_step_says_alone(model: str, count: int) -> None:
    """Speed and memory of the arrays are those of the one layout, to rounding."""
    search = LayoutSearch(accelerator=H100, sequence=4096)
    for found in list(fastest_layouts(search, find_model(model).architecture, count, 8e6))[::40]:
        alone = step_time(found.step)
        assert found.tokens_per_s == pytest.approx(alone.tokens_per_s, rel=1e-9)
        assert memory_of(found, search) <= 0.9 * H100.memory_bytes
        assert found.layout.n_accelerators + found.idle == count
        assert found.step.batch_tokens <= 8e6


def test_the_best_is_the_fastest_of_all_that_can_be_written_down() -> None:
    """A brute-force search by single steps over the same degrees finds nothing faster."""
    search = LayoutSearch(accelerator=H100, sequence=8192)
    found = candidates(search, LLAMA_8B)
    speed = speeds(search, found, 256, np.array([4e6])).tokens_per_s[0]
    best = best_layout(search, LLAMA_8B, 256, 4e6)
    assert best.tokens_per_s == pytest.approx(speed.max())
    assert np.count_nonzero(speed) > 50


def test_a_held_degree_is_kept() -> None:
    search = LayoutSearch(accelerator=H100, tensor=4, pipeline=2, recompute="full", micro_batch=2)
    found = best_layout(search, LLAMA_8B, 64, 4e6)
    assert (found.layout.tensor, found.layout.pipeline) == (4, 2)
    assert (found.step.recompute, found.step.micro_batch) == ("full", 2)
    assert not search.is_free


def test_what_fits_nowhere_has_no_layout() -> None:
    """70 billion parameters on one card of 24 GB."""
    shape = find_model("Llama-3-70B").architecture
    search = LayoutSearch(accelerator=find_accelerator("rtx-4090"))
    assert best_layout(search, shape, 1, 1e6) is None
    assert best_layout(replace(search, must_fit=False), shape, 1, 1e6) is not None


def test_a_small_batch_leaves_accelerators_idle() -> None:
    """One sequence a replica at least: 64 sequences occupy 64 replicas of some accelerators."""
    search = LayoutSearch(accelerator=H100, sequence=8192, tensor=1, pipeline=1)
    found = best_layout(search, LLAMA_8B, 4096, 64 * 8192)
    assert found.layout.data == 64
    assert found.idle == 4096 - 64


def test_more_batch_or_memory_is_never_slower() -> None:
    search = LayoutSearch(accelerator=H100, sequence=8192)
    table = LayoutRates(family="llama-3", count="total", search=search).table(4096)
    shares = table.share(1e10, 2.0 ** np.arange(16, 29))
    assert np.all(np.diff(shares) >= -1e-12)
    rates = LayoutRates(family="llama-3", count="total", search=search)
    small, large = rates(40e9, 64), rates(80e9, 64)
    assert 1.5 * small < large
