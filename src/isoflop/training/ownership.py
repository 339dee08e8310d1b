"""Whose a run, a ladder or a text is, kept in a file beside it; and who may train how much."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

from isoflop import settings
from isoflop.errors import AccessError, TrainingError
from isoflop.files import read_json, write_json
from isoflop.language import lazy_gettext
from isoflop.people import LOCAL, Actor, ShareRole, Sharing, Visibility
from isoflop.training.config import RunConfig
from isoflop.training.estimates import estimate_cpu_s

EVERYONES = Sharing(owner=LOCAL.id, owner_name=LOCAL.name, visibility="everyone", role="editor")
"""Of what was made before there were owners, and of what the command line makes."""
NOBODYS = Sharing(owner="", visibility="private")
"""Of what says whose it is and cannot be read: only whoever has the folder gets at it."""
DAY_S = 24 * 3600.0


def read_sharing(path: Path) -> Sharing:
    """Read whose something is; without the file it is everyone's."""
    try:
        fields = read_json(path)
        if fields.get("visibility") == "team" and "team" not in fields:
            fields["visibility"] = "everyone"  # as it was called while a server was one team
        made = Sharing(**{name: str(value) for name, value in fields.items()})  # type: ignore[arg-type]  # checked below
    except FileNotFoundError:
        return EVERYONES
    except (OSError, ValueError, TypeError):
        return NOBODYS
    is_known = made.visibility in get_args(Visibility) and made.role in get_args(ShareRole)
    return made if is_known and made.owner else NOBODYS


def write_sharing(path: Path, sharing: Sharing) -> None:
    """Write whose something is.

    Raises
    ------
    TrainingError
        If the disk refuses.
    """
    try:
        write_json(path, asdict(sharing))
    except OSError as error:
        raise TrainingError(
            lazy_gettext("The owner cannot be written to disk."), detail=str(error)
        ) from None


def of_new(actor: Actor | None) -> Sharing:
    """Return whose something new is that a person makes; everyone's without a person."""
    if actor is None or actor.id == LOCAL.id:
        return EVERYONES
    return Sharing(owner=actor.id, owner_name=actor.name)


def require_training(actor: Actor | None) -> None:
    """Refuse whoever may not train here; the command line, without a person, may.

    Raises
    ------
    AccessError
        With the setting that says so.
    """
    if actor is None:
        return
    actor.require_writing(lazy_gettext("train here"))
    allowed = settings.text("ISOFLOP_TRAINING")
    if allowed == "off":
        raise AccessError(
            lazy_gettext("Training is off on this server."),
            hint=lazy_gettext("Whoever runs it can start it with ISOFLOP_TRAINING=on, or =owners."),
        )
    if allowed == "owners" and not actor.is_owner:
        raise AccessError(
            lazy_gettext("Only those who run this server may train here."),
            hint=lazy_gettext(
                "Ask one of them to start the run, or to list you in ISOFLOP_OWNERS."
            ),
        )


def require_share(
    actor: Actor | None, configs: Sequence[RunConfig], *, n_active: int, root: Path
) -> None:
    """Refuse runs beyond what one person may have; count those that are let in.

    Parameters
    ----------
    actor : Actor or None
    configs : sequence of RunConfig
        Of the new runs.
    n_active : int
        Runs of this person that wait or run.
    root : Path

    Raises
    ------
    TrainingError
        With the limit, and the setting that holds it.
    """
    if actor is None or actor.is_owner or not configs:
        return
    most = int(settings.number("ISOFLOP_MAX_RUNS"))
    if n_active + len(configs) > most:
        raise TrainingError(
            lazy_gettext("A person may have {most} runs waiting or running here.", most=most),
            detail=lazy_gettext(
                "You have {n_active}, and ask for {configs} more.",
                n_active=n_active,
                configs=len(configs),
            ),
            hint=lazy_gettext(
                "Wait for some to end, stop some, or ask whoever runs this server to "
                "raise ISOFLOP_MAX_RUNS."
            ),
        )
    allowed_s = 60 * settings.number("ISOFLOP_MAX_TRAINING_MINUTES")
    path = _usage_path(actor, root)
    used = _used(path)
    asked_s = sum(map(estimate_cpu_s, configs))
    used_s = sum(seconds for _, seconds in used)
    if used_s + asked_s > allowed_s:
        raise TrainingError(
            lazy_gettext(
                "A person may train {allowed_s:,.0f} CPU minutes a day here.",
                allowed_s=allowed_s / 60,
            ),
            detail=lazy_gettext(
                "These runs are estimated to take {asked_s:,.1f}, after "
                "{used_s:,.1f} within the last day.",
                asked_s=asked_s / 60,
                used_s=used_s / 60,
            ),
            hint=lazy_gettext(
                "Train fewer or smaller runs, wait, or ask whoever runs this server "
                "to raise ISOFLOP_MAX_TRAINING_MINUTES."
            ),
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"used": [*used, (time.time(), asked_s)]})


def require_room(actor: Actor | None, *, used_bytes: float, asked_bytes: float) -> None:
    """Refuse more than one person may store here.

    Parameters
    ----------
    actor : Actor or None
    used_bytes : float
        By this person so far, here and in the database.
    asked_bytes : float

    Raises
    ------
    TrainingError
        With the limit, and the setting that holds it.
    """
    if actor is None or actor.is_owner:
        return
    allowed = 1e6 * settings.number("ISOFLOP_MAX_STORED_MB")
    if used_bytes + asked_bytes > allowed:
        raise TrainingError(
            lazy_gettext(
                "There is no room for this: a person may store {allowed:,.0f} MB here.",
                allowed=allowed / 1000000.0,
            ),
            detail=lazy_gettext(
                "You keep {used_bytes:,.1f} MB, and ask for about {asked_bytes:,.1f} more.",
                used_bytes=used_bytes / 1000000.0,
                asked_bytes=asked_bytes / 1000000.0,
            ),
            hint=lazy_gettext(
                "Delete runs or documents that you no longer need, or ask whoever "
                "runs this server to raise ISOFLOP_MAX_STORED_MB."
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a person uses of something that is limited.

    Parameters
    ----------
    what : str
        In words, such as "CPU minutes of training within a day".
    used, allowed : float
    """

    what: str
    used: float
    allowed: float

    @property
    def share(self) -> float:
        """What is used of what is allowed."""
        return self.used / self.allowed


def training_minutes(actor: Actor, root: Path) -> Allowance:
    """Return what the runs that a person started within a day were estimated to take."""
    return Allowance(
        what=lazy_gettext("CPU minutes of training within a day"),
        used=sum(seconds for _, seconds in _used(_usage_path(actor, root))) / 60,
        allowed=settings.number("ISOFLOP_MAX_TRAINING_MINUTES"),
    )


def runs_at_once(n_active: int) -> Allowance:
    """Return how many runs of a person wait or run, of those that may."""
    return Allowance(
        what=lazy_gettext("training runs at once"),
        used=n_active,
        allowed=settings.number("ISOFLOP_MAX_RUNS"),
    )


def _usage_path(actor: Actor, root: Path) -> Path:
    return root / "usage" / f"{hashlib.sha256(actor.id.encode()).hexdigest()[:32]}.json"


def _used(path: Path) -> list[tuple[float, float]]:
    """Return when a person started runs within a day, and the CPU seconds these would take."""
    try:
        entries = [(float(t), float(s)) for t, s in read_json(path)["used"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    # What a clock that was far ahead has written counts for nobody's next year.
    return [entry for entry in entries if abs(time.time() - entry[0]) < DAY_S]
