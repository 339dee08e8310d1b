"""The worker's process: takes runs from the queue until none is left.

Run as ``python -m isoflop.training.worker --root FOLDER``. SIGTERM, or a STOP file in the run's
folder, makes it put a checkpoint away and stop.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import os
import signal
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from isoflop.errors import IsoflopError
from isoflop.language import lazy_gettext as _
from isoflop.niceness import be_nice
from isoflop.training.corpus import standard_library
from isoflop.training.queue import RunQueue
from isoflop.training.runs import Run, Status, list_runs

if TYPE_CHECKING:
    import torch

NICENESS = 10


class StopSignal:
    """Remembers that a signal came, for the training loop to ask.

    Parameters
    ----------
    numbers : iterable of int
        The signals to take over.
    leaves : str
        What a run is in that ends because of one.
    """

    def __init__(
        self,
        numbers: Iterable[int] = (signal.SIGTERM, signal.SIGINT),
        *,
        leaves: Status = "stopped",
    ) -> None:
        self.number = 0
        self.leaves = leaves
        for number in numbers:
            signal.signal(number, self._remember)

    @property
    def is_set(self) -> bool:
        """Whether one came."""
        return self.number != 0

    def _remember(self, number: int, _frame: object) -> None:
        self.number = number


def main(arguments: list[str] | None = None) -> None:
    """Work the queue off."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument(
        "--requeue",
        action="store_true",
        help="queue again what a signal ends, and what crashed: for machines that come and go",
    )
    parser.add_argument(
        "--wait",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="load all that a run needs and wait so long for the first",
    )
    options = parser.parse_args(arguments)
    root: Path = options.root
    be_nice(NICENESS)
    stop_signal = StopSignal(leaves="queued" if options.requeue else "stopped")
    queue = RunQueue(root)
    if options.requeue:
        queue.resume(run for run in list_runs(root) if run.state().status == "crashed")
    if options.wait:
        load_ahead()
        queue.await_queued(options.wait, is_ended=lambda: stop_signal.is_set)
        if not root.is_dir():
            return
    while not stop_signal.is_set and (run := queue.claim()):
        with output_to(run.log_path), run.held():
            work(run, root=root, stop_signal=stop_signal)
    queue.leave()
    if options.requeue and stop_signal.is_set:
        sys.exit(128 + stop_signal.number)  # not complete: whoever started it is to do so again


def load_ahead() -> None:
    """Load PyTorch, the trainer and the default corpus before there is a run."""
    with contextlib.suppress(ImportError):  # the run itself says so
        from isoflop.training.engine import execute as execute
        from isoflop.training.engine.products import is_onednn_faster

        is_onednn_faster()
    standard_library()


def work(
    run: Run,
    *,
    root: Path,
    stop_signal: StopSignal,
    device: torch.device | None = None,
    writes: bool = True,
) -> None:
    """Train one run to its end, its stop or its failure, and write down which.

    Parameters
    ----------
    run : Run
    root : Path
        Folder of runs, uploads and tokenizers.
    stop_signal : StopSignal
    device : torch.device, optional
        Instead of the one that the configuration chooses.
    writes : bool
        False in all but the first of several processes that train one run together.
    """
    status: Status = "failed"
    detail = ""
    try:
        from isoflop.training.engine.execute import execute

        end = execute(run, root=root, is_signalled=lambda: stop_signal.is_set, device=device)
        status, message = end.status, end.message
        if status == "stopped" and stop_signal.is_set and not run.stop_path.exists():
            status = stop_signal.leaves
    except IsoflopError as error:
        traceback.print_exc()
        message = error.summary
        detail = "\n".join(part for part in (error.detail, error.hint) if part)
    except Exception as error:
        # The worker must outlive any one run; the person sees the last lines.
        traceback.print_exc()
        sys.stderr.flush()
        message, detail = explain(error), run.last_lines()
    if writes:
        run.write_state(status, message=message, detail=detail)


def explain(error: Exception) -> str:
    """Say in one sentence what stopped a run."""
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        return _("Out of memory: the run needs more than its memory limit allows.")
    if "out of memory" in str(error).lower():
        return _("Out of memory on the accelerator.")
    if isinstance(error, OSError):
        return _("The disk refused: {strerror}.", strerror=error.strerror or error)
    if isinstance(error, ImportError):
        return _("PyTorch is not installed, or does not load.")
    return _("The run failed: {name}.", name=type(error).__name__)


@contextmanager
def output_to(path: Path) -> Iterator[None]:
    """Send everything that this process prints, even from C, to a run's log."""
    kept = os.dup(1), os.dup(2)
    with path.open("ab", buffering=0) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        faulthandler.enable(log)
        try:
            yield
        finally:
            faulthandler.disable()
            sys.stdout.flush()
            sys.stderr.flush()
            for number, original in zip((1, 2), kept, strict=True):
                os.dup2(original, number)
                os.close(original)


if __name__ == "__main__":
    main()
