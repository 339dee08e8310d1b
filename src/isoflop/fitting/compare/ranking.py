"""Laws in order of their errors on rows that they have not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from isoflop.fitting.compare.score import Errors
from isoflop.language import lazy_gettext as _

if TYPE_CHECKING:
    from isoflop.fitting.compare.laws import LawComparison, LawScore

Criterion = Literal["held_out", "leave_run_out", "leave_one_out"]

CRITERIA: Mapping[Criterion, str] = {
    "held_out": _("held-out scale"),
    "leave_run_out": _("left-out runs"),
    "leave_one_out": _("left-out rows"),
}
"""By what laws are ranked, the best question first."""

TIE_SIGMAS, TIE_FACTOR = 2.0, 2.0
"""Standard errors of the paired difference, and times the first one's error, up to which two laws
are not told apart: a few wild errors make the standard error as large as the difference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One law's place.

    Parameters
    ----------
    score : LawScore
    errors : Errors
        That the place rests on.
    is_tied : bool
        Whether it cannot be told from the first.
    """

    score: LawScore
    errors: Errors
    is_tied: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Laws by the size of their errors on rows that they have not seen.

    Parameters
    ----------
    criterion : {"held_out", "leave_run_out", "leave_one_out"}
    places : tuple of Place
        Smallest mean error first.
    unplaced : tuple of (LawScore, str)
        Laws without such errors, and why.
    """

    criterion: Criterion
    places: tuple[Place, ...]
    unplaced: tuple[tuple[LawScore, str], ...]


def rank(comparison: LawComparison) -> Ranking:
    """Rank laws by the best question that at least two can answer: held-out scale if it can be.

    Laws whose paired errors differ from the first one's by less than two standard errors, and are
    less than twice as large, are tied with it.
    """
    chosen: Criterion = "leave_one_out"
    for criterion in CRITERIA:
        if sum(score.errors(criterion) is not None for score in comparison.scores) >= 2:
            chosen = criterion
            break
    able = [
        (score, errors)
        for score in comparison.scores
        if (errors := score.errors(chosen)) is not None
    ]
    able.sort(key=lambda pair: pair[1].mean_absolute)
    places = [
        Place(score=score, errors=errors, is_tied=_is_tied(errors, able[0][1]))
        for score, errors in able
    ]
    return Ranking(
        criterion=chosen,
        places=tuple(places),
        unplaced=tuple(
            (score, score.refusal or score.held_out_refusal or _NOT_DETERMINED)
            for score in comparison.scores
            if score.errors(chosen) is None
        ),
    )


def _is_tied(errors: Errors, best: Errors) -> bool:
    excess, spread = errors.excess_over(best)
    is_close = errors.mean_absolute <= TIE_FACTOR * best.mean_absolute
    return is_close and not excess > TIE_SIGMAS * spread


_NOT_DETERMINED = _("The rows left do not determine it.")
