"""What a plan means and rests on, as tables for a reader: the same on a page and in a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from isoflop.accounting import Architecture, ParameterCount, count_flop
from isoflop.fitting.extrapolation import Extrapolation
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
        "Layout": training.layout or "not known",
        "Fastest layout": training.best_layout or "this one",
        "Step": f"{format_quantity(training.step_s, 'seconds')} for "
        f"{format_number(training.batch_tokens)} tokens",
        "Largest batch": f"{format_number(training.batch_limit_tokens)} tokens: "
        + ("your own" if is_own_batch else batch_rule().source),
        "Steps": f"{plan.tokens / training.batch_tokens:,.0f}",
        "Learning rate": training.schedule,
        "Utilisation": f"{training.mfu:.1%}: "
        + ("your own" if training.is_own_mfu else training.evidence),
        "Failures to expect": format_number(training.expected_failures),
        "Saved every": _saved_every(plan),
        "Goodput": f"{training.goodput:.1%}"
        + (": your own" if training.is_own_goodput else _goodput(training)),
    }
    shares = ", ".join(f"{name} {share:.1%}" for name, share in training.time_shares.items())
    return Sheet(
        title="Time and layout",
        columns=_facts(facts, "This run"),
        lead=f"Where the time goes: {shares}." if shares else "",
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
    advice = "the best" if every == best else f"best: {best}"
    written = format_quantity(training.saves * size, "bytes")
    return f"{every} ({advice}): {training.saves:,.0f} saves, {written} written"


def _goodput(training: Training) -> str:
    found = training.goodput_interval
    if found is None:
        return ""
    return f" ({found.lower:.1%} to {found.upper:.1%} at published rates of failure)"


def memory_sheet(report: MemoryReport) -> Sheet:
    """Say what fills the fullest accelerator, as laid out and otherwise."""
    stacks = {"As laid out": report.memory, **report.alternatives}
    parts = report.memory.by_component
    columns = {
        "": [*parts, "Whole", "Usable"],
        **{
            label: [
                *(format_quantity(memory.by_component[part], "bytes") for part in parts),
                format_quantity(memory.total_bytes, "bytes"),
                format_quantity(report.usable_bytes, "bytes"),
            ]
            for label, memory in stacks.items()
        },
    }
    return Sheet(title="Memory", columns=columns, lead=report.summary())


def advice_sheet(report: MemoryReport) -> Sheet:
    """Say what would make a run fit the memory."""
    return Sheet(
        title="What would make it fit",
        columns={
            "Change": [advice.text for advice in report.advice],
            "Price": [advice.price for advice in report.advice],
            "Memory then": [
                format_quantity(advice.total_bytes, "bytes") for advice in report.advice
            ],
        },
    )


def shape_sheet(models: Mapping[str, tuple[Architecture, ParameterCount]]) -> Sheet:
    """Set out shapes and parameters by component, a column a model."""
    columns: dict[str, list[str]] = {
        "": ["Layers", "Width", "Heads (key-value)", "MLP width", "Experts (used)", "Vocabulary",
             "Context", "Parameters", "Active", "Outside embeddings", "Embeddings", "Attention",
             "MLP and experts", "FLOP per token, 6N", "FLOP per token, exact", "Cache per token"]
    }  # fmt: skip
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
            f"{model.context:,} tokens",
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
    return Sheet(title="Model shape", columns=columns)


_QUANTITIES = {
    "learning_rate": "Peak learning rate",
    "batch_tokens": "Batch",
    "critical_batch_tokens": "Critical batch",
}


def hints_sheet(hints: Iterable[HyperparameterHint], plan: Plan) -> Sheet:
    """List what published batch-size and learning-rate rules give a plan."""
    found, training = list(hints), plan.training
    return Sheet(
        title="Hyper-parameters",
        columns={
            "Rule": [hint.rule.label for hint in found],
            "Gives": [_QUANTITIES[hint.rule.quantity] for hint in found],
            "Value": [_hint_value(hint) for hint in found],
            "Range": [hint.warning or "inside its range" for hint in found],
            "What for": [hint.rule.help for hint in found],
            "Source": [hint.rule.source for hint in found],
        },
        notes=(
            f"Hints, not optima: tune around them. The plan takes "
            f"{format_number(training.batch_tokens)} tokens a step, "
            f"{plan.tokens / training.batch_tokens:,.0f} steps, and no more than "
            f"{format_number(training.batch_limit_tokens)}.",
        ),
    )


def _hint_value(hint: HyperparameterHint) -> str:
    if hint.rule.quantity == "learning_rate":
        return f"{hint.value:.2e}"
    return f"{format_number(hint.value)} tokens per step"


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
    facts = {"Under full load": f"{format_number(per_device)} tokens/s"}
    if setup.price_usd_per_hour:
        prompt, output = full.usd_per_million_prompt_tokens, full.usd_per_million_output_tokens
        facts |= {
            "A million prompt tokens": format_quantity(prompt, "usd"),
            "A million output tokens": format_quantity(output, "usd"),
        }
    if lifetime_usd:
        facts["The model's life"] = format_quantity(lifetime_usd, "usd")
    facts |= {
        "Each sequence": f"{format_number(alone.tokens_per_s_per_sequence)} tokens/s",
        "First token after": format_quantity(alone.prompt_s, "seconds"),
    }
    loaded = measured_error("full load", "a whole model")
    waited = measured_error("one sequence, all number formats", "a whole source")
    bound = "memory bandwidth" if alone.is_bandwidth_bound else "compute"
    return Sheet(
        title="Serving",
        columns=_facts(facts),
        notes=(
            f"Requests have {setup.prompt_tokens:,} prompt tokens and {setup.output_tokens:,} "
            f"output tokens; accelerators per replica: {count:,}. Under full load a replica serves "
            f"{full.batch:,} sequences at once; the rate is the output of one accelerator, and "
            f"half of the measured servers {_within(loaded)} of it. With {setup.batch:,} sequences "
            f"at once, {bound} limits each step, and half of the rows of other software "
            f"{_within(waited)} of it. The weights take "
            f"{format_quantity(alone.weights_bytes, 'bytes')} and leave room for "
            f"{alone.largest_batch:,} sequences.",
        ),
    )


def _within(error: MeasuredError) -> str:
    return f"lie within {error.median:.0%}, nine in ten within {error.p90:.0%}"


def smaller_sheet(found: SmallerModels) -> Sheet:
    """Say what smaller models of one loss cost, and when their use pays for them."""
    listed = found.listed
    end = ""
    if found.smallest is not None:
        size = format_number(found.smallest.params)
        end = f" Below {size} parameters no amount of data suffices."
    return Sheet(
        title="Smaller and longer",
        columns={
            "Times smaller": [f"{model.factor:g}" for model in listed],
            "Parameters N": [format_number(model.params) for model in listed],
            "Tokens D": [format_number(model.tokens) for model in listed],
            "Training compute": [format_quantity(m.compute_flop, "flop") for m in listed],
            "Times the compute": [f"{model.compute_ratio:.2f}" for model in listed],
            "Pays off after": [
                f"{format_number(model.break_even_tokens)} tokens" if model.factor > 1 else ""
                for model in listed
            ],
        },
        notes=(
            f"All reach a loss of {found.loss:.4f}.{end} An inference token costs what serving "
            "it does under full load, in accelerator-time (Sardana et al. 2024, section 4).",
        ),
    )


def lifetime_sheet(found: Lifetime) -> Sheet:
    """Say which model of one loss takes the least over its life, at some demands."""
    chosen = np.linspace(0, len(found.inference_tokens) - 1, SAID_DEMANDS).astype(int)
    return Sheet(
        title="Least over the model's life, at the same loss",
        columns={
            "Inference tokens": [format_number(found.inference_tokens[i]) for i in chosen],
            "Parameters N": [format_number(found.params[i]) for i in chosen],
            "Tokens D": [format_number(found.tokens[i]) for i in chosen],
            "Compute": [format_quantity(float(found.compute_flop[i]), "flop") for i in chosen],
        },
    )


def risk_sheet(found: Risk) -> Sheet:
    """Say the chance of a loss, and the loss and the money at some probabilities."""
    columns = {
        "Probability": [f"{share:.0%}" for share in SAID_PROBABILITIES],
        f"{found.response.capitalize()} at most": [
            f"{np.interp(share, found.probability, found.loss):.4f}" for share in SAID_PROBABILITIES
        ],
    }
    if found.usd is not None:
        sums = [float(np.interp(s, found.probability, found.usd)) for s in SAID_PROBABILITIES]
        columns["Money for the target"] = [
            format_quantity(usd, "usd") if math.isfinite(usd) else "more than any sum"
            for usd in sums
        ]
    return Sheet(title="Target", columns=columns, lead=found.summary())


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
        ("Compute", *written(found.compute, "flop")),
        ("Accelerator-hours", *written(cost.accelerator_hours)),
        (f"Days on {count:,}", *written(cost.wall_time_s.scaled(1 / DAY_S))),
        *([("Money for accelerators", *written(cost.usd, "usd"))] if cost.usd else ()),
        ("Model size N", *written(found.size)),
        ("Training data D", *written(found.data)),
    ]
    labels, values, intervals = (list(column) for column in zip(*rows, strict=True))
    notes = []
    if found.reachable_share is not None and found.reachable_share < 1:
        notes.append(unreachable_share(found))
    floor = f"has its floor at {found.floor:.4g}" if found.has_floor else "has no floor"
    notes.append(f"{law} {floor}. Limits other than compute are not counted here.")
    return Sheet(
        title=f"The least that reaches a loss of {found.target_loss:g}, by the best model for it",
        columns={"": labels, " ": values, "  ": intervals},
        notes=tuple(notes),
    )


def unreachable_share(found: LeastCompute) -> str:
    """Say in a sentence how many of the draws cannot reach a loss."""
    share = 1 - (found.reachable_share or 0.0)
    return (
        f"By {share:.1%} of the resampled fits this loss is unreachable: it lies below their floor."
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
    return write(found.value), f"{write(found.interval.lower)} to {end}"


def tornado_sheet(found: Tornado) -> Sheet:
    """Say how far loss and money move with each assumption, the widest first."""
    entries = found.entries
    ends = [(entry.low, entry.high) for entry in entries]
    return Sheet(
        title="Sensitivity",
        columns={
            "Assumption": [entry.label for entry in entries],
            "From": [low.value for low, _ in ends],
            "To": [high.value for _, high in ends],
            found.plan.response.capitalize(): [
                f"{low.loss:.4f} to {high.loss:.4f}" for low, high in ends
            ],
            "Money": [f"{_usd(low.usd)} to {_usd(high.usd)}" for low, high in ends],
        },
        notes=(
            f"Each assumption is divided and multiplied by {STEP:g}, a prediction is taken at the "
            "ends of its interval, and the run is planned again within the same limits.",
        ),
    )


def money_sheet(found: Money) -> Sheet:
    """Say what a run costs by part, a column a way to pay."""
    ways = found.by_way
    names = list(dict.fromkeys(name for parts in ways.values() for name in parts))
    columns = {"": ["An accelerator-hour", *(name.capitalize() for name in names), "Whole"]}
    for way, parts in ways.items():
        columns[way] = [
            format_quantity(found.prices[way], "usd_per_hour"),
            *(format_quantity(parts.get(name, 0.0), "usd") for name in names),
            format_quantity(sum(parts.values()), "usd"),
        ]
    return Sheet(
        title="What the money goes into",
        columns=columns,
        notes=(
            "The same run by each way to pay whose price is known. An hour of a bought accelerator "
            "comes without electricity, site and staff, unless these are given.",
        ),
    )


def _usd(value: float | None) -> str:
    return "no price" if value is None else format_quantity(value, "usd")


def assumptions_sheet(plan: Plan) -> Sheet:
    """List what a plan's figures rest on."""
    return Sheet(title="What the figures rest on", columns=_facts(plan.assumptions, "Value"))


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
        title="What fills the disk",
        columns=_facts(parts | {"Whole": format_quantity(storage.total_bytes, "bytes")}),
        notes=(
            f"Saved every {_saved_every(plan)}, of which {n_saved:,} are kept: "
            f"{format_quantity(storage.resumable_checkpoint_bytes, 'bytes')} to resume from, "
            f"{format_quantity(storage.weights_checkpoint_bytes, 'bytes')} of weights alone.",
        ),
    )


def frontier_sheet(found: Frontier) -> Sheet:
    """Set out the compute-optimal models, a row an amount of compute."""
    return Sheet(title="Compute-optimal models", columns={}, lead=found.summary())


def laws_sheet(found: Extrapolation) -> Sheet:
    """Say what each law predicts for a planned run, and why the band is as wide as it is."""
    return Sheet(
        title="What each law says",
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
        title=f"{found.response.capitalize()} over accelerators and time, other limits held",
        columns=columns,
    )


def plans_sheet(plans: Mapping[str, Plan]) -> Sheet:
    """Set plans side by side, a row each, every figure with its unit."""
    listed = list(plans.values())
    costs = [plan.cost for plan in listed]
    return Sheet(
        title="Plans",
        columns={
            "Scenario": list(plans),
            "Loss": [f"{plan.loss:.4f} {unit_of(plan)}".rstrip() for plan in listed],
            "Interval": [_interval(plan.loss_interval) for plan in listed],
            "Parameters N": [format_number(plan.params) for plan in listed],
            "Tokens D": [format_number(plan.tokens) for plan in listed],
            "Compute": [format_quantity(plan.compute_flop, "flop") for plan in listed],
            "Accelerators": [f"{p.cost.accelerators:,} x {p.accelerator}" for p in listed],
            "Time": [format_quantity(cost.wall_time_s, "seconds") for cost in costs],
            "Money": [_usd(cost.usd) for cost in costs],
            "Energy": [
                "unknown" if c.energy_j is None else format_quantity(c.energy_j, "joules")
                for c in costs
            ],
            "Storage": [format_quantity(plan.storage.total_bytes, "bytes") for plan in listed],
            "Binding": [", ".join(limit.label for limit in p.binding) or "none" for p in listed],
        },
    )


def unit_of(plan: Plan) -> str:
    """Return the unit of what is predicted, for a person; empty for any other than a loss."""
    if plan.response != "loss":
        return ""
    return "(unit unknown)" if plan.loss_unit == "unknown" else plan.loss_unit


def _interval(found: Interval | None) -> str:
    if found is None:
        return "none"
    return f"{found.lower:.4f} to {found.upper:.4f} at {found.level:.0%}"
