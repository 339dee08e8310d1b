"""The upper half of the Plan page: the answer, what binds, and the map of S and R."""

from __future__ import annotations

import streamlit as st

from isoflop.figures import plan_bars, plan_surface
from isoflop.fitting import Fit
from isoflop.notices import Notice
from isoflop.planning import Interval, Plan
from isoflop.planning.types import LimitUse
from isoflop.plot import axes
from isoflop.ui import messages, panels, plan_results, words
from isoflop.ui.plan_results import View
from isoflop.units import DAY_S, format_number, format_quantity

CHART_HEAD_PX = 40
EXPERTS = Notice(
    code="experts-by-dense-law",
    severity="info",
    text="The law was fitted to dense models, so N counts what a token passes through; all experts "
    "count for memory and storage.",
    remedy="A table with a column of active parameters, or a law of experts, would say more.",
)


def show_answer(shown: View) -> None:
    """Write the plan in words, then in large figures."""
    with st.container(key="answer"):
        st.markdown(_sentence(shown))
    _figures(shown)


def _sentence(shown: View) -> str:
    plan, fit = shown.plan, shown.fitted.fit
    device = shown.chosen.scenario.accelerator
    is_chosen = shown.chosen.scenario.options.params is not None
    time = messages.plain(format_quantity(plan.cost.wall_time_s, "seconds"))
    text = (
        f"Train **{format_number(plan.params)} parameters** on **{format_number(plan.tokens)} "
        f"tokens** with **{plan.cost.accelerators:,} {messages.plain(device.label)} for {time}**: "
        f"{'' if is_chosen else 'the best plan within the limits, '}predicted loss "
        f"**{plan.loss:.3f}** {words.unit(fit)}".rstrip()
    )
    if plan.loss_interval is not None:
        text += f" ({_span(plan.loss_interval, '.3f')} at {plan.loss_interval.level:.0%})"
    return f"{text}. {_binding(plan)}"


def _binding(plan: Plan) -> str:
    """Say which limit binds and what relaxing it buys."""
    if not plan.binding:
        return ""
    first = plan.binding[0]
    names = " and ".join(limit.label.lower() for limit in plan.binding)
    verb = "binds" if len(plan.binding) == 1 else "bind"
    return (
        f"**{names.capitalize()}** {verb}; a tenth more {first.label.lower()} would lower the loss "
        f"by **{first.gain:.4f}**."
    )


def _figures(shown: View) -> None:
    plan, fit = shown.plan, shown.fitted.fit
    cost, storage = plan.cost, plan.storage
    with st.container(key="figures"), st.grid(4, min_column_width=140, gap="small"):
        _metric(
            f"Predicted {fit.law.response}",
            f"{plan.loss:.3f}",
            " ".join(part for part in (_span(plan.loss_interval, ".3f"), words.unit(fit)) if part),
            _new_run(plan, fit),
        )
        _metric(
            "Model size N",
            format_number(plan.params),
            _numbers(plan.params_interval) or "parameters",
            "Parameters, with their interval over the resampled fits.",
        )
        _metric(
            "Training data D",
            format_number(plan.tokens),
            _numbers(plan.tokens_interval) or "tokens",
            f"Tokens; {format_number(plan.tokens_per_param)} a parameter"
            + (f", each unique one seen {plan.epochs:.1f} times." if plan.epochs > 1.01 else "."),
        )
        _metric(
            "Training compute",
            format_quantity(plan.compute_flop, "flop"),
            f"{format_number(cost.accelerator_hours)} accelerator-hours",
            plan.assumptions["Compute"],
        )
        _metric(
            "Wall time",
            format_quantity(cost.wall_time_s, "seconds"),
            f"{cost.accelerators:,} side by side",
            "Start to end, failures and restarts included.",
        )
        _metric(
            "Money",
            "no price" if cost.usd is None else format_quantity(cost.usd, "usd"),
            _money(plan),
            "US dollars for accelerators, electricity where it is not in their price, and storage.",
        )
        _metric(
            "Energy",
            "unknown" if cost.energy_j is None else format_quantity(cost.energy_j, "joules"),
            "no power figure" if cost.carbon_kg is None else _carbon(cost.carbon_kg),
            "Thermal design power times hours times PUE; carbon by the grid's intensity.",
        )
        _metric(
            "Storage",
            format_quantity(storage.total_bytes, "bytes"),
            f"{format_quantity(storage.data_bytes, 'bytes')} of it data",
            "Tokenised data, checkpoints kept and logs.",
        )


def _carbon(kilograms: float) -> str:
    if kilograms >= 1000:
        return f"{format_number(kilograms / 1000)} t CO2"
    return f"{format_number(kilograms)} kg CO2"


def _new_run(plan: Plan, fit: Fit) -> str:
    text = f"Mean {fit.law.response} of such a run, with its confidence interval."
    if plan.loss_prediction is None:
        return text
    spread = _span(plan.loss_prediction, ".3f")
    return f"{text} One new run lies in {spread} at {plan.loss_prediction.level:.0%}."


def _money(plan: Plan) -> str:
    cost = plan.cost
    if cost.usd_compute is None or cost.usd_power is None:
        return "price or power unknown"
    parts = {"compute": cost.usd_compute, "power": cost.usd_power, "storage": cost.usd_storage}
    return ", ".join(
        f"{name} {format_quantity(value, 'usd')}" for name, value in parts.items() if value > 0
    )


def _metric(label: str, value: str, note: str, help: str) -> None:
    st.metric(label, value, delta=note or None, delta_color="off", delta_arrow="off", help=help)


def _span(interval: Interval | None, spec: str) -> str:
    return "" if interval is None else f"{interval.lower:{spec}} to {interval.upper:{spec}}"


def _numbers(interval: Interval | None) -> str:
    if interval is None:
        return ""
    return f"{format_number(interval.lower)} to {format_number(interval.upper)}"


def show_charts(shown: View) -> None:
    """Draw the loss over accelerators and time, and what is used of each limit."""
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _head("Loss over accelerators S and time R, all other limits held")
        _surface(shown)
    with right:
        _head("What each limit has left, and what a tenth more buys")
        _limits(shown)


def _head(text: str) -> None:
    with st.container(height=CHART_HEAD_PX, border=False, vertical_alignment="center"):
        st.markdown(f"**{text}**")


def _surface(shown: View) -> None:
    found = plan_results.surface(shown)
    plan, budget = shown.plan, shown.setting.budget
    days = (budget.wall_time_s or plan.cost.wall_time_s) / DAY_S
    grid = plan_surface.Grid(
        accelerators=found.accelerators,
        days=found.wall_time_s / DAY_S,
        loss=found.loss,
        params=found.params,
        tokens=found.tokens,
        loss_label=axes.response_title(shown.fitted.fit),
    )
    chosen = plan_surface.Chosen(
        accelerators=budget.accelerators,
        days=days,
        label=f"loss {plan.loss:.4g}<br>{budget.accelerators:,} accelerators<br>"
        f"{days:.3g} days<br>{format_number(plan.params)} parameters<br>"
        f"{format_number(plan.tokens)} tokens",
    )
    figure = plan_surface.figure(grid, chosen)
    panels.chart(figure, alt=plan_surface.alt(grid, chosen), key="chart.surface")


def _limits(shown: View) -> None:
    if not shown.plan.limits:
        st.caption("The size is your own: no limit is weighed against it.")
        return
    bars = [_bar(limit) for limit in shown.plan.limits]
    panels.chart(plan_bars.limits(bars), alt=plan_bars.limits_alt(bars), key="chart.limits")


def _bar(limit: LimitUse) -> plan_bars.Limit:
    used, most = (format_quantity(value, limit.dimension) for value in (limit.used, limit.limit))
    gain = f"; 10% more: loss {-limit.gain:+.4f}" if limit.gain >= 5e-5 else ""
    return plan_bars.Limit(
        label=limit.label,
        share=min(limit.used / limit.limit, 1.0),
        is_binding=limit.is_binding,
        text=f"{used} of {most}{gain}",
    )


def show_notices(shown: View) -> None:
    """List everything that should make a reader doubt the plan."""
    found = [*shown.fitted.fit.notices, *shown.plan.notices]
    if shown.count == "active" and shown.fitted.fit.param_convention != "active":
        found.append(EXPERTS)
    messages.notices(found)
