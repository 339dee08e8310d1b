"""The controls of a planned model: family, layout, memory, site and storage."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from isoflop.accounting import find_family, load_families
from isoflop.language import gettext as _
from isoflop.options import from_mapping, option
from isoflop.planning import Accelerator, Budget, PlanOptions
from isoflop.planning.acquisition import (
    Acquisition,
    KnownPrice,
    purchase_price,
    reserved_price,
)
from isoflop.planning.failures import Failures, usual_failure_rate
from isoflop.planning.memory import load_optimizers
from isoflop.ui import budget_inputs, inputs, option_inputs
from isoflop.ui.inputs import Quantity
from isoflop.units import DAY_S

Given = dict[str, object]
"""Values of options by name, as chosen."""

DEGREES = tuple(str(2**power) for power in range(8))

CONTEXTS = ("2048", "4096", "8192", "16384", "32768", "65536", "131072")
OF_THE_FAMILY = "0"

PER_KWH = Quantity(
    dimension="count",
    stops=tuple(round(0.01 * step, 2) for step in range(51)),
    write=lambda value: f"{value:.4g}",
    upper=100.0,
)

RATIO = Quantity(
    dimension="count",
    stops=tuple(round(1 + 0.02 * step, 2) for step in range(51)),
    write=lambda value: f"{value:.4g}",
    upper=10.0,
)

MONTHS = Quantity(
    dimension="count",
    stops=(0.0, 1.0, 2.0, 3.0, 6.0, 9.0, 12.0, 18.0, 24.0, 36.0),
    write=lambda value: f"{value:.6g}",
    upper=1200.0,
)

YEARS = Quantity(
    dimension="count",
    stops=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0),
    write=lambda value: f"{value:.6g}",
    upper=30.0,
)

USED = replace(inputs.SHARE, stops=tuple(round(0.05 * step, 2) for step in range(2, 21)))

SHARE_MORE = Quantity(
    dimension="count",
    stops=(0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0),
    write=lambda value: f"{value:.6g}",
    upper=1000.0,
)

SUMS = replace(inputs.MONEY, stops=(0.0, *inputs.MONEY.stops))

RATE = Quantity(
    dimension="count",
    stops=tuple(m * 10.0**p for p in (-6, -5, -4) for m in (1, 1.5, 2, 3, 5, 8)),
    write=lambda value: f"{value:.4g}",
    upper=1.0,
)

SHORT_TIME = Quantity(
    dimension="seconds",
    stops=(
        1.0,
        2.0,
        5.0,
        10.0,
        20.0,
        40.0,
        60.0,
        120.0,
        300.0,
        660.0,
        900.0,
        1800.0,
        3600.0,
        10800.0,
    ),
    write=lambda value: f"{value:.6g} s",
    default_unit="s",
    upper=30 * DAY_S,
)

BEST = "best"
"""A degree that is searched."""

BATCH = replace(inputs.TOKENS, stops=tuple(m * 10.0**p for p in range(4, 9) for m in (1, 2, 4, 8)))

REQUEST = replace(inputs.COUNT, stops=tuple(2.0**power for power in range(5, 18)), upper=1e7)

HEADROOM = replace(
    inputs.SHARE, stops=tuple(round(0.01 * step, 2) for step in range(41)), upper=0.9
)

CHECKPOINTS = replace(inputs.COUNT, stops=(1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0))


def failure_inputs() -> Failures:
    """Draw how often the run fails and what a save and a restart take, and return that."""
    with st.expander(_("Failures and saves"), icon=":material/restart_alt:"):
        return Failures(
            rate_per_device_hour=budget_inputs.own(
                Failures,
                "rate_per_device_hour",
                key="failure-rate",
                default=float(f"{usual_failure_rate():.1e}"),
                kind=RATE,
            ),
            stall_s=option_inputs.quantity(Failures, "stall_s", key="stall", kind=SHORT_TIME),
            restart_s=option_inputs.quantity(Failures, "restart_s", key="restart", kind=SHORT_TIME),
            save_every_s=budget_inputs.own(
                Failures, "save_every_s", key="save-every", default=1800.0, kind=SHORT_TIME
            ),
        )


def acquisition_inputs(accelerator: Accelerator) -> Acquisition:
    """Draw how accelerators are paid for, and return that."""
    way = option_inputs.choice(Budget, "acquisition.way", key="acquire", style="row")
    if way == "on-demand":
        return Acquisition()
    given: Given = {"way": way}
    if way == "reserved":
        known = reserved_price(accelerator.key)
        given["reserved_usd_per_hour"] = option_inputs.quantity(
            Budget,
            "acquisition.reserved_usd_per_hour",
            key="reserved",
            default=2.0 if known is None else known.usd,
            kind=inputs.PRICE,
            note=_known(known),
            is_default_fixed=False,
        )
    else:
        known = purchase_price(accelerator.key)
        given["purchase_usd"] = option_inputs.quantity(
            Budget,
            "acquisition.purchase_usd",
            key="purchase",
            default=3e4 if known is None else known.usd,
            kind=inputs.MONEY,
            note=_known(known),
            is_default_fixed=False,
        )
        given["lifetime_years"] = option_inputs.quantity(
            Budget, "acquisition.lifetime_years", key="lifetime", kind=YEARS
        )
    given["used_share"] = option_inputs.quantity(
        Budget, "acquisition.used_share", key="used", kind=USED
    )
    return from_mapping(Acquisition, given)


def _known(price: KnownPrice | None) -> str:
    return (
        _("No published price is known.")
        if price is None
        else _("Default: {note}.", note=price.note)
    )


def model_inputs() -> Given:
    """Draw the family and how it is trained; return the options of a plan that say so."""
    family = option_inputs.choice(
        PlanOptions,
        "family",
        key="family",
        offered={key: family.label for key, family in load_families().items()},
    )
    must_fit = option_inputs.switch(PlanOptions, "must_fit", key="fit")
    with st.expander(_("Layout and memory"), icon=":material/memory:"):
        return {
            "family": family,
            "must_fit": must_fit,
            **_counting_inputs(family),
            **_parallel_inputs(),
            **_memory_inputs(),
        }


def _counting_inputs(family: str) -> Given:
    """Draw how FLOP are counted and over what context."""
    convention = option_inputs.choice(PlanOptions, "convention", key="convention")
    causal = convention != "6N" and option_inputs.switch(PlanOptions, "causal", key="causal")
    own = find_family(family).models[-1].architecture.context
    context = option_inputs.choice(
        PlanOptions,
        "context",
        key="context",
        default=OF_THE_FAMILY,
        offered={OF_THE_FAMILY: _("As the family ({own:,})", own=own)}
        | {name: f"{int(name):,}" for name in CONTEXTS},
    )
    return {
        "convention": convention,
        "causal": causal,
        "context": None if context == OF_THE_FAMILY else context,
    }


def _parallel_inputs() -> Given:
    """Draw how the model is spread over accelerators."""
    return {
        "batch_tokens": _batch(),
        **_schedule(),
        "zero_stage": _searched(PlanOptions, "zero_stage", key="zero"),
        "tensor": _searched(PlanOptions, "tensor", key="tensor"),
        "pipeline": _searched(PlanOptions, "pipeline", key="pipeline"),
        "expert": _searched(PlanOptions, "expert", key="expert"),
        "context_parallel": _searched(PlanOptions, "context_parallel", key="sequences"),
        "micro_batch": _searched(PlanOptions, "micro_batch", key="micro"),
        "recompute": _searched(PlanOptions, "recompute", key="recompute"),
        "sequence_parallel": option_inputs.switch(PlanOptions, "sequence_parallel", key="sequence"),
    }


def _schedule() -> Given:
    """Draw how the learning rate rises and falls."""
    kind = option_inputs.choice(PlanOptions, "schedule.kind", key="schedule", style="row")
    given: Given = {
        "schedule.kind": kind,
        "schedule.warmup_share": option_inputs.quantity(
            PlanOptions, "schedule.warmup_share", key="warmup", kind=HEADROOM
        ),
    }
    if kind == "wsd":
        given["schedule.decay_share"] = option_inputs.quantity(
            PlanOptions, "schedule.decay_share", key="decay", kind=HEADROOM
        )
    return given


def _searched(owner: type, name: str, *, key: str) -> str | None:
    """Draw a degree, the fastest by default; return None for that."""
    choices = option(owner, name).choices
    offered = {str(value): label for value, label in choices.items()} or dict(
        zip(DEGREES, DEGREES, strict=True)
    )
    found = option_inputs.choice(
        owner, name, key=key, default=BEST, offered={BEST: _("Fastest")} | offered
    )
    return None if found == BEST else found


def _batch() -> float | None:
    """Draw the switch for a batch of one's own, and its size; return None for the fastest."""
    entry = option(PlanOptions, "batch_tokens")
    if not inputs.switch(_("My own batch"), key="own.batch", default=False, help=entry.help):
        return None
    return option_inputs.quantity(PlanOptions, "batch_tokens", key="batch", default=4e6, kind=BATCH)


def _memory_inputs() -> Given:
    """Draw what fills the memory besides the model."""
    return {
        "optimizer": option_inputs.choice(
            PlanOptions,
            "optimizer",
            key="optimizer",
            offered={
                key: f"{optimizer.label} ({optimizer.total_bytes:g} B/param)"
                for key, optimizer in load_optimizers().items()
            },
        ),
        "flash_attention": option_inputs.switch(PlanOptions, "flash_attention", key="flash"),
        "fused_mlp": option_inputs.switch(PlanOptions, "fused_mlp", key="fused"),
        "headroom": option_inputs.quantity(PlanOptions, "headroom", key="headroom", kind=HEADROOM),
    }


def request_inputs() -> Given:
    """Draw what is asked of the model in use; return the options of a plan that say so."""
    with st.expander(_("Serving"), icon=":material/forum:"):
        return {
            "requests.prompt_tokens": option_inputs.quantity(
                PlanOptions, "requests.prompt_tokens", key="prompt", kind=REQUEST
            ),
            "requests.output_tokens": option_inputs.quantity(
                PlanOptions, "requests.output_tokens", key="output", kind=REQUEST
            ),
            "requests.dtype": _served_in(),
        }


def _served_in() -> str | None:
    entry = option(PlanOptions, "requests.dtype")
    found = option_inputs.choice(
        PlanOptions,
        "requests.dtype",
        key="serve",
        default=BEST,
        offered={BEST: _("As trained")} | {str(key): label for key, label in entry.choices.items()},
    )
    return None if found == BEST else found


def besides_inputs() -> Given:
    """Draw what is paid besides the run's hours; return the options of a plan that say so."""
    with st.expander(_("Other money"), icon=":material/payments:"):
        return {
            "site.development_share": option_inputs.quantity(
                PlanOptions, "site.development_share", key="development", kind=SHARE_MORE
            ),
            "site.evaluation_share": option_inputs.quantity(
                PlanOptions, "site.evaluation_share", key="evaluation", kind=SHARE_MORE
            ),
            "site.data_usd": option_inputs.quantity(
                PlanOptions, "site.data_usd", key="data-cost", kind=SUMS
            ),
            "site.staff_usd_per_month": option_inputs.quantity(
                PlanOptions, "site.staff_usd_per_month", key="staff", kind=SUMS
            ),
        }


def site_inputs() -> Given:
    """Draw the site and what is kept on disk; return the options of a plan that say so."""
    disk = replace(PER_KWH, stops=tuple(round(0.001 * step, 3) for step in range(101)))
    with st.expander(_("Site and storage"), icon=":material/bolt:"):
        given: Given = {
            "site.pue": option_inputs.quantity(PlanOptions, "site.pue", key="pue", kind=RATIO),
            "site.host_share": option_inputs.quantity(
                PlanOptions, "site.host_share", key="hosts", kind=RATIO
            ),
            "site.carbon_kg_per_kwh": option_inputs.quantity(
                PlanOptions, "site.carbon_kg_per_kwh", key="carbon", kind=PER_KWH
            ),
            "site.electricity_usd_per_kwh": option_inputs.quantity(
                PlanOptions, "site.electricity_usd_per_kwh", key="electricity", kind=PER_KWH
            ),
            "site.storage_usd_per_gb_month": option_inputs.quantity(
                PlanOptions, "site.storage_usd_per_gb_month", key="disk", kind=disk
            ),
            "site.storage_months": option_inputs.quantity(
                PlanOptions, "site.storage_months", key="months", kind=MONTHS
            ),
        }
        return given | {
            "checkpoints.n_saved": option_inputs.quantity(
                PlanOptions, "checkpoints.n_saved", key="checkpoints", kind=CHECKPOINTS
            ),
            "checkpoints.n_resumable": option_inputs.quantity(
                PlanOptions, "checkpoints.n_resumable", key="resumable", kind=CHECKPOINTS
            ),
            "checkpoints.keep_weights": option_inputs.switch(
                PlanOptions, "checkpoints.keep_weights", key="keep"
            ),
        }
