import pytest
import torch
from safetensors.torch import save_file

from isoflop.errors import TrainingError
from isoflop.files import write_json
from isoflop.training.engine.build import build_model
from isoflop.training.engine.generate import generate, next_token_distribution
from isoflop.training.engine.load import load_trained
from isoflop.training.runs import Run
from isoflop.training.tokenizer import ByteTokenizer


@pytest.fixture
def run(tmp_path, tiny, text):
    config = tiny(family="transformer", width=16)
    tokenizer = ByteTokenizer.train(text)
    made = Run.create(tmp_path, config)
    write_json(made.tokenizer_path, tokenizer.to_dict())
    model = build_model(config, vocab_size=len(tokenizer.token_bytes))
    save_file(model.state_dict(), made.weights_path(0))
    return made


def write(run, **changes):
    options = {"prompt": b"def f", "n_tokens": 50, "temperature": 1.0, "top_k": 0, "seed": 0}
    return list(generate(load_trained(run, budget=0), **(options | changes)))


def test_the_seed_decides_the_text(run):
    first = [token.piece for token in write(run)]
    assert [token.piece for token in write(run)] == first
    assert [token.piece for token in write(run, seed=1)] != first
    assert len(first) == 50  # longer than the context of 32


@pytest.mark.slow
def test_zero_temperature_takes_the_likeliest_whatever_the_seed(run):
    tokens = write(run, temperature=0.0)
    assert tokens == write(run, temperature=0.0, seed=7)
    assert all(token.candidates == ((token.piece, 1.0),) for token in tokens)


def test_top_k_leaves_that_many_candidates(run):
    for token in write(run, top_k=3):
        assert len(token.candidates) == 3
        assert token.piece in dict(token.candidates)
        assert sum(dict(token.candidates).values()) == pytest.approx(1)
        shares = [share for _, share in token.candidates]
        assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize("prompt", [b"", "日本".encode()])
def test_a_prompt_without_known_characters_starts_a_line(run, prompt):
    assert len(write(run, prompt=prompt, n_tokens=3)) == 3


def test_the_distribution_by_hand():
    logits = torch.tensor([2.0, 1.0, 0.0]).log()
    even = next_token_distribution(logits[:2], temperature=1.0, top_k=0)
    assert even.tolist() == pytest.approx([2 / 3, 1 / 3])
    sharp = next_token_distribution(logits[:2], temperature=0.5, top_k=0)
    assert sharp.tolist() == pytest.approx([4 / 5, 1 / 5])
    one = next_token_distribution(logits, temperature=1.0, top_k=1)
    assert one.tolist() == pytest.approx([1, 0, 0])


def test_weights_that_are_not_there_yet_are_refused(run):
    with pytest.raises(TrainingError, match="has no such weights yet"):
        load_trained(run, budget=2)
    with pytest.raises(TrainingError, match="has no such weights yet"):
        load_trained(run, budget=None)
