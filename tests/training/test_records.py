import pytest

from isoflop.training.records import RecordWriter, RunHistory, read_new_records


def step(segment, number, loss):
    speed = {"tokens_per_s": 1.0, "tokens_per_cpu_s": 1.0}
    place = {"segment": segment, "step": number, "tokens": 8 * number + 8}
    return {"kind": "step", "loss": loss, **place, **speed}


def test_half_a_last_line_waits_until_it_is_whole(tmp_path):
    path = tmp_path / "records.jsonl"
    path.write_text('{"kind": "a"}\n{"kind": ')
    found, offset = read_new_records(path)
    assert found == [{"kind": "a"}]
    with path.open("a") as file:
        file.write('"b"}\n')
    assert read_new_records(path, offset)[0] == [{"kind": "b"}]


def test_a_worker_that_was_killed_in_a_line_does_not_spoil_the_next(tmp_path):
    path = tmp_path / "records.jsonl"
    path.write_text('{"kind": "a"}\n{"kind": "hal')
    with RecordWriter(path) as writer:
        writer.write({"kind": "b"})
    assert read_new_records(path)[0] == [{"kind": "a"}, {"kind": "b"}]


def test_no_file_yet_is_no_records(tmp_path):
    assert read_new_records(tmp_path / "none.jsonl") == ([], 0)


def test_steps_told_twice_count_once_and_come_in_order(tmp_path):
    path = tmp_path / "records.jsonl"
    history = RunHistory(path)
    with RecordWriter(path) as writer:
        for record in (step(0, 8, 3.0), step(0, 16, 2.5), step(0, 8, 2.9), step(1, 8, 2.0)):
            writer.write(record)
        writer.write({"kind": "corpus", "source": "a text"})
        assert history.refresh()
        assert not history.refresh()
        writer.write(step(0, 16, 2.4))
    assert history.refresh()
    assert [record["loss"] for record in history.of_kind("step")] == [2.9, 2.4, 2.0]
    assert history.fact("corpus") == {"kind": "corpus", "source": "a text"}
    assert history.fact("model") is None


@pytest.mark.parametrize(
    "line",
    [
        '{"kind": "step", "segment": 0, "step": 2}',
        '{"kind": "step", "segment": "0", "step": 2, "tokens": 8, "loss": 1.0, "tokens_per_s": 1,'
        ' "tokens_per_cpu_s": 1}',
        '{"kind": "step", "segment": 0, "step": 2, "tokens": 0, "loss": 1.0, "tokens_per_s": 1,'
        ' "tokens_per_cpu_s": 1}',
        '{"kind": "step", "segment": 0, "step": 2, "tokens": 8, "loss": NaN, "tokens_per_s": 1,'
        ' "tokens_per_cpu_s": 1}',
        '{"kind": ["step"]}',
        '{"kind": "corpus", "n_bytes": 0, "train_tokens": 1, "validation_tokens": 1}',
        '{"kind": "model", "params": null}',
    ],
)
def test_a_line_that_a_bad_disk_has_changed_is_left_out(tmp_path, line):
    history = RunHistory(tmp_path / "records.jsonl")
    history.path.write_text(line + "\n")
    assert history.refresh()
    assert history.of_kind("step") == []
    assert history.fact("corpus") is history.fact("model") is None
