import pytest

from isoflop.errors import TrainingError
from isoflop.training import queue as queue_module
from isoflop.training.ladders import damaged_members, find_ladder, list_ladders, start_ladder
from isoflop.training.processes import NEVER_S, ProcessId
from isoflop.training.queue import RunQueue


@pytest.fixture
def queue(tmp_path, monkeypatch):
    """Return a queue whose workers never come."""
    monkeypatch.setattr(
        queue_module, "start_detached", lambda *_, **__: ProcessId(pid=1, started_s=NEVER_S)
    )
    return RunQueue(tmp_path)


def test_a_ladder_is_found_again_by_its_id(queue, tiny):
    made = start_ladder(queue, [tiny(seed=0), tiny(seed=1)], title="Two seeds")
    assert find_ladder(made.id, root=queue.root) == made
    assert list_ladders(queue.root) == [made]


def test_two_clicks_are_one_ladder(queue, tiny):
    configs = [tiny(seed=0), tiny(seed=1)]
    assert start_ladder(queue, configs, title="A") == start_ladder(queue, configs, title="A")


def test_a_single_run_is_a_ladder_of_one(queue, tiny):
    [run] = queue.submit([tiny()])
    found = find_ladder(run.id, root=queue.root)
    assert found.runs == (run,)
    assert found.title == "lstm w8 d1 s0"


def test_a_deleted_run_leaves_the_rest(queue, tiny):
    made = start_ladder(queue, [tiny(seed=0), tiny(seed=1)], title="Two seeds")
    queue.stop([made.runs[0]])
    queue.delete(made.runs[0])
    assert find_ladder(made.id, root=queue.root).runs == made.runs[1:]


def test_a_ladder_whose_runs_were_all_deleted_is_gone(queue, tiny):
    made = start_ladder(queue, [tiny()], title="One")
    queue.stop(made.runs)
    queue.delete(made.runs[0])
    assert list_ladders(queue.root) == []
    for ask in (made.runs[0].state, lambda: find_ladder(made.id, root=queue.root)):
        with pytest.raises(TrainingError, match="There is no run"):
            ask()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"title": "A", "created": "", "runs": 3}'])
def test_a_damaged_ladder_is_left_out_and_named(queue, tiny, content):
    made = start_ladder(queue, [tiny(seed=0)], title="One")
    (queue.root / "ladders" / "ladder-0.json").write_text(content)
    assert list_ladders(queue.root) == [made]
    [said] = damaged_members(queue.root)
    assert said.startswith("ladders/ladder-0.json: ")
    with pytest.raises(TrainingError, match="The ladder cannot be read"):
        find_ladder("ladder-0", root=queue.root)


def test_a_damaged_run_leaves_the_rest_and_is_named(queue, tiny):
    made = start_ladder(queue, [tiny(seed=0), tiny(seed=1)], title="Two seeds")
    (made.runs[0].folder / "config.json").write_text('{"family": "lstm"')
    found = find_ladder(made.id, root=queue.root)
    assert found.runs == made.runs[1:]
    [said] = found.damaged
    assert said.startswith(f"{made.runs[0].id}: config.json: ")
    assert damaged_members(queue.root) == [said]


@pytest.mark.parametrize("name", ["ladder-none", "../ladders", "", "/etc/passwd"])
def test_unknown_ladders_are_refused(queue, name):
    with pytest.raises(TrainingError, match="There is no run"):
        find_ladder(name, root=queue.root)
