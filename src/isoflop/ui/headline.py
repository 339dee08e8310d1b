"""A plan at the top of a page: a paragraph, and large figures with their units and intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import escape
from itertools import zip_longest
from types import MappingProxyType

import streamlit as st

from isoflop.fitting import Fit
from isoflop.language import gettext as _
from isoflop.language import listed, sentences, translated
from isoflop.planning import Interval, Plan
from isoflop.planning.outlook import Outlook
from isoflop.planning.sheets import unit_of
from isoflop.plot import axes
from isoflop.tables.schema import said_response
from isoflop.ui import messages
from isoflop.ui.resolve import Fitted
from isoflop.units import Dimension, format_number
from isoflop.units.said import format_quantity

NO_OUTLOOK = Outlook(ahead=None, sizes=None)
"""Where nothing but the plan's own fit says anything."""


def train(plan: Plan, fitted: Fitted, seen: Outlook = NO_OUTLOOK) -> str:
    """Say in Markdown what to train on what, by which law and table, and which limit binds."""
    run = _(
        "Train **{params} parameters** on **{tokens} tokens** with {plan}.",
        params=format_number(plan.params),
        tokens=format_number(plan.tokens),
        plan=_means(plan),
    )
    best = "" if plan.basis == "chosen" else _("this is the best plan within the limits: ")
    case = _(
        "{by}, {best}{predicted}.",
        by=_by(fitted, seen),
        best=best,
        predicted=_predicted(plan, seen),
    )
    parts = (run, case, _gap(plan, fitted, seen), _binding(plan), _disagreement(seen))
    return translated(sentences(parts))


def reach(plan: Plan, fitted: Fitted, seen: Outlook = NO_OUTLOOK) -> str:
    """Say in Markdown what a budget reaches, by which law and table, how far beyond the data."""
    model = _(
        "**{params} parameters**{seen}", params=format_number(plan.params), seen=_give_or_take(seen)
    )
    tokens = _("**{tokens} tokens**", tokens=format_number(plan.tokens))
    if plan.basis == "compute-optimal":
        run = _(
            "the best model for {plan} has {model} and sees {tokens}",
            plan=_means(plan),
            model=model,
            tokens=tokens,
        )
    else:
        run = _(
            "with {plan}, a model of {model} sees {tokens}",
            plan=_means(plan),
            model=model,
            tokens=tokens,
        )
    case = _(
        "{by}, {run}: {predicted}.",
        by=_by(fitted, seen),
        run=run,
        predicted=_predicted(plan, seen),
    )
    parts = (case, _gap(plan, fitted, seen), _disagreement(seen))
    return translated(sentences(parts))


def _by(fitted: Fitted, seen: Outlook) -> str:
    """Name the law and the table that speak."""
    if seen.ahead is not None:
        by = seen.ahead.by
    elif fitted.published is not None:
        by = _("the published fit {label}", label=fitted.published.label)
    else:
        by = _("one law alone ({label})", label=fitted.fit.law.label)
    title = fitted.table.provenance.title or fitted.table.id
    return _("By **{by}** on **{title}**", by=messages.plain(by), title=messages.plain(title))


def _disagreement(seen: Outlook) -> str:
    return "" if seen.ahead is None else messages.plain(seen.ahead.disagreement_text())


def _give_or_take(seen: Outlook) -> str:
    return "" if seen.sizes is None else f" (×/÷ {seen.sizes.factor:.2g})"


def _means(plan: Plan) -> str:
    cost = plan.cost
    time = messages.plain(format_quantity(cost.wall_time_s, "seconds"))
    return _(
        "**{accelerators:,} {accelerator} for {time}**",
        accelerators=cost.accelerators,
        accelerator=messages.plain(plan.accelerator),
        time=time,
    )


def _predicted(plan: Plan, seen: Outlook) -> str:
    """Say what is predicted, with its band."""
    loss, ahead = plan.loss, seen.ahead
    interval = plan.loss_interval
    band = (
        ""
        if interval is None
        else _("{interval} at {level:.0%}", interval=_span(interval, ".3f"), level=interval.level)
    )
    if ahead is not None:
        loss = ahead.centre[0]
        band = _(
            "{lower:.3f} to {upper:.3f}, {band_name}",
            lower=ahead.lower[0],
            upper=ahead.upper[0],
            band_name=ahead.band_name(0),
        )
    value = _(
        "predicted {response} **{loss:.3f}** {plan}",
        response=said_response(messages.plain(plan.response)),
        loss=loss,
        plan=unit_of(plan),
    ).rstrip()
    return _("{value} ({band})", value=value, band=band) if band else value


def _gap(plan: Plan, fitted: Fitted, seen: Outlook) -> str:
    """Say how far beyond the data that lies."""
    if seen.ahead is not None:
        return _("That is **{where}**.", where=messages.plain(seen.ahead.where(0)))
    return _("That is **{plan}**.", plan=furthest(plan, fitted.fit))


def furthest(plan: Plan, fit: Fit) -> str:
    """Say in Markdown how far beyond the data the input lies that is farthest from it."""
    symbol, decades = plan.furthest
    if decades == 0:
        return _("within the data")
    column = next(item.column for item in fit.law.inputs if item.symbol == symbol)
    side = _("beyond") if decades > 0 else _("below")
    name = messages.plain(translated(axes.column_name(column)).lower())
    return _(
        "{decades:.1f} decades of {name} {side} the data",
        decades=abs(decades),
        name=name,
        side=side,
    )


def _binding(plan: Plan) -> str:
    """Say which limit binds and what relaxing it buys."""
    if not plan.binding:
        return ""
    first = plan.binding[0]
    names = listed(limit.label.lower() for limit in plan.binding)
    gain = _(
        "10% more {label} would lower the {response} by **{gain:.4f}**.",
        label=first.label.lower(),
        response=said_response(messages.plain(plan.response)),
        gain=first.gain,
    )
    if len(plan.binding) == 1:
        return _("The limit that binds is **{names}**: {gain}", names=names, gain=gain)
    return _("The limits that bind are **{names}**: {gain}", names=names, gain=gain)


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
    texts = (shown.label, shown.value, shown.note, shown.help)
    label, value, note, help = (escape(translated(text)) for text in texts)
    words = f'aria-label="{help}" data-why="{help}"'
    why = help and f' <span class="why" tabindex="0" role="note" {words}>?</span>'
    under = note and f"<dd>{note}</dd>"
    return f"<div><dt>{label}{why}</dt><dd>{value}</dd>{under}</div>"


def _loss(plan: Plan, fit: Fit, seen: Outlook) -> _Figure:
    if (ahead := seen.ahead) is not None:
        return _Figure(
            label=_("Predicted {response}", response=said_response(plan.response)),
            value=f"{ahead.centre[0]:.3f}",
            note=_(
                "{lower:.3f} to {upper:.3f} {plan}",
                lower=ahead.lower[0],
                upper=ahead.upper[0],
                plan=unit_of(plan),
            ).rstrip(),
            help=_(
                "By {by}, on {of_rows}; {band_name}.",
                by=ahead.by,
                of_rows=ahead.of_rows,
                band_name=ahead.band_name(0),
            ),
        )
    spread = _span(plan.loss_interval, ".3f")
    help = _(
        "Mean {response} of such runs, with its confidence interval.",
        response=said_response(plan.response),
    )
    if plan.loss_prediction is not None:
        level = plan.loss_prediction.level
        help += _(
            " One new run lies in {loss_prediction} at {level:.0%}.",
            loss_prediction=_span(plan.loss_prediction, ".3f"),
            level=level,
        )
    return _Figure(
        label=_("Predicted {response}", response=said_response(plan.response)),
        value=f"{plan.loss:.3f}",
        note=" ".join(filter(None, (spread, unit_of(plan)))),
        help=help,
    )


def _params(plan: Plan, fit: Fit, seen: Outlook) -> _Figure:
    if (sizes := seen.sizes) is not None:
        return _Figure(
            label=_("Model size N"),
            value=format_number(plan.params),
            note=_(
                "×/÷ {factor:.2g}: {lower} to {upper}",
                factor=sizes.factor,
                lower=format_number(sizes.lower),
                upper=format_number(sizes.upper),
            ),
            help=_(
                "Parameters. By all laws that have an optimum: {verdict}", verdict=sizes.verdict()
            ),
        )
    return _Figure(
        label=_("Model size N"),
        value=format_number(plan.params),
        note=_numbers(plan.params_interval) or _("parameters, {basis}", basis=_basis(plan)),
        help=_("Parameters, with an interval over the bootstrap fits."),
    )


def _tokens(plan: Plan, fit: Fit, seen: Outlook) -> _Figure:
    repeated = _(", and each unique token is seen {epochs:.1f} times", epochs=plan.epochs)
    per_param = _(
        "{tokens_per_param} tokens per parameter",
        tokens_per_param=format_number(plan.tokens_per_param),
    )
    if (sizes := seen.sizes) is not None:
        return _Figure(
            label=_("Training data D"),
            value=format_number(plan.tokens),
            note=_(
                "×/÷ {tokens_factor:.2g}: {tokens_lower} to {tokens_upper}",
                tokens_factor=sizes.tokens_factor,
                tokens_lower=format_number(sizes.tokens_lower),
                tokens_upper=format_number(sizes.tokens_upper),
            ),
            help=_(
                "Tokens; their range is what the compute leaves to the range of "
                "sizes. That is {per_param}.",
                per_param=per_param,
            ),
        )
    return _Figure(
        label=_("Training data D"),
        value=format_number(plan.tokens),
        note=_numbers(plan.tokens_interval) or _("tokens, {basis}", basis=_basis(plan)),
        help=_(
            "Tokens, with an interval over the bootstrap fits. That is {per_param}{repeated}.",
            per_param=per_param,
            repeated=repeated if plan.epochs > 1.01 else "",
        ),
    )


def _tokens_per_param(plan: Plan, fit: Fit, seen: Outlook) -> _Figure:
    return _Figure(
        label=_("Tokens per parameter"),
        value=format_number(plan.tokens_per_param),
        note=_("at {compute_flop}", compute_flop=format_quantity(plan.compute_flop, "flop")),
        help=_("D / N, at the training compute C."),
    )


def _compute(plan: Plan, fit: Fit, seen: Outlook) -> _Figure:
    return _Figure(
        label=_("Training compute"),
        value=format_quantity(plan.compute_flop, "flop"),
        note=f"{format_number(plan.cost.accelerator_hours)} accelerator-hours",
        help=plan.assumptions["Compute"],
    )


def _wall_time(plan: Plan, fit: Fit, seen: Outlook) -> _Figure:
    return _Figure(
        label=_("Wall time"),
        value=format_quantity(plan.cost.wall_time_s, "seconds"),
        note=_ends(plan.cost.wall_time_interval, "seconds")
        or _("{accelerators:,} accelerators in parallel", accelerators=plan.cost.accelerators),
        help=_(
            "From start to end, failures and restarts included; 80% of runs "
            "should lie in this range."
        ),
    )


def _hours(plan: Plan, fit: Fit, seen: Outlook) -> _Figure:
    return _Figure(
        label=_("Accelerator-hours"),
        value=format_number(plan.cost.accelerator_hours),
        note=_numbers(plan.cost.hours_interval)
        or f"{format_number(plan.cost.accelerator_days)} accelerator-days",
        help=_("Accelerators times wall time."),
    )


def _cost(plan: Plan, fit: Fit, seen: Outlook) -> _Figure:
    cost, hourly = plan.cost, plan.cost.usd_per_accelerator_hour
    return _Figure(
        label=_("Cost"),
        value=_("no price")
        if cost.usd_compute is None
        else format_quantity(cost.usd_compute, "usd"),
        note=_("US dollars")
        if hourly is None
        else _("at {hourly} each", hourly=format_quantity(hourly, "usd_per_hour")),
        help=_("In US dollars, for the accelerators alone."),
    )


def _money(plan: Plan, fit: Fit, seen: Outlook) -> _Figure:
    cost = plan.cost
    note = _("price or power unknown")
    if cost.usd is not None:
        parts = cost.usd_by_part.items()
        note = ", ".join(f"{name} {format_quantity(value, 'usd')}" for name, value in parts)
    spread = _ends(cost.usd_interval, "usd")
    return _Figure(
        label=_("Total cost"),
        value=_("no price") if cost.usd is None else format_quantity(cost.usd, "usd"),
        note=spread or note,
        help=_("In US dollars, with everything that is counted: {note}.", note=note),
    )


def _energy(plan: Plan, fit: Fit, seen: Outlook) -> _Figure:
    cost = plan.cost
    return _Figure(
        label=_("Energy"),
        value=_("unknown") if cost.energy_j is None else format_quantity(cost.energy_j, "joules"),
        note=_("no power figure") if cost.carbon_kg is None else _carbon(cost.carbon_kg),
        help=_(
            "Thermal design power times hours, with hosts and PUE; carbon by the "
            "intensity of the grid."
        ),
    )


def _carbon(kilograms: float) -> str:
    if kilograms >= 1000:
        return f"{format_number(kilograms / 1000)} t CO2"
    return _("{kilograms} kg CO2", kilograms=format_number(kilograms))


def _storage(plan: Plan, fit: Fit, seen: Outlook) -> _Figure:
    storage = plan.storage
    return _Figure(
        label=_("Storage"),
        value=format_quantity(storage.total_bytes, "bytes"),
        note=_(
            "{data_bytes} of tokenised data",
            data_bytes=format_quantity(storage.data_bytes, "bytes"),
        ),
        help=_("Tokenised data, the checkpoints that are kept, and logs."),
    )


def _extrapolated(plan: Plan, fit: Fit, seen: Outlook) -> _Figure:
    if (ahead := seen.ahead) is not None:
        decades, where = float(ahead.decades[0]), ahead.where(0)
        value = _("{decades:.2f} decades", decades=max(decades, 0.0))
        help = _(
            "Powers of ten beyond the data; bands were tested up to {most_decades:g}.",
            most_decades=ahead.most_decades,
        )
    else:
        where = furthest(plan, fit)
        value = _("{furthest:.1f} decades", furthest=abs(plan.furthest[1]))
        help = _(
            "How far the input that is farthest from the data lies beyond it, in powers of ten."
        )
    # In English what follows the figure says the rest; elsewhere words stand in another order.
    said = translated(where)
    note = said.partition(" decades ")[2] or said
    return _Figure(label=_("Extrapolation"), value=value, note=note, help=help)


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
    return _written(interval, lambda end: format(end, spec))


def _ends(interval: Interval | None, dimension: Dimension) -> str:
    return _written(interval, lambda end: format_quantity(end, dimension))


def _basis(plan: Plan) -> str:
    """Say where the size comes from."""
    return {
        "compute-optimal": _("compute-optimal"),
        "chosen": _("chosen"),
        "assumed": _("assumed"),
    }[plan.basis]


def _numbers(interval: Interval | None) -> str:
    return _written(interval, format_number)


def _written(interval: Interval | None, write: Callable[[float], str]) -> str:
    """Write an interval, its ends in one way; empty where there is none."""
    if interval is None:
        return ""
    return _("{lower} to {upper}", lower=write(interval.lower), upper=write(interval.upper))
