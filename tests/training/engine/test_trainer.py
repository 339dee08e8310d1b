import math
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch

from isoflop.errors import TrainingError
from isoflop.training.config import FAMILIES
from isoflop.training.corpus import corpus_from_upload
from isoflop.training.engine import trainer as trainer_module
from isoflop.training.engine.batches import batch
from isoflop.training.engine.device import to_device
from isoflop.training.engine.evaluate import evaluate
from isoflop.training.engine.execute import restore, save_checkpoint
from isoflop.training.engine.optimiser import make_step
from isoflop.training.engine.trainer import TokenData, Trainer
from isoflop.training.tokenizer import ByteTokenizer

CPU = torch.device("cpu")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def data(text):
    corpus = corpus_from_upload(text, name="sources.txt")
    tokenizer = ByteTokenizer.train(corpus.text)
    train, validation = corpus.split()
    return TokenData(
        train=tokenizer.encode(train),
        validation=tokenizer.encode(validation),
        token_bytes=tokenizer.token_bytes,
    )


def train(config, data, *, stop_after=math.inf):
    """Train until a number of steps; return the trainer and its records."""
    records, asked = [], iter(range(10**9))
    trainer = Trainer(config, data, device=CPU, on_record=records.append)
    trainer.run(should_stop=lambda: next(asked) >= stop_after)
    return trainer, records


def untimed(records):
    """Drop what differs from one machine to the next."""
    timed = ("tokens_per_s", "tokens_per_cpu_s", "cpu_s")
    return [{k: v for k, v in record.items() if k not in timed} for record in records]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_step_waits_for_no_number(family, tiny, monkeypatch):
    """On a card, to read a number waits for all that was asked before; a meta tensor has none."""
    tokens = np.zeros(5000, np.uint16)
    alphabet = tuple(bytes([value]) for value in range(50))
    data = TokenData(train=tokens, validation=tokens, token_bytes=alphabet)
    monkeypatch.setattr(trainer_module, "make_step", lambda optimiser: None)  # fused: not on meta
    trainer = Trainer(
        tiny(family=family, dropout=0.1), data, device=torch.device("meta"), on_record=print
    )
    loss, norm = trainer.train_step()
    assert loss.is_meta
    assert norm.is_meta
    with pytest.raises(RuntimeError):
        float(loss)  # what a step that reads a number would do


def test_the_batch_of_a_step_is_pinned_and_sent_without_waiting(monkeypatch):
    sent = []

    class Ids:
        def pin_memory(self):
            sent.append("pinned")
            return self

        def to(self, device, *, non_blocking):
            sent.append((device.type, non_blocking))

    to_device(Ids(), torch.device("cuda"))
    assert sent == ["pinned", ("cuda", True)]


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_learns_more_than_letter_frequencies(family, data, tiny):
    config = tiny(family=family, width=16, token_budgets=(32_768,), context=64)
    _, records = train(config, data)
    shares = np.bincount(data.train) / len(data.train)
    entropy = -sum(share * math.log(share) for share in shares if share)
    [point] = [record for record in records if record["kind"] == "point"]
    assert point["nats_per_byte"] < 0.95 * entropy
    assert point["bits_per_byte"] == pytest.approx(point["nats_per_byte"] / math.log(2))
    assert point["perplexity"] == pytest.approx(math.exp(point["nats_per_token"]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("lstm", {}),
        ("transformer", {}),
        ("lstm", {"dropout": 0.2, "embedding_width": 8}),
        ("transformer", {"optimiser": "sgd", "is_tied": False}),
    ],
    ids=["lstm", "transformer", "lstm with dropout", "transformer by SGD"],
)
@pytest.mark.parametrize("stop_after", [3, 13, 14, 30, 51, 61])
def test_stopped_and_resumed_is_bit_identical(family, settings, stop_after, data, tiny, tmp_path):
    config = tiny(family=family, **settings)
    straight, expected = train(config, data)
    first, records = train(config, data, stop_after=stop_after)
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(first, path, fingerprint="corpus")
    second = Trainer(config, data, device=CPU, on_record=records.append)
    restore(second, path, fingerprint="corpus")
    assert second.run(should_stop=lambda: False)
    assert untimed(records) == untimed(expected)
    for a, b in pairwise((straight.model.state_dict(), second.model.state_dict())):
        assert all(torch.equal(a[name], b[name]) for name in a)


def test_a_checkpoint_of_another_corpus_is_refused(data, tiny, tmp_path):
    trainer, _ = train(tiny(), data, stop_after=2)
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(trainer, path, fingerprint="one")
    with pytest.raises(TrainingError, match="does not belong to this corpus"):
        restore(trainer, path, fingerprint="another")


def test_a_checkpoint_cannot_carry_code(tmp_path, data, tiny):
    trainer, _ = train(tiny(), data, stop_after=0)
    path = tmp_path / "checkpoint.pt"
    torch.save({"format": 1, "corpus": "corpus", "state": math.log}, path)
    with pytest.raises(Exception, match="Weights only load failed"):
        restore(trainer, path, fingerprint="corpus")


def test_a_branch_leaves_the_trunk_as_it_was(data, tiny):
    """A budget's result does not depend on the smaller budgets that branch off before it."""
    _, ladder = train(tiny(token_budgets=(2048, 8192), warmup_steps=4), data)
    _, alone = train(tiny(token_budgets=(8192,), warmup_steps=4), data)
    points = [record for record in ladder if record["kind"] == "point"]
    [point] = [record for record in alone if record["kind"] == "point"]
    assert points[-1]["nats_per_byte"] == point["nats_per_byte"]


def test_a_loss_that_is_no_number_ends_the_run(data, tiny, monkeypatch):
    monkeypatch.setattr(
        "isoflop.training.engine.trainer.F.cross_entropy",
        lambda logits, targets: logits.sum() * float("nan"),
    )
    with pytest.raises(TrainingError, match="The loss is no longer a number"):
        train(tiny(), data)


def test_a_corpus_shorter_than_a_window_is_refused(data, tiny):
    short = TokenData(
        train=data.train[:20], validation=data.validation[:20], token_bytes=data.token_bytes
    )
    with pytest.raises(TrainingError, match="shorter than one training window"):
        Trainer(tiny(), short, device=CPU, on_record=lambda record: None)


def test_batches_depend_on_seed_and_step_alone(data, tiny):
    one = batch(data.train, tiny(seed=1), step=5)
    assert torch.equal(one, batch(data.train, tiny(seed=1, family="rnn"), step=5))
    assert not torch.equal(one, batch(data.train, tiny(seed=1), step=6))
    assert not torch.equal(one, batch(data.train, tiny(seed=2), step=5))
    assert one.shape == (4, 33)


def test_a_model_that_knows_nothing_scores_the_log_of_the_vocabulary():
    pieces = (b"a", b"bb", b"ccc", b"dddd")
    tokens = np.arange(4000, dtype=np.int32) % 4

    def uniform(ids):
        return torch.zeros(*ids.shape, 4)

    result = evaluate(uniform, tokens, token_bytes=pieces, context=16, n_tokens=2048, device=CPU)
    assert result.nats_per_token == pytest.approx(math.log(4))
    assert result.nats_per_byte == pytest.approx(math.log(4) / 2.5, rel=1e-3)
    assert result.perplexity == pytest.approx(4)
    assert result.accuracy == pytest.approx(0.25)
    assert result.n_tokens == 2048


def test_an_oracle_scores_nothing_and_is_always_right():
    tokens = np.arange(4000, dtype=np.int32) % 4

    def oracle(ids):
        return 100.0 * torch.nn.functional.one_hot((ids + 1) % 4, 4).float()

    result = evaluate(
        oracle, tokens, token_bytes=(b"a",) * 4, context=16, n_tokens=2048, device=CPU
    )
    assert result.nats_per_byte == pytest.approx(0, abs=1e-6)
    assert result.accuracy == 1.0


def test_a_step_is_the_optimisers_own():
    torch.manual_seed(0)
    models = [torch.nn.Linear(4, 4) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    steppers = [torch.optim.AdamW(model.parameters(), lr=0.1, fused=True) for model in models]
    for _ in range(3):
        for model in models:
            model.zero_grad()
            model(torch.ones(2, 4)).square().sum().backward()
        steppers[0].step()
        make_step(steppers[1])
    assert torch.equal(models[0].weight, models[1].weight)


@pytest.mark.slow
def test_training_does_not_load_the_compiler():
    code = """
import sys
import torch
from isoflop.training.engine.optimiser import make_step
layer = torch.nn.Linear(2, 2)
optimiser = torch.optim.AdamW(layer.parameters(), lr=0.1, fused=True)
layer(torch.ones(1, 2)).sum().backward()
make_step(optimiser)
optimiser.zero_grad()
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)
