"""One large run on several processes or GPUs, under ``torchrun``.

``torchrun --nproc-per-node 2 -m isoflop.training.distributed --root FOLDER --run-id ID`` trains a
created run with its batch shared out evenly; the first process writes. Stop it by its STOP file or
SIGTERM; the same command goes on from the checkpoint, with any number of processes.
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import ExitStack
from pathlib import Path

from isoflop.errors import IsoflopError, TrainingError
from isoflop.language import lazy_gettext as _
from isoflop.training.config import RunConfig
from isoflop.training.elsewhere import ElsewhereJob, remember_job
from isoflop.training.processes import ProcessId, start_detached
from isoflop.training.queue import RunQueue
from isoflop.training.runs import Run, default_root, find_run
from isoflop.training.worker import StopSignal, work

EXIT_REFUSED = 2


def start_parallel(queue: RunQueue, config: RunConfig, *, n_processes: int) -> Run:
    """Start ``torchrun`` on a run, or on one of before that did not finish.

    Raises
    ------
    TrainingError
        If the batch cannot be shared out evenly, or the disk refuses.
    """
    check_shares(config, n_processes)
    [run], started = queue.take_up([config], status="submitted")
    if not started:
        return run
    process = start_detached(
        "torch.distributed.run",
        *("--standalone", f"--nproc-per-node={n_processes}"),
        *("-m", "isoflop.training.distributed", "--root", str(queue.root), "--run-id", run.id),
        log=run.log_path,
    )
    job = ElsewhereJob(executor="local", job_id=str(process.pid), process=process)
    remember_job(run, job)
    return run


def check_shares(config: RunConfig, n_processes: int) -> None:
    """Refuse a number of processes that does not divide the batch.

    Raises
    ------
    TrainingError
        With the numbers that do.
    """
    if n_processes < 1 or config.batch_size % n_processes:
        possible = [n for n in range(1, config.batch_size + 1) if config.batch_size % n == 0]
        raise TrainingError(
            _(
                "A batch of {batch_size} cannot be shared out among {n_processes} processes.",
                batch_size=config.batch_size,
                n_processes=n_processes,
            ),
            hint=_(
                "Take {possible} processes, or another batch.",
                possible=", ".join(map(str, possible)),
            ),
        )


def main(arguments: list[str] | None = None) -> None:
    """Train one run together with the other processes of the group."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=default_root())
    parser.add_argument("--run-id", required=True)
    options = parser.parse_args(arguments)
    try:
        _train(find_run(options.run_id, root=options.root), root=options.root)
    except IsoflopError as refusal:
        if os.environ.get("RANK") == "0":
            print(_("isoflop: {refusal}", refusal=refusal), file=sys.stderr)
        sys.exit(EXIT_REFUSED)


def _train(run: Run, *, root: Path) -> None:
    from isoflop.training.engine.parallel import agree, is_first, process_group

    config = run.config()
    check_shares(config, int(os.environ["WORLD_SIZE"]))
    stop_signal = StopSignal()
    with process_group(config) as device, ExitStack() as held:
        refusal = _hold(run, held) if is_first() else None
        if agree(refusal is not None, device=device):
            raise refusal or TrainingError(_("Another process trains the run already."))
        if is_first():
            run.write_state("running", process=ProcessId.current())
        work(run, root=root, stop_signal=stop_signal, device=device, writes=is_first())


def _hold(run: Run, held: ExitStack) -> TrainingError | None:
    """Hold the run for the whole group; return why it cannot be."""
    try:
        held.enter_context(run.held())
    except TrainingError as refusal:
        return refusal
    return None


if __name__ == "__main__":
    main()
