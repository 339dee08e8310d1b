"""What the Plan page shows, worked out once for each choice and kept."""

from __future__ import annotations

from dataclasses import dataclass

from isoflop.fitting.extrapolation import Method
from isoflop.language import lazy_gettext
from isoflop.planning import Frontier, Plan, Setting, least_compute, loss_surface
from isoflop.planning.frontier import frontier_over
from isoflop.planning.inverse import LeastCompute
from isoflop.planning.longer import Lifetime, SmallerModels, smaller_models
from isoflop.planning.longer import lifetime as lifetime_of
from isoflop.planning.outlook import Outlook
from isoflop.planning.plan import plan_or_assume
from isoflop.planning.planned import Planned
from isoflop.planning.risk import Risk
from isoflop.planning.risk import risk as risk_of
from isoflop.planning.scenario import Scenario, setting_of
from isoflop.planning.surface import Surface
from isoflop.planning.tornado import Tornado
from isoflop.planning.tornado import tornado as tornado_of
from isoflop.planning.trajectory import compute_range
from isoflop.ui import beyond
from isoflop.ui.caching import MAX_PLANS, kept
from isoflop.ui.plan.controls import Inputs
from isoflop.ui.resolve import Fitted


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The choices on the page and the plan that follows.

    Parameters
    ----------
    chosen : Inputs
    fitted : Fitted
    setting : Setting
    plan : Plan
    by : {"average", "one"}
        What predicts its loss.
    """

    chosen: Inputs
    fitted: Fitted
    setting: Setting
    plan: Plan
    by: Method

    @property
    def outlook(self) -> Outlook:
        """What is to be believed of the plan beyond the data."""
        return beyond.seen(
            self.fitted,
            self.plan,
            self.by,
            rule=self.setting.rule,
            fixed=self.chosen.selection.fixed,
        )

    @property
    def scenario(self) -> Scenario:
        """Everything assumed of the run."""
        return self.chosen.scenario

    @property
    def planned(self) -> Planned:
        """The plan with what it was made from."""
        return Planned(
            fit=self.fitted.fit,
            scenario=self.scenario,
            setting=self.setting,
            plan=self.plan,
            fixed=self.chosen.selection.fixed,
        )


_plan = kept(plan_or_assume, max_entries=MAX_PLANS, spinner=lazy_gettext("Planning"))
_surface = kept(loss_surface)
_frontier = kept(frontier_over)
_tornado = kept(tornado_of)
_least_compute = kept(least_compute, spinner=lazy_gettext("Searching"))
_risk = kept(risk_of)
_smaller_models = kept(smaller_models)
_lifetime = kept(lifetime_of)


def view(chosen: Inputs, fitted: Fitted, by: Method) -> View:
    """Plan what is chosen.

    Raises
    ------
    IsoflopError
        If nothing can be trained within the limits.
    """
    setting = setting_of(chosen.scenario, fitted.fit.param_convention)
    options, fixed = chosen.scenario.options, chosen.selection.fixed
    plan = _plan(
        fitted.fit,
        setting,
        params=options.params,
        tokens=options.tokens,
        level=options.level,
        fixed=fixed,
    )
    return View(chosen=chosen, fitted=fitted, setting=setting, plan=plan, by=by)


def surface(shown: View) -> Surface:
    """Return the best loss over accelerators and times around the plan."""
    return _surface(shown.fitted.fit, shown.setting, fixed=shown.chosen.selection.fixed)


def frontier(shown: View) -> Frontier:
    """Return the compute-optimal models around the plan and the rows, with bands.

    Raises
    ------
    PlanError
        If the law has none.
    """
    span = compute_range(shown.fitted.fit, shown.fitted.table, shown.plan.compute_flop)
    planned = shown.planned
    return _frontier(planned.repeating, span, rule=shown.setting.rule, fixed=planned.known)


def tornado(shown: View) -> Tornado:
    """Return how far loss and money move with each assumption."""
    fixed = shown.chosen.selection.fixed
    ahead = shown.outlook.ahead
    return _tornado(shown.fitted.fit, shown.setting, shown.plan, fixed=fixed, ahead=ahead)


def target(shown: View, loss: float) -> LeastCompute:
    """Return the least compute that reaches a loss.

    Raises
    ------
    LossUnreachable
        If none does.
    """
    planned = shown.planned
    return _least_compute(planned.repeating, loss, rule=shown.setting.rule, fixed=planned.known)


def chance(shown: View, loss: float) -> Risk:
    """Return the chance of a loss within the budget, by what predicts the plan's.

    Raises
    ------
    PlanError
        If the prediction has no interval.
    """
    told = shown.outlook.told(shown.plan)
    return _risk(shown.fitted.fit, shown.setting, told, loss, fixed=shown.chosen.selection.fixed)


def smaller(shown: View) -> SmallerModels:
    """Return smaller models that reach the plan's loss."""
    plan, rule = shown.plan, shown.setting.priced_rule(shown.plan.training.mfu)
    fit, fixed = shown.planned.repeating, shown.planned.known
    return _smaller_models(fit, plan.params, plan.tokens, rule=rule, fixed=fixed)


def lifetime(shown: View) -> Lifetime:
    """Return the models of the plan's loss and least lifetime compute over inference tokens."""
    plan, rule = shown.plan, shown.setting.priced_rule(shown.plan.training.mfu)
    fit, fixed = shown.planned.repeating, shown.planned.known
    return _lifetime(fit, plan.params, plan.tokens, rule=rule, fixed=fixed)
