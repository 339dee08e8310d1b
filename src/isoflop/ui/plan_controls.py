"""The controls of the Plan page: hardware, limits, model and layout, site, data and law."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

import streamlit as st

from isoflop.fitting import FitOptions
from isoflop.planning import Accelerator, Budget, PlanOptions, find_accelerator
from isoflop.planning.scenario import Scenario
from isoflop.planning.types import DEFAULT_GOODPUT, Dtype
from isoflop.ui import caching, controls, inputs, plan_model, plan_saved, spending
from isoflop.ui.inputs import Quantity
from isoflop.ui.state import Selection, remember
from isoflop.units import DAY_S

GOODPUT = replace(inputs.SHARE, stops=tuple(round(0.5 + 0.01 * step, 2) for step in range(51)))
PRICE = replace(inputs.PRICE, stops=(0.0, *inputs.PRICE.stops), lower=0.0)
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
        If the table cannot be had, or the budget makes no sense.
    """
    st.subheader("Hardware", anchor=False)
    accelerator = accelerator_input()
    hardware = hardware_inputs(accelerator)
    st.subheader("Limits", anchor=False)
    budget = limit_inputs(hardware)
    st.subheader("Model", anchor=False)
    options = plan_model.model_inputs(PlanOptions(params=spending.size_input()))
    options = plan_model.site_inputs(options)
    scenario = Scenario(accelerator=accelerator, budget=budget, options=options)
    st.subheader("Losses", anchor=False)
    return Inputs(selection=fit_inputs(scenario), scenario=scenario)


def accelerator_input() -> Accelerator:
    """Draw the choice among all accelerators, one's own too, and the editor beside it."""
    catalog = plan_saved.accelerators()
    plan_saved.take_just_saved("accelerator")
    chosen = inputs.choice(
        "Accelerator",
        {key: _accelerator_label(entry) for key, entry in catalog.items()},
        key="accelerator",
        default=spending.DEFAULT_ACCELERATOR,
        help="What the run is trained on.",
    )
    accelerator = catalog.get(chosen) or find_accelerator(spending.DEFAULT_ACCELERATOR)
    plan_saved.accelerator_details(accelerator)
    return accelerator


def _accelerator_label(accelerator: Accelerator) -> str:
    """Name an accelerator; say where its peak itself was not seen in a source."""
    is_doubtful = accelerator.training_dtype in accelerator.unverified
    return f"{accelerator.label} (unverified)" if is_doubtful else accelerator.label


def hardware_inputs(accelerator: Accelerator) -> Budget:
    """Draw how many work for how long and how well, and return that as a budget."""
    count = inputs.quantity(
        "Accelerators S",
        key="count",
        default=512,
        kind=inputs.COUNT,
        help="How many work side by side.",
    )
    time_s = inputs.quantity(
        "Time R",
        key="time",
        default=30 * DAY_S,
        kind=inputs.TIME,
        help="Wall time of the run, such as 30 days or 12 h.",
    )
    dtype = _dtype_input(accelerator)
    mfu = inputs.quantity(
        "Utilisation (MFU)",
        key="mfu",
        default=accelerator.default_mfu_for(dtype),
        kind=inputs.SHARE,
        help="Share of the dense peak that the model's own FLOP reach while the run is up. "
        f"Default: {accelerator.mfu_evidence}.",
        is_default_fixed=False,
    )
    goodput = inputs.quantity(
        "Goodput",
        key="goodput",
        default=DEFAULT_GOODPUT,
        kind=GOODPUT,
        help="Share of the wall time that trains; the rest is failures, restarts, evaluation.",
    )
    known = accelerator.price_usd_per_hour
    price = inputs.quantity(
        "Price of one",
        key="price",
        default=1.0 if known is None else known,
        kind=PRICE,
        help=f"US dollars an accelerator-hour. {_price_help(accelerator)}",
        is_default_fixed=False,
    )
    has_price = known is not None or bool(st.session_state.get("price"))
    return Budget(
        accelerators=int(count),
        wall_time_s=time_s,
        mfu=mfu,
        goodput=goodput,
        price_usd_per_hour=price if has_price else None,
        dtype=dtype,
    )


def _price_help(accelerator: Accelerator) -> str:
    if accelerator.price_usd_per_hour is None:
        return "No price is known: the slider counts only once you move it."
    source = f"{accelerator.price_source}, {accelerator.price_date}".strip(", ")
    is_doubtful = "price" in accelerator.unverified
    return f"Default: {source}{' (unverified)' if is_doubtful else ''}."


def _dtype_input(accelerator: Accelerator) -> Dtype:
    """Draw the choice of the type to compute in, where there is one."""
    options = {dtype: dtype.upper() for dtype in accelerator.peak_flop_per_s}
    chosen = inputs.choice(
        "Computing in",
        options,
        key="dtype",
        default=accelerator.training_dtype,
        help="Type of the matrix products; it decides the peak.",
    )
    return cast(Dtype, chosen)


def limit_inputs(hardware: Budget) -> Budget:
    """Draw the limits beside hardware and time, and return the budget with them."""
    money = limit(
        "Limit money",
        key="money",
        default=2e6,
        kind=inputs.MONEY,
        help="Most to spend on accelerators, electricity and storage, in US dollars.",
        is_on=True,
    )
    if money is not None and hardware.price_usd_per_hour is None:
        st.caption("No price is known: money is no limit until you give one.")
        money = None
    storage = limit(
        "Limit storage T",
        key="storage",
        default=100e12,
        kind=BYTES,
        help="Most disk for tokenised data, checkpoints and logs.",
        is_on=True,
    )
    compute = limit(
        "Limit compute",
        key="flop",
        default=1e24,
        kind=inputs.COMPUTE,
        help="Most model FLOP, for training and inference together.",
    )
    unique = limit(
        "Limit unique tokens",
        key="unique",
        default=1e12,
        kind=inputs.TOKENS,
        help="Distinct tokens there are to train on.",
    )
    may_repeat = unique is None or plan_model.switch(
        "May repeat",
        key="repeat",
        default=True,
        help="Train on the same tokens again, each time for less (Muennighoff et al. 2023).",
    )
    inference = limit(
        "Pay for inference",
        key="inference",
        default=1e13,
        kind=inputs.TOKENS,
        help="Tokens that the model will process later, paid from the same FLOP and money "
        "(Sardana et al. 2024).",
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
    label: str, *, key: str, default: float, kind: Quantity, help: str, is_on: bool = False
) -> float | None:
    """Draw a switch and, where it is on, a quantity; return that, or None."""
    if not plan_model.switch(label, key=f"limit.{key}", default=is_on, help=help):
        return None
    name = label.removeprefix("Limit ").removeprefix("Pay for ")
    return inputs.quantity(
        name[0].upper() + name[1:], key=key, default=default, kind=kind, help=help
    )


def fit_inputs(scenario: Scenario) -> Selection:
    """Draw table, families, law and fit options, and return the selection.

    Raises
    ------
    IsoflopError
        If the table cannot be had.
    """
    table = controls.table_input()
    whole = caching.table(table)
    families = controls.family_input(whole)
    chosen_rows = caching.rows_of(whole, families)
    law_key, formula, column = controls.law_inputs(chosen_rows)
    options: FitOptions = controls.option_inputs(chosen_rows)
    selection = Selection(
        table=table,
        families=families,
        law=law_key,
        formula=formula,
        input_column=column,
        options=options,
        accelerator=scenario.accelerator.key,
        budget=scenario.budget,
        params=scenario.options.params,
    )
    fixed: Mapping[str, float] = controls.fixed_inputs(
        caching.law(selection, chosen_rows)[0], chosen_rows
    )
    selection = replace(selection, fixed=fixed)
    remember(selection)
    return selection
