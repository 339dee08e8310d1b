"""Soft findings: what a person should know of a result that is nevertheless valid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from isoflop.errors import NoticeError
from isoflop.language import joined
from isoflop.language import lazy_ngettext as n_

Severity = Literal["info", "warning", "serious"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One soft finding.

    Parameters
    ----------
    code : str
        Stable identifier in kebab case, such as ``"parameter-at-bound"``.
    severity : {"info", "warning", "serious"}
        How much it should change a decision.
    text : str
        One plain sentence with its number.
    remedy : str
        What to do about it.
    rows : tuple of int
        Rows of the table's frame that it is about, where leaving them out is an answer.
    """

    code: str
    severity: Severity
    text: str
    remedy: str
    rows: tuple[int, ...] = ()


def by_severity(found: Iterable[Notice]) -> tuple[Notice, ...]:
    """Return notices with the most serious first, each once."""
    ranks = get_args(Severity)
    once = dict.fromkeys(found)
    return tuple(sorted(once, key=lambda item: -ranks.index(item.severity)))


def is_serious(found: Notice) -> bool:
    """Say whether a notice stands with what it is about, before anything else."""
    return found.severity == "serious"


def require_none(notices: Iterable[Notice], severity: Severity, subject: str) -> None:
    """Refuse notices of a severity, and worse ones.

    Raises
    ------
    NoticeError
        Listing them, with what to do about each.
    ValueError
        If there is no such severity.
    """
    ranks = get_args(Severity)
    if severity not in ranks:
        raise ValueError(f"severity is one of {', '.join(ranks)}, not {severity!r}")
    found = [item for item in notices if ranks.index(item.severity) >= ranks.index(severity)]
    if found:
        raise NoticeError(
            n_(
                "{subject} has {n:,} notice of severity {severity} or worse.",
                "{subject} has {n:,} notices of severity {severity} or worse.",
                len(found),
                subject=subject,
                severity=severity,
            ),
            detail=joined("\n", [f"{item.severity}: {item.text} [{item.code}]" for item in found]),
            hint="\n".join(dict.fromkeys(item.remedy for item in found if item.remedy)),
        )
