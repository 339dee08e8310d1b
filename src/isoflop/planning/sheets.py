"""What a plan means and rests on, as tables for a reader: the same on a page and in a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from isoflop.accounting import Architecture, ParameterCount, count_flop
from isoflop.fitting.extrapolation import Extrapolation
from isoflop.language import lazy_gettext
from isoflop.planning.hyperparameters import HyperparameterHint, batch_rule
from isoflop.planning.inference import (
    SaturatedServing,
    ServingEstimate,
    ServingSetup,
    kv_cache_bytes_per_token,
)
from isoflop.planning.inverse import Estimate, LeastCompute, LeastCost
from isoflop.planning.longer import Lifetime, SmallerModels
from isoflop.planning.measured_errors import MeasuredError, measured_error
from isoflop.planning.memory_advice import MemoryReport
from isoflop.planning.money import Money
from isoflop.planning.risk import Risk
from isoflop.planning.surface import Surface
from isoflop.planning.tornado import STEP, Tornado
from isoflop.planning.types import Frontier, Interval, Plan, Training
from isoflop.tables.schema import said_response
from isoflop.text import Sheet
from isoflop.units import DAY_S, Dimension, format_number, format_quantity

SAID_PROBABILITIES = (0.1, 0.5, 0.9)
SAID_DEMANDS = 7
SAID_POINTS = 5


def time_sheet(plan: Plan, *, is_own_batch: bool) -> Sheet:
    """Say what layout, batch, utilisation and failures a plan counts on, and where its time goes.

    Parameters
    ----------
    plan : Plan
    is_own_batch : bool
        Whether the batch was given.
    """
    training = plan.training
    facts = {
        lazy_gettext("Layout"): training.layout or lazy_gettext("not known"),
        lazy_gettext("Fastest layout"): training.best_layout or lazy_gettext("this one"),
        lazy_gettext("Step"): lazy_gettext(
            "{step_s} for {batch_tokens} tokens",
            step_s=format_quantity(training.step_s, "seconds"),
            batch_tokens=format_number(training.batch_tokens),
        ),
        lazy_gettext("Largest batch"): lazy_gettext(
            "{batch_limit_tokens} tokens: ",
            batch_limit_tokens=format_number(training.batch_limit_tokens),
        )
        + (lazy_gettext("your own") if is_own_batch else batch_rule().source),
        lazy_gettext("Steps"): f"{plan.tokens / training.batch_tokens:,.0f}",
        lazy_gettext("Learning rate"): training.schedule,
        lazy_gettext("Utilisation"): f"{training.mfu:.1%}: "
        + (lazy_gettext("your own") if training.is_own_mfu else training.evidence),
        lazy_gettext("Failures to expect"): format_number(training.expected_failures),
        lazy_gettext("Saved every"): _saved_every(plan),
        lazy_gettext("Goodput"): f"{training.goodput:.1%}"
        + (lazy_gettext(": your own") if training.is_own_goodput else _goodput(training)),
    }
    shares = ", ".join(f"{name} {share:.1%}" for name, share in training.time_shares.items())
    return Sheet(
        title=lazy_gettext("Time and layout"),
        columns=_facts(facts, lazy_gettext("This run")),
        lead=lazy_gettext("Where the time goes: {shares}.", shares=shares) if shares else "",
    )


def _facts(facts: Mapping[str, str], header: str = "") -> dict[str, list[str]]:
    return {"": list(facts), header or " ": list(facts.values())}


def _saved_every(plan: Plan) -> str:
    """Say how often a run is saved, how often that would be best, and what is written in all."""
    training, size = plan.training, plan.storage.resumable_checkpoint_bytes
    every, best = (
        format_quantity(value, "seconds")
        for value in (training.save_interval_s, training.best_save_interval_s)
    )
    advice = lazy_gettext("the best") if every == best else lazy_gettext("best: {best}", best=best)
    written = format_quantity(training.saves * size, "bytes")
    return lazy_gettext(
        "{every} ({advice}): {saves:,.0f} saves, {written} written",
        every=every,
        advice=advice,
        saves=training.saves,
        written=written,
    )


def _goodput(training: Training) -> str:
    found = training.goodput_interval
    if found is None:
        return ""
    return lazy_gettext(
        " ({lower:.1%} to {upper:.1%} at published rates of failure)",
        lower=found.lower,
        upper=found.upper,
    )


def memory_sheet(report: MemoryReport) -> Sheet:
    """Say what fills the fullest accelerator, as laid out and otherwise."""
    stacks = {lazy_gettext("As laid out"): report.memory, **report.alternatives}
    parts = report.memory.by_component
    columns = {
        "": [*parts, lazy_gettext("Whole"), lazy_gettext("Usable")],
        **{
            label: [
                *(format_quantity(memory.by_component[part], "bytes") for part in parts),
                format_quantity(memory.total_bytes, "bytes"),
                format_quantity(report.usable_bytes, "bytes"),
            ]
            for label, memory in stacks.items()
        },
    }
    return Sheet(title=lazy_gettext("Memory"), columns=columns, lead=report.summary())


def advice_sheet(report: MemoryReport) -> Sheet:
    """Say what would make a run fit the memory."""
    return Sheet(
        title=lazy_gettext("What would make it fit"),
        columns={
            lazy_gettext("Change"): [advice.text for advice in report.advice],
            lazy_gettext("Price"): [advice.price for advice in report.advice],
            lazy_gettext("Memory then"): [
                format_quantity(advice.total_bytes, "bytes") for advice in report.advice
            ],
        },
    )


def shape_sheet(models: Mapping[str, tuple[Architecture, ParameterCount]]) -> Sheet:
    """Set out shapes and parameters by component, a column a model."""
    columns: dict[str, list[str]] = {
        "": [
            lazy_gettext("Layers"),
            lazy_gettext("Width"),
            "Heads (key-value)",
            lazy_gettext("MLP width"),
            "Experts (used)",
            lazy_gettext("Vocabulary"),
            lazy_gettext("Context"),
            lazy_gettext("Parameters"),
            lazy_gettext("Active"),
            lazy_gettext("Outside embeddings"),
            lazy_gettext("Embeddings"),
            lazy_gettext("Attention"),
            lazy_gettext("MLP and experts"),
            lazy_gettext("FLOP per token, 6N"),
            lazy_gettext("FLOP per token, exact"),
            lazy_gettext("Cache per token"),
        ]
    }
    for name, (model, count) in models.items():
        experts = model.experts
        exact = count_flop(model, convention="appendix_f").training_flop
        columns[name] = [
            f"{model.n_layers:,}",
            f"{model.d_model:,}",
            f"{model.n_heads} ({model.n_kv_heads})",
            f"{model.d_ff:,}",
            "none" if experts is None else f"{experts.n_experts} ({experts.top_k})",
            f"{model.vocab:,}",
            lazy_gettext("{context:,} tokens", context=model.context),
            f"{count.total:,}",
            f"{count.active:,}",
            f"{count.nonembedding:,}",
            f"{count.embedding:,}",
            f"{count.by_component.get('attention', 0):,}",
            f"{count.mlp:,}",
            format_quantity(count_flop(model).training_flop, "flop"),
            format_quantity(exact, "flop"),
            format_quantity(kv_cache_bytes_per_token(model), "bytes"),
        ]
    return Sheet(title=lazy_gettext("Model shape"), columns=columns)


_QUANTITIES = {
    "learning_rate": lazy_gettext("Peak learning rate"),
    "batch_tokens": lazy_gettext("Batch"),
    "critical_batch_tokens": lazy_gettext("Critical batch"),
}


def hints_sheet(hints: Iterable[HyperparameterHint], plan: Plan) -> Sheet:
    """List what published batch-size and learning-rate rules give a plan."""
    found, training = list(hints), plan.training
    return Sheet(
        title=lazy_gettext("Hyper-parameters"),
        columns={
            lazy_gettext("Rule"): [hint.rule.label for hint in found],
            lazy_gettext("Gives"): [_QUANTITIES[hint.rule.quantity] for hint in found],
            lazy_gettext("Value"): [_hint_value(hint) for hint in found],
            lazy_gettext("Range"): [
                hint.warning or lazy_gettext("inside its range") for hint in found
            ],
            lazy_gettext("What for"): [hint.rule.help for hint in found],
            lazy_gettext("Source"): [hint.rule.source for hint in found],
        },
        notes=(
            lazy_gettext(
                "Hints, not optima: tune around them. The plan takes {batch_tokens} "
                "tokens a step, {tokens:,.0f} steps, and no more than "
                "{batch_limit_tokens}.",
                batch_tokens=format_number(training.batch_tokens),
                tokens=plan.tokens / training.batch_tokens,
                batch_limit_tokens=format_number(training.batch_limit_tokens),
            ),
        ),
    )


def _hint_value(hint: HyperparameterHint) -> str:
    if hint.rule.quantity == "learning_rate":
        return f"{hint.value:.2e}"
    return lazy_gettext("{value} tokens per step", value=format_number(hint.value))


def serving_sheet(
    full: SaturatedServing, alone: ServingEstimate, setup: ServingSetup, lifetime_usd: float | None
) -> Sheet:
    """Say what using a model takes: under full load, and for one who waits for the answer.

    Parameters
    ----------
    full : SaturatedServing
    alone : ServingEstimate
        Of the setup's batch.
    setup : ServingSetup
    lifetime_usd : float or None
        What all of the model's use costs; None where it is not known.
    """
    count = setup.accelerators
    per_device = full.output_tokens_per_s / count
    facts = {lazy_gettext("Under full load"): f"{format_number(per_device)} tokens/s"}
    if setup.price_usd_per_hour:
        prompt, output = full.usd_per_million_prompt_tokens, full.usd_per_million_output_tokens
        facts |= {
            lazy_gettext("A million prompt tokens"): format_quantity(prompt, "usd"),
            lazy_gettext("A million output tokens"): format_quantity(output, "usd"),
        }
    if lifetime_usd:
        facts["The model's life"] = format_quantity(lifetime_usd, "usd")
    facts |= {
        lazy_gettext("Each sequence"): f"{format_number(alone.tokens_per_s_per_sequence)} tokens/s",
        lazy_gettext("First token after"): format_quantity(alone.prompt_s, "seconds"),
    }
    loaded = measured_error(lazy_gettext("full load"), lazy_gettext("a whole model"))
    waited = measured_error(
        lazy_gettext("one sequence, all number formats"), lazy_gettext("a whole source")
    )
    bound = lazy_gettext("memory bandwidth") if alone.is_bandwidth_bound else "compute"
    return Sheet(
        title=lazy_gettext("Serving"),
        columns=_facts(facts),
        notes=(
            lazy_gettext(
                "Requests have {prompt_tokens:,} prompt tokens and {output_tokens:,} "
                "output tokens; accelerators per replica: {count:,}. Under full load "
                "a replica serves {batch:,} sequences at once; the rate is the "
                "output of one accelerator, and half of the measured servers "
                "{loaded} of it. With {batch2:,} sequences at once, {bound} limits "
                "each step, and half of the rows of other software {waited} of it. "
                "The weights take {weights_bytes} and leave room for "
                "{largest_batch:,} sequences.",
                prompt_tokens=setup.prompt_tokens,
                output_tokens=setup.output_tokens,
                count=count,
                batch=full.batch,
                loaded=_within(loaded),
                batch2=setup.batch,
                bound=bound,
                waited=_within(waited),
                weights_bytes=format_quantity(alone.weights_bytes, "bytes"),
                largest_batch=alone.largest_batch,
            ),
        ),
    )


def _within(error: MeasuredError) -> str:
    return lazy_gettext(
        "lie within {median:.0%}, nine in ten within {p90:.0%}", median=error.median, p90=error.p90
    )


def smaller_sheet(found: SmallerModels) -> Sheet:
    """Say what smaller models of one loss cost, and when their use pays for them."""
    listed = found.listed
    end = ""
    if found.smallest is not None:
        size = format_number(found.smallest.params)
        end = lazy_gettext(" Below {size} parameters no amount of data suffices.", size=size)
    return Sheet(
        title=lazy_gettext("Smaller and longer"),
        columns={
            lazy_gettext("Times smaller"): [f"{model.factor:g}" for model in listed],
            lazy_gettext("Parameters N"): [format_number(model.params) for model in listed],
            lazy_gettext("Tokens D"): [format_number(model.tokens) for model in listed],
            lazy_gettext("Training compute"): [
                format_quantity(m.compute_flop, "flop") for m in listed
            ],
            lazy_gettext("Times the compute"): [f"{model.compute_ratio:.2f}" for model in listed],
            lazy_gettext("Pays off after"): [
                lazy_gettext(
                    "{break_even_tokens} tokens",
                    break_even_tokens=format_number(model.break_even_tokens),
                )
                if model.factor > 1
                else ""
                for model in listed
            ],
        },
        notes=(
            lazy_gettext(
                "All reach a loss of {loss:.4f}.{end} An inference token costs what "
                "serving it does under full load, in accelerator-time (Sardana et "
                "al. 2024, section 4).",
                loss=found.loss,
                end=end,
            ),
        ),
    )


def lifetime_sheet(found: Lifetime) -> Sheet:
    """Say which model of one loss takes the least over its life, at some demands."""
    chosen = np.linspace(0, len(found.inference_tokens) - 1, SAID_DEMANDS).astype(int)
    return Sheet(
        title=lazy_gettext("Least over the model's life, at the same loss"),
        columns={
            lazy_gettext("Inference tokens"): [
                format_number(found.inference_tokens[i]) for i in chosen
            ],
            lazy_gettext("Parameters N"): [format_number(found.params[i]) for i in chosen],
            lazy_gettext("Tokens D"): [format_number(found.tokens[i]) for i in chosen],
            lazy_gettext("Compute"): [
                format_quantity(float(found.compute_flop[i]), "flop") for i in chosen
            ],
        },
    )


def risk_sheet(found: Risk) -> Sheet:
    """Say the chance of a loss, and the loss and the money at some probabilities."""
    columns = {
        lazy_gettext("Probability"): [f"{share:.0%}" for share in SAID_PROBABILITIES],
        lazy_gettext("{response} at most", response=said_response(found.response).capitalize()): [
            f"{np.interp(share, found.probability, found.loss):.4f}" for share in SAID_PROBABILITIES
        ],
    }
    if found.usd is not None:
        sums = [float(np.interp(s, found.probability, found.usd)) for s in SAID_PROBABILITIES]
        columns["Money for the target"] = [
            format_quantity(usd, "usd") if math.isfinite(usd) else lazy_gettext("more than any sum")
            for usd in sums
        ]
    return Sheet(title=lazy_gettext("Target"), columns=columns, lead=found.summary())


def least_sheet(found: LeastCompute, cost: LeastCost, count: int, law: str) -> Sheet:
    """Say what the least compute to a loss takes, each figure with its interval.

    Parameters
    ----------
    found : LeastCompute
    cost : LeastCost
    count : int
        Accelerators.
    law : str
        Its label.
    """
    rows = [
        (lazy_gettext("Compute"), *written(found.compute, "flop")),
        (lazy_gettext("Accelerator-hours"), *written(cost.accelerator_hours)),
        (
            lazy_gettext("Days on {count:,}", count=count),
            *written(cost.wall_time_s.scaled(1 / DAY_S)),
        ),
        *(
            [(lazy_gettext("Money for accelerators"), *written(cost.usd, "usd"))]
            if cost.usd
            else ()
        ),
        (lazy_gettext("Model size N"), *written(found.size)),
        (lazy_gettext("Training data D"), *written(found.data)),
    ]
    labels, values, intervals = (list(column) for column in zip(*rows, strict=True))
    notes = []
    if found.reachable_share is not None and found.reachable_share < 1:
        notes.append(unreachable_share(found))
    floor = (
        lazy_gettext("has its floor at {floor:.4g}", floor=found.floor)
        if found.has_floor
        else lazy_gettext("has no floor")
    )
    notes.append(
        lazy_gettext(
            "{law} {floor}. Limits other than compute are not counted here.", law=law, floor=floor
        )
    )
    return Sheet(
        title=lazy_gettext(
            "The least that reaches a loss of {target_loss:g}, by the best model for it",
            target_loss=found.target_loss,
        ),
        columns={"": labels, " ": values, "  ": intervals},
        notes=tuple(notes),
    )


def unreachable_share(found: LeastCompute) -> str:
    """Say in a sentence how many of the draws cannot reach a loss."""
    share = 1 - (found.reachable_share or 0.0)
    return lazy_gettext(
        "By {share:.1%} of the resampled fits this loss is unreachable: it lies below their floor.",
        share=share,
    )


def written(found: Estimate, dimension: Dimension | None = None) -> tuple[str, str]:
    """Write a figure and its interval, which may be open upwards and is empty where there is none.

    Parameters
    ----------
    found : Estimate
    dimension : str, optional
        A plain number without.
    """

    def write(value: float) -> str:
        return format_number(value) if dimension is None else format_quantity(value, dimension)

    if found.interval is None:
        return write(found.value), ""
    upper = found.interval.upper
    end = write(upper) if math.isfinite(upper) else "unreachable"
    return write(found.value), lazy_gettext(
        "{lower} to {end}", lower=write(found.interval.lower), end=end
    )


def tornado_sheet(found: Tornado) -> Sheet:
    """Say how far loss and money move with each assumption, the widest first."""
    entries = found.entries
    ends = [(entry.low, entry.high) for entry in entries]
    return Sheet(
        title=lazy_gettext("Sensitivity"),
        columns={
            lazy_gettext("Assumption"): [entry.label for entry in entries],
            lazy_gettext("From"): [low.value for low, _ in ends],
            "To": [high.value for _, high in ends],
            found.plan.response.capitalize(): [
                lazy_gettext("{lower:.4f} to {upper:.4f}", lower=low.loss, upper=high.loss)
                for low, high in ends
            ],
            lazy_gettext("Money"): [
                lazy_gettext("{lower} to {upper}", lower=_usd(low.usd), upper=_usd(high.usd))
                for low, high in ends
            ],
        },
        notes=(
            lazy_gettext(
                "Each assumption is divided and multiplied by {step:g}, a prediction "
                "is taken at the ends of its interval, and the run is planned again "
                "within the same limits.",
                step=STEP,
            ),
        ),
    )


def money_sheet(found: Money) -> Sheet:
    """Say what a run costs by part, a column a way to pay."""
    ways = found.by_way
    names = list(dict.fromkeys(name for parts in ways.values() for name in parts))
    columns = {
        "": [
            lazy_gettext("An accelerator-hour"),
            *(name.capitalize() for name in names),
            lazy_gettext("Whole"),
        ]
    }
    for way, parts in ways.items():
        columns[way] = [
            format_quantity(found.prices[way], "usd_per_hour"),
            *(format_quantity(parts.get(name, 0.0), "usd") for name in names),
            format_quantity(sum(parts.values()), "usd"),
        ]
    return Sheet(
        title=lazy_gettext("What the money goes into"),
        columns=columns,
        notes=(
            lazy_gettext(
                "The same run by each way to pay whose price is known. An hour of a "
                "bought accelerator comes without electricity, site and staff, "
                "unless these are given."
            ),
        ),
    )


def _usd(value: float | None) -> str:
    return lazy_gettext("no price") if value is None else format_quantity(value, "usd")


def assumptions_sheet(plan: Plan) -> Sheet:
    """List what a plan's figures rest on."""
    return Sheet(
        title=lazy_gettext("What the figures rest on"),
        columns=_facts(plan.assumptions, lazy_gettext("Value")),
    )


def disk_sheet(plan: Plan, *, n_saved: int) -> Sheet:
    """Say what fills the disk.

    Parameters
    ----------
    plan : Plan
    n_saved : int
        Saves that are kept.
    """
    storage = plan.storage
    parts = {name: format_quantity(value, "bytes") for name, value in storage.by_component.items()}
    return Sheet(
        title=lazy_gettext("What fills the disk"),
        columns=_facts(
            parts | {lazy_gettext("Whole"): format_quantity(storage.total_bytes, "bytes")}
        ),
        notes=(
            lazy_gettext(
                "Saved every {plan}, of which {n_saved:,} are kept: "
                "{resumable_checkpoint_bytes} to resume from, "
                "{weights_checkpoint_bytes} of weights alone.",
                plan=_saved_every(plan),
                n_saved=n_saved,
                resumable_checkpoint_bytes=format_quantity(
                    storage.resumable_checkpoint_bytes, "bytes"
                ),
                weights_checkpoint_bytes=format_quantity(storage.weights_checkpoint_bytes, "bytes"),
            ),
        ),
    )


def frontier_sheet(found: Frontier) -> Sheet:
    """Set out the compute-optimal models, a row an amount of compute."""
    return Sheet(title=lazy_gettext("Compute-optimal models"), columns={}, lead=found.summary())


def laws_sheet(found: Extrapolation) -> Sheet:
    """Say what each law predicts for a planned run, and why the band is as wide as it is."""
    return Sheet(
        title=lazy_gettext("What each law says"),
        columns={},
        lead=found.summary(),
    )


def surface_sheet(found: Surface) -> Sheet:
    """Set out the best loss at some numbers of accelerators (columns) and times (rows)."""
    counts, times = (
        np.linspace(0, len(values) - 1, SAID_POINTS).astype(int)
        for values in (found.accelerators, found.wall_time_s)
    )
    columns: dict[str, list[str]] = {
        "": [format_quantity(float(found.wall_time_s[i]), "seconds") for i in times]
    }
    for j in counts:
        columns[f"{found.accelerators[j]:,.0f}"] = [
            f"{found.loss[i, j]:.4f}" if np.isfinite(found.loss[i, j]) else "nothing" for i in times
        ]
    return Sheet(
        title=lazy_gettext(
            "{response} over accelerators and time, other limits held",
            response=said_response(found.response).capitalize(),
        ),
        columns=columns,
    )


def plans_sheet(plans: Mapping[str, Plan]) -> Sheet:
    """Set plans side by side, a row each, every figure with its unit."""
    listed = list(plans.values())
    costs = [plan.cost for plan in listed]
    return Sheet(
        title=lazy_gettext("Plans"),
        columns={
            lazy_gettext("Scenario"): list(plans),
            lazy_gettext("Loss"): [f"{plan.loss:.4f} {unit_of(plan)}".rstrip() for plan in listed],
            lazy_gettext("Interval"): [_interval(plan.loss_interval) for plan in listed],
            lazy_gettext("Parameters N"): [format_number(plan.params) for plan in listed],
            lazy_gettext("Tokens D"): [format_number(plan.tokens) for plan in listed],
            lazy_gettext("Compute"): [
                format_quantity(plan.compute_flop, "flop") for plan in listed
            ],
            lazy_gettext("Accelerators"): [
                f"{p.cost.accelerators:,} x {p.accelerator}" for p in listed
            ],
            lazy_gettext("Time"): [format_quantity(cost.wall_time_s, "seconds") for cost in costs],
            lazy_gettext("Money"): [_usd(cost.usd) for cost in costs],
            lazy_gettext("Energy"): [
                "unknown" if c.energy_j is None else format_quantity(c.energy_j, "joules")
                for c in costs
            ],
            lazy_gettext("Storage"): [
                format_quantity(plan.storage.total_bytes, "bytes") for plan in listed
            ],
            lazy_gettext("Binding"): [
                ", ".join(limit.label for limit in p.binding) or "none" for p in listed
            ],
        },
    )


def unit_of(plan: Plan) -> str:
    """Return the unit of what is predicted, for a person; empty for any other than a loss."""
    if plan.response != "loss":
        return ""
    return lazy_gettext("(unit unknown)") if plan.loss_unit == "unknown" else plan.loss_unit


def _interval(found: Interval | None) -> str:
    if found is None:
        return "none"
    return lazy_gettext(
        "{lower:.4f} to {upper:.4f} at {level:.0%}",
        lower=found.lower,
        upper=found.upper,
        level=found.level,
    )
