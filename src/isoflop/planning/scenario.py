"""Everything a person assumes about a run, as data: what a plan is made from, the fit apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from typing import Any

from isoflop.accounting import Family, FlopConvention, Recompute, find_family
from isoflop.accounting.shapes import CountedParams
from isoflop.errors import CatalogError, PlanError
from isoflop.planning.constraints import Setting
from isoflop.planning.cost import Site
from isoflop.planning.disk import StorageRule
from isoflop.planning.family_rule import family_rule, total_params
from isoflop.planning.hardware import describe_accelerator, parse_accelerator
from isoflop.planning.layout import Layout
from isoflop.planning.memory import DEFAULT_HEADROOM, TrainingSetup, find_optimizer
from isoflop.planning.memory_limit import largest_params
from isoflop.planning.storage import CheckpointPolicy
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
    """A run's hardware, limits, model family and how it is trained and kept.

    Parameters
    ----------
    accelerator : Accelerator
    budget : Budget
    site : Site
    family : str
        Key of the model family whose proportions the model takes.
    convention : str
        How FLOP are counted.
    context : int or None
        Sequence length in tokens; None takes the family's.
    causal : bool
        Whether attention counts the positions up to each token only.
    optimizer : str
    zero_stage, tensor, pipeline, expert : int
        Sharding and parallel degrees; data parallelism takes the accelerators that remain.
    sequence_parallel : bool
    micro_batch : int
    recompute : {"none", "selective", "full"}
    flash_attention : bool
    headroom : float
        Share of the memory left free.
    must_fit : bool
        Whether memory limits the size.
    checkpoints : CheckpointPolicy
    """

    accelerator: Accelerator
    budget: Budget
    site: Site = field(default_factory=Site)
    family: str = "llama-3"
    convention: FlopConvention = "6N"
    context: int | None = None
    causal: bool = False
    optimizer: str = "adam-16"
    zero_stage: int = 3
    tensor: int = 1
    pipeline: int = 1
    expert: int = 1
    sequence_parallel: bool = True
    micro_batch: int = 1
    recompute: Recompute = "full"
    flash_attention: bool = True
    headroom: float = DEFAULT_HEADROOM
    must_fit: bool = True
    checkpoints: CheckpointPolicy = field(default_factory=CheckpointPolicy)


def layout_of(scenario: Scenario) -> Layout:
    """Return the layout over all accelerators.

    Raises
    ------
    PlanError
        If the accelerators cannot be cut as the degrees say.
    """
    count = scenario.budget.accelerators
    group = scenario.tensor * scenario.pipeline
    if group < 1 or count % group:
        raise PlanError(
            f"{count:,} accelerators cannot be cut into groups of {group:,}.",
            detail=f"tensor {scenario.tensor} x pipeline {scenario.pipeline} = {group}",
            hint="Choose degrees whose product divides the number of accelerators.",
        )
    return Layout(
        data=count // group,
        tensor=scenario.tensor,
        pipeline=scenario.pipeline,
        expert=scenario.expert,
        sequence_parallel=scenario.sequence_parallel,
        zero_stage=scenario.zero_stage,
    )


def setup_of(scenario: Scenario) -> TrainingSetup:
    """Return how the run is trained, as far as memory is concerned.

    Raises
    ------
    PlanError
        As `layout_of`.
    """
    return TrainingSetup(
        optimizer=find_optimizer(scenario.optimizer),
        layout=layout_of(scenario),
        micro_batch=scenario.micro_batch,
        context=scenario.context,
        recompute=scenario.recompute,
        flash_attention=scenario.flash_attention,
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
    family = find_family(scenario.family)
    count = count_of(family, param_convention)
    setup = setup_of(scenario)
    vocab = family.models[-1].architecture.vocab
    return Setting(
        budget=scenario.budget,
        accelerator=scenario.accelerator,
        rule=family_rule(
            family,
            scenario.convention,
            context=scenario.context,
            causal=scenario.causal,
            count=count,
        ),
        site=scenario.site,
        storage=StorageRule(
            optimizer=find_optimizer(scenario.optimizer), policy=scenario.checkpoints, vocab=vocab
        ),
        total_params=total_params(family, count),
        largest_params=(
            (lambda memory: _largest(scenario.family, setup, memory, scenario.headroom, count))
            if scenario.must_fit
            else None
        ),
    )


def setting_for_count(
    scenario: Scenario, param_convention: str, accelerators: int
) -> Setting | None:
    """Return the setting with another number of accelerators; None where it cannot be cut so."""
    budget = replace(scenario.budget, accelerators=accelerators)
    try:
        return setting_of(replace(scenario, budget=budget), param_convention)
    except PlanError:
        return None


@lru_cache(maxsize=1024)
def _largest(
    family_key: str,
    setup: TrainingSetup,
    memory_bytes: float,
    headroom: float,
    count: CountedParams,
) -> float:
    """Find the largest size that fits, once for each way of training."""
    return largest_params(
        find_family(family_key), setup, memory_bytes, headroom=headroom, count=count
    )


def to_document(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario as plain values that JSON can hold."""
    plain = {
        entry.name: getattr(scenario, entry.name)
        for entry in fields(scenario)
        if entry.name not in {"accelerator", "budget", "site", "checkpoints"}
    }
    return plain | {
        "accelerator": {
            "key": scenario.accelerator.key,
            **describe_accelerator(scenario.accelerator),
        },
        "budget": asdict(scenario.budget),
        "site": asdict(scenario.site),
        "checkpoints": asdict(scenario.checkpoints),
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
            budget=Budget(**values.pop("budget")),
            site=Site(**values.pop("site")),
            checkpoints=CheckpointPolicy(**values.pop("checkpoints")),
            **values,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CatalogError(
            "This saved scenario cannot be read.",
            detail=f"{type(error).__name__}: {error}",
            hint="Save it again, or delete it.",
        ) from None
