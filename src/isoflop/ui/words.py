"""The answer in words and large figures."""

from __future__ import annotations

import streamlit as st

from isoflop.fitting import Fit
from isoflop.planning import Accelerator, Interval, Plan
from isoflop.plot import axes
from isoflop.ui import messages
from isoflop.units import format_number, format_quantity


def sentence(plan: Plan, fit: Fit, accelerator: Accelerator) -> str:
    """Return a plan as one paragraph of Markdown.

    Parameters
    ----------
    plan : Plan
    fit : Fit
    accelerator : Accelerator
    """
    cost = plan.cost
    time = messages.plain(format_quantity(cost.wall_time_s, "seconds"))
    means = f"With **{cost.accelerators:,} {messages.plain(accelerator.label)} for {time}**"
    model = f"**{format_number(plan.params)} parameters**"
    tokens = f"**{format_number(plan.tokens)} tokens**"
    if plan.basis == "compute-optimal":
        run = f"the best model has {model} and sees {tokens}"
    else:
        run = f"a model of {model} sees {tokens}"
    response = "loss" if fit.law.response == "loss" else messages.plain(fit.law.response)
    text = f"{means}, {run}: predicted {response} **{plan.loss:.3f}** {unit(fit)}".rstrip()
    if plan.loss_interval is not None:
        span = _span(plan.loss_interval, ".3f")
        text += f" ({span} at {plan.loss_interval.level:.0%})"
    return f"{text}. {reach(plan)}"


def unit(fit: Fit) -> str:
    """Return the unit of what the fit predicts, in words."""
    if fit.law.response != "loss":
        return ""
    return "(unit unknown)" if fit.loss_unit == "unknown" else fit.loss_unit


def reach(plan: Plan) -> str:
    """Say how far the run lies beyond the fitted rows."""
    if beyond(plan) == 0:
        return "That is within the fitted rows."
    return f"That is **{beyond(plan):.1f} decades** beyond the fitted rows."


def figures(plan: Plan, fit: Fit) -> None:
    """Draw the large figures, each with its unit and interval."""
    cost = plan.cost
    hourly = None if cost.usd_compute is None else cost.usd_compute / cost.accelerator_hours
    with st.container(key="figures"), st.grid(4, min_column_width=140, gap="small"):
        _metric(
            f"Predicted {fit.law.response}",
            f"{plan.loss:.3f}",
            " ".join(part for part in (_span(plan.loss_interval, ".3f"), unit(fit)) if part),
            "Mean loss of such a run, with its confidence interval.",
        )
        _metric(
            "Model size N",
            format_number(plan.params),
            _span_of(plan.params_interval) or f"parameters, {plan.basis}",
            "Parameters, with their interval over the resampled fits.",
        )
        _metric(
            "Training data D",
            format_number(plan.tokens),
            _span_of(plan.tokens_interval) or f"tokens, {plan.basis}",
            "Tokens, with their interval over the resampled fits.",
        )
        _metric(
            "Tokens per parameter",
            format_number(plan.tokens_per_param),
            f"at {format_quantity(plan.compute_flop, 'flop')}",
            "D / N, and the training compute C.",
        )
        _metric(
            "Wall time",
            format_quantity(cost.wall_time_s, "seconds"),
            f"{cost.accelerators:,} side by side",
            "From start to end, failures and restarts included.",
        )
        _metric(
            "Accelerator-hours",
            format_number(cost.accelerator_hours),
            f"{format_number(cost.accelerator_hours / 24)} accelerator-days",
            "Accelerators times wall time.",
        )
        _metric(
            "Cost",
            "no price" if cost.usd_compute is None else format_quantity(cost.usd_compute, "usd"),
            "US dollars"
            if hourly is None
            else f"at {format_quantity(hourly, 'usd_per_hour')} each",
            "US dollars, for the accelerators alone.",
        )
        _metric(
            "Beyond the data",
            f"{beyond(plan):.1f} decades",
            _furthest(plan, fit),
            "Furthest distance of any input from the fitted rows, in powers of ten.",
        )


def beyond(plan: Plan) -> float:
    """Return how far the run lies beyond the fitted rows, in decades."""
    return max((abs(value) for value in plan.extrapolation_decades.values()), default=0.0)


def _span(interval: Interval | None, spec: str) -> str:
    return "" if interval is None else f"{interval.lower:{spec}} to {interval.upper:{spec}}"


def _metric(label: str, value: str, note: str, help: str) -> None:
    st.metric(
        label,
        value,
        delta=note or None,
        delta_color="off",
        delta_arrow="off",
        help=help,
    )


def _span_of(interval: Interval | None) -> str:
    if interval is None:
        return ""
    return f"{format_number(interval.lower)} to {format_number(interval.upper)}"


def _furthest(plan: Plan, fit: Fit) -> str:
    """Name the input that lies furthest beyond the rows."""
    decades = plan.extrapolation_decades
    if not any(decades.values()):
        return "within the rows"
    symbol = max(decades, key=lambda name: abs(decades[name]))
    column = next(item.column for item in fit.law.inputs if item.symbol == symbol)
    side = "above" if decades[symbol] > 0 else "below"
    return f"{axes.column_name(column).lower()} {side} the rows"
