"""Several laws on one table: which describes it, and which predicts larger runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError, TooFewRows
from isoflop.fitting.compare.held_out import (
    HeldOut,
    Split,
    predict_held_out,
    split_by_scale,
    subset,
)
from isoflop.fitting.compare.score import (
    Criteria,
    Errors,
    cross_validate,
    folds,
    information_criteria,
)
from isoflop.fitting.diagnose import diagnostics
from isoflop.fitting.fit import fit
from isoflop.fitting.options import FitOptions
from isoflop.fitting.result import Fit
from isoflop.laws import Law, laws_for, rebind
from isoflop.tables.schema import LossTable

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LawScore:
    """How one law does on a table.

    Parameters
    ----------
    law : Law
    fit : Fit or None
        To all rows; None where the law is refused.
    criteria : Criteria or None
    leave_one_out : Errors or None
        None where the rows left do not determine the law.
    leave_run_out : Errors or None
        None too where every row is a run of its own.
    held_out : HeldOut or None
    refusal, held_out_refusal : str
        Why there is no fit, and why none of the lower part; empty otherwise.
    """

    law: Law
    fit: Fit | None = None
    criteria: Criteria | None = None
    leave_one_out: Errors | None = None
    leave_run_out: Errors | None = None
    held_out: HeldOut | None = None
    refusal: str = ""
    held_out_refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LawComparison:
    """Laws on one table, the same rows for all.

    Parameters
    ----------
    table : LossTable
        The rows that every law but the refused can use.
    scores : tuple of LawScore
        In the order asked for.
    split : Split or None
        What was held out; None where nothing could be.
    split_refusal : str
        Why; empty otherwise.
    n_left_out : int
        Rows that some law lacks a value for.
    """

    table: LossTable
    scores: tuple[LawScore, ...]
    split: Split | None
    split_refusal: str
    n_left_out: int

    @property
    def fitted(self) -> tuple[LawScore, ...]:
        """The laws that could be fitted to all rows."""
        return tuple(score for score in self.scores if score.fit is not None)


def functional_forms(column: str) -> tuple[Law, ...]:
    """Return the laws of one input that are commonly claimed, over a column.

    Parameters
    ----------
    column : str
        What x stands for, such as ``"compute_flop"``.
    """
    return tuple(rebind(law, {"x": column}) for law in laws_for("functional-form"))


def compare_laws(
    table: LossTable,
    laws: Sequence[Law],
    options: FitOptions | None = None,
    *,
    decades: float = 1.0,
    progress: Progress | None = None,
) -> LawComparison:
    """Fit laws to the same rows and see how each predicts rows it has not seen.

    Parameters
    ----------
    table : LossTable
    laws : sequence of Law
        Of one response; one that is refused says why, and the others go on.
    options : FitOptions, optional
        The same for all; draws serve the prediction intervals of held-out rows.
    decades : float
        How far the held-out part reaches down from the largest scale.
    progress : callable, optional
        Called with the share done; may raise to cancel.

    Raises
    ------
    TooFewRows
        If no row has a value for every law's columns.
    FitError
        If ``decades`` is not positive.
    """
    options = options or FitOptions()
    refusals = {i: reason for i, law in enumerate(laws) if (reason := _unusable(law, table, laws))}
    usable = _common_rows(table, [law for i, law in enumerate(laws) if i not in refusals])
    common = table if usable.all() else subset(table, usable)
    split, split_refusal = None, ""
    try:
        split = split_by_scale(common, decades)
    except TooFewRows as problem:
        split_refusal = str(problem.summary)
    scores = []
    for i, law in enumerate(laws):
        if i in refusals:
            scores.append(LawScore(law=law, refusal=refusals[i]))
        else:
            scores.append(_score(law, common, split, options))
        if progress:
            progress((i + 1) / len(laws))
    return LawComparison(
        table=common,
        scores=tuple(scores),
        split=split,
        split_refusal=split_refusal,
        n_left_out=int((~usable).sum()),
    )


def _unusable(law: Law, table: LossTable, laws: Sequence[Law]) -> str:
    """Return why a law cannot take part; empty if it can."""
    missing = {item.column for item in law.inputs} | {law.response}
    missing -= set(table.included())
    if missing:
        return f"The table has no column {', '.join(sorted(missing))}."
    if law.response != laws[0].response:
        return f"It predicts {law.response}, the first law {laws[0].response}."
    return ""


def _common_rows(table: LossTable, laws: Sequence[Law]) -> NDArray[np.bool_]:
    """Return which included rows have a value for every law."""
    columns = {item.column for law in laws for item in law.inputs} | {law.response for law in laws}
    usable = np.ones(len(table.included()), dtype=bool)
    for column in columns:
        usable &= np.isfinite(table.values(column))
    if not usable.any():
        raise TooFewRows(
            "No row has a value for every law.",
            detail=f"Needed: {', '.join(sorted(columns))}.",
            hint="Compare fewer laws, or fill in the columns.",
        )
    return usable


def _score(law: Law, table: LossTable, split: Split | None, options: FitOptions) -> LawScore:
    try:
        found = fit(law, table, replace(options, n_bootstrap=0))
    except IsoflopError as problem:
        return LawScore(law=law, refusal=problem.summary)
    setup = diagnostics(found, table)
    unit = setup.rows.clusters
    has_runs = len(np.unique(unit)) < len(unit)
    held_out, held_out_refusal = None, ""
    if split is not None:
        try:
            held_out = predict_held_out(law, split, options)
        except IsoflopError as problem:
            held_out_refusal = problem.summary
    return LawScore(
        law=law,
        fit=found,
        criteria=information_criteria(setup.problem, found.theta),
        leave_one_out=cross_validate(setup, folds(np.arange(len(unit)))),
        leave_run_out=cross_validate(setup, folds(unit)) if has_runs else None,
        held_out=held_out,
        held_out_refusal=held_out_refusal,
    )
