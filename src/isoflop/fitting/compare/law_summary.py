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
from isoflop.language import lazy_gettext

if TYPE_CHECKING:
    from isoflop.fitting.compare.laws import LawComparison, LawScore


def comparison_frame(comparison: LawComparison) -> pd.DataFrame:
    """Return a row a law, best first, those that cannot be ranked last; NaN where a figure lacks.

    Parameters
    ----------
    comparison : LawComparison
    """
    ranking, scores = comparison.ranking, comparison.in_order
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
        return (lazy_gettext("None of these laws can be judged on rows that it has not seen."),)
    write = _error_writer(ranking.places[0].errors)
    first, *others = ranking.places
    said = [_question(comparison, ranking)]
    tied = [place.score.law.label for place in others if place.is_tied]
    found = lazy_gettext(
        "{label} comes closest: off by {errors}",
        label=first.score.law.label,
        errors=write(first.errors),
    )
    if tied:
        found += lazy_gettext(
            "; {tied} cannot be told from it on {error}",
            tied=_list(tied),
            error=_rows(len(first.errors.error)),
        )
    said.append(lazy_gettext("{sentence}.", sentence=found))
    for place in others:
        factor = place.errors.mean_absolute / max(first.errors.mean_absolute, 1e-12)
        times = (
            ""
            if place.is_tied or factor < 1.15
            else lazy_gettext(", {factor} as far", factor=_times(factor))
        )
        said.append(
            lazy_gettext(
                "{label} is off by {errors}{times}.",
                label=place.score.law.label,
                errors=write(place.errors),
                times=times,
            )
        )
    said += [
        lazy_gettext("{label} is not ranked. {why}", label=score.law.label, why=why)
        for score, why in ranking.unplaced
    ]
    return tuple(said)


def _question(comparison: LawComparison, ranking: Ranking) -> str:
    n_rows = len(ranking.places[0].errors.error)
    if ranking.criterion == "held_out" and comparison.split is not None:
        split = comparison.split
        n_lower = len(split.lower.included())
        cut = write_scale(split.cut, split.column)
        return lazy_gettext(
            "Each law was fitted to the {n_lower} up to {cut} and evaluated on the {n_rows} above.",
            n_lower=_rows(n_lower),
            cut=cut,
            n_rows=_rows(n_rows),
        )
    why = f" {comparison.split_refusal}" if comparison.split_refusal else ""
    if ranking.criterion == "leave_run_out":
        return lazy_gettext("Each run was predicted by a fit to all others.{why}", why=why)
    return lazy_gettext("Each row was predicted by a fit to all others.{why}", why=why)


def _error_writer(example: Errors) -> Callable[[Errors], str]:
    """Return how errors are written: relative ones as a share, others in the response's unit."""

    def write(errors: Errors) -> str:
        size = errors.mean_absolute
        shown = f"{_two_digits(100 * size)}%" if errors.is_relative else _two_digits(size)
        if abs(errors.bias) > 0.7 * size:
            return lazy_gettext(
                "{shown} on average, nearly all {side}",
                shown=shown,
                side=lazy_gettext("above") if errors.bias > 0 else lazy_gettext("below"),
            )
        return lazy_gettext("{shown} on average", shown=shown)

    return write


def _two_digits(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:#.2g}"


def _times(factor: float) -> str:
    return (
        lazy_gettext("{factor:.0f} times", factor=factor)
        if factor >= 3
        else lazy_gettext("{factor:.1f} times", factor=factor)
    )


def _rows(count: int) -> str:
    return "1 row" if count == 1 else lazy_gettext("{count:,} rows", count=count)


def _list(names: list[str]) -> str:
    return (
        names[0]
        if len(names) == 1
        else lazy_gettext("{names} and {last}", names=", ".join(names[:-1]), last=names[-1])
    )
