"""The Plan page: the plan, what binds, the map of accelerators and time, and tabs below."""

from __future__ import annotations

import streamlit as st

from isoflop import plot
from isoflop.planning.left_out import before_and_after
from isoflop.planning.outlook import Outlook
from isoflop.plot import APP
from isoflop.ui import beyond, headline, messages, panels, reproduce, resolve
from isoflop.ui.data import understood
from isoflop.ui.doubts import Doubts
from isoflop.ui.plan import controls as plan_controls
from isoflop.ui.plan import results as plan_results
from isoflop.ui.plan import tabs as plan_tabs
from isoflop.ui.plan.results import View
from isoflop.ui.resolve import Fitted

CHART_HEAD_PX = 40
FIGURES = ("loss", "params", "tokens", "compute", "wall_time", "money", "energy", "storage")
"""The large figures of the page."""


def show() -> None:
    """Draw the page."""
    with st.sidebar:
        chosen = plan_controls.everything()
    understood.show(chosen.selection.table.id)
    with st.sidebar:
        fitted = resolve.fitted(chosen.selection)
        by = beyond.method(fitted)
    shown = plan_results.view(chosen, fitted, by)
    seen = shown.outlook
    found = _doubts(shown)
    _plan(shown, seen, found)
    _charts(shown)
    beyond.follow_up(shown.fitted.table, by)
    beyond.show(seen, key="chart.beyond")
    found.others(shown.plan.assumption)
    plan_tabs.show(shown)
    _downloads(shown, seen)


def _plan(shown: View, seen: Outlook, found: Doubts) -> None:
    """Write the plan as a paragraph, serious notices, then large figures."""
    with st.container(key="answer"):
        st.markdown(headline.train(shown.plan, shown.fitted, seen))
        found.serious()
        headline.figures(shown.plan, shown.fitted.fit, FIGURES, seen)


def _charts(shown: View) -> None:
    """Draw the loss over accelerators and time, and what is used of each limit."""
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _head(f"{shown.plan.response.capitalize()} over accelerators and time, other limits held")
        figure = plot.loss_surface(plan_results.surface(shown), plan=shown.plan, theme=APP)
        panels.drawn(figure, key="chart.surface")
    with right:
        _head("Use of each limit, and what 10% more would buy")
        panels.drawn(plot.limits(shown.plan, theme=APP), key="chart.limits")


def _head(text: str) -> None:
    with st.container(height=CHART_HEAD_PX, border=False, vertical_alignment="center"):
        st.markdown(f"**{messages.plain(text)}**")


def _doubts(shown: View) -> Doubts:
    """Return everything that should make a reader doubt the plan."""

    def change(before: Fitted) -> str:
        planned = plan_results.view(shown.chosen, before, shown.by).plan
        return before_and_after(planned, shown.plan, shown.plan.response)

    return Doubts(
        choice=shown.chosen.selection,
        fitted=shown.fitted,
        found=shown.planned.notices,
        change=change,
    )


def _downloads(shown: View, seen: Outlook) -> None:
    """Draw what can be taken away: the plan as code, and all of it as a report."""
    of = reproduce.taken(shown.chosen.selection, shown.fitted, shown.scenario, shown.plan, seen)
    notices = shown.planned.notices
    latest = reproduce.Latest(of, lambda: notices)
    panels.downloads(
        [
            reproduce.script_file(latest, "isoflop_plan.py"),
            *reproduce.report_files(latest),
        ]
    )
