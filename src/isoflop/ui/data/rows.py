"""The rows of a table: pick points in a chart, edit flags, set rules, undo any of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from isoflop import plot
from isoflop.export import table_csv
from isoflop.language import as_a_title, translated
from isoflop.language import gettext as _
from isoflop.plot import APP
from isoflop.plot._runs import across, upwards
from isoflop.plot.axes import column_name
from isoflop.tables import Exclusion, LossTable
from isoflop.tables.exclude import MAX_REASON_CHARACTERS, Rule, rules
from isoflop.tables.load import table_id as file_stem
from isoflop.ui import inputs, messages, panels, prepared
from isoflop.ui.data import table as data_table

_REASON, _RULE = "data.reason", "data.rule"
CHART_CONFIG = panels.CHART_CONFIG | {
    "modeBarButtonsToRemove": ["autoScale2d", "zoomIn2d", "zoomOut2d"],
}


def show(table_id: str, full: LossTable, table: LossTable) -> None:
    """Draw the chart beside the exclusions, and the rows below."""
    left, right = st.columns([3, 2], gap="medium")
    with left:
        picked = _chart(table)
        _act_on(table_id, full, table, picked)
    with right:
        _exclusions(table_id, full)
        _rule(table_id, full)
    data_table.show(table_id, full, table)
    stem = file_stem(table.id)
    panels.downloads(
        [panels.File(_("Rows (CSV)"), f"{stem}.csv", "text/csv", lambda: table_csv(table))],
    )


# --- The chart ---


def _chart(table: LossTable) -> tuple[int, ...]:
    """Draw the rows and return the numbers of those picked."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        x = _axis(_("Horizontal axis"), across(table), key="data.x")
        y = _axis(_("Vertical axis"), upwards(table), key="data.y")
    figure = plot.runs(table, x=x, y=y, theme=APP)
    return panels.drawn(
        figure,
        key=f"chart.rows.{table.fingerprint[:16]}.{x}.{y}",
        config=CHART_CONFIG,
        on_pick=lambda: None,
    )


def _axis(label: str, names: Sequence[str], *, key: str) -> str:
    return inputs.choice(
        label,
        {name: column_name(name) for name in names},
        key=key,
        default=names[0],
        help=_("The column on this axis."),
    )


# --- Leaving out, and undoing ---


def _act_on(table_id: str, full: LossTable, table: LossTable, picked: tuple[int, ...]) -> None:
    """Offer what can be done with the rows picked in the chart."""
    if not picked:
        st.caption(_("Click points, or draw a box or lasso around some, to leave them out."))
        return
    rows = table.frame.loc[table.frame.index.isin(picked)]
    n_out = int(rows["is_excluded"].sum()) if "is_excluded" in rows else 0
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            _("Reason"),
            key=_REASON,
            max_chars=MAX_REASON_CHARACTERS,
            placeholder=_("such as loss spike"),
            help=_("Written beside every row, and carried in exports."),
        )
        actions: tuple[tuple[Rule, int, str], ...] = (
            ("rows", len(rows) - n_out, _("Leave out")),
            ("keep", n_out, _("Put back")),
        )
        for rule, n_rows, label in actions:
            if n_rows:
                st.button(
                    f"{label} {n_rows:,}",
                    type="primary" if rule == "rows" else "secondary",
                    key=f"data.{rule}",
                    on_click=_act,
                    args=(table_id, full, rule, picked),
                )


def _act(table_id: str, full: LossTable, rule: Rule, picked: tuple[int, ...]) -> None:
    """Leave the rows picked out, or take them back, with the reason typed by now."""
    reason = st.session_state.get(_REASON) or _("picked by hand")
    prepared.add_exclusion(table_id, full, Exclusion(rule=rule, rows=picked, reason=reason))


def _exclusions(table_id: str, full: LossTable) -> None:
    """List what is left out and why, each with its undo."""
    made = prepared.of(table_id, full).exclusions
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(_("**Left out**"))
        if made:
            st.button(
                _("Undo all"),
                icon=":material/restart_alt:",
                key="data.undo all",
                type="tertiary",
                on_click=_undo_all,
                args=(table_id, full),
            )
    if not made:
        st.caption(
            _(
                "No row is left out by hand or by rule. Rows with unusable cells are "
                "always left out."
            )
        )
    for position, exclusion in enumerate(made):
        with st.container(horizontal=True, vertical_alignment="center"):
            reason = f": {exclusion.reason}" if exclusion.reason else ""
            words = exclusion.describe() + reason
            st.markdown(messages.plain(as_a_title(words)), width="stretch")
            st.button(
                _("Undo"),
                icon=":material/undo:",
                key=f"data.undo.{position}",
                type="tertiary",
                on_click=prepared.drop_exclusion,
                args=(table_id, full, position),
            )


def _undo_all(table_id: str, full: LossTable) -> None:
    prepared.change(table_id, full, lambda p: replace(p, exclusions=()))


def _rule(table_id: str, full: LossTable) -> None:
    """Draw a rule to be added."""
    kinds = rules(full)
    if not kinds:
        return
    with st.popover(_("Leave out by a rule"), icon=":material/rule:", width="stretch"):
        key = st.selectbox(
            _("Rule"),
            list(kinds),
            format_func=lambda name: translated(kinds[name].label),
            key=_RULE,
            help=_("By what rows are left out; each can be taken back."),
        )
        kind = kinds[key]
        st.number_input(
            translated(kind.value_label),
            min_value=0.0,
            value=float(kind.default),
            format="%g",
            key=f"{_RULE}.{key}",
            help=_("Rows on the wrong side of this value are left out."),
        )
        st.text_input(
            _("Reason"),
            key=f"{_RULE}.reason",
            max_chars=MAX_REASON_CHARACTERS,
            help=_("Kept with the rows and in every report, for those who read it later."),
        )
        st.button(
            _("Apply"),
            type="primary",
            key=f"{_RULE}.apply",
            on_click=_apply_rule,
            args=(table_id, full),
        )


def _apply_rule(table_id: str, full: LossTable) -> None:
    """Add the rule as it stands by now."""
    rule: Rule = st.session_state[_RULE]
    exclusion = Exclusion(
        rule=rule,
        value=float(st.session_state[f"{_RULE}.{rule}"] or 0.0),
        reason=st.session_state[f"{_RULE}.reason"] or "",
    )
    prepared.add_exclusion(table_id, full, exclusion)
