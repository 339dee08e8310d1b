"""From the plan's size to a model that can be built: memory, shape, hyper-parameters, serving."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from isoflop import plot
from isoflop.accounting import Architecture, ParameterCount, count_flop
from isoflop.accounting.config_import import import_config
from isoflop.accounting.shapes import counted, nearest_released
from isoflop.errors import IsoflopError
from isoflop.planning.hyperparameters import (
    HyperparameterHint,
    batch_rule,
    hyperparameter_hints,
)
from isoflop.planning.inference import (
    BYTES_OF,
    accelerators_for,
    estimate_serving,
    kv_cache_bytes_per_token,
    saturated_serving,
    serving_on,
)
from isoflop.planning.memory_advice import report_memory
from isoflop.planning.scenario import hardware_utilisation, setup_of
from isoflop.planning.step_work import TrainingStep
from isoflop.planning.types import Training
from isoflop.plot import APP
from isoflop.ui import inputs, messages, panels
from isoflop.ui.plan import results as plan_results
from isoflop.ui.plan.results import View
from isoflop.units import format_number, format_quantity


def memory(shown: View) -> None:
    """Draw what fills one accelerator, and what would make it fit."""
    options, step = shown.scenario.options, plan_results.step(shown)
    if step is None:
        st.caption("No layout of this model is possible on these accelerators.")
        return
    report = report_memory(
        step.architecture,
        setup_of(options, step),
        shown.scenario.accelerator.memory_bytes,
        headroom=options.headroom,
    )
    st.markdown(f"**{messages.plain(report.summary())}**")
    panels.drawn(plot.memory(report, theme=APP), key="chart.memory")
    st.caption(f"{messages.plain(shown.plan.training.layout.capitalize())}. {_hfu(shown, step)}")
    if report.advice:
        st.markdown("**What would make it fit**")
        st.dataframe(
            {
                "Change": [advice.text for advice in report.advice],
                "Price": [advice.price for advice in report.advice],
                "Memory then": [
                    format_quantity(advice.total_bytes, "bytes") for advice in report.advice
                ],
            },
            hide_index=True,
            alt="Changes that would make the run fit",
        )
    elif not report.fits:
        st.caption("Nothing makes it fit on this number of accelerators.")


def _hfu(shown: View, step: TrainingStep) -> str:
    """Say what share of the peak the hardware works at, recomputation included."""
    device, mfu = shown.scenario.accelerator, shown.plan.training.mfu
    hfu = hardware_utilisation(mfu, step, causal=shown.scenario.options.causal)
    text = f"MFU {mfu:.0%} means an HFU of {hfu:.0%}"
    if hfu > device.mfu_ceiling:
        return f":orange[{text}, more than the measured matmul ceiling: lower the MFU.]"
    return f"{text}."


def time(shown: View) -> None:
    """Draw where the time goes, and say what layout, batch and failures the plan counts on."""
    training = shown.plan.training
    if not training.time_shares:
        st.caption("No layout of this model is possible on these accelerators.")
        return
    panels.drawn(plot.time_shares(shown.plan, theme=APP), key="chart.time")
    facts = {
        "Layout": training.layout,
        "Fastest layout": training.best_layout or "this one",
        "Step": f"{format_quantity(training.step_s, 'seconds')} for "
        f"{format_number(training.batch_tokens)} tokens",
        "Largest batch": f"{format_number(training.batch_limit_tokens)} tokens: "
        + ("your own" if shown.setting.batch_tokens else batch_rule().source),
        "Steps": f"{shown.plan.tokens / training.batch_tokens:,.0f}",
        "Utilisation": f"{training.mfu:.1%}: "
        + ("your own" if training.is_own_mfu else training.evidence),
        "Failures to expect": format_number(training.expected_failures),
        "Best saved every": format_quantity(training.save_interval_s, "seconds"),
        "Goodput": f"{training.goodput:.1%}"
        + (": your own" if training.is_own_goodput else _goodput(training)),
    }
    st.dataframe(
        {"": list(facts), "This run": list(facts.values())},
        hide_index=True,
        alt="Layout, batch and failures of the plan",
    )


def _goodput(training: Training) -> str:
    found = training.goodput_interval
    if found is None:
        return ""
    return f" ({found.lower:.1%} to {found.upper:.1%} at published rates of failure)"


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
             "MLP and experts", "FLOP per token, 6N", "FLOP per token, exact", "Cache per token"]
    }  # fmt: skip
    for name, model in shapes.items():
        count = counts[name]
        parts = count.by_component
        experts = model.experts
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
            f"{count.mlp:,}",
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
    """List what published batch-size and learning-rate rules give."""
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
        alt="Batch-size and learning-rate rules",
    )
    training = plan.training
    st.caption(
        f"Hints, not optima: tune around them. The plan takes "
        f"{format_number(training.batch_tokens)} tokens a step, "
        f"{plan.tokens / training.batch_tokens:,.0f} steps, and no more than "
        f"{format_number(training.batch_limit_tokens)}."
    )


_QUANTITIES = {
    "learning_rate": "Peak learning rate",
    "batch_tokens": "Batch",
    "critical_batch_tokens": "Critical batch",
}


def _hint_value(hint: HyperparameterHint) -> str:
    if hint.rule.quantity == "learning_rate":
        return f"{hint.value:.2e}"
    return f"{format_number(hint.value)} tokens per step"


def serving(shown: View) -> None:
    """Say what using the model takes: under full load, and for one that waits for its answer."""
    device, requests = shown.setting.accelerator, shown.scenario.options.requests
    proposed = plan_results.shape(shown)
    size = BYTES_OF[requests.dtype or device.training_dtype]
    usual = accelerators_for(proposed.parameters.total, device.memory_bytes, weight_bytes=size)
    with st.container(horizontal=True):
        count = _number("Accelerators for one copy", "serve.count", usual)
        batch = _number("Sequences side by side, to wait for", "serve.batch", 1)
    setup = serving_on(
        device,
        accelerators=count,
        batch=batch,
        prompt_tokens=requests.prompt_tokens,
        output_tokens=requests.output_tokens,
        dtype=requests.dtype,
        price_usd_per_hour=shown.setting.budget.price_usd_per_hour,
    )
    full = saturated_serving(proposed.architecture, setup)
    alone = estimate_serving(proposed.architecture, setup)
    bound = "memory bandwidth" if alone.is_bandwidth_bound else "compute"
    lifetime = shown.plan.cost.usd_inference
    with st.container(key="figures.serving"), st.grid(4, min_column_width=150):
        st.metric("Under full load", f"{format_number(full.output_tokens_per_s / count)} tokens/s")
        if setup.price_usd_per_hour:
            prompt, output = full.usd_per_million_prompt_tokens, full.usd_per_million_output_tokens
            st.metric("A million prompt tokens", format_quantity(prompt, "usd"))
            st.metric("A million output tokens", format_quantity(output, "usd"))
        if lifetime:
            st.metric("The model's life", format_quantity(lifetime, "usd"))
        st.metric("Each sequence", f"{format_number(alone.tokens_per_s_per_sequence)} tokens/s")
        st.metric("First token after", format_quantity(alone.prompt_s, "seconds"))
    st.caption(
        f"Requests of {requests.prompt_tokens:,} tokens in and {requests.output_tokens:,} out. "
        f"Under full load {full.batch:,} sequences side by side, output of one accelerator; half "
        "of measured servers lie within 19%, nine in ten within 55% of it. "
        f"Of {batch:,} to wait for, {bound} bounds a step: half of measured ones lie within 4%. "
        f"Weights {format_quantity(alone.weights_bytes, 'bytes')}, room for "
        f"{alone.largest_batch:,} sequences."
    )


def _number(label: str, key: str, default: int) -> int:
    return int(st.number_input(label, min_value=1, max_value=10**7, value=default, key=key))
