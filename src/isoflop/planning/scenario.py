"""Everything a person assumes about a run, as data: what a plan is made from, the fit apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from isoflop.accounting import Architecture, Family, count_flop, find_family
from isoflop.accounting.shapes import CountedParams
from isoflop.errors import CatalogError, OptionError, PlanError
from isoflop.options import from_mapping
from isoflop.planning.budget import effective_mfu
from isoflop.planning.constraints import Setting
from isoflop.planning.family_rule import family_rule, total_params
from isoflop.planning.hardware import describe_accelerator, parse_accelerator
from isoflop.planning.layout import Layout
from isoflop.planning.memory import TrainingSetup, find_optimizer
from isoflop.planning.memory_limit import MemoryLimit
from isoflop.planning.options import PlanOptions
from isoflop.planning.storage import StorageRule
from isoflop.planning.types import Accelerator, Budget

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


def layout_of(scenario: Scenario) -> Layout:
    """Return the layout over all accelerators.

    Raises
    ------
    PlanError
        If the accelerators cannot be cut as the degrees say.
    """
    count, options = scenario.budget.accelerators, scenario.options
    group = options.tensor * options.pipeline
    if count % group:
        raise PlanError(
            f"{count:,} accelerators cannot be cut into groups of {group:,}.",
            detail=f"tensor {options.tensor} x pipeline {options.pipeline} = {group}",
            hint="Choose degrees whose product divides the number of accelerators.",
        )
    return Layout(
        data=count // group,
        tensor=options.tensor,
        pipeline=options.pipeline,
        expert=options.expert,
        sequence_parallel=options.sequence_parallel,
        zero_stage=options.zero_stage,
    )


def setup_of(scenario: Scenario) -> TrainingSetup:
    """Return how the run is trained, as far as memory is concerned.

    Raises
    ------
    PlanError
        As `layout_of`.
    """
    options = scenario.options
    return TrainingSetup(
        optimizer=find_optimizer(options.optimizer),
        layout=layout_of(scenario),
        micro_batch=options.micro_batch,
        context=options.context,
        recompute=options.recompute,
        flash_attention=options.flash_attention,
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
        As `layout_of`.
    """
    options, setup = scenario.options, setup_of(scenario)
    setting = Setting(
        budget=scenario.budget,
        accelerator=scenario.accelerator,
        site=options.site,
        storage=StorageRule(optimizer=setup.optimizer, policy=options.checkpoints),
        group=setup.layout.tensor * setup.layout.pipeline,
    )
    if options.family is None:
        return setting
    family = find_family(options.family)
    count = count_of(family, param_convention)
    return replace(
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
        largest_params=(
            MemoryLimit(family=family.key, setup=setup, headroom=options.headroom, count=count)
            if options.must_fit
            else None
        ),
    )


def context_of(scenario: Scenario, architecture: Architecture) -> int:
    """Return the sequence length of the run, in tokens: the scenario's, or else the model's."""
    return scenario.options.context or architecture.context


def hardware_utilisation(scenario: Scenario, architecture: Architecture) -> float:
    """Return the share of the peak that the hardware works at, recomputation included (HFU).

    Raises
    ------
    PlanError
        If the MFU exceeds the accelerator's ceiling.
    """
    options = scenario.options
    count = count_flop(
        architecture,
        convention="matmul",
        context=context_of(scenario, architecture),
        causal=options.causal,
        recompute=options.recompute,
    )
    return effective_mfu(scenario.budget, scenario.accelerator) * count.hfu_per_mfu


@dataclass(frozen=True, slots=True, kw_only=True)
class LeastBatch:
    """The smallest batch that a layout takes: one micro-batch a replica.

    Parameters
    ----------
    replicas, micro_batch : int
        Sequences at once are their product.
    context : int
        Tokens in a sequence.
    """

    replicas: int
    micro_batch: int
    context: int

    @property
    def tokens(self) -> int:
        """Tokens of one step."""
        return self.replicas * self.micro_batch * self.context


def least_batch(scenario: Scenario, architecture: Architecture) -> LeastBatch:
    """Return the smallest batch that the scenario's layout takes.

    Raises
    ------
    PlanError
        As `layout_of`.
    """
    return LeastBatch(
        replicas=layout_of(scenario).data,
        micro_batch=scenario.options.micro_batch,
        context=context_of(scenario, architecture),
    )


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
            "This saved scenario cannot be read.",
            detail=f"{type(error).__name__}: {error}",
            hint="Save it again, or delete it.",
        ) from None
