"""The stage Law: the fit that follows the runs, and the way of their points to every page."""

from __future__ import annotations

import math

import streamlit as st

from isoflop import plot
from isoflop.errors import IsoflopError
from isoflop.fitting.compare import LawComparison
from isoflop.forecast import fit_ladder, ladder_laws, next_budget_flop, winning_law
from isoflop.language import gettext as _
from isoflop.language import lazy_gettext
from isoflop.language import ngettext as n_
from isoflop.laws import law_for_role, laws_for, load_laws
from isoflop.plot import APP
from isoflop.tables import LossTable, ReadResult, family_names
from isoflop.tables.select import of_families
from isoflop.training.config import FAMILY_DEFAULTS
from isoflop.training.ladders import Ladder
from isoflop.training.runs import ACTIVE
from isoflop.ui import inputs, messages, panels, uploads
from isoflop.ui.caching import kept
from isoflop.ui.train import state as train_state

POLL_S = 2.0
NAME = "own-ladder.csv"


def show_law(ladder: Ladder) -> None:
    """Show the fit of the points so far; while runs are active it follows them."""
    train_state.follow(ladder, _law, every_s=POLL_S)


def _law(ladder: Ladder) -> None:
    with messages.boundary():
        seen = train_state.look_at(ladder.runs)
        points = train_state.points_of(seen)
        if points is None:
            st.caption(_("No budget is reached yet: the fit starts with the first points."))
            return
        left, right = st.columns(2)
        with left:
            law_key = law_input()
        with right:
            table = family_input(points.table)
        _fitted(table, law_key)
        if not any(one.state.status in ACTIVE for one in seen):
            _law_table(table)
        _use_everywhere(points, table)


def law_input() -> str:
    """Draw the choice of a law for the ladder."""
    labels = {law.key: law.label for law in laws_for("small-runs")}
    return inputs.choice(
        _("Law"),
        labels,
        key="ladder_law",
        default=law_for_role("small-runs-default").key,
        help=_("Small runs have an interaction of size and data that a sum of two terms lacks."),
    )


def family_input(table: LossTable) -> LossTable:
    """Draw the choice of one family where there are several, and return its rows."""
    names = family_names(table)
    if len(names) < 2:
        return table
    labels: dict[str, str] = {
        name: known.label for name, known in FAMILY_DEFAULTS.items() if name in names
    }
    labels |= {name: name for name in names if name not in labels}
    family = inputs.choice(
        _("Family"),
        labels,
        key="ladder_family",
        default=names[0],
        help=_("Each family follows a law of its own."),
    )
    return of_families(table, [family])


def _fitted(table: LossTable, law_key: str) -> None:
    """Draw points and fit; before there are more points than parameters, the points alone."""
    n_points, n_needed = len(table.included()), 1 + len(load_laws()[law_key].params)
    if n_points < n_needed:
        st.info(
            _(
                "{points} so far: the fit of this law needs {n_needed}.",
                points=n_("{n:,} point", "{n:,} points", n_points),
                n_needed=n_needed,
            ),
            icon=":material/hourglass_top:",
        )
        panels.drawn(plot.ladder(table, theme=APP), key="chart.ladder")
        return
    fitted = fit_law(law_key, table)
    with st.grid(4, min_column_width=150):
        st.metric(_("Points"), f"{fitted.n_rows}", help=_("Budgets reached so far."))
        st.metric(
            _("Residual"), f"{fitted.residual_std:.2%}", help=_("Standard deviation of log loss.")
        )
        st.metric(_("Largest residual"), f"{fitted.largest_residual:.2%}", help=_("Of any point."))
        st.metric(
            _("Floor E"),
            f"{fitted.values['E']:.2f}" if "E" in fitted.values else _("none"),
            help=_("A small ladder does not identify it: it is not the entropy of the text."),
        )
    panels.drawn(plot.ladder(table, fit=fitted, theme=APP), key="chart.ladder")
    panels.equation(fitted)
    with st.expander(_("Parameters and certificate"), key="train.parameters"):
        panels.parameters(fitted)
        panels.certificate(fitted)
    messages.notices(fitted.notices)


def _law_table(table: LossTable) -> None:
    """Set the laws side by side: on these points, and on the largest from the smaller ones."""
    comparison = _compared(table)
    if comparison is None:
        return  # too few points yet; the fit above says so
    scores = comparison.fitted
    aicc = [score.criteria.aicc if score.criteria else math.inf for score in scores]
    held_out = [score.held_out.errors.mean_absolute if score.held_out else None for score in scores]
    panels.listed(
        {
            _("Law"): [score.law.label for score in scores],
            _("Residual"): [
                100 * score.fit.residual_std if score.fit else None for score in scores
            ],
            _("AICc above the best"): [value - min(aicc) for value in aicc],
            _("Error on the largest runs"): [None if e is None else 100 * e for e in held_out],
        },
        column_config={
            _("Residual"): st.column_config.NumberColumn(format="%.2f%%"),
            _("AICc above the best"): st.column_config.NumberColumn(
                format="%.1f", help=_("Weighs the fit against the number of parameters; 0 is best.")
            ),
            _("Error on the largest runs"): st.column_config.NumberColumn(
                format="%.2f%%", help=_("Mean error of the law fitted to the rest alone.")
            ),
        },
        hide_index=True,
        alt=_("Laws with residual, AICc and error on held-out runs"),
    )


fit_law = kept(fit_ladder, spinner=lazy_gettext("Fitting the law"))
_compare_laws = kept(ladder_laws, spinner=lazy_gettext("Comparing laws"))


def _compared(table: LossTable) -> LawComparison | None:
    try:
        return _compare_laws(table)
    except IsoflopError:
        return None


def _use_everywhere(points: ReadResult, table: LossTable) -> None:
    frame = points.table.frame
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            _("Use these points on every page"),
            icon=":material/table:",
            key="train.use",
            on_click=_keep,
            args=(points, table),
            help=_(
                "They join the list of loss tables and are chosen there, with the "
                "law that describes them best and a budget three times the largest "
                "run."
            ),
        )
        st.download_button(
            "CSV",
            frame.to_csv(index=False),
            file_name=NAME,
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            key="train.csv",
        )
    kept: str = st.session_state.get("train.kept", "")
    if kept in uploads.kept():
        st.success(
            _("Kept as {name}: every page shows these points now.", name=messages.plain(NAME)),
            icon=":material/check:",
        )


def _keep(points: ReadResult, table: LossTable) -> None:
    """Let every page show the points, the law that won on a family's, and a budget near them."""
    table_id = uploads.keep(NAME, points)
    uploads.choose(table_id)
    if len(family_names(points.table)) > 1:
        st.session_state["families"] = family_names(table)
    st.session_state["law"] = winning_law(_compared(table))
    st.session_state["budget"], st.session_state["count"] = "flop", "1"
    st.session_state["flop"] = inputs.COMPUTE.write(next_budget_flop(table))
    st.session_state["train.kept"] = table_id
