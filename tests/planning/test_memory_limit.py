import pytest

from isoflop.accounting import find_family, load_families
from isoflop.accounting.shapes import propose_shape
from isoflop.errors import PlanError
from isoflop.planning.layout import Layout
from isoflop.planning.memory import TrainingSetup, find_optimizer, training_memory
from isoflop.planning.memory_limit import SIZES, MemoryLimit, largest_params

LLAMA = find_family("llama-3")
ADAM = find_optimizer("adam-16")


def setup(**degrees: int) -> TrainingSetup:
    return TrainingSetup(optimizer=ADAM, layout=Layout(**degrees), recompute="full")


def test_the_largest_fits_and_a_little_more_does_not() -> None:
    largest = largest_params(LLAMA, setup(data=8, zero_stage=3), 80e9)
    fits = training_memory(propose_shape(LLAMA, largest).architecture, setup(data=8, zero_stage=3))
    assert fits.total_bytes <= 72e9
    more = propose_shape(LLAMA, largest * 1.05).architecture
    assert training_memory(more, setup(data=8, zero_stage=3)).total_bytes > 72e9


def test_without_sharding_sixteen_bytes_a_parameter_bound_it() -> None:
    largest = largest_params(LLAMA, setup(), 80e9)
    assert 0.75 * 72e9 / 16 < largest < 72e9 / 16


def test_sharding_over_more_accelerators_holds_more() -> None:
    sizes = [largest_params(LLAMA, setup(data=n, zero_stage=3), 80e9) for n in (1, 8, 64)]
    assert sizes == sorted(sizes)
    assert sizes[2] > 10 * sizes[0]


def test_a_memory_too_small_for_anything_holds_nothing() -> None:
    assert largest_params(LLAMA, setup(), 1e6) == 0


def test_the_limit_is_a_function_of_memory_and_number() -> None:
    limit = MemoryLimit(family="llama-3", setup=setup(zero_stage=3), headroom=0.2)
    assert limit(80e9, 8) == largest_params(LLAMA, setup(data=8, zero_stage=3), 80e9, headroom=0.2)
    assert limit(160e9, 8) > limit(80e9, 8)


def test_accelerators_that_cannot_be_cut_hold_nothing() -> None:
    limit = MemoryLimit(family="llama-3", setup=setup(tensor=8, zero_stage=3))
    assert limit(80e9, 12) == 0
    assert limit(80e9, 16) > limit(80e9, 8) > 0


def test_active_and_total_are_told_apart() -> None:
    mixtral = find_family("mixtral")
    total = largest_params(mixtral, setup(data=64, zero_stage=3), 80e9)
    active = largest_params(mixtral, setup(data=64, zero_stage=3), 80e9, count="active")
    assert active == pytest.approx(total * 0.28, rel=0.1)


def test_a_layout_that_cuts_no_model_of_the_family_is_refused() -> None:
    with pytest.raises(PlanError, match="has no experts"):
        largest_params(LLAMA, setup(data=8, expert=8), 80e9)


@pytest.mark.parametrize("key", load_families())
def test_every_family_reaches_the_largest_size(key: str) -> None:
    for count in ("total", "active", "nonembedding"):
        propose_shape(find_family(key), float(SIZES[-1]), count=count)
