"""A plan at the top of a page: a paragraph, and large figures with their units and intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import escape
from itertools import zip_longest
from types import MappingProxyType

import streamlit as st

from isoflop.fitting import Fit
from isoflop.planning import Interval, Plan
from isoflop.planning.outlook import Outlook
from isoflop.planning.sheets import unit_of
from isoflop.plot import axes
from isoflop.ui import messages
from isoflop.ui.resolve import Fitted
from isoflop.units import Dimension, format_number, format_quantity

NO_OUTLOOK = Outlook(ahead=None, sizes=None)
"""Where nothing but the plan's own fit says anything."""


def train(plan: Plan, fitted: Fitted, seen: Outlook = NO_OUTLOOK) -> str:
    """Say in Markdown what to train on what, by which law and table, and which limit binds."""
    run = (
        f"Train **{format_number(plan.params)} parameters** on **{format_number(plan.tokens)} "
        f"tokens** with {_means(plan)}."
    )
    best = "" if plan.basis == "chosen" else "this is the best plan within the limits: "
    case = f"{_by(fitted, seen)}, {best}{_predicted(plan, seen)}."
    parts = (run, case, _gap(plan, fitted, seen), _binding(plan), _disagreement(seen))
    return " ".join(part for part in parts if part)


def reach(plan: Plan, fitted: Fitted, seen: Outlook = NO_OUTLOOK) -> str:
    """Say in Markdown what a budget reaches, by which law and table, how far beyond the data."""
    model = f"**{format_number(plan.params)} parameters**{_give_or_take(seen)}"
    tokens = f"**{format_number(plan.tokens)} tokens**"
    if plan.basis == "compute-optimal":
        run = f"the best model for {_means(plan)} has {model} and sees {tokens}"
    else:
        run = f"with {_means(plan)}, a model of {model} sees {tokens}"
    case = f"{_by(fitted, seen)}, {run}: {_predicted(plan, seen)}."
    parts = (case, _gap(plan, fitted, seen), _disagreement(seen))
    return " ".join(part for part in parts if part)


def _by(fitted: Fitted, seen: Outlook) -> str:
    """Name the law and the table that speak."""
    if seen.ahead is not None:
        by = seen.ahead.by
    elif fitted.published is not None:
        by = f"the published fit {fitted.published.label}"
    else:
        by = f"one law alone ({fitted.fit.law.label})"
    title = fitted.table.provenance.title or fitted.table.id
    return f"By **{messages.plain(by)}** on **{messages.plain(title)}**"


def _disagreement(seen: Outlook) -> str:
    return "" if seen.ahead is None else messages.plain(seen.ahead.disagreement_text())


def _give_or_take(seen: Outlook) -> str:
    return "" if seen.sizes is None else f" (×/÷ {seen.sizes.factor:.2g})"


def _means(plan: Plan) -> str:
    cost = plan.cost
    time = messages.plain(format_quantity(cost.wall_time_s, "seconds"))
    return f"**{cost.accelerators:,} {messages.plain(plan.accelerator)} for {time}**"


def _predicted(plan: Plan, seen: Outlook) -> str:
    """Say what is predicted, with its band."""
    loss, ahead = plan.loss, seen.ahead
    interval = plan.loss_interval
    band = "" if interval is None else f"{_span(interval, '.3f')} at {interval.level:.0%}"
    if ahead is not None:
        loss = ahead.centre[0]
        band = f"{ahead.lower[0]:.3f} to {ahead.upper[0]:.3f}, {ahead.band_name(0)}"
    value = f"predicted {messages.plain(plan.response)} **{loss:.3f}** {unit_of(plan)}".rstrip()
    return f"{value} ({band})" if band else value


def _gap(plan: Plan, fitted: Fitted, seen: Outlook) -> str:
    """Say how far beyond the data that lies."""
    if seen.ahead is not None:
        return f"That is **{messages.plain(seen.ahead.where(0))}**."
    return f"That is **{furthest(plan, fitted.fit)}**."


def furthest(plan: Plan, fit: Fit) -> str:
    """Say in Markdown how far beyond the data the input lies that is farthest from it."""
    symbol, decades = plan.furthest
    if decades == 0:
        return "within the data"
    column = next(item.column for item in fit.law.inputs if item.symbol == symbol)
    side = "beyond" if decades > 0 else "below"
    name = messages.plain(axes.column_name(column).lower())
    return f"{abs(decades):.1f} decades of {name} {side} the data"


def _binding(plan: Plan) -> str:
    """Say which limit binds and what relaxing it buys."""
    if not plan.binding:
        return ""
    first = plan.binding[0]
    names = " and ".join(limit.label.lower() for limit in plan.binding)
    gain = (
        f"10% more {first.label.lower()} would lower the {messages.plain(plan.response)} by "
        f"**{first.gain:.4f}**."
    )
    if len(plan.binding) == 1:
        return f"The limit that binds is **{names}**: {gain}"
    return f"The limits that bind are **{names}**: {gain}"


@dataclass(frozen=True, slots=True)
class _Figure:
    """One large figure: what it is, its value, what stands under it, and its help."""

    label: str
    value: str
    note: str = ""
    help: str = ""


def figures(plan: Plan, fit: Fit, names: Iterable[str], seen: Outlook = NO_OUTLOOK) -> None:
    """Draw large figures of a plan.

    Parameters
    ----------
    plan : Plan
    fit : Fit
    names : iterable of str
        Which of `FIGURES`, in this order.
    seen : Outlook
        What all laws of the table say of it.
    """
    _cards(FIGURES[name](plan, fit, seen) for name in names)


def cards(shown: Iterable[tuple[str, str, str, str]]) -> None:
    """Draw large figures by their label, value, the note under it and the help."""
    _cards(_Figure(*one) for one in shown)


def values(labels: Iterable[str], shown: Iterable[str], notes: Iterable[str] = ()) -> None:
    """Draw large figures by their labels, each with a note under it if there are any."""
    found = zip_longest(labels, shown, notes, fillvalue="")
    _cards(_Figure(label=label, value=value, note=note) for label, value, note in found)


def _cards(shown: Iterable[_Figure]) -> None:
    """Draw large figures as one element: a browser takes 5 ms for each of Streamlit's own."""
    st.html(f'<dl class="figures">{"".join(map(_card, shown))}</dl>')


def _card(shown: _Figure) -> str:
    label, value, note, help = map(escape, (shown.label, shown.value, shown.note, shown.help))
    words = f'aria-label="{help}" data-why="{help}"'
    why = help and f' <span class="why" tabindex="0" role="note" {words}>?</span>'
    under = note and f"<dd>{note}</dd>"
    return f"<div><dt>{label}{why}</dt><dd>{value}</dd>{under}</div>"


def _loss(plan: Plan, fit: Fit, seen: Outlook) -> _Figure:
    if (ahead := seen.ahead) is not None:
        return _Figure(
            label=f"Predicted {plan.response}",
            value=f"{ahead.centre[0]:.3f}",
            note=f"{ahead.lower[0]:.3f} to {ahead.upper[0]:.3f} {unit_of(plan)}".rstrip(),
            help=f"By {ahead.by}, on {ahead.of_rows}; {ahead.band_name(0)}.",
        )
    spread = _span(plan.loss_interval, ".3f")
    help = f"Mean {plan.response} of such runs, with its confidence interval."
    if plan.loss_prediction is not None:
        level = plan.loss_prediction.level
        help += f" One new run lies in {_span(plan.loss_prediction, '.3f')} at {level:.0%}."
    return _Figure(
        label=f"Predicted {plan.response}",
        value=f"{plan.loss:.3f}",
        note=" ".join(part for part in (spread, unit_of(plan)) if part),
        help=help,
    )


def _params(plan: Plan, fit: Fit, seen: Outlook) -> _Figure:
    if (sizes := seen.sizes) is not None:
        return _Figure(
            label="Model size N",
            value=format_number(plan.params),
            note=f"×/÷ {sizes.factor:.2g}: {format_number(sizes.lower)} to "
            f"{format_number(sizes.upper)}",
            help=f"Parameters. By all laws that have an optimum: {sizes.verdict()}",
        )
    return _Figure(
        label="Model size N",
        value=format_number(plan.params),
        note=_numbers(plan.params_interval) or f"parameters, {plan.basis}",
        help="Parameters, with an interval over the bootstrap fits.",
    )


def _tokens(plan: Plan, fit: Fit, seen: Outlook) -> _Figure:
    repeated = f", and each unique token is seen {plan.epochs:.1f} times"
    per_param = f"{format_number(plan.tokens_per_param)} tokens per parameter"
    if (sizes := seen.sizes) is not None:
        return _Figure(
            label="Training data D",
            value=format_number(plan.tokens),
            note=f"×/÷ {sizes.tokens_factor:.2g}: {format_number(sizes.tokens_lower)} to "
            f"{format_number(sizes.tokens_upper)}",
            help="Tokens; their range is what the compute leaves to the range of sizes. "
            f"That is {per_param}.",
        )
    return _Figure(
        label="Training data D",
        value=format_number(plan.tokens),
        note=_numbers(plan.tokens_interval) or f"tokens, {plan.basis}",
        help="Tokens, with an interval over the bootstrap fits. "
        f"That is {per_param}{repeated if plan.epochs > 1.01 else ''}.",
    )


def _tokens_per_param(plan: Plan, fit: Fit, seen: Outlook) -> _Figure:
    return _Figure(
        label="Tokens per parameter",
        value=format_number(plan.tokens_per_param),
        note=f"at {format_quantity(plan.compute_flop, 'flop')}",
        help="D / N, at the training compute C.",
    )


def _compute(plan: Plan, fit: Fit, seen: Outlook) -> _Figure:
    return _Figure(
        label="Training compute",
        value=format_quantity(plan.compute_flop, "flop"),
        note=f"{format_number(plan.cost.accelerator_hours)} accelerator-hours",
        help=plan.assumptions["Compute"],
    )


def _wall_time(plan: Plan, fit: Fit, seen: Outlook) -> _Figure:
    return _Figure(
        label="Wall time",
        value=format_quantity(plan.cost.wall_time_s, "seconds"),
        note=_ends(plan.cost.wall_time_interval, "seconds")
        or f"{plan.cost.accelerators:,} accelerators in parallel",
        help="From start to end, failures and restarts included; 80% of runs should lie in this "
        "range.",
    )


def _hours(plan: Plan, fit: Fit, seen: Outlook) -> _Figure:
    return _Figure(
        label="Accelerator-hours",
        value=format_number(plan.cost.accelerator_hours),
        note=_numbers(plan.cost.hours_interval)
        or f"{format_number(plan.cost.accelerator_days)} accelerator-days",
        help="Accelerators times wall time.",
    )


def _cost(plan: Plan, fit: Fit, seen: Outlook) -> _Figure:
    cost, hourly = plan.cost, plan.cost.usd_per_accelerator_hour
    return _Figure(
        label="Cost",
        value="no price" if cost.usd_compute is None else format_quantity(cost.usd_compute, "usd"),
        note="US dollars"
        if hourly is None
        else f"at {format_quantity(hourly, 'usd_per_hour')} each",
        help="In US dollars, for the accelerators alone.",
    )


def _money(plan: Plan, fit: Fit, seen: Outlook) -> _Figure:
    cost = plan.cost
    note = "price or power unknown"
    if cost.usd is not None:
        parts = cost.usd_by_part.items()
        note = ", ".join(f"{name} {format_quantity(value, 'usd')}" for name, value in parts)
    spread = _ends(cost.usd_interval, "usd")
    return _Figure(
        label="Total cost",
        value="no price" if cost.usd is None else format_quantity(cost.usd, "usd"),
        note=spread or note,
        help=f"In US dollars, with everything that is counted: {note}.",
    )


def _energy(plan: Plan, fit: Fit, seen: Outlook) -> _Figure:
    cost = plan.cost
    return _Figure(
        label="Energy",
        value="unknown" if cost.energy_j is None else format_quantity(cost.energy_j, "joules"),
        note="no power figure" if cost.carbon_kg is None else _carbon(cost.carbon_kg),
        help="Thermal design power times hours, with hosts and PUE; carbon by the intensity of the "
        "grid.",
    )


def _carbon(kilograms: float) -> str:
    if kilograms >= 1000:
        return f"{format_number(kilograms / 1000)} t CO2"
    return f"{format_number(kilograms)} kg CO2"


def _storage(plan: Plan, fit: Fit, seen: Outlook) -> _Figure:
    storage = plan.storage
    return _Figure(
        label="Storage",
        value=format_quantity(storage.total_bytes, "bytes"),
        note=f"{format_quantity(storage.data_bytes, 'bytes')} of tokenised data",
        help="Tokenised data, the checkpoints that are kept, and logs.",
    )


def _extrapolated(plan: Plan, fit: Fit, seen: Outlook) -> _Figure:
    if (ahead := seen.ahead) is not None:
        decades, where = float(ahead.decades[0]), ahead.where(0)
        value = f"{max(decades, 0.0):.2f} decades"
        help = f"Powers of ten beyond the data; bands were tested up to {ahead.most_decades:g}."
    else:
        where = furthest(plan, fit)
        value = f"{abs(plan.furthest[1]):.1f} decades"
        help = "How far the input that is farthest from the data lies beyond it, in powers of ten."
    note = where.partition(" decades ")[2] or where
    return _Figure(label="Extrapolation", value=value, note=note, help=help)


FIGURES: Mapping[str, Callable[[Plan, Fit, Outlook], _Figure]] = MappingProxyType(
    {
        "loss": _loss,
        "params": _params,
        "tokens": _tokens,
        "tokens_per_param": _tokens_per_param,
        "compute": _compute,
        "wall_time": _wall_time,
        "hours": _hours,
        "cost": _cost,
        "money": _money,
        "energy": _energy,
        "storage": _storage,
        "extrapolation": _extrapolated,
    }
)
"""Every large figure of a plan, by name."""


def _span(interval: Interval | None, spec: str) -> str:
    return "" if interval is None else f"{interval.lower:{spec}} to {interval.upper:{spec}}"


def _ends(interval: Interval | None, dimension: Dimension) -> str:
    if interval is None:
        return ""
    ends = (format_quantity(end, dimension) for end in (interval.lower, interval.upper))
    return " to ".join(ends)


def _numbers(interval: Interval | None) -> str:
    if interval is None:
        return ""
    return f"{format_number(interval.lower)} to {format_number(interval.upper)}"
