import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import TrainingError
from isoflop.training.corpus import corpus_from_upload
from isoflop.training.tokenizer import (
    BpeTokenizer,
    ByteTokenizer,
    corpus_tokenizer,
    make_tokenizer,
    tokenizer_from_dict,
)


def decode(tokenizer, ids):
    return b"".join(tokenizer.token_bytes[index] for index in ids)


@given(st.binary(min_size=1, max_size=200))
def test_bytes_come_back_and_ids_are_dense(text):
    tokenizer = ByteTokenizer.train(text)
    ids = tokenizer.encode(text)
    assert decode(tokenizer, ids) == text
    assert set(ids.tolist()) == set(range(len(tokenizer.token_bytes)))


def test_bytes_that_the_corpus_lacks_are_left_out():
    tokenizer = ByteTokenizer.train(b"abc")
    assert decode(tokenizer, tokenizer.encode(b"a?c")) == b"ac"


@pytest.fixture(scope="module")
def bpe(text):
    return BpeTokenizer.train(text[:200_000], vocab_size=400)


def test_bpe_gives_back_any_text_byte_by_byte(bpe, text):
    unseen = text[200_000:220_000] + "\nÄ € 😀\t \n".encode()
    ids = bpe.encode(unseen)
    assert decode(bpe, ids) == unseen
    assert len(ids) < 0.75 * len(unseen)
    assert bpe.name == "bpe-400"
    assert all(len(piece) >= 1 for piece in bpe.token_bytes)


def test_tokenizers_survive_json(bpe, text):
    for tokenizer in (bpe, ByteTokenizer.train(text)):
        again = tokenizer_from_dict(tokenizer.to_dict())
        assert again.token_bytes == tokenizer.token_bytes
        sample = text[:5000]
        assert np.array_equal(again.encode(sample), tokenizer.encode(sample))


def test_a_trained_bpe_is_kept(tmp_path, text):
    cache = tmp_path / "kept" / "bpe.json"
    first = make_tokenizer("bpe-300", text[:50_000], cache=cache)
    assert cache.is_file()
    assert make_tokenizer("bpe-300", b"other", cache=cache).token_bytes == first.token_bytes


@pytest.mark.parametrize("content", ["", '{"model": "{}"}', '{"model": "{}", "sha256": "0"}'])
def test_a_damaged_bpe_is_made_again(tmp_path, text, content):
    cache = tmp_path / "bpe.json"
    first = make_tokenizer("bpe-300", text[:50_000], cache=cache)
    kept = cache.read_text()
    cache.write_text(content)
    assert make_tokenizer("bpe-300", text[:50_000], cache=cache).token_bytes == first.token_bytes
    assert cache.read_text() == kept


def test_merges_are_learned_from_the_training_text_alone(tmp_path, text):
    corpus = corpus_from_upload(text, name="mine.txt")
    made = corpus_tokenizer("bpe-512", corpus, folder=tmp_path)
    alone = BpeTokenizer.train(corpus.split()[0], vocab_size=512)
    assert made.token_bytes == alone.token_bytes
    everything = BpeTokenizer.train(corpus.text, vocab_size=512)
    assert made.token_bytes != everything.token_bytes


@pytest.mark.parametrize("name", ["words", "bpe-12", "bpe-x", "bpe-99999999"])
def test_unknown_tokenizers_are_refused(name):
    with pytest.raises(TrainingError, match=f"There is no tokenizer '{name}'"):
        make_tokenizer(name, b"text")


def test_bpe_says_what_it_needs(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    with pytest.raises(TrainingError, match="needs the tokenizers library"):
        make_tokenizer("bpe-300", b"text")
