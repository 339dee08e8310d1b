"""Several processes for one run, and a cluster's executor for a ladder."""

import os
import signal
import subprocess
import sys
import time

import pytest

from isoflop.errors import TrainingError
from isoflop.training import distributed
from isoflop.training.cluster import submit_to_cluster
from isoflop.training.cluster_settings import ClusterSettings
from isoflop.training.elsewhere import ElsewhereJob, cancel_job, remember_job
from isoflop.training.ladder import await_runs, ladder_rows, work_off
from isoflop.training.ladders import find_ladder
from isoflop.training.queue import RunQueue
from isoflop.training.records import read_new_records
from isoflop.training.runs import Run


@pytest.mark.slow
def test_two_processes_give_the_loss_of_one(root, tiny):
    config = tiny(family="transformer", width=16, token_budgets=(4096, 8192))
    [alone] = work_off(RunQueue(root), [config], n_workers=1, poll_s=0.05)
    queue = RunQueue(root / "shared")
    (root / "shared").mkdir()
    (root / "shared" / "uploads").symlink_to(root / "uploads")
    shared = distributed.start_parallel(queue, config, n_processes=2)
    assert distributed.start_parallel(queue, config, n_processes=2) == shared  # two clicks, one run
    await_runs(queue, [shared], poll_s=0.05)
    rows = []
    for run in (alone, shared):
        assert run.state().status == "finished", run.state()
        rows.append(ladder_rows([run]))
        steps = [record["loss"] for record in run.history().of_kind("step")]
        rows[-1].append({"loss": steps[-1]})
    one, two = rows
    assert len(one) == len(two) == 3
    for a, b in zip(one, two, strict=True):
        assert b["loss"] == pytest.approx(a["loss"], rel=1e-4)
    lines = run.records_path.read_text().splitlines()
    assert len(lines) == len(set(lines))  # one process alone wrote


def test_a_batch_that_cannot_be_shared_out_is_refused_before_anything_starts(root, tiny):
    with pytest.raises(TrainingError, match="A batch of 4 cannot be shared out among 3") as error:
        distributed.start_parallel(RunQueue(root), tiny(), n_processes=3)
    assert error.value.hint == "Take 1, 2, 4 processes, or another batch."
    assert not (root / "runs").exists()


@pytest.mark.slow
def test_a_run_that_another_process_has_is_refused(root, tiny):
    run = Run.create(root, tiny())
    address = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1"}
    command = [sys.executable, "-m", "isoflop.training.distributed", "--run-id", run.id]
    with run.held():
        result = subprocess.run(
            [*command, "--root", str(root)], env={**os.environ, **address, "MASTER_PORT": "29611"},
            capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
    assert result.returncode == 2
    assert "Another process trains the run" in result.stderr
    assert run.state().status == "queued"  # as it was


def test_torchrun_itself_says_which_numbers_of_processes_work(root, tiny, monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(SystemExit):
        distributed.main(["--root", str(root), "--run-id", Run.create(root, tiny()).id])
    said = capsys.readouterr().err
    assert "A batch of 4 cannot be shared out among 3 processes" in said
    assert "Traceback" not in said


LONG = (4096, 100_000_000)


@pytest.mark.slow
def test_a_task_that_is_preempted_goes_on_where_it_was(root, tiny):
    settings = ClusterSettings(executor="local")
    ladder, [job] = submit_to_cluster(root, [tiny(token_budgets=LONG)], settings)
    [run] = ladder.runs
    assert run.state().status == "submitted"
    wait_for(lambda: len(run.history().of_kind("step")) > 20)
    first = run.state().process
    os.kill(first.pid, signal.SIGUSR1)  # what Slurm sends before it takes a node away
    wait_for(lambda: run.state().status == "running" and run.state().process != first)
    wait_for(lambda: len(parts(run)) == 2 and parts(run)[1])
    RunQueue(root).stop([run])
    assert job.result() == "stopped"
    before, after = parts(run)
    assert 0 < after[0]["step"] - before[-1]["step"] <= 8  # not a step is repeated
    assert run.checkpoint_path.is_file()
    job._process.wait(timeout=60)


def parts(run):
    """Return the step records of each start of a run, in the order they were written."""
    found = []
    for record in read_new_records(run.records_path)[0]:
        if record["kind"] == "environment":
            found.append([])
        elif record["kind"] == "step":
            found[-1].append(record)
    return found


@pytest.mark.slow
def test_a_ladder_on_a_cluster_is_found_followed_and_finished(root, tiny):
    settings = ClusterSettings(executor="local")
    configs = [tiny(), tiny(family="rnn")]
    ladder, jobs = submit_to_cluster(root, configs, settings, title="Mine")
    assert find_ladder(ladder.id, root=root).title == "Mine"
    await_runs(RunQueue(root), list(ladder.runs), poll_s=0.05)
    assert len(ladder_rows(ladder.runs)) == 6
    again, none = submit_to_cluster(root, configs, settings)
    assert (again.id, none) == (ladder.id, [])  # what is trained is not trained again
    for job in jobs:
        job._process.wait(timeout=60)


@pytest.mark.slow
def test_a_task_that_is_cancelled_ends_with_a_checkpoint(root, tiny):
    settings = ClusterSettings(executor="local")
    ladder, [job] = submit_to_cluster(root, [tiny(token_budgets=LONG)], settings)
    [run] = ladder.runs
    wait_for(lambda: len(run.history().of_kind("step")) > 2)
    cancel_job(run)
    job._process.wait(timeout=60)
    with pytest.raises(TrainingError, match="1 of 1 runs did not finish"):
        await_runs(RunQueue(root), [run], poll_s=0.05)
    assert (run.state().status, run.state().message) == ("stopped", "Its process ended.")
    assert run.checkpoint_path.is_file()


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Put stand-ins for Slurm's commands on the path; return the file that says a job's state."""
    state = tmp_path / "state"
    state.write_text("PENDING")
    folder = tmp_path / "bin"
    folder.mkdir()
    scripts = {
        "srun": "exit 0",
        "sbatch": f'cp "$1" {tmp_path}/batch.sh; echo Submitted batch job 4711',
        "sacct": f"echo 'JobID|State|NodeList'; echo \"4711|$(cat {state})|\"",
        "scancel": f"echo CANCELLED by 1000 > {state}",
    }
    for name, script in scripts.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    import submitit

    monkeypatch.setattr(submitit.SlurmJob, "watcher", type(submitit.SlurmJob.watcher)(delay_s=0))
    return state


def test_a_job_that_waits_in_slurm_is_cancelled_by_stop(root, tiny, slurm):
    ladder, [job] = submit_to_cluster(root, [tiny()], ClusterSettings(partition="gpu"))
    [run] = ladder.runs
    assert "--partition=gpu" in (slurm.parent / "batch.sh").read_text()
    queue = RunQueue(root)
    queue.enforce_stops([run])
    assert run.state().status == "submitted"
    queue.stop([run])
    assert slurm.read_text().startswith("CANCELLED")
    assert run.state().status == "stopped"
    assert job.job_id.startswith("4711")


def test_a_job_that_slurm_gave_up_ends_its_run(root, tiny, slurm):
    run = Run.create(root, tiny(), status="submitted")
    remember_job(run, ElsewhereJob(executor="slurm", job_id="4711", folder=str(root)))
    slurm.write_text("OUT_OF_MEMORY")
    RunQueue(root).enforce_stops([run])
    assert run.state().message == "The cluster says out of memory."
    assert run.state().status == "stopped"


def test_a_damaged_job_file_stops_nobody(root, tiny):
    run = Run.create(root, tiny(), status="submitted")
    (run.folder / "job.json").write_text("{")
    RunQueue(root).enforce_stops([run])
    assert run.state().status == "submitted"


def wait_for(condition, *, limit_s=200.0):
    deadline_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def test_settings_reach_slurm_under_its_names():
    settings = ClusterSettings(partition="gpu", account="lab", n_parallel=8, gpus_per_task=2)
    parameters = settings.parameters()
    assert parameters["slurm_partition"] == "gpu"
    assert parameters["slurm_account"] == "lab"
    assert parameters["slurm_array_parallelism"] == 8
    assert parameters["gpus_per_node"] == 2
    assert parameters["timeout_min"] == 60


def test_no_slurm_here_is_said(root, tiny, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(TrainingError, match="The cluster's slurm is not there"):
        submit_to_cluster(root, [tiny()], ClusterSettings(executor="slurm"))


def test_no_submitit_says_how_to_get_it(root, tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(TrainingError, match=r'pip install "isoflop\[cluster\]"'):
        submit_to_cluster(root, [tiny()], ClusterSettings())
