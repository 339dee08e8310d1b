"""The lower half of the Plan page: what the plan means and rests on, one tab at a time."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

import numpy as np
import streamlit as st

from isoflop.errors import IsoflopError, PlanError
from isoflop.figures import plan_bars, plan_frontier, plan_longer
from isoflop.planning import Interval
from isoflop.planning.budget import accelerator_hours, price_usd_per_hour, wall_time_s
from isoflop.planning.frontier import N_FRONTIER_DRAWS
from isoflop.planning.saved import save_scenario
from isoflop.planning.tornado import STEP, Sensitivity
from isoflop.ui import (
    inputs,
    messages,
    panels,
    plan_build,
    plan_results,
    plan_saved,
    reproduce,
    words,
)
from isoflop.ui.plan_results import View
from isoflop.units import DAY_S, format_number, format_quantity

TABS = {
    "frontier": "Frontier",
    "memory": "Memory",
    "shape": "Model shape",
    "hints": "Hyper-parameters",
    "longer": "Smaller and longer",
    "target": "Target loss",
    "tornado": "Sensitivity",
    "assumptions": "Assumptions",
    "compare": "Save and compare",
}

TAB, COMPARED = "plan.tab", "plan.compared"

NO_FLOOR = 1e-3
"""A floor below this share of the plan's loss is none."""

LISTED_FACTORS = frozenset({1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0})

SMALLEST_BAR = 0.01
"""Share of the widest bar below which one is left out."""


def show(shown: View) -> None:
    """Draw the tab that is open."""
    tabs = st.tabs(list(TABS.values()), key=TAB, on_change="rerun", bind="query-params")
    draw: dict[str, Callable[[View], None]] = {
        "frontier": _frontier,
        "memory": plan_build.memory,
        "shape": plan_build.shape,
        "hints": plan_build.hyperparameters,
        "longer": _longer,
        "target": _target,
        "tornado": _tornado,
        "assumptions": _assumptions,
        "compare": _compare,
    }
    for tab, name in zip(tabs, TABS, strict=True):
        if tab.open:
            with tab, messages.boundary():
                draw[name](shown)


def _frontier(shown: View) -> None:
    """Draw the compute-optimal size and data over compute."""
    found = plan_results.frontier(shown)
    kept = np.isfinite(found.params)
    flop = found.compute_flop[kept]
    quantities = {
        "Model size N (parameters)": (found.params, found.params_band, shown.plan.params),
        "Training data D (tokens)": (found.tokens, found.tokens_band, shown.plan.tokens),
    }
    lines = tuple(
        plan_frontier.Line(
            title=title,
            values=values[kept],
            lower=None if band is None else band.lower[kept],
            upper=None if band is None else band.upper[kept],
            chosen=chosen,
        )
        for title, (values, band, chosen) in quantities.items()
    )
    level = 0.9 if found.params_band is None else found.params_band.level
    figure = plan_frontier.figure(
        flop,
        lines,
        chosen_flop=shown.plan.compute_flop,
        is_extrapolation=found.is_extrapolation[kept],
        level=level,
    )
    panels.chart(figure, alt=plan_frontier.alt(lines), key="chart.frontier")
    slopes = [float(np.polyfit(np.log(flop), np.log(line.values), 1)[0]) for line in lines]
    note = found.reason or f"Bands over up to {N_FRONTIER_DRAWS} bootstrap fits."
    st.caption(
        f"By compute alone, the plan's other limits aside: N grows as C to the {slopes[0]:.3f}, "
        f"D as C to the {slopes[1]:.3f}. {messages.plain(note)}"
    )


def _longer(shown: View) -> None:
    """Draw what smaller models of equal loss cost, and when inference pays for them."""
    models = plan_results.smaller(shown)
    drawn = plan_longer.Smaller(
        params=np.array([model.params for model in models]),
        compute_ratio=np.array([model.compute_ratio for model in models]),
        tokens_ratio=np.array([model.tokens_ratio for model in models]),
        labels=tuple(
            f"{format_number(model.params)} parameters on {format_number(model.tokens)} tokens: "
            f"{model.compute_ratio:.2f} times the compute"
            for model in models
        ),
    )
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("**The same loss from a smaller model**")
        panels.chart(
            plan_longer.smaller(drawn), alt=plan_longer.smaller_alt(drawn), key="chart.smaller"
        )
    with right:
        st.markdown("**Least compute over the model's life, at the plan's loss**")
        demand, cheapest = plan_results.lifetime(shown)
        served = plan_longer.Lifetime(
            inference_tokens=demand, params=cheapest.params, tokens=cheapest.tokens
        )
        figure = plan_longer.lifetime(
            served, chosen_tokens=shown.setting.budget.lifetime_inference_tokens
        )
        panels.chart(figure, alt=plan_longer.lifetime_alt(), key="chart.lifetime")
    listed = [model for model in models if round(model.factor, 9) in LISTED_FACTORS]
    st.dataframe(
        {
            "Times smaller": [f"{model.factor:g}" for model in listed],
            "Parameters N": [format_number(model.params) for model in listed],
            "Tokens D": [format_number(model.tokens) for model in listed],
            "Training compute": [format_quantity(m.compute_flop, "flop") for m in listed],
            "Times the compute": [f"{model.compute_ratio:.2f}" for model in listed],
            "Pays off after": [
                f"{format_number(model.break_even_tokens)} tokens" if model.factor > 1 else ""
                for model in listed
            ],
        },
        hide_index=True,
        alt="Smaller models of the plan's loss",
    )
    smallest = models[-1]
    end = "" if smallest.factor > 15 else f" Below {format_number(smallest.params)} no data do."
    st.caption(
        f"All reach loss {shown.plan.loss:.4f}.{end} Inference counts a third of the FLOP of as "
        "many training tokens (Sardana et al. 2024)."
    )
    plan_build.serving(shown)


def _target(shown: View) -> None:
    """Ask for a loss and say the least that reaches it."""
    fit, plan = shown.fitted.fit, shown.plan
    loss = inputs.quantity(
        f"Target {fit.law.response} ({words.unit(fit) or 'unitless'})",
        key="target",
        default=float(f"{plan.loss * 0.98:.3f}"),
        kind=inputs.over(float(f"{plan.loss * 0.8:.3f}"), float(f"{plan.loss * 1.3:.3f}")),
        help="The loss to reach; the least compute, time and money follow.",
        is_default_fixed=False,
    )
    try:
        found = plan_results.target(shown, loss)
    except PlanError as error:
        messages.show(error)
        return
    budget, device = shown.setting.budget, shown.setting.accelerator
    price = price_usd_per_hour(budget, device)
    hours_per_flop = accelerator_hours(1.0, budget, device)
    seconds_per_flop = wall_time_s(1.0, budget, device)
    with st.container(key="figures.target"), st.grid(4, min_column_width=150):
        _least("Compute", found.compute_flop, found.compute_interval, _flop)
        _least(
            "Accelerator-hours", found.compute_flop, found.compute_interval,
            lambda v: format_number(v * hours_per_flop),
        )  # fmt: skip
        _least(
            f"Days on {budget.accelerators:,}", found.compute_flop, found.compute_interval,
            lambda v: format_number(v * seconds_per_flop / DAY_S),
        )  # fmt: skip
        if price:
            _least(
                "Money for accelerators", found.compute_flop, found.compute_interval,
                lambda v: format_quantity(v * hours_per_flop * price, "usd"),
            )  # fmt: skip
        _least("Model size N", found.params, found.params_interval, format_number)
        _least("Training data D", found.tokens, found.tokens_interval, format_number)
    if found.reachable_share is not None and found.reachable_share < 1:
        share = 1 - found.reachable_share
        st.warning(
            f"By {share:.1%} of the resampled fits this loss is out of reach: it lies below their "
            "floor.",
            icon=":material/warning:",
        )
    has_floor = found.floor > NO_FLOOR * plan.loss
    floor = f"has its floor at {found.floor:.4g}" if has_floor else "has no floor"
    st.caption(
        f"{messages.plain(fit.law.label)} {floor}. Other limits than compute are left aside here."
    )


def _flop(value: float) -> str:
    return format_quantity(value, "flop")


def _least(
    label: str, value: float, interval: Interval | None, write: Callable[[float], str]
) -> None:
    """Draw one figure of the least that reaches a loss, with its interval."""
    note = None
    if interval is not None:
        upper = write(interval.upper) if np.isfinite(interval.upper) else "out of reach"
        note = f"{write(interval.lower)} to {upper}"
    st.metric(label, write(value), delta=note, delta_color="off", delta_arrow="off")


def _tornado(shown: View) -> None:
    """Draw how far loss and money move with each assumption."""
    found = plan_results.sensitivities(shown)
    left, right = st.columns(2, gap="medium")
    with left:
        response = shown.fitted.fit.law.response
        _bars(
            [entry for entry in found if entry.loss_span > 0],
            lambda outcome: outcome.loss,
            shown.plan.loss,
            f"Predicted {response} ({words.unit(shown.fitted.fit) or 'unitless'})",
            "chart.tornado.loss",
        )
    with right:
        spent = shown.plan.cost.usd
        widest = max((entry.usd_span for entry in found), default=0.0)
        moved = [entry for entry in found if entry.usd_span > SMALLEST_BAR * widest]
        moved.sort(key=lambda entry: -entry.usd_span)
        if spent is not None and moved:
            _bars(
                moved,
                lambda outcome: outcome.usd or 0.0,
                spent,
                "Money (US dollars)",
                "chart.tornado.usd",
            )
        else:
            st.caption("Money does not move: it has no price, or is itself the limit.")
    st.caption(
        f"Each assumption divided and multiplied by {STEP:g}, and the run planned anew within the "
        "same limits."
    )


def _bars(
    found: list[Sensitivity],
    value: Callable[..., float],
    centre: float,
    title: str,
    key: str,
) -> None:
    swings = [
        plan_bars.Swing(
            label=entry.label,
            low=value(entry.low),
            high=value(entry.high),
            low_text=entry.low.value,
            high_text=entry.high.value,
        )
        for entry in found
    ]
    if not swings:
        st.caption(f"Nothing moves it: {messages.plain(title)}.")
        return
    figure = plan_bars.tornado(swings, centre, title=title)
    panels.chart(figure, alt=plan_bars.tornado_alt(swings, title), key=key)


def _assumptions(shown: View) -> None:
    """List what the plan rests on, and what fills the disk."""
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("**What the figures rest on**")
        st.dataframe(
            {
                "Assumption": list(shown.plan.assumptions),
                "Value": list(shown.plan.assumptions.values()),
            },
            hide_index=True,
            alt="Assumptions of the plan",
        )
        panels.downloads([("Python", "isoflop_plan.py", "text/x-python", lambda: _script(shown))])
    with right:
        st.markdown("**What fills the disk**")
        rows = {"This run": shown.plan.storage.by_component}
        limit = shown.setting.budget.storage_bytes
        figure = plan_bars.stacks(rows, capacity_bytes=limit, usable_bytes=None, title="Disk")
        panels.chart(figure, alt=plan_bars.stacks_alt(rows, "Disk"), key="chart.disk")
        need, policy = shown.plan.storage, shown.chosen.scenario.options.checkpoints
        every = shown.plan.cost.wall_time_s / policy.n_saved
        st.caption(
            f"A checkpoint every {messages.plain(format_quantity(every, 'seconds'))}: "
            f"{format_quantity(need.resumable_checkpoint_bytes, 'bytes')} to resume from, "
            f"{format_quantity(need.weights_checkpoint_bytes, 'bytes')} of weights alone."
        )


def _script(shown: View) -> str:
    chosen = shown.chosen
    return reproduce.plan_script(chosen.selection, shown.fitted, chosen.scenario)


def _compare(shown: View) -> None:
    """Save the plan under a name, and draw saved plans side by side."""
    with st.form("plan.save", border=False), st.container(horizontal=True):
        name = st.text_input(
            "Name of this scenario",
            max_chars=60,
            placeholder="512 H100, 30 days",
            label_visibility="collapsed",
        )
        if st.form_submit_button("Save this plan", icon=":material/save:", type="primary"):
            _save(shown, name or "")
    saved = plan_saved.scenarios()
    if not saved:
        st.caption("Nothing is saved yet. Save two plans or more to see them side by side.")
        return
    by_name = {entry.name: entry for entry in saved}
    kept = st.session_state.get(COMPARED, list(by_name))
    st.session_state[COMPARED] = [n for n in kept if n in by_name][: plan_saved.MAX_COMPARED]
    chosen = st.multiselect(
        "Scenarios to compare",
        list(by_name),
        max_selections=plan_saved.MAX_COMPARED,
        key=COMPARED,
    )
    if chosen:
        plan_saved.comparison([by_name[name] for name in chosen])
    with st.container(horizontal=True):
        for entry in [by_name[name] for name in chosen]:
            st.link_button(
                f"Open {entry.name}", f"/plan{entry.link}", icon=":material/open_in_new:"
            )
            st.button(
                f"Delete {entry.name}",
                icon=":material/delete:",
                key=f"plan.delete.{entry.name}",
                on_click=plan_saved.delete,
                args=(entry.name,),
            )


def _save(shown: View, name: str) -> None:
    """Save the plan; say so, or why not."""
    fitted = shown.fitted
    asked = st.query_params
    query = urlencode([(key, value) for key in asked if key != TAB for value in asked.get_all(key)])
    try:
        save_scenario(
            plan_saved.store(),
            name,
            shown.chosen.scenario,
            shown.plan,
            fit=f"{fitted.table.provenance.title}, {fitted.fit.law.label}",
            loss_unit=words.unit(fitted.fit) or fitted.fit.law.response,
            link=f"?{query}" if query else "",
        )
    except IsoflopError as error:
        messages.show(error)
        return
    others = [other for other in st.session_state.get(COMPARED, []) if other != name.strip()]
    st.session_state[COMPARED] = [name.strip(), *others]
    st.toast(f"Saved {messages.plain(name.strip())}.", icon=":material/check:")
