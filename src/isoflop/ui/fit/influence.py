"""The section of the Fit page on single rows: the influence of each, and the fit without some."""

from __future__ import annotations

import math

import streamlit as st

from isoflop import plot
from isoflop.errors import FitError
from isoflop.fitting.before_after import named_rows
from isoflop.fitting.diagnose import Unit, has_runs
from isoflop.language import gettext as _
from isoflop.language import lazy_gettext
from isoflop.language import ngettext as n_
from isoflop.planning.sensitivity import Along, Influence, suspects
from isoflop.plot import APP
from isoflop.ui import chart, inputs, messages, panels
from isoflop.ui.fit import compare as fit_compare
from isoflop.ui.fit import exclusions as fit_exclusions
from isoflop.ui.fit import view as fit_view
from isoflop.ui.fit.view import LEVEL, View

CLICK_CONFIG = panels.CHART_CONFIG | {"modeBarButtonsToRemove": ["autoScale2d", "zoomIn2d"]}
UNITS: dict[Unit, str] = {"rows": lazy_gettext("Each row"), "runs": lazy_gettext("Each run")}
SMALL_SHARE = 0.02
"""Share of the rows that a button leaves out: those of highest loss."""

MAX_NAMED = 20


def show(shown: View) -> None:
    """Draw leverage and influence, the fit without the rows clicked, and the sensitivities."""
    each_row = fit_view.leave_one_out(shown.setup, shown.target, unit="rows")
    unit: Unit = "rows"
    with st.container(horizontal=True, vertical_alignment="center", key="chart-head-influence"):
        st.markdown(_("**Influence on**"), width="content")
        name = inputs.choice(
            _("Quantity"),
            {key: quantity.label for key, quantity in each_row.quantities.items()},
            key="fit.quantity",
            default=next(iter(each_row.quantities)),
            help=_("The compute-optimal size at the budget, its exponent, or a parameter."),
            is_label_shown=False,
        )
        if has_runs(shown.setup):
            unit = inputs.choice(
                _("Left out"),
                UNITS,
                key="fit.unit",
                default="rows",
                help=_("Rows of one run share its noise and can mask each other's influence."),
                style="row",
                is_label_shown=False,
            )
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _clickable(shown, each_row, name)
    with right:
        found = fit_view.leave_one_out(shown.setup, shown.target, unit=unit)
        figure = plot.influence(shown.fit, quantity=name, found=found, theme=APP)
        panels.drawn(figure, key="chart.bars")
    _left_out(shown)
    _sensitivities(shown)
    _all_rows(shown, each_row)


def _clickable(shown: View, each_row: Influence, name: str) -> None:
    """Draw leverage against residual; a click or a lasso leaves rows out or takes them back."""
    excluded = fit_exclusions.current(shown.fitted.table)
    figure = plot.leverage(
        shown.fit, quantity=name, left_out=excluded.rows, found=each_row, theme=APP
    )
    key = f"fit.click.{len(excluded.history)}.{hash(excluded.rows)}"
    panels.drawn(
        figure,
        key=key,
        config=CLICK_CONFIG,
        on_pick=lambda: _take_click(shown, key),
    )
    st.caption(
        _(
            "The larger a marker, the larger the row's influence on the chosen "
            "quantity. **Click a row, or lasso several, to leave them out**; "
            "hollow rows are left out, and a click puts them back."
        )
    )


def _take_click(shown: View, key: str) -> None:
    """Leave out, or take back, the rows that were picked."""
    if rows := chart.picked(key):
        fit_exclusions.toggle(shown.fitted.table, rows)


def _left_out(shown: View) -> None:
    """Draw the buttons around what is left out, and both fits side by side."""
    table = shown.fitted.table
    excluded = fit_exclusions.current(table)
    st.markdown(_("**Leave rows out and fit again**"))
    with st.container(horizontal=True, vertical_alignment="center"):
        n_few = max(1, math.ceil(SMALL_SHARE * shown.fit.n_rows))
        few = shown.fit.row_index[suspects(shown.setup)[:n_few]].tolist()
        if st.button(
            _("Leave out the {n_few} highest losses", n_few=n_few)
            if n_few > 1
            else _("Leave out the highest loss"),
            icon=":material/vertical_align_top:",
            disabled=set(few) <= set(excluded.rows),
        ):
            fit_exclusions.keep(excluded.changed((*excluded.rows, *few)))
            st.rerun()
        named_by_notices = list(named_rows(shown.fit.notices))
        if named_by_notices and st.button(
            _(
                "Leave out rows in notices ({named_by_notices})",
                named_by_notices=len(named_by_notices),
            ),
            icon=":material/report:",
            disabled=set(named_by_notices) <= set(excluded.rows),
        ):
            fit_exclusions.keep(excluded.changed((*excluded.rows, *named_by_notices)))
            st.rerun()
        if st.button(_("Undo"), icon=":material/undo:", disabled=not excluded.history):
            fit_exclusions.keep(excluded.undone())
            st.rerun()
        if st.button(_("Put all back"), icon=":material/restart_alt:", disabled=not excluded.rows):
            fit_exclusions.keep(excluded.changed(()))
            st.rerun()
    if not excluded.rows:
        st.caption(_("Nothing is left out yet."))
        return
    named = ", ".join(map(str, excluded.rows[:MAX_NAMED]))
    more = " ..." if len(excluded.rows) > MAX_NAMED else ""
    st.caption(
        n_(
            "Left out: row {named}{more}.",
            "Left out: rows {named}{more}.",
            len(excluded.rows),
            named=named,
            more=more,
        )
    )
    try:
        after = fit_view.without(shown, excluded.rows)
    except FitError as problem:
        messages.show(problem)
        return
    fit_compare.show(shown, after)


def _sensitivities(shown: View) -> None:
    if not shown.optimum.exists:
        return
    headings: dict[Along, str] = {
        "highest_losses": _("Compute-optimal size against the highest losses left out"),
        "huber_delta": _("Compute-optimal size against the Huber δ"),
    }
    for place, (along, heading) in zip(st.columns(2, gap="medium"), headings.items(), strict=True):
        with place:
            st.markdown(f"**{heading}**")
            try:
                curve = fit_view.sensitivity(shown.setup, shown.target, along)
            except FitError as problem:
                st.caption(messages.plain(problem.summary))
                continue
            figure = plot.optimum_sensitivity(
                shown.fit, curve=curve, optimum=shown.optimum, level=LEVEL, theme=APP
            )
            panels.drawn(figure, key=f"chart.{along}")


def _all_rows(shown: View, each_row: Influence) -> None:
    """List every row with its leverage, its residual and the fit without it."""
    with st.expander(_("Every row"), icon=":material/table_rows:"):
        rest = shown.residuals.to_frame()
        columns: dict[str, object] = {_("Row"): rest.index}
        if "run_id" in rest:
            columns[_("Run")] = rest["run_id"].astype(str)
        columns |= {
            _("Leverage"): rest["leverage"],
            _("Residual"): rest["residual"],
            _("Residual (sd)"): rest["standardised"],
        }
        for name, quantity in each_row.quantities.items():
            columns[_("{name} without it", name=name)] = quantity.without
        panels.listed(
            columns, hide_index=True, alt=_("Every row, and the fit without it"), height=360
        )
