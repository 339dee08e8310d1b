"""Several laws on one table: which describes it, and which predicts larger runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop import document
from isoflop.errors import FormulaError, IsoflopError, TooFewRows
from isoflop.fitting.compare.held_out import (
    HeldOut,
    Split,
    predict_held_out,
    split_by_scale,
    subset,
)
from isoflop.fitting.compare.law_summary import comparison_frame, sentences
from isoflop.fitting.compare.ranking import Criterion, Ranking, rank
from isoflop.fitting.compare.score import (
    Criteria,
    Errors,
    cross_validate,
    folds,
    information_criteria,
)
from isoflop.fitting.diagnose import diagnostics
from isoflop.fitting.fit import fit
from isoflop.fitting.options import FitOptions, Objective
from isoflop.fitting.result import Fit
from isoflop.identity import Keyed
from isoflop.language import lazy_gettext as _
from isoflop.language import listed
from isoflop.laws import Law, law_for_role, laws_for, rebind, restrictable, restricted
from isoflop.tables.schema import LossTable, said_response
from isoflop.text import as_html
from isoflop.units import counted

FORMAT = "isoflop-law-comparison-1"

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

    def errors(self, criterion: Criterion) -> Errors | None:
        """Return the errors that answer one question; None where there are none."""
        if criterion == "held_out":
            found = None if self.held_out is None else self.held_out.errors
        else:
            found = self.leave_run_out if criterion == "leave_run_out" else self.leave_one_out
        return None if found is None or not np.isfinite(found.mean_absolute) else found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LawComparison(Keyed):
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
    key: str = field(init=False, repr=False)

    def __repr__(self) -> str:
        return f"<LawComparison: {counted(len(self.scores), 'law')} on {self.table.id}>"

    def _repr_html_(self) -> str:
        return as_html(_("Laws compared"), *sentences(self), self.to_frame())

    @property
    def ranking(self) -> Ranking:
        """The laws in order, by the best question that they can answer."""
        return rank(self)

    @property
    def fitted(self) -> tuple[LawScore, ...]:
        """The laws that could be fitted to all rows."""
        return tuple(score for score in self.scores if score.fit is not None)

    @property
    def response(self) -> str:
        """Column that the laws predict."""
        return self.scores[0].law.response

    @property
    def input_column(self) -> str | None:
        """Column of the one input of every law; None if they have several between them."""
        columns = {item.column for score in self.scores for item in score.law.inputs}
        return next(iter(columns)) if len(columns) == 1 else None

    @property
    def has_held_out(self) -> bool:
        """Whether some law was asked for held-out rows whose errors are shares."""
        held = (score.held_out for score in self.fitted)
        return any(one is not None and one.errors.is_relative for one in held)

    @property
    def has_runs_of_several_rows(self) -> bool:
        """Whether several rows come from one run."""
        frame = self.table.included()
        return "run_id" in frame and bool(frame["run_id"].duplicated().any())

    @property
    def objective(self) -> Objective | None:
        """What the fits minimised; None where no law could be fitted."""
        return next((score.fit.options.objective for score in self.fitted if score.fit), None)

    @property
    def is_relative(self) -> bool:
        """Whether errors are shares of the response, which is then positive in every row."""
        places = self.ranking.places
        return not places or places[0].errors.is_relative

    @property
    def in_order(self) -> list[LawScore]:
        """What was found of each law, best first, those that cannot be ranked last."""
        ranking = self.ranking
        placed = [place.score for place in ranking.places]
        return placed + [score for score, _ in ranking.unplaced]

    def to_frame(self) -> pd.DataFrame:
        """Return a row a law, best first, with errors, coverage and information criteria.

        Errors are predicted over observed, minus 1 (or predicted minus observed where the response
        may be zero), averaged without sign; the criteria are above the best law's.
        """
        return comparison_frame(self)

    def sentences(self) -> tuple[str, ...]:
        """Say what was asked, which law comes closest, and how far off every other is."""
        return sentences(self)

    def summary(self) -> str:
        """Return the sentences and the table as text."""
        frame = self.to_frame().drop(columns=["tied", "reason"]).dropna(axis=1, how="all")
        table = frame.to_string(index=False, float_format=lambda value: f"{value:.3g}", na_rep="")
        return "\n".join([*sentences(self), "", table])

    def to_json(self) -> str:
        """Return the frame and the summary as JSON; null where a figure lacks."""
        return document.frame_to_json(
            self,
            FORMAT,
            self.to_frame(),
            summary="\n".join(sentences(self)),
            table={"id": self.table.id, "fingerprint": self.table.fingerprint},
        )


def functional_forms(column: str) -> tuple[Law, ...]:
    """Return the functional forms of one input, over a column.

    Parameters
    ----------
    column : str
        What x stands for, such as ``"compute_flop"``.
    """
    return tuple(rebind(law, {"x": column}) for law in laws_for("functional-form"))


def laws_of_size_and_data(table: LossTable) -> tuple[Law, ...]:
    """Return the laws of model size and tokens that a table has columns for, and one of compute.

    Parameters
    ----------
    table : LossTable
        Without model sizes or tokens it has none.
    """
    known = set(table.included())
    if not {"params", "tokens"} <= known:
        return ()
    laws = [law for law in laws_for("size-and-data") if {i.column for i in law.inputs} <= known]
    if "compute_flop" in known:
        laws.append(rebind(law_for_role("over-compute"), {"x": "compute_flop"}))
    return tuple(laws)


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
        The same for all; draws serve the prediction intervals of held-out rows. Parameters that
        they fix or bound are those of the laws that have them.
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
    FormulaError
        If no law has a parameter that is fixed or bounded.
    """
    options = options or FitOptions()
    laws = _restricted(laws, options)
    options = replace(options, params=(), positive=())
    refusals = {i: reason for i, law in enumerate(laws) if (reason := _unusable(law, table, laws))}
    usable = _common_rows(
        table, [law for i, law in enumerate(laws) if i not in refusals], options.weights
    )
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
        return _("The table has no column {missing}.", missing=", ".join(sorted(missing)))
    if law.response != laws[0].response:
        return _(
            "It predicts {response}, the first law {first}.",
            response=said_response(law.response),
            first=laws[0].response,
        )
    return ""


def _restricted(laws: Sequence[Law], options: FitOptions) -> tuple[Law, ...]:
    """Return the laws, with what is said of the parameters of each."""
    asked = {*(one.name for one in options.params), *options.positive}
    known = {name for law in laws for name in (*law.param_names, *dict(law.fixed))}
    if unknown := sorted(asked - known):
        raise FormulaError(
            _("None of the laws has a parameter {unknown}.", unknown=listed(unknown, last="or")),
            detail=_("Their parameters: {known}.", known=", ".join(sorted(known))),
        )
    return tuple(
        restricted(law, *restrictable(law, options.params, options.positive)) for law in laws
    )


def _common_rows(table: LossTable, laws: Sequence[Law], weights: str | None) -> NDArray[np.bool_]:
    """Return which included rows have a value for every law."""
    columns = {item.column for law in laws for item in law.inputs} | {law.response for law in laws}
    columns |= {weights} if weights else set()
    usable = np.ones(len(table.included()), dtype=bool)
    for column in columns:
        usable &= np.isfinite(table.values(column))
    if not usable.any():
        raise TooFewRows(
            _("No row has a value for every law."),
            detail=_("Needed: {columns}.", columns=", ".join(sorted(columns))),
            hint=_("Compare fewer laws, or fill in the columns."),
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
