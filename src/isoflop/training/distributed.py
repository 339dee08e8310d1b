"""One large run on several processes or GPUs, under ``torchrun``.

``torchrun --nproc-per-node 2 -m isoflop.training.distributed --root FOLDER --run-id ID`` trains a
created run with its batch shared out evenly; the first process writes. Stop it by its STOP file or
SIGTERM; the same command goes on from the checkpoint, with any number of processes.
"""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from pathlib import Path

from isoflop.training.processes import ProcessId
from isoflop.training.runs import default_root, find_run
from isoflop.training.worker import StopSignal, work


def main(arguments: list[str] | None = None) -> None:
    """Train one run together with the other processes of the group."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=default_root())
    parser.add_argument("--run-id", required=True)
    options = parser.parse_args(arguments)
    from isoflop.training.engine.parallel import is_first, process_group

    run = find_run(options.run_id, root=options.root)
    stop_signal = StopSignal()
    with process_group(run.config()) as device, run.held() if is_first() else nullcontext():
        if is_first():
            run.write_state("running", process=ProcessId.current())
        work(run, root=options.root, stop_signal=stop_signal, device=device, writes=is_first())


if __name__ == "__main__":
    main()
