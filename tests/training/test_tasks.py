import pytest

from isoflop.training.runs import Run
from isoflop.training.tasks import CLASSES, TaskScores, character_class, keep_scores, kept_scores

SCORES = TaskScores(
    budget=0, tokens=1e5, compute_flop=1e12, loss=2.0, accuracy=0.4, class_accuracy=0.6,
    class_f1=0.5, bleu=0.1,
)  # fmt: skip


@pytest.mark.parametrize(
    ("character", "kind"),
    [("a", "letter"), ("Z", "letter"), ("7", "digit"), ("\t", "space"), ("\n", "line end"),
     ("_", "other"), ("(", "other")],
)  # fmt: skip
def test_every_character_has_a_kind(character, kind):
    assert CLASSES[character_class(ord(character))] == kind


def test_bytes_beyond_ascii_are_parts_of_letters():
    assert {character_class(byte) for byte in "é中".encode()} == {0}


def test_scores_are_kept_beside_a_run(tmp_path, tiny):
    run = Run.create(tmp_path, tiny())
    assert kept_scores(run) == ()
    keep_scores(run, [SCORES])
    assert kept_scores(run) == (SCORES,)


@pytest.mark.parametrize("content", ["", "[]", '{"scores": [{"budget": 0}]}'])
def test_a_damaged_file_of_scores_is_as_none(tmp_path, tiny, content):
    run = Run.create(tmp_path, tiny())
    (run.folder / "tasks.json").write_text(content)
    assert kept_scores(run) == ()
