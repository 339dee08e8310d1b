"""The lower half of the Plan page: what the plan means and rests on, one tab at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import streamlit as st

from isoflop import plot
from isoflop.errors import IsoflopError, LossUnreachable
from isoflop.language import gettext as _
from isoflop.language import in_a_sentence, lazy_gettext
from isoflop.planning import sheets
from isoflop.planning.saved import SCENARIO, SavedScenario, save_scenario
from isoflop.planning.tornado import Tornado
from isoflop.plot import APP, axes
from isoflop.tables.schema import said_response
from isoflop.text import Sheet
from isoflop.ui import documents, headline, inputs, messages, panels, visitor
from isoflop.ui.plan import build as plan_build
from isoflop.ui.plan import results as plan_results
from isoflop.ui.plan import saved as plan_saved
from isoflop.ui.plan.results import View

if TYPE_CHECKING:  # SQLAlchemy is not needed before something is saved
    from isoflop.store import Document

TABS = {
    "frontier": lazy_gettext("Frontier"),
    "time": lazy_gettext("Time and layout"),
    "money": lazy_gettext("Money"),
    "memory": lazy_gettext("Memory"),
    "shape": lazy_gettext("Model shape"),
    "hints": lazy_gettext("Hyper-parameters"),
    "serving": lazy_gettext("Serving"),
    "longer": lazy_gettext("Smaller and longer"),
    "target": lazy_gettext("Target loss"),
    "tornado": lazy_gettext("Sensitivity"),
    "assumptions": lazy_gettext("Assumptions"),
    "compare": lazy_gettext("Save and compare"),
}

TAB, COMPARED, _SEEN = "plan.tab", "plan.compared", "plan.scenarios seen"


def show(shown: View, name: str) -> None:
    """Draw what is in a tab."""
    draw: dict[str, Callable[[View], None]] = {
        "frontier": _frontier,
        "time": plan_build.time,
        "money": _money,
        "memory": plan_build.memory,
        "shape": plan_build.shape,
        "hints": plan_build.hyperparameters,
        "serving": plan_build.serving,
        "longer": _longer,
        "target": _target,
        "tornado": _tornado,
        "assumptions": _assumptions,
        "compare": _compare,
    }
    with messages.boundary():
        messages.show_callback_failure_of_part()
        draw[name](shown)


def _frontier(shown: View) -> None:
    """Draw the compute-optimal size and data over compute."""
    if shown.plan.basis == "assumed":
        st.caption(messages.plain(shown.plan.assumption))
        return
    figure = plot.frontier(plan_results.frontier(shown), plan=shown.plan, theme=APP)
    panels.drawn(figure, key="chart.frontier")


def _longer(shown: View) -> None:
    """Draw what smaller models of equal loss cost, and when inference pays for them."""
    found = plan_results.smaller(shown)
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown(_("**The same loss from a smaller model**"))
        panels.drawn(plot.smaller_models(found, theme=APP), key="chart.smaller")
    with right:
        st.markdown(_("**Least accelerator-time over the model's life, at the plan's loss**"))
        figure = plot.lifetime(plan_results.lifetime(shown), plan=shown.plan, theme=APP)
        panels.drawn(figure, key="chart.lifetime")
    listed = sheets.smaller_sheet(found)
    plan_build.table(listed)
    _notes(listed)


def _notes(found: Sheet) -> None:
    for note in found.notes:
        st.caption(messages.plain(note))


def _target(shown: View) -> None:
    """Ask for a loss and say the least that reaches it."""
    plan = shown.plan
    loss = inputs.quantity(
        _(
            "Target {response}",
            response=in_a_sentence(axes.outcome_title(plan.response, plan.loss_unit)),
        ),
        key="target",
        default=shown.planned.usual_target,
        kind=inputs.over(float(f"{plan.loss * 0.8:.3f}"), float(f"{plan.loss * 1.3:.3f}")),
        help=_("The loss to reach; the least compute, time and money follow."),
        is_default_fixed=False,
    )
    with messages.boundary():
        found_chance = plan_results.chance(shown, loss)
        st.markdown(f"**{messages.plain(found_chance.summary())}**")
        panels.drawn(plot.risk(found_chance, theme=APP), key="chart.risk")
    st.markdown(_("**The least compute that reaches it, with the best model for it**"))
    try:
        found = plan_results.target(shown, loss)
    except LossUnreachable as error:
        messages.show(error)
        return
    planned = shown.planned
    cost, count = planned.least_cost(found), planned.budget.count
    least = sheets.least_sheet(found, cost, count, planned.fit.law.label)
    headline.values(*least.columns.values())
    *warnings, floor = least.notes
    for warning in warnings:
        st.warning(messages.plain(warning), icon=":material/warning:")
    st.caption(messages.plain(floor))


def _tornado(shown: View) -> None:
    """Draw how far loss and money move with each assumption."""
    found = plan_results.tornado(shown)
    left, right = st.columns(2, gap="medium")
    with left:
        _loss_bars(found)
    with right:
        _money_bars(found)
    _notes(sheets.tornado_sheet(found))


def _loss_bars(found: Tornado) -> None:
    if found.moving("loss"):
        panels.drawn(plot.tornado(found, theme=APP), key="chart.tornado.loss")
    else:
        st.caption(
            _(
                "No assumption changes the predicted {response}.",
                response=said_response(messages.plain(found.plan.response)),
            )
        )


def _money_bars(found: Tornado) -> None:
    if found.moving("usd"):
        panels.drawn(plot.tornado(found, of="usd", theme=APP), key="chart.tornado.usd")
    else:
        st.caption(_("The cost does not change: there is no price, or money is itself the limit."))


def _money(shown: View) -> None:
    """Draw what the money goes into, by each way to pay."""
    panels.drawn(plot.money(shown.planned.money(), theme=APP), key="chart.money")
    (parts,) = shown.planned.sheets("money")
    plan_build.table(parts)
    _notes(parts)


def _assumptions(shown: View) -> None:
    """List what the plan rests on, and what fills the disk."""
    plan = shown.plan
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown(_("**Assumptions behind the figures**"))
        rests, disk = shown.planned.sheets("assumptions")
        plan_build.table(rests)
    with right:
        st.markdown(_("**What uses the disk**"))
        panels.drawn(plot.disk(plan, theme=APP), key="chart.disk")
        _notes(disk)


def _compare(shown: View) -> None:
    """Save the plan under a name, and draw saved plans side by side."""
    refused = visitor.refusal(_("save a scenario"))
    if refused is not None:
        messages.not_here(refused)
    else:
        _save_form(shown)
    documents.offer_undo(SCENARIO)
    saved = plan_saved.scenarios()
    st.session_state[_SEEN] = [entry.document for entry in saved]
    if not saved:
        st.caption(_("Nothing is saved yet. Save two plans or more to see them side by side."))
        documents.offer_deleted(SCENARIO, "scenario")
        return
    by_name = {entry.name: entry for entry in saved}
    kept = st.session_state.get(COMPARED, list(by_name))
    st.session_state[COMPARED] = [n for n in kept if n in by_name][: plan_saved.MAX_COMPARED]
    chosen = st.multiselect(
        _("Scenarios to compare"),
        list(by_name),
        max_selections=plan_saved.MAX_COMPARED,
        key=COMPARED,
        help=_("Saved plans that are set side by side."),
    )
    if chosen:
        plan_saved.comparison([by_name[name] for name in chosen])
    with st.container(horizontal=True):
        for entry in [by_name[name] for name in chosen]:
            plan_saved.scenario_buttons(entry, partial(_replace, shown))
    documents.offer_deleted(SCENARIO, "scenario")


def _save_form(shown: View) -> None:
    """Draw the name under which the plan is saved."""
    with st.form("plan.save", border=False), st.container(horizontal=True):
        name = st.text_input(
            _("Name of this scenario"),
            max_chars=60,
            placeholder="512 H100, 30 days",
            label_visibility="collapsed",
        )
        if st.form_submit_button(_("Save this plan"), icon=":material/save:", type="primary"):
            _save(shown, name or "")


def _save(shown: View, name: str) -> None:
    """Save the plan; say so, or why not."""
    try:
        # What the page listed when the name was given: what was saved since is not replaced.
        _put(shown, name, seen=st.session_state.get(_SEEN))
    except IsoflopError as error:
        messages.show(error)
        return
    others = [other for other in st.session_state.get(COMPARED, []) if other != name.strip()]
    st.session_state[COMPARED] = [name.strip(), *others]
    st.toast(_("Saved {name}.", name=messages.plain(name.strip())), icon=":material/check:")


def _replace(shown: View, saved: SavedScenario) -> None:
    """Save the plan in the place of a scenario; for a button's callback."""
    with messages.in_callback():
        _put(shown, saved.name, over=saved.document)


def _put(
    shown: View,
    name: str,
    *,
    over: Document | None = None,
    seen: Sequence[Document] | None = None,
) -> None:
    fitted = shown.fitted
    asked = st.query_params
    query = urlencode([(key, value) for key in asked if key != TAB for value in asked.get_all(key)])
    save_scenario(
        documents.mine(),
        name,
        shown.scenario,
        shown.plan,
        fit=f"{fitted.table.provenance.title}, {fitted.fit.law.label}",
        link=f"?{query}" if query else "",
        over=over,
        seen=seen,
    )
