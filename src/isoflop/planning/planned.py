"""A plan with all that it was made from: whatever else follows from it is a method."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from isoflop.accounting import Family, find_family
from isoflop.accounting.shapes import (
    CountedParams,
    ProposedShape,
    nearest_released,
    propose_shape,
)
from isoflop.errors import IsoflopError, PlanError
from isoflop.fitting import Fit
from isoflop.fitting.extrapolation import Method
from isoflop.language import joined, lazy_gettext
from isoflop.notices import Notice
from isoflop.planning import sheets
from isoflop.planning.budget import price_usd_per_hour
from isoflop.planning.constraints import Setting, fixed_for, law_for
from isoflop.planning.doubts import doubts
from isoflop.planning.frontier import frontier
from isoflop.planning.hyperparameters import HyperparameterHint, hyperparameter_hints
from isoflop.planning.inference import (
    BYTES_OF,
    SaturatedServing,
    ServingEstimate,
    ServingSetup,
    accelerators_for,
    estimate_serving,
    saturated_serving,
    serving_on,
)
from isoflop.planning.influence import warned
from isoflop.planning.inputs import SETTLED, other_inputs
from isoflop.planning.inverse import LeastCompute, LeastCost, least_compute, least_cost
from isoflop.planning.longer import Lifetime, SmallerModels, lifetime, smaller_models
from isoflop.planning.memory_advice import MemoryReport, report_memory
from isoflop.planning.money import Money, money
from isoflop.planning.outlook import Outlook, outlook
from isoflop.planning.plan import plan_or_assume
from isoflop.planning.risk import Risk, risk
from isoflop.planning.scenario import (
    Scenario,
    count_of,
    hardware_utilisation,
    setting_of,
    setup_of,
)
from isoflop.planning.step_work import TrainingStep
from isoflop.planning.summary import limits_sheet
from isoflop.planning.surface import Surface, loss_surface
from isoflop.planning.tornado import Tornado, tornado
from isoflop.planning.trained import laid_out
from isoflop.planning.trajectory import compute_range
from isoflop.planning.types import Budget, Frontier, Plan
from isoflop.planning.usual import DEFAULT_FAMILY
from isoflop.text import Sheet
from isoflop.units import format_number

EXPERTS = Notice(
    code="experts-by-dense-law",
    severity="info",
    text=lazy_gettext(
        "The law was fitted to dense models, so N counts the parameters that "
        "a token passes through; memory and storage hold all experts."
    ),
    remedy=lazy_gettext("Fit a table with a column of active parameters, or a law of experts."),
)

TARGET_SHARE = 0.98
"""Of the planned loss, where no target is given."""

NO_LAYOUT = lazy_gettext("No layout of this model is possible on these accelerators.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan, the fit and the scenario that it was made from.

    Parameters
    ----------
    fit : Fit
    scenario : Scenario
    setting : Setting
        What the limits follow from.
    plan : Plan
    fixed : mapping of str to float
        Values of the law's inputs that no budget settles, by table column.
    """

    fit: Fit
    scenario: Scenario
    setting: Setting
    plan: Plan
    fixed: Mapping[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        return repr(self.plan).replace("<Plan", "<Planned", 1)

    def _repr_html_(self) -> str:
        return self.plan._repr_html_()

    @property
    def repeating(self) -> Fit:
        """The fit with the law that the plan uses: with repetition where tokens are short."""
        law = law_for(self.fit.law, self.setting.budget)
        return self.fit if law is self.fit.law else replace(self.fit, law=law)

    @property
    def known(self) -> dict[str, float]:
        """Values of that law's other inputs."""
        return fixed_for(self.setting.budget, self.fixed)

    @property
    def family(self) -> Family:
        """The family whose proportions the model takes."""
        return find_family(self.scenario.options.family or DEFAULT_FAMILY)

    @property
    def count(self) -> CountedParams:
        """What N counts."""
        return count_of(self.family, self.fit.param_convention)

    @property
    def budget(self) -> Budget:
        """The budget with the utilisation and goodput of the plan."""
        training = self.plan.training
        return replace(self.setting.budget, mfu=training.mfu, goodput=training.goodput)

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Everything that should make a reader doubt the plan, the most serious first."""
        is_dense_law = self.count == "active" and self.fit.param_convention != "active"
        return doubts(
            self.fit,
            self.fit.table,
            self.plan,
            fixed=self.fixed,
            more=(EXPERTS,) if is_dense_law else (),
        )

    def outlook(self, by: Method = "average") -> Outlook:
        """Return what all laws of the table, or the plan's own alone, say beyond the data."""
        table = self.fit.table
        if table is None or self.plan.response != "loss":
            return Outlook(ahead=None, sizes=None)
        is_alone = by == "one" or not self.fit.certificate.n_starts
        return outlook(
            table,
            self.plan,
            alone=self.fit if is_alone else None,
            rule=self.setting.rule,
            fixed=self.fixed,
        )

    def money(self) -> Money:
        """Return what the money goes into, and what other ways to pay would cost.

        Raises
        ------
        PlanError
            If the plan has no price.
        """
        return money(self.setting, self.plan)

    def surface(self) -> Surface:
        """Return the best loss over accelerators and times around the plan."""
        return loss_surface(self.fit, self.setting, fixed=self.fixed)

    def frontier(self) -> Frontier:
        """Return the compute-optimal models around the plan and the rows, by half decades.

        Raises
        ------
        PlanError
            If the law has none.
        """
        lower, upper = compute_range(self.fit, self.fit.table, self.plan.compute_flop)
        flop = np.geomspace(lower, upper, 1 + round(2 * np.log10(upper / lower)))
        return frontier(self.repeating, flop, rule=self.setting.rule, fixed=self.known)

    def tornado(self, by: Method = "average") -> Tornado:
        """Return how far loss and money move with each assumption, law and utilisation too."""
        ahead = self.outlook(by).ahead
        return tornado(self.fit, self.setting, self.plan, fixed=self.fixed, ahead=ahead)

    @property
    def usual_target(self) -> float:
        """A loss a little below that of the plan."""
        return float(f"{self.plan.loss * TARGET_SHARE:.3f}")

    def risk(self, target_loss: float | None = None, by: Method = "average") -> Risk:
        """Return the chance of a loss within the budget, by what predicts the plan's.

        Raises
        ------
        PlanError
            If the prediction has no interval.
        """
        told = self.outlook(by).told(self.plan)
        target = self.usual_target if target_loss is None else target_loss
        return risk(self.fit, self.setting, told, target, fixed=self.fixed)

    def least(self, target_loss: float | None = None) -> LeastCompute:
        """Return the least compute that reaches a loss, by the best model for it.

        Raises
        ------
        LossUnreachable
            If none does.
        """
        target = self.usual_target if target_loss is None else target_loss
        return least_compute(self.repeating, target, rule=self.setting.rule, fixed=self.known)

    def least_cost(self, found: LeastCompute) -> LeastCost:
        """Return the hours, time and money of the least compute to a loss, at the plan's speed."""
        return least_cost(found, self.budget, self.setting.accelerator)

    def smaller_models(self) -> SmallerModels:
        """Return smaller models that reach the plan's loss."""
        plan, rule = self.plan, self.setting.priced_rule(self.plan.training.mfu)
        return smaller_models(self.repeating, plan.params, plan.tokens, rule=rule, fixed=self.known)

    def lifetime(self) -> Lifetime:
        """Return the models of the plan's loss and least lifetime compute over inference tokens."""
        plan, rule = self.plan, self.setting.priced_rule(self.plan.training.mfu)
        return lifetime(self.repeating, plan.params, plan.tokens, rule=rule, fixed=self.known)

    def step(self) -> TrainingStep:
        """Return one step of the plan in its layout.

        Raises
        ------
        PlanError
            If no layout of its shape is possible.
        """
        found = laid_out(self.setting, self.plan.params, self.plan.training.batch_tokens)
        if found is None:
            raise PlanError(
                NO_LAYOUT,
                hint=lazy_gettext("Give other degrees of parallelism, or leave them out."),
            )
        return found.step

    def memory(self) -> MemoryReport:
        """Return what fills one accelerator, and what would make it fit.

        Raises
        ------
        PlanError
            As `step`.
        """
        options, step = self.scenario.options, self.step()
        return report_memory(
            step.architecture,
            setup_of(options, step),
            self.scenario.accelerator.memory_bytes,
            headroom=options.headroom,
        )

    def hardware_utilisation(self) -> float:
        """Return the share of the peak that the hardware works at, recomputation included (HFU).

        Raises
        ------
        PlanError
            As `step`.
        """
        mfu, causal = self.plan.training.mfu, self.scenario.options.causal
        return hardware_utilisation(mfu, self.step(), causal=causal)

    def shape(self) -> ProposedShape:
        """Return a shape of the plan's size on the family's proportions.

        Raises
        ------
        PlanError
            If the family has none.
        """
        return propose_shape(
            self.family,
            self.plan.params,
            count=self.count,
            heads_multiple=self.scenario.options.tensor or 1,
        )

    def hints(self) -> tuple[HyperparameterHint, ...]:
        """Return what published batch-size and learning-rate rules give."""
        plan = self.plan
        return tuple(
            hyperparameter_hints(
                params_nonembedding=float(self.shape().parameters.active_nonembedding),
                tokens=plan.tokens,
                loss_nats_per_token=plan.loss if self.fit.loss_unit == "nats/token" else None,
            )
        )

    def served(self, accelerators: int | None = None, batch: int = 1) -> ServingSetup:
        """Return how the model is served.

        Parameters
        ----------
        accelerators : int, optional
            For one copy; as many as hold the weights in half their memory if absent.
        batch : int
            Sequences side by side, to wait for.
        """
        device, requests = self.setting.accelerator, self.scenario.options.requests
        size = BYTES_OF[requests.dtype or device.training_dtype]
        params = self.shape().parameters.total
        usual = accelerators_for(params, device.memory_bytes, weight_bytes=size)
        return serving_on(
            device,
            accelerators=accelerators or usual,
            batch=batch,
            prompt_tokens=requests.prompt_tokens,
            output_tokens=requests.output_tokens,
            dtype=requests.dtype,
            price_usd_per_hour=price_usd_per_hour(self.setting.budget, device),
        )

    def serving(self, setup: ServingSetup) -> tuple[SaturatedServing, ServingEstimate]:
        """Return what using the model takes: under full load, and for one who waits.

        Raises
        ------
        DoesNotFit
            If the weights and the batch exceed the memory.
        """
        model = self.shape().architecture
        return saturated_serving(model, setup), estimate_serving(model, setup)

    def results(self, part: str, **asked: Any) -> dict[str, Any]:
        """Return a part of what follows from the plan, result by name.

        Parameters
        ----------
        part : str
            One of `PARTS`.
        **asked
            ``target`` (loss), ``by``, ``accelerators`` and ``batch`` (of serving), for the parts
            that use them.

        Raises
        ------
        PlanError
            If there is no such part, or it cannot be worked out.
        """
        return _part(part).results(self, asked)

    def gathered(self, parts: Sequence[str], **asked: Any) -> dict[str, Any]:
        """Return several parts by name, for one that cannot be worked out the reason.

        Parameters
        ----------
        parts : sequence of str
        **asked
            As `results`.
        """
        known: dict[str, Any] = {}
        for part in parts:
            try:
                known |= self.results(part, **asked)
            except IsoflopError as problem:
                known[part] = {"refused": str(problem)}
        return known

    def sheets(self, part: str, **asked: Any) -> tuple[Sheet, ...]:
        """Return a part of what follows from the plan as tables for a reader.

        Parameters
        ----------
        part, **asked
            As `results`.

        Raises
        ------
        PlanError
            As `results`.
        """
        return _part(part).sheets(self, self.results(part, **asked))


def require_others(fit: Fit, fixed: Mapping[str, float]) -> None:
    """Refuse values that a law has no use for or a budget settles, and ask for those it lacks.

    Raises
    ------
    PlanError
        Naming them, and what the rows hold of what is lacking.
    """
    needed = other_inputs(fit.law)
    columns = () if fit.table is None else tuple(fit.table.frame)
    may_be_given = {*needed, *columns, "unique_tokens"} - SETTLED
    if unknown := sorted(set(fixed) - may_be_given):
        is_settled = any(name in SETTLED for name in unknown)
        why = (
            lazy_gettext("The budget settles it.")
            if is_settled
            else lazy_gettext("{label} has no such input.", label=fit.law.label)
        )
        raise PlanError(
            lazy_gettext("{unknown} cannot be held at a value here.", unknown=", ".join(unknown)),
            detail=why,
            hint=lazy_gettext(
                "Other inputs of the law: {needed}.",
                needed=", ".join(needed) or lazy_gettext("none"),
            ),
        )
    if lacking := [name for name in needed if name not in fixed]:
        flags = " ".join(f"--fix {name}=..." for name in lacking)
        values = ", ".join(f"{name!r}: ..." for name in lacking)
        raise PlanError(
            lazy_gettext(
                "{label} needs a value of {lacking}, which no budget settles.",
                label=fit.law.label,
                lacking=", ".join(lacking),
            ),
            detail=joined("; ", [_of_rows(fit, name) for name in lacking]),
            hint=lazy_gettext(
                "Give it: {flags}, or in Python fixed={{{values}}}.", flags=flags, values=values
            ),
        )


def _of_rows(fit: Fit, column: str) -> str:
    symbol = next(item.symbol for item in fit.law.inputs if item.column == column)
    if symbol not in fit.input_ranges:
        return lazy_gettext("{column}: range not known", column=column)
    lower, upper = (format_number(end) for end in fit.input_ranges[symbol])
    return lazy_gettext(
        "The rows have {column} from {lower} to {upper}", column=column, lower=lower, upper=upper
    )


def planned(fit: Fit, scenario: Scenario, *, fixed: Mapping[str, float] | None = None) -> Planned:
    """Plan a scenario, and keep what it was made from.

    Parameters
    ----------
    fit : Fit
    scenario : Scenario
    fixed : mapping of str to float, optional
        Values of the law's other inputs, by table column.

    Raises
    ------
    DoesNotFit, PlanError
        As `isoflop.planning.plan`.
    """
    options, others = scenario.options, dict(fixed or {})
    require_others(fit, others)
    setting = setting_of(scenario, fit.param_convention)
    best = plan_or_assume(
        fit,
        setting,
        params=options.params,
        tokens=options.tokens,
        level=options.level,
        fixed=others,
    )
    return Planned(
        fit=fit,
        scenario=scenario,
        setting=setting,
        plan=warned(best, fit, others),
        fixed=others,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of what follows from a plan: its results by name, and their tables for a reader."""

    results: Callable[[Planned, Mapping[str, Any]], dict[str, Any]]
    sheets: Callable[[Planned, dict[str, Any]], tuple[Sheet, ...]]


def _part(name: str) -> Part:
    if name not in PARTS:
        raise PlanError(
            lazy_gettext("A plan has no part {name!r}.", name=name),
            hint=lazy_gettext("Parts: {parts}.", parts=", ".join(PARTS)),
        )
    return PARTS[name]


def _one(name: str, make: Callable[[Planned], Any], write: Callable[[Any], Sheet]) -> Part:
    """Return the part of one result and one table."""
    return Part(
        results=lambda planned, _: {name: make(planned)},
        sheets=lambda _, found: (write(found[name]),),
    )


def _laws(planned: Planned, asked: Mapping[str, Any]) -> dict[str, Any]:
    seen = planned.outlook(asked.get("by", "average"))
    if seen.ahead is None:
        raise PlanError(
            lazy_gettext("Nothing can be predicted beyond the data."), detail=seen.reason
        )
    return {"extrapolation": seen.ahead}


def _time_sheets(planned: Planned, _found: dict[str, Any]) -> tuple[Sheet, ...]:
    is_own = planned.scenario.options.batch_tokens is not None
    return (sheets.time_sheet(planned.plan, is_own_batch=is_own),)


def _memory_sheets(_planned: Planned, found: dict[str, Any]) -> tuple[Sheet, ...]:
    report: MemoryReport = found["memory"]
    advice = (sheets.advice_sheet(report),) if report.advice else ()
    return (sheets.memory_sheet(report), *advice)


def _shape(planned: Planned, _asked: Mapping[str, Any]) -> dict[str, Any]:
    near = nearest_released(planned.family, planned.plan.params, count=planned.count)
    return {"shape": planned.shape(), "nearest": near}


def _shape_sheets(_planned: Planned, found: dict[str, Any]) -> tuple[Sheet, ...]:
    proposed, near = found["shape"], found["nearest"]
    models = {
        lazy_gettext("New shape"): (proposed.architecture, proposed.parameters),
        near.name: (near.architecture, near.parameters),
    }
    return (replace(sheets.shape_sheet(models), notes=proposed.notes),)


def _hints_sheets(planned: Planned, found: dict[str, Any]) -> tuple[Sheet, ...]:
    return (sheets.hints_sheet(found["hints"], planned.plan),)


def _serving(planned: Planned, asked: Mapping[str, Any]) -> dict[str, Any]:
    setup = planned.served(asked.get("accelerators"), asked.get("batch") or 1)
    full, alone = planned.serving(setup)
    return {"setup": setup, "under_full_load": full, "waited_for": alone}


def _serving_sheets(planned: Planned, found: dict[str, Any]) -> tuple[Sheet, ...]:
    full, alone, setup = found["under_full_load"], found["waited_for"], found["setup"]
    return (sheets.serving_sheet(full, alone, setup, planned.plan.cost.usd_inference),)


def _longer(planned: Planned, _asked: Mapping[str, Any]) -> dict[str, Any]:
    return {"smaller_models": planned.smaller_models(), "lifetime": planned.lifetime()}


def _longer_sheets(_planned: Planned, found: dict[str, Any]) -> tuple[Sheet, ...]:
    return sheets.smaller_sheet(found["smaller_models"]), sheets.lifetime_sheet(found["lifetime"])


def _risk(planned: Planned, asked: Mapping[str, Any]) -> dict[str, Any]:
    return {"risk": planned.risk(asked.get("target"), asked.get("by", "average"))}


def _least(planned: Planned, asked: Mapping[str, Any]) -> dict[str, Any]:
    found = planned.least(asked.get("target"))
    return {"least_compute": found, "least_cost": planned.least_cost(found)}


def _least_sheets(planned: Planned, found: dict[str, Any]) -> tuple[Sheet, ...]:
    count, law = planned.budget.count, planned.fit.law.label
    return (sheets.least_sheet(found["least_compute"], found["least_cost"], count, law),)


def _assumptions_sheets(planned: Planned, _found: dict[str, Any]) -> tuple[Sheet, ...]:
    n_saved = planned.scenario.options.checkpoints.n_saved
    return (
        sheets.assumptions_sheet(planned.plan),
        sheets.disk_sheet(planned.plan, n_saved=n_saved),
    )


def _of_the_plan(_planned: Planned, _asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return nothing: the plan itself holds it."""
    return {}


PARTS: Mapping[str, Part] = {
    "limits": Part(results=_of_the_plan, sheets=lambda planned, _: (limits_sheet(planned.plan),)),
    "surface": _one("surface", Planned.surface, sheets.surface_sheet),
    "laws": Part(
        results=_laws, sheets=lambda _, found: (sheets.laws_sheet(found["extrapolation"]),)
    ),
    "frontier": _one("frontier", Planned.frontier, sheets.frontier_sheet),
    "time": Part(results=_of_the_plan, sheets=_time_sheets),
    "money": _one("money", Planned.money, sheets.money_sheet),
    "memory": Part(results=lambda planned, _: {"memory": planned.memory()}, sheets=_memory_sheets),
    "shape": Part(results=_shape, sheets=_shape_sheets),
    "hints": Part(results=lambda planned, _: {"hints": planned.hints()}, sheets=_hints_sheets),
    "serving": Part(results=_serving, sheets=_serving_sheets),
    "longer": Part(results=_longer, sheets=_longer_sheets),
    "risk": Part(results=_risk, sheets=lambda _, found: (sheets.risk_sheet(found["risk"]),)),
    "least": Part(results=_least, sheets=_least_sheets),
    "tornado": _one("tornado", Planned.tornado, sheets.tornado_sheet),
    "assumptions": Part(results=_of_the_plan, sheets=_assumptions_sheets),
}
"""What follows from a plan, by name, in the order of the page."""
