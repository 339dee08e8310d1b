"""The quality report: what a careful reader would check, with what to do about it."""

from __future__ import annotations

import streamlit as st

from isoflop.language import gettext as _
from isoflop.language import lazy_gettext
from isoflop.notices import Notice
from isoflop.tables import Exclusion, Finding, LossTable, quality_report
from isoflop.ui import messages, panels, prepared
from isoflop.ui.caching import MAX_TABLES, kept

_COLOURS = {"serious": "red", "warning": "orange", "info": "gray"}
_ICONS = {
    "serious": ":material/error:",
    "warning": ":material/warning:",
    "info": ":material/info:",
}


_report = kept(quality_report, max_entries=MAX_TABLES, spinner=lazy_gettext("Checking the table"))


def show(table_id: str, full: LossTable, table: LossTable) -> None:
    """Draw the findings, each with a button that leaves its rows out."""
    found = _report(table)
    for finding in found:
        _draw(table_id, full, finding)
    with st.expander(_("Where the rows come from"), icon=":material/history_edu:"):
        panels.provenance(table)


def _draw(table_id: str, full: LossTable, finding: Finding) -> None:
    notice: Notice = finding.notice
    with st.container(border=True, key=f"finding-{notice.code}"):
        text, action = st.columns([5, 1], vertical_alignment="center")
        with text:
            st.markdown(
                f":{_COLOURS[notice.severity]}[{_ICONS[notice.severity]}]"
                f" **{messages.plain(finding.title)}.** {messages.plain(notice.text)}"
                + (f"  \n:gray[{messages.plain(notice.remedy)}]" if notice.remedy else "")
            )
        if finding.rows:
            action.button(
                _("Leave out {rows:,}", rows=len(finding.rows)),
                key=f"data.leave out.{notice.code}",
                on_click=prepared.add_exclusion,
                args=(
                    table_id,
                    full,
                    Exclusion(rule="rows", rows=finding.rows, reason=finding.title.lower()),
                ),
                help=_("Leave these rows out of the fit; undo it under Rows."),
                width="stretch",
            )
