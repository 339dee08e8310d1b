"""A comparison of laws for a reader: as a frame, in sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.fitting.compare.held_out import write_scale
from isoflop.fitting.compare.ranking import Criterion, Ranking
from isoflop.fitting.compare.score import Criteria, Errors

if TYPE_CHECKING:
    from isoflop.fitting.compare.laws import LawComparison, LawScore


def comparison_frame(comparison: LawComparison) -> pd.DataFrame:
    """Return a row a law, best first, those that cannot be ranked last; NaN where a figure lacks.

    Parameters
    ----------
    comparison : LawComparison
    """
    ranking = comparison.ranking
    scores = [place.score for place in ranking.places] + [score for score, _ in ranking.unplaced]
    held = [score.held_out for score in scores]
    columns: dict[str, object] = {
        "law": [score.law.label for score in scores],
        "n_params": [len(score.law.params) for score in scores],
        "held_out": _mean_errors(scores, "held_out"),
        "bias": [np.nan if one is None else one.errors.bias for one in held],
        "coverage": [np.nan if one is None else one.coverage for one in held],
        "leave_run_out": _mean_errors(scores, "leave_run_out"),
        "leave_one_out": _mean_errors(scores, "leave_one_out"),
        "delta_aicc": _above_best([score.criteria for score in scores], lambda one: one.aicc),
        "delta_bic": _above_best([score.criteria for score in scores], lambda one: one.bic),
        "tied": [place.is_tied for place in ranking.places] + [False] * len(ranking.unplaced),
        "reason": [""] * len(ranking.places) + [why for _, why in ranking.unplaced],
    }
    index = pd.Index([score.law.key for score in scores], name="key")
    return pd.DataFrame(columns, index=index)


def _mean_errors(scores: list[LawScore], criterion: Criterion) -> NDArray[np.float64]:
    found = (score.errors(criterion) for score in scores)
    return np.array([np.nan if one is None else one.mean_absolute for one in found])


def _above_best(
    criteria: list[Criteria | None], measure: Callable[[Criteria], float]
) -> NDArray[np.float64]:
    """Return a criterion less the best law's; NaN where rows are too few for it."""
    values = np.array([np.nan if one is None else measure(one) for one in criteria])
    known = np.where(np.isfinite(values), values, np.nan)
    return np.asarray(known - np.nanmin(known, initial=np.inf))


def sentences(comparison: LawComparison) -> tuple[str, ...]:
    """Say what the comparison found, a sentence each: the question, the winner, every other law.

    Parameters
    ----------
    comparison : LawComparison
    """
    ranking = comparison.ranking
    if not ranking.places:
        return ("None of these laws can be judged on rows that it has not seen.",)
    write = _error_writer(ranking.places[0].errors)
    first, *others = ranking.places
    said = [_question(comparison, ranking)]
    tied = [place.score.law.label for place in others if place.is_tied]
    found = f"{first.score.law.label} comes closest: off by {write(first.errors)}"
    if tied:
        found += f"; {_list(tied)} cannot be told from it on {_rows(len(first.errors.error))}"
    said.append(found + ".")
    for place in others:
        factor = place.errors.mean_absolute / max(first.errors.mean_absolute, 1e-12)
        times = "" if place.is_tied or factor < 1.15 else f", {_times(factor)} as far"
        said.append(f"{place.score.law.label} is off by {write(place.errors)}{times}.")
    said += [f"{score.law.label} is not ranked. {why}" for score, why in ranking.unplaced]
    return tuple(said)


def _question(comparison: LawComparison, ranking: Ranking) -> str:
    n_rows = len(ranking.places[0].errors.error)
    if ranking.criterion == "held_out" and comparison.split is not None:
        split = comparison.split
        n_lower = len(split.lower.included())
        cut = write_scale(split.cut, split.column)
        return (
            f"Each law was fitted to the {_rows(n_lower)} up to {cut} and evaluated on the "
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
