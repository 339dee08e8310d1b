"""From the plan's size to a model that can be built: memory, shape, hyper-parameters, serving."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

from isoflop.accounting import Architecture, ParameterCount, count_flop
from isoflop.accounting.config_import import import_config
from isoflop.accounting.shapes import counted, nearest_released
from isoflop.errors import IsoflopError, PlanError
from isoflop.figures import plan_bars
from isoflop.planning.budget import effective_mfu
from isoflop.planning.hyperparameters import HyperparameterHint, hyperparameter_hints
from isoflop.planning.inference import (
    ServingSetup,
    estimate_serving,
    kv_cache_bytes_per_token,
)
from isoflop.planning.memory import TrainingSetup, training_memory
from isoflop.planning.remedies import MemoryReport, report_memory
from isoflop.planning.scenario import setup_of
from isoflop.ui import inputs, messages, panels, plan_results
from isoflop.ui.plan_results import View
from isoflop.units import format_number, format_quantity

GIGA = 1e9


def memory(shown: View) -> None:
    """Draw what fills one accelerator, and what would make it fit."""
    scenario = shown.chosen.scenario
    shape = plan_results.shape(shown).architecture
    setup = setup_of(scenario)
    capacity = scenario.accelerator.memory_bytes
    report = report_memory(shape, setup, capacity, headroom=scenario.options.headroom)
    rows = {"As laid out": report.memory.by_component} | _alternatives(shape, setup)
    figure = plan_bars.stacks(
        rows,
        capacity_bytes=capacity,
        usable_bytes=report.usable_bytes,
        title="Memory of the fullest accelerator",
    )
    st.markdown(f"**{_verdict(report, shape.name)}**")
    panels.chart(figure, alt=plan_bars.stacks_alt(rows, "Memory"), key="chart.memory")
    st.caption(
        f"Solid line: the card, {format_quantity(capacity, 'bytes')}. Dotted: what the headroom "
        f"leaves, {format_quantity(report.usable_bytes, 'bytes')}. Layout: data "
        f"{setup.layout.data:,}, tensor {setup.layout.tensor}, pipeline {setup.layout.pipeline}, "
        f"expert {setup.layout.expert}, ZeRO {setup.layout.zero_stage}; {_recompute(setup)}. "
        f"{_hardware_utilisation(shown, shape)}"
    )
    if report.remedies:
        st.markdown("**What would make it fit**")
        st.dataframe(
            {
                "Change": [remedy.text for remedy in report.remedies],
                "Price": [remedy.price for remedy in report.remedies],
                "Memory then": [
                    format_quantity(remedy.total_bytes, "bytes") for remedy in report.remedies
                ],
            },
            hide_index=True,
            alt="Changes that would make the run fit",
        )
    elif not report.fits:
        st.caption("Nothing makes it fit on this number of accelerators.")


def _verdict(report: MemoryReport, name: str) -> str:
    used = format_quantity(report.memory.total_bytes, "bytes")
    if not report.fits:
        return f"{messages.plain(name)} does not fit: it takes {used} on the fullest accelerator."
    return (
        f"{messages.plain(name)} fits: {used} on the fullest accelerator, micro-batches of up to "
        f"{report.largest_micro_batch:,} sequences."
    )


def _recompute(setup: TrainingSetup) -> str:
    kinds = {
        "none": "no activations recomputed",
        "selective": "attention recomputed",
        "full": "all activations recomputed",
    }
    return kinds[setup.recompute]


def _hardware_utilisation(shown: View, shape: Architecture) -> str:
    """Say what share of the peak the hardware works at, recomputation included."""
    scenario = shown.chosen.scenario
    count = count_flop(
        shape,
        convention="matmul",
        context=plan_results.context(shown, shape),
        causal=scenario.options.causal,
        recompute=scenario.options.recompute,
    )
    mfu = effective_mfu(shown.setting.budget, scenario.accelerator)
    hfu = mfu * count.hfu_per_mfu
    text = f"MFU {mfu:.0%} means an HFU of {hfu:.0%}"
    if hfu > scenario.accelerator.mfu_ceiling:
        return f":orange[{text}, more than the measured matmul ceiling: lower the MFU.]"
    return f"{text}."


def _alternatives(shape: Architecture, setup: TrainingSetup) -> dict[str, Mapping[str, float]]:
    """Return the memory under each other ZeRO stage and way to recompute."""
    rows: dict[str, Mapping[str, float]] = {}
    for stage in range(4):
        if stage != setup.layout.zero_stage and setup.layout.data > 1:
            other = replace(setup, layout=replace(setup.layout, zero_stage=stage))
            rows[f"ZeRO {stage}"] = training_memory(shape, other).by_component
    for recompute in ("none", "full"):
        if recompute != setup.recompute:
            other = replace(setup, recompute=recompute)
            label = "No recomputation" if recompute == "none" else "Full recomputation"
            rows[label] = training_memory(shape, other).by_component
    return rows


def shape(shown: View) -> None:
    """Show the nearest released model, a new shape of the size, and an imported one."""
    family = shown.family
    nearest = nearest_released(family, shown.plan.params, count=shown.count)
    proposed = plan_results.shape(shown)
    ratio = counted(nearest.parameters, shown.count) / shown.plan.params
    mark = "" if nearest.verified else " :orange-badge[Unverified]"
    st.markdown(
        f"Nearest released {messages.plain(family.label)} model: "
        f"**{messages.plain(nearest.name)}**, {ratio:.2f} times the plan's size{mark}. A new shape "
        f"of the plan's size, {proposed.relative_error:+.1%} off:"
    )
    shapes = {"New shape": proposed.architecture, nearest.name: nearest.architecture}
    _shape_table(shapes, {"New shape": proposed.parameters, nearest.name: nearest.parameters})
    for note in proposed.notes:
        st.caption(messages.plain(note))
    with st.expander("Import a model's config.json", icon=":material/upload_file:"):
        _import(shown)


def _shape_table(shapes: Mapping[str, Architecture], counts: Mapping[str, ParameterCount]) -> None:
    """Draw shapes and parameters by component, one column a model."""
    columns: dict[str, list[str]] = {
        "": ["Layers", "Width", "Heads (key-value)", "MLP width", "Experts (used)", "Vocabulary",
             "Context", "Parameters", "Active", "Outside embeddings", "Embeddings", "Attention",
             "MLP and experts", "FLOP a token, 6N", "FLOP a token, exact", "Cache a token"]
    }  # fmt: skip
    for name, model in shapes.items():
        count = counts[name]
        parts = count.by_component
        experts = model.experts
        mlp = sum(parts.get(part, 0) for part in ("mlp", "experts", "shared_experts", "router"))
        columns[name] = [
            f"{model.n_layers:,}",
            f"{model.d_model:,}",
            f"{model.n_heads} ({model.n_kv_heads})",
            f"{model.d_ff:,}",
            "none" if experts is None else f"{experts.n_experts} ({experts.top_k})",
            f"{model.vocab:,}",
            f"{model.context:,} tokens",
            f"{count.total:,}",
            f"{count.active:,}",
            f"{count.nonembedding:,}",
            f"{count.embedding:,}",
            f"{parts.get('attention', 0):,}",
            f"{mlp:,}",
            format_quantity(count_flop(model).training_flop, "flop"),
            format_quantity(count_flop(model, convention="appendix_f").training_flop, "flop"),
            format_quantity(kv_cache_bytes_per_token(model), "bytes"),
        ]
    st.dataframe(columns, hide_index=True, alt="Shapes and parameter counts", height="content")


def _import(shown: View) -> None:
    """Read a pasted or uploaded configuration and count it."""
    upload = st.file_uploader("File", type=["json"], key="plan.config.file", max_upload_size=1)
    pasted = st.text_area("Or paste it", key="plan.config.text", max_chars=1_000_000, height=120)
    content = upload.getvalue() if upload is not None else (pasted or "")
    if not content:
        return
    name = upload.name.removesuffix(".json") if upload is not None else "Imported model"
    try:
        model = import_config(content, name=name)
    except IsoflopError as error:
        messages.show(error)
        return
    _shape_table({name: model.architecture}, {name: model.parameters})
    for note in model.notes:
        st.caption(messages.plain(note))
    size = float(counted(model.parameters, shown.count))
    st.button(
        f"Plan {format_number(size)} parameters",
        icon=":material/straighten:",
        on_click=_choose_size,
        args=(size,),
    )


def _choose_size(size: float) -> None:
    st.session_state["size"] = "chosen"
    st.session_state["params"] = inputs.PARAMS.write(size)


def hyperparameters(shown: View) -> None:
    """List what published rules say of batch and learning rate."""
    plan, fit = shown.plan, shown.fitted.fit
    proposed = plan_results.shape(shown)
    loss = plan.loss if fit.loss_unit == "nats/token" else None
    hints = hyperparameter_hints(
        params_nonembedding=float(proposed.parameters.active_nonembedding),
        tokens=plan.tokens,
        loss_nats_per_token=loss,
    )
    st.dataframe(
        {
            "Rule": [hint.rule.label for hint in hints],
            "Gives": [_QUANTITIES[hint.rule.quantity] for hint in hints],
            "Value": [_hint_value(hint) for hint in hints],
            "Range": [hint.warning or "inside its range" for hint in hints],
            "What for": [hint.rule.help for hint in hints],
            "Source": [hint.rule.source for hint in hints],
        },
        hide_index=True,
        alt="Batch size and learning rate by published rules",
    )
    layout = setup_of(shown.chosen.scenario).layout
    context = plan_results.context(shown, proposed.architecture)
    least = layout.data * shown.chosen.scenario.options.micro_batch * context
    st.caption(
        f"Hints, not optima: tune around them. This layout takes at least {format_number(least)} "
        f"tokens a step ({layout.data:,} replicas x {shown.chosen.scenario.options.micro_batch} x "
        f"{context:,}), {plan.tokens / least:,.0f} steps."
    )
    critical = [h.value for h in hints if h.rule.quantity == "critical_batch_tokens"]
    if critical and least > max(critical):
        st.warning(
            f"Even the smallest batch of this layout, {format_number(least)} tokens, lies above "
            f"the critical batch ({format_number(max(critical))}): more tokens for the same loss. "
            "Use more tensor or pipeline parallelism, or fewer accelerators.",
            icon=":material/warning:",
        )
    if plan.tokens < least:
        raise PlanError(
            "The run is shorter than one step of this layout.",
            detail=f"{plan.tokens:,.0f} tokens, {least:,.0f} a step.",
            hint="Use fewer accelerators, or spend more.",
        )


_QUANTITIES = {
    "learning_rate": "Peak learning rate",
    "batch_tokens": "Batch",
    "critical_batch_tokens": "Critical batch",
}


def _hint_value(hint: HyperparameterHint) -> str:
    if hint.rule.quantity == "learning_rate":
        return f"{hint.value:.2e}"
    return f"{format_number(hint.value)} tokens a step"


def serving(shown: View) -> None:
    """Say what using the model takes: cache, speed, cost per token."""
    st.markdown("**Serving the plan's model on this accelerator**")
    device = shown.setting.accelerator
    model = plan_results.shape(shown).architecture
    with st.container(horizontal=True):
        count = int(_number("Accelerators for one copy", "serve.count", _serving_default(shown)))
        batch = int(_number("Sequences side by side", "serve.batch", 16))
        prompt = int(_number("Prompt (tokens)", "serve.prompt", 1024))
        output = int(_number("Output (tokens)", "serve.output", 256))
    setup = ServingSetup(
        accelerators=count,
        memory_bytes=device.memory_bytes,
        bandwidth_byte_per_s=device.bandwidth_byte_per_s,
        peak_flop_per_s=device.peak(),
        price_usd_per_hour=device.price_usd_per_hour or 0.0,
        batch=batch,
        prompt_tokens=prompt,
        output_tokens=output,
    )
    found = estimate_serving(model, setup)
    bound = "memory bandwidth" if found.is_bandwidth_bound else "compute"
    with st.container(key="figures.serving"), st.grid(4, min_column_width=150):
        st.metric("Generated", f"{format_number(found.tokens_per_s)} tokens/s")
        st.metric("Each sequence", f"{format_number(found.tokens_per_s_per_sequence)} tokens/s")
        st.metric("First token after", format_quantity(found.prompt_s, "seconds"))
        if device.price_usd_per_hour:
            usd = found.usd_per_million_output_tokens
            st.metric("A million output tokens", format_quantity(usd, "usd"))
    st.caption(
        f"Weights {format_quantity(found.weights_bytes, 'bytes')}, cache "
        f"{format_quantity(found.cache_bytes, 'bytes')}; room for {found.largest_batch:,} "
        f"sequences; {bound} bounds a step. Assumed: BF16, {setup.bandwidth_share:.0%} of the "
        f"bandwidth, {setup.flop_share:.0%} of the peak, accelerators fully used."
    )


def _serving_default(shown: View) -> int:
    """Return how many accelerators hold the weights with half of their memory to spare."""
    need = 2 * 2 * shown.plan.params / shown.setting.accelerator.memory_bytes
    count = 1
    while count < need:
        count *= 2
    return count


def _number(label: str, key: str, default: int) -> int:
    return int(st.number_input(label, min_value=1, max_value=10**7, value=default, key=key))
