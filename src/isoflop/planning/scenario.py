"""Everything a person assumes about a run, as data: what a plan is made from, the fit apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from math import ceil, lcm, prod
from typing import Any

from isoflop.accounting import Family, count_flop, find_family
from isoflop.accounting.shapes import CountedParams
from isoflop.errors import CatalogError, OptionError, PlanError
from isoflop.language import lazy_gettext as _
from isoflop.options import from_mapping
from isoflop.planning import budget as sums
from isoflop.planning.constraints import Setting
from isoflop.planning.family_rule import family_rule, total_params
from isoflop.planning.hardware import describe_accelerator, parse_accelerator
from isoflop.planning.layout_search import LayoutSearch
from isoflop.planning.memory import TrainingSetup, find_optimizer
from isoflop.planning.options import PlanOptions
from isoflop.planning.rates import LayoutRates
from isoflop.planning.serving import ServingCost
from isoflop.planning.step_work import TrainingStep
from isoflop.planning.storage import StorageRule
from isoflop.planning.types import Accelerator, Budget
from isoflop.planning.usual import DEFAULT_FAMILY
from isoflop.units import HOUR_S, MONTH_S

NODE = 8
MOST_ACCELERATORS = 1 << 20

COUNT_OF: dict[str, CountedParams] = {
    "total": "total",
    "non-embedding": "nonembedding",
    "active": "active",
    "unknown": "total",
}
"""What a family's parameters must count, by the convention of the fitted table."""


def count_of(family: Family, param_convention: str) -> CountedParams:
    """Return what N counts when a law is used for a family.

    A law fitted to dense models takes experts by the parameters that a token passes through: a
    mixture of experts is then no better than the dense model of equal compute.
    """
    count = COUNT_OF[param_convention]
    return "active" if family.is_moe and count == "total" else count


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A run's hardware and limits, and how it is planned, trained and kept.

    Parameters
    ----------
    accelerator : Accelerator
    budget : Budget
    options : PlanOptions
    """

    accelerator: Accelerator
    budget: Budget
    options: PlanOptions = field(default_factory=PlanOptions)


def search_of(scenario: Scenario) -> LayoutSearch:
    """Return what layouts the run's is searched among.

    Raises
    ------
    PlanError
        If the accelerators cannot be cut into groups as the degrees say.
    """
    budget, options = scenario.budget, scenario.options
    degrees = {
        "tensor": options.tensor,
        "pipeline": options.pipeline,
        "context": options.context_parallel,
    }
    given = {name: degree for name, degree in degrees.items() if degree is not None}
    group = prod(given.values())
    if budget.accelerators is not None and budget.accelerators % group:
        said = " x ".join(f"{name} {degree}" for name, degree in given.items())
        raise PlanError(
            _(
                "{accelerators:,} accelerators cannot be cut into groups of {group:,}.",
                accelerators=budget.accelerators,
                group=group,
            ),
            detail=said if len(given) == 1 else f"{said} = {group}",
            hint=_("Choose degrees whose product divides the number of accelerators."),
        )
    return LayoutSearch(
        accelerator=scenario.accelerator,
        dtype=budget.dtype,
        sequence=options.context,
        tensor=options.tensor,
        context=options.context_parallel,
        pipeline=options.pipeline,
        expert=options.expert,
        zero_stage=options.zero_stage,
        micro_batch=options.micro_batch,
        recompute=options.recompute,
        sequence_parallel=options.sequence_parallel,
        flash_attention=options.flash_attention,
        fused_mlp=options.fused_mlp,
        optimizer=options.optimizer,
        headroom=options.headroom,
        must_fit=options.must_fit and options.family is not None,
    )


def setup_of(options: PlanOptions, step: TrainingStep) -> TrainingSetup:
    """Return how a step is trained, as far as memory is concerned."""
    return TrainingSetup(
        optimizer=find_optimizer(options.optimizer),
        layout=step.layout,
        micro_batch=step.micro_batch,
        context=step.context,
        recompute=step.recompute,
        flash_attention=options.flash_attention,
        fused_mlp=options.fused_mlp,
    )


def setting_of(scenario: Scenario, param_convention: str = "total") -> Setting:
    """Return what a plan's limits follow from.

    Parameters
    ----------
    scenario : Scenario
    param_convention : str
        What the fitted table's N counts.

    Raises
    ------
    CatalogError
        If there is no such family or optimiser.
    PlanError
        As `search_of`.
    """
    options, search = scenario.options, search_of(scenario)
    family = find_family(options.family or DEFAULT_FAMILY)
    count = count_of(family, param_convention)
    rates = LayoutRates(family=family.key, count=count, search=search)
    setting = Setting(
        budget=scenario.budget,
        accelerator=scenario.accelerator,
        site=options.site,
        storage=StorageRule(
            optimizer=find_optimizer(options.optimizer), policy=options.checkpoints
        ),
        group=(search.tensor or 1) * (search.pipeline or 1) * (search.context or 1),
        rates=rates,
        batch_tokens=options.batch_tokens,
        schedule=options.schedule,
        serving=ServingCost(
            family=family.key,
            count=count,
            accelerator=scenario.accelerator,
            requests=options.requests,
        ),
    )
    if options.family is not None:
        setting = replace(
            setting,
            rule=family_rule(
                family,
                options.convention,
                context=options.context,
                causal=options.causal,
                count=count,
            ),
            storage=replace(setting.storage, vocab=family.models[-1].architecture.vocab),
            total_params=total_params(family, count),
            largest_params=rates if options.must_fit else None,
        )
    if setting.budget.accelerators is None:
        accelerators = usual_count(setting)
        setting = replace(setting, budget=replace(setting.budget, accelerators=accelerators))
    return setting


def usual_count(setting: Setting) -> int:
    """Return as many accelerators as use up a budget of money or FLOP in its time, or in a month.

    Whole nodes of eight where one is not enough; one accelerator where time alone limits the run.
    """
    budget, accelerator = setting.budget, setting.accelerator
    price = sums.price_usd_per_hour(budget, accelerator)
    device_s = []
    if budget.compute_flop is not None:
        rate = accelerator.peak(budget.dtype) * sums.effective_mfu(budget, accelerator)
        device_s.append(budget.compute_flop / (rate * sums.effective_goodput(budget)))
    if budget.usd is not None and price:
        device_s.append(budget.usd / price * HOUR_S)
    if not device_s:
        return 1
    needed = min(device_s) / (budget.wall_time_s or MONTH_S)
    unit = lcm(setting.group, 1 if needed <= 1 else NODE)
    return min(unit * max(1, ceil(needed / unit)), MOST_ACCELERATORS)


def hardware_utilisation(mfu: float, step: TrainingStep, *, causal: bool = False) -> float:
    """Return the share of the peak that the hardware works at, recomputation included (HFU)."""
    count = count_flop(
        step.architecture,
        convention="matmul",
        context=step.context,
        causal=causal,
        # Norms and activation functions are no matrix products.
        recompute="none"
        if step.recompute == "selective" and step.flash_attention
        else step.recompute,
    )
    return mfu * count.hfu_per_mfu


def to_document(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario as plain values that JSON can hold."""
    return asdict(scenario.options) | {
        "accelerator": {
            "key": scenario.accelerator.key,
            **describe_accelerator(scenario.accelerator),
        },
        "budget": asdict(scenario.budget),
    }


def from_document(document: Mapping[str, Any]) -> Scenario:
    """Read a scenario back.

    Raises
    ------
    CatalogError
        If it is not one, or was written by a version whose fields differ.
    """
    try:
        values = dict(document)
        device = dict(values.pop("accelerator"))
        return Scenario(
            accelerator=parse_accelerator(device.pop("key"), device),
            budget=from_mapping(Budget, values.pop("budget")),
            options=from_mapping(PlanOptions, values),
        )
    except (AttributeError, KeyError, TypeError, ValueError, OptionError, PlanError) as error:
        raise CatalogError(
            _("This saved scenario cannot be read."),
            detail=f"{type(error).__name__}: {error}",
            hint=_("Save it again, or delete it."),
        ) from None
