"""The queue of runs and the workers behind it, all under one file lock."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from filelock import FileLock, Timeout

from isoflop.errors import TrainingError
from isoflop.files import read_json, write_json
from isoflop.language import lazy_gettext
from isoflop.people import LOCAL, Actor, ShareRole, Visibility
from isoflop.training.config import ReportedConfig, RunConfig
from isoflop.training.elsewhere import cancel_job, verdict
from isoflop.training.estimates import estimate_bytes, estimate_cpu_s
from isoflop.training.kept import kept_bytes
from isoflop.training.ownership import (
    Allowance,
    of_new,
    require_room,
    require_share,
    require_training,
    runs_at_once,
    training_minutes,
    write_sharing,
)
from isoflop.training.processes import ProcessId, start_detached
from isoflop.training.runs import ACTIVE, ENDED_EARLY, Run, Status, list_runs

MIN_FREE_BYTES = 200 * 2**20
READY_POLL_S = 0.05
READY_S = 120.0
"""How long a worker that was made ready waits for a run before it ends."""
STOP_GRACE_S = 10.0
"""How long a worker may take to put its checkpoint away before it is killed."""
LOCK_WAIT_S = 30.0

_stops_seen: dict[Path, tuple[int, float]] = {}
"""By run, which file asks it to stop, and when this process saw it, by a clock that nobody sets."""


def default_worker_count() -> int:
    """Two workers where there are two cores; more would starve the server."""
    return min(2, os.cpu_count() or 1)


def in_turn(runs: Sequence[Run]) -> list[Run]:
    """Order runs as they are to be trained: fair between submissions, the largest of each first.

    Each run counts as if it had come when those of its submission before it are done at the pace
    of one core (start-time fair queueing). Of two that come together each gets every second turn;
    one that comes later waits for no more of a long ladder than is overdue; nobody waits for ever.

    References
    ----------
    Goyal, Vin and Cheng (1996), Start-time fair queueing, SIGCOMM.
    """
    groups: dict[str, list[tuple[float, Run, float]]] = defaultdict(list)
    for run in runs:
        submission, time_s = run.submission()
        groups[submission].append((estimate_cpu_s(run.config()), run, time_s))
    due: list[tuple[float, str, Run]] = []
    for members in groups.values():
        members.sort(key=lambda member: (-member[0], member[1].id))
        due_s = min(time_s for _, _, time_s in members)
        for cpu_s, run, _ in members:
            due.append((due_s, run.id, run))
            due_s += cpu_s
    return [run for _, _, run in sorted(due, key=lambda one: one[:2])]


def _process_of(path: Path) -> ProcessId | None:
    """Read a worker's file; None if it is damaged."""
    try:
        return ProcessId(**read_json(path))
    except (OSError, ValueError, TypeError):
        return None


def _asked_to_stop_for_s(run: Run) -> float:
    """Return for how long this process has seen that a run is asked to stop; 0 if it is not."""
    try:
        which = run.stop_path.stat().st_mtime_ns
    except FileNotFoundError:
        _stops_seen.pop(run.folder, None)
        return 0.0
    known, seen_s = _stops_seen.get(run.folder, (None, 0.0))
    if known != which:
        seen_s = time.monotonic()
        _stops_seen[run.folder] = which, seen_s
    return time.monotonic() - seen_s


class RunQueue:
    """Runs of one folder, worked off by at most a given number of processes.

    Parameters
    ----------
    root : Path
        Folder of runs, uploads and workers.
    actor : Actor, optional
        Who asks, to whom new runs belong and who changes only what is theirs to change. None for a
        process of this machine: the worker, and the command line.
    stored_bytes : callable, optional
        What the person keeps elsewhere, which counts for what they may store.
    """

    def __init__(
        self,
        root: Path,
        actor: Actor | None = None,
        *,
        stored_bytes: Callable[[], int] = lambda: 0,
    ) -> None:
        self.root, self.actor, self._stored_bytes = root, actor, stored_bytes

    def submit(self, configs: Sequence[RunConfig]) -> list[Run]:
        """Queue runs. Those that stand in the queue already, or run, are not queued twice.

        Raises
        ------
        TrainingError
            If the disk is full or refuses.
        """
        require_training(self.actor)
        self._check_disk()
        with self._locked():
            waiting = {run.config(): run for run in self._own() if run.state().status in ACTIVE}
            self._require_share([config for config in configs if config not in waiting])
            submission, arrived_s = secrets.token_hex(8), self._arrival_s()
            return [
                waiting.get(config) or self._create(config, "queued", submission, arrived_s)
                for config in configs
            ]

    def take_up(
        self, configs: Sequence[RunConfig], *, status: Status = "queued"
    ) -> tuple[list[Run], list[Run]]:
        """Return the runs of configurations, and which of them are now to be trained.

        Those of before are taken up where they are: what is finished or active stays as it is, what
        stopped goes on from its checkpoint.

        Parameters
        ----------
        configs : sequence of RunConfig
        status : str
            ``"submitted"`` for those that another program starts.

        Raises
        ------
        TrainingError
            If the disk is full or refuses.
        """
        require_training(self.actor)
        self._check_disk()
        submission, started = secrets.token_hex(8), []
        with self._locked():
            known = {run.config(): run for run in reversed(self._own())}
            self._require_share([config for config in configs if config not in known])
            arrived_s = self._arrival_s()
            for config in configs:
                run = known.get(config)
                if run is None:
                    run = self._create(config, status, submission, arrived_s)
                    known[config] = run
                elif run.state().status in ENDED_EARLY:
                    run.stop_path.unlink(missing_ok=True)
                    run.write_state(status)
                else:
                    continue
                started.append(run)
            return [known[config] for config in configs], started

    def claim(self) -> Run | None:
        """Take the run whose turn it is for this process; None if the queue is empty.

        Whoever finds nothing no longer counts as a worker: a run that is queued while it shuts
        down needs another.
        """
        with self._locked():
            for run in in_turn(list_runs(self.root)):
                if run.state().status != "queued" or run.is_held():
                    continue
                if not run.stop_path.exists():
                    run.write_state("running", process=ProcessId.current())
                    return run
                run.write_state("stopped", message=lazy_gettext("Stopped before it started."))
            self.leave()
            return None

    def leave(self) -> None:
        """No longer count this process as a worker."""
        self._worker_path(ProcessId.current()).unlink(missing_ok=True)

    def ensure_workers(self, n_workers: int | None = None) -> int:
        """Start workers until there are as many as wanted or as runs in the queue.

        Returns
        -------
        int
            Workers started.
        """
        wanted = default_worker_count() if n_workers is None else n_workers
        with self._locked():
            states = [run.state() for run in list_runs(self.root)]
            workers = self.workers()
            busy = {state.process for state in states if state.status == "running"}
            n_starting = sum(worker not in busy for worker in workers)
            n_queued = sum(state.status == "queued" for state in states)
            n_new = max(0, min(n_queued - n_starting, wanted - len(workers)))
            for _ in range(n_new):
                self._start_worker()
            if n_queued:
                self._bell().touch()
        return n_new

    def ensure_ready(self) -> bool:
        """Start a worker ahead of its first run, if this machine has none; say whether one was.

        It loads what every run needs, which is most of the time to a first loss, and waits.
        """
        with self._locked():
            if self.workers():
                return False
            self._start_worker("--wait", f"{READY_S:g}")
            return True

    def await_queued(self, for_s: float, *, is_ended: Callable[[], bool]) -> None:
        """Wait until a run is queued, at most so long, or until told to end."""
        bell = self._bell()
        until_s, heard = time.monotonic() + for_s, -1
        while time.monotonic() < until_s and bell.parent.is_dir() and not is_ended():
            ring = bell.stat().st_mtime_ns if bell.exists() else 0
            if ring != heard:  # to look through all runs costs more than to look at one file
                heard = ring
                if any(run.state().status == "queued" for run in list_runs(self.root)):
                    return
            time.sleep(READY_POLL_S)

    def workers(self) -> list[ProcessId]:
        """List this machine's workers that are alive, and forget those that are not.

        Of other machines or containers on the same folder nobody can tell here: theirs are theirs.
        """
        alive = []
        for path in self._workers_folder().glob("*.json"):
            process = _process_of(path)
            if process is not None and not process.is_here:
                continue
            if process is not None and process.is_alive():
                alive.append(process)
            else:
                path.unlink(missing_ok=True)
        return alive

    def stop(self, runs: Iterable[Run]) -> None:
        """Ask runs to stop; returns at once. One that waits stops here and now.

        Raises
        ------
        AccessError
            If one of them is not this person's to stop; none is stopped then.
        """
        runs = list(runs)
        self.require_change(runs, lazy_gettext("stop this run"))
        with self._locked():
            for run in runs:
                status = run.state().status
                if status in ACTIVE:
                    run.stop_path.touch()
                if status == "submitted":
                    cancel_job(run)
                    run.write_state(
                        "stopped", message=lazy_gettext("Taken out of the cluster's queue.")
                    )
                if status == "queued":
                    run.write_state("stopped", message=lazy_gettext("Stopped before it started."))

    def enforce_stops(self, runs: Iterable[Run]) -> None:
        """Kill workers that did not obey within ten seconds; end runs that a cluster gave up.

        Whoever follows runs calls it as it polls.
        """
        for run in runs:
            if run.state().status == "submitted" and (said := verdict(run)):
                with self._locked():
                    if run.state().status == "submitted":  # it did not start in the meantime
                        run.write_state("stopped", message=said, detail=run.last_lines())
            asked_for_s = _asked_to_stop_for_s(run)
            state = run.state()
            if isinstance(run.config(), ReportedConfig):
                continue  # a process that is not ours
            if state.status == "running" and state.process and asked_for_s > STOP_GRACE_S:
                state.process.kill_group()

    def resume(self, runs: Iterable[Run]) -> None:
        """Queue stopped, failed or crashed runs again; they go on from their checkpoints.

        Raises
        ------
        AccessError
            If this person may not train, or one of them is not theirs to resume.
        """
        runs = list(runs)
        require_training(self.actor)
        self.require_change(runs, lazy_gettext("resume this run"))
        with self._locked():
            for run in runs:
                is_own = not isinstance(run.config(), ReportedConfig)
                if is_own and run.state().status in ENDED_EARLY:
                    run.stop_path.unlink(missing_ok=True)
                    run.write_state("queued")

    def delete(self, run: Run) -> None:
        """Remove a run that is not active.

        Raises
        ------
        TrainingError
            If it is queued or running.
        AccessError
            If it is not this person's to delete.
        """
        self.require_change([run], lazy_gettext("delete this run"))
        with self._locked():
            if run.state().status in ACTIVE:
                raise TrainingError(
                    lazy_gettext("The run {id} is still active.", id=run.id),
                    hint=lazy_gettext("Stop it before deleting it."),
                )
            shutil.rmtree(run.folder)

    def share(
        self, runs: Sequence[Run], visibility: Visibility, role: ShareRole, team: str = ""
    ) -> None:
        """Say who else sees some runs of one's own, and whether they may change them.

        Parameters
        ----------
        runs : sequence of Run
        visibility, role, team
            As of a `isoflop.people.Sharing`.

        Raises
        ------
        AccessError
            If one of them is not one's own, or the team is one of others; none is shared then.
        """
        actor = self.actor or LOCAL
        made = [(run, run.sharing().shared(actor, visibility, role, team)) for run in runs]
        for run, sharing in made:
            write_sharing(run.sharing_path, sharing)

    def require_room(self, n_bytes: float) -> None:
        """Refuse what would take more room than the person has.

        Raises
        ------
        TrainingError
            With the limit, and the setting that holds it.
        """
        if self.actor is not None:
            used = sum(kept_bytes(self.root, self.actor.id).values()) + self._stored_bytes()
            require_room(self.actor, used_bytes=used, asked_bytes=n_bytes)

    def _own(self) -> list[Run]:
        """List the runs that the person may change, and may therefore take up."""
        runs, actor = list_runs(self.root), self.actor
        return runs if actor is None else [run for run in runs if run.sharing().may_change(actor)]

    def _create(self, config: RunConfig, status: Status, submission: str, arrived_s: float) -> Run:
        return Run.create(
            self.root,
            config,
            status=status,
            submission=submission,
            sharing=of_new(self.actor),
            arrived_s=arrived_s,
        )

    def _arrival_s(self) -> float:
        """Return when runs come that come now: after those there are, also by a clock set back."""
        there = (run for run in list_runs(self.root) if run.state().status in ACTIVE)
        return max([time.time(), *(run.submission()[1] + 1e-3 for run in there)])

    def _require_share(self, configs: Sequence[RunConfig]) -> None:
        if self.actor is not None:
            self.require_room(sum(map(estimate_bytes, configs)))
            n_active = self._n_active(self.actor)
            require_share(self.actor, configs, n_active=n_active, root=self.root)

    def _n_active(self, actor: Actor) -> int:
        own = [run for run in list_runs(self.root) if run.sharing().owner == actor.id]
        return sum(run.state().status in ACTIVE for run in own)

    def allowances(self) -> tuple[Allowance, ...]:
        """Return what the person uses of what they may train; nothing where there is no limit."""
        if self.actor is None or self.actor.is_owner:
            return ()
        return (
            runs_at_once(self._n_active(self.actor)),
            training_minutes(self.actor, self.root),
        )

    def require_change(self, runs: Sequence[Run], what: str) -> None:
        """Refuse a person who may not change all of some runs.

        Raises
        ------
        AccessError
            With what to do instead.
        """
        if self.actor is not None:
            for run in runs:
                run.sharing().require_change(self.actor, what)

    def _check_disk(self) -> None:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            free_bytes = shutil.disk_usage(self.root).free
        except OSError as error:
            raise TrainingError(
                lazy_gettext("The folder of runs cannot be made."), detail=f"{self.root}: {error}"
            ) from None
        if free_bytes < MIN_FREE_BYTES:
            raise TrainingError(
                lazy_gettext("The disk is nearly full."),
                detail=lazy_gettext(
                    "{free_bytes:.0f} MiB are free at {root}; a run wants "
                    "{min_free_bytes:.0f} MiB.",
                    free_bytes=free_bytes / 2**20,
                    root=self.root,
                    min_free_bytes=MIN_FREE_BYTES / 2**20,
                ),
                hint=lazy_gettext("Delete old runs or free some space."),
            )

    def _start_worker(self, *arguments: str) -> None:
        self._register(
            start_detached(
                "isoflop.training.worker",
                *("--root", str(self.root), *arguments),
                log=self._workers_folder() / "log.txt",
            )
        )

    def _bell(self) -> Path:
        """Return the file that is touched when there are runs to be trained."""
        return self._workers_folder() / "bell"

    def _register(self, process: ProcessId) -> None:
        write_json(self._worker_path(process), asdict(process))

    def _worker_path(self, process: ProcessId) -> Path:
        """Name a worker's file; containers on one folder have the same process numbers."""
        return self._workers_folder() / f"{process.host}-{process.pid}.json"

    def _workers_folder(self) -> Path:
        folder = self.root / "workers"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Have the queue to oneself.

        Raises
        ------
        TrainingError
            If another process keeps it for too long, or the disk refuses what the block does.
        """
        try:
            # An operating-system lock: a process that dies gives it back.
            self.root.mkdir(parents=True, exist_ok=True)
            with FileLock(self.root / "queue.lock", timeout=LOCK_WAIT_S):
                yield
        except Timeout:
            raise TrainingError(
                lazy_gettext("The queue of runs does not answer."),
                detail=lazy_gettext(
                    "Another process has kept it for {lock_wait_s:g} s.", lock_wait_s=LOCK_WAIT_S
                ),
                hint=lazy_gettext("Try again; if it stays so, look for a process that hangs."),
            ) from None
        except OSError as error:
            raise TrainingError(
                lazy_gettext("The folder of runs cannot be written."),
                detail=f"{self.root}: {error.strerror or error}",
                hint=lazy_gettext("Free some space, or check who may write there."),
            ) from None
