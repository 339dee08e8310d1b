"""The controls of the Plan page: hardware, limits and size, and what is assumed beside them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from isoflop.language import gettext as _
from isoflop.language import lazy_gettext
from isoflop.options import from_mapping, option
from isoflop.planning import DEFAULT_ACCELERATOR, Accelerator, Budget, PlanOptions, find_accelerator
from isoflop.planning.budget import price_usd_per_hour
from isoflop.planning.failures import Failures
from isoflop.planning.scenario import Scenario
from isoflop.planning.types import Dtype
from isoflop.ui import budget_inputs, inputs, option_inputs
from isoflop.ui.inputs import Quantity
from isoflop.ui.plan import model as plan_model
from isoflop.ui.plan import saved as plan_saved
from isoflop.ui.state import Selection

PRICE = replace(inputs.PRICE, stops=(0.0, *inputs.PRICE.stops))
BYTES = Quantity(
    dimension="bytes",
    stops=tuple(m * 10.0**p for p in range(11, 17) for m in (1, 2, 5)),
    write=lambda value: f"{value / 1e12:.6g} TB",
    default_unit="TB",
    upper=1e21,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Everything that the Plan page's result depends on.

    Parameters
    ----------
    selection : Selection
        Table, law and fit options; its budget is the scenario's.
    scenario : Scenario
    """

    selection: Selection
    scenario: Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """What is assumed of the run beside hardware, limits and size: it changes less often.

    Parameters
    ----------
    options : mapping of str to object
        Values of the options of a plan by name, as chosen.
    failures : Failures
    """

    options: plan_model.Given
    failures: Failures


def assumed() -> Assumed:
    """Draw the model's family and everything that is folded away, and return that."""
    options = plan_model.model_inputs()
    failures = plan_model.failure_inputs()
    return Assumed(
        options=options
        | plan_model.request_inputs()
        | plan_model.site_inputs()
        | plan_model.besides_inputs(),
        failures=failures,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Untimed:
    """Everything assumed of the run but how many accelerators for how long, which has its place.

    Parameters
    ----------
    scenario : Scenario
        For some of them and some time.
    place : DeltaGenerator
    """

    scenario: Scenario
    place: DeltaGenerator


def untimed(beside: Assumed) -> Untimed:
    """Draw hardware, limits and the model's size, and return them with what is assumed beside.

    Raises
    ------
    PlanError
        If the budget is invalid.
    """
    st.header(_("Hardware"), anchor=False)
    accelerator = accelerator_input()
    place = st.container()
    hardware = replace(hardware_inputs(accelerator), failures=beside.failures)
    st.header(_("Limits"), anchor=False)
    budget = limit_inputs(accelerator, hardware)
    st.header(_("Model"), anchor=False)
    size: plan_model.Given = {"params": budget_inputs.size()}
    if size["params"] is not None:
        size["tokens"] = budget_inputs.own(
            PlanOptions, "tokens", key="own-tokens", default=1e12, kind=inputs.TOKENS
        )
    options = from_mapping(PlanOptions, size | beside.options)
    scenario = Scenario(accelerator=accelerator, budget=budget, options=options)
    return Untimed(scenario=scenario, place=place)


def timed(given: Untimed) -> Scenario:
    """Draw how many accelerators for how long, and return everything that is assumed of the run."""
    scenario = given.scenario
    with given.place:
        ask = option_inputs.quantity
        budget = replace(scenario.budget, accelerators=budget_inputs.count(ask))
        time_s = budget_inputs.time(scenario.accelerator, budget.count, ask)
    return replace(scenario, budget=replace(budget, wall_time_s=time_s))


def accelerator_input() -> Accelerator:
    """Draw the choice among all accelerators, one's own too, and the editor beside it."""
    catalog = plan_saved.accelerators()
    plan_saved.take_just_saved("accelerator")
    chosen = inputs.choice(
        _("Accelerator"),
        {key: _accelerator_label(entry) for key, entry in catalog.items()},
        key="accelerator",
        default=DEFAULT_ACCELERATOR,
        help=_("The hardware that the run is trained on."),
    )
    accelerator = catalog.get(chosen) or find_accelerator(DEFAULT_ACCELERATOR)
    plan_saved.accelerator_details(accelerator)
    return accelerator


def _accelerator_label(accelerator: Accelerator) -> str:
    """Name an accelerator; say where its peak itself was not seen in a source."""
    is_doubtful = accelerator.training_dtype in accelerator.unverified
    return _("{label} (unverified)", label=accelerator.label) if is_doubtful else accelerator.label


def hardware_inputs(accelerator: Accelerator) -> Budget:
    """Draw how well accelerators work and what they cost, and return that as a budget."""
    dtype = _dtype_input(accelerator)
    mfu, realised, goodput = budget_inputs.own_shares()
    acquisition = plan_model.acquisition_inputs(accelerator)
    price = _price_input(accelerator) if acquisition.way == "on-demand" else None
    return Budget(
        wall_time_s=budget_inputs.DEFAULT_TIME_S,
        mfu=mfu,
        realised=realised,
        goodput=goodput,
        price_usd_per_hour=price,
        acquisition=acquisition,
        dtype=dtype,
    )


def _price_input(accelerator: Accelerator) -> float | None:
    """Draw the price of one rented hour, and return it; None where none is known or given."""
    known = accelerator.price_usd_per_hour
    price = option_inputs.quantity(
        Budget,
        "price_usd_per_hour",
        key="price",
        default=1.0 if known is None else known,
        kind=PRICE,
        note=_price_note(accelerator),
        is_default_fixed=False,
    )
    has_price = known is not None or bool(st.session_state.get("price"))
    return price if has_price else None


def _price_note(accelerator: Accelerator) -> str:
    if accelerator.price_usd_per_hour is None:
        return _("No price is known: the slider counts only once you move it.")
    source = f"{accelerator.price_source}, {accelerator.price_date}".strip(", ")
    is_doubtful = "price" in accelerator.unverified
    return _(
        "Default: {source}{is_doubtful}.",
        source=source,
        is_doubtful=_(" (unverified)") if is_doubtful else "",
    )


def _dtype_input(accelerator: Accelerator) -> Dtype:
    """Draw the choice of the type to compute in, where there is one."""
    chosen = option_inputs.choice(
        Budget,
        "dtype",
        key="dtype",
        default=accelerator.training_dtype,
        offered={dtype: dtype.upper() for dtype in accelerator.peak_flop_per_s},
    )
    return cast(Dtype, chosen)


def limit_inputs(accelerator: Accelerator, hardware: Budget) -> Budget:
    """Draw the limits beside hardware and time, and return the budget with them."""
    money = limit("usd", key="money", default=2e6, kind=inputs.MONEY, is_on=True)
    if money is not None and price_usd_per_hour(hardware, accelerator) is None:
        st.caption(_("No price is known: money is no limit until you give one."))
        money = None
    storage = limit("storage_bytes", key="storage", default=100e12, kind=BYTES, is_on=True)
    compute = limit("compute_flop", key="flop", default=1e24, kind=inputs.COMPUTE)
    unique = limit("unique_tokens", key="unique", default=1e12, kind=inputs.TOKENS)
    may_repeat = unique is None or option_inputs.switch(Budget, "may_repeat", key="repeat")
    inference = limit(
        "lifetime_inference_tokens",
        key="inference",
        default=1e13,
        kind=inputs.TOKENS,
        verb=_("Pay for"),
    )
    return replace(
        hardware,
        usd=money,
        storage_bytes=storage,
        compute_flop=compute,
        unique_tokens=unique,
        may_repeat=may_repeat,
        lifetime_inference_tokens=inference or 0.0,
    )


def limit(
    name: str,
    *,
    key: str,
    default: float,
    kind: Quantity,
    verb: str = lazy_gettext("Limit"),
    is_on: bool = False,
) -> float | None:
    """Draw a switch for a part of the budget and, where it is on, how much; or return None."""
    entry = option(Budget, name)
    label = _("{verb} {label}", verb=verb, label=entry.label.lower())
    if not inputs.switch(label, key=f"limit.{key}", default=is_on, help=entry.help):
        return None
    return option_inputs.quantity(Budget, name, key=key, default=default, kind=kind)
