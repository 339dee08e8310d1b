"""Several processes for one run, and a cluster's executor for a ladder."""

import os
import signal
import subprocess
import sys
import time

import pytest

from isoflop.errors import TrainingError
from isoflop.training.cluster import ClusterSettings, submit_to_cluster
from isoflop.training.engine.parallel import process_group
from isoflop.training.ladder import ladder_rows, work_off
from isoflop.training.queue import RunQueue
from isoflop.training.records import read_new_records
from isoflop.training.runs import Run


def torchrun(root, run):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node=2", "-m", "isoflop.training.distributed"]
    result = subprocess.run(
        [*command, "--root", str(root), "--run-id", run.id],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_two_processes_give_the_loss_of_one(root, tiny):
    config = tiny(family="transformer", width=16, token_budgets=(4096, 8192))
    [alone] = work_off(RunQueue(root), [config], n_workers=1, poll_s=0.05)
    shared = Run.create(root, config)
    torchrun(root, shared)
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


def test_a_batch_that_cannot_be_shared_out_is_refused(tiny, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "0")
    text = "A batch of 3 cannot be shared out among 2 processes"
    with pytest.raises(TrainingError, match=text), process_group(tiny(batch_size=3)):
        pass


@pytest.mark.slow
def test_a_ladder_through_the_executor_with_one_task_taken_away(root, tiny):
    """A task that is preempted is queued again and goes on; the other finishes."""
    settings = ClusterSettings(executor="local", time_min=5)
    configs = [tiny(), tiny(token_budgets=(4096, 100_000_000))]
    (short, short_job), (long, long_job) = submit_to_cluster(root, configs, settings)
    wait_for(lambda: len(long.history().of_kind("step")) > 2)
    first = long.state().process
    os.kill(first.pid, signal.SIGUSR2)  # what Slurm sends before it takes a node away
    wait_for(lambda: long.state().status == "running" and long.state().process != first)
    wait_for(lambda: starts(long) == 2)
    RunQueue(root).stop([long])
    assert short_job.result() == "finished"
    assert long_job.result() == "stopped"
    assert long.checkpoint_path.is_file()
    assert len(ladder_rows([short])) == 3
    for job in (short_job, long_job):
        job._process.wait(timeout=60)


def starts(run):
    return sum(record["kind"] == "environment" for record in read_new_records(run.records_path)[0])


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
