"""How much work at once, for how long, with how much memory: settings of the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass

from isoflop.errors import WorkError
from isoflop.language import lazy_gettext as _

EXECUTOR_SETTING = "ISOFLOP_EXECUTOR"
JOBS_SETTING = "ISOFLOP_MAX_JOBS"
EACH_SETTING = "ISOFLOP_MAX_JOBS_EACH"
DEADLINE_SETTING = "ISOFLOP_JOB_DEADLINE_S"
MEMORY_SETTING = "ISOFLOP_JOB_MEMORY_MB"
DEFAULT_DEADLINE_S = 600.0
DEFAULT_MEMORY_MB = 4000.0
MOST_JOBS = 4
"""At once, unless the setting says more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What jobs may take.

    Parameters
    ----------
    n_jobs : int
        Jobs at once.
    n_each : int
        Jobs at once of one person; on a cluster, no more than this either.
    deadline_s : float
        From a job's start to its end.
    memory_bytes : float
        Of a job's process, the engine included.
    """

    n_jobs: int
    n_each: int
    deadline_s: float
    memory_bytes: int


def limits() -> Limits:
    """Return the limits that the settings give.

    Raises
    ------
    WorkError
        If a setting is not a positive number.
    """
    n_jobs = max(1, int(_number(JOBS_SETTING, _spare_cores())))
    return Limits(
        n_jobs=n_jobs,
        n_each=max(1, int(_number(EACH_SETTING, max(1, n_jobs - 1)))),
        deadline_s=_number(DEADLINE_SETTING, DEFAULT_DEADLINE_S),
        memory_bytes=int(_number(MEMORY_SETTING, DEFAULT_MEMORY_MB) * 1e6),
    )


def _spare_cores() -> int:
    """Return how many cores jobs may have: all but the server's own, and not a whole large machine.

    A container sees the cores of its machine, not its share of them.
    """
    return min(max(1, (os.cpu_count() or 1) - 1), MOST_JOBS)


def _number(name: str, default: float) -> float:
    text = os.environ.get(name, "").strip()
    try:
        value = float(text) if text else default
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        raise WorkError(
            _(
                "The setting {name} is {text!r}, which is not a positive number.",
                name=name,
                text=text,
            ),
            hint=_("Set it to a number such as {default:g}, or leave it out.", default=default),
        )
    return value
