"""Laws in order, and the order in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from isoflop.fitting.compare.held_out import write_scale
from isoflop.fitting.compare.laws import LawComparison, LawScore
from isoflop.fitting.compare.score import Errors

Criterion = Literal["held_out", "leave_run_out", "leave_one_out"]

CRITERIA: Mapping[Criterion, str] = {
    "held_out": "held-out scale",
    "leave_run_out": "left-out runs",
    "leave_one_out": "left-out rows",
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
        if sum(_errors(score, criterion) is not None for score in comparison.scores) >= 2:
            chosen = criterion
            break
    able = [
        (score, errors)
        for score in comparison.scores
        if (errors := _errors(score, chosen)) is not None
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
            if _errors(score, chosen) is None
        ),
    )


def _is_tied(errors: Errors, best: Errors) -> bool:
    excess, spread = errors.excess_over(best)
    is_close = errors.mean_absolute <= TIE_FACTOR * best.mean_absolute
    return is_close and not excess > TIE_SIGMAS * spread


_NOT_DETERMINED = "The rows left do not determine it."


def _errors(score: LawScore, criterion: Criterion) -> Errors | None:
    if criterion == "held_out":
        errors = score.held_out.errors if score.held_out is not None else None
    else:
        errors = score.leave_run_out if criterion == "leave_run_out" else score.leave_one_out
    if errors is None or not np.isfinite(errors.mean_absolute):
        return None
    return errors


# --- In words


def in_words(comparison: LawComparison, ranking: Ranking | None = None) -> tuple[str, ...]:
    """Say what the comparison found, a sentence each: the question, the winner, every other law.

    Parameters
    ----------
    comparison : LawComparison
    ranking : Ranking, optional
        Of that comparison.
    """
    ranking = ranking or rank(comparison)
    if not ranking.places:
        return ("None of these laws can be judged on rows that it has not seen.",)
    write = _error_writer(ranking.places[0].errors)
    first, *others = ranking.places
    sentences = [_question(comparison, ranking)]
    tied = [place.score.law.label for place in others if place.is_tied]
    found = f"{first.score.law.label} comes closest: off by {write(first.errors)}"
    if tied:
        found += f"; {_list(tied)} cannot be told from it on {_rows(len(first.errors.error))}"
    sentences.append(found + ".")
    for place in others:
        factor = place.errors.mean_absolute / max(first.errors.mean_absolute, 1e-12)
        times = "" if place.is_tied or factor < 1.15 else f", {_times(factor)} as far"
        sentences.append(f"{place.score.law.label} is off by {write(place.errors)}{times}.")
    sentences += [f"{score.law.label} is not ranked. {why}" for score, why in ranking.unplaced]
    return tuple(sentences)


def _question(comparison: LawComparison, ranking: Ranking) -> str:
    n_rows = len(ranking.places[0].errors.error)
    if ranking.criterion == "held_out" and comparison.split is not None:
        split = comparison.split
        n_lower = len(split.lower.included())
        cut = write_scale(split.cut, split.column)
        return (
            f"Each law was fitted to the {_rows(n_lower)} up to {cut} and asked for the "
            f"{_rows(n_rows)} above."
        )
    what = "run" if ranking.criterion == "leave_run_out" else "row"
    why = f" {comparison.split_refusal}" if comparison.split_refusal else ""
    return f"Each {what} was predicted by a fit to all others.{why}"


def _error_writer(example: Errors) -> Callable[[Errors], str]:
    """Return how errors are written: relative ones as a share, others in the response's unit."""

    def write(errors: Errors) -> str:
        size = errors.mean_absolute
        shown = f"{_two_digits(100 * size)}%" if errors.is_relative else _two_digits(size)
        if abs(errors.bias) > 0.7 * size:
            return f"{shown} on average, nearly all {'above' if errors.bias > 0 else 'below'}"
        return f"{shown} on average"

    return write


def _two_digits(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:#.2g}"


def _times(factor: float) -> str:
    return f"{factor:.0f} times" if factor >= 3 else f"{factor:.1f} times"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
