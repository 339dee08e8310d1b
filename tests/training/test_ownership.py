"""Whose runs are, who sees and changes them, and how much a person may train."""

import json
from dataclasses import replace
from itertools import count

import pytest

from isoflop.accounting import count_small_parameters
from isoflop.errors import AccessError, IsoflopError, TrainingError
from isoflop.people import LOCAL, VISITOR, Actor, Membership
from isoflop.training import estimates, kept, ownership
from isoflop.training.config import small_model
from isoflop.training.corpus import may_use_upload, store_upload
from isoflop.training.ladders import (
    damaged_members,
    delete_ladder,
    find_ladder,
    keep_ladder,
    list_ladders,
    share_ladder,
)
from isoflop.training.queue import RunQueue
from isoflop.training.runs import Run, find_run, list_runs

EDITOR = frozenset({"viewer", "editor"})
ANNA = Actor(id="browser:anna", name="Anna", roles=EDITOR)
BEN = Actor(id="browser:ben", name="Ben", roles=EDITOR)
LOOKER = Actor(id="browser:looker", name="Looker")
BOSS = Actor(id="browser:boss", name="Boss", roles=EDITOR | {"owner"})


@pytest.fixture
def queue(tmp_path):
    """Anna's."""
    return RunQueue(tmp_path, ANNA)


@pytest.fixture
def ladder(queue, tiny):
    return keep_ladder(queue.root, queue.submit([tiny(), tiny(seed=1)]), title="Anna's")


def test_runs_are_seen_by_their_owner_alone(queue, ladder):
    assert [seen.id for seen in list_ladders(queue.root, ANNA)] == [ladder.id]
    for other in (BEN, LOOKER, VISITOR, LOCAL):
        assert list_ladders(queue.root, other) == []
        for name in (ladder.id, ladder.runs[0].id):
            with pytest.raises(TrainingError, match="There is no run"):
                find_ladder(name, root=queue.root, actor=other)
        with pytest.raises(TrainingError, match="There is no run"):
            find_run(ladder.runs[0].id, root=queue.root, actor=other)


WRITES = {
    "stop": lambda queue, ladder: queue.stop(ladder.runs),
    "resume": lambda queue, ladder: queue.resume(ladder.runs),
    "delete": lambda queue, ladder: queue.delete(ladder.runs[0]),
    "delete all": delete_ladder,
    "share": lambda queue, ladder: share_ladder(queue, ladder, "everyone", "editor"),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("visibility", ["private", "link", "everyone"])
def test_only_the_owner_changes_runs_that_are_shared_to_be_seen(queue, ladder, visibility, write):
    share_ladder(queue, ladder, visibility)
    before = {path: path.read_bytes() for path in queue.root.rglob("*.json")}
    for other in (BEN, LOOKER, VISITOR, LOCAL):
        with pytest.raises(AccessError):
            write(RunQueue(queue.root, other), ladder)
    assert {path: path.read_bytes() for path in queue.root.rglob("*.json")} == before
    assert not any(run.stop_path.exists() for run in ladder.runs)


def test_runs_that_everyone_may_edit_are_stopped_by_editors_and_not_by_viewers(queue, ladder):
    share_ladder(queue, ladder, "everyone", "editor")
    for other in (LOOKER, VISITOR):
        with pytest.raises(AccessError):
            RunQueue(queue.root, other).stop(ladder.runs)
    RunQueue(queue.root, BEN).stop(ladder.runs)
    assert {run.state().status for run in ladder.runs} == {"stopped"}


def test_a_link_shows_runs_and_lists_nothing(queue, ladder):
    share_ladder(queue, ladder, "link")
    assert find_ladder(ladder.id, root=queue.root, actor=LOOKER).runs == ladder.runs
    assert list_ladders(queue.root, LOOKER) == []


def test_the_same_run_of_another_person_is_a_run_of_its_own(queue, ladder, tiny):
    (run,) = RunQueue(queue.root, BEN).submit([tiny()])
    assert run not in ladder.runs
    assert run.sharing().owner == BEN.id
    (taken,), started = RunQueue(queue.root, BEN).take_up([tiny(seed=1)])
    assert taken not in ladder.runs
    assert started == [taken]
    assert queue.submit([tiny()]) == [ladder.runs[0]]


def test_of_a_ladder_with_others_runs_one_sees_ones_own(queue, ladder, tiny):
    (run,) = RunQueue(queue.root, BEN).submit([tiny(seed=2)])
    mixed = keep_ladder(queue.root, [*ladder.runs, run], title="mixed")
    assert find_ladder(mixed.id, root=queue.root, actor=BEN).runs == (run,)
    theirs = RunQueue(queue.root, BEN)
    theirs.stop([run])
    delete_ladder(theirs, find_ladder(mixed.id, root=queue.root, actor=BEN))
    assert find_ladder(mixed.id, root=queue.root, actor=ANNA).runs == ladder.runs


def test_runs_without_an_owner_are_everyones_as_before(queue, ladder):
    for run in ladder.runs:
        run.sharing_path.unlink()
    assert list_ladders(queue.root, LOOKER)[0].runs == ladder.runs
    with pytest.raises(AccessError):
        RunQueue(queue.root, LOOKER).stop(ladder.runs)
    RunQueue(queue.root, BEN).stop(ladder.runs)


@pytest.mark.parametrize("content", ["", "[]", '{"owner": ""}', '{"owner": "x", "role": "king"}'])
def test_an_owner_that_cannot_be_read_leaves_the_run_to_whoever_has_the_folder(
    queue, ladder, content
):
    ladder.runs[0].sharing_path.write_text(content)
    for actor in (ANNA, BEN, VISITOR):
        with pytest.raises(TrainingError, match="There is no run"):
            find_run(ladder.runs[0].id, root=queue.root, actor=actor)
    assert find_run(ladder.runs[0].id, root=queue.root) == ladder.runs[0]


def test_of_others_damaged_runs_nothing_is_said(queue, ladder):
    (ladder.runs[0].folder / "config.json").write_text("{")
    assert len(damaged_members(queue.root, ANNA)) == 1
    assert damaged_members(queue.root, BEN) == []


def test_the_command_line_makes_runs_for_everyone(tmp_path, tiny):
    (run,) = RunQueue(tmp_path).submit([tiny()])
    assert run.sharing() == ownership.EVERYONES


@pytest.mark.parametrize(
    ("setting", "let_in"),
    [("on", [ANNA, BOSS, LOCAL]), ("owners", [BOSS, LOCAL]), ("off", [])],
)
def test_training_is_a_switch(tmp_path, tiny, monkeypatch, setting, let_in):
    monkeypatch.setenv("ISOFLOP_TRAINING", setting)
    for seed, actor in enumerate((ANNA, BOSS, LOCAL, LOOKER, VISITOR)):
        queue = RunQueue(tmp_path, actor)
        if actor in let_in:
            assert len(queue.submit([tiny(seed=seed)])) == 1
            continue
        for start in (queue.submit, queue.take_up, lambda _, queue=queue: queue.resume([])):
            with pytest.raises(AccessError):
                start([tiny(seed=seed)])
    assert len(list_runs(tmp_path)) == len(let_in)


def test_a_read_only_server_trains_nothing(tmp_path, tiny, monkeypatch):
    monkeypatch.setenv("ISOFLOP_READ_ONLY", "1")
    with pytest.raises(AccessError, match="read-only"):
        RunQueue(tmp_path, BOSS).submit([tiny()])
    assert list(tmp_path.iterdir()) == []


def test_a_person_has_so_many_runs_at_once(queue, ladder, tiny, monkeypatch):
    monkeypatch.setenv("ISOFLOP_MAX_RUNS", "3")
    with pytest.raises(TrainingError, match="A person may have 3 runs") as caught:
        queue.submit([tiny(), tiny(seed=2), tiny(seed=3)])  # the first is there already
    assert "You have 2, and ask for 2 more" in caught.value.detail
    assert len(queue.submit([tiny(), tiny(seed=2)])) == 2
    queue.stop(ladder.runs)
    assert len(queue.submit([tiny(seed=3)])) == 1
    assert len(RunQueue(queue.root, BEN).submit([tiny(seed=s) for s in range(3)])) == 3
    assert len(RunQueue(queue.root, BOSS).submit([tiny(seed=s) for s in range(5)])) == 5


def test_a_person_has_so_many_minutes_a_day_and_deleting_gives_none_back(queue, tiny, monkeypatch):
    asked_s = ownership.estimate_cpu_s(tiny())
    monkeypatch.setenv("ISOFLOP_MAX_TRAINING_MINUTES", f"{1.5 * asked_s / 60}")
    (run,) = queue.submit([tiny()])
    queue.stop([run])
    queue.delete(run)
    with pytest.raises(TrainingError, match="CPU minutes a day"):
        queue.submit([tiny(seed=1)])
    RunQueue(queue.root, BEN).submit([tiny(seed=1)])
    now_s = ownership.time.time()
    monkeypatch.setattr(ownership.time, "time", lambda: now_s + ownership.DAY_S + 1)
    assert len(queue.submit([tiny(seed=1)])) == 1


def test_minutes_of_a_clock_that_was_far_ahead_do_not_count(queue, tiny, monkeypatch):
    minutes = 1.5 * ownership.estimate_cpu_s(tiny()) / 60
    monkeypatch.setenv("ISOFLOP_MAX_TRAINING_MINUTES", f"{minutes}")
    with monkeypatch.context() as patch:
        patch.setattr(ownership.time, "time", lambda: 4e9)
        queue.submit([tiny()])
    queue.submit([tiny(seed=1)])


def test_an_uploaded_text_is_its_uploaders(tmp_path, text):
    path = tmp_path / f"{store_upload(text, name='a', uploads=tmp_path, actor=ANNA).key[7:]}.txt"
    assert may_use_upload(path, ANNA)
    assert not may_use_upload(path, BEN)
    store_upload(text, name="b", uploads=tmp_path, actor=BEN)  # who has it needs nobody's leave
    assert may_use_upload(path, BEN)
    assert may_use_upload(path, ANNA)
    store_upload(text, name="c", uploads=tmp_path)
    assert may_use_upload(path, LOOKER)


def test_a_refused_run_leaves_nothing_behind(queue, tiny, monkeypatch):
    monkeypatch.setenv("ISOFLOP_MAX_RUNS", "1")
    with pytest.raises(IsoflopError):
        queue.submit([tiny(), tiny(seed=1)])
    assert list_runs(queue.root) == []
    assert not (queue.root / "usage").exists()


def test_whose_a_run_is_stands_in_its_folder(queue, ladder):
    said = json.loads((ladder.runs[0].folder / "owner.json").read_text())
    assert said == {"owner": ANNA.id, "owner_name": "Anna", "visibility": "private",
                    "role": "viewer", "team": ""}  # fmt: skip
    assert Run(ladder.runs[0].folder).sharing().may_change(ANNA)


def test_a_program_asks_models_of_runs_that_it_may_see_alone(queue, ladder, monkeypatch):
    from isoflop.server import models

    monkeypatch.setenv("ISOFLOP_RUNS_FOLDER", str(queue.root))
    run = ladder.runs[0]
    for actor in (ANNA, LOCAL):  # a program of this machine has the folder of runs
        assert models._run_of({"run": run.id}, actor) == (run.folder, None)
    program = Actor(id="token:1", name="a program", roles=EDITOR)
    with pytest.raises(TrainingError, match="There is no run"):
        models._run_of({"run": run.id}, program)
    with pytest.raises(TrainingError, match="There is no run"):
        models._run_of({"run": run.id}, VISITOR)
    share_ladder(queue, ladder, "everyone")
    for actor in (program, VISITOR):
        assert models._run_of({"run": run.id}, actor) == (run.folder, None)


# --- Teams, and what is kept ----------------------------------------------------------------------

TEAM = "team:vision"


def member(person, role):
    return replace(person, teams=(Membership(team=TEAM, name="Vision", role=role),))


def test_runs_that_are_shared_with_a_team_are_its_members_to_see_and_its_editors_to_change(
    queue, ladder
):
    with pytest.raises(AccessError, match="a team that you do not belong to"):
        share_ladder(queue, ladder, "team", "editor", TEAM)
    share_ladder(RunQueue(queue.root, member(ANNA, "owner")), ladder, "team", "editor", TEAM)
    for other in (BEN, LOOKER, VISITOR, replace(member(BEN, "editor"), teams=())):
        assert list_ladders(queue.root, other) == []
    viewer, looker = member(BEN, "viewer"), member(LOOKER, "editor")
    for other in (viewer, looker):
        assert list_ladders(queue.root, other)[0].runs == ladder.runs
        for write in WRITES.values():
            with pytest.raises(AccessError):
                write(RunQueue(queue.root, other), ladder)
    RunQueue(queue.root, member(BEN, "editor")).stop(ladder.runs)
    assert {run.state().status for run in ladder.runs} == {"stopped"}


def test_runs_that_were_shared_while_a_server_was_one_team_are_shared_with_everyone(queue, ladder):
    before = {"owner": ANNA.id, "owner_name": "Anna", "visibility": "team", "role": "editor"}
    ladder.runs[0].sharing_path.write_text(json.dumps(before))
    assert ladder.runs[0].sharing().visibility == "everyone"
    assert ladder.runs[0].sharing().may_change(BEN)


@pytest.fixture
def walked_anew(monkeypatch):
    """Let the folder of runs be walked through at every question."""
    whens = count()
    monkeypatch.setattr(kept, "KEPT_FOR_S", 1.0)
    monkeypatch.setattr(kept, "monotonic", lambda: float(next(whens)))


@pytest.mark.usefixtures("walked_anew")
def test_what_people_keep_is_counted_by_what_it_is(queue, ladder, text):
    run = ladder.runs[0]
    run.weights_path(0).write_bytes(bytes(3000))
    run.checkpoint_path.write_bytes(bytes(4000))
    store_upload(text, name="a", uploads=queue.root / "uploads", actor=ANNA)
    store_upload(text, name="b", uploads=queue.root / "uploads", actor=BEN)
    used = kept.kept_bytes(queue.root, ANNA.id)
    assert used[kept.WEIGHTS] == 7000
    records = sum(f.stat().st_size for r in ladder.runs for f in r.folder.iterdir()) - 7000
    assert used[kept.RECORDS] == records > 0
    assert used[kept.TEXTS] == kept.kept_bytes(queue.root, BEN.id)[kept.TEXTS] > 900_000
    assert kept.kept_bytes(queue.root, LOOKER.id) == {}


def test_the_folder_is_walked_through_once_in_ten_seconds(queue, ladder, monkeypatch):
    now_s = [1000.0]
    monkeypatch.setattr(kept, "monotonic", lambda: now_s[0])
    before = dict(kept.kept_bytes(queue.root, ANNA.id))
    ladder.runs[0].weights_path(0).write_bytes(bytes(3000))
    assert kept.kept_bytes(queue.root, ANNA.id) == before
    now_s[0] += kept.KEPT_FOR_S
    assert kept.kept_bytes(queue.root, ANNA.id)[kept.WEIGHTS] == 3000


@pytest.mark.usefixtures("walked_anew")
def test_a_person_without_room_trains_and_uploads_nothing_more(queue, ladder, tiny, monkeypatch):
    monkeypatch.setenv("ISOFLOP_MAX_STORED_MB", "1")
    ladder.runs[0].weights_path(0).write_bytes(bytes(900_000))
    with pytest.raises(TrainingError, match="a person may store 1 MB here") as caught:
        queue.require_room(200_000)
    assert "ISOFLOP_MAX_STORED_MB" in caught.value.hint
    RunQueue(queue.root, BEN).require_room(200_000)
    RunQueue(queue.root, BOSS).require_room(2_000_000)
    full = RunQueue(queue.root, BEN, stored_bytes=lambda: 999_999)  # in the database
    with pytest.raises(TrainingError, match="a person may store 1 MB here"):
        full.submit([tiny(seed=5)])
    assert len(list_runs(queue.root)) == len(ladder.runs)


def test_a_run_is_expected_to_leave_the_weights_that_it_leaves(tiny):
    config = tiny()
    shape = small_model(config, vocab_size=estimates.NOMINAL_BYTES)
    weights = 4 * count_small_parameters(shape).total
    assert estimates.estimate_bytes(config) == weights * len(config.token_budgets)
