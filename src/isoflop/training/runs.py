"""Runs on disk: one folder each, which is all that there is to know of a run."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from filelock import FileLock, Timeout
from platformdirs import user_data_path

from isoflop.errors import TrainingError
from isoflop.files import read_json, write_json
from isoflop.language import lazy_gettext as _
from isoflop.people import Actor, Sharing
from isoflop.training.config import RunConfig
from isoflop.training.ownership import EVERYONES, read_sharing, write_sharing
from isoflop.training.processes import ProcessId
from isoflop.training.records import RunHistory

FOLDER_SETTING = "ISOFLOP_RUNS_FOLDER"

Status = Literal["queued", "submitted", "running", "stopped", "finished", "failed", "crashed"]
ACTIVE: frozenset[Status] = frozenset({"queued", "submitted", "running"})
"""A submitted run waits in a cluster's queue, a queued one in this machine's."""

ENDED_EARLY: frozenset[Status] = frozenset({"stopped", "failed", "crashed"})
"""What goes on from its checkpoint when asked to."""

SILENCE_S = 120.0
"""A worker of another machine (or of a container that is gone) that writes nothing for this long
counts as gone, unless the file system shows its lock."""

FULL_BYTES = 2**20
"""A disk with less free is full: a run's state fits, its checkpoint does not."""

HOLD_WAIT_S = 5.0
"""How long to wait for a run's lock: whoever looks whether it is held takes it for a moment."""


def default_root() -> Path:
    """Return the folder of all runs: ``ISOFLOP_RUNS_FOLDER``, or one in the person's data."""
    chosen = os.environ.get(FOLDER_SETTING)
    return Path(chosen) if chosen else user_data_path("isoflop") / "runs"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """Where a run is in its life.

    Parameters
    ----------
    status : str
        As last written by the process that knew.
    changed : str
        When, in ISO 8601 UTC.
    process : ProcessId or None
        The worker that has it.
    message : str
        One sentence for a person; empty while all is well.
    detail : str
        The last lines of what the worker said.
    """

    status: Status
    changed: str
    process: ProcessId | None = None
    message: str = ""
    detail: str = ""


class Run:
    """One run's folder.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.id = folder.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and other.folder == self.folder

    def __hash__(self) -> int:
        return hash(self.folder)

    @classmethod
    def create(
        cls,
        root: Path,
        config: RunConfig,
        *,
        status: Status = "queued",
        submission: str = "",
        sharing: Sharing = EVERYONES,
        arrived_s: float | None = None,
    ) -> Run:
        """Make the folder of a new run, with its first status.

        Parameters
        ----------
        root : Path
            Folder of runs, uploads and workers.
        config : RunConfig
        status : str
        submission : str
            Shared by the runs that were queued together.
        sharing : Sharing
            Whose it is.
        arrived_s : float, optional
            When it was queued, in seconds since the epoch; now unless given.

        Raises
        ------
        TrainingError
            If the disk refuses.
        """
        now = datetime.now(UTC)
        name = f"{now:%Y%m%d-%H%M%S}-{config.family}-w{config.width}-{secrets.token_hex(3)}"
        run = cls(root / "runs" / name)
        try:
            run.folder.mkdir(parents=True)
            write_sharing(run.sharing_path, sharing)
            write_json(run.folder / "config.json", config.to_dict())
            write_json(
                run.folder / "submission.json",
                {"id": submission or name, "time_s": arrived_s or now.timestamp()},
            )
            run.write_state(status)
        except OSError as error:
            raise TrainingError(
                _("The run cannot be written to disk."),
                detail=str(error),
                hint=_(
                    "Free some space, or set {folder_setting} to another folder.",
                    folder_setting=FOLDER_SETTING,
                ),
            ) from None
        return run

    @property
    def records_path(self) -> Path:
        """The worker's records."""
        return self.folder / "records.jsonl"

    @property
    def checkpoint_path(self) -> Path:
        """Where the worker goes on after a stop."""
        return self.folder / "checkpoint.pt"

    @property
    def log_path(self) -> Path:
        """What the worker printed while it had this run."""
        return self.folder / "log.txt"

    @property
    def stop_path(self) -> Path:
        """A file whose existence asks the worker to stop."""
        return self.folder / "STOP"

    @property
    def sharing_path(self) -> Path:
        """Whose the run is."""
        return self.folder / "owner.json"

    def sharing(self) -> Sharing:
        """Return whose the run is, and who else may see or change it."""
        return read_sharing(self.sharing_path)

    def weights_path(self, budget: int) -> Path:
        """Return the file of the trained weights of a budget, by its index."""
        return self.folder / f"weights-{budget}.safetensors"

    @property
    def tokenizer_path(self) -> Path:
        """The tokenizer that the weights belong to."""
        return self.folder / "tokenizer.json"

    def config(self) -> RunConfig:
        """Read what the run was told.

        Raises
        ------
        TrainingError
            If there is no such run, or its configuration is damaged.
        """
        try:
            return RunConfig.from_json((self.folder / "config.json").read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            raise no_run(self.id) from None

    def submission(self) -> tuple[str, float]:
        """Return what the run was queued with, and when in seconds since the epoch."""
        try:
            fields = read_json(self.folder / "submission.json")
            return str(fields["id"]), float(fields["time_s"])
        except (OSError, ValueError, KeyError, TypeError):  # a run of an earlier version
            return self.id, self.folder.stat().st_mtime

    def problem(self) -> str:
        """Say why the run cannot be read; empty if it can."""
        if not (self.folder / "config.json").is_file():
            return _("config.json is missing.")
        try:
            self.config()
        except TrainingError as error:
            return _(
                "config.json: {summary} {detail}", summary=error.summary, detail=error.detail
            ).strip()
        return ""

    def history(self) -> RunHistory:
        """Return its records, read once."""
        history = RunHistory(self.records_path)
        history.refresh()
        return history

    def state(self) -> RunState:
        """Read the state; a run whose worker is gone counts as crashed, or stopped if asked to.

        One whose state cannot be read counts as failed, unless a process holds it, and says so.

        Raises
        ------
        TrainingError
            If there is no such run.
        """
        try:
            fields = read_json(self.folder / "state.json")
        except FileNotFoundError:
            raise no_run(self.id) from None
        except (OSError, ValueError) as error:
            return self._unreadable(str(error))
        try:
            state = _state_from(fields)
        except (KeyError, TypeError, ValueError) as error:
            return self._unreadable(f"{type(error).__name__}: {error}")
        if state.status != "running" or self._shows_life(state.process):
            return state
        if self.stop_path.exists():
            return RunState(status="stopped", changed=state.changed, message=_("Stopped by force."))
        return RunState(
            status="crashed",
            changed=state.changed,
            message=_("The worker's process is gone: {likely_end}", likely_end=self._likely_end()),
            detail=self.last_lines(),
        )

    def _likely_end(self) -> str:
        if shutil.disk_usage(self.folder).free < FULL_BYTES:
            return _("the disk is full, so that it could not even say so.")
        return _("it was killed, perhaps for want of memory.")

    def _unreadable(self, reason: str) -> RunState:
        message = _("The run's state.json cannot be read.")
        if self.is_held():
            return RunState(status="running", changed="", message=message, detail=reason)
        message += _(" Resume goes on from the checkpoint.")
        return RunState(status="failed", changed="", message=message, detail=reason)

    def _shows_life(self, process: ProcessId | None) -> bool:
        """Whether the worker lives; one on another machine may show it by its records alone."""
        if process is None:
            return False
        if process.is_alive() or self.is_held():
            return True
        if process.is_here:
            return False
        files = [path for path in (self.records_path, self.folder / "state.json") if path.exists()]
        return time.time() - max(path.stat().st_mtime for path in files) < SILENCE_S

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the run: while the block lasts, no other process trains it.

        The operating system gives the lock back when the process ends, however it ends.

        Raises
        ------
        TrainingError
            If another process holds it.
        """
        try:
            with FileLock(self._lock_path, timeout=HOLD_WAIT_S):
                yield
        except Timeout:
            raise TrainingError(
                _("Another process trains the run {id} already.", id=self.id),
                hint=_("Wait for it, or stop it first."),
            ) from None

    def is_held(self) -> bool:
        """Whether some process trains the run now."""
        if not self._lock_path.is_file():
            return False
        try:
            with FileLock(self._lock_path, timeout=0):
                return False
        except Timeout:
            return True
        except OSError:  # a folder that may only be read
            return False

    @property
    def _lock_path(self) -> Path:
        return self.folder / "run.lock"

    def write_state(
        self,
        status: Status,
        *,
        process: ProcessId | None = None,
        message: str = "",
        detail: str = "",
    ) -> None:
        """Replace the state in one step."""
        state = RunState(
            status=status,
            changed=datetime.now(UTC).isoformat(timespec="milliseconds"),
            process=process,
            message=message,
            detail=detail,
        )
        write_json(self.folder / "state.json", asdict(state))

    def last_lines(self, n_lines: int = 12) -> str:
        """Return the end of the log."""
        try:
            lines = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-n_lines:])


def _state_from(fields: dict[str, Any]) -> RunState:
    """Read a state; what a later version adds is ignored."""
    status = fields["status"]
    if status not in get_args(Status):
        raise ValueError(f"unknown status {status!r}")
    process = fields.get("process")
    return RunState(
        status=status,
        changed=str(fields["changed"]),
        process=ProcessId(**process) if process else None,
        message=str(fields.get("message", "")),
        detail=str(fields.get("detail", "")),
    )


def find_run(run_id: str, *, root: Path, actor: Actor | None = None) -> Run:
    """Return the run with an id.

    Parameters
    ----------
    run_id : str
    root : Path
    actor : Actor, optional
        Who asks, and may see it by its link; None for whoever has the folder.

    Raises
    ------
    TrainingError
        If there is none, or none that the person may see.
    """
    run = Run(root / "runs" / run_id)
    if Path(run_id).name != run_id or not (run.folder / "config.json").is_file():
        raise no_run(run_id)
    if actor is not None and not run.sharing().may_see(actor, by_link=True):
        raise no_run(run_id)
    return run


def no_run(run_id: str) -> TrainingError:
    """Return the error that says that a run is not there."""
    return TrainingError(
        _("There is no run {run_id!r}.", run_id=run_id),
        hint=_("It may have been deleted; choose another run."),
    )


def list_runs(root: Path) -> list[Run]:
    """List all runs whose configuration can be read, the newest first."""
    return [run for run, problem in _checked(root) if not problem]


def damaged_runs(root: Path, actor: Actor | None = None) -> list[str]:
    """Say of each run that a list leaves out what is wrong with it; of others' runs nothing."""
    return [
        f"{run.id}: {problem}"
        for run, problem in _checked(root)
        if problem and (actor is None or run.sharing().may_see(actor))
    ]


def _checked(root: Path) -> list[tuple[Run, str]]:
    """Pair all runs, the newest first, with what is wrong with them."""
    folder = root / "runs"
    paths = sorted(folder.iterdir(), reverse=True) if folder.is_dir() else []
    runs = [Run(path) for path in paths if (path / "state.json").is_file()]
    return [(run, run.problem()) for run in runs]
