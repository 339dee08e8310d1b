"""Runs as processes: started, stopped, killed, resumed, refused."""

import os
import shutil
import signal
import time
from collections import namedtuple
from dataclasses import replace

import pytest

from isoflop.errors import TrainingError
from isoflop.training import queue as queue_module
from isoflop.training.processes import ProcessId
from isoflop.training.queue import RunQueue
from isoflop.training.runs import Run, find_run, list_runs

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
        started.append(ProcessId(pid=len(started), started_s=0.0))
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
        queue_module, "start_detached", lambda *_, **__: ProcessId(pid=1, started_s=0.0)
    )
    queue._register(ProcessId.current())
    [run] = queue.submit([tiny()])
    assert queue.ensure_workers(1) == 0
    assert queue.claim() == run
    run.write_state("stopped")
    assert queue.claim() is None
    queue.resume([run])
    assert queue.ensure_workers(1) == 1


def test_the_largest_run_is_claimed_first(queue, tiny):
    small, large = queue.submit([tiny(), tiny(width=32)])
    assert queue.claim() == large
    assert large.state().status == "running"
    assert queue.claim() == small
    assert queue.claim() is None


def test_a_worker_that_does_not_obey_is_killed(queue, tiny, monkeypatch):
    killed = []
    monkeypatch.setattr(ProcessId, "kill_group", lambda self: killed.append(self.pid))
    [run] = queue.submit([tiny()])
    queue.claim()
    queue.stop([run])
    queue.enforce_stops([run])
    assert not killed  # it has ten seconds
    os.utime(run.stop_path, (0, time.time() - 11))
    queue.enforce_stops([run])
    assert killed == [os.getpid()]


def test_a_killed_worker_that_was_asked_to_stop_counts_as_stopped(queue, tiny):
    [run] = queue.submit([tiny()])
    run.write_state("running", process=ProcessId(pid=os.getpid(), started_s=1.0))
    assert run.state().status == "crashed"
    run.stop_path.touch()
    assert run.state().status == "stopped"


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
    run.write_state("running", process=ProcessId(pid=1, started_s=1.0, host="node17"))
    assert run.state().status == "running"
    os.utime(run.folder / "state.json", (0, time.time() - 121))
    assert run.state().status == "crashed"
    run.records_path.touch()
    assert run.state().status == "running"


def test_workers_of_a_container_that_is_gone_do_not_count(queue, tiny):
    queue.submit([tiny()])
    queue._register(ProcessId(pid=1, started_s=1.0, host="gone"))
    assert queue.workers() == []


def test_the_folder_of_runs_may_be_unusable(tmp_path, tiny):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TrainingError, match="The folder of runs cannot be made"):
        RunQueue(tmp_path / "file" / "runs").submit([tiny()])
