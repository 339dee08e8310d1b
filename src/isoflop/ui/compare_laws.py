"""Which law: claims and laws on the rows, ranked by what they predict of larger runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from isoflop.figures import compare_curves, compare_errors, compare_offsets
from isoflop.fitting import OBJECTIVES, predict
from isoflop.fitting.compare import (
    CRITERIA,
    Criteria,
    HeldOut,
    LawComparison,
    LawScore,
    Ranking,
    functional_forms,
    in_words,
    rank,
)
from isoflop.fitting.compare.ranking import Criterion
from isoflop.laws import Law, law_for_role, laws_for, rebind
from isoflop.plot import axes
from isoflop.ui import compare_view, inputs, messages, panels, rows
from isoflop.ui.compare_view import View
from isoflop.units import counted

SETS = {"claims": "Claims over one input", "laws": "Laws of N and D"}
DECADES = {"0.5": "0.5", "1": "1", "1.5": "1.5", "2": "2"}
KINDS: dict[Criterion, str] = {
    "held_out": "Held-out scale",
    "leave_run_out": "Runs left out",
    "leave_one_out": "Rows left out",
}
N_CURVE_POINTS = 120


def show(shown: View) -> None:
    """Draw the ranking in words, then the errors, the curves and the table."""
    shown = compare_view.of_one_convention(shown)
    laws, decades = _inputs(shown)
    found = compare_view.laws_compared(shown, laws, decades)
    ranking = rank(found)
    first, *others = in_words(found, ranking)
    with st.container(key="answer"):
        st.markdown(messages.plain(others[0] if others else first))
    if others:
        st.markdown(messages.plain(first))
    _cautions(shown, found)
    left, right = panels.side_by_side()
    with left:
        _curves(found)
    with right:
        _errors(found, ranking)
    st.markdown("\n".join(f"- {messages.plain(text)}" for text in others[1:]))
    _table(found, ranking)


def _inputs(shown: View) -> tuple[tuple[Law, ...], float]:
    """Draw which laws and how much is held out, and return them."""
    axes = compare_view.scale_axes(shown.table)
    has_both = {"params", "tokens"} <= set(axes)
    one, two, three = st.columns([3, 3, 4])
    with one:
        kind = inputs.choice(
            "Compare",
            SETS if has_both else {"claims": SETS["claims"]},
            key="compare.laws",
            default="claims",
            help="Linear, logarithmic, exponential, power, power with floor over one input; or "
            "laws of model size and data.",
        )
    column = next(iter(axes))
    with two:
        if kind == "claims":
            column = inputs.choice(
                "Loss against",
                {name: axis.name for name, axis in axes.items()},
                key="compare.x",
                default=column,
                help="The one input that every claim is about.",
            )
    with three:
        decades = inputs.choice(
            "Decades held out",
            DECADES,
            key="compare.held",
            default="1",
            help="How far the part that is predicted reaches down from the largest scale; a decade "
            "is a factor of ten.",
            style="row",
        )
    if kind == "claims":
        return functional_forms(column), float(decades)
    known = set(shown.table.included())
    chosen = [
        law for law in laws_for("size-and-data") if {item.column for item in law.inputs} <= known
    ]
    if "compute_flop" in known:
        chosen.append(rebind(law_for_role("over-compute"), {"x": "compute_flop"}))
    return tuple(chosen), float(decades)


def _cautions(shown: View, found: LawComparison) -> None:
    """Say what makes the comparison less than it seems."""
    if found.n_left_out:
        messages.assumption(
            f"Left out for all laws: {counted(found.n_left_out, 'row')} without a value that "
            f"some law "
            "needs."
        )
    frame = shown.table.included()
    if "run_id" in frame and frame["run_id"].duplicated().any():
        messages.assumption(
            "Several rows come from one run: AICc and BIC take them as independent and so favour "
            "laws of many parameters; left-out runs and held-out scale do not."
        )


def _errors(found: LawComparison, ranking: Ranking) -> None:
    scores = [place.score for place in ranking.places]
    if not scores:
        return
    order = [ranking.criterion, *(name for name in CRITERIA if name != ranking.criterion)]
    unit = 100.0 if ranking.places[0].errors.is_relative else 1.0
    kinds = [
        compare_errors.Errors(name=KINDS[name], error=unit * _mean_errors(scores, name))
        for name in order
    ]
    kinds = [kind for kind in kinds if np.isfinite(kind.error).any()]
    labels = [score.law.label for score in scores]
    is_relative = ranking.places[0].errors.is_relative
    title = "Mean error (% of the loss)" if is_relative else "Mean absolute error"
    panels.chart(
        compare_errors.figure(labels, kinds, x_title=title),
        alt=compare_errors.alt(labels, kinds),
        key="compare.errors",
    )


def _mean_errors(scores: Sequence[LawScore], criterion: Criterion) -> NDArray[np.float64]:
    found = []
    for score in scores:
        errors = {
            "held_out": score.held_out.errors if score.held_out else None,
            "leave_run_out": score.leave_run_out,
            "leave_one_out": score.leave_one_out,
        }[criterion]
        found.append(errors.mean_absolute if errors is not None else np.nan)
    return np.array(found)


def _curves(found: LawComparison) -> None:
    """Draw the claims fitted below the cut; laws of N and D as errors against scale instead."""
    column = _one_input(found)
    if column is None:
        _held_out_rows(found)
        return
    axis = compare_view.scale_axes(found.table)[column]
    lines = []
    for index, score in enumerate(found.fitted):
        fitted = score.held_out.fit if score.held_out else score.fit
        if fitted is None:
            continue
        values = found.table.values(column)
        x = np.geomspace(np.nanmin(values), np.nanmax(values) * 2, N_CURVE_POINTS)
        lines.append(
            compare_curves.Line(
                name=score.law.label,
                x=x,
                loss=predict(fitted, {fitted.law.symbols[0]: x}),
                colour=index,
            )
        )
    points = rows.losses(found.table, column)
    is_scale = found.split is not None and found.split.column == column
    panels.chart(
        compare_curves.figure(
            points,
            lines,
            x_title=axis.title,
            y_title=axes.loss_title(found.table.loss_unit),
            x_is_compute=axis.is_compute,
            cut=found.split.cut if is_scale and found.split else None,
        ),
        alt=compare_curves.alt(points, lines, x_title=axis.title),
        key="compare.curves",
    )


def _one_input(found: LawComparison) -> str | None:
    """Return the column of the one input of every law; None if they have several."""
    columns = {item.column for score in found.scores for item in score.law.inputs}
    are_forms = all("functional-form" in score.law.roles for score in found.scores)
    return next(iter(columns)) if len(columns) == 1 and are_forms else None


def _held_out_rows(found: LawComparison) -> None:
    """Draw how far each law is off each held-out row, hollow where the interval missed it."""
    groups = []
    for score in found.fitted:
        held = score.held_out
        if held is None or not held.errors.is_relative:
            continue
        is_inside = np.ones(len(held.observed), dtype=bool)
        if held.lower is not None and held.upper is not None:
            is_inside = (held.observed >= held.lower) & (held.observed <= held.upper)
        groups.append(
            compare_offsets.Offsets(
                name=score.law.label,
                x=held.scale,
                offset=held.errors.error,
                is_filled=is_inside,
                labels=tuple(f"loss {value:.4g}" for value in held.observed),
            )
        )
    if not groups or found.split is None:
        st.info("No rows could be held out, so there is nothing to predict.")
        return
    axis = compare_view.scale_axes(found.table)[found.split.column]
    panels.chart(
        compare_offsets.figure(
            groups,
            x_title=axis.title,
            y_title="Predicted / observed - 1 (%)",
            x_is_compute=axis.is_compute,
            exception="outside its 90% interval",
        ),
        alt=compare_offsets.alt(groups),
        key="compare.offsets",
    )


def _table(found: LawComparison, ranking: Ranking) -> None:
    """Draw every figure of every law."""
    scores = [place.score for place in ranking.places] + [score for score, _ in ranking.unplaced]
    is_relative = not ranking.places or ranking.places[0].errors.is_relative
    share = "percent" if is_relative else "%.3g"
    columns = {
        "Held out": (_mean_errors(scores, "held_out"), share, "Mean error of the rows held out."),
        "Bias": (
            _of_held_out(scores, lambda held: held.errors.bias),
            share,
            "Their mean error with its sign: positive where predictions lie too high.",
        ),
        "In 90%": (
            _of_held_out(scores, lambda held: held.coverage),
            "percent",
            "Share of the rows held out inside their 90% prediction interval.",
        ),
        "Run out": (
            _mean_errors(scores, "leave_run_out"),
            share,
            "Mean error of each run by a fit to all other runs.",
        ),
        "Row out": (
            _mean_errors(scores, "leave_one_out"),
            share,
            "Mean error of each row by a fit to all other rows.",
        ),
        "AICc": (_above_best(scores, lambda known: known.aicc), "%.1f", "Above the best law's."),
        "BIC": (_above_best(scores, lambda known: known.bic), "%.1f", "Above the best law's."),
    }
    shown = {name: column for name, column in columns.items() if np.isfinite(column[0]).any()}
    st.dataframe(
        {
            "Law": [score.law.label for score in scores],
            "Parameters": [len(score.law.params) for score in scores],
        }
        | {name: values for name, (values, _, _) in shown.items()},
        column_config={
            name: st.column_config.NumberColumn(format=written, help=what)
            for name, (_, written, what) in shown.items()
        },
        hide_index=True,
        alt="Errors and information criteria of every law",
    )
    objective = next((item.fit.options.objective for item in found.fitted if item.fit), None)
    implied = f" ({OBJECTIVES[objective]})" if objective else ""
    st.caption(
        "Errors are predicted over observed loss, minus 1, averaged without sign; bias is averaged "
        "with it. AICc and BIC are above the best law's and rest on the error distribution that "
        f"the objective implies{messages.plain(implied)}; differences below about 2 mean little. "
        "A blank: too few rows."
    )


def _of_held_out(
    scores: Sequence[LawScore], measure: Callable[[HeldOut], float]
) -> NDArray[np.float64]:
    return np.array([measure(s.held_out) if s.held_out else np.nan for s in scores])


def _above_best(
    scores: Sequence[LawScore], measure: Callable[[Criteria], float]
) -> NDArray[np.float64]:
    """Return a criterion less the best law's; NaN where rows are too few for it."""
    values = np.array([measure(s.criteria) if s.criteria else np.nan for s in scores])
    known = np.where(np.isfinite(values), values, np.nan)
    return np.asarray(known - np.nanmin(known, initial=np.inf))
