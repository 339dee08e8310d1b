"""The sections of the Explore page: the answer, the two charts, the evidence."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from isoflop import plot
from isoflop.errors import PlanError
from isoflop.fitting.extrapolation import Method
from isoflop.language import gettext as _
from isoflop.language import lazy_gettext, translated
from isoflop.notices import Notice
from isoflop.planning import (
    DEFAULT_ACCELERATOR,
    Budget,
    Plan,
    PlanOptions,
    find_accelerator,
    plan,
)
from isoflop.planning.doubts import doubts
from isoflop.planning.left_out import before_and_after
from isoflop.planning.outlook import Outlook
from isoflop.planning.rule import SIX_ND
from isoflop.planning.scenario import Scenario
from isoflop.planning.trajectory import compute_range
from isoflop.plot import APP, axes
from isoflop.tables.schema import said_response
from isoflop.ui import (
    beyond,
    budget_inputs,
    controls,
    headline,
    inputs,
    messages,
    panels,
    reproduce,
    resolve,
    uploads,
    views,
)
from isoflop.ui.budget_inputs import Means
from isoflop.ui.caching import MAX_PLANS, kept
from isoflop.ui.data import understood
from isoflop.ui.doubts import Doubts
from isoflop.ui.reproduce import Latest
from isoflop.ui.resolve import Fitted
from isoflop.ui.state import FitChoice, Selection

GATHERING_S = 0.02
"""The browser gathers what arrives within 10 ms and draws it at once. A pause of twice that after
the loss chart, which follows the slider, lets it be drawn before work on all else begins."""

FIGURES = (
    "loss", "params", "tokens", "tokens_per_param", "wall_time", "hours", "cost", "extrapolation",
)  # fmt: skip
"""The large figures of the page."""

EVIDENCE = {
    "residuals": lazy_gettext("Residuals"),
    "past": lazy_gettext("Past predictions"),
    "parameters": lazy_gettext("Parameters"),
    "certificate": lazy_gettext("Certificate"),
    "equation": lazy_gettext("Equation"),
    "data": lazy_gettext("Data"),
    "code": lazy_gettext("Code"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A selection and what follows from it.

    Parameters
    ----------
    selection : Selection
    fitted : Fitted
    plan : Plan or None
        What the budget buys.
    problem : PlanError or None
        Why there is no plan.
    """

    selection: Selection
    fitted: Fitted
    plan: Plan | None
    problem: PlanError | None


_plan = kept(plan, max_entries=MAX_PLANS)


def show() -> None:
    """Draw the whole page: the controls, the answer with its charts, and the evidence.

    What a budget changes is a fragment of its own, and what its amount changes another within:
    moving a slider draws that again and leaves table, law, the other inputs and evidence as they
    are.
    """
    with st.sidebar:
        above, below = st.container(), st.container()
    latest = None
    with messages.boundary():
        with above:
            choice = controls.fit_choice()
        understood.show(choice.table.id)
        latest = Latest(reproduce.taken(choice, resolve.fitted(choice)))
    below.header(_("Budget"), anchor=False)
    budget_inputs.steps()
    show_reading(below, latest)
    if latest is not None:
        show_evidence(latest.of.choice, latest.of.fitted)
        show_downloads(latest)


@st.fragment
def show_reading(place: DeltaGenerator, latest: Latest | None) -> None:
    """Draw the budget in its place, and what it reaches if there is a fit."""
    with messages.boundary():
        with place:
            means, params = budget_inputs.means(), budget_inputs.size()
            by = beyond.method(None if latest is None else latest.of.fitted)
        show_answer(means, params, by, latest)


@st.fragment
def show_answer(means: Means, params: float | None, by: Method, latest: Latest | None) -> None:
    """Draw the amount of the budget, and what it reaches if there is a fit, and keep that.

    The loss chart comes before all else: what is drawn earlier would keep the browser from it.
    """
    with messages.boundary():
        try:
            begun = None if latest is None else _begin(means, params, by, latest)
        finally:  # whatever the budget that they hold leads to
            budget_inputs.budget_of(means)
        if begun is not None:
            _go_on(*begun, by)
    views.note()


Begun = tuple[View, Outlook, DeltaGenerator, DeltaGenerator]
"""What is shown, what is to be believed of it, and the places of the answer and its charts."""


def _begin(means: Means, params: float | None, by: Method, latest: Latest) -> Begun:
    """Draw the loss chart of the budget that the inputs hold."""
    choice, fitted = latest.of.choice, latest.of.fitted
    latest.of, latest.notices = reproduce.taken(choice, fitted), tuple
    given = (means.accelerator, budget_inputs.held(means), params)
    shown = view(controls.selected(choice, given), fitted)
    seen = _outlook(shown, by)
    keep(latest, choice, shown, seen)
    answer, charts = st.container(key="answer"), panels.chart_grid()
    with charts:
        show_losses(shown, seen)
    time.sleep(GATHERING_S)
    return shown, seen, answer, charts


def _go_on(
    shown: View, seen: Outlook, answer: DeltaGenerator, charts: DeltaGenerator, by: Method
) -> None:
    """Draw the answer and the other charts."""
    with answer:
        serious = show_plan(shown, seen)
    with charts:
        show_contours(shown)
    beyond.follow_up(shown.fitted.table, by)
    with charts:
        beyond.show(seen)
    show_notices(shown, serious)


def view(selection: Selection, fitted: Fitted) -> View:
    """Plan what is selected; a plan that cannot be made is in the view, too."""
    planned, problem = None, None
    try:
        planned = _plan(
            fitted.fit,
            selection.budget,
            find_accelerator(selection.accelerator),
            PlanOptions(params=selection.params),
            fixed=selection.fixed,
        )
    except PlanError as error:
        problem = error
    return View(
        selection=selection,
        fitted=fitted,
        plan=planned,
        problem=problem,
    )


def _outlook(shown: View, by: Method) -> Outlook:
    """Return what is to be believed of the plan."""
    if shown.plan is None:
        return headline.NO_OUTLOOK
    fixed = shown.selection.fixed
    return beyond.seen(shown.fitted, shown.plan, by, rule=SIX_ND, fixed=fixed)


def show_plan(shown: View, seen: Outlook) -> DeltaGenerator:
    """Write the plan as a paragraph, then as large figures; return the place between them."""
    if shown.plan is None:
        if shown.problem is not None:
            messages.show(shown.problem)
        return st.container()
    st.markdown(headline.reach(shown.plan, shown.fitted, seen))
    serious = st.container()
    headline.figures(shown.plan, shown.fitted.fit, FIGURES, seen)
    return serious


def show_losses(shown: View, seen: Outlook) -> None:
    """Draw loss against an axis of choice."""
    fit, table = shown.fitted.fit, shown.fitted.table
    choices = axes.law_axes(fit, table)
    column = inputs.choice(
        _("{response} against", response=said_response(fit.law.response).capitalize()),
        {key: axis.name for key, axis in choices.items()},
        key="axis",
        default=next(iter(choices)),
        help=_("The horizontal axis; the curve follows the compute-optimal models."),
        style="row",
        is_label_beside=True,
    )
    plan = shown.plan and seen.told(shown.plan)
    figure = plot.loss_curve(
        fit, x=column, plan=plan, table=table, fixed=shown.selection.fixed, theme=APP
    )
    panels.drawn(figure, key="chart.loss")


def show_contours(shown: View) -> None:
    """Draw the isoloss contours over model size and data."""
    table = shown.fitted.table
    if not {"params", "tokens"} <= set(table.frame):
        return
    figure = plot.contours(
        shown.fitted.fit, plan=shown.plan, table=table, fixed=shown.selection.fixed, theme=APP
    )
    response = shown.fitted.fit.law.response
    title = (
        _("Isoloss contours")
        if response == "loss"
        else _("Contours of equal {response}", response=said_response(response))
    )
    panels.drawn(figure, key="chart.contours", title=title)


def show_notices(shown: View, serious: DeltaGenerator) -> None:
    """List what should make a reader doubt the answer, serious notices in their place."""
    found = Doubts(
        choice=shown.selection,
        fitted=shown.fitted,
        found=notices(shown),
        change=lambda before: _change(shown, before),
    )
    with serious:
        found.serious()
    show_limits_of_rows(shown)
    found.others("" if shown.plan is None else shown.plan.assumption)
    panels.unusable_cells(shown.selection.table.id)


def notices(shown: View) -> tuple[Notice, ...]:
    """Return everything that should make a reader doubt the answer."""
    return doubts(
        shown.fitted.fit,
        shown.fitted.table,
        shown.plan,
        fixed=shown.selection.fixed,
        more=uploads.notices(shown.selection.table.id),
    )


def _change(shown: View, before: Fitted) -> str:
    """Say what the rows between two fits did to the plan; empty where one of them has none."""
    planned = view(shown.selection, before).plan
    if planned is None or shown.plan is None:
        return ""
    return before_and_after(planned, shown.plan, shown.plan.response)


def show_limits_of_rows(shown: View) -> None:
    """Say what the rows of the table cannot show."""
    if "loss" not in shown.fitted.table.included():
        return
    found = resolve.rows_can_bear(shown.fitted.table).doubts
    if found:
        said = "; ".join(map(translated, found))
        st.caption(messages.plain(_("Limits of these rows: {said}.", said=said)))


def show_evidence(choice: FitChoice, fitted: Fitted) -> None:
    """Draw what the fit rests on, one tab at a time, and what can be taken away."""
    name, tab = inputs.tabs(EVIDENCE, key="evidence")
    draw: dict[str, Callable[[], object]] = {
        "residuals": lambda: _residual_chart(fitted),
        "past": lambda: beyond.past(fitted.table),
        "parameters": lambda: panels.parameters(fitted.fit),
        "certificate": lambda: panels.certificate(fitted.fit),
        "equation": lambda: panels.equation(fitted.fit),
        "data": lambda: panels.data(fitted.table),
        "code": lambda: st.code(reproduce.taken(choice, fitted).script(), language="python"),
    }
    with tab, messages.boundary():
        draw[name]()


def keep(latest: Latest, choice: FitChoice, shown: View, seen: Outlook) -> None:
    """Keep what is shown now for the buttons that take it away."""
    selection = shown.selection
    scenario = Scenario(
        accelerator=find_accelerator(selection.accelerator),
        budget=selection.budget,
        options=PlanOptions(params=selection.params),
    )
    latest.of = reproduce.taken(choice, shown.fitted, scenario, shown.plan, seen)
    latest.notices = lambda: notices(shown)


def show_downloads(latest: Latest) -> None:
    """Draw what can be taken away: rows, fit and curve as data, code, and all as a report."""
    panels.downloads(
        [
            *reproduce.fit_files(latest),
            reproduce.script_file(latest, "isoflop_fit.py"),
            *reproduce.report_files(latest),
        ]
    )


def _residual_chart(fitted: Fitted) -> None:
    figure = plot.residuals(fitted.fit, table=fitted.table, theme=APP)
    panels.drawn(figure, key="chart.residuals")


def warm() -> None:
    """Make the front page's figures, for nobody, and with them all that is kept for them."""
    source, fit = resolve.warm()
    flop = compute_range(fit, source)[1]
    made = plan(fit, Budget(compute_flop=flop), find_accelerator(DEFAULT_ACCELERATOR))
    plot.loss_curve(fit, plan=made, table=source, theme=APP)
    plot.contours(fit, plan=made, table=source, theme=APP)
    plot.residuals(fit, table=source, theme=APP)
