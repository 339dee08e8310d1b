"""The controls of a planned model: family, layout, memory, site and storage."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from isoflop.accounting import Recompute, find_family, load_families
from isoflop.planning import PlanOptions, Site
from isoflop.planning.family_rule import CONVENTIONS
from isoflop.planning.layout import ZERO_HELP
from isoflop.planning.memory import DEFAULT_HEADROOM, load_optimizers
from isoflop.planning.storage import CheckpointPolicy
from isoflop.ui import inputs
from isoflop.ui.inputs import Quantity

DEFAULT_FAMILY = "llama-3"

DEGREES = tuple(str(2**power) for power in range(8))

RECOMPUTE: dict[Recompute, str] = {"none": "None", "selective": "Attention", "full": "All layers"}

CONTEXTS = ("2048", "4096", "8192", "16384", "32768", "65536", "131072")

PER_KWH = Quantity(
    dimension="count",
    stops=tuple(round(0.01 * step, 2) for step in range(51)),
    write=lambda value: f"{value:.4g}",
    lower=0.0,
    upper=100.0,
)

RATIO = Quantity(
    dimension="count",
    stops=tuple(round(1 + 0.02 * step, 2) for step in range(51)),
    write=lambda value: f"{value:.4g}",
    lower=1.0,
    upper=10.0,
)

MONTHS = Quantity(
    dimension="count",
    stops=(0.0, 1.0, 2.0, 3.0, 6.0, 9.0, 12.0, 18.0, 24.0, 36.0),
    write=lambda value: f"{value:.6g}",
    lower=0.0,
    upper=1200.0,
)

MICRO_BATCH = replace(inputs.COUNT, stops=tuple(2.0**power for power in range(8)), upper=4096)

HEADROOM = replace(
    inputs.SHARE, stops=tuple(round(0.01 * step, 2) for step in range(41)), lower=0.0, upper=0.9
)

CHECKPOINTS = replace(inputs.COUNT, stops=(1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0))


def switch(label: str, *, key: str, default: bool, help: str) -> bool:
    """Draw a switch bound to the address."""
    return st.toggle(label, value=default, key=key, help=help, bind="query-params")


def model_inputs(options: PlanOptions) -> PlanOptions:
    """Draw the family and how it is trained; return the options with it."""
    families = {key: family.label for key, family in load_families().items()}
    family = inputs.choice(
        "Model family",
        families,
        key="family",
        default=DEFAULT_FAMILY,
        help="Whose proportions and vocabulary the model takes.",
    )
    must_fit = switch(
        "Must fit the memory",
        key="fit",
        default=True,
        help="Let memory limit the model's size.",
    )
    with st.expander("Layout and memory", icon=":material/memory:"):
        options = replace(options, family=family, must_fit=must_fit)
        return _memory_inputs(_parallel_inputs(_counting_inputs(options)))


def _counting_inputs(options: PlanOptions) -> PlanOptions:
    """Draw how FLOP are counted and over what context."""
    convention = inputs.choice(
        "FLOP counted as",
        CONVENTIONS,
        key="convention",
        default="6N",
        help="How compute follows from size and tokens; attention matters in long contexts.",
    )
    causal = convention != "6N" and switch(
        "Causal attention only",
        key="causal",
        default=False,
        help="Count the positions up to each token, half of the context on average; the published "
        "conventions count all.",
    )
    own = find_family(options.family or DEFAULT_FAMILY).models[-1].architecture.context
    contexts = {"0": f"As the family ({own:,})"} | {name: f"{int(name):,}" for name in CONTEXTS}
    context = inputs.choice(
        "Context (tokens)", contexts, key="context", default="0", help="Training sequence length."
    )
    return replace(options, convention=convention, causal=causal, context=int(context) or None)


def _parallel_inputs(options: PlanOptions) -> PlanOptions:
    """Draw how the model is spread over accelerators."""
    zero = inputs.choice(
        "ZeRO stage",
        {str(stage): str(stage) for stage in ZERO_HELP},
        key="zero",
        default="3",
        help=" ".join(f"{stage}: {text}" for stage, text in ZERO_HELP.items()),
        style="row",
    )
    tensor, pipeline, expert = (
        int(inputs.choice(label, {d: d for d in DEGREES}, key=name, default="1", help=text))
        for name, label, text in _DEGREES
    )
    sequence = switch(
        "Sequence parallel", key="sequence", default=True, help="With tensor parallelism."
    )
    return replace(
        options,
        zero_stage=int(zero),
        tensor=tensor,
        pipeline=pipeline,
        expert=expert,
        sequence_parallel=sequence,
    )


def _memory_inputs(options: PlanOptions) -> PlanOptions:
    """Draw what fills the memory besides the model."""
    optimizer = inputs.choice(
        "Optimiser",
        {key: f"{o.label} ({o.total_bytes:g} B/param)" for key, o in load_optimizers().items()},
        key="optimizer",
        default="adam-16",
        help="Decides the bytes a parameter of weights, gradients and optimiser states.",
    )
    recompute = inputs.choice(
        "Recomputed activations",
        RECOMPUTE,
        key="recompute",
        default="full",
        help="What the backward pass computes again instead of keeping it.",
        style="row",
    )
    flash = switch(
        "FlashAttention", key="flash", default=True, help="Attention scores are never stored."
    )
    micro = inputs.quantity(
        "Micro-batch (sequences)",
        key="micro",
        default=1,
        kind=MICRO_BATCH,
        help="Sequences that one accelerator takes through the model at once.",
    )
    headroom = inputs.quantity(
        "Memory left free",
        key="headroom",
        default=DEFAULT_HEADROOM,
        kind=HEADROOM,
        help="Share of the card for the driver, communication buffers and fragmentation.",
    )
    return replace(
        options,
        optimizer=optimizer,
        recompute=recompute,
        flash_attention=flash,
        micro_batch=int(micro),
        headroom=headroom,
    )


_DEGREES = (
    ("tensor", "Tensor parallel", "Accelerators that share every matrix product of a layer."),
    ("pipeline", "Pipeline stages", "Groups of consecutive layers on different accelerators."),
    ("expert", "Expert parallel", "Accelerators that share the experts of a layer."),
)


def site_inputs(options: PlanOptions) -> PlanOptions:
    """Draw the site and what is kept on disk; return the options with it."""
    default = Site()
    with st.expander("Site and storage", icon=":material/bolt:"):
        pue = inputs.quantity(
            "PUE", key="pue", default=default.pue, kind=RATIO,
            help="Energy of the whole site over that of the accelerators. OLMo 2 7B reports 1.2.",
        )  # fmt: skip
        carbon = inputs.quantity(
            "Carbon (kg/kWh)", key="carbon", default=default.carbon_kg_per_kwh, kind=PER_KWH,
            help="Of the electricity. Default: world average of 2022 (Ember).",
        )  # fmt: skip
        electricity = inputs.quantity(
            "Electricity ($/kWh)", key="electricity", default=default.electricity_usd_per_kwh,
            kind=PER_KWH, help="Zero where the price of an accelerator-hour includes it.",
        )  # fmt: skip
        disk = inputs.quantity(
            "Disk ($/GB/month)", key="disk", default=default.storage_usd_per_gb_month,
            kind=replace(PER_KWH, stops=tuple(round(0.001 * s, 3) for s in range(101))),
            help="Default: AWS S3 Standard, US East.",
        )  # fmt: skip
        months = inputs.quantity(
            "Kept for (months)", key="months", default=default.storage_months, kind=MONTHS,
            help="How long data and checkpoints are paid for.",
        )  # fmt: skip
        saved = inputs.quantity(
            "Checkpoints saved", key="checkpoints", default=20, kind=CHECKPOINTS,
            help="Over the run, evenly spread.",
        )  # fmt: skip
        resumable = inputs.quantity(
            "Of them resumable", key="resumable", default=2, kind=CHECKPOINTS,
            help="The last ones keep optimiser states; earlier ones keep weights alone.",
        )  # fmt: skip
    site = Site(
        pue=pue,
        carbon_kg_per_kwh=carbon,
        electricity_usd_per_kwh=electricity,
        storage_usd_per_gb_month=disk,
        storage_months=months,
    )
    policy = CheckpointPolicy(n_saved=int(saved), n_resumable=min(int(resumable), int(saved)))
    return replace(options, site=site, checkpoints=policy)
