"""The Plan page: the plan, what binds, the map of accelerators and time, and tabs below."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from isoflop import plot
from isoflop.fitting.extrapolation import Method
from isoflop.language import gettext as _
from isoflop.planning.left_out import before_and_after
from isoflop.planning.outlook import Outlook
from isoflop.plot import APP
from isoflop.ui import (
    beyond,
    controls,
    headline,
    inputs,
    messages,
    panels,
    reproduce,
    resolve,
    views,
)
from isoflop.ui.data import understood
from isoflop.ui.doubts import Doubts
from isoflop.ui.plan import controls as plan_controls
from isoflop.ui.plan import results as plan_results
from isoflop.ui.plan import tabs as plan_tabs
from isoflop.ui.plan.controls import Assumed, Inputs, Untimed
from isoflop.ui.plan.results import View
from isoflop.ui.reproduce import Latest
from isoflop.ui.resolve import Fitted

OpenTab = tuple[str, DeltaGenerator]
"""Name and place of the tab that is open."""

FIGURES = ("loss", "params", "tokens", "compute", "wall_time", "money", "energy", "storage")
"""The large figures of the page."""


def show() -> None:
    """Draw the page.

    What hardware, limits and size change is a fragment of its own, and what accelerators and their
    time change another within: moving a slider draws that again and leaves the other inputs, the
    row of tabs and the buttons as they are.
    """
    with st.sidebar:
        above, assumed = st.container(), plan_controls.assumed()
    latest, by = None, beyond.DEFAULT
    with messages.boundary():
        with st.sidebar:
            choice = controls.fit_choice()
        understood.show(choice.table.id)
        latest = Latest(reproduce.taken(choice, resolve.fitted(choice)))
        with st.sidebar:
            by = beyond.method(latest.of.fitted)
    body, below = st.container(), st.container()
    with below:
        tab = None if latest is None else inputs.tabs(plan_tabs.TABS, key=plan_tabs.TAB)
    with body:
        _reading(above, assumed, by, latest, tab)
    if latest is not None:
        _downloads(latest)


@st.fragment
def _reading(
    place: DeltaGenerator, assumed: Assumed, by: Method, latest: Latest | None, tab: OpenTab | None
) -> None:
    """Draw hardware, limits and size in their place, and the plan if there is a fit."""
    with messages.boundary():
        with place:
            untimed = plan_controls.untimed(assumed)
        _answer(untimed, by, latest, tab)


@st.fragment
def _answer(untimed: Untimed, by: Method, latest: Latest | None, tab: OpenTab | None) -> None:
    """Draw accelerators and time, and the plan if there is a fit, and keep that."""
    with messages.boundary():
        scenario = plan_controls.timed(untimed)
        if latest is None or tab is None:
            return
        below = tab[1].container()  # filled or not: what is drawn alone later has its place
        choice, fitted = latest.of.choice, latest.of.fitted
        latest.of, latest.notices = reproduce.taken(choice, fitted), tuple
        given = (scenario.accelerator, scenario.budget, scenario.options.params)
        chosen = Inputs(selection=controls.selected(choice, given), scenario=scenario)
        shown = plan_results.view(chosen, fitted, by)
        seen, found = shown.outlook, _doubts(shown)
        latest.of = reproduce.taken(choice, fitted, scenario, shown.plan, seen)
        latest.notices = lambda: found.found
        _plan(shown, seen, found)
        charts = panels.chart_grid()
        with charts:
            _charts(shown)
        beyond.follow_up(fitted.table, by)
        with charts:
            beyond.show(seen)
        found.others(shown.plan.assumption)
        with below:
            plan_tabs.show(shown, tab[0])
    views.note()


def _plan(shown: View, seen: Outlook, found: Doubts) -> None:
    """Write the plan as a paragraph, serious notices, then large figures."""
    with st.container(key="answer"):
        st.markdown(headline.train(shown.plan, shown.fitted, seen))
        found.serious()
        headline.figures(shown.plan, shown.fitted.fit, FIGURES, seen)


def _charts(shown: View) -> None:
    """Draw the loss over accelerators and time, and what is used of each limit."""
    what = shown.plan.response.capitalize()
    panels.drawn(
        plot.loss_surface(plan_results.surface(shown), plan=shown.plan, theme=APP),
        key="chart.surface",
        title=_("{what} over accelerators and time, other limits held", what=what),
    )
    panels.drawn(
        plot.limits(shown.plan, theme=APP),
        key="chart.limits",
        title=_("Use of each limit, and what 10% more would buy"),
    )


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


def _downloads(latest: Latest) -> None:
    """Draw what can be taken away: the plan as code, and all of it as a report."""
    panels.downloads(
        [
            reproduce.script_file(latest, "isoflop_plan.py"),
            *reproduce.report_files(latest),
        ]
    )
