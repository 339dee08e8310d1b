"""Which law: functional forms and laws on the rows, ranked by how well they predict larger runs."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from isoflop import plot
from isoflop.fitting import OBJECTIVES
from isoflop.fitting.compare import (
    LawComparison,
    functional_forms,
    laws_of_size_and_data,
    scale_column,
)
from isoflop.language import gettext as _
from isoflop.language import lazy_gettext, translated
from isoflop.language import ngettext as n_
from isoflop.laws import Law
from isoflop.plot import APP, axes
from isoflop.ui import inputs, messages, panels
from isoflop.ui.compare import view as compare_view
from isoflop.ui.compare.view import View

SETS = {
    "forms": lazy_gettext("Functional forms of one input"),
    "laws": lazy_gettext("Laws of N and D"),
}
DECADES = {"0.5": "0.5", "1": "1", "1.5": "1.5", "2": "2"}

Unit = Literal["error", "share", "difference"]
COLUMNS: dict[str, tuple[str, Unit, str]] = {
    "held_out": (
        lazy_gettext("Held out"),
        "error",
        lazy_gettext("Mean error of the rows held out."),
    ),
    "bias": (
        lazy_gettext("Bias"),
        "error",
        lazy_gettext("Their mean error with its sign: positive where predictions lie too high."),
    ),
    "coverage": (
        lazy_gettext("In 90%"),
        "share",
        lazy_gettext("Share of the rows held out inside their 90% prediction interval."),
    ),
    "leave_run_out": (
        lazy_gettext("Left-out run"),
        "error",
        lazy_gettext("Mean error of each run by a fit to all other runs."),
    ),
    "leave_one_out": (
        lazy_gettext("Left-out row"),
        "error",
        lazy_gettext("Mean error of each row by a fit to all other rows."),
    ),
    "delta_aicc": ("AICc", "difference", lazy_gettext("Difference from the best law's value.")),
    "delta_bic": ("BIC", "difference", lazy_gettext("Above the best law's.")),
}
"""Heading, unit and meaning of each figure of a law."""


def show(shown: View) -> None:
    """Draw the ranking in words, then the errors, the curves and the table."""
    shown = compare_view.of_one_convention(shown)
    laws, decades = _inputs(shown)
    found = compare_view.laws_compared(shown.table, laws, shown.options, decades)
    first, *others = found.sentences()
    with st.container(key="answer"):
        st.markdown(messages.plain(others[0] if others else first))
    if others:
        st.markdown(messages.plain(first))
    _cautions(found)
    left, right = panels.side_by_side()
    with left:
        _held_out(found)
    with right:
        if found.ranking.places:
            panels.drawn(plot.compare(found, theme=APP), key="compare.errors")
    st.markdown("\n".join(f"- {messages.plain(text)}" for text in others[1:]))
    _table(found)


def _inputs(shown: View) -> tuple[tuple[Law, ...], float]:
    """Draw which laws and how much is held out, and return them."""
    scales = axes.scale_axes(shown.table)
    both = laws_of_size_and_data(shown.table)
    one, two, three = st.columns([3, 3, 4])
    with one:
        kind = inputs.choice(
            _("Laws to compare"),
            SETS if both else {"forms": SETS["forms"]},
            key="compare.laws",
            default="forms",
            help=_(
                "Linear, logarithmic, exponential, power, power with floor over one "
                "input; or laws of model size and data."
            ),
        )
    column = scale_column(shown.table)
    with two:
        if kind == "forms":
            column = inputs.choice(
                _("Loss against"),
                {name: axis.name for name, axis in scales.items()},
                key="compare.x",
                default=column,
                help=_("The input of every functional form."),
            )
    with three:
        decades = inputs.choice(
            _("Decades held out"),
            DECADES,
            key="compare.held",
            default="1",
            help=_(
                "How many decades below the largest scale are held out and "
                "predicted; a decade is a factor of ten."
            ),
            style="row",
        )
    return functional_forms(column) if kind == "forms" else both, float(decades)


def _cautions(found: LawComparison) -> None:
    """Say what makes the comparison less than it seems."""
    if found.n_left_out:
        messages.assumption(
            _(
                "Left out for all laws: {rows} without a value that some law needs.",
                rows=n_("{n:,} row", "{n:,} rows", found.n_left_out),
            )
        )
    if found.has_runs_of_several_rows:
        messages.assumption(
            _(
                "Several rows come from one run: AICc and BIC take them as "
                "independent and so favour laws of many parameters; left-out runs "
                "and held-out scale do not."
            )
        )


def _held_out(found: LawComparison) -> None:
    """Draw curves fitted below the cut; laws of N and D as errors against scale instead."""
    if found.input_column is not None:
        panels.drawn(plot.law_curves(found, theme=APP), key="compare.curves")
    elif found.has_held_out:
        panels.drawn(plot.held_out(found, theme=APP), key="compare.offsets")
    else:
        st.info(_("No rows could be held out, so there is nothing to predict."))


def _table(found: LawComparison) -> None:
    """Draw every figure of every law."""
    formats = {
        "error": "percent" if found.is_relative else "%.3g",
        "share": "percent",
        "difference": "%.1f",
    }
    frame = found.to_frame()
    measured = [name for name in COLUMNS if frame[name].notna().any()]
    headings = {"law": _("Law"), "n_params": _("Parameters")}
    headings |= {name: translated(COLUMNS[name][0]) for name in measured}
    frame["law"] = [translated(score.law.label) for score in found.in_order]
    panels.listed(
        frame[list(headings)].rename(columns=headings),
        column_config={
            headings[name]: st.column_config.NumberColumn(
                format=formats[COLUMNS[name][1]], help=translated(COLUMNS[name][2])
            )
            for name in measured
        },
        hide_index=True,
        alt=_("Errors and information criteria of every law"),
    )
    implied = _(" ({objective})", objective=OBJECTIVES[found.objective]) if found.objective else ""
    st.caption(
        _(
            "Errors are predicted over observed loss, minus 1, averaged without "
            "sign; bias is averaged with it. AICc and BIC are above the best "
            "law's and rest on the error distribution that the objective "
            "implies{implied}; differences below about 2 mean little. A blank: "
            "too few rows.",
            implied=messages.plain(implied),
        )
    )
