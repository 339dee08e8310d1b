"""Runs that belong together, on disk: what a link such as ``?run=...`` comes back to."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from isoflop.errors import TrainingError
from isoflop.files import read_json, write_json
from isoflop.language import lazy_gettext as _
from isoflop.people import Actor, ShareRole, Visibility
from isoflop.training.config import RunConfig
from isoflop.training.queue import RunQueue
from isoflop.training.runs import Run, damaged_runs, find_run, no_run


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """Runs started together.

    Parameters
    ----------
    id : str
        Also of a single run, which is a ladder of one.
    title : str
    created : str
        ISO 8601, UTC.
    runs : tuple of Run
        Those that still exist and can be read.
    damaged : tuple of str
        What is wrong with those that cannot.
    """

    id: str
    title: str
    created: str
    runs: tuple[Run, ...]
    damaged: tuple[str, ...] = ()


def start_ladder(
    queue: RunQueue, configs: Sequence[RunConfig], *, title: str, n_workers: int | None = None
) -> Ladder:
    """Queue runs as one ladder and start the workers.

    Started twice with the same runs while they are active, as by two clicks, it is one ladder.

    Raises
    ------
    TrainingError
        If the disk refuses.
    """
    runs = queue.submit(configs)
    queue.ensure_workers(n_workers)
    return keep_ladder(queue.root, runs, title=title)


def keep_ladder(root: Path, runs: Sequence[Run], *, title: str) -> Ladder:
    """Write down that runs belong together; the same runs are one ladder.

    Raises
    ------
    TrainingError
        If the disk refuses.
    """
    for other in list_ladders(root):
        if other.runs == tuple(runs):
            return other
    now = datetime.now(UTC)
    ladder_id = f"ladder-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(8)}"
    folder = root / "ladders"
    created = now.isoformat(timespec="milliseconds")
    content = {"title": title, "created": created, "runs": [run.id for run in runs]}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / f"{ladder_id}.json", content)
    except OSError as error:
        raise TrainingError(_("The ladder cannot be written to disk."), detail=str(error)) from None
    return Ladder(id=ladder_id, title=title, created=created, runs=tuple(runs))


def add_to_ladder(root: Path, run: Run, *, title: str) -> str:
    """Add a run to the ladder of reported runs with a title; return the ladder's id.

    Raises
    ------
    TrainingError
        If the disk refuses.
    """
    ladder_id = f"ladder-reported-{hashlib.sha256(title.encode()).hexdigest()[:12]}"
    path = root / "ladders" / f"{ladder_id}.json"
    created = datetime.now(UTC).isoformat(timespec="milliseconds")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            known = _read_or_problem(path, root)
            runs = [*known.runs, run] if isinstance(known, Ladder) else [run]
            content = {"title": title, "created": created, "runs": [one.id for one in runs]}
            write_json(path, content)
    except OSError as error:
        raise TrainingError(_("The ladder cannot be written to disk."), detail=str(error)) from None
    return ladder_id


def delete_ladder(queue: RunQueue, ladder: Ladder) -> None:
    """Remove a ladder and its runs.

    Raises
    ------
    TrainingError
        If one of them is active.
    AccessError
        If one of them is not this person's to delete; none is deleted then.
    """
    queue.require_change(ladder.runs, _("delete these runs"))
    for run in ladder.runs:
        queue.delete(run)
    path = queue.root / "ladders" / f"{ladder.id}.json"
    left = _read_or_problem(path, queue.root) if path.is_file() else ""
    if not (isinstance(left, Ladder) and left.runs):  # there may be runs that are not seen here
        path.unlink(missing_ok=True)


def share_ladder(
    queue: RunQueue,
    ladder: Ladder,
    visibility: Visibility,
    role: ShareRole = "viewer",
    team: str = "",
) -> None:
    """Say who else sees the runs of a ladder, and with them the ladder.

    Raises
    ------
    AccessError
        If one of them is not one's own.
    """
    queue.share(ladder.runs, visibility, role, team)


def list_ladders(root: Path, actor: Actor | None = None) -> list[Ladder]:
    """List the ladders of a folder that can be read and still have runs, the newest first.

    Parameters
    ----------
    root : Path
    actor : Actor, optional
        Who asks: runs that are neither theirs nor shared, but by a link, are left out.
    """
    found = [_read_or_problem(path, root) for path in _paths(root)]
    ladders = [
        _seen_by(actor, ladder, by_link=False) for ladder in found if isinstance(ladder, Ladder)
    ]
    return [ladder for ladder in ladders if ladder.runs]


def _seen_by(actor: Actor | None, ladder: Ladder, *, by_link: bool) -> Ladder:
    """Return a ladder with the runs that a person may see."""
    if actor is None:
        return ladder
    runs = tuple(r for r in ladder.runs if r.sharing().may_see(actor, by_link=by_link))
    return replace(ladder, runs=runs, damaged=ladder.damaged if runs == ladder.runs else ())


def damaged_members(root: Path, actor: Actor | None = None) -> list[str]:
    """Say of each ladder and run that the lists leave out what is wrong with it.

    Parameters
    ----------
    root : Path
    actor : Actor, optional
        Who asks: of others' runs nothing is said.
    """
    found = [_read_or_problem(path, root) for path in _paths(root)]
    ladders = [problem for problem in found if isinstance(problem, str)]
    return ladders + damaged_runs(root, actor)


def find_ladder(ladder_id: str, *, root: Path, actor: Actor | None = None) -> Ladder:
    """Return a ladder, or a single run as a ladder of one.

    Parameters
    ----------
    ladder_id : str
    root : Path
    actor : Actor, optional
        Who asks, and sees what is shared by its link, too.

    Raises
    ------
    TrainingError
        If there is neither, or none that the person may see.
    """
    path = root / "ladders" / f"{ladder_id}.json"
    if Path(ladder_id).name == ladder_id and path.is_file():
        ladder = _read_or_problem(path, root)
        if isinstance(ladder, str):
            raise TrainingError(
                _("The ladder cannot be read."),
                detail=ladder,
                hint=_("Its runs are still there: open one by its own id."),
            )
        ladder = _seen_by(actor, ladder, by_link=True)
        if not ladder.runs:
            raise no_run(ladder_id)
        return ladder
    run = find_run(ladder_id, root=root, actor=actor)
    return Ladder(id=run.id, title=run.config().label, created=run.state().changed, runs=(run,))


def _paths(root: Path) -> list[Path]:
    """List the files of ladders; reported ones, which have no time in their name, come first."""
    return sorted((root / "ladders").glob("ladder-*.json"), reverse=True)


def _read_or_problem(path: Path, root: Path) -> Ladder | str:
    """Read a ladder, or say why it cannot be read."""
    try:
        content = read_json(path)
        runs = [Run(root / "runs" / str(name)) for name in content["runs"]]
        title, created = str(content["title"]), str(content["created"])
        checked = [(run, run.problem()) for run in runs if run.folder.is_dir()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"ladders/{path.name}: {type(error).__name__}: {error}"
    return Ladder(
        id=path.stem,
        title=title,
        created=created,
        runs=tuple(run for run, problem in checked if not problem),
        damaged=tuple(f"{run.id}: {problem}" for run, problem in checked if problem),
    )
