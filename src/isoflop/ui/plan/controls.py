"""The controls of the Plan page: hardware, limits, model and layout, site, data and law."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

import streamlit as st

from isoflop.options import from_mapping, option
from isoflop.planning import DEFAULT_ACCELERATOR, Accelerator, Budget, PlanOptions, find_accelerator
from isoflop.planning.budget import price_usd_per_hour
from isoflop.planning.failures import Failures
from isoflop.planning.scenario import Scenario
from isoflop.planning.types import Dtype
from isoflop.ui import budget_inputs, controls, inputs, option_inputs, resolve
from isoflop.ui.inputs import Quantity
from isoflop.ui.plan import model as plan_model
from isoflop.ui.plan import saved as plan_saved
from isoflop.ui.state import DEFAULT_OPTIONS, Selection, remember

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


def everything() -> Inputs:
    """Draw every control of the page, and return what is chosen.

    Raises
    ------
    IsoflopError
        If the table cannot be had, or the budget is invalid.
    """
    st.header("Hardware", anchor=False)
    accelerator = accelerator_input()
    hardware = hardware_inputs(accelerator)
    st.header("Limits", anchor=False)
    budget = limit_inputs(accelerator, hardware)
    st.header("Model", anchor=False)
    size: dict[str, object] = {"params": budget_inputs.size()}
    if size["params"] is not None:
        size["tokens"] = budget_inputs.own(
            PlanOptions, "tokens", key="own-tokens", default=1e12, kind=inputs.TOKENS
        )
    given = (
        size
        | plan_model.model_inputs()
        | plan_model.request_inputs()
        | plan_model.site_inputs()
        | plan_model.besides_inputs()
    )
    options = from_mapping(PlanOptions, given)
    scenario = Scenario(accelerator=accelerator, budget=budget, options=options)
    st.header("Losses", anchor=False)
    return Inputs(selection=fit_inputs(scenario), scenario=scenario)


def accelerator_input() -> Accelerator:
    """Draw the choice among all accelerators, one's own too, and the editor beside it."""
    catalog = plan_saved.accelerators()
    plan_saved.take_just_saved("accelerator")
    chosen = inputs.choice(
        "Accelerator",
        {key: _accelerator_label(entry) for key, entry in catalog.items()},
        key="accelerator",
        default=DEFAULT_ACCELERATOR,
        help="The hardware that the run is trained on.",
    )
    accelerator = catalog.get(chosen) or find_accelerator(DEFAULT_ACCELERATOR)
    plan_saved.accelerator_details(accelerator)
    return accelerator


def _accelerator_label(accelerator: Accelerator) -> str:
    """Name an accelerator; say where its peak itself was not seen in a source."""
    is_doubtful = accelerator.training_dtype in accelerator.unverified
    return f"{accelerator.label} (unverified)" if is_doubtful else accelerator.label


def hardware_inputs(accelerator: Accelerator) -> Budget:
    """Draw how many work for how long and how well, and return that as a budget."""
    count = budget_inputs.count()
    time_s = budget_inputs.time(accelerator, count)
    dtype = _dtype_input(accelerator)
    mfu, realised, goodput = budget_inputs.own_shares()
    failures = plan_model.failure_inputs() if goodput is None else Failures()
    acquisition = plan_model.acquisition_inputs(accelerator)
    price = _price_input(accelerator) if acquisition.way == "on-demand" else None
    return Budget(
        accelerators=count,
        wall_time_s=time_s,
        mfu=mfu,
        realised=realised,
        goodput=goodput,
        failures=failures,
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
        return "No price is known: the slider counts only once you move it."
    source = f"{accelerator.price_source}, {accelerator.price_date}".strip(", ")
    is_doubtful = "price" in accelerator.unverified
    return f"Default: {source}{' (unverified)' if is_doubtful else ''}."


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
        st.caption("No price is known: money is no limit until you give one.")
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
        verb="Pay for",
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
    verb: str = "Limit",
    is_on: bool = False,
) -> float | None:
    """Draw a switch for a part of the budget and, where it is on, how much; or return None."""
    entry = option(Budget, name)
    label = f"{verb} {entry.label.lower()}"
    if not inputs.switch(label, key=f"limit.{key}", default=is_on, help=entry.help):
        return None
    return option_inputs.quantity(Budget, name, key=key, default=default, kind=kind)


def fit_inputs(scenario: Scenario) -> Selection:
    """Draw table, families, law and fit options, and return the selection.

    Raises
    ------
    IsoflopError
        If the table cannot be had.
    """
    table = controls.table_input()
    whole = resolve.table(table)
    families = controls.family_input(whole)
    chosen_rows = resolve.rows_of(whole, families)
    law_key, formula, column, parameters = controls.law_inputs(chosen_rows)
    selection = Selection(
        table=table,
        families=families,
        law=law_key,
        formula=formula,
        input_column=column,
        parameters=parameters,
        options=DEFAULT_OPTIONS,
        accelerator=scenario.accelerator.key,
        budget=scenario.budget,
        params=scenario.options.params,
    )
    law, published = resolve.law(selection, chosen_rows)
    options = controls.fit_options(chosen_rows, law if published is None else None)
    fixed: Mapping[str, float] = controls.fixed_inputs(law, chosen_rows)
    selection = replace(selection, fixed=fixed, options=options)
    remember(selection)
    return selection
