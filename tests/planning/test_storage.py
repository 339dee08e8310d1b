import pytest

from isoflop.errors import PlanError
from isoflop.planning.memory import find_optimizer
from isoflop.planning.storage import (
    CheckpointPolicy,
    bytes_per_token,
    storage_need,
    training_steps,
)

ADAM = find_optimizer("adam-16")


@pytest.mark.parametrize(
    ("vocab", "size"), [(256, 1), (257, 2), (50257, 2), (65536, 2), (65537, 4), (128256, 4)]
)
def test_bytes_per_token(vocab, size):
    assert bytes_per_token(vocab) == size


def test_bloom_checkpoints_are_as_large_as_reported():
    """The training notes of BLOOM-176B: 2.3 TB a checkpoint, 329 GB the BF16 weights alone."""
    need = storage_need(params=176_247_271_424, unique_tokens=350e9, vocab=250_680, optimizer=ADAM)
    # Both were read off a file system that counts in powers of 1024.
    assert need.resumable_checkpoint_bytes / 2**40 == pytest.approx(2.3, abs=0.06)
    assert need.weights_checkpoint_bytes / 2**30 == pytest.approx(329, abs=1)


def test_components_add_up():
    policy = CheckpointPolicy(n_saved=10, n_resumable=2)
    need = storage_need(
        params=1e9,
        unique_tokens=20e9,
        vocab=50257,
        optimizer=ADAM,
        policy=policy,
        steps=1000,
        log_bytes_per_step=500,
    )
    assert need.by_component == {
        "data": 40e9,
        "checkpoints": 2 * 14e9 + 8 * 2e9,
        "logs": 500_000,
    }
    assert need.total_bytes == 84e9 + 500_000


def test_weights_need_not_be_kept():
    policy = CheckpointPolicy(n_saved=10, n_resumable=1, keep_weights=False)
    need = storage_need(params=1e9, unique_tokens=0, vocab=256, optimizer=ADAM, policy=policy)
    assert need.checkpoints_bytes == 14e9


def test_steps():
    assert training_steps(20e9, 0.5e6) == 40_000
    assert training_steps(1_000_001, 1_000_000) == 2


def test_a_run_below_one_step_is_refused():
    with pytest.raises(PlanError, match="The run is shorter than one step"):
        training_steps(1e5, 5e5)


def test_a_batch_of_nothing_is_refused():
    with pytest.raises(PlanError, match="The batch must be positive"):
        training_steps(1e5, 0)


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_sizes_must_be_finite_and_positive(bad):
    with pytest.raises(PlanError, match="Storage needs finite, positive sizes") as caught:
        storage_need(params=bad, unique_tokens=1, vocab=256, optimizer=ADAM)
    assert "params" in caught.value.detail


@pytest.mark.parametrize(("saved", "resumable"), [(0, 1), (3, 0)])
def test_impossible_policies_are_refused(saved, resumable):
    with pytest.raises(PlanError, match="at least one checkpoint, and one to resume from"):
        CheckpointPolicy(n_saved=saved, n_resumable=resumable)


def test_of_fewer_checkpoints_than_are_to_be_resumable_all_are():
    def kept(saved, resumable):
        policy = CheckpointPolicy(n_saved=saved, n_resumable=resumable)
        return storage_need(params=1e9, unique_tokens=0, vocab=256, optimizer=ADAM, policy=policy)

    assert kept(1, 5) == kept(1, 1)


def test_impossible_vocabulary_is_refused():
    with pytest.raises(PlanError, match="A vocabulary must have"):
        bytes_per_token(0)
