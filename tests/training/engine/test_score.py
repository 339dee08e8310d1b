import numpy as np
import pytest

from isoflop.training.engine.build import build_model
from isoflop.training.engine.load import TrainedModel
from isoflop.training.engine.score import character_bleu, macro_f1, score_weights
from isoflop.training.tokenizer import ByteTokenizer

POINT = {"budget": 0, "tokens": 1000, "compute_flop": 1e9, "nats_per_byte": 2.5}


def test_f1_by_hand():
    """Of kind 0: precision 1/2, recall 1; of kind 1: precision 1, recall 1/2; both F1 of 2/3."""
    assert macro_f1(np.array([0, 1, 1]), np.array([0, 0, 1])) == pytest.approx(2 / 3)


def test_bleu_is_one_for_the_text_itself():
    text = ["def add(a, b):", "return a + b"]
    assert character_bleu(text, text) == pytest.approx(1)
    assert character_bleu(["zzzzzzzzzzzzzz", "zzzzzzzzzzzz"], text) < 0.05


def test_an_untrained_model_scores_as_chance(tiny, text):
    config = tiny(family="transformer", width=16)
    tokenizer = ByteTokenizer.train(text)
    model = build_model(config, vocab_size=len(tokenizer.token_bytes)).eval()
    trained = TrainedModel(model=model, tokenizer=tokenizer, config=config)
    scores = score_weights(trained, text, POINT)
    assert scores.loss == 2.5
    assert 0 <= scores.accuracy < 0.2
    assert 0 <= scores.class_f1 <= scores.class_accuracy + 0.2 <= 1.2
    assert 0 <= scores.bleu < 0.3
