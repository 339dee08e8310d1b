"""Runs as processes: started, stopped, killed, resumed, refused."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from dataclasses import replace

import psutil
import pytest
from filelock import FileLock

from isoflop.errors import TrainingError
from isoflop.files import read_json, write_json
from isoflop.training import processes
from isoflop.training import queue as queue_module
from isoflop.training import runs as runs_module
from isoflop.training.estimates import estimate_cpu_s
from isoflop.training.processes import NEVER_S, ProcessId
from isoflop.training.queue import RunQueue, in_turn
from isoflop.training.runs import Run, damaged_runs, find_run, list_runs

LONG = {"token_budgets": (4096, 2_000_000), "width": 16}


def wait_for(condition, *, limit_s=200.0):
    deadline_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def losses(run):
    history = run.history()
    steps = {(r["segment"], r["step"]): r["loss"] for r in history.of_kind("step")}
    return steps, [r["nats_per_byte"] for r in history.of_kind("point")]


@pytest.fixture
def queue(root):
    made = RunQueue(root)
    yield made
    for process in made.workers():
        assert process.pid != os.getpid()
        process.kill_group()
    wait_for(lambda: not made.workers())


@pytest.mark.slow
def test_stopped_and_killed_and_resumed_as_if_nothing_had_happened(queue, tiny, finish):
    """Stop by file, then kill -9, then finish: the same losses as a run that nobody touched."""
    config = tiny(token_budgets=(4096, 250_000), width=16)
    [run] = queue.submit([config])
    queue.ensure_workers(1)
    wait_for(lambda: len(losses(run)[0]) > 10)
    queue.stop([run])
    wait_for(lambda: run.state().status == "stopped")
    assert run.state().message == "Stopped on request."
    assert run.checkpoint_path.is_file()
    n_before = len(losses(run)[0])
    wait_for(lambda: not queue.workers())

    queue.resume([run])
    queue.ensure_workers(1)
    [worker] = queue.workers()
    wait_for(lambda: len(losses(run)[0]) > n_before + 5)
    os.kill(worker.pid, signal.SIGKILL)
    wait_for(lambda: run.state().status == "crashed")
    assert "it was killed" in run.state().message
    assert len(losses(run)[0]) > n_before  # the curve is kept

    queue.resume([run])
    [untouched] = queue.submit([replace(config, time_limit_s=3599.0)])
    queue.ensure_workers(1)
    finish(queue, [run, untouched])
    assert run.state().status == untouched.state().status == "finished"
    assert losses(run) == losses(untouched)
    assert not run.checkpoint_path.exists()


@pytest.mark.slow
def test_a_terminated_worker_puts_its_checkpoint_away(queue, tiny):
    [run] = queue.submit([tiny(**LONG)])
    queue.ensure_workers(1)
    wait_for(lambda: len(losses(run)[0]) > 3)
    os.kill(run.state().process.pid, signal.SIGTERM)
    wait_for(lambda: run.state().status == "stopped")
    assert run.state().message == "The worker was asked to end."
    assert run.checkpoint_path.is_file()


@pytest.mark.slow
def test_what_ends_a_run_does_not_end_its_worker(queue, tiny, finish):
    timed, large, lost, disk, well = runs = queue.submit(
        [
            tiny(**LONG, time_limit_s=1.0),
            tiny(family="transformer", width=4096, depth=8, memory_limit_bytes=2**30),
            tiny(corpus="upload:0123456789abcdef"),
            tiny(seed=1),
            tiny(),
        ]
    )
    disk.records_path.symlink_to("/dev/full")
    queue.ensure_workers(1)
    finish(queue, runs)
    assert timed.state().status == "stopped"
    assert timed.state().message == "The time limit of 1 CPU seconds is reached."
    assert large.state().status == "failed"
    assert large.state().message.startswith("Out of memory: the run needs more than its memory")
    assert "allocate" in large.state().detail
    assert lost.state().status == "failed"
    assert lost.state().message.startswith("There is no corpus 'upload:0123456789abcdef'")
    assert "upload the text again" in lost.state().detail
    assert disk.state().status == "failed"
    assert disk.state().message == "The disk refused: No space left on device."
    assert well.state().status == "finished"


@pytest.mark.slow
def test_a_run_that_reached_its_time_limit_has_as_much_again(queue, tiny, finish):
    [run] = queue.submit([tiny(**LONG, time_limit_s=1.0)])
    reached = []
    for _ in range(2):
        queue.ensure_workers(1)
        finish(queue, [run])
        assert run.state().message == "The time limit of 1 CPU seconds is reached."
        reached.append(max(losses(run)[0]))
        queue.resume([run])
    assert reached[1] > reached[0]


@pytest.mark.slow
def test_stop_before_the_start_and_stop_while_starting(queue, tiny, finish):
    waiting, starting = queue.submit([tiny(seed=1), tiny(**LONG)])
    queue.stop([waiting])
    assert waiting.state().message == "Stopped before it started."
    queue.ensure_workers(1)
    queue.stop([starting])
    finish(queue, [waiting, starting])
    assert starting.state().status == "stopped"
    assert not losses(starting)[1]


def test_two_clicks_on_start_are_one_run(queue, tiny):
    first = queue.submit([tiny(), tiny(seed=1)])
    assert queue.submit([tiny(), tiny(seed=1)]) == first
    assert len(list_runs(queue.root)) == 2


def test_no_more_workers_than_wanted_or_useful(queue, tiny, monkeypatch):
    started = []

    def start(module, *arguments, log):
        started.append(ProcessId(pid=len(started), started_s=NEVER_S))
        return started[-1]

    monkeypatch.setattr(queue_module, "start_detached", start)
    monkeypatch.setattr(ProcessId, "is_alive", lambda self: True)
    queue.submit([tiny(seed=seed) for seed in range(3)])
    assert queue.ensure_workers(2) == 2
    assert queue.ensure_workers(2) == 0
    assert queue.ensure_workers(9) == 1  # a third queued run has no worker yet
    monkeypatch.undo()


def test_a_worker_that_is_leaving_does_not_hold_up_what_is_queued_then(queue, tiny, monkeypatch):
    """Its process takes a moment to end; a run queued in it must not wait for ever."""
    monkeypatch.setattr(
        queue_module, "start_detached", lambda *_, **__: ProcessId(pid=1, started_s=NEVER_S)
    )
    queue._register(ProcessId.current())
    [run] = queue.submit([tiny()])
    assert queue.ensure_workers(1) == 0
    assert queue.claim() == run
    run.write_state("stopped")
    assert queue.claim() is None
    queue.resume([run])
    assert queue.ensure_workers(1) == 1


def test_two_ladders_take_turns(queue, tiny):
    hours = tiny(width=64, token_budgets=(10**10,))  # the moment between the two is nothing
    first = queue.submit([replace(hours, seed=seed) for seed in range(4)])
    second = queue.submit([replace(hours, seed=seed) for seed in range(10, 14)])
    claimed = [queue.claim() for _ in range(8)]
    assert [run in first for run in claimed] == [True, False] * 4
    assert set(claimed) == {*first, *second}


def test_a_later_ladder_waits_only_for_what_is_overdue(queue, tiny):
    """An hour after a ladder of four hours began, another comes: neither waits for the other."""
    hour = tiny(width=64, token_budgets=(2048, 4096, 8192, 10_000_000))
    long = queue.submit([replace(hour, seed=seed) for seed in range(4)])
    each_s = estimate_cpu_s(hour)
    [late] = queue.submit([tiny()])
    for run in long:
        came(run, -1.5 * each_s)
    order = in_turn([*long, late])
    assert order.index(late) == 2
    came(late, 100 * each_s)
    assert in_turn([*long, late])[-1] == late


def came(run, seconds):
    """Write down that a run was queued some seconds from now."""
    fields = read_json(run.folder / "submission.json")
    write_json(run.folder / "submission.json", fields | {"time_s": time.time() + seconds})


def test_a_run_of_an_earlier_version_has_its_turn(queue, tiny):
    [run] = queue.submit([tiny()])
    (run.folder / "submission.json").unlink()
    assert queue.claim() == run


def test_the_largest_run_is_claimed_first(queue, tiny):
    small, large = queue.submit([tiny(), tiny(width=32)])
    assert queue.claim() == large
    assert large.state().status == "running"
    assert queue.claim() == small
    assert queue.claim() is None


def test_setting_the_clock_back_lets_nobody_jump_the_queue(queue, tiny, monkeypatch):
    [first] = queue.submit([tiny()])
    with monkeypatch.context() as patch:
        patch.setattr(queue_module.time, "time", lambda: 1e9)
        [second] = queue.submit([tiny(seed=1)])
    assert in_turn([second, first]) == [first, second]


def test_what_the_disk_refuses_is_said(queue, tiny, monkeypatch):
    [run] = queue.submit([tiny()])

    def refuse(self, *_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Run, "write_state", refuse)
    for change in (lambda: queue.stop([run]), queue.claim):
        with pytest.raises(TrainingError, match=r"cannot be written\.\n.*No space left"):
            change()


def test_a_queue_that_another_process_keeps_is_said(queue, tiny, monkeypatch):
    monkeypatch.setattr(queue_module, "LOCK_WAIT_S", 0.1)
    with (
        FileLock(queue.root / "queue.lock"),
        pytest.raises(TrainingError, match="The queue of runs does not answer"),
    ):
        queue.submit([tiny()])


def test_a_run_is_held_by_one_process(queue, tiny, monkeypatch):
    monkeypatch.setattr(runs_module, "HOLD_WAIT_S", 0.0)
    [run] = queue.submit([tiny()])
    assert not run.is_held()
    with run.held():
        assert run.is_held()
        with pytest.raises(TrainingError, match="Another process trains the run"), run.held():
            pass
        assert queue.claim() is None  # whatever its state says
    assert not run.is_held()
    assert queue.claim() == run


def test_a_held_run_lives_whatever_is_known_of_its_process(queue, tiny):
    [run] = queue.submit([tiny()])
    run.write_state("running", process=ProcessId(pid=os.getpid(), started_s=NEVER_S))
    with run.held():
        assert run.state().status == "running"
    assert run.state().status == "crashed"


def test_an_ended_process_is_not_taken_for_the_first_of_a_machine(monkeypatch):
    """Asked to stop, that one may shut the machine down."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    gone = replace(ProcessId.of(ended.pid), pid=os.getpid())  # as if it had that number since
    monkeypatch.setattr(processes, "_started_s", lambda _: 0.0)
    assert not gone.is_alive()


def test_setting_the_clock_makes_no_process_another_one(monkeypatch):
    """A step of the clock moves the time at which the machine seems to have started."""
    me = ProcessId.current()
    started_s, created_s = psutil.boot_time(), psutil.Process.create_time
    monkeypatch.setattr(psutil, "boot_time", lambda: started_s + 3600)
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: created_s(self) + 3600)
    assert me.is_alive()


@pytest.mark.parametrize("content", ["", '{"status": "run', "[]", '{"status": "paused"}', "{}"])
def test_a_damaged_state_stops_nobody(queue, tiny, content):
    damaged, well = queue.submit([tiny(width=32), tiny()])
    (damaged.folder / "state.json").write_text(content)
    assert damaged.state().status == "failed"
    assert damaged.state().message.startswith("The run's state.json cannot be read.")
    assert queue.claim() == well
    queue.resume([damaged])
    assert queue.claim() == damaged


def test_a_state_of_a_later_version_is_read(queue, tiny):
    [run] = queue.submit([tiny()])
    fields = read_json(run.folder / "state.json")
    write_json(run.folder / "state.json", fields | {"mood": "good"})
    assert run.state().status == "queued"


@pytest.mark.parametrize("content", [None, "", '{"family": "lstm", "hat": 1}', "[]"])
def test_a_damaged_configuration_is_left_out_and_named(queue, tiny, content):
    damaged, well = queue.submit([tiny(width=32), tiny()])
    path = damaged.folder / "config.json"
    path.write_text(content) if content is not None else path.unlink()
    assert list_runs(queue.root) == [well]
    [said] = damaged_runs(queue.root)
    assert said.startswith(f"{damaged.id}: config.json")
    assert queue.claim() == well


def test_a_damaged_worker_file_is_forgotten(queue):
    queue._register(ProcessId.current())
    (queue.root / "workers" / "17.json").write_text("")
    assert queue.workers() == [ProcessId.current()]
    assert not (queue.root / "workers" / "17.json").exists()
    queue.leave()


def test_containers_on_one_folder_keep_their_own_workers(queue):
    """Processes of two containers have the same numbers; a file by the number alone was shared."""
    here = ProcessId.current()
    elsewhere = replace(here, host="another-container")
    queue._register(here)
    queue._register(elsewhere)
    assert queue.workers() == [here]  # and those of the other stay where they are
    queue.leave()
    [left] = (queue.root / "workers").glob("*.json")
    assert ProcessId(**json.loads(left.read_text())) == elsewhere


@pytest.mark.slow
def test_a_worker_made_ready_takes_the_run_that_comes(queue, tiny, finish):
    assert queue.ensure_ready()
    assert not queue.ensure_ready()  # one is enough
    [ready] = queue.workers()
    [run] = queue.submit([tiny()])
    assert queue.ensure_workers(1) == 0
    wait_for(lambda: run.state().status == "finished")
    wait_for(lambda: not ready.is_alive())  # and ends with the queue, as every worker
    assert run.history().fact("model")


def test_a_worker_made_ready_waits_no_longer_than_told(queue, tiny):
    queue.await_queued(0.0, is_ended=lambda: False)
    asked = iter([False, False, True])
    queue.await_queued(3600, is_ended=lambda: next(asked))  # told to end
    queue.submit([tiny()])
    queue.await_queued(3600, is_ended=lambda: False)  # there is one already


def test_a_worker_made_ready_hears_of_a_run_that_comes_later(queue, tiny, monkeypatch):
    monkeypatch.setattr(RunQueue, "_start_worker", lambda self: None)
    asked = []

    def is_ended():
        asked.append(True)
        if len(asked) == 3:
            queue.submit([tiny()])
            queue.ensure_workers(1)
        return len(asked) > 100

    queue.await_queued(3600, is_ended=is_ended)
    assert len(asked) == 3


def test_a_worker_that_does_not_obey_is_killed(queue, tiny, monkeypatch):
    killed = []
    monkeypatch.setattr(ProcessId, "kill_group", lambda self: killed.append(self.pid))
    [run] = queue.submit([tiny()])
    queue.claim()
    queue.stop([run])
    queue.enforce_stops([run])
    assert not killed  # it has ten seconds
    os.utime(run.stop_path, (0, time.time() - 3600))
    monkeypatch.setattr(queue_module.time, "time", lambda: 2e10)
    queue.enforce_stops([run])
    assert not killed  # whatever the clock says
    monkeypatch.setattr(queue_module, "STOP_GRACE_S", 0.0)
    queue.enforce_stops([run])
    assert killed == [os.getpid()]


def test_a_killed_worker_that_was_asked_to_stop_counts_as_stopped(queue, tiny):
    [run] = queue.submit([tiny()])
    run.write_state("running", process=ProcessId(pid=os.getpid(), started_s=NEVER_S))
    assert run.state().status == "crashed"
    run.stop_path.touch()
    assert run.state().status == "stopped"


def test_a_worker_that_a_full_disk_ended_is_told_from_one_that_was_killed(queue, tiny, monkeypatch):
    [run] = queue.submit([tiny()])
    run.write_state("running", process=replace(ProcessId.current(), started_s=NEVER_S))
    assert "it was killed" in run.state().message
    usage = namedtuple("usage", "total used free")(100, 99, 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert "the disk is full" in run.state().message


def test_a_full_disk_is_reported_before_the_start(queue, tiny, monkeypatch):
    usage = namedtuple("usage", "total used free")(100, 99, 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(TrainingError, match=r"The disk is nearly full\.\n0 MiB are free"):
        queue.submit([tiny()])
    assert list_runs(queue.root) == []


def test_active_runs_cannot_be_deleted(queue, tiny):
    [run] = queue.submit([tiny()])
    with pytest.raises(TrainingError, match="is still active"):
        queue.delete(run)
    queue.stop([run])
    queue.delete(run)
    assert list_runs(queue.root) == []


@pytest.mark.parametrize("run_id", ["none", "../runs", "", "a/b"])
def test_unknown_runs_are_refused(queue, run_id):
    with pytest.raises(TrainingError, match="There is no run"):
        find_run(run_id, root=queue.root)


def test_a_run_on_another_machine_lives_as_long_as_it_writes(queue, tiny):
    run = Run.create(queue.root, tiny())
    run.write_state("running", process=ProcessId(pid=1, started_s=NEVER_S, host="node17"))
    assert run.state().status == "running"
    os.utime(run.folder / "state.json", (0, time.time() - 121))
    assert run.state().status == "crashed"
    run.records_path.touch()
    assert run.state().status == "running"


def test_workers_of_a_container_that_is_gone_do_not_count(queue, tiny):
    queue.submit([tiny()])
    queue._register(ProcessId(pid=1, started_s=NEVER_S, host="gone"))
    assert queue.workers() == []


def test_the_folder_of_runs_may_be_unusable(tmp_path, tiny):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TrainingError, match="The folder of runs cannot be made"):
        RunQueue(tmp_path / "file" / "runs").submit([tiny()])


def test_without_groups_of_processes_a_worker_and_its_children_end(tmp_path, monkeypatch):
    """Windows has none."""
    monkeypatch.delattr(os, "killpg")
    script = tmp_path / "parent.py"
    child = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', "
    script.write_text(f"{child}'import time; time.sleep(60)']); time.sleep(60)\n")
    parent = psutil.Popen([sys.executable, str(script)])
    while not parent.children():
        time.sleep(0.01)
    [below] = parent.children()
    ProcessId(pid=parent.pid, started_s=processes._started_s(parent)).kill_group()
    gone, _ = psutil.wait_procs([parent, below], timeout=30)
    assert {process.pid for process in gone} == {parent.pid, below.pid}


@pytest.mark.slow
def test_a_worker_of_a_machine_that_goes_puts_its_run_back(root, tiny):
    queue = RunQueue(root)
    [run] = queue.submit([tiny(**LONG)])
    command = [sys.executable, "-m", "isoflop.training.worker", "--root", str(root), "--requeue"]
    worker = psutil.Popen(command)
    wait_for(lambda: len(run.history().of_kind("step")) > 2)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=60) == 128 + signal.SIGTERM
    assert run.state().status == "queued"
    assert run.checkpoint_path.is_file()
