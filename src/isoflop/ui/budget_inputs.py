"""The controls of a budget: accelerators, time, compute or money, and the model's size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from isoflop.errors import PlanError, UnitError
from isoflop.language import gettext as _
from isoflop.language import in_a_sentence
from isoflop.options import option
from isoflop.planning import (
    DEFAULT_ACCELERATOR,
    Accelerator,
    Budget,
    PlanOptions,
    compute_flop,
    load_accelerators,
)
from isoflop.planning.budget import model_flop_per_s
from isoflop.ui import address, inputs, messages, option_inputs
from isoflop.ui.option_inputs import Ask
from isoflop.units import DAY_S, accelerator_time
from isoflop.units.said import format_quantity

DEFAULT_COUNT = 512
DEFAULT_TIME_S = 30 * DAY_S


AMOUNTS = {
    "hardware": ("time", inputs.TIME),
    "flop": ("flop", inputs.COMPUTE),
    "money": ("money", inputs.MONEY),
}
"""What there is how much of, by the kind of a budget: parameter of the address, and its kind."""


def steps() -> None:
    """Draw two buttons that make the budget smaller or larger, for where its controls are away."""
    with st.container(horizontal=True, vertical_alignment="center", key="steps"):
        for label, sign, is_up in (
            (_("Smaller budget"), "remove", False),
            (_("Larger budget"), "add", True),
        ):
            st.button(
                label,
                icon=f":material/{sign}:",
                key=f"steps.{sign}",
                on_click=_step,
                args=(is_up,),
                width="stretch",
            )


def _step(is_up: bool) -> None:
    key, kind = AMOUNTS[st.session_state.get("budget", "hardware")]
    inputs.step(key, kind, is_up=is_up)


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What there is, apart from how much, and where that is asked for.

    Parameters
    ----------
    mode : {"hardware", "flop", "money"}
    accelerator : Accelerator
    rest : mapping of str to object
        The budget's other fields.
    place, count_place : DeltaGenerator
        Of the amount, and of the number of accelerators.
    """

    mode: str
    accelerator: Accelerator
    rest: Mapping[str, Any]
    place: DeltaGenerator
    count_place: DeltaGenerator


def means() -> Means:
    """Draw everything about a budget but how much there is, for which places are left."""
    mode = inputs.choice(
        _("Budget"),
        {"hardware": _("Hardware"), "flop": "FLOP", "money": _("Money")},
        key="budget",
        default="hardware",
        help=_("What limits the run: accelerators for some time, compute, or money."),
        style="row",
    )
    place = st.container()
    catalog = load_accelerators()
    accelerator = catalog[
        inputs.choice(
            _("Accelerator"),
            {key: entry.label for key, entry in catalog.items()},
            key="accelerator",
            default=DEFAULT_ACCELERATOR,
            help=_("The hardware that the run is trained on."),
        )
    ]
    count_place = st.container()
    mfu = own_mfu()
    price = accelerator.price_usd_per_hour
    if mode == "money" or price is None:
        price = option_inputs.quantity(
            Budget,
            "price_usd_per_hour",
            key="price",
            default=price or 1.0,
            kind=inputs.PRICE,
            is_default_fixed=False,
        )
    rest = {"mfu": mfu, "price_usd_per_hour": price}
    return Means(
        mode=mode, accelerator=accelerator, rest=rest, place=place, count_place=count_place
    )


def held(given: Means) -> Budget:
    """Return the budget that the inputs are about to show, before any is drawn.

    Raises
    ------
    PlanError
        If the budget is invalid.
    """
    rest = {"accelerators": count(option_inputs.held), **given.rest}
    return amount_of(given.mode, given.accelerator, rest, option_inputs.held)


def budget_of(given: Means) -> Budget:
    """Draw how much there is, in its places, and return the budget.

    Raises
    ------
    PlanError
        If the budget is invalid.
    """
    with given.count_place:
        rest = {"accelerators": count(option_inputs.quantity), **given.rest}
    with given.place:
        budget = amount_of(given.mode, given.accelerator, rest, option_inputs.quantity)
        try:
            made = format_quantity(compute_flop(budget, given.accelerator), "flop")
            st.caption(_("That is about **{made}** of training compute.", made=made))
        except PlanError as problem:
            messages.show(problem)
    return budget


OWN_MFU, OWN_REALISED, OWN_GOODPUT = 0.4, 1.0, 0.9
"""Where the sliders of a person's own figures start."""
FROM_THIRD = replace(inputs.SHARE, stops=tuple(round(0.3 + 0.01 * step, 2) for step in range(71)))


def own_mfu() -> float | None:
    """Draw the switch for a utilisation of one's own and its slider; None to predict it."""
    return own(Budget, "mfu", key="mfu", default=OWN_MFU, kind=inputs.SHARE)


def own_shares() -> tuple[float | None, float | None, float | None]:
    """Draw the switches for one's own utilisation, realised speed and goodput; return them."""
    mfu = own_mfu()
    realised = None
    if mfu is None:
        realised = own(Budget, "realised", key="realised", default=OWN_REALISED, kind=FROM_THIRD)
    return (
        mfu,
        realised,
        own(Budget, "goodput", key="goodput", default=OWN_GOODPUT, kind=FROM_THIRD),
    )


def own(owner: type, name: str, *, key: str, default: float, kind: inputs.Quantity) -> float | None:
    """Draw the switch for a figure of one's own and its slider; None to take what is predicted.

    Parameters
    ----------
    owner : type
        Class of the options.
    name : str
        Of the option.
    key : str
        Parameter of the address.
    default : float
        Where the slider starts.
    kind : Quantity
    """
    entry = option(owner, name)
    label = _("My own {label}", label=in_a_sentence(entry.label))
    # A link holds a figure only where it is one's own; one that cannot be read is none.
    is_given = _can_be_read(st.query_params.get(key, ""), kind)
    if not inputs.switch(
        label, key=f"own.{key}", default=False, help=entry.help, is_asked=is_given
    ):
        address.write(key, ())
        return None
    return option_inputs.quantity(owner, name, key=key, default=default, kind=kind)


def _can_be_read(text: str, kind: inputs.Quantity) -> bool:
    try:
        kind.read(text)
    except UnitError:
        return False
    return True


def count(ask: Ask) -> int:
    """Ask how many accelerators there are, and return it."""
    return int(ask(Budget, "accelerators", key="count", default=DEFAULT_COUNT, kind=inputs.COUNT))


def amount_of(mode: str, accelerator: Accelerator, rest: Mapping[str, Any], ask: Ask) -> Budget:
    """Ask for the compute, money or time there is, and return the budget.

    Parameters
    ----------
    mode : {"hardware", "flop", "money"}
    accelerator : Accelerator
    rest : mapping of str to object
        The budget's other fields.
    ask : callable
        Draws each number, or returns what is held of it.
    """
    if mode == "money":
        usd = ask(Budget, "usd", key="money", default=1e6, kind=inputs.MONEY)
        return Budget(usd=usd, **rest)
    second = Budget(wall_time_s=1.0, **rest)

    def flop_of(text: str) -> float | None:
        each_s = time_of_each(text, accelerator, second.count)
        return None if each_s is None else each_s * model_flop_per_s(second, accelerator)

    if mode == "flop":
        made = ask(
            Budget,
            "compute_flop",
            key="flop",
            default=1e23,
            kind=replace(inputs.COMPUTE, also=flop_of),
            note=_("Accelerators times time can be given, too: 500 GPU-days."),
        )
        return Budget(compute_flop=made, **rest)
    return Budget(wall_time_s=time(accelerator, second.count, ask), **rest)


def time(accelerator: Accelerator, n_accelerators: int, ask: Ask) -> float:
    """Ask how long the accelerators work, and return it."""
    return ask(
        Budget,
        "wall_time_s",
        key="time",
        default=DEFAULT_TIME_S,
        kind=replace(
            inputs.TIME, also=lambda text: time_of_each(text, accelerator, n_accelerators)
        ),
        note=_("Accelerators times time can be given, too: 500 GPU-days."),
    )


def time_of_each(text: str, accelerator: Accelerator, n_accelerators: int) -> float | None:
    """Return the seconds that each accelerator works, of a text such as ``500 H100-days``.

    None where the text does not give accelerators times a time.

    Raises
    ------
    UnitError
        If it names another accelerator than the one that is chosen.
    """
    found = accelerator_time(text)
    if found is None:
        return None
    if not accelerator.is_called(found.device):
        raise UnitError(
            _(
                "{device} is not the accelerator that is chosen, {label}.",
                device=found.device,
                label=accelerator.label,
            ),
            hint=_("Choose it under Accelerator, or write GPU-days."),
        )
    return found.seconds / n_accelerators


def size() -> float | None:
    """Draw the choice of a model size, and return it; None for the compute-optimal one."""
    mode = inputs.choice(
        _("Model size"),
        {"optimal": _("Compute-optimal"), "chosen": _("My own")},
        key="size",
        default="optimal",
        help=_("Train the compute-optimal size by the law, or a size of your own."),
        style="row",
    )
    if mode == "optimal":
        return None
    return option_inputs.quantity(
        PlanOptions, "params", key="params", default=7e9, kind=inputs.PARAMS
    )
